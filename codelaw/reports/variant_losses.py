"""Held-out losses of variants, and what they differ by.

Every variant is trained once with each of the same seeds, so that variants and
seeds are a randomised complete block design (Fisher, The Design of Experiments,
1935): loss = mean + effect of the variant + effect of the seed + error.

Definitions owned here:
  error variance: sum of the squared residuals of that model / ((V - 1)(S - 1))
    with V variants and S seeds, those its degrees of freedom. A difference of
    two means over seeds has 2 / S times that variance. With one seed nothing is
    known of it.
"""

from collections.abc import Mapping
import math

import numpy as np
import pandas as pd

from codelaw.laws import selection
from codelaw.laws import significance
from codelaw.reports import study_folder
from codelaw.reports import tables
from codelaw.reports import variant_scores

Losses = Mapping[str, Mapping[str, np.ndarray]]
Changes = Mapping[str, Mapping[str, variant_scores.Change]]
_MOST_SOURCES = 12  # seven languages, text and a few more


def losses(
  table: pd.DataFrame, comparison: study_folder.Comparison
) -> dict[str, dict[str, np.ndarray]]:
  """Source -> variant -> loss of each repetition, nats per token.

  A variant that has not all repetitions of a source is left out there. Of more
  sources than can be read, those of one folder count as one, by their mean:
  `parallel/direct/*`.

  Args:
    table: run table.
    comparison: whose runs.
  """
  last = table[table['is_final'].astype(bool)].set_index('run_id')
  found: dict[str, dict[str, np.ndarray]] = {}
  for target in selection.targets(table):
    of_run = last[target].dropna()
    complete = {
      name: of_run[list(runs)].to_numpy(float)
      for name, runs in comparison.variants.items()
      if all(run in of_run.index for run in runs)
    }
    if comparison.baseline in complete and len(complete) > 1:
      found[target.removeprefix('loss/')] = complete
  return _by_folder(found) if len(found) > _MOST_SOURCES else found


def _by_folder(found: Losses) -> dict[str, dict[str, np.ndarray]]:
  """Folder or single source -> variant -> mean loss of each repetition."""
  folders: dict[str, list[str]] = {}
  for source in found:
    folder = source.rpartition('/')[0]
    folders.setdefault(f'{folder}/*' if folder else source, []).append(source)
  means = {}
  for folder, sources in folders.items():
    rows = [found[source] for source in sources]
    complete = {
      name: np.mean([row[name] for row in rows], axis=0)
      for name in rows[0]
      if all(name in row for row in rows)
    }
    if len(complete) > 1:
      means[folder if len(sources) > 1 else sources[0]] = complete
  return means


def changes(
  found: Losses, baseline: str, level: float
) -> dict[str, dict[str, variant_scores.Change]]:
  """Source -> variant -> change of its loss against the baseline's.

  Intervals are of the difference, relative to the baseline's mean loss.

  Args:
    found: from `losses`.
    baseline: name of the variant that changes are counted from.
    level: of the intervals.
  """
  return variant_scores.adjusted(
    {
      source: {
        name: _change(row[name], row[baseline], _noise(row), level)
        for name in row
        if name != baseline
      }
      for source, row in found.items()
    }
  )


def _noise(row: Mapping[str, np.ndarray]) -> tuple[float, float] | None:
  """(standard error of a difference, degrees of freedom), as defined above."""
  each = np.array(list(row.values()))
  variants, seeds = each.shape
  freedom = (variants - 1) * (seeds - 1)
  if not freedom:
    return None
  residuals = (
    each
    - each.mean(axis=1, keepdims=True)
    - each.mean(axis=0, keepdims=True)
    + each.mean()
  )
  variance = float(np.sum(residuals**2)) / freedom
  return math.sqrt(2 * variance / seeds), freedom


def _change(
  variant: np.ndarray,
  baseline: np.ndarray,
  noise: tuple[float, float] | None,
  level: float,
) -> variant_scores.Change:
  base = float(baseline.mean())
  difference = float(variant.mean()) - base
  percent = 100 * difference / base
  if noise is None:
    return variant_scores.Change(percent, None, None, difference, None, None)
  error, freedom = noise
  half = significance.quantile(level, freedom) * error
  return variant_scores.Change(
    percent,
    100 * (difference - half) / base,
    100 * (difference + half) / base,
    difference,
    error,
    significance.p_value(difference, error, freedom),
  )


def table(
  name: str, found: Losses, changed: Changes, baseline: str, level: float
) -> tables.Table:
  """Variants x sources: mean loss, its change, the interval of the change."""
  names = list(dict.fromkeys(n for row in found.values() for n in row))
  rows = []
  for variant in names:
    cells = [variant]
    for source, row in found.items():
      if variant not in row:
        cells.append('')
        continue
      text = format(float(row[variant].mean()), '.4f')
      change = changed[source].get(variant)
      if change is not None:
        text += '\n' + _words(change, level)
      cells.append(text)
    rows.append(tuple(cells))
  known = any(
    c.low is not None for row in changed.values() for c in row.values()
  )
  return tables.Table(
    name,
    f'Nats per token, and the change against {baseline}'
    + (
      f' with its {level:.0%} interval, paired by seed. * marks differences'
      f' beyond noise at a false discovery rate of {1 - level:.0%} over the'
      ' whole table (Benjamini and Hochberg).'
      if known
      else '. Each variant was trained once: how much another seed would'
      ' change is not known.'
    ),
    ('variant', *found),
    tuple(rows),
    _data(found, changed),
  )


def _words(change: variant_scores.Change, level: float) -> str:
  text = f'{change.percent:+.2f}%'
  if change.is_sure(level):
    text += ' *'
  if change.low is None or change.high is None:
    return text
  return f'{text} ({change.low:+.2f} to {change.high:+.2f})'


def _data(found: Losses, changed: Changes) -> pd.DataFrame:
  """One row per source, variant and repetition's mean, with its change."""
  rows = []
  for source, row in found.items():
    for name, values in row.items():
      change = changed[source].get(name)
      rows.append(
        {
          'variant': name,
          'source': source,
          'loss': float(values.mean()),
          'runs': len(values),
          'difference': change and change.difference,
          'change_percent': change and change.percent,
          'low': change and change.low,
          'high': change and change.high,
          'p_value': change and change.p_value,
          'adjusted_p_value': change and change.adjusted,
        }
      )
  return pd.DataFrame(rows)
