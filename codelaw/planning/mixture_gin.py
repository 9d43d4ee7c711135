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
  total = math.fsum(share.rate for share in sources.values())
  if abs(total - 1) > 1e-6:
    raise errors.UserError(f'Rates must sum to 1, got a sum of {total!r}.')
  exact = {name: share.rate * _UNITS for name, share in sources.items()}
  least = {
    name: math.ceil(share.floor * _UNITS - _SLACK)
    for name, share in sources.items()
  }
  most = {
    name: math.floor(share.ceiling * _UNITS + _SLACK)
    for name, share in sources.items()
  }
  units = {
    name: max(least[name], min(most[name], math.floor(exact[name] + _SLACK)))
    for name in sources
  }
  for _ in range(len(sources)):
    missing = _UNITS - sum(units.values())
    step = 1 if missing > 0 else -1
    room = [
      name
      for name in sources
      if least[name] <= units[name] + step <= most[name]
    ] or list(sources)
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
  """Gin text that binds `MixtureRates.rates` to the allocation.

  Args:
    allocation: whose rates are written.
    command: that made it, for the header.

  Returns:
    Comment lines with command, laws, tables, predictions and warnings, then
    the binding. Give it to `codelaw train` after the run's own gin file.
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
    f'weighted loss: {allocation.objective:.4f} nats per token; gain over'
    f' uniform {allocation.gain:.4f}'
    + interval_text(
      allocation.gain_low, allocation.gain_high, allocation.interval_level
    ),
  ]
  for name, target in allocation.targets.items():
    lines.append(
      f'{name}: {target.loss:.4f}'
      + interval_text(target.low, target.high, allocation.interval_level)
      + f', law {target.law}, weight {target.weight:.3g}'
    )
  for warning in allocation.warnings:
    lines.append(f'warning: {warning}')
  header = '\n'.join(
    textwrap.fill(line, 76, subsequent_indent='  ', break_long_words=False)
    for line in lines
  )
  binding = gin_text.binding(
    'MixtureRates.rates', rounded_rates(allocation.sources)
  )
  return gin_text.comment(header) + '\n' + binding


def interval_text(low: float | None, high: float | None, level: float) -> str:
  """` (90% interval 1.2000 to 1.3000)`, or nothing without an interval."""
  if low is None or high is None:
    return ''
  return f' ({level:.0%} interval {low:.4f} to {high:.4f})'
