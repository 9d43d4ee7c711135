"""A small study of chains of runs, and an engine that a test plays by hand."""

from collections.abc import Iterator
import dataclasses
import json

import pytest

from codelaw import accounting
from codelaw import records
from codelaw import scores
from codelaw.evaluation import kept_tasks
from codelaw.evaluation import task as task_lib
from codelaw.launch import job as job_lib
from codelaw.launch import mount as mount_lib
from codelaw.studies import attempts
from codelaw.studies import experiments
from codelaw.studies import submission
from codelaw.studies import sweep
from codelaw.studies import units as units_lib

MODEL = accounting.ModelShape(300, 8, 1, 1, 8, 16)
TOPOLOGY = 'v5e:1x1'
STEPS = 8
LATE = attempts.BELATED_SECONDS + 1  # of what is believed only after a while


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
    down: the error that looking ends with.
    jobs_seen: name -> job that was handed in.
    dies: where the submitter is killed, `before` or `behind` handing in or
      `removing`.
    lingers: whether a job that is removed is listed for a while.
  """

  mount: mount_lib.Mount | None = None
  found: dict = dataclasses.field(default_factory=dict)
  log: list = dataclasses.field(default_factory=list)
  refuses: dict = dataclasses.field(default_factory=dict)
  down: Exception | None = None
  jobs_seen: dict = dataclasses.field(default_factory=dict)
  dies: str = ''
  lingers: bool = False

  def commands(self, job):
    """Is asked for when a job is handed in, and that is all it takes here."""
    if self.dies == 'before':
      raise SystemExit
    self.log.append(('submit', job.name))
    for word in (job.name, job.topology):
      if word in self.refuses:
        raise self.refuses[word]
    assert job.name not in self.found
    self.jobs_seen[job.name] = job
    self.put(job.name, 'waiting')
    if self.dies == 'behind':
      raise SystemExit
    return ()

  def jobs(self):
    if self.down is not None:
      raise self.down
    return dict(self.found)

  def remove(self, name, wait=True):
    if self.dies == 'removing':
      raise SystemExit
    self.log.append(('remove', name))
    if self.lingers and not wait:
      self.found[name] = job_lib.Found('waiting', 'zone', 'DELETING', '', True)
    else:
      self.found.pop(name, None)

  def put(self, name, state, message=''):
    self.found[name] = job_lib.Found(state, 'zone', message)


@dataclasses.dataclass(frozen=True)
class Task:
  """A task of which only what is kept of it matters."""

  name: str
  seed: int = 0

  def evaluate(self, model, report):
    raise AssertionError


def write_tasks(folder, run, *tasks):
  """Keeps results of tasks at the last checkpoint of a run."""
  for task in tasks:
    score = scores.Score(task.name, 'accuracy', 0.5, None, 1)
    result = task_lib.Result([score])
    last = run.plan.num_steps
    kept_tasks.write(folder / run.run_id, last, task, result, 1.0)


class Played:
  """A submission whose engine, records and clock a test moves by hand."""

  def __init__(self, folder, lengths=(1, 2), **changes):
    self.engine = Engine()
    self.study = study(folder, lengths, engine=self.engine, **changes)
    self.runs = {r.run_id: r for r in sweep.planned_runs(self.study)}
    self.folder = folder / 'study' / 'runs'
    self.now = 1000.0
    self.start()

  def kill(self, where):
    """A pass in which the submitter is killed, and another one starts."""
    self.engine.dies = where
    with pytest.raises(SystemExit):
      self.step()
    self.engine.dies = ''
    self.start()

  def start(self):
    """What a new process does."""
    self.submission = submission.Submission(self.study, self.units)

  @property
  def units(self):
    return units_lib.of_runs(self.study, list(self.runs.values()), 'runs')

  def name(self, unit):
    return job_lib.name_of(self.folder / unit)

  def step(self, seconds=1.0):
    """One pass; returns unit -> state, and what the engine was asked for."""
    self.now += seconds
    self.engine.log.clear()
    places, self.trouble = self.submission.one_pass(self.now)
    self.places = {place.unit.name: place for place in places}
    names = {self.name(unit): unit for unit in self.places}
    asked = [f'{verb} {names[name]}' for verb, name in self.engine.log]
    return {name: place.state for name, place in self.places.items()}, asked

  def put(self, run_id, state, message=''):
    self.engine.put(self.name(run_id), state, message)

  def record(self, run_id, status, **values):
    write_record(self.folder, self.runs[run_id], status, **values)

  def finish(self, run_id):
    self.record(run_id, 'finished')
    self.put(run_id, 'finished')

  def evaluated(self, run_id, *tasks):
    write_tasks(self.folder, self.runs[run_id], *tasks)

  def endings(self, run_id):
    content = json.loads((self.folder.parent / 'jobs.json').read_text())
    return [a['ended'] for a in content['runs'][run_id]['attempts']]
