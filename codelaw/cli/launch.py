"""Launch a run on Cloud TPU, through gcloud, kubectl or xpk.

The gin files are those of `codelaw train` and one of gin_configs/launch/, which
binds the engine; what it needs (project, zone, bucket...) is in macros. The run
is written as one gin file into its folder, and every host of the slice runs
`codelaw train` on that file. A job that is there is left alone: the same
command may be given again, also after a preemption.
"""

import argparse
import dataclasses

from codelaw import errors
from codelaw import gin_text
from codelaw import records
from codelaw import storage
from codelaw.cli import gin_config
from codelaw.cli import train
from codelaw.launch import job as job_lib
from codelaw.launch import jobset
from codelaw.launch import mount as mount_lib
from codelaw.launch import programs
from codelaw.launch import queued_resources
from codelaw.launch import slices
from codelaw.launch import xpk

EXAMPLE = (
  'codelaw launch --gin_file=pods/sequential_94m_v5e_16.gin'
  ' --gin_file=launch/queued_resources.gin --topology=v5e:4x4 --print'
  """ --gin.SHARDS_DIR="'/mnt/codelaw/shards'\""""
  """ --gin.MODEL_DIR="'/mnt/codelaw/runs/94m'\""""
  """ --gin.PROJECT="'my-project'" --gin.ZONE="'us-west4-a'\""""
  """ --gin.BUCKET="'gs://my-bucket'\""""
  """ --gin.PACKAGE="'/mnt/codelaw/code/codelaw-0.1.0-py3-none-any.whl'\""""
)
ENGINES = (
  queued_resources.QueuedResources,
  jobset.JobSet,
  xpk.Xpk,
  mount_lib.Mount,
)


@dataclasses.dataclass(frozen=True)
class Launch:
  """What `codelaw launch` needs.

  Attributes:
    chain: of one run.
    engine: that runs it.
  """

  chain: train.Chain
  engine: job_lib.Engine

  def __post_init__(self):
    if not isinstance(self.engine, job_lib.Engine):
      raise errors.UserError(
        'Launch.engine must be @QueuedResources(), @JobSet() or @Xpk(), got'
        f' {self.engine!r}; ENGINE of a file in gin_configs/launch/ binds it.'
      )
    if len(self.chain.runs) > 1:
      raise errors.UserError(
        f'A job trains one run, and this chain has {len(self.chain.runs)}:'
        ' launch the gin files of its runs one after the other, or let a'
        ' study do it (StudyPlan.engine).'
      )
    run = self.run
    folders = {
      'MODEL_DIR': run.model_dir,
      'SHARDS_DIR': run.plan.shards_dir,
    }
    if run.plan.initial is not None:
      folders['InitialCheckpoint.model_dir'] = run.plan.initial.model_dir
    for name, folder in folders.items():
      mount_lib.check_seen(self.engine.mount, name, folder)

  @property
  def run(self) -> train.TrainSettings:
    """The one run."""
    return self.chain.runs[0]

  @property
  def name(self) -> str:
    """Of its job."""
    return job_lib.name_of(self.run.model_dir)


PARTS = (*train.PARTS, train.Chain, *ENGINES)
DEFAULTS = (
  'ENGINE = %gin.REQUIRED',
  'Launch.engine = %ENGINE',
  'Launch.chain = @Chain()',
  'Chain.runs = [@TrainSettings()]',
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds this verb's flags."""
  parser.add_argument(
    '--topology',
    metavar='v5e:RxC',
    help=f'slice to run on: {", ".join(slices.SLICES)}',
  )
  what = parser.add_mutually_exclusive_group()
  what.add_argument(
    '--print',
    action='store_true',
    help='show the commands that would be run, as a shell takes them',
  )
  what.add_argument(
    '--status', action='store_true', help='show where the job and the run are'
  )
  what.add_argument(
    '--delete',
    action='store_true',
    help='end the job and free its chips; the run goes on from its last'
    ' checkpoint when it is launched again',
  )


def run(args: argparse.Namespace) -> None:
  """Prints or runs the commands, or says where the job is."""
  launch = gin_config.load(
    args,
    Launch,
    PARTS,
    defaults=DEFAULTS,
  )
  if args.status:
    _show_job(launch)
    _show_run(launch)
    return
  if args.delete:
    launch.engine.remove(launch.name)
    print(f'{launch.name}: removed')
    return
  job, write = prepare(launch, args.topology)
  if args.print:
    on = job.slice
    print(
      f'# {job.name}: {job.topology}, {on.num_chips} chips in {on.num_hosts}'
      ' hosts'
    )
    for command in (write, *launch.engine.commands(job)):
      print(command.as_shell(), end='')
    return
  launch.engine.commands(job)  # what it refuses, before anything is written
  programs.run(write, programs.CHANGE_SECONDS)
  programs.submit(job, launch.engine)
  _show_job(launch)


def prepare(
  launch: Launch, topology: str | None
) -> tuple[job_lib.Job, job_lib.Command]:
  """The job, and the command that writes its gin file where hosts see it.

  Raises:
    UserError: when the run's mesh does not fit the slice.
  """
  if topology is None:
    raise errors.UserError(
      f'--topology must say which slice: {", ".join(slices.SLICES)}.'
    )
  slices.check(topology)
  settings = launch.run
  settings.execution.mesh.sizes(slices.SLICES[topology].num_chips)
  text = gin_text.train_settings(
    settings.plan,
    settings.model_dir,
    settings.execution,
    settings.downstream,
  )
  # Named by what is in it: a job that runs keeps its own, and a job with other
  # settings is another one to the engine.
  name = f'launch-{storage.fingerprint(text)[:8]}.gin'
  file = f'{settings.model_dir.rstrip("/")}/{name}'
  job = job_lib.Job(
    name=launch.name,
    command=('codelaw', 'train', f'--gin_file={file}'),
    topology=topology,
    extras=('eval',) if settings.downstream is not None else (),
  )
  mount = launch.engine.mount
  place = file if mount is None else mount.here(file)
  return job, _write(place, text)


def _write(place: str, text: str) -> job_lib.Command:
  """A command that writes `text` to a file here or in a bucket."""
  if storage.is_local(place):
    return job_lib.Command(
      ('install', '-D', '--mode=644', '/dev/stdin', place), text
    )
  return job_lib.Command(('gcloud', 'storage', 'cp', '-', place), text)


def _show_job(launch: Launch) -> None:
  """Where the job is."""
  found = launch.engine.jobs().get(launch.name)
  if found is None:
    print(f'{launch.name}: no such job')
  else:
    print(f'{launch.name}: {found.state} ({found.message}) in {found.where}')


def _show_run(launch: Launch) -> None:
  """What has become of the run, by its own record."""
  mount, folder = launch.engine.mount, launch.run.model_dir
  here = folder if mount is None else mount.here(folder)
  record = _record(here)
  if record is None:
    print(f'{here}: the run has not begun')
    return
  print(
    f'{here}: {record.status} at step {record.step:,} of'
    f' {record.plan.num_steps:,}'
    + (f', {record.message}' if record.message else '')
  )
  print(f'see: tensorboard --logdir={here}')


def _record(model_dir: str) -> records.RunRecord | None:
  """The record of a run, in a bucket by gcloud; None where there is none."""
  if storage.is_local(model_dir):
    if not (storage.path(model_dir) / 'run.json').exists():
      return None
    return records.read_run_record(model_dir)
  url = f'{model_dir}/run.json'
  read = job_lib.Command(('gcloud', 'storage', 'cat', url))
  try:
    content = programs.read(read)
  except errors.UserError as error:
    if 'matched no objects' in str(error):
      return None
    raise
  return records.from_json(content, records.RunRecord)
