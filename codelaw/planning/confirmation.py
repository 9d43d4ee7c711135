"""Whether a planned mixture really beats uniform rates: paired runs compared.

Owns the verdict. The two arms train the same model on the same tokens with
the same seeds and differ only in the rates, so their losses are compared
seed by seed, which removes what the seeds share.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math

import numpy as np
from scipy import stats

from codelaw import errors
from codelaw import records

ALLOCATED_BETTER = 'allocated better'
UNIFORM_BETTER = 'uniform better'
UNDECIDED = 'cannot be told apart'


@dataclasses.dataclass(frozen=True)
class ArmRun:
  """One confirmation run.

  Attributes:
    run_id: name of the run.
    seed: by which it is paired with a run of the other arm.
    objective: what the allocation minimised, measured: `Allocation.score` of
      `losses`, in nats per token.
    losses: target (`loss/code/python`) -> held-out loss, nats per token.
  """

  run_id: str
  seed: int
  objective: float
  losses: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Confirmation:
  """The content of `confirmation.json`; differences are allocated - uniform.

  Attributes:
    num_params: of the model both arms train.
    num_tokens: of every run.
    arms: `uniform` and `allocated`, each in order of seed.
    difference: mean over seeds of the paired difference of the objectives,
      nats per token; negative when the allocated rates are better.
    low: lower end of its t interval; None with a single pair.
    high: upper end; None with a single pair.
    interval_level: of both intervals.
    predicted_difference: by the laws; None when not given.
    predicted_low: lower end of its interval.
    predicted_high: upper end.
    verdict: in words; starts with one of this module's three verdicts.
  """

  num_params: int
  num_tokens: int
  arms: Mapping[str, tuple[ArmRun, ...]]
  difference: float
  low: float | None
  high: float | None
  interval_level: float
  predicted_difference: float | None
  predicted_low: float | None
  predicted_high: float | None
  verdict: str


def t_interval(
  differences: Sequence[float], level: float
) -> tuple[float, float] | None:
  """Student's interval for the mean of independent differences.

  mean +- t_{(1 + level) / 2, n - 1} * s / sqrt(n).

  Args:
    differences: n numbers, one per pair.
    level: in (0, 1).

  Returns:
    (low, high), or None for fewer than two pairs, which have no spread.

  >>> low, high = t_interval([-1.0, 1.0], 0.95)
  >>> round(low, 3), round(high, 3)
  (-12.706, 12.706)
  """
  values = np.asarray(differences, float)
  if values.size < 2:
    return None
  half = stats.t.ppf((1 + level) / 2, values.size - 1) * (
    values.std(ddof=1) / math.sqrt(values.size)
  )
  return float(values.mean() - half), float(values.mean() + half)


def paired_difference(
  uniform: Sequence[ArmRun],
  allocated: Sequence[ArmRun],
  *,
  num_params: int,
  num_tokens: int,
  predicted_difference: float | None = None,
  predicted_interval: tuple[float, float] | None = None,
  interval_level: float = 0.95,
) -> Confirmation:
  """Compares the arms seed by seed.

  Args:
    uniform: runs with the uniform rates, one per seed.
    allocated: runs with the allocated rates, with the same seeds.
    num_params: of the model both arms train.
    num_tokens: of every run.
    predicted_difference: allocated - uniform by the laws, nats per token.
    predicted_interval: its interval.
    interval_level: of the t interval, in (0, 1).

  Returns:
    The comparison with its verdict in words. With one pair there is no
    interval and the verdict is that nothing can be told.

  Raises:
    UserError: when an arm is empty, repeats a seed, or lacks a seed of the
      other, or when a loss is not finite.
  """
  arms = {
    'uniform': tuple(sorted(uniform, key=lambda run: run.seed)),
    'allocated': tuple(sorted(allocated, key=lambda run: run.seed)),
  }
  seeds = {name: [run.seed for run in runs] for name, runs in arms.items()}
  if not seeds['uniform'] or seeds['uniform'] != seeds['allocated']:
    raise errors.UserError(
      'The arms of a confirmation must hold one run for each of the same'
      f' seeds; got seeds {seeds["uniform"]} (uniform) and'
      f' {seeds["allocated"]} (allocated). Finish the missing runs.'
    )
  if len(set(seeds['uniform'])) < len(seeds['uniform']):
    raise errors.UserError(
      f'A seed appears twice in an arm of the confirmation: got seeds'
      f' {seeds["uniform"]}; keep one run per seed.'
    )
  for run in (*arms['uniform'], *arms['allocated']):
    if not math.isfinite(run.objective):
      raise errors.UserError(
        f'The objective of run {run.run_id} is {run.objective}; a'
        ' confirmation needs finished runs with finite losses.'
      )
  differences = [
    after.objective - before.objective
    for before, after in zip(arms['uniform'], arms['allocated'], strict=True)
  ]
  mean = float(np.mean(differences))
  interval = t_interval(differences, interval_level)
  low, high = interval or (None, None)
  predicted_low, predicted_high = predicted_interval or (None, None)
  return Confirmation(
    num_params=num_params,
    num_tokens=num_tokens,
    arms=arms,
    difference=mean,
    low=low,
    high=high,
    interval_level=interval_level,
    predicted_difference=predicted_difference,
    predicted_low=predicted_low,
    predicted_high=predicted_high,
    verdict=_verdict(mean, interval, len(differences), interval_level),
  )


def to_json(confirmation: Confirmation) -> dict:
  """The content of `confirmation.json`."""
  return records.to_json(confirmation)


def from_json(content: object) -> Confirmation:
  """Reads what `to_json` returned; `UserError` for anything else."""
  return records.from_json(content, Confirmation)


def _verdict(
  mean: float,
  interval: tuple[float, float] | None,
  num_pairs: int,
  level: float,
) -> str:
  if interval is None:
    return (
      f'{UNDECIDED}: one pair of runs gives a difference of {mean:+.4f} nats'
      ' per token but no interval; repeat it with other seeds.'
    )
  low, high = interval
  measured = (
    f'{mean:+.4f} nats per token, {level:.0%} interval {low:+.4f} to'
    f' {high:+.4f} over {num_pairs} paired seeds'
  )
  if high < 0:
    return f'{ALLOCATED_BETTER}: {measured}.'
  if low > 0:
    return f'{UNIFORM_BETTER}: {measured}.'
  return f'{UNDECIDED}: {measured}; the interval holds 0.'
