"""Predicted losses, with intervals, at the points of a table.

Two intervals, of the fit's level, around the same prediction:
  mean: where the law lies, from the fit's bootstrap estimates.
  run: where the loss of one new run lies; the noise of a run is added, as
    Student's t with the degrees of freedom with which it is known.
"""

from collections.abc import Callable
from collections.abc import Sequence
import functools

import jax
import numpy as np
import pandas as pd
from scipy import stats

from codelaw import errors
from codelaw.laws import forms
from codelaw.laws import objectives
from codelaw.laws import results
from codelaw.laws import solver

INTERVALS = ('mean', 'run')
_NOISE_QUANTILES = 32  # For each bootstrap estimate.
_MAX_SAMPLES = 1 << 22  # Held in memory at a time.
_LEAST_LENGTH = 64  # of a table that a program is compiled for


def predict(
  fits: Sequence[results.Fit],
  points: pd.DataFrame,
  group_column: str | None = None,
  interval: str = 'mean',
) -> pd.DataFrame:
  """Adds predictions to the rows of `points`.

  Args:
    fits: at most one per target and group; of several the first counts, as
      `codelaw fit --law=all` orders them by held-out error.
    points: with the columns of the laws; shares that are missing are 0.
    group_column: column of `points` that names the group of a fit; needed
      when the fits have groups.
    interval: one of `INTERVALS`.

  Returns:
    The rows of `points` plus `predicted/<target>`, `predicted_low/<target>`
    and `predicted_high/<target>`; no value where a group has no fit.

  Raises:
    UserError: when a column is missing.
  """
  first: dict[tuple[str, str], results.Fit] = {}
  for fit in fits:
    first.setdefault((fit.target, fit.group), fit)
  grouped = any(group for _, group in first)
  if grouped and (group_column is None or group_column not in points):
    raise errors.UserError(
      'These fits belong to groups'
      f' ({", ".join(sorted({g for _, g in first}))}); name the column of the'
      ' points that holds them (--group_by).'
    )
  table = points.copy()
  for (target, group), fit in first.items():
    chosen = np.ones(len(points), dtype=bool)
    if grouped:
      chosen = points[group_column].astype(str).to_numpy() == group
    for name, values in zip(
      ('predicted', 'predicted_low', 'predicted_high'),
      at(fit, points[chosen], interval),
      strict=True,
    ):
      column = f'{name}/{target}'
      if column not in table:
        table[column] = np.nan
      table.loc[chosen, column] = values
  return table


def at(
  fit: results.Fit, points: pd.DataFrame, interval: str = 'mean'
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """(estimate, low, high) [n] of one fit at the rows of `points`.

  Raises:
    UserError: as `draws`, and when the fit does not know the noise of its
      runs.
  """
  losses = draws(fit, points)
  if len(losses) == 1:
    return losses[0], *(np.full((2, len(points)), np.nan))
  tails = 50 * (1 - fit.interval_level), 50 * (1 + fit.interval_level)
  if interval == 'mean':
    low, high = np.percentile(losses[1:], tails, axis=0)
  else:
    low, high = _with_noise(fit, losses[1:], tails)
  return losses[0], low, high


def draws(fit: results.Fit, points: pd.DataFrame) -> np.ndarray:
  """Losses [1 + B, n]: by the estimates, then by every bootstrap fit.

  Raises:
    UserError: when a column is missing, or a point of a mixture law has no
      share of any source.
  """
  law = forms.law_of(fit)
  columns = {
    name: np.zeros(len(points))
    if name.startswith('share/') and name not in points
    else points[name].to_numpy(dtype=np.float64)
    for name in law.columns
    if name in points or name.startswith('share/')
  }
  if law.shares and not np.any([columns[c] for c in law.shares], axis=0).all():
    raise errors.UserError(
      f'The law {law.name} of {fit.target} needs shares; at least one point'
      f' has none of {", ".join(law.shares)}.'
    )
  for kind, wanted, given, holder in (
    ('parameter', law.parameters, fit.estimates, 'the fit has'),
    ('column', law.columns, columns, 'the points have'),
  ):
    missing = [name for name in wanted if name not in given]
    if missing:
      known = points.columns if kind == 'column' else given
      raise errors.UserError(
        f'The law {law.name} of {fit.target} needs the {kind}'
        f' {", ".join(missing)}; {holder} {", ".join(map(str, known))}.'
      )
  parameters = parameter_sets(fit, law)
  count = len(points)
  # One compiled program serves all tables of about this length.
  length = max(_LEAST_LENGTH, 1 << (count - 1).bit_length()) if count else 0
  padded = np.ones((len(columns), length))
  padded[:, :count] = [columns[name] for name in law.columns]
  with solver.float64():
    return np.asarray(_losses(law.formula, parameters, padded))[:, :count]


def drawn_alike(fit: results.Fit) -> bool:
  """Whether bootstrap fits of other targets come from the same noise."""
  simulated = fit.diagnostics.get('bootstrap', 'noise') == 'noise'
  return simulated and 'pooling' not in fit.diagnostics


def noise_of_runs(
  fit: results.Fit, losses: np.ndarray, parts: np.ndarray
) -> np.ndarray:
  """Losses with the noise of one run at quantiles `parts` of it.

  Args:
    fit: that knows the noise of its runs.
    losses: of its law; broadcast against `parts`.
    parts: from 0 to 1.

  Raises:
    UserError: when the fit does not know it.
  """
  known = ('noise_sd', 'noise_degrees_of_freedom')
  if not all(name in fit.diagnostics for name in known):
    raise errors.UserError(
      f'The fit of {fit.law} to {fit.target} does not hold the noise of its'
      ' runs: fit again with this version of `codelaw fit`, or ask for'
      ' --interval=mean.'
    )
  sd, freedom = (fit.diagnostics[name] for name in known)
  noise = sd * stats.t.ppf(parts, freedom)
  if fit.objective_name in objectives.OF_LOGARITHMS:
    return losses * np.exp(noise)
  return losses + noise


def _with_noise(
  fit: results.Fit, losses: np.ndarray, tails: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
  """Percentiles [n] of losses [B, n] with the noise of one run added."""
  parts = (np.arange(_NOISE_QUANTILES) + 0.5) / _NOISE_QUANTILES
  width = max(1, _MAX_SAMPLES // (_NOISE_QUANTILES * len(losses)))
  ends = []
  for first in range(0, losses.shape[1], width):
    part = losses[:, first : first + width]
    noisy = noise_of_runs(fit, part, parts[:, None, None])
    ends.append(np.percentile(noisy, tails, axis=(0, 1)))
  low, high = np.concatenate(ends, axis=1) if ends else np.empty((2, 0))
  return low, high


def parameter_sets(fit: results.Fit, law: forms.Law) -> np.ndarray:
  """[1 + B, P]: the estimates, then those of every bootstrap fit."""
  drawn = min((len(v) for v in fit.bootstrap_estimates.values()), default=0)
  sets = np.empty((1 + drawn, len(law.parameters)))
  for place, name in enumerate(law.parameters):
    sets[0, place] = fit.estimates[name]
    sets[1:, place] = fit.bootstrap_estimates.get(name, fit.estimates[name])
  return sets


@functools.partial(jax.jit, static_argnums=0)
def _losses(
  formula: Callable[[jax.Array, jax.Array], jax.Array],
  parameters: jax.Array,
  columns: jax.Array,
) -> jax.Array:
  """Losses [B, n] of parameter sets [B, P] at columns [C, n]."""
  return jax.vmap(lambda values: formula(values, columns))(parameters)


def beyond_ranges(
  fits: Sequence[results.Fit], points: pd.DataFrame
) -> list[str]:
  """Says which columns of `points` leave the ranges that were fitted."""
  widest: dict[str, tuple[float, float]] = {}
  for fit in fits:
    for name, (low, high) in fit.diagnostics.get('ranges', {}).items():
      least, most = widest.get(name, (low, high))
      widest[name] = (min(low, least), max(high, most))
  notes = []
  for name, (low, high) in widest.items():
    if name not in points:
      continue
    outside = int(((points[name] < low) | (points[name] > high)).sum())
    if outside:
      notes.append(
        f'{outside} of {len(points)} points have {name} outside the fitted'
        f' range {low:g} to {high:g}: those predictions extrapolate.'
      )
  return notes
