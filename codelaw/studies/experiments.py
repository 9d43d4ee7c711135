"""What a study trains: experiments, each a set of runs made from one pattern.

Definitions owned here:
  experiment: says which models are trained on which mixtures for how many
    tokens, and what the runs are for. Its numbers are those of the study as it
    is meant; `Pattern` turns them into plans.
  purpose: `single` (one source, for that source's law), `pair` (two sources
    50:50, or its reference, for synergy), `mixture` (several sources, for the
    law in N, D and rates), `variant` (compared with other variants), `confirm`;
    and of runs that others start from, `trunk` and `stage` (of a variant).
"""

from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
import itertools
import os
from typing import Any
from typing import Protocol
from typing import runtime_checkable

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.planning import ladder
from codelaw.reports import study_folder
from codelaw.studies import scale as scale_lib

_STARTS = frozenset({'trunk', 'stage'})


@dataclasses.dataclass(frozen=True)
class PlannedRun:
  """One run of a study.

  Attributes:
    run_id: name of the run and of its folder.
    purposes: what it is for, sorted.
    plan: what it is to do; where it starts from another run of the study,
      `plan.initial.model_dir` is that run's folder.
    variants: names of the variants whose last run it is, sorted.
  """

  run_id: str
  purposes: tuple[str, ...]
  plan: records.RunPlan
  variants: tuple[str, ...] = ()

  @property
  def is_result(self) -> bool:
    """Whether it is compared with others, and not only what others start from.

    A trunk, and a variant's run before its last, have no cooldown of their
    own: the run table of a study is without them.
    """
    return not {*self.purposes} <= _STARTS

  @property
  def is_for_laws(self) -> bool:
    """Whether laws are fitted to it: not where it is a variant alone.

    Variants differ in more than a law of N, D and rates knows: in the order
    of their data and in their learning rates.
    """
    return bool({*self.purposes} & study_folder.LAW_PURPOSES)


@dataclasses.dataclass(frozen=True)
class Pattern:
  """What the runs of a study have in common.

  Attributes:
    run: stages, batch, evaluation and first seed of every run.
    sizing: what follows from a run's model and tokens; None keeps `run`'s.
    runs_dir: folder of the run directories.
    scaling: how runs are made small; None has them as they are meant.
  """

  run: records.RunPlan
  sizing: ladder.Sizing | None
  runs_dir: str
  scaling: scale_lib.Scaling | None = None

  def plan(self, repetition: int = 0, **meant: Any) -> records.RunPlan:
    """The plan of a run.

    Args:
      repetition: added to the pattern's seed.
      **meant: fields of `RunPlan` that are not the pattern's, with the study's
        models and tokens.
    """
    seed = self.run.seed + repetition
    plan = dataclasses.replace(self.run, seed=seed, **meant)
    sizing = self.sizing
    if self.scaling is not None:
      plan = self.scaling.scaled(plan)
      sizing = self.scaling.sizing or sizing
    return plan if sizing is None else sizing.sized(plan)

  def named(
    self, purpose: str, plan: records.RunPlan, variants: tuple[str, ...] = ()
  ) -> PlannedRun:
    """A plan as a run of the study."""
    name = ladder.run_id('sweep', ladder.size_name(plan.model), plan)
    return PlannedRun(name, (purpose,), plan, variants)

  def planned(
    self,
    purpose: str,
    model: accounting.ModelShape,
    num_tokens: int,
    mixture: records.MixtureRates,
    repetition: int = 0,
  ) -> PlannedRun:
    """One run on one mixture throughout.

    Args:
      purpose: what it is for.
      model: of the study as it is meant.
      num_tokens: likewise.
      mixture: in every stage.
      repetition: added to the pattern's seed.
    """
    plan = self.plan(
      repetition,
      model=model,
      num_tokens=num_tokens,
      schedule=ladder.with_mixture(self.run.schedule, mixture),
    )
    return self.named(purpose, plan)

  def folder(self, run: PlannedRun) -> str:
    """Of a run, for those that start from it."""
    return os.fspath(storage.path(self.runs_dir) / run.run_id)


@runtime_checkable
class Experiment(Protocol):
  """A set of runs."""

  def runs(self, pattern: Pattern) -> Iterator[PlannedRun]:
    """Yields the runs; one that starts from another comes behind it.

    Two experiments of a study may yield the same run.
    """
    ...


@dataclasses.dataclass(frozen=True)
class Grid:
  """Each source alone, at every size and number of tokens: laws of sources.

  Attributes:
    sources: each trained alone.
    models: sizes.
    token_budgets: training tokens.
  """

  sources: tuple[str, ...]
  models: tuple[accounting.ModelShape, ...]
  token_budgets: tuple[int, ...]

  def __post_init__(self):
    check_lists(self, 'sources', 'token_budgets')
    check_lists(self, 'models', kind=accounting.ModelShape)
    for source in self.sources:
      records.check_source_name(source)

  def runs(self, pattern: Pattern) -> Iterator[PlannedRun]:
    """Yields sizes x token budgets x sources."""
    for model, num_tokens, source in itertools.product(
      self.models, self.token_budgets, self.sources
    ):
      yield pattern.planned(
        'single', model, num_tokens, records.MixtureRates({source: 1.0})
      )


@dataclasses.dataclass(frozen=True)
class Pairs:
  """Every pair of sources 50:50, and each source alone: synergy.

  Attributes:
    sources: of which pairs are made.
    model: that all runs train.
    num_tokens: of every run.
    seeds: repetitions; two or more give the synergy matrix its noise.
  """

  sources: tuple[str, ...]
  model: accounting.ModelShape
  num_tokens: int
  seeds: int = 1

  def __post_init__(self):
    check_lists(self, 'sources')
    for source in self.sources:
      records.check_source_name(source)
    if len(set(self.sources)) < max(2, len(self.sources)):
      raise errors.UserError(
        'Pairs.sources must be two different ones or more, got'
        f' {list(self.sources)}.'
      )
    check_seeds(self)

  def runs(self, pattern: Pattern) -> Iterator[PlannedRun]:
    """Yields the references and the pairs of every seed."""
    mixtures: list[Mapping[str, float]] = [{s: 1.0} for s in self.sources]
    mixtures += [
      dict.fromkeys(pair, 0.5)
      for pair in itertools.combinations(self.sources, 2)
    ]
    for repetition, rates in itertools.product(range(self.seeds), mixtures):
      yield pattern.planned(
        *('pair', self.model, self.num_tokens),
        *(records.MixtureRates(rates), repetition),
      )


@dataclasses.dataclass(frozen=True)
class Mixtures:
  """Chosen mixtures at one size and number of tokens: laws in the rates.

  Attributes:
    mixtures: to train on; one that is there twice is trained with two seeds.
    model: that all runs train.
    num_tokens: of every run.
  """

  mixtures: tuple[records.MixtureRates, ...]
  model: accounting.ModelShape
  num_tokens: int

  def __post_init__(self):
    check_lists(self, 'mixtures', kind=records.MixtureRates)

  def runs(self, pattern: Pattern) -> Iterator[PlannedRun]:
    """Yields a run per mixture."""
    for place, mixture in enumerate(self.mixtures):
      yield pattern.planned(
        *('mixture', self.model, self.num_tokens),
        *(mixture, self.mixtures[:place].count(mixture)),
      )


def check_lists(record: Any, *names: str, kind: type = object) -> None:
  """Makes fields tuples; `UserError` where gin gave something else.

  Args:
    record: whose fields.
    *names: of the fields.
    kind: what they list.
  """
  for name in names:
    value = getattr(record, name)
    field = f'{type(record).__name__}.{name}'
    if not isinstance(value, (list, tuple)) or not value:
      raise errors.UserError(
        f'{field} must be a list that is not empty, got {value!r}.'
      )
    for item in value:
      if not isinstance(item, kind):
        raise errors.UserError(
          f'{field} must be a list of @{kind.__name__}(), got {item!r} in it.'
        )
    object.__setattr__(record, name, tuple(value))


def check_seeds(record: Any) -> None:
  """Raises `UserError` unless `seeds` is a number of repetitions."""
  if not isinstance(record.seeds, int) or record.seeds < 1:
    raise errors.UserError(
      f'{type(record).__name__}.seeds must be a whole number of at least 1, got'
      f' {record.seeds!r}.'
    )
