"""A small study of chains of runs, and an engine that a test plays by hand."""

from collections.abc import Iterator
import dataclasses

from codelaw import accounting
from codelaw import records
from codelaw.launch import job as job_lib
from codelaw.launch import mount as mount_lib
from codelaw.studies import experiments
from codelaw.studies import sweep

MODEL = accounting.ModelShape(300, 8, 1, 1, 8, 16)
TOPOLOGY = 'v5e:1x1'
STEPS = 8


@dataclasses.dataclass(frozen=True)
class Chains:
  """Chains of runs that differ in their seeds.

  Attributes:
    lengths: runs of each chain.
  """

  lengths: tuple[int, ...]

  def runs(
    self, pattern: experiments.Pattern
  ) -> Iterator[experiments.PlannedRun]:
    """Yields `chain0-0`, `chain0-1`, which starts from it, and so on."""
    for chain, length in enumerate(self.lengths):
      initial = None
      for index in range(length):
        run_id = f'chain{chain}-{index}'
        plan = dataclasses.replace(pattern.run, seed=chain, initial=initial)
        yield experiments.PlannedRun(run_id, ('single',), plan)
        initial = records.InitialCheckpoint(f'{pattern.runs_dir}/{run_id}')


def study(folder, lengths=(1, 2), **changes):
  """A study of such chains below `folder`, which needs no shards."""
  mixture = records.MixtureRates({'code/python': 1})
  values = {
    'name': 'chains',
    'study_dir': str(folder / 'study'),
    'generated_dir': str(folder / 'generated'),
    'run': records.RunPlan(
      model=MODEL,
      schedule=records.Schedule((records.Stage('main', mixture),)),
      optimizer=records.OptimizerSettings(0.01),
      shards_dir=str(folder / 'shards'),
      num_tokens=STEPS * 64,
      sequence_length=32,
      batch_size=2,
    ),
    'experiments': [Chains(lengths)],
    'slices': [sweep.Slice(MODEL, TOPOLOGY)],
    'poll_seconds': 0.0,
    **changes,
  }
  return sweep.StudyPlan(**values)


def write_record(folder, run, status, step=STEPS, wall_seconds=1.0):
  """Writes what a run says of itself at some moment."""
  tokens = {'code/python': run.plan.num_tokens}
  record = records.RunRecord(
    run_id=run.run_id,
    plan=run.plan,
    status=status,
    step=step,
    num_params=1,
    num_params_no_embed=1,
    params_by_group={},
    train_flops=1.0,
    flops_convention='',
    planned_tokens=tokens,
    realised_tokens=tokens,
    stage_end_steps={},
    manifest_fingerprint='',
    tokenizer_fingerprint='',
    code_revision='',
    package_versions={},
    hardware={'device_kind': 'cpu', 'device_count': '1'},
    wall_seconds=wall_seconds,
    message='the loss is nan' if status == 'failed' else '',
  )
  records.write_run_record(folder / run.run_id, record)
  return record


@dataclasses.dataclass
class Engine:
  """Jobs in memory; what becomes of them, the test says.

  Attributes:
    found: name -> where it is.
    log: what was asked for, in order.
    refuses: topology or name -> the error that a submission ends with.
    loses: whether submissions arrive nowhere, without an error.
  """

  mount: mount_lib.Mount | None = None
  found: dict = dataclasses.field(default_factory=dict)
  log: list = dataclasses.field(default_factory=list)
  refuses: dict = dataclasses.field(default_factory=dict)
  down: Exception | None = None
  jobs_seen: dict = dataclasses.field(default_factory=dict)

  def commands(self, job):
    """Is asked for when a job is handed in, and that is all it takes here."""
    self.log.append(('submit', job.name))
    for word in (job.name, job.topology):
      if word in self.refuses:
        raise self.refuses[word]
    assert job.name not in self.found
    self.jobs_seen[job.name] = job
    self.put(job.name, 'waiting')
    return ()

  def jobs(self):
    if self.down is not None:
      raise self.down
    return dict(self.found)

  def remove(self, name):
    self.log.append(('remove', name))
    self.found.pop(name, None)

  def put(self, name, state, message=''):
    self.found[name] = job_lib.Found(state, 'zone', message)
