"""A study made small: the same runs of smaller models on fewer tokens.

A scale keeps how many runs there are, their mixtures, stages, learning-rate
shapes, and which run starts from which. It changes models and counts of tokens
and the sizing that suits them; what else a small machine asks for (sequence
length, batch, evaluation, corpus, shards) is bound under the study's own names,
in a gin file that is given after the study's.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import math

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw.planning import ladder


@dataclasses.dataclass(frozen=True)
class Scale:
  """How small; bound in gin by `StudyPlan.scale = @Scale()`.

  Attributes:
    tokens: factor on every count of training tokens, of warm-ups too. The
      tokens of a run are then rounded to whole batches, at least one.
    models: stand for the study's models in order of their number of
      parameters; at least as many.
    sizing: of the small runs; None keeps the study's.
  """

  tokens: float
  models: tuple[accounting.ModelShape, ...]
  sizing: ladder.Sizing | None = None

  def __post_init__(self):
    if (
      isinstance(self.tokens, bool)
      or not isinstance(self.tokens, (int, float))
      or not math.isfinite(self.tokens)
      or self.tokens <= 0
    ):
      raise errors.UserError(
        f'Scale.tokens must be a positive number, got {self.tokens!r}.'
      )
    if (
      not isinstance(self.models, (list, tuple))
      or not self.models
      or not all(isinstance(m, accounting.ModelShape) for m in self.models)
    ):
      raise errors.UserError(
        'Scale.models must be a list of @NAME/ModelShape() references, got'
        f' {self.models!r}.'
      )
    object.__setattr__(self, 'models', tuple(self.models))

  def of(self, models: Iterable[accounting.ModelShape]) -> 'Scaling':
    """The scale of a study that names `models`.

    Raises:
      UserError: when it has fewer models than the study.
    """
    meant = _by_size(models)
    small = _by_size(self.models)
    if len(small) < len(meant):
      sizes = ', '.join(f'{accounting.num_params(m):,}' for m in meant)
      raise errors.UserError(
        f'Scale.models has {len(small)} different models for the'
        f' {len(meant)} of the study ({sizes} parameters); name as many.'
      )
    small_of = dict(zip(meant, small, strict=False))
    return Scaling(self.tokens, small_of, self.sizing)


@dataclasses.dataclass(frozen=True)
class Scaling:
  """A scale as one study has it.

  Attributes:
    tokens: factor on counts of tokens.
    models: model that is meant -> the one that stands for it.
    sizing: of the small runs; None keeps the study's.
  """

  tokens: float
  models: Mapping[accounting.ModelShape, accounting.ModelShape]
  sizing: ladder.Sizing | None = None

  def scaled(self, plan: records.RunPlan) -> records.RunPlan:
    """A plan as it is meant, made small."""
    size = plan.tokens_per_step
    steps = max(1, round(plan.num_tokens * self.tokens / size))
    target = plan.target_tokens
    return dataclasses.replace(
      plan,
      model=self.models[plan.model],
      num_tokens=steps * size,
      target_tokens=None
      if target is None
      else max(round(target * self.tokens), steps * size),
      schedule=dataclasses.replace(
        plan.schedule,
        warmup_tokens=round(plan.schedule.warmup_tokens * self.tokens),
      ),
    )


def _by_size(
  models: Iterable[accounting.ModelShape],
) -> list[accounting.ModelShape]:
  return sorted(dict.fromkeys(models), key=accounting.num_params)
