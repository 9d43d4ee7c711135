"""The sandbox made by ourselves from Linux namespaces, where bwrap is missing."""

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
  """Makes this process the parent of orphans below it, which it can reap."""
  _call('prctl', _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def enter(request: dict, status: int, block: int) -> None:
  """Not yet."""
  raise OSError('namespaces are not there yet')


def _call(name: str, *arguments) -> int:
  result = getattr(_LIBC, name)(*arguments)
  if result < 0:
    number = ctypes.get_errno()
    raise OSError(number, f'{name}: {os.strerror(number)}')
  return result
