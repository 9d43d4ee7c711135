"""The runs of a study: which plan each run has and what it is for.

A run's purposes are `single` (one source, for that source's law), `pair`
(two sources 50:50, or its reference, for synergy), `mixture` (several
sources, for the law in N, D and rates) and `confirm`.
"""

from collections.abc import Mapping
import dataclasses
import itertools

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw.corpora import plan as plan_lib
from codelaw.data import shards
from codelaw.laws import fitting
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import ladder
from codelaw.planning import objective as objective_lib


@dataclasses.dataclass(frozen=True)
class StudyPlan:
  """A whole sweep, from the corpus to the confirmed allocation.

  Attributes:
    name: of the study; names the files in `generated_dir`.
    study_dir: holds runs, tables, fits and the report.
    generated_dir: where gin files for the next runs are written.
    corpus: what documents to build.
    shards: how to tokenise and pack them.
    run: the model and tokens that the allocation is for, and the pattern of
      every run (stages, batch, evaluation, seed); its mixture is replaced.
    models: sizes of the grid.
    token_budgets: training tokens of the grid.
    learning_rate: peak learning rate by width; replaces that of `run`.
    grid_sources: each is trained alone at every size and budget, and gets a
      law; their held-out losses are what the allocation minimises.
    pair_sources: every pair of them is trained 50:50 at `pair_model` and
      `pair_num_tokens`, and each of them alone, for the synergy matrix.
    pair_model: size of the pairs and of `mixtures`.
    pair_num_tokens: training tokens of the pairs and of `mixtures`.
    pair_seeds: repetitions of the pairs and their references; two or more
      give the synergy matrix its noise.
    mixtures: further mixtures, which the law in the rates learns from.
    confirmation_seeds: paired runs on the allocated and on uniform rates.
    num_workers: processes that train; 0 takes one per core, on accelerators
      this one alone.
    law: mixture law that the allocation is taken from.
    fit: how laws are fitted.
    allocation: what the allocation may choose; its weights name the sources
      whose held-out loss counts, all of `grid_sources` when empty.
  """

  name: str
  study_dir: str
  generated_dir: str
  corpus: plan_lib.CorpusPlan
  shards: shards.CachePlan
  run: records.RunPlan
  models: tuple[accounting.ModelShape, ...]
  token_budgets: tuple[int, ...]
  learning_rate: ladder.LearningRateRule
  grid_sources: tuple[str, ...]
  pair_sources: tuple[str, ...]
  pair_model: accounting.ModelShape
  pair_num_tokens: int
  pair_seeds: int = 1
  mixtures: tuple[records.MixtureRates, ...] = ()
  confirmation_seeds: int = 4
  num_workers: int = 0
  law: str = 'transfer'
  fit: fitting.FitSettings = fitting.FitSettings()
  allocation: allocation_lib.AllocationSettings = (
    allocation_lib.AllocationSettings()
  )

  def __post_init__(self):
    for name in (
      'models',
      'token_budgets',
      'grid_sources',
      'pair_sources',
      'mixtures',
    ):
      value = getattr(self, name)
      if not isinstance(value, (list, tuple)):
        raise errors.UserError(
          f'StudyPlan.{name} must be a list, got {value!r}.'
        )
      object.__setattr__(self, name, tuple(value))
    for source in (*self.grid_sources, *self.pair_sources):
      records.check_source_name(source)
    if self.shards.corpus_dir != self.corpus.output_dir:
      raise errors.UserError(
        'StudyPlan.shards must read the corpus that the study builds, got'
        f' {self.shards.corpus_dir} and {self.corpus.output_dir}.'
      )
    if self.run.shards_dir != self.shards.shards_dir:
      raise errors.UserError(
        'StudyPlan.run must train on the shards that the study writes, got'
        f' {self.run.shards_dir} and {self.shards.shards_dir}.'
      )
    if self.pair_seeds < 1:
      raise errors.UserError(
        f'StudyPlan.pair_seeds must be at least 1, got {self.pair_seeds}.'
      )
    if self.allocation.objective == objective_lib.SCORE:
      raise errors.UserError(
        'A study allocates for losses, and evaluates no tasks; got'
        f' AllocationSettings.objective = {self.allocation.objective!r}. Fit'
        ' laws of scores to its runs afterwards, and give them to `codelaw'
        ' allocate --score_fit`.'
      )
    if self.allocation.stages:
      raise errors.UserError(
        'A study trains one mixture throughout every run; got'
        f' AllocationSettings.stages of {len(self.allocation.stages)} stages.'
        ' Give stages to `codelaw allocate --stages` on its laws.'
      )
    if self.confirmation_seeds < 2:
      raise errors.UserError(
        'StudyPlan.confirmation_seeds must be at least 2, because an interval'
        f' needs repetition; got {self.confirmation_seeds}.'
      )

  @property
  def targets(self) -> tuple[str, ...]:
    """Columns of the run table that laws are fitted to."""
    return tuple(f'loss/{source}' for source in self.grid_sources)


@dataclasses.dataclass(frozen=True)
class PlannedRun:
  """One run of a study.

  Attributes:
    run_id: name of the run and of its folder.
    purposes: what it is for, sorted.
    plan: what it is to do.
  """

  run_id: str
  purposes: tuple[str, ...]
  plan: records.RunPlan


def planned_runs(study: StudyPlan) -> tuple[PlannedRun, ...]:
  """The sweep without its confirmation; equal plans are planned once.

  Ordered by model, so that a compiled step is used up before the next one, and
  the largest runs first, so that the last workers end at about the same time.
  """
  runs: dict[str, PlannedRun] = {}

  def add(purpose, model, num_tokens, mixture, repetition=0):
    plan = _plan(study, model, num_tokens, mixture, study.run.seed + repetition)
    name = ladder.run_id('sweep', ladder.size_name(model), plan)
    known = runs[name].purposes if name in runs else ()
    runs[name] = PlannedRun(name, tuple(sorted({*known, purpose})), plan)

  for model, num_tokens, source in itertools.product(
    study.models, study.token_budgets, study.grid_sources
  ):
    add('single', model, num_tokens, records.MixtureRates({source: 1.0}))
  point = (study.pair_model, study.pair_num_tokens)
  for repetition in range(study.pair_seeds):
    for source in study.pair_sources:
      add('pair', *point, records.MixtureRates({source: 1.0}), repetition)
    for pair in itertools.combinations(study.pair_sources, 2):
      halves = records.MixtureRates(dict.fromkeys(pair, 0.5))
      add('pair', *point, halves, repetition)
  for mixture in study.mixtures:
    add('mixture', *point, mixture)
  return tuple(
    sorted(
      runs.values(),
      key=lambda run: (
        accounting.num_params(run.plan.model),
        run.plan.num_tokens,
      ),
      reverse=True,
    )
  )


def confirmation_runs(
  study: StudyPlan, arms: Mapping[str, records.MixtureRates]
) -> dict[str, tuple[PlannedRun, ...]]:
  """Runs of the study's `run` on each arm's mixture, paired by seed.

  The seeds follow the sweep's, so that no run of the sweep is one of them.
  """

  def planned(arm: str, seed: int) -> PlannedRun:
    final = final_run(study)
    plan = dataclasses.replace(
      final, schedule=ladder.with_mixture(final.schedule, arms[arm]), seed=seed
    )
    name = ladder.run_id(f'confirm-{arm}', ladder.size_name(plan.model), plan)
    return PlannedRun(name, ('confirm',), plan)

  first = study.run.seed + study.pair_seeds
  return {
    arm: tuple(
      planned(arm, first + index) for index in range(study.confirmation_seeds)
    )
    for arm in arms
  }


def final_run(study: StudyPlan) -> records.RunPlan:
  """The study's `run` with the peak learning rate of the study's rule."""
  return _with_learning_rate(study, study.run)


def _plan(
  study: StudyPlan,
  model: accounting.ModelShape,
  num_tokens: int,
  mixture: records.MixtureRates,
  seed: int,
) -> records.RunPlan:
  return _with_learning_rate(
    study,
    dataclasses.replace(
      study.run,
      model=model,
      num_tokens=num_tokens,
      schedule=ladder.with_mixture(study.run.schedule, mixture),
      seed=seed,
    ),
  )


def _with_learning_rate(
  study: StudyPlan, plan: records.RunPlan
) -> records.RunPlan:
  optimizer = dataclasses.replace(
    plan.optimizer,
    peak_learning_rate=study.learning_rate.peak(plan.model.width),
  )
  return dataclasses.replace(plan, optimizer=optimizer)
