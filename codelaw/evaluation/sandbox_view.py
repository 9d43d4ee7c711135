"""What a sandboxed program sees of the file system, the same for all sandboxes.

Definitions owned here:
  entry: a tuple whose first item says what lies at a path of the new root:
    ('bind', source, target, writable) a file or folder of the host
    ('symlink', text, target)
    ('file', content, target) a small read-only file
    ('proc', target), ('dev', target)
    ('tmpfs', target, size_bytes) an empty folder in memory, writable
  Entries come in the order in which they are put up; whatever is not named by
  one is a read-only folder that holds what lies below it, or does not exist.
"""

from collections.abc import Iterable
import os
import pathlib

from codelaw import errors

# Merged into /usr by most distributions, folders of their own in others.
_SYSTEM = ('bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32')
# Nothing personal: loader, time zone, where commands and runtimes point.
_ETC = (
  'alternatives',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'mono',
)
# The JDK of Debian and of Fedora has its settings there.
_ETC_PATTERNS = ('java*', 'jvm*')
# The program's user and group, as it sees itself.
USER = 1000
_PASSWD = f'user:x:{USER}:{USER}:user:/tmp:/bin/sh\n'
_GROUP = f'user:x:{USER}:\n'
# Writable and in memory; what they hold counts against the limits of disk.
IN_MEMORY = ('/tmp', '/dev/shm')
_RESERVED = ('/', '/proc', '/dev', '/sys', '/usr', '/etc', *IN_MEMORY)


def environment(given: Iterable[tuple[str, str]]) -> dict[str, str]:
  """Variables of the program: a minimum, and those given."""
  return {
    'PATH': '/usr/local/bin:/usr/bin:/bin',
    'HOME': '/tmp',
    'TMPDIR': '/tmp',
    'LANG': 'C.UTF-8',
    **dict(given),
  }


def entries(
  folder: pathlib.Path,
  read_only: Iterable[pathlib.Path],
  tmpfs_bytes: int,
) -> list[tuple]:
  """The new root of a program.

  Args:
    folder: absolute, without symlinks; at the same path in the sandbox.
    read_only: further files and folders, at their own paths. Those that are
      symlinks lead to where they lead outside.
    tmpfs_bytes: size of each folder in memory.

  Raises:
    UserError: when a path is missing or would hide or open the system.
  """
  found: list[tuple] = []
  for name in ('usr', *_SYSTEM):
    found += _as_is(pathlib.Path('/', name))
  etc = pathlib.Path('/etc')
  for path in [etc / name for name in _ETC] + [
    path for pattern in _ETC_PATTERNS for path in sorted(etc.glob(pattern))
  ]:
    found += _as_is(path)
  found += [
    ('file', _PASSWD.encode(), '/etc/passwd'),
    ('file', _GROUP.encode(), '/etc/group'),
    ('proc', '/proc'),
    ('dev', '/dev'),
    *(('tmpfs', path, tmpfs_bytes) for path in IN_MEMORY),
  ]
  _check(folder, 'The folder of a sandboxed program')
  binds = {os.fspath(folder): (os.fspath(folder), True)}
  for path in read_only:
    source = os.path.realpath(path)
    _check(pathlib.Path(source), 'A read-only path of a sandboxed program')
    for target in (source, os.path.abspath(path)):
      binds.setdefault(target, (source, False))
  # What lies deeper comes later, so that nothing is hidden by its parent.
  found += [
    ('bind', binds[target][0], target, binds[target][1])
    for target in sorted(binds, key=lambda t: (t.count('/'), t))
  ]
  return found


def _as_is(path: pathlib.Path) -> list[tuple]:
  """A path of the system, with symlinks as symlinks; nothing if absent."""
  if path.is_symlink():
    return [('symlink', os.readlink(path), os.fspath(path))]
  if path.exists():
    return [('bind', os.fspath(path), os.fspath(path), False)]
  return []


def _check(path: pathlib.Path, what: str) -> None:
  if os.fspath(path) in _RESERVED or not path.exists():
    raise errors.UserError(
      f'{what} must exist and be none of {", ".join(_RESERVED)}, got {path}.'
    )
