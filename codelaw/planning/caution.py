"""What a reader of an allocation must be told, in words.

Owns the thresholds: when a gain is noise, when a law cannot choose among
mixtures, when a rate is poorly determined, when a point is outside what was
fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Set
import math
import typing

if typing.TYPE_CHECKING:
  from codelaw.planning import allocation as allocation_lib

NO_GAIN = 1e-5  # nats per token; below any loss a run can measure
RESIDUAL = 1e-4  # in rates; a hundredth of a percent of the tokens
_AT_BOUND = 1e-4
_WIDE_BAND = 0.5


def warnings(
  allocation: allocation_lib.Allocation,
  *,
  supply_bound: Set[str],
  linear: bool,
  ranges: Mapping[str, tuple[float, float]],
) -> Iterator[str]:
  """Yields one sentence or two for each reason to be careful.

  Args:
    allocation: whose own warnings are not read.
    supply_bound: sources whose ceiling comes from their supply.
    linear: whether the objective is linear in the rates.
    ranges: column of the run table -> (least, greatest) fitted value.
  """
  yield from _gain(allocation)
  yield from _shape(allocation, linear)
  yield from _bounds(allocation, supply_bound)
  yield from _bands(allocation)
  yield from _extrapolation(allocation, ranges)
  if allocation.optimality_residual > RESIDUAL:
    yield (
      'The optimality conditions are not met: the residual is'
      f' {allocation.optimality_residual:.1e} in rates, expected at most'
      f' {RESIDUAL:.0e}. The rates may be improved.'
    )


def _gain(allocation: allocation_lib.Allocation) -> Iterator[str]:
  gain, low, high = allocation.gain, allocation.gain_low, allocation.gain_high
  if gain < NO_GAIN:
    yield (
      'The laws see no gain over uniform rates; keep uniform rates unless'
      ' something else speaks for these.'
    )
  elif low is None or high is None:
    yield (
      f'The predicted gain of {gain:.4f} nats per token has no interval,'
      ' because the fits carry no bootstrap estimates; fit again with'
      ' a bootstrap before trusting it.'
    )
  elif low <= 0:
    yield (
      f'The predicted gain of {gain:.4f} nats per token is within noise'
      f' ({allocation.interval_level:.0%} interval {low:.4f} to {high:.4f}):'
      ' uniform rates are as good a choice.'
    )


def _shape(
  allocation: allocation_lib.Allocation, linear: bool
) -> Iterator[str]:
  if linear:
    yield (
      'The objective is linear in the rates, so its optimum is always a corner'
      ' of the limits and says little about mixtures; use a law with'
      ' diminishing returns, like transfer.'
    )
  free = [
    share
    for share in allocation.sources.values()
    if share.floor + _AT_BOUND < share.rate < share.ceiling - _AT_BOUND
  ]
  if len(free) < 2:
    yield (
      'The optimum is a corner solution: at most one rate lies between its'
      ' limits, so the limits decide the rates more than the laws do.'
    )


def _bounds(
  allocation: allocation_lib.Allocation, supply_bound: Set[str]
) -> Iterator[str]:
  for name, share in allocation.sources.items():
    if share.ceiling - share.floor < _AT_BOUND:
      continue  # Fixed by the limits: nothing was chosen.
    if share.rate > share.ceiling - _AT_BOUND and share.ceiling < 1:
      reason = (
        f'its supply repeated at most {allocation.max_epochs:g} times; more'
        f' data of {name} would lower the loss'
        if name in supply_bound
        else 'the ceiling that was set'
      )
      yield f'{name} is at its greatest rate, {share.ceiling:.4f}: {reason}.'
    elif share.rate < share.floor + _AT_BOUND and share.floor > 0:
      yield (
        f'{name} is at its floor, {share.floor:.4f}; the laws would give it'
        ' less.'
      )
    elif share.rate < _AT_BOUND:
      yield (
        f'{name} gets nothing: the laws see more in every other source. Check'
        f' that the targets with a weight include what {name} is there for.'
      )


def _bands(allocation: allocation_lib.Allocation) -> Iterator[str]:
  for name, share in allocation.sources.items():
    low, high = share.low, share.high
    if low is not None and high is not None and high - low > _WIDE_BAND:
      yield (
        f'The best rate of {name} is poorly determined:'
        f' {allocation.interval_level:.0%} band {low:.2f} to {high:.2f}.'
      )


def _extrapolation(
  allocation: allocation_lib.Allocation,
  ranges: Mapping[str, tuple[float, float]],
) -> Iterator[str]:
  points = {
    'num_params': ('parameters', allocation.num_params),
    'num_tokens': ('tokens', allocation.num_tokens),
  }
  for column, (unit, value) in points.items():
    if column not in ranges:
      continue
    least, greatest = ranges[column]
    if value > greatest:
      yield (
        f'{value:,.0f} {unit} are {value / greatest:.3g} times the most that'
        f' was fitted ({greatest:,.0f}): the prediction extrapolates.'
      )
    elif value < least:
      yield (
        f'{value:,.0f} {unit} are fewer than the least that was fitted'
        f' ({least:,.0f}): the prediction extrapolates.'
      )
  for name, share in allocation.sources.items():
    least, greatest = ranges.get(f'share/{name}', (-math.inf, math.inf))
    if not least - _AT_BOUND <= share.rate <= greatest + _AT_BOUND:
      yield (
        f'The rate of {name}, {share.rate:.3f}, is outside the shares that'
        f' were fitted ({least:.3f} to {greatest:.3f}).'
      )
