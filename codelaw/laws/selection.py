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


def scores(table: pd.DataFrame) -> list[str]:
  """Columns of scores of tasks, in order."""
  return sorted(name for name in table.columns if name.startswith('score/'))


def score_rows(
  table: pd.DataFrame,
  target: str,
  losses: Sequence[str],
  *,
  only_final: bool = True,
) -> pd.DataFrame:
  """The rows a law of a score is fitted to: those with it and its losses.

  Args:
    table: run table.
    target: column of scores.
    losses: columns that its law reads.
    only_final: leave out evaluations before a run's end.

  Raises:
    UserError: when the table has no such column, or no row is left.
  """
  for name in (target, *losses):
    if name not in table:
      raise errors.UserError(
        f'The run table has no column {name}; its scores are'
        f' {", ".join(scores(table)) or "(none)"}, its losses'
        f' {", ".join(targets(table)) or "(none)"}. Scores come from `codelaw'
        ' evaluate`, and into the table with `codelaw collect`.'
      )
  rows = table.dropna(subset=[target, *losses])
  if only_final and 'is_final' in rows:
    rows = rows[rows['is_final'].astype(bool)]
  if rows.empty:
    raise errors.UserError(
      f'No finished run has both {target} and {", ".join(losses)}. Evaluate'
      ' the last checkpoints, or take --only_final=false.'
    )
  return rows


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
    name: of the law, one of `forms.names()`.
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
  law = forms.law(name, target, sources(rows))
  one_stream = not law.shares
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
  varying = _varying(rows, law.constant_columns)
  if varying:
    raise errors.UserError(
      f'The law {name} holds at one {" and one ".join(law.constant_columns)};'
      f' the runs for {target} have several {" and ".join(varying)}. Choose'
      ' them with --filter, or take another law.'
    )
  absent = [c for c in law.positive_shares if not (rows[c] > 0).all()]
  if absent:
    raise errors.UserError(
      f'The law {name} of {target} has no finite loss without'
      f' {", ".join(absent)}, which is 0 in some runs. Leave them out with'
      f' --filter="{absent[0]}>0", or take another law.'
    )
  return law, rows


def applicable(
  table: pd.DataFrame, target: str, *, only_final: bool = True
) -> list[str]:
  """Names of the laws that `--law=all` compares on one table and target.

  A law applies when the table has its columns and they vary as it needs:
  sizes and the target's own share take several values, repeats occur, and
  what the law holds constant is constant. A target whose source has a share
  column that no run uses has no law.
  """
  _, rows = select(
    'chinchilla', table, target, only_final=only_final, all_rows=True
  )
  own = f'share/{forms.source_of(target)}'
  trained = sources(rows)
  if own in table and forms.source_of(target) not in trained:
    return []  # Nobody trained on it: its loss has no law in these runs.
  names = []
  for name in forms.names():
    try:
      law = forms.law(name, target, trained)
    except errors.UserError:
      continue  # A mixture law without mixtures, or without this target.
    if (
      set(law.columns) <= set(rows)
      and not _varying(rows, law.constant_columns)
      and len(_varying(rows, law.sizes)) == len(law.sizes)
      and (not law.shares or own not in rows or rows[own].nunique() > 1)
      and all((rows[column] > 0).all() for column in law.positive_shares)
      and ('unique_tokens' not in law.columns or _repeats(rows))
    ):
      names.append(name)
  return names


def distinct(values: Sequence[float] | pd.Series) -> int:
  """Number of values that differ by more than 1%."""
  ordered = np.sort(np.asarray(values, dtype=np.float64))
  return 1 + int(np.sum(np.diff(np.log(ordered)) > 0.01))


def _varying(rows: pd.DataFrame, columns: Sequence[str]) -> list[str]:
  return [c for c in columns if c in rows and distinct(rows[c]) > 1]


def _repeats(rows: pd.DataFrame) -> bool:
  """Whether some run saw tokens again."""
  return bool((rows['unique_tokens'] < rows['num_tokens']).any())


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
