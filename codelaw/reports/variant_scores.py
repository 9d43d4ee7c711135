"""Scores of variants by category, from the rows of a run table.

Definitions owned here:
  variant: a way of training, of which there may be runs with several seeds.
  category: what a column of paper B's table holds; a score, or the mean of
    several.
  error over items: what other items of the same kind would change. All runs of
    a variant answer the same items, so it is that of one run (their mean)
    however many runs there are.
  error over seeds: standard deviation over runs / sqrt(runs). Few seeds tell
    little of it, so that variants share it, in the unit sqrt(p (scale - p)) of
    their scores p: what is pooled is the variance over that of one answer.

Both count as independent, and those of variant and baseline too (unpaired).
Since all answer the same items, and seeds are among what differs between
answers, this makes intervals too wide rather than too narrow. With paired
seeds every variant has its own error over seeds, and variant and baseline keep
their covariance.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math

import numpy as np
import pandas as pd

from codelaw import errors
from codelaw.laws import item_errors
from codelaw.laws import relative_change
from codelaw.laws import significance

_SCORE = 'score/'
_ERROR = 'score_standard_error/'


@dataclasses.dataclass(frozen=True)
class Cell:
  """The score of one variant in one category.

  Attributes:
    value: mean over runs.
    scores: of the runs, by seed or run id.
    items: standard error over items; None where not known.
    seeds: standard error over seeds; None where not known.
    seeds_freedom: degrees of freedom of `seeds`.
    num_items: that the score is worth, by its error; None where not known.
  """

  value: float
  scores: Mapping[str, float]
  items: float | None
  seeds: float | None
  seeds_freedom: float
  num_items: float | None

  @property
  def parts(self) -> list[tuple[float, float]]:
    """(standard error, degrees of freedom) of what is known."""
    parts = [(self.items, math.inf), (self.seeds, self.seeds_freedom)]
    return [(error, f) for error, f in parts if error is not None]

  @property
  def variance(self) -> float:
    """Of the value, from what is known."""
    return sum(error**2 for error, _ in self.parts)

  def interval(self, level: float) -> tuple[float, float] | None:
    """Ends of the interval of the value; None when nothing is known."""
    if not self.parts:
      return None
    half = _quantile(level, self.parts) * math.sqrt(self.variance)
    return max(self.value - half, 0.0), self.value + half


@dataclasses.dataclass(frozen=True)
class Change:
  """A cell against the baseline's.

  Attributes:
    percent: relative change; infinite or NaN over a baseline of 0.
    low: lower end of its interval; None where no error is known.
    high: upper end; infinite where the baseline may be 0.
    difference: of the values.
    standard_error: of the difference; None where not known.
    p_value: of no difference; None where not known.
    adjusted: the same among all changes of the page; None where not known.
  """

  percent: float
  low: float | None
  high: float | None
  difference: float
  standard_error: float | None
  p_value: float | None
  adjusted: float | None = None

  def is_sure(self, level: float) -> bool:
    """Whether it is more than noise, at a false discovery rate 1 - level."""
    return self.adjusted is not None and self.adjusted <= 1 - level


def cells(
  variants: Mapping[str, pd.DataFrame],
  categories: Mapping[str, Sequence[str]],
  paired: bool = False,
) -> dict[str, dict[str, Cell]]:
  """Category -> variant -> cell, of those that have the category's scores.

  Args:
    variants: name -> one row per run.
    categories: name -> columns of scores, whose mean counts.
    paired: whether seeds are; then variants do not share their error over
      seeds.
  """
  found: dict[str, dict[str, Cell]] = {}
  for category, columns in categories.items():
    runs = {name: _runs(rows, columns) for name, rows in variants.items()}
    runs = {name: own for name, own in runs.items() if len(own)}
    everyone = pd.concat(runs.values()) if runs else pd.DataFrame()
    if len(everyone):
      _complete(everyone, columns)
      place = np.cumsum([0, *(len(own) for own in runs.values())])
      runs = {
        name: everyone.iloc[first:last]
        for name, first, last in zip(runs, place, place[1:], strict=False)
      }
    scale = item_errors.scale_of(columns[0])
    ratio, freedom = _seed_ratio(runs, scale)
    found[category] = {}
    for name, own in runs.items():
      count, mean = len(own), float(own['score'].mean())
      if paired and count > 1:
        seeds = float(own['score'].std(ddof=1)), float(count - 1)
      else:
        seeds = math.sqrt(ratio * _room(mean, scale)), freedom
      found[category][name] = _cell(own, *seeds)
  return found


def _runs(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
  """The rows with all columns, their scores and the errors over items."""
  if not set(columns) <= set(rows.columns):
    return rows[:0]
  kept = rows.dropna(subset=list(columns))
  label = 'seed' if 'seed' in kept and kept['seed'].is_unique else 'run_id'
  data = {'label': kept[label].astype(str), 'score': 0.0, 'dispersion': np.nan}
  found = pd.DataFrame(data, index=kept.index)
  for column in columns:
    error = column.replace(_SCORE, _ERROR, 1)
    found[column] = kept[column].astype(float)
    found[error] = (
      pd.to_numeric(kept[error], errors='coerce') if error in kept else np.nan
    )
  return found


def _complete(runs: pd.DataFrame, columns: Sequence[str]) -> None:
  """Fills in mean score, its error over items and its worth in items."""
  scores, variances, counts = [], [], []
  for column in columns:
    scale = item_errors.scale_of(column)
    values = runs[column].to_numpy(float)
    known = runs[column.replace(_SCORE, _ERROR, 1)].to_numpy(float)
    dispersion = item_errors.dispersions(values, known, scale)
    variance = item_errors.variances(values, dispersion, scale)
    scores.append(values)
    # What was measured stands, where it can be: 0 at an end cannot.
    variances.append(np.where(known > 0, known**2, variance))
    counts.append(1 / dispersion)
  runs['score'] = np.mean(scores, axis=0)
  runs['items'] = np.sqrt(np.sum(variances, axis=0)) / len(columns)
  runs['num_items'] = np.sum(counts, axis=0)


def _room(score: float, scale: float) -> float:
  """Variance of one answer, right or wrong, at a mean score."""
  return max(score * (scale - score), 0.0)


def _seed_ratio(
  runs: Mapping[str, pd.DataFrame], scale: float
) -> tuple[float, float]:
  """Variance over seeds by that of one answer, and degrees of freedom."""
  total, freedom = 0.0, 0.0
  for own in runs.values():
    room = _room(float(own['score'].mean()), scale)
    if len(own) > 1 and room > 0:
      total += (len(own) - 1) * float(own['score'].var(ddof=1)) / room
      freedom += len(own) - 1
  return (total / freedom, freedom) if freedom else (0.0, 0.0)


def _cell(runs: pd.DataFrame, deviation: float, freedom: float) -> Cell:
  """Of the runs of one variant.

  Args:
    runs: with `label`, `score`, `items`, `num_items`.
    deviation: of a run, over seeds.
    freedom: with which it is known; 0 when it is not.
  """
  items = float(runs['items'].mean())
  known = math.isfinite(items)
  return Cell(
    value=float(runs['score'].mean()),
    scores=dict(zip(runs['label'], runs['score'].tolist(), strict=True)),
    items=items if known else None,
    seeds=deviation / math.sqrt(len(runs)) if freedom else None,
    seeds_freedom=freedom,
    num_items=float(runs['num_items'].mean()) if known else None,
  )


def change(
  variant: Cell, baseline: Cell, level: float, paired: bool = False
) -> Change:
  """A variant's change against the baseline.

  Args:
    variant: its cell.
    baseline: the baseline's.
    level: of the interval.
    paired: keep the covariance over seeds; both must have the same seeds.

  Raises:
    UserError: when seeds to be paired are not the same.
  """
  percent = relative_change.change(variant.value, baseline.value)
  difference = variant.value - baseline.value
  if not variant.parts or not baseline.parts:
    return Change(percent, None, None, difference, None, None)
  covariance = _covariance(variant, baseline) if paired else 0.0
  ratio = percent / 100 + 1 if math.isfinite(percent) else 1.0
  scaled = [(ratio * error, f) for error, f in baseline.parts]
  low, high = relative_change.interval(
    variant.value,
    baseline.value,
    (variant.variance, baseline.variance, covariance),
    _quantile(level, [*variant.parts, *scaled]),
  )
  variance = variant.variance + baseline.variance - 2 * covariance
  standard_error = math.sqrt(max(variance, 0.0))
  parts = [*variant.parts, *baseline.parts]
  return Change(
    percent,
    low,
    high,
    difference,
    standard_error,
    significance.p_value(difference, standard_error, _freedom(parts)),
  )


def changes(
  found: Mapping[str, Mapping[str, Cell]],
  baseline: str,
  level: float,
  paired: bool = False,
) -> dict[str, dict[str, Change]]:
  """Category -> variant -> change, with p-values adjusted for their number."""
  result = {
    category: {
      name: change(cell, row[baseline], level, paired)
      for name, cell in row.items()
      if name != baseline
    }
    for category, row in found.items()
    if baseline in row
  }
  return adjusted(result)


def adjusted(
  found: Mapping[str, Mapping[str, Change]],
) -> dict[str, dict[str, Change]]:
  """Changes with their p-values adjusted for how many there are."""
  result = {category: dict(row) for category, row in found.items()}
  tested = [
    (category, name)
    for category, row in result.items()
    for name, entry in row.items()
    if entry.p_value is not None
  ]
  p_values = significance.adjusted(
    [result[category][name].p_value or 0.0 for category, name in tested]
  )
  for (category, name), p_value in zip(tested, p_values, strict=True):
    entry = result[category][name]
    result[category][name] = dataclasses.replace(entry, adjusted=p_value)
  return result


def _covariance(variant: Cell, baseline: Cell) -> float:
  """Of the two means over the seeds that both have."""
  seeds = sorted(variant.scores)
  if seeds != sorted(baseline.scores) or len(seeds) < 2:
    raise errors.UserError(
      'Seeds can be paired where a variant and the baseline have the same'
      f' two or more; got {", ".join(seeds)} and'
      f' {", ".join(sorted(baseline.scores))}. Leave VariantReport.paired out.'
    )
  pairs = np.array([[variant.scores[s], baseline.scores[s]] for s in seeds])
  return float(np.cov(pairs.T)[0, 1] / len(seeds))


def _freedom(parts: Sequence[tuple[float, float]]) -> float:
  spread, freedom = zip(*parts, strict=True)
  return significance.combined_freedom(spread, freedom)


def _quantile(level: float, parts: Sequence[tuple[float, float]]) -> float:
  return significance.quantile(level, _freedom(parts))
