"""Predictions of fits for figures: curves with bands, points against runs."""

from collections.abc import Mapping
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from codelaw.laws import forms
from codelaw.laws import results

ON_ONE_SOURCE = 0.999  # share from which a run counts as a single source


def curve(
  fit: results.Fit, columns: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray | None]:
  """Predicted losses [n], and their band [2, n] from the bootstrap fits.

  Args:
    fit: of any law.
    columns: column -> values [n].

  Returns:
    The losses at the estimates; lower and upper ends at the fit's interval
    level, or None when the fit has no bootstrap estimates.
  """
  law = forms.law_of(fit)
  with jax.enable_x64(True):
    points = jnp.stack(
      jnp.broadcast_arrays(*(jnp.asarray(columns[c]) for c in law.columns))
    )
    best = jnp.array([fit.estimates[name] for name in law.parameters])
    losses = np.asarray(law.formula(best, points))
    if not all(fit.bootstrap_estimates.get(name) for name in law.parameters):
      return losses, None
    samples = jnp.stack(
      [jnp.asarray(fit.bootstrap_estimates[name]) for name in law.parameters],
      axis=1,
    )
    drawn = np.asarray(
      jax.vmap(law.formula, in_axes=(0, None))(samples, points)
    )
  tails = [50 * (1 - fit.interval_level), 50 * (1 + fit.interval_level)]
  return losses, np.percentile(drawn, tails, axis=0)


def final_rows(table: pd.DataFrame) -> pd.DataFrame:
  """The last evaluation of every run."""
  if 'is_final' not in table:
    return table
  return table[table['is_final'].astype(str).str.lower().isin(['true', '1'])]


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

  Returns:
    Columns run_id, purpose (empty when not known), target, measured,
    predicted; rows where a law's columns or the loss are missing are left
    out.
  """
  rows = final_rows(table)
  parts = []
  for fit in fits:
    columns = forms.law_of(fit).columns
    if not {fit.target, *columns} <= set(rows.columns):
      continue
    known = rows.dropna(subset=[fit.target, *columns])
    predicted, _ = curve(fit, {c: known[c].to_numpy(float) for c in columns})
    parts.append(
      pd.DataFrame(
        {
          'run_id': known['run_id'],
          'purpose': [purposes.get(run, '') for run in known['run_id']],
          'target': fit.target,
          'measured': known[fit.target].to_numpy(float),
          'predicted': predicted,
        }
      )
    )
  if not parts:
    return pd.DataFrame()
  return pd.concat(parts, ignore_index=True)
