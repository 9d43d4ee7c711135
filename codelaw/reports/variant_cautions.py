"""What a reader of a comparison of variants must know first, in words."""

from collections.abc import Iterator
from collections.abc import Mapping

import pandas as pd

from codelaw.reports import tables
from codelaw.reports import variant_scores

_FEW_ITEMS = 100  # A share of them has a standard error of up to 5 points.
_FRAGILE = 4.0  # standard errors of the baseline above 0 or chance
_SAME_SIZE = 0.02  # relative; whole batches and rounded widths differ by less


def warnings(
  variants: Mapping[str, pd.DataFrame],
  baseline: str,
  cells: Mapping[str, Mapping[str, variant_scores.Cell]],
  changes: Mapping[str, Mapping[str, variant_scores.Change]],
  chance: Mapping[str, float],
  level: float,
) -> Iterator[str]:
  """Yields one sentence or two for each reason to doubt.

  Args:
    variants: name -> one row per run.
    baseline: name of the variant that changes are counted from.
    cells: category -> variant -> score.
    changes: category -> variant -> change.
    chance: category -> score of guessing, where that is not 0.
    level: of the intervals.
  """
  yield from _errors(variants, cells)
  yield from _seeds(variants, cells)
  for category, row in cells.items():
    if baseline in row:
      yield from _baseline(
        category, row[baseline], changes.get(category, {}), chance, level
      )
  yield from _items(cells)
  yield from _sizes(variants, baseline)
  yield from _missing(variants, baseline, cells)


def of_runs(
  variants: Mapping[str, pd.DataFrame], baseline: str
) -> Iterator[str]:
  """Yields what the runs alone give reason to doubt, whatever is compared."""
  if all(len(rows) == 1 for rows in variants.values()):
    yield (
      'Every variant was trained once: how much another seed would change is'
      ' not known.'
    )
  yield from _sizes(variants, baseline)


def _errors(variants, cells) -> Iterator[str]:
  without = [
    category
    for category, row in cells.items()
    if any(cell.items is None for cell in row.values())
  ]
  if without:
    yield (
      f'No error over items is known of {", ".join(without)}'
      + (
        ', so that a difference there has no interval.'
        if all(len(rows) == 1 for rows in variants.values())
        else ': intervals there hold what another seed would change, for these'
        ' items alone.'
      )
    )


def _seeds(variants, cells) -> Iterator[str]:
  single = [name for name, rows in variants.items() if len(rows) == 1]
  if len(single) == len(variants):
    yield (
      'Every variant was trained once: intervals hold what other items would'
      ' change, not what another seed would, which can be more.'
    )
  elif single:
    yield (
      f'{", ".join(single)} {"was" if len(single) == 1 else "were"} trained'
      ' once: what seeds change is what they change in the other variants.'
    )


def _baseline(
  category: str,
  cell: variant_scores.Cell,
  changes: Mapping[str, variant_scores.Change],
  chance: Mapping[str, float],
  level: float,
) -> Iterator[str]:
  least = chance.get(category, 0.0)
  above = cell.value - least
  error = cell.variance**0.5
  where = f'guessing, {least:.4g}' if least else '0'
  if not least and cell.value == 0:
    yield (
      f'{category}: the baseline solves nothing, so that no relative change'
      ' exists; read the differences.'
    )
  elif (error and above < _FRAGILE * error) or above <= 0:
    largest = max((c.percent for c in changes.values()), default=0.0)
    yield (
      f'{category}: the baseline, {cell.value:.4g}, is'
      + (f' {above / error:.1f} standard errors' if error else ' not')
      + f' above {where}. A relative change of it'
      + (f', like {tables.change_text(largest)},' if largest > 0 else '')
      + ' is fragile: a few items more or less move it by much. Read the'
      f' differences ({level:.0%} intervals may have no end).'
    )
  elif least:
    yield (
      f'{category}: relative changes count from 0, but guessing alone reaches'
      f' {least:.4g}; above it the baseline has {above:.4g}.'
    )


def _items(cells) -> Iterator[str]:
  few = []
  for category, row in cells.items():
    counts = [cell.num_items for cell in row.values() if cell.num_items]
    if counts and min(counts) < _FEW_ITEMS:
      few.append(f'{category} ({min(counts):.0f})')
  if few:
    yield (
      f'Few items, by their errors: {", ".join(few)}. One item more is a whole'
      ' step of the score.'
    )


def _sizes(variants, baseline) -> Iterator[str]:
  for column, what in (('num_params', 'sizes'), ('num_tokens', 'tokens')):
    if not all(column in rows for rows in variants.values()):
      continue
    own = float(variants[baseline][column].mean())
    other = [
      f'{name} ({float(rows[column].mean()):,.0f})'
      for name, rows in variants.items()
      if abs(float(rows[column].mean()) / own - 1) > _SAME_SIZE
    ]
    if other:
      yield (
        f'The variants differ in {what}: the baseline has {own:,.0f},'
        f' {", ".join(other)}. What changes is not the mixture alone.'
      )


def _missing(variants, baseline, cells) -> Iterator[str]:
  for category, row in cells.items():
    missing = [name for name in variants if name not in row]
    if missing:
      yield (
        f'{", ".join(missing)} {"has" if len(missing) == 1 else "have"} no'
        f' score of {category}'
        + (
          ', the baseline among them: no changes there.'
          if baseline in missing
          else '.'
        )
      )
    for name in row:
      lacking = len(variants[name]) - len(row[name].scores)
      if lacking:
        yield (
          f'{lacking} of {len(variants[name])} runs of {name} have no score of'
          f' {category} and do not count there.'
        )
