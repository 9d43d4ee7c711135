"""The sandbox made by ourselves from Linux namespaces, where bwrap is missing.

  set-up (outside) --clone--> first process of the namespaces --fork--> program

The first process puts up the new root, gives up its privileges, waits to be
released, starts the program and reports its end; when it ends, the kernel
kills every other process of the namespace.
"""

import os

from codelaw.evaluation import sandbox_kernel
from codelaw.evaluation import sandbox_system_calls

# Everything is opened before it is hidden by the new root, which is put up
# over a folder that every system has.
_PLACE = '/tmp'
_NAMESPACES = (
  sandbox_kernel.CLONE_NEWUSER
  | sandbox_kernel.CLONE_NEWNS
  | sandbox_kernel.CLONE_NEWPID
  | sandbox_kernel.CLONE_NEWNET
  | sandbox_kernel.CLONE_NEWIPC
  | sandbox_kernel.CLONE_NEWUTS
  | sandbox_kernel.CLONE_NEWCGROUP
)
_SAFE = sandbox_kernel.MS_NOSUID | sandbox_kernel.MS_NODEV
_DEVICES = ('null', 'zero', 'full', 'random', 'urandom', 'tty')
_DEVICE_LINKS = {
  'fd': '/proc/self/fd',
  'stdin': '/proc/self/fd/0',
  'stdout': '/proc/self/fd/1',
  'stderr': '/proc/self/fd/2',
}


def enter(request: dict, user: int, status: int, block: int) -> None:
  """Turns this process into the one that sets up and waits; never returns.

  Args:
    request: see `sandbox_supervisor`.
    user: id, outside, of the program's user and group.
    status: see `sandbox_bubblewrap.arguments`.
    block: the same.
  """
  sandbox_kernel.die_with_parent()
  _new_namespaces(user, request['uid'])
  ready, announce = os.pipe()
  first = os.fork()
  if first:
    os.close(announce)
    if os.read(ready, 1) == b'x':
      os.write(status, f'{{"child-pid": {first}}}\n'.encode())
    os.waitpid(first, 0)
    os._exit(0)
  os.setsid()
  # Root's own paths, as root; that they are open makes them reachable.
  sources = _open_sources(request['entries'])
  os.setresgid(*[request['uid']] * 3)
  os.setresuid(*[request['uid']] * 3)
  sandbox_kernel.set_host_name(b'sandbox')
  _forbid_user_namespaces()
  sandbox_kernel.start_loopback()
  _put_up(request['entries'], sources)
  sandbox_kernel.give_up_privileges()
  # Not earlier: the kernel forgets it when a process changes its user. If the
  # parent is gone by now there is nobody to write to `block`.
  sandbox_kernel.die_with_parent()
  os.write(announce, b'x')
  if os.read(block, 1) != b'x':
    os._exit(125)
  program = os.fork()
  if program == 0:
    _execute(request)
  _close_all_but(status)
  while True:
    pid, ended = os.wait()
    if pid == program:
      code = os.waitstatus_to_exitcode(ended)
      code = code if code >= 0 else 128 - code
      os.write(status, f'{{"exit-code": {code}}}\n'.encode())
      os._exit(0)


def _open_sources(entries: list[tuple]) -> dict[str, int]:
  """Descriptors of what the new root is made from, by path."""
  paths = [entry[1] for entry in entries if entry[0] == 'bind']
  paths += [f'/dev/{name}' for name in _DEVICES]
  return {path: os.open(path, os.O_PATH) for path in paths}


def _put_up(entries: list[tuple], sources: dict[str, int]) -> None:
  """Changes the root to one with these entries (`sandbox_view`)."""
  sandbox_kernel.mount(
    '', '/', flags=sandbox_kernel.MS_REC | sandbox_kernel.MS_PRIVATE
  )
  _mount_memory(_PLACE, 1 << 20, '0755')
  for entry in entries:
    kind, *rest = entry
    target = _PLACE + rest[1 if kind in ('bind', 'symlink', 'file') else 0]
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if kind == 'bind':
      _bind(sources[rest[0]], target, writable=rest[2])
    elif kind == 'symlink':
      os.symlink(rest[0], target)
    elif kind == 'file':
      _write(target, rest[0])
    elif kind == 'tmpfs':
      os.makedirs(target, exist_ok=True)
      _mount_memory(target, rest[1], '1777')
    elif kind == 'proc':
      os.mkdir(target)
      # Read-only, because a program of root could otherwise set the host's
      # sysctls.
      flags = _SAFE | sandbox_kernel.MS_NOEXEC | sandbox_kernel.MS_RDONLY
      sandbox_kernel.mount('proc', target, 'proc', flags)
    else:
      os.mkdir(target)
      _mount_memory(target, 1 << 20, '0755')
      for name in _DEVICES:
        _write(f'{target}/{name}', b'')
        _bind(sources[f'/dev/{name}'], f'{target}/{name}', device=True)
      for name, text in _DEVICE_LINKS.items():
        os.symlink(text, f'{target}/{name}')
      os.mkdir(f'{target}/shm')
  for target in (f'{_PLACE}/dev', _PLACE):
    sandbox_kernel.restrict_mount(target, sandbox_kernel.MS_RDONLY, below=False)
  sandbox_kernel.change_root(_PLACE)


def bind_elsewhere(sources: list[str]) -> list[str]:
  """Makes files and folders appear at paths that every user may reach.

  For root only, whose own paths other users may not reach. It changes what
  this process and its children see, nobody else.

  Returns:
    The new paths, in order.
  """
  sandbox_kernel.unshare(sandbox_kernel.CLONE_NEWNS)
  sandbox_kernel.mount(
    '', '/', flags=sandbox_kernel.MS_REC | sandbox_kernel.MS_PRIVATE
  )
  opened = [os.open(source, os.O_PATH) for source in sources]
  _mount_memory(_PLACE, 1 << 20, '0755')
  targets = [f'{_PLACE}/{number}' for number in range(len(opened))]
  for descriptor, target in zip(opened, targets, strict=True):
    _bind(descriptor, target, writable=True)
    os.close(descriptor)
  return targets


def execute(command: list[str], environment: dict[str, str]) -> None:
  """Becomes a program, looked up in the PATH that it gets.

  `os.execvpe` would import a module, whose file may be gone.

  Raises:
    OSError: when there is none.
  """
  paths = [command[0]]
  if '/' not in command[0]:
    folders = environment['PATH'].split(':')
    paths = [f'{folder}/{command[0]}' for folder in folders]
  for path in paths:
    try:
      os.execve(path, command, environment)
    except (FileNotFoundError, NotADirectoryError):
      continue
  raise OSError('no such program')


def _new_namespaces(user: int, uid: int) -> None:
  """Enters them; a helper that stays outside says who is who inside."""
  target = os.getpid()
  ready, announce = os.pipe()
  helper = os.fork()
  if helper == 0:
    try:
      os.close(announce)
      if os.read(ready, 1) == b'x':
        if os.geteuid() != 0:
          _write(f'/proc/{target}/setgroups', b'deny')
        group = user if os.geteuid() == 0 else os.getegid()
        _write(f'/proc/{target}/uid_map', f'{uid} {user} 1'.encode())
        _write(f'/proc/{target}/gid_map', f'{uid} {group} 1'.encode())
        os._exit(0)
    finally:
      os._exit(1)
  if os.geteuid() == 0:
    os.setgroups([])
  sandbox_kernel.unshare(_NAMESPACES)
  os.write(announce, b'x')
  _, ended = os.waitpid(helper, 0)
  for descriptor in (ready, announce):
    os.close(descriptor)
  if ended != 0:
    raise OSError('no user could be mapped into a new user namespace')


def _forbid_user_namespaces() -> None:
  """None below this one, as far as the system lets us say so."""
  try:
    _write('/proc/sys/user/max_user_namespaces', b'0')
  except OSError:
    # The filter of system calls forbids them too.
    return


def _execute(request: dict) -> None:
  """Becomes the program."""
  try:
    os.chdir(request['folder'])
    code = sandbox_system_calls.seccomp_filter()
    if code:
      sandbox_kernel.restrict_system_calls(code)
    execute(request['command'], request['environment'])
  except Exception as error:
    os.write(2, f'{request["command"][0]}: {error}\n'.encode())
  finally:
    os._exit(127)


def _bind(
  source: int, target: str, writable: bool = False, device: bool = False
) -> None:
  if not os.path.lexists(target):
    if os.path.isdir(f'/proc/self/fd/{source}'):
      os.makedirs(target)
    else:
      _write(target, b'')
  sandbox_kernel.mount(
    f'/proc/self/fd/{source}',
    target,
    flags=sandbox_kernel.MS_BIND | sandbox_kernel.MS_REC,
  )
  flags = sandbox_kernel.MS_NOSUID if device else _SAFE
  if not (writable or device):
    flags |= sandbox_kernel.MS_RDONLY
  sandbox_kernel.restrict_mount(target, flags, below=True)


def _mount_memory(target: str, size: int, mode: str) -> None:
  sandbox_kernel.mount(
    'tmpfs', target, 'tmpfs', _SAFE, f'size={size},mode={mode}'
  )


def _write(path: str, content: bytes) -> None:
  descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o444)
  try:
    os.write(descriptor, content)
  finally:
    os.close(descriptor)


def _close_all_but(kept: int) -> None:
  os.closerange(0, kept)
  os.closerange(kept + 1, 1024)
