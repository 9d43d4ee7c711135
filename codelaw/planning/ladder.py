"""The ladder of a sweep: peak learning rates, mixtures and run names.

Owns the rule that carries one tuned learning rate to models of other widths,
and `run_id`, by which every later step finds a run again.
"""

import dataclasses
import math
from typing import Protocol
from typing import runtime_checkable

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw import size_rules
from codelaw import storage

_LABEL_LENGTH = 32  # keeps a run's folder name well under 255 bytes


@runtime_checkable
class Sizing(Protocol):
  """What of a run follows from its model and its tokens."""

  def sized(self, plan: records.RunPlan) -> records.RunPlan:
    """The plan with what follows."""
    ...


@dataclasses.dataclass(frozen=True)
class LearningRateRule:
  """peak = coefficient * width^-exponent.

  With Adam the learning rate that suits a hidden matrix falls as 1/width
  (maximal update parametrisation, arXiv:2203.03466, Table 3), hence the
  exponent 1. The rule is applied to the one peak rate of all parameters,
  embedding and norms included, which is an approximation: tune `coefficient`
  at a width in the middle of the ladder, not at its end.

  Attributes:
    coefficient: peak rate times width^exponent, from a tuned model.
    exponent: 1 for the rule above, 0 for one rate at every width.

  >>> LearningRateRule(coefficient=0.64).peak(128)
  0.005
  """

  coefficient: float
  exponent: float = 1.0

  def __post_init__(self):
    for name, positive in (('coefficient', True), ('exponent', False)):
      value = getattr(self, name)
      if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not math.isfinite(value)
        or value < 0
        or (positive and value == 0)
      ):
        least = 'a positive number' if positive else 'a number of at least 0'
        raise errors.UserError(
          f'LearningRateRule.{name} must be {least}, got {value!r}.'
        )

  def peak(self, width: int) -> float:
    """Peak learning rate of a model of `width` (its model dimension)."""
    if width < 1:
      raise errors.UserError(f'A width must be at least 1, got {width!r}.')
    return self.coefficient * width**-self.exponent

  def sized(self, plan: records.RunPlan) -> records.RunPlan:
    """The plan with the peak learning rate of its width."""
    return with_learning_rate(plan, self.peak(plan.model.width))


@dataclasses.dataclass(frozen=True)
class DeepSeekSizing:
  """Peak learning rate and batch of DeepSeek LLM, see `size_rules`.

  Attributes:
    multiple_of: what batches are rounded to, in sequences.
    power_of_two: whether they are the nearest power of two instead, at the
      least `multiple_of`.
    num_tokens: that the rules are asked for, so that runs of any length have
      one answer, as branches of a trunk must; 0 takes each run's own.
  """

  multiple_of: int = 1
  power_of_two: bool = False
  num_tokens: float = 0

  def sized(self, plan: records.RunPlan) -> records.RunPlan:
    """The plan with the rules' peak learning rate and batch."""
    num_tokens = self.num_tokens or plan.num_tokens
    run = (plan.model, num_tokens, plan.sequence_length)
    if self.power_of_two:
      exact = size_rules.deepseek_batch_size(*run)
      batch = max(self.multiple_of, 2 ** round(math.log2(exact)))
    else:
      batch = size_rules.deepseek_batch_size(*run, self.multiple_of)
    plan = dataclasses.replace(plan, batch_size=batch)
    return with_learning_rate(plan, size_rules.deepseek_learning_rate(*run))


def with_learning_rate(plan: records.RunPlan, peak: float) -> records.RunPlan:
  """The plan with another peak learning rate."""
  optimizer = dataclasses.replace(plan.optimizer, peak_learning_rate=peak)
  return dataclasses.replace(plan, optimizer=optimizer)


def with_mixture(
  schedule: records.Schedule, mixture: records.MixtureRates
) -> records.Schedule:
  """The schedule with `mixture` in every stage, from start to end."""
  return dataclasses.replace(
    schedule,
    stages=tuple(
      dataclasses.replace(stage, mixture=mixture, end_mixture=None)
      for stage in schedule.stages
    ),
  )


def size_name(shape: accounting.ModelShape) -> str:
  """A model's size for names: `58k`, `1.3B`."""
  return short_count(accounting.num_params(shape))


def run_id(purpose: str, size: str, plan: records.RunPlan) -> str:
  """A readable name for a run, safe as a folder and unique to its plan.

  purpose, model size, tokens, mixture, seed, then a fingerprint of the whole
  plan: two plans share a name only when they are equal in everything but the
  folder their shards lie in.

  Args:
    purpose: what the run is for: `single`, `pair`, `mixture`, `confirm`.
    size: name of the model's size, like `125m`.
    plan: what the run is to do.

  Returns:
    For example `single-125m-2.1M-code_python-s0-1f0a9c2e`.
  """
  content = records.to_json(plan)
  del content['shards_dir']  # a moved study keeps its names
  if plan.initial is not None:
    earlier = storage.path(plan.initial.model_dir).name
    content['initial']['model_dir'] = earlier
  sources = plan.schedule.sources
  label = '+'.join(source.replace('/', '_') for source in sources)
  if len(label) > _LABEL_LENGTH:
    label = f'mix{len(sources)}'
  parts = (
    purpose,
    size,
    short_count(plan.num_tokens),
    label,
    f's{plan.seed}',
    storage.fingerprint(content)[:8],
  )
  return '-'.join(part.replace('/', '_') for part in parts)


def short_count(count: int) -> str:
  """A count for names and labels.

  >>> short_count(58_432), short_count(1_342_000_000), short_count(999_900)
  ('58.4k', '1.34B', '1M')
  """
  for scale, unit in ((1e12, 'T'), (1e9, 'B'), (1e6, 'M'), (1e3, 'k')):
    if count >= 0.9995 * scale:  # 1,000 of the unit below, in three digits
      return f'{count / scale:.3g}{unit}'
  return str(count)
