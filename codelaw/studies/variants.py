"""Variants: ways to train a model, as chains of runs that are compared.

A stage of a variant is a run, which starts from the end of the run before
(paper B, arXiv:2408.10914: pre-training, continued pre-training, cooldown).
Equal runs of a study are one, so variants share what they begin with.
"""

from collections.abc import Iterator
import dataclasses
import itertools

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw.planning import ladder
from codelaw.reports import study_folder
from codelaw.studies import experiments


@dataclasses.dataclass(frozen=True)
class VariantStage:
  """One run of a variant.

  Attributes:
    stage: its name, mixture, and the shape of its learning rate between two
      factors of the peak; its `token_weight` is of no account.
    num_tokens: of the run.
    warmup_tokens: of its learning rate, from 0.
    optimizer_state: whether the moments of the gradient are taken over from
      the run before; they start from zero otherwise.
  """

  stage: records.Stage
  num_tokens: int
  warmup_tokens: int = 0
  optimizer_state: bool = True

  def __post_init__(self):
    if not isinstance(self.stage, records.Stage):
      raise errors.UserError(
        f'VariantStage.stage must be @Stage(), got {self.stage!r}.'
      )


@dataclasses.dataclass(frozen=True)
class Variant:
  """A way to train a model: stages, each from the end of the one before.

  Attributes:
    name: of the variant, for tables and figures.
    stages: the first from the initial checkpoint of the study's run, where it
      has one, or from random parameters.
  """

  name: str
  stages: tuple[VariantStage, ...]

  def __post_init__(self):
    experiments.check_lists(self, 'stages', kind=VariantStage)
    if not isinstance(self.name, str) or not self.name:
      raise errors.UserError(
        f'Variant.name must name the variant, got {self.name!r}.'
      )


@dataclasses.dataclass(frozen=True)
class Variants:
  """Ways to train a model, to be compared with each other.

  Each stage is a run. Variants that begin alike share the runs of their
  beginning.

  Attributes:
    variants: to be compared.
    models: that each of them trains; variants are compared model by model.
    seeds: repetitions of each; two or more give differences their noise.
    name: of the comparison, for the report.
    baseline: variant that changes are counted from; empty takes the first.
  """

  variants: tuple[Variant, ...]
  models: tuple[accounting.ModelShape, ...]
  seeds: int = 1
  name: str = 'variants'
  baseline: str = ''

  def __post_init__(self):
    experiments.check_lists(self, 'variants', kind=Variant)
    experiments.check_lists(self, 'models', kind=accounting.ModelShape)
    experiments.check_seeds(self)
    if len(set(self.models)) < len(self.models):
      raise errors.UserError(
        'Variants.models must be different: the runs of one that is there twice'
        f' are no repetitions; got {list(map(ladder.size_name, self.models))}.'
      )
    names = [variant.name for variant in self.variants]
    if len(set(names)) < len(names):
      raise errors.UserError(
        f'Variants.variants must have different names, got {names}.'
      )
    if self.baseline and self.baseline not in names:
      raise errors.UserError(
        f'Variants.baseline must be one of {names}, got {self.baseline!r}.'
      )

  def runs(
    self, pattern: experiments.Pattern
  ) -> Iterator[experiments.PlannedRun]:
    """Yields models x repetitions x variants, stage by stage."""
    for model, repetition, variant in itertools.product(
      self.models, range(self.seeds), self.variants
    ):
      initial = pattern.run.initial
      for number, part in enumerate(variant.stages, 1):
        plan = pattern.plan(
          repetition,
          model=model,
          num_tokens=part.num_tokens,
          schedule=records.Schedule(
            (dataclasses.replace(part.stage, token_weight=1.0),),
            warmup_tokens=part.warmup_tokens,
          ),
          initial=initial
          and dataclasses.replace(
            initial, optimizer_state=part.optimizer_state
          ),
        )
        if number == len(variant.stages):
          yield pattern.named('variant', plan, (variant.name,))
        else:
          run = pattern.named('stage', plan)
          initial = records.InitialCheckpoint(pattern.folder(run))
          yield run

  def comparisons(
    self, pattern: experiments.Pattern
  ) -> Iterator[study_folder.Comparison]:
    """Yields what the report compares, model by model."""
    ids: dict[accounting.ModelShape, dict[str, list[str]]] = {}
    for run in self.runs(pattern):  # repetitions come in the order of seeds
      for name in run.variants:
        own = ids.setdefault(run.plan.model, {})
        own.setdefault(name, []).append(run.run_id)
    for model, variants in ids.items():
      yield study_folder.Comparison(
        f'{self.name}, {ladder.size_name(model)} parameters',
        self.baseline or self.variants[0].name,
        {name: tuple(runs) for name, runs in variants.items()},
      )
