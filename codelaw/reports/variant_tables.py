"""The tables of a comparison of variants, and the numbers behind them."""

from collections.abc import Mapping
from collections.abc import Sequence

import pandas as pd

from codelaw.reports import tables
from codelaw.reports import variant_scores

Cells = Mapping[str, Mapping[str, variant_scores.Cell]]
Changes = Mapping[str, Mapping[str, variant_scores.Change]]


def scores(variants: Sequence[str], cells: Cells, level: float) -> tables.Table:
  """Variants x categories: value and interval of the level."""
  rows = []
  for name in variants:
    row = [name]
    for found in cells.values():
      cell = found.get(name)
      ends = cell.interval(level) if cell else None
      row.append(tables.band(cell.value, ends, '.4g') if cell else '')
    rows.append(tuple(row))
  return tables.Table(
    'Scores',
    f'Mean over runs and its {level:.0%} interval, from the errors over items'
    ' and over seeds (pooled over variants, unless seeds are paired) as far as'
    ' they are known. All runs answer the same items, so more seeds do not'
    ' lower the error over items.',
    ('variant', *cells),
    tuple(rows),
    score_data(cells, level),
  )


def score_data(cells: Cells, level: float) -> pd.DataFrame:
  """One row per cell, with its errors."""
  data = []
  for category, found in cells.items():
    for name, cell in found.items():
      low, high = cell.interval(level) or (None, None)
      data.append(
        {
          'variant': name,
          'category': category,
          'score': cell.value,
          'low': low,
          'high': high,
          'runs': len(cell.scores),
          'standard_error_items': cell.items,
          'standard_error_seeds': cell.seeds,
        }
      )
  return pd.DataFrame(data)


def changes(
  variants: Sequence[str],
  found: Changes,
  baseline: str,
  level: float,
  paired: bool,
) -> tables.Table:
  """Variants x categories: relative change, interval, and what is sure."""
  rows = []
  for name in variants:
    if name == baseline:
      continue
    rows.append(
      (name, *(_change_cell(row.get(name), level) for row in found.values()))
    )
  seeds = 'paired by seed' if paired else 'unpaired'
  return tables.Table(
    f'Relative changes against {baseline}',
    f"With {level:.0%} intervals (Fieller's, of a ratio; errors over items"
    f' unpaired, over seeds {seeds}). * marks differences beyond noise at a'
    f' false discovery rate of {1 - level:.0%} over the whole table (Benjamini'
    ' and Hochberg).',
    ('variant', *found),
    tuple(rows),
    change_data(found),
  )


def _change_cell(change: variant_scores.Change | None, level: float) -> str:
  if change is None:
    return ''
  text = tables.change_text(change.percent)
  if change.is_sure(level):
    text += ' *'
  if change.low is None or change.high is None:
    return text
  high = (
    'open' if change.high == float('inf') else tables.change_text(change.high)
  )
  return f'{text}\n{tables.change_text(change.low)} to {high}'


def change_data(found: Changes) -> pd.DataFrame:
  """One row per change, with its p-values."""
  return pd.DataFrame(
    [
      {
        'variant': name,
        'category': category,
        'change_percent': change.percent,
        'low': change.low,
        'high': change.high,
        'difference': change.difference,
        'standard_error': change.standard_error,
        'p_value': change.p_value,
        'adjusted_p_value': change.adjusted,
      }
      for category, row in found.items()
      for name, change in row.items()
    ]
  )


def runs(
  variants: Mapping[str, pd.DataFrame],
  categories: Mapping[str, Sequence[str]],
) -> tables.Table:
  """Every run with every score behind the categories."""
  wanted = [column for columns in categories.values() for column in columns]
  shown = [
    'run_id',
    *(
      name
      for name in ('seed', 'num_params', 'num_tokens', 'step')
      if all(name in rows for rows in variants.values())
    ),
    *dict.fromkeys(wanted),
  ]
  data = pd.concat(
    [
      rows.reindex(columns=shown).assign(variant=name)
      for name, rows in variants.items()
    ],
    ignore_index=True,
  )[['variant', *shown]]
  rows = tuple(
    tuple(
      value if isinstance(value, str) else tables.number(value, '.6g')
      for value in row
    )
    for row in data.itertuples(index=False)
  )
  headings = tuple(name.removeprefix('score/') for name in data.columns)
  return tables.Table(
    'Runs',
    'The last evaluated checkpoint of every run.',
    headings,
    rows,
    data,
  )
