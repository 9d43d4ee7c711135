"""What a reader of an allocation must be told, in words.

Owns the thresholds: when a gain is noise, when a law cannot choose among
mixtures, when a rate is poorly determined, when a point is outside what was
fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from collections.abc import Set
import math
import typing

if typing.TYPE_CHECKING:
  from codelaw.planning import allocation as allocation_lib

NO_GAIN = 1e-5  # nats per token or score; below what a run can measure
RESIDUAL = 1e-4  # in rates; a hundredth of a percent of the tokens
_AT_BOUND = 1e-4
_WIDE_BAND = 0.5
_WIDE_SIZE = 4.0
_LINEAR = 1e-3  # share of the objective's spread that is not linear
_NEARLY_LINEAR = 0.2


def warnings(
  allocation: allocation_lib.Allocation,
  *,
  supply_bound: Set[str],
  curvature: float,
  ranges: Mapping[str, tuple[float, float]],
  sizes: Sequence[float] = (),
  beyond_losses: Sequence[str] = (),
) -> Iterator[str]:
  """Yields one sentence or two for each reason to be careful.

  Args:
    allocation: whose own warnings are not read.
    supply_bound: sources whose ceiling comes from their supply.
    curvature: of the laws in the rates; see `optimum.curvature`.
    ranges: column of the run table -> (least, greatest) fitted value.
    sizes: that a budget could choose from, least to greatest.
    beyond_losses: scores whose predicted loss no run had, in words.
  """
  yield from _gain(allocation)
  yield from _natural_gain(allocation)
  yield from _shape(allocation, curvature)
  yield from _size(allocation, sizes)
  yield from _bounds(allocation, supply_bound)
  yield from _stages(allocation)
  yield from _worst(allocation)
  yield from _bands(allocation)
  yield from _extrapolation(allocation, ranges)
  if beyond_losses:
    yield (
      'Predicted losses lie outside those that the laws of scores were fitted'
      f' to, so these scores extrapolate: {", ".join(beyond_losses)}.'
    )
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
      f'The predicted gain of {gain:.4f} {allocation.unit} has no interval,'
      ' because the fits carry no bootstrap estimates; fit again with'
      ' a bootstrap before trusting it.'
    )
  elif low <= 0:
    yield (
      f'The predicted gain of {gain:.4f} {allocation.unit} is within noise'
      f' ({allocation.interval_level:.0%} interval {low:.4f} to {high:.4f}):'
      ' uniform rates are as good a choice.'
    )


def _natural_gain(allocation: allocation_lib.Allocation) -> Iterator[str]:
  gain, low = allocation.natural_gain, allocation.natural_gain_low
  if gain is None:
    return
  if gain < NO_GAIN:
    yield (
      'The laws see no gain over the natural shares of the sources; training'
      ' on the data as it is found is as good.'
    )
  elif low is not None and low <= 0:
    yield (
      f'The predicted gain over natural shares, {gain:.4f} {allocation.unit},'
      f' is within noise ({allocation.interval_level:.0%} interval {low:.4f} to'
      f' {allocation.natural_gain_high:.4f}).'
    )


def _shape(
  allocation: allocation_lib.Allocation, curvature: float
) -> Iterator[str]:
  free = [
    share
    for share in allocation.sources.values()
    if share.floor + _AT_BOUND < share.rate < share.ceiling - _AT_BOUND
  ]
  if curvature < _LINEAR:
    yield (
      'The objective is linear in the rates, so its optimum is always a corner'
      ' of the limits and says little about mixtures; use a law with'
      ' diminishing returns, like transfer.'
    )
  elif curvature < _NEARLY_LINEAR and len(free) < 2:
    yield (
      'The objective is nearly linear in the rates (a linear function leaves'
      f' {curvature:.1%} of its spread over all mixtures), which puts the'
      ' optimum into a corner: it says which source has the lowest loss, not'
      ' which mixture is best. Compare it with a law that has diminishing'
      ' returns, like transfer.'
    )
  if len(free) < 2:
    yield (
      'The optimum is a corner solution: at most one rate lies between its'
      ' limits, so the limits decide the rates more than the laws do.'
    )


def _size(
  allocation: allocation_lib.Allocation, sizes: Sequence[float]
) -> Iterator[str]:
  if len(sizes) > 1 and not (
    sizes[0] * (1 + _AT_BOUND)
    < allocation.num_params
    < sizes[-1] * (1 - _AT_BOUND)
  ):
    yield (
      f'The best size, {allocation.num_params:,} parameters, is at the end of'
      ' the sizes that were looked at; look at a wider range.'
    )
  low, high = allocation.num_params_low, allocation.num_params_high
  if low is not None and high is not None and high > _WIDE_SIZE * low:
    yield (
      f'The best size is poorly determined: {allocation.interval_level:.0%}'
      f' band {low:,.3g} to {high:,.3g} parameters.'
    )


def _stages(allocation: allocation_lib.Allocation) -> Iterator[str]:
  stages = allocation.stages
  if len({stage.recency for stage in stages.values()}) == 1:
    yield (
      'The laws know the shares of a whole run and not when its tokens come:'
      ' the totals are theirs, and the stages were made to differ no more than'
      ' the limits ask. To let the laws choose when, give the later stage a'
      ' recency, or fit one to runs whose stages differ.'
    )


def _worst(allocation: allocation_lib.Allocation) -> Iterator[str]:
  if 'worst' not in allocation.objective_name or len(allocation.targets) < 2:
    return
  worst = [
    name
    for name, target in allocation.targets.items()
    if (target.multiplier or 0) > _AT_BOUND
  ]
  if len(worst) == 1:
    yield (
      f'{worst[0]} is the worst target whatever the limits allow, so the rates'
      ' serve it alone'
      + (
        '; to compare targets by what a mixture costs them, take the objective'
        ' worst_excess.'
        if allocation.objective_name == 'worst'
        else '.'
      )
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
