"""Compiled programs kept on disk, for the next process that needs them.

JAX's persistent cache, with what it leaves open decided here: where it lies,
how large it grows, and what becomes of an entry that a killed process left
half-written. Tracing and lowering are not cached: a warm start still takes
about half a second of them.

The folder is that of `JAX_COMPILATION_CACHE_DIR` where it is set, otherwise
`codelaw/compiled/` in the user's cache folder (XDG base directories:
`$XDG_CACHE_HOME`, by default `~/.cache`), with a folder per kind of processor
in it. It may be deleted at any time. `JAX_ENABLE_COMPILATION_CACHE=false`
does without.
"""

import hashlib
import os
import pathlib
import platform

import filelock
import jax

_MAX_BYTES = 2**29  # The least recently used programs go first.
_MIN_COMPILE_SECONDS = 0.1  # The step of the smallest model takes 1.
_LOCK_SECONDS = 10.0
_ENTRY, _STAMP = '-cache', '-atime'  # The two files of an entry.


def enable() -> None:
  """Makes this process read and keep compiled programs, where it can.

  What JAX's own environment variables say is left as it is. A folder that
  cannot be made or written is not used; a program that cannot be read later is
  compiled, with a warning.
  """
  if not jax.config.values['jax_enable_compilation_cache']:
    return
  if not jax.config.values['jax_compilation_cache_dir']:
    try:
      folder = default_folder()
      _remove_unfinished(folder)
    except (OSError, RuntimeError):  # Also: no home, or no locks there.
      return
    jax.config.update('jax_compilation_cache_dir', os.fspath(folder))
    # With a limit, JAX takes a lock around each entry that it reads or writes:
    # without one, processes that write the same entry would garble it.
    jax.config.update('jax_compilation_cache_max_size', _MAX_BYTES)
  if 'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS' not in os.environ:
    jax.config.update(
      'jax_persistent_cache_min_compile_time_secs', _MIN_COMPILE_SECONDS
    )


def default_folder() -> pathlib.Path:
  """The folder for this user and this kind of processor.

  Programs for a CPU use the instructions of the one that compiled them; in a
  home shared by several kinds of machines, each needs its own.

  Raises:
    RuntimeError: when the user has no home.
  """
  base = pathlib.Path(os.environ.get('XDG_CACHE_HOME', ''))
  if not base.is_absolute():  # The specification: unset or to be ignored.
    base = pathlib.Path.home() / '.cache'
  return base / 'codelaw' / 'compiled' / _processor()


def _processor() -> str:
  """Name of the machine's instruction set: its family, and a hash of it all."""
  described = [platform.machine(), platform.processor()]
  cpuinfo = pathlib.Path('/proc/cpuinfo')
  if cpuinfo.exists():
    described += sorted(
      {
        line
        for line in cpuinfo.read_text().splitlines()
        if line.startswith(('flags', 'Features', 'model name'))
      }
    )
  digest = hashlib.sha256('\n'.join(described).encode()).hexdigest()
  return f'{platform.machine()}-{digest[:12]}'


def _remove_unfinished(folder: pathlib.Path) -> None:
  """Removes entries whose writing did not come to its end.

  An entry is two files, the program and then its time stamp; a process that is
  killed, or whose disk is full, leaves only the first, perhaps cut short. JAX
  would never write it again, nor find room for another beside it.
  """
  folder.mkdir(parents=True, exist_ok=True)
  # The lock that JAX takes: another process may be between the two files.
  with filelock.FileLock(folder / '.lockfile', timeout=_LOCK_SECONDS):
    for suffix, partner in ((_ENTRY, _STAMP), (_STAMP, _ENTRY)):
      for file in folder.glob(f'*{suffix}'):
        if not file.with_name(
          file.name.removesuffix(suffix) + partner
        ).exists():
          file.unlink()
