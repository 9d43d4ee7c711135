"""An allocation as the gin file that the next run launches with.

Owns how rates are rounded: to ten-thousandths that sum to exactly 1, inside
their limits, so that the file, the plan and the run agree to the token.
"""

from collections.abc import Mapping
import fractions
import math
import textwrap

from codelaw import errors
from codelaw import gin_text
from codelaw import records
from codelaw.planning import allocation as allocation_lib

_UNITS = 10_000
_SLACK = 1e-6


def rounded_rates(
  sources: Mapping[str, allocation_lib.SourceShare],
) -> dict[str, float]:
  """Rates in ten-thousandths with a floating-point sum of exactly 1.

  Largest remainders, never above a ceiling or below a floor while the limits
  leave room for that.

  Raises:
    UserError: when the rates do not sum to 1 to begin with.
  """
  return _rounded(
    {name: share.rate for name, share in sources.items()},
    {name: share.floor for name, share in sources.items()},
    {name: share.ceiling for name, share in sources.items()},
  )


def stages(
  allocation: allocation_lib.Allocation,
) -> tuple[records.Stage, ...]:
  """The stages of a run with the allocated rates; empty for one mixture.

  The learning rate is constant and falls linearly to 0 in the last stage, as
  in gin_configs/schedules/wsd.gin.
  """
  names = list(allocation.stages)
  return tuple(
    records.Stage(
      name,
      records.MixtureRates(_rounded(stage.rates, stage.floors, stage.ceilings)),
      token_weight=stage.token_share,
      learning_rate_shape='linear' if name == names[-1] else 'constant',
      end_factor=0.0 if name == names[-1] else 1.0,
    )
    for name, stage in allocation.stages.items()
  )


def _rounded(
  rates: Mapping[str, float],
  floors: Mapping[str, float],
  ceilings: Mapping[str, float],
) -> dict[str, float]:
  total = math.fsum(rates.values())
  if abs(total - 1) > 1e-6:
    raise errors.UserError(f'Rates must sum to 1, got a sum of {total!r}.')
  exact = {name: rate * _UNITS for name, rate in rates.items()}
  least = {name: math.ceil(floors[name] * _UNITS - _SLACK) for name in rates}
  most = {name: math.floor(ceilings[name] * _UNITS + _SLACK) for name in rates}
  units = {
    name: max(least[name], min(most[name], math.floor(exact[name] + _SLACK)))
    for name in rates
  }
  for _ in range(len(rates)):
    missing = _UNITS - sum(units.values())
    step = 1 if missing > 0 else -1
    room = [
      name for name in rates if least[name] <= units[name] + step <= most[name]
    ] or list(rates)
    room.sort(key=lambda name: step * (units[name] - exact[name]))
    for name in room[: abs(missing)]:
      units[name] += step
  return _exact_sum(units)


def _exact_sum(units: Mapping[str, int]) -> dict[str, float]:
  """Decimals of `units`; where their sum is off by a bit, one takes it up."""
  rates = {name: count / _UNITS for name, count in units.items()}
  if math.fsum(rates.values()) != 1.0:
    # The smallest rate has the finest bits, so it can hold the difference.
    least = min((n for n in rates if rates[n]), key=lambda name: rates[name])
    rest = sum(fractions.Fraction(rates[n]) for n in rates if n != least)
    rates[least] = float(1 - rest)
  return rates


def mixture_gin(allocation: allocation_lib.Allocation, command: str) -> str:
  """Gin text that binds the rates of a run to the allocation.

  Args:
    allocation: whose rates are written.
    command: that made it, for the header.

  Returns:
    Comment lines with command, laws, tables, predictions and warnings, then
    `MixtureRates.rates`, or a whole `Schedule.stages` (the warm-up is left as
    it is). Give it to `codelaw train` after the run's own gin file.
  """
  lines = [
    f'Rates (shares of tokens) chosen by codelaw {allocation.codelaw_version}.',
    f'command: {command}',
    f'tables: {", ".join(allocation.table_fingerprints)}',
    f'for: {allocation.num_params:,} parameters,'
    f' {allocation.num_tokens:,} tokens'
    + (
      f', {allocation.flop_budget:.4g} FLOPs' if allocation.flop_budget else ''
    ),
    f'{objective_text(allocation)}: {allocation.objective:.4f}'
    f' {allocation.unit}',
    *(f'gain over {text}' for text in gain_texts(allocation)),
  ]
  for name, target in allocation.targets.items():
    lines.append(
      f'{name}: {target.loss:.4f}'
      + interval_text(target.low, target.high, allocation.interval_level)
      + f', law {target.law}, weight {target.weight:.3g}'
    )
  for name, score in allocation.scores.items():
    lines.append(
      f'{name}: {score.score:.4f}'
      + interval_text(score.low, score.high, allocation.interval_level)
      + f', weight {score.weight:.3g}'
    )
  for warning in allocation.warnings:
    lines.append(f'warning: {warning}')
  header = '\n'.join(
    textwrap.fill(line, 76, subsequent_indent='  ', break_long_words=False)
    for line in lines
  )
  return gin_text.comment(header) + '\n' + _bindings(allocation)


def _bindings(allocation: allocation_lib.Allocation) -> str:
  found = stages(allocation)
  if not found:
    rates = rounded_rates(allocation.sources)
    return gin_text.binding('MixtureRates.rates', rates)
  names = ', '.join(f'@{stage.name}/Stage()' for stage in found)
  return '\n'.join(
    [
      f'Schedule.stages = [{names}]\n',
      *(gin_text.bindings(stage, stage.name) for stage in found),
    ]
  )


def objective_text(allocation: allocation_lib.Allocation) -> str:
  """What was minimised, or maximised, in a few words."""
  return {
    'mean': 'weighted loss',
    'worst': 'loss of the worst target',
    'worst_excess': 'worst excess over a run on the target alone',
    'score': 'weighted score',
  }[allocation.objective_name]


def gain_texts(allocation: allocation_lib.Allocation) -> list[str]:
  """`uniform rates 0.1000 (90% interval ...)`, and natural shares if known."""
  level = allocation.interval_level
  low, high = allocation.gain_low, allocation.gain_high
  texts = [
    f'uniform rates {allocation.gain:.4f}' + interval_text(low, high, level)
  ]
  if allocation.natural_gain is not None:
    low, high = allocation.natural_gain_low, allocation.natural_gain_high
    texts.append(
      f'natural shares {allocation.natural_gain:.4f}'
      + interval_text(low, high, level)
    )
  return texts


def interval_text(low: float | None, high: float | None, level: float) -> str:
  """` (90% interval 1.2000 to 1.3000)`, or nothing without an interval."""
  if low is None or high is None:
    return ''
  return f' ({level:.0%} interval {low:.4f} to {high:.4f})'
