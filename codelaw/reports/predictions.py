"""The rows and predictions behind the figures."""

from collections.abc import Mapping
from collections.abc import Sequence

import pandas as pd

from codelaw.laws import forms
from codelaw.laws import predict
from codelaw.laws import results

ON_ONE_SOURCE = 0.999  # share from which a run counts as a single source


def final_rows(table: pd.DataFrame) -> pd.DataFrame:
  """The last evaluation of every run."""
  return table[table['is_final']] if 'is_final' in table else table


def single_source_rows(table: pd.DataFrame, target: str) -> pd.DataFrame:
  """Final rows of the runs on the target's own source alone."""
  rows = final_rows(table)
  share = f'share/{forms.source_of(target)}'
  if share in rows:
    rows = rows[rows[share] >= ON_ONE_SOURCE]
  return rows[rows[target].notna()] if target in rows else rows.iloc[:0]


def against_measured(
  table: pd.DataFrame,
  fits: Sequence[results.Fit],
  purposes: Mapping[str, str],
) -> pd.DataFrame:
  """Measured and predicted losses of every final row and target.

  Args:
    table: run table.
    fits: of one group; the first of a target counts, as `allocate` takes it.
    purposes: run id -> what the run was for.

  Returns:
    Columns run_id, purpose (empty when not known), target, measured,
    predicted; rows where a law's columns or the loss are missing are left
    out.
  """
  rows = final_rows(table)
  first: dict[str, results.Fit] = {}
  for fit in fits:
    first.setdefault(fit.target, fit)
  parts = []
  for target, fit in first.items():
    columns = forms.law_of(fit).columns
    if not {target, *columns} <= set(rows.columns):
      continue
    known = rows.dropna(subset=[target, *columns])
    parts.append(
      pd.DataFrame(
        {
          'run_id': known['run_id'],
          'purpose': [purposes.get(run, '') for run in known['run_id']],
          'target': target,
          'measured': known[target],
          'predicted': predict.at(fit, known)[0],
        }
      )
    )
  return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
