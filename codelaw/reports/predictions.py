"""The rows and predictions behind the figures of laws."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

import numpy as np
import pandas as pd

from codelaw import accounting
from codelaw import errors
from codelaw.laws import forms
from codelaw.laws import frontier
from codelaw.laws import points as points_lib
from codelaw.laws import predict
from codelaw.laws import results
from codelaw.laws import selection

_BUDGETS = 25  # Budgets at which a frontier is found.
_BEYOND = 100.0  # How far beyond the runs' compute frontiers reach.
_SIZES_BEYOND = 1e3  # How far beyond the runs' sizes they are searched.


@dataclasses.dataclass(frozen=True)
class Fitted:
  """A law beside the points it was fitted to.

  Attributes:
    label: what tells it from the others of its report.
    fit: the law.
    points: one row per point: run_id, the law's columns, observed, predicted.
    exact: whether the points are known to be those that were fitted.
  """

  label: str
  fit: results.Fit
  points: pd.DataFrame
  exact: bool = True

  @property
  def compute(self) -> tuple[float, float]:
    """Least and most 6 N D of the points."""
    products = (
      accounting.FLOPS_PER_PARAMETER_AND_TOKEN
      * self.points['num_params']
      * self.points['num_tokens']
    )
    return float(products.min()), float(products.max())


def label(fit: results.Fit) -> str:
  """The source or group a fit is about, whichever it has.

  A target that is no source's, like `loss`, goes unnamed beside a group.
  """
  source = forms.source_of(fit.target)
  if fit.group:
    return f'{source} ({fit.group})' if source else fit.group
  return source or fit.target


def first(fits: Sequence[results.Fit]) -> list[results.Fit]:
  """The first law of each target and group, which is the one that counts."""
  chosen: dict[tuple[str, str], results.Fit] = {}
  for fit in fits:
    chosen.setdefault((fit.target, fit.group), fit)
  return list(chosen.values())


def counting(
  fits: Sequence[results.Fit], among: Sequence[results.Fit]
) -> list[results.Fit]:
  """Those of `fits` that no other law of their target outdoes in `among`."""
  lost = outdone(among)
  return [fit for fit in fits if fit not in lost]


def outdone(fits: Sequence[results.Fit]) -> list[results.Fit]:
  """Laws that were compared with others of their target and did not win."""
  least: dict[tuple[str, str], float] = {}
  for fit in fits:
    key, error = (fit.target, fit.group), held_out_error(fit)
    if error is not None:
      least[key] = min(error, least.get(key, error))
  return [
    fit
    for fit in fits
    if (error := held_out_error(fit)) is not None
    and error > least[fit.target, fit.group]
  ]


def held_out_error(fit: results.Fit) -> float | None:
  """The error by which laws were compared; None for a law by itself."""
  return fit.diagnostics.get('held_out_mean_relative_error')


def final_rows(table: pd.DataFrame) -> pd.DataFrame:
  """The last evaluation of every run."""
  return table[table['is_final']] if 'is_final' in table else table


def fitted(
  fits: Sequence[results.Fit],
  table: pd.DataFrame | None,
  group_column: str | None = None,
) -> list[Fitted]:
  """The first law of each target and group, with its points.

  The points are those the fit itself recorded (`residual_points` in its
  diagnostics); for a fit without them, the rows of the table that
  `codelaw fit` takes. A law whose points are nowhere to be had is left out.

  Args:
    fits: as `codelaw fit` orders them.
    table: run table, without runs that the laws have not seen.
    group_column: column of the table that names the group of a fit.
  """
  found = []
  for fit in first(fits):
    points, exact = _recorded(fit), True
    if points is None and table is not None:
      points, exact = _selected(fit, table, group_column)
    if points is not None and len(points):
      found.append(Fitted(label(fit), fit, points, exact))
  return found


def _recorded(fit: results.Fit) -> pd.DataFrame | None:
  points = pd.DataFrame(fit.diagnostics.get('residual_points') or [])
  needed = {*forms.law_of(fit).columns, 'observed', 'predicted'}
  return points if needed <= set(points.columns) else None


def _selected(
  fit: results.Fit, table: pd.DataFrame, group_column: str | None
) -> tuple[pd.DataFrame | None, bool]:
  """The rows of a table for a fit, and whether they are what was fitted."""
  if fit.group:
    if group_column is None or group_column not in table:
      return None, False
    table = table[table[group_column].astype(str) == fit.group]
  law = forms.law_of(fit)
  chosen: pd.DataFrame | None = None
  exact = False
  for all_rows in (False, True):  # `--law=all` takes mixed runs too.
    try:
      _, rows = selection.select(fit.law, table, fit.target, all_rows=all_rows)
      fingerprint = points_lib.read(law, rows, fit.target).fingerprint
    except errors.UserError:
      continue  # The table does not hold what the law needs.
    exact = fingerprint == fit.table_fingerprint
    if chosen is None or exact:
      chosen = rows
    if exact:
      break
  if chosen is None:
    return None, False
  columns = [c for c in ('run_id', *law.columns) if c in chosen]
  predicted, _, _ = predict.at(fit, chosen)
  points = chosen[columns].assign(
    observed=chosen[fit.target], predicted=predicted
  )
  return points, exact


def with_sizes(laws: Sequence[Fitted]) -> list[Fitted]:
  """The laws that relate size and tokens."""
  return [law for law in laws if frontier.has_sizes(forms.law_of(law.fit))]


def typical(
  law: Fitted, shares: Mapping[str, float] | None
) -> dict[str, float]:
  """Values for the columns of a law other than size and tokens.

  Args:
    law: with its points.
    shares: source -> share; without them, the mean of the points.
  """
  values = {}
  for name in forms.law_of(law.fit).columns:
    if name in ('num_params', 'num_tokens'):
      continue
    source = name.removeprefix('share/')
    if shares is not None and name.startswith('share/'):
      values[name] = shares.get(source, 0.0)
    else:
      values[name] = float(law.points[name].mean())
  return values


def frontier_of(
  law: Fitted, shares: Mapping[str, float] | None = None
) -> frontier.Frontier:
  """The frontier of a law over the compute of its points and beyond."""
  least, most = law.compute
  sizes = law.points['num_params']
  return frontier.of(
    law.fit,
    np.geomspace(least, most * _BEYOND, _BUDGETS),
    (sizes.min() / _SIZES_BEYOND, sizes.max() * _SIZES_BEYOND),
    typical(law, shares),
  )


def against_measured(
  table: pd.DataFrame,
  fits: Sequence[results.Fit],
  purposes: Mapping[str, str],
) -> pd.DataFrame:
  """Measured and predicted losses of every final row and target.

  Args:
    table: run table.
    fits: the first of a target counts, as `allocate` takes it.
    purposes: run id -> what the run was for.

  Returns:
    Columns run_id, purpose (empty when not known), target, measured,
    predicted; rows where a law's columns or the loss are missing are left
    out.
  """
  rows = final_rows(table)
  parts = []
  for fit in first(fits):
    columns = forms.law_of(fit).columns
    if not {fit.target, *columns} <= set(rows.columns):
      continue
    known = rows.dropna(subset=[fit.target, *columns])
    parts.append(
      pd.DataFrame(
        {
          'run_id': known['run_id'],
          'purpose': [purposes.get(run, '') for run in known['run_id']],
          'target': fit.target,
          'measured': known[fit.target],
          'predicted': predict.at(fit, known)[0],
        }
      )
    )
  return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
