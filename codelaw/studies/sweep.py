"""A study as it is planned: its experiments, and which runs they come to."""

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import os

from codelaw import accounting
from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import records
from codelaw import storage
from codelaw.corpora import plan as plan_lib
from codelaw.data import shards as shards_lib
from codelaw.evaluation import task as task_lib
from codelaw.launch import job as job_lib
from codelaw.laws import fitting
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import ladder
from codelaw.reports import study_folder
from codelaw.studies import attempts as attempts_lib
from codelaw.studies import consistency
from codelaw.studies import experiments as experiments_lib
from codelaw.studies import scale as scale_lib
from codelaw.studies import variants as variants_lib


@dataclasses.dataclass(frozen=True)
class Slice:
  """What the runs of one model are trained on, where that is no CPU.

  Attributes:
    model: whose runs.
    topology: TPU slice, like `v5e:8x8`.
    execution: how they are computed there.
  """

  model: accounting.ModelShape
  topology: str
  execution: execution_lib.Execution = execution_lib.AUTOMATIC

  def __post_init__(self):
    for name, kind in (
      ('model', accounting.ModelShape),
      ('execution', execution_lib.Execution),
    ):
      value = getattr(self, name)
      if not isinstance(value, kind):
        raise errors.UserError(
          f'Slice.{name} must be @{kind.__name__}(), got {value!r}.'
        )


@dataclasses.dataclass(frozen=True)
class StudyPlan:
  """A whole sweep, from the corpus to what is concluded from its runs.

  Attributes:
    name: of the study; names the files in `generated_dir`.
    study_dir: holds runs, tables, fits and the report.
    generated_dir: where gin files for the next runs are written.
    run: the pattern of every run (stages, batch, evaluation, first seed), and
      the model and tokens that the allocation is for.
    experiments: what is trained.
    sizing: what follows from a run's model and tokens, like its peak learning
      rate; None keeps that of `run`.
    corpus: what documents to build; None where the shards are there.
    shards: how to tokenise and pack them; None where they are there.
    supply: source -> training tokens that the shards will have, for a dry run
      before they are there.
    slices: what the runs of each model are trained on.
    dollars_per_chip_hour: price of a chip of these slices.
    num_workers: processes that train; 0 takes one per core, on accelerators
      this one alone.
    engine: what trains and evaluates the runs on their slices; None does it
      here.
    max_jobs: slices that its jobs may hold at a time, those they wait for
      included.
    poll_seconds: between two looks at the engine and the runs.
    retries: how often a run or its evaluation is tried again.
    target_sources: whose held-out losses get laws, and count in the allocation
      if its weights name no others.
    law: mixture law that the allocation is taken from.
    fit: how laws are fitted.
    allocation: what the allocation may choose; None finds none.
    confirmation_seeds: paired runs on the allocated and on uniform rates; 0
      confirms nothing.
    tasks: given to the last checkpoints of the runs that are compared, by jobs
      of their own where there is an engine.
    scale: makes it small; None trains it as it is meant.
  """

  name: str
  study_dir: str
  generated_dir: str
  run: records.RunPlan
  experiments: tuple[experiments_lib.Experiment, ...]
  sizing: ladder.Sizing | None = None
  corpus: plan_lib.CorpusPlan | None = None
  shards: shards_lib.CachePlan | None = None
  supply: Mapping[str, float] | None = None
  slices: tuple[Slice, ...] = ()
  dollars_per_chip_hour: float = accounting.DOLLARS_PER_CHIP_HOUR
  num_workers: int = 0
  engine: job_lib.Engine | None = None
  max_jobs: int = 4
  poll_seconds: float = 60.0
  retries: attempts_lib.RetryPolicy = attempts_lib.RetryPolicy()
  target_sources: tuple[str, ...] = ()
  law: str = 'transfer'
  fit: fitting.FitSettings = fitting.FitSettings()
  allocation: allocation_lib.AllocationSettings | None = None
  confirmation_seeds: int = 0
  tasks: tuple[task_lib.Task, ...] = ()
  scale: scale_lib.Scale | None = None

  def __post_init__(self):
    experiments_lib.check_lists(self, 'experiments')
    for name, kind in (('slices', Slice), ('target_sources', str)):
      if getattr(self, name):  # it may be empty
        experiments_lib.check_lists(self, name, kind=kind)
    if self.tasks:
      tasks = task_lib.check_list('StudyPlan.tasks', self.tasks)
      object.__setattr__(self, 'tasks', tasks)
    consistency.check(self)

  @property
  def targets(self) -> tuple[str, ...]:
    """Columns of the run table that laws are fitted to."""
    return tuple(f'loss/{source}' for source in self.target_sources)

  @property
  def root(self) -> storage.epath.Path:
    """The study's folder as this machine finds it."""
    return storage.path(self.here(self.study_dir))

  def plan_here(self, plan: records.RunPlan) -> records.RunPlan:
    """A plan with its folders as this machine finds them."""
    initial = plan.initial and dataclasses.replace(
      plan.initial, model_dir=self.here(plan.initial.model_dir)
    )
    shards_dir = self.here(plan.shards_dir)
    return dataclasses.replace(plan, shards_dir=shards_dir, initial=initial)

  def here(self, folder: str) -> str:
    """Where this machine finds a folder that the runs' machines see."""
    mount = self.engine.mount if self.engine is not None else None
    return folder if mount is None else mount.here(folder)

  @property
  def pattern(self) -> experiments_lib.Pattern:
    """Of all runs."""
    meant = self.meant_pattern
    if self.scale is None:
      return meant
    models = [run.plan.model for run in _runs(self, meant)]
    scaling = self.scale.of([*models, self.run.model])
    return dataclasses.replace(meant, scaling=scaling)

  @property
  def meant_pattern(self) -> experiments_lib.Pattern:
    """Of all runs, were they not made small."""
    runs_dir = os.fspath(storage.path(self.study_dir) / 'runs')
    return experiments_lib.Pattern(self.run, self.sizing, runs_dir)


def planned_runs(
  study: StudyPlan,
) -> tuple[experiments_lib.PlannedRun, ...]:
  """The sweep without its confirmation; equal plans are planned once.

  Ordered by model, so that a compiled step is used up before the next one, and
  the largest runs first, so that the last workers end at about the same time;
  but a run that starts from another one comes behind it.

  Raises:
    UserError: when the study's scale makes different runs equal.
  """
  found = _runs(study, study.pattern)
  if study.scale is not None:
    meant = len(_runs(study, study.meant_pattern))
    if len(found) < meant:
      raise errors.UserError(
        f'Scale.tokens = {study.scale.tokens} leaves {len(found)} different'
        f' runs of {meant}, because tokens are rounded to whole batches; take'
        ' a greater one, or smaller batches.'
      )
  return tuple(_ordered(found))


def _runs(
  study: StudyPlan, pattern: experiments_lib.Pattern
) -> list[experiments_lib.PlannedRun]:
  """Each run once, with everything that it is for."""
  found: dict[str, experiments_lib.PlannedRun] = {}
  for experiment in study.experiments:
    for run in experiment.runs(pattern):
      known = found.get(run.run_id, run)
      found[run.run_id] = dataclasses.replace(
        run,
        purposes=tuple(sorted({*known.purposes, *run.purposes})),
        variants=tuple(sorted({*known.variants, *run.variants})),
      )
  return list(found.values())


def _ordered(
  runs: Iterable[experiments_lib.PlannedRun],
) -> list[experiments_lib.PlannedRun]:
  chains: dict[str, int] = {}  # run id -> how many runs come before it
  found = []
  for run in runs:  # an earlier run comes first, see `Experiment.runs`
    before = earlier_run_id(run.plan)
    chains[run.run_id] = 0 if before is None else 1 + chains.get(before, 0)
    found.append(run)
  return sorted(
    found,
    key=lambda run: (
      -accounting.num_params(run.plan.model),
      chains[run.run_id],
      -run.plan.num_tokens,
    ),
  )


def comparisons(study: StudyPlan) -> list[study_folder.Comparison]:
  """What the report of the study compares."""
  pattern = study.pattern
  return [
    comparison
    for experiment in study.experiments
    if isinstance(experiment, variants_lib.Variants)
    for comparison in experiment.comparisons(pattern)
  ]


def earlier_run_id(plan: records.RunPlan) -> str | None:
  """Name of the run that a plan starts from, by its folder."""
  if plan.initial is None:
    return None
  return storage.path(plan.initial.model_dir).name


def confirmation_runs(
  study: StudyPlan, arms: Mapping[str, records.MixtureRates]
) -> dict[str, tuple[experiments_lib.PlannedRun, ...]]:
  """Runs of the study's `run` on each arm's mixture, paired by seed.

  The seeds follow the sweep's, so that no run of the sweep is one of them.
  """
  final = final_run(study)
  first = 1 + max(run.plan.seed for run in planned_runs(study))

  def planned(arm: str, seed: int) -> experiments_lib.PlannedRun:
    plan = dataclasses.replace(
      final, schedule=ladder.with_mixture(final.schedule, arms[arm]), seed=seed
    )
    name = ladder.run_id(f'confirm-{arm}', ladder.size_name(plan.model), plan)
    return experiments_lib.PlannedRun(name, ('confirm',), plan)

  return {
    arm: tuple(
      planned(arm, first + index) for index in range(study.confirmation_seeds)
    )
    for arm in arms
  }


def final_run(study: StudyPlan) -> records.RunPlan:
  """The study's `run` as its scale and sizing have it."""
  return study.pattern.plan()


def slice_of(study: StudyPlan, plan: records.RunPlan) -> Slice | None:
  """What a run is trained on; None where the study names nothing for it."""
  return next((s for s in study.slices if s.model == plan.model), None)
