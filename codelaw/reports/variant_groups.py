"""Which runs of a table are one variant, and which scores one category."""

from collections.abc import Mapping
from collections.abc import Sequence
import re

import pandas as pd

from codelaw import errors
from codelaw.laws import selection

# Paper B's: natural language is the mean of reasoning and knowledge, total the
# mean of reasoning, knowledge and code.
CATEGORIES = {
  'reasoning': ('score/reasoning/average/accuracy',),
  'knowledge': ('score/knowledge/average/exact_match',),
  'natural language': ('score/natural_language/average/score',),
  'code': ('score/code/average/pass@1',),
  'total': ('score/total/average/score',),
}
# Translation is between languages: it has a section of its own.
_APART = ('translation',)
_COLUMN = re.compile(r'score/([^/]+)/(.+)/([^/]+)')


def grouped(
  rows: pd.DataFrame,
  baseline: str,
  variants: Mapping[str, Sequence[str]],
  column: str,
  pattern: str,
) -> dict[str, pd.DataFrame]:
  """Variant -> its runs, the baseline first and then in order of the table.

  Args:
    rows: one per run.
    baseline: name of the variant that comes first.
    variants: name -> run ids; empty takes `column`.
    column: of the table, with the name of a run's variant; empty takes
      `pattern`.
    pattern: regular expression on run ids, whose first group is the variant.

  Raises:
    UserError: when a run is in two variants, a named run or column is not
      there, or no run belongs to the baseline.
  """
  ids = rows['run_id'].astype(str)
  names: list[str | None]
  if variants:
    owner: dict[str, str] = {}
    for name, members in variants.items():
      for run in members:
        if run in owner or run not in set(ids):
          raise errors.UserError(
            f'VariantReport.variants lists the run {run} under {name}, but it'
            + (
              f' is under {owner[run]} too.'
              if run in owner
              else f' is not among the runs with scores: {", ".join(ids)}.'
            )
          )
        owner[run] = name
    names = [owner.get(run) for run in ids]
  elif column:
    if column not in rows:
      raise errors.UserError(
        f'VariantReport.column is {column}, which the table does not'
        f' have; its columns are {", ".join(rows.columns)}.'
      )
    names = [str(value) for value in rows[column]]
  else:
    try:
      matches = [re.fullmatch(pattern, run) for run in ids]
      names = [match[1] if match else None for match in matches]
    except (re.error, IndexError) as error:
      raise errors.UserError(
        'VariantReport.pattern must be a regular expression with one group,'
        f' got {pattern!r} ({error}).'
      ) from error
  found = dict.fromkeys(name for name in names if name is not None)
  if baseline not in found or len(found) < 2:
    raise errors.UserError(
      f'A comparison needs the baseline {baseline} and other variants'
      f' that have scores; the runs are of {", ".join(found) or "none"}. See'
      ' VariantReport.pattern, .column and .variants.'
    )
  order = [baseline, *(n for n in found if n != baseline)]
  series = pd.Series(names, index=rows.index, dtype=object)
  return {name: rows[series == name] for name in order}


def last_rows(table: pd.DataFrame) -> pd.DataFrame:
  """The last row of every run that has any score.

  Raises:
    UserError: when the table has no scores.
  """
  scores = selection.scores(table)
  if not scores:
    raise errors.UserError(
      'The run table has no columns score/<task>/<metric>. Evaluate runs with'
      ' `codelaw evaluate`, and collect them again with `codelaw collect`.'
    )
  rows = table[table[scores].notna().any(axis=1)]
  if 'step' in rows:
    rows = rows.sort_values('step', kind='stable')
  return rows.drop_duplicates('run_id', keep='last').sort_index()


def categories_of(
  table: pd.DataFrame, wanted: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
  """Category -> columns: those wanted, or paper B's and all others.

  Another category is its average, where the table has one, or else the mean of
  its tasks, apart for every metric.

  Raises:
    UserError: for a column that the table does not have.
  """
  known = selection.scores(table)
  if wanted:
    for name, columns in wanted.items():
      missing = [column for column in columns if column not in known]
      if missing or not columns:
        raise errors.UserError(
          f'VariantReport.categories takes {", ".join(missing) or "nothing"}'
          f' for {name}; the scores of the table are {", ".join(known)}.'
        )
    return {name: tuple(own) for name, own in wanted.items()}
  found: dict[str, tuple[str, ...]] = {
    name: columns
    for name, columns in CATEGORIES.items()
    if set(columns) <= set(known)
  }
  taken = {
    column.split('/')[1] for columns in found.values() for column in columns
  }
  others: dict[tuple[str, str], list[str]] = {}
  for column in known:
    match = _COLUMN.fullmatch(column)
    if match and match[1] not in (*taken, *_APART):
      others.setdefault((match[1], match[3]), []).append(column)
  for (category, metric), columns in others.items():
    averages = [c for c in columns if c.split('/')[2] == 'average']
    alone = sum(one == category for one, _ in others) == 1
    label = category.replace('_', ' ')
    found[label if alone else f'{label}, {metric}'] = tuple(averages or columns)
  return found
