"""Workloads on GKE clusters that xpk has made, by xpk.

xpk is Google's program for training jobs on GKE
(https://github.com/AI-Hypercomputer/xpk). Flags, the table that `workload list`
prints and its words are those of version 1.16.0, whose dry run took these
command lines. It prints no labels, so the content of a job is not known again,
and other people's workloads are listed too. It starts a command in a shell of
its own.
"""

from collections.abc import Mapping
import dataclasses
import shlex

from codelaw import errors
from codelaw.launch import job as job_lib
from codelaw.launch import mount as mount_lib
from codelaw.launch import programs

_GRACE_SECONDS = 300
# xpk gives a job up where a command ends with a code below 127 that is not
# listed; see cli/train.py. An exception ends Python with 1.
_RESTARTED_CODES = f'1,{errors.TemporaryError.EXIT_CODE}'
_FEWEST_CHIPS = 8  # xpk knows no smaller slice of v5e
_NAME, _RUNNING = 'Jobset Name', 'TPU/GPU VMs Running/Ran'
_STATUS, _MESSAGE = 'Status', 'Status Message'
_COLUMNS = (
  *(_NAME, 'Created Time', 'Priority', 'TPU/GPU VMs Needed', _RUNNING),
  *('TPU/GPU VMs Done', _STATUS, _MESSAGE, 'Status Time'),
)


@dataclasses.dataclass(frozen=True)
class Xpk:
  """An xpk workload per job.

  Attributes:
    project: of Google Cloud.
    zone: of the cluster.
    cluster: its name; `xpk cluster create` made it.
    image: container image with codelaw, see tools/container/Dockerfile.
    mount: the bucket with corpora and runs, or None where the image or the
      cluster brings a common disk.
    storage: name under which `xpk storage attach` has mounted that bucket at
      that folder.
    max_restarts: of all hosts, when one has failed.
    priority: of xpk: very-low to very-high.
  """

  project: str
  zone: str
  cluster: str
  image: str
  mount: mount_lib.Mount | None
  storage: str = ''
  max_restarts: int = 10
  priority: str = 'medium'

  def __post_init__(self):
    for name in ('project', 'zone', 'cluster', 'image'):
      if not isinstance(getattr(self, name), str) or not getattr(self, name):
        raise errors.UserError(
          f'Xpk.{name} must be a text, got {getattr(self, name)!r}.'
        )
    if self.mount is not None:
      mount_lib.check('Xpk', self.mount)
    if (self.mount is None) != (not self.storage):
      raise errors.UserError(
        'Xpk.storage must name what `xpk storage attach` has mounted where'
        f' Xpk.mount is set, and only there; got {self.storage!r} and'
        f' {self.mount!r}.'
      )
    if not isinstance(self.max_restarts, int) or self.max_restarts < 0:
      raise errors.UserError(
        'Xpk.max_restarts must be a whole number of at least 0, got'
        f' {self.max_restarts!r}.'
      )

  def commands(self, job: job_lib.Job) -> tuple[job_lib.Command, ...]:
    """One `workload create`.

    Raises:
      UserError: when xpk has no such slice.
    """
    if job.slice.num_chips < _FEWEST_CHIPS:
      raise errors.UserError(
        f'xpk has no v5e slice of {job.slice.num_chips} chips; take v5e:2x4 or'
        ' a larger one, or another engine.'
      )
    create = job_lib.Command(
      self._xpk(
        'create',
        f'--workload={job.name}',
        f'--tpu-type={job.slice.accelerator_type}',
        f'--docker-image={self.image}',
        # In place of xpk's shell, so that SIGTERM reaches it.
        f'--command=exec {shlex.join(job.command)}',
        *(f'--env={k}={v}' for k, v in sorted(job.environment.items())),
        *([f'--storage={self.storage}'] if self.storage else []),
        f'--max-restarts={self.max_restarts}',
        f'--restart-on-exit-codes={_RESTARTED_CODES}',
        f'--termination-grace-period-seconds={_GRACE_SECONDS}',
        f'--priority={self.priority}',
      )
    )
    return (create,)

  def jobs(self) -> Mapping[str, job_lib.Found]:
    """All workloads of the cluster; see `Engine`."""
    text = programs.run(
      job_lib.Command(self._xpk('list')), programs.LOOK_SECONDS
    )
    return {row[_NAME]: self._found(row) for row in _rows(text)}

  def remove(self, name: str, wait: bool = True) -> None:
    """Deletes the workload; see `Engine`. xpk waits always."""
    del wait
    if name in self.jobs():
      command = job_lib.Command(
        self._xpk('delete', f'--workload={name}', '--force')
      )
      programs.run(command, programs.CHANGE_SECONDS)

  def _xpk(self, verb: str, *rest: str) -> tuple[str, ...]:
    return (
      *('xpk', 'workload', verb),
      f'--project={self.project}',
      f'--zone={self.zone}',
      f'--cluster={self.cluster}',
      *rest,
    )

  def _found(self, row: Mapping[str, str]) -> job_lib.Found:
    status, message = row[_STATUS], row[_MESSAGE]
    state: job_lib.State = 'waiting'
    if status == 'Finished':
      state = 'failed' if 'fail' in message.lower() else 'finished'
    elif status == 'Admitted' and row[_RUNNING] not in ('0', '<none>'):
      state = 'running'
    return job_lib.Found(
      state=state, where=self.cluster, message=f'{status}: {message}'
    )


def _rows(text: str) -> list[Mapping[str, str]]:
  """Rows of the table of workloads, by the names of its columns.

  Raises:
    UserError: when there is no table with these columns.
  """
  lines = text.splitlines()
  heads = [at for at, line in enumerate(lines) if line.startswith(_NAME)]
  if not heads or lines[heads[0]].split('   ')[0].strip() != _NAME:
    raise errors.UserError(
      '`xpk workload list` printed no table that begins with the column'
      f' {_NAME!r}; codelaw reads that of xpk 1.16, `xpk version` says which'
      ' this one is.'
    )
  head = lines[heads[0]]
  starts, end = [], 0
  for column in _COLUMNS:
    start = head.find(column, end)
    if start < 0:
      raise errors.UserError(
        f'`xpk workload list` printed no column {column!r}; codelaw reads the'
        ' table of xpk 1.16, `xpk version` says which this one is.'
      )
    starts.append(start)
    end = start + len(column)
  found: list[Mapping[str, str]] = []
  for line in lines[heads[0] + 1 :]:
    if not line.strip() or line.startswith('[XPK]'):
      break
    ends = [*starts[1:], len(line)]
    cells = [line[a:b].strip() for a, b in zip(starts, ends, strict=True)]
    found.append(dict(zip(_COLUMNS, cells, strict=True)))
  return found
