"""Which rows of a run table a law is fitted to, and what its sources are.

Definitions owned here:
  single-source run: a run whose tokens all came from one source. Laws of one
    stream are fitted to the single-source runs of their target's own source;
    in a table without shares, to every run.
  mixture laws are fitted to every run, over the sources that any run used.
"""

from collections.abc import Sequence
import operator
import re

import numpy as np
import pandas as pd

from codelaw import errors
from codelaw.laws import forms

_SINGLE = 1 - 1e-9  # Shares are ratios of whole numbers of tokens.
_FILTER = re.compile(r'(.+?)(<=|>=|!=|=|<|>)(.*)')
_COMPARE = {
  '=': operator.eq,
  '!=': operator.ne,
  '<': operator.lt,
  '>': operator.gt,
  '<=': operator.le,
  '>=': operator.ge,
}


def targets(table: pd.DataFrame) -> list[str]:
  """Columns of losses a law may be fitted to, in order; no averages."""
  return sorted(
    name
    for name in table.columns
    if (name == 'loss' or name.startswith('loss/')) and name != 'loss/macro'
  )


def sources(table: pd.DataFrame) -> list[str]:
  """Sources that at least one row of the table was trained on, in order."""
  return sorted(
    name.removeprefix('share/')
    for name in table.columns
    if name.startswith('share/') and (table[name] > 0).any()
  )


def select(
  name: str,
  table: pd.DataFrame,
  target: str,
  *,
  only_final: bool = True,
  all_rows: bool = False,
) -> tuple[forms.Law, pd.DataFrame]:
  """The law `name` for a target, and the rows it is fitted to.

  Args:
    name: of the law, one of `forms.NAMES`.
    table: run table.
    target: column of losses; rows without a value are left out.
    only_final: leave out evaluations before a run's end.
    all_rows: take mixed runs for laws of one stream too, to compare laws on
      the same rows.

  Raises:
    UserError: when the table has no such column, no row is left, or the law
      cannot have this target.
  """
  if target not in table:
    raise errors.UserError(
      f'The run table has no column {target}; its losses are'
      f' {", ".join(targets(table)) or "(none)"}.'
    )
  rows = table[table[target].notna()]
  if only_final and 'is_final' in rows:
    rows = rows[rows['is_final'].astype(bool)]
  one_stream = name not in forms.MIXTURE_LAWS
  source = forms.source_of(target)
  if one_stream and not all_rows and source and sources(table):
    own = f'share/{source}'
    rows = rows[rows[own] >= _SINGLE] if own in rows else rows[:0]
  if rows.empty:
    alone = f' on {source} alone' if one_stream and source else ''
    raise errors.UserError(
      f'No run is left for the law {name} of {target}: it needs finished runs'
      f' trained{alone}. Add such runs, or choose another law.'
    )
  if name in forms.FIXED_SIZE_LAWS and not _at_one_size(rows):
    raise errors.UserError(
      f'The law {name} holds at one N and one D; the runs for {target} have'
      ' several. Choose them with --filter, or take the law transfer.'
    )
  return forms.law(name, target, sources(rows)), rows


def applicable(
  table: pd.DataFrame, target: str, *, only_final: bool = True
) -> list[str]:
  """Names of the laws that `--law=all` compares on one table and target.

  Laws of one stream always; mixture laws where the target's own source and
  others have varying shares; those at fixed N and D only where that holds.
  """
  _, rows = select(
    'chinchilla', table, target, only_final=only_final, all_rows=True
  )
  fixed = _at_one_size(rows)
  source = forms.source_of(target)
  own = f'share/{source}'
  if source and sources(rows) and source not in sources(rows):
    return []  # Nobody trained on it: its loss has no law in these runs.
  names = [] if fixed else ['chinchilla', 'kaplan']
  if own in rows and rows[own].nunique() > 1:
    names += ['exponential'] if fixed else ['transfer', 'additive']
  return names


def distinct(values: Sequence[float] | pd.Series) -> int:
  """Number of values that differ by more than 1%."""
  ordered = np.sort(np.asarray(values, dtype=np.float64))
  return 1 + int(np.sum(np.diff(np.log(ordered)) > 0.01))


def _at_one_size(rows: pd.DataFrame) -> bool:
  return all(
    name not in rows or distinct(rows[name]) == 1
    for name in ('num_params', 'num_tokens')
  )


def keep(table: pd.DataFrame, conditions: Sequence[str]) -> pd.DataFrame:
  """Rows that meet all conditions like `seed=0` or `num_params>=1e6`.

  Raises:
    UserError: for a condition that cannot be read or leaves no row.
  """
  for condition in conditions:
    match = _FILTER.fullmatch(condition)
    if not match or match.group(1).strip() not in table:
      raise errors.UserError(
        f'A filter is COLUMN=VALUE, with =, !=, <, >, <= or >=, on a column of'
        f' the table; got {condition!r}; the columns are'
        f' {", ".join(table.columns)}.'
      )
    name, sign, text = (part.strip() for part in match.groups())
    value: float | str | bool = text
    if pd.api.types.is_bool_dtype(table[name]):
      value = text.lower() in ('true', '1')
    elif pd.api.types.is_numeric_dtype(table[name]):
      try:
        value = float(text)
      except ValueError as error:
        raise errors.UserError(
          f'The filter {condition!r} compares numbers; got {text!r}.'
        ) from error
    table = table[_COMPARE[sign](table[name], value)]
    if table.empty:
      raise errors.UserError(f'The filter {condition!r} leaves no row.')
  return table
