"""The first half of a supervisor's work: the process that becomes a sandbox.

What is set here cannot be changed by the program: standard input is sealed,
the hard limits of the kernel stand behind those that are watched, and codelaw
that runs as root runs programs as somebody else.
"""

import fcntl
import os
import resource
import signal

from codelaw.evaluation import sandbox_bubblewrap
from codelaw.evaluation import sandbox_kernel
from codelaw.evaluation import sandbox_namespaces

# Of every process of the sandbox, so that the watch comes first.
_NICE = 5
# As whom programs run when codelaw is root, whose processes the kernel does
# not limit: an id below those of containers, systemd and `nobody`.
_USER_OF_ROOT = 60999
# The kernel counts the processes of a user per user namespace since 5.14;
# before, those of the whole machine, and a limit would hit the innocent.
_COUNTS_PER_NAMESPACE = (5, 14)
# A program gets a bit more than its limit, so that the watch sees and names
# what it did instead of the program failing in some way of its own.
_SLACK_BYTES = 1 << 20
_OPEN_FILES = 1024
_LOCKED_BYTES = 1 << 20


def user() -> int:
  """The id, outside, of programs: ours, but not root's."""
  return os.geteuid() or _USER_OF_ROOT


def start(request: dict) -> tuple[int, int, int, int, int]:
  """Forks what becomes the sandbox.

  Args:
    request: see `sandbox_supervisor`.

  Returns:
    The pid, and descriptors: to write a byte to, which releases the program;
    its standard output and error; the lines about its state.
  """
  stdin = _sealed(request['stdin'])
  stdout_end, stdout = os.pipe()
  stderr_end, stderr = os.pipe()
  status_end, status = os.pipe()
  block, release = os.pipe()
  child = os.fork()
  if child == 0:
    try:
      # Or it would wait for ever when the supervisor ends.
      os.close(release)
      for number, descriptor in enumerate((stdin, stdout, stderr)):
        os.dup2(descriptor, number)
      _become_sandbox(request, status, block)
    except BaseException as error:
      os.write(2, f'{type(error).__name__}: {error}'.encode())
    finally:
      os._exit(125)
  for descriptor in (stdin, stdout, stderr, status, block):
    os.close(descriptor)
  return child, release, stdout_end, stderr_end, status_end


def limit_processes(first: int, processes: int) -> None:
  """Has the kernel end the growth of a fork bomb before we can look.

  Nothing is limited where the kernel does not count by namespace.

  Args:
    first: pid of the first process of the namespaces, still waiting.
    processes: the limit that is watched; this one lies above.
  """
  release = os.uname().release.split('.')[:2]
  numbers = [''.join(filter(str.isdigit, part[:3])) for part in release]
  if tuple(map(int, numbers)) < _COUNTS_PER_NAMESPACE:
    return
  most = processes * 5 // 4 + 10
  helper = os.fork()
  if helper == 0:
    # Root may lack the capability to limit others; a user may limit his own.
    try:
      _become_user()
      resource.prlimit(first, resource.RLIMIT_NPROC, (most, most))
      os._exit(0)
    finally:
      os._exit(1)
  if os.waitpid(helper, 0)[1] != 0:
    raise OSError('the number of processes could not be limited')


def _sealed(content: bytes) -> int:
  """A descriptor to read from.

  Nobody can open it again for writing, to fill memory that no process has.
  """
  descriptor = os.memfd_create('stdin', os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
  with os.fdopen(os.dup(descriptor), 'wb') as file:
    file.write(content)
  os.lseek(descriptor, 0, os.SEEK_SET)
  seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK
  fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
  return descriptor


def _become_sandbox(request: dict, status: int, block: int) -> None:
  os.nice(_NICE)
  os.umask(0o022)
  # Python ignores these, and what is ignored stays so in new programs.
  for number in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(number, signal.SIG_DFL)
  limits = request['limits']
  for name, value in (
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_CPU, int(limits['cpu_seconds']) + 2),
    (resource.RLIMIT_FSIZE, limits['disk_bytes'] + _SLACK_BYTES),
    (resource.RLIMIT_NOFILE, _OPEN_FILES),
    (resource.RLIMIT_MSGQUEUE, 0),
    (resource.RLIMIT_MEMLOCK, _LOCKED_BYTES),
  ):
    _, hard = resource.getrlimit(name)
    if hard != resource.RLIM_INFINITY:
      value = min(value, hard)
    resource.setrlimit(name, (value, value))
  if request['backend'] == 'bubblewrap':
    _become_bubblewrap(request, status, block)
  elif request['backend'] == 'namespaces':
    sandbox_namespaces.enter(request, user(), status, block)
  else:
    _become_program(request, status, block)


def _become_bubblewrap(request: dict, status: int, block: int) -> None:
  if os.geteuid() == 0:
    binds = [entry for entry in request['entries'] if entry[0] == 'bind']
    moved = iter(sandbox_namespaces.bind_elsewhere([e[1] for e in binds]))
    request['entries'] = [
      (entry[0], next(moved), *entry[2:]) if entry[0] == 'bind' else entry
      for entry in request['entries']
    ]
    _become_user()
  command = sandbox_bubblewrap.arguments(
    request['executable'], request, status, block
  )
  os.set_inheritable(status, True)
  os.set_inheritable(block, True)
  os.execve(request['executable'], command, request['environment'])


def _become_program(request: dict, status: int, block: int) -> None:
  """Without a sandbox."""
  sandbox_kernel.die_with_parent()
  os.setsid()
  os.chdir(request['folder'])
  os.write(status, f'{{"child-pid": {os.getpid()}}}'.encode())
  if os.read(block, 1) == b'x':
    try:
      sandbox_namespaces.execute(request['command'], request['environment'])
    except OSError as error:
      os.write(2, f'{request["command"][0]}: {error}\n'.encode())
      os._exit(127)


def _become_user() -> None:
  if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(*[user()] * 3)
    os.setresuid(*[user()] * 3)
