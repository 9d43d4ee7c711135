"""What a whole synergy matrix shows: asymmetry, odd rows, transfer.

Definitions owned here:
  asymmetry of a pair: gain(i <- j) - gain(j <- i), from `laws.synergy`.
    Positive: j helps i more than i helps j.
  odd row: a target whose median gain lies more than `ROBUST_Z` robust
    standard deviations from the median of all targets' medians. All gains of
    a row share one baseline, L[i+i], so that an error in it moves them all.
  transfer: tau of the law `transfer`, tokens of the target's own source that
    a token of another source is worth, from runs whose mixtures vary.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
import itertools
import math

import numpy as np

from codelaw.laws import forms
from codelaw.laws import results
from codelaw.laws import significance
from codelaw.laws import synergy

# Of |z| with the median absolute deviation in place of the standard deviation:
# Iglewicz and Hoaglin (1993), How to Detect and Handle Outliers.
ROBUST_Z = 3.5
_LEAST_ROWS = 5  # Half of fewer rows are too few for a deviation.
_NORMAL_MAD = 1.4826  # Of a normal variable, sd / median absolute deviation.


@dataclasses.dataclass(frozen=True)
class Asymmetry:
  """How differently the two sources of a pair act on each other.

  Attributes:
    first: source i.
    second: source j.
    difference: gain(i <- j) - gain(j <- i), a fraction.
    low: lower end of its interval; None where a noise is unknown.
    high: upper end.
    p_value: two-sided, of no difference.
    significant: after correction for the number of pairs.
  """

  first: str
  second: str
  difference: float
  low: float | None
  high: float | None
  p_value: float | None
  significant: bool | None


@dataclasses.dataclass(frozen=True)
class OddRow:
  """A target whose gains all lie apart.

  Attributes:
    target: source i.
    lowest: least of its gains.
    median: of its gains.
    highest: greatest of its gains.
    others_median: median of the other targets' median gains.
    robust_z: of its median among all targets' medians.
    apart: whether no gain of the row lies among those of other targets.
  """

  target: str
  lowest: float
  median: float
  highest: float
  others_median: float
  robust_z: float
  apart: bool


@dataclasses.dataclass(frozen=True)
class Transfer:
  """One transfer coefficient of a fitted mixture law.

  Attributes:
    target: source whose loss is looked at.
    auxiliary: the other source.
    tau: tokens of the target that one token of the auxiliary is worth.
    low: lower end of its interval; None without one.
    high: upper end.
    at_bound: whether the runs left it at a bound of the solver.
  """

  target: str
  auxiliary: str
  tau: float
  low: float | None
  high: float | None
  at_bound: bool


def asymmetries(
  entries: Sequence[synergy.Synergy], interval_level: float = 0.9
) -> list[Asymmetry]:
  """Asymmetries of all pairs measured both ways, i before j in order.

  The two gains come from different losses; their errors are taken as
  independent, which is safe where a run that is good for i is good for j too.
  """
  gains = {(e.target, e.auxiliary): e for e in entries}
  names = sorted({e.target for e in entries})
  found: list[Asymmetry] = []
  for first, second in itertools.combinations(names, 2):
    one, other = gains.get((first, second)), gains.get((second, first))
    if one is None or other is None:
      continue
    found.append(_asymmetry(one, other, interval_level))
  tested = [a.p_value for a in found if a.p_value is not None]
  adjusted = iter(significance.adjusted(tested))
  return [
    entry
    if entry.p_value is None
    else dataclasses.replace(
      entry, significant=next(adjusted) <= 1 - interval_level
    )
    for entry in found
  ]


def _asymmetry(
  one: synergy.Synergy, other: synergy.Synergy, level: float
) -> Asymmetry:
  difference = one.gain - other.gain
  errors, freedoms = [], []
  for entry in (one, other):
    if entry.standard_error is None or entry.degrees_of_freedom is None:
      return Asymmetry(
        one.target, other.target, difference, None, None, None, None
      )
    # Of the gain, to first order, from that of the logarithm.
    errors.append(entry.standard_error * (1 - entry.gain))
    freedoms.append(entry.degrees_of_freedom)
  error = math.hypot(*errors)
  free = significance.combined_freedom(errors, freedoms)
  width = error * significance.quantile(level, free)
  return Asymmetry(
    first=one.target,
    second=other.target,
    difference=difference,
    low=difference - width,
    high=difference + width,
    p_value=significance.p_value(difference, error, free),
    significant=None,
  )


def odd_rows(entries: Sequence[synergy.Synergy]) -> list[OddRow]:
  """Targets whose gains lie apart; none where there are fewer than five."""
  rows: dict[str, list[float]] = {}
  for entry in entries:
    if entry.target != entry.auxiliary:
      rows.setdefault(entry.target, []).append(entry.gain)
  if len(rows) < _LEAST_ROWS:
    return []
  medians = {target: float(np.median(gains)) for target, gains in rows.items()}
  values = np.array(list(medians.values()))
  centre = np.median(values)
  scale = _NORMAL_MAD * np.median(np.abs(values - centre))
  found = []
  for target, gains in rows.items():
    z = (medians[target] - centre) / scale if scale > 0 else 0.0
    if abs(z) <= ROBUST_Z:
      continue
    others = [g for name in rows if name != target for g in rows[name]]
    found.append(
      OddRow(
        target,
        min(gains),
        medians[target],
        max(gains),
        float(np.median([m for n, m in medians.items() if n != target])),
        float(z),
        min(gains) > max(others) or max(gains) < min(others),
      )
    )
  return found


def transfers(fits: Sequence[results.Fit]) -> list[Transfer]:
  """Transfer coefficients of all fits that have them, first fit per target."""
  first: dict[str, results.Fit] = {}
  for fit in fits:
    if any(name.startswith('tau/') for name in fit.estimates):
      first.setdefault(fit.target, fit)
  found = []
  for fit in first.values():
    for name, value in fit.estimates.items():
      if name.startswith('tau/'):
        low, high = fit.intervals.get(name, (None, None))
        found.append(
          Transfer(
            target=forms.source_of(fit.target),
            auxiliary=name.partition('/')[2],
            tau=value,
            low=low,
            high=high,
            at_bound=name in fit.diagnostics.get('at_bound', ()),
          )
        )
  return found


def warnings(entries: Sequence[synergy.Synergy]) -> Iterator[str]:
  """Yields what a reader of a synergy matrix must know, in words."""
  yield from noise_warnings(entries)
  yield from row_warnings(entries)


def noise_warnings(entries: Sequence[synergy.Synergy]) -> Iterator[str]:
  """Yields what is not known of the noise, and what is lost in it."""
  pairs = [entry for entry in entries if entry.target != entry.auxiliary]
  unknown = sorted({e.target for e in pairs if e.p_value is None})
  if unknown:
    yield (
      f'The gains of {", ".join(unknown)} have no interval: no run was repeated'
      ' with another seed and no law gives its noise.'
    )
  residuals = sorted({e.target for e in pairs if 'residual' in e.noise_from})
  if residuals:
    yield (
      f'The noise behind the gains of {", ".join(residuals)} is the scatter'
      ' about a fitted law, not of repeated runs: it holds misfit of that law'
      ' and may not hold what another seed would change.'
    )
  tested = [entry for entry in pairs if entry.significant is not None]
  if tested:
    found = sum(bool(entry.significant) for entry in tested)
    if found < len(tested):
      yield (
        f'{len(tested) - found} of {len(tested)} gains cannot be told from 0'
        ' after correction for the number of pairs.'
      )


def row_warnings(entries: Sequence[synergy.Synergy]) -> Iterator[str]:
  """Yields which rows lie apart."""
  for row in odd_rows(entries):
    side = 'above' if row.robust_z > 0 else 'below'
    yield (
      f'{row.target} is an outlier: its gains are {row.lowest:+.1%} to'
      f' {row.highest:+.1%} from any auxiliary'
      + (f', all {side} every gain of the others' if row.apart else '')
      + f' (median {row.median:+.1%} against {row.others_median:+.1%}, robust z'
      f' {row.robust_z:+.1f}). They share one baseline, the loss of'
      f' {row.target} with itself: check that run first.'
    )
