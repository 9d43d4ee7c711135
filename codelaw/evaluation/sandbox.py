"""Runs programs that nobody has read: no network, no files, hard limits.

A program sees its folder (writable), an empty /tmp, the system's programs and
libraries and what else it is given, read-only, and no process but its own. It
is ended when it uses too much of anything, and so is all that it started.
Nothing of it is left when `run` returns, except what is in its folder.

Where neither bubblewrap nor namespaces work, nothing is run, unless the caller
says `unsandboxed`: then only the limits hold, and a program can do whatever
its user can do.

Definitions owned here:
  backend: 'bubblewrap', 'namespaces', or 'none'.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import functools
import marshal
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from codelaw import errors
from codelaw.evaluation import sandbox_folders
from codelaw.evaluation import sandbox_view

BACKENDS = ('bubblewrap', 'namespaces')
_SUPERVISOR = (
  'import sys; sys.path.append(sys.argv[1]);'
  'from codelaw.evaluation import sandbox_supervisor;'
  'sandbox_supervisor.main()'
)
_ROOT = pathlib.Path(__file__).parents[2]
# Beyond its own limit of time, a supervisor that says nothing is broken.
_PATIENCE_SECONDS = 300.0
# Folders in memory are larger than the limit, so that who reaches it is seen.
_SLACK_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Limits:
  """What a program and all that it starts may use together.

  Attributes:
    seconds: of real time.
    cpu_seconds: of processor time.
    memory_bytes: resident at one time, shared pages counted once. The
      folders in memory come on top, up to `disk_bytes` each.
    processes: processes and threads at one time.
    output_bytes: standard output and standard error.
    disk_bytes: in its folder and the folders in memory.
    files: in those folders, with folders and links.
  """

  seconds: float = 10.0
  cpu_seconds: float = 60.0
  memory_bytes: int = 1 << 30
  processes: int = 512
  output_bytes: int = 1 << 20
  disk_bytes: int = 1 << 28
  files: int = 20_000

  def __post_init__(self):
    for name, value in dataclasses.asdict(self).items():
      if not value > 0:
        raise errors.UserError(
          f'Limits.{name} must be more than 0, got {value!r}.'
        )


@dataclasses.dataclass(frozen=True)
class Outcome:
  """How a program ended.

  Attributes:
    ended: 'exit', 'signal', or the limit that ended it: 'time', 'cpu',
      'memory', 'processes', 'output', 'disk'.
    exit_code: of the program; 128 + its number for a signal, as shells have
      it; None when a limit ended it.
    stdout: what it printed, up to the limit.
    stderr: the same, in what room `stdout` leaves.
    seconds: of real time.
    memory_bytes: the most that was seen in use, 0 if it ended too soon. Below
      the limit, a page counts for each process that has it.
  """

  ended: str
  exit_code: int | None
  stdout: bytes
  stderr: bytes
  seconds: float
  memory_bytes: int = 0

  @property
  def ok(self) -> bool:
    """Whether it ended by itself with code 0."""
    return self.ended == 'exit' and self.exit_code == 0


def run(
  command: Sequence[str],
  folder: pathlib.Path,
  limits: Limits | None = None,
  stdin: bytes = b'',
  environment: Mapping[str, str] | None = None,
  read_only: Sequence[pathlib.Path] = (),
  unsandboxed: bool = False,
  backend: str | None = None,
) -> Outcome:
  """Runs a program to its end. Threads may call it at the same time.

  What it leaves in its folder is its own: a file may be a link, a pipe, or
  endless. When codelaw is root, programs run as another user, who is given the
  folder.

  Args:
    command: program, looked up in its PATH, and arguments.
    folder: its working directory, at the same path in the sandbox.
    limits: what it may use; the defaults of `Limits` where None.
    stdin: what it reads.
    environment: variables besides a minimal PATH, HOME, TMPDIR and LANG.
    read_only: files and folders that it sees besides the system's, for
      instance those of a Python environment, and of what that was made from.
    unsandboxed: run it without a sandbox where none works.
    backend: which sandbox; what `kind` finds where None.

  Raises:
    UserError: when no sandbox works, or a folder is missing.
  """
  backend = backend or kind(unsandboxed)
  if backend == 'none' and not unsandboxed:
    raise errors.UserError(
      "backend = 'none' runs programs without a sandbox; say unsandboxed too."
    )
  limits = limits or Limits()
  folder = pathlib.Path(os.path.realpath(folder))
  if not folder.is_dir():
    raise errors.UserError(
      f'A sandboxed program needs a folder, got {folder}; create it first.'
    )
  request = {
    'parent': os.getpid(),
    'backend': backend,
    # A link to it may lie where the sandbox sees nothing.
    'executable': os.path.realpath(shutil.which('bwrap') or '/'),
    'entries': sandbox_view.entries(
      folder, read_only, limits.disk_bytes + _SLACK_BYTES
    ),
    'uid': sandbox_view.USER,
    'folder': os.fspath(folder),
    'command': [os.fspath(word) for word in command],
    'environment': sandbox_view.environment((environment or {}).items()),
    'stdin': stdin,
    'limits': dataclasses.asdict(limits),
  }
  answer = _supervise(request, limits.seconds + _PATIENCE_SECONDS)
  if 'failure' in answer:
    raise errors.UserError(
      f'The sandbox ({backend}) could not be set up: {answer["failure"]}.'
    )
  return Outcome(**answer)


@contextlib.contextmanager
def new_folder() -> Iterator[pathlib.Path]:
  """A folder for programs, gone afterwards whatever they left in it."""
  folder = tempfile.mkdtemp(prefix='codelaw_sandbox_')
  try:
    yield pathlib.Path(folder)
  finally:
    sandbox_folders.remove(folder)


def kind(unsandboxed: bool = False) -> str:
  """Which sandbox works here, found out by trying, once.

  Args:
    unsandboxed: accept 'none' where no sandbox works.

  Raises:
    UserError: when none works and that was not accepted.
  """
  reasons = []
  for backend in BACKENDS:
    reason = why_not(backend)
    if not reason:
      return backend
    reasons.append(f'{backend}: {reason}')
  if unsandboxed:
    return 'none'
  raise errors.UserError(
    'Programs written by a model are run in a sandbox only, and none works'
    f' here ({"; ".join(reasons)}). Install bubblewrap (for instance `apt-get'
    ' install bubblewrap`) or allow user namespaces. To run them without a'
    ' sandbox, where they can read, change and send whatever you can, say'
    ' CodeExecution.unsandboxed = True.'
  )


@functools.cache
def why_not(backend: str) -> str:
  """Why a sandbox does not work here; empty if it does."""
  if backend == 'bubblewrap' and shutil.which('bwrap') is None:
    return 'there is no bwrap'
  with new_folder() as folder:
    try:
      outcome = run(['true'], folder, backend=backend)
    except errors.UserError as error:
      return str(error)
  return '' if outcome.ok else f'`true` ended with {outcome.exit_code}'


def _supervise(request: dict, patience_seconds: float) -> dict:
  """Has a process of its own run the program."""
  # Python itself may need it; what else is there may be secret.
  libraries = os.environ.get('LD_LIBRARY_PATH')
  with subprocess.Popen(
    [sys.executable, '-I', '-S', '-c', _SUPERVISOR, os.fspath(_ROOT)],
    cwd='/',
    env={'LD_LIBRARY_PATH': libraries} if libraries else {},
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    start_new_session=True,
  ) as process:
    try:
      answer, message = process.communicate(
        marshal.dumps(request), timeout=patience_seconds
      )
    except BaseException:
      # The sandbox dies with its supervisor.
      process.kill()
      raise
  if process.returncode != 0:
    text = message.decode('utf-8', 'replace').strip().splitlines()
    reason = text[-1] if text else f'exit code {process.returncode}'
    return {'failure': f'its supervisor failed with {reason}'}
  return marshal.loads(answer)
