"""What is launched on Cloud TPU, and what an engine must do with it.

Definitions owned here:
  job: one command, started on every host of one TPU slice. The hosts find each
    other by what the slice gives them; codelaw adds no addresses.
  engine: an existing service that queues, starts and restarts jobs, reached
    through its own client program. It says where a job is; what has become of a
    run says its `run.json` alone.
"""

from collections.abc import Mapping
import dataclasses
import hashlib
import os
import re
import shlex
from typing import Literal
from typing import Protocol
from typing import runtime_checkable

from codelaw import errors
from codelaw import storage
from codelaw.launch import mount as mount_lib
from codelaw.launch import slices

# absent: the engine knows no such job. waiting: for chips, or being set up.
# running: its hosts are there. finished: its command ended with 0 on every
# host. failed: the engine gave it up. preempted: its chips were taken away.
State = Literal[
  'absent', 'waiting', 'running', 'finished', 'failed', 'preempted'
]

# Kubernetes puts up to 16 characters behind it in names of at most 63.
MAX_NAME = 40
_HASH = 8  # hexadecimal digits
_NAME = re.compile(r'[a-z]([-a-z0-9]*[a-z0-9])?')
_VARIABLE = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')
_END = 'END_OF_CODELAW_INPUT'


def name_of(model_dir: storage.PathLike) -> str:
  """The name of the job of the run in `model_dir`.

  As much of the folder's own name as fits, and a hash of its whole path, which
  tells runs of that name in several studies apart. Valid for Kubernetes (RFC
  1035 labels) and Google Cloud.

  >>> name_of('/mnt/codelaw/a/runs/code/Python_94M')
  'python-94m-8107f54a'
  """
  path = os.fspath(model_dir).rstrip('/')
  digest = hashlib.sha256(path.encode('utf-8')).hexdigest()[:_HASH]
  word = re.sub(r'[^a-z0-9]+', '-', path.rsplit('/', 1)[-1].lower())
  word = word[: MAX_NAME - _HASH - 1].strip('-')
  if not word or not word[0].isalpha():
    word = f'run-{word}'[: MAX_NAME - _HASH - 1].strip('-')
  return f'{word}-{digest}'


class TransientError(errors.UserError):
  """What an engine refuses now and may do later: quota, network, time-out."""


@dataclasses.dataclass(frozen=True)
class Job:
  """One command on every host of a slice.

  Attributes:
    name: of the job; one engine has one job of a name.
    command: program and arguments, the same on every host.
    topology: of the slice, one of `slices.SLICES`, like `v5e:4x4`.
    environment: variables that the command gets besides.
    extras: of codelaw that the command needs besides `train`, for engines that
      install it; an image has what it was built with.
  """

  name: str
  command: tuple[str, ...]
  topology: str
  environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
  extras: tuple[str, ...] = ()

  def __post_init__(self):
    check_name(self.name)
    object.__setattr__(self, 'command', tuple(self.command))
    if not self.command or not all(
      isinstance(word, str) and word for word in self.command
    ):
      raise errors.UserError(
        f'The job {self.name} must have a command of words, got'
        f' {self.command!r}.'
      )
    slices.check(self.topology)
    for name, value in self.environment.items():
      if not _VARIABLE.fullmatch(name) or not isinstance(value, str):
        raise errors.UserError(
          f'The environment of the job {self.name} must map names of variables'
          f' to texts, got {name!r}: {value!r}.'
        )

  @property
  def slice(self) -> slices.Slice:
    """Machines and chips that it runs on."""
    return slices.SLICES[self.topology]


def check_name(name: str) -> None:
  """Raises `UserError` unless both Kubernetes and Google Cloud take `name`."""
  if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
    raise errors.UserError(
      'The name of a job has lower-case letters, digits and hyphens, begins'
      ' with a letter, ends with no hyphen and has at most'
      f' {MAX_NAME} characters; got {name!r}.'
    )


@dataclasses.dataclass(frozen=True)
class Found:
  """Where a job is, as its engine says.

  Attributes:
    state: of the job.
    where: zone, cluster or the like, for people.
    message: what the engine itself calls the state, or says about it.
    fingerprint: of the job as it was submitted; '' where it is not known.
    is_leaving: whether it is being removed.
  """

  state: State
  where: str
  message: str = ''
  fingerprint: str = ''
  is_leaving: bool = False


@dataclasses.dataclass(frozen=True)
class Command:
  """A command line of an engine's client.

  Attributes:
    arguments: program and arguments.
    input: what it reads from its standard input.
  """

  arguments: tuple[str, ...]
  input: str = ''

  def as_shell(self) -> str:
    """The command as a shell takes it, with a line per flag."""
    program, *rest = self.arguments
    text = program
    for argument in rest:
      is_flag = argument.startswith('--')
      text += (' \\\n  ' if is_flag else ' ') + shlex.quote(argument)
    if not self.input:
      return text + '\n'
    body = self.input if self.input.endswith('\n') else self.input + '\n'
    return f"{text} <<'{_END}'\n{body}{_END}\n"


@runtime_checkable
class Engine(Protocol):
  """What queues and runs jobs; frozen dataclasses that a gin file binds.

  Attributes:
    mount: the storage that its jobs see, or None where every machine sees the
      same disks at the same paths.
  """

  @property
  def mount(self) -> mount_lib.Mount | None:
    """See the class."""

  def commands(self, job: Job) -> tuple[Command, ...]:
    """What hands a job in, in this order; see `programs.submit`."""

  def jobs(self) -> Mapping[str, Found]:
    """Name -> where it is, of all jobs that codelaw has submitted there.

    Raises:
      TransientError: when it may be tried again later.
      UserError: when the client is missing or refuses.
    """

  def remove(self, name: str, wait: bool = True) -> None:
    """Ends a job and frees its chips; nothing where there is none.

    Args:
      name: of the job.
      wait: until it is gone; else it may still be listed, as leaving.

    Raises:
      TransientError: when it may be tried again later.
      UserError: when the client is missing or refuses.
    """


def fingerprint(job: Job, engine: Engine) -> str:
  """Of a job on an engine with its settings: equal if both are."""
  content = {
    'job': dataclasses.asdict(job),
    'engine': type(engine).__name__,
    'settings': dataclasses.asdict(engine),  # type: ignore[call-overload]
  }
  return storage.fingerprint(content)


def is_due(job: Job, engine: Engine) -> bool:
  """Whether `engine` lacks `job`, which is to be submitted then.

  A job that has failed or was preempted is removed first.

  Raises:
    TransientError: when it is just being removed.
    UserError: when a job of that name with another content is there.
  """
  found = engine.jobs().get(job.name)
  if found is None:
    return True
  if found.is_leaving:
    raise TransientError(
      f'A job {job.name} is being removed from {found.where}; try again in a'
      ' minute.'
    )
  if found.state in ('failed', 'preempted'):
    engine.remove(job.name)
    return True
  if found.fingerprint not in ('', fingerprint(job, engine)):
    raise errors.UserError(
      f'{found.where} has a job {job.name} ({found.state}) that was submitted'
      ' with other settings; remove it first, or leave it: `codelaw launch'
      ' --delete` with the same gin files removes it.'
    )
  return False
