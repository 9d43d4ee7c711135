"""Predicted scores, with intervals: laws of scores behind laws of losses.

Bootstrap draws of both are put one behind the other, so that an interval holds
what is not known of either:
  mean: where the chain of laws lies.
  run: where the score of one new run lies, measured on the same items; its
    loss has the noise of a run, and its score run_sd and the error over items.
"""

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import pandas as pd

from codelaw import errors
from codelaw.laws import item_errors
from codelaw.laws import predict
from codelaw.laws import results
from codelaw.laws import score_law

_RUNS_PER_DRAW = 16
_SEED = 0  # of the noise of runs; predictions do not depend on who asks


def add(
  table: pd.DataFrame,
  fits: Sequence[results.Fit],
  laws: Sequence[score_law.ScoreLaw],
  interval: str = 'mean',
) -> tuple[pd.DataFrame, list[str]]:
  """Adds predicted scores to the rows of a table.

  Args:
    table: with the columns of the laws of losses.
    fits: of losses; the first of a target counts.
    laws: of scores.
    interval: one of `predict.INTERVALS`.

  Returns:
    The rows plus `predicted/<score>`, `predicted_low/...` and
    `predicted_high/...`; and in words, which predictions extrapolate.

  Raises:
    UserError: when a loss that a law reads has no fit, fits have groups, or a
      column is missing.
  """
  if any(fit.group for fit in fits):
    raise errors.UserError(
      'Scores are predicted from losses of one group; these fits have groups.'
      ' Fit them apart.'
    )
  first = first_fits(fits, laws)
  losses = {name: predict.draws(fit, table) for name, fit in first.items()}
  table, notes = table.copy(), []
  for law in laws:
    own = {name: first[name] for name in law.losses}
    x = _mean(law, {name: losses[name][:1] for name in own})[0]
    table[f'predicted/{law.target}'] = score_law.value(law.parameters, x)
    low, high = _interval(law, own, losses, interval)
    table[f'predicted_low/{law.target}'] = low
    table[f'predicted_high/{law.target}'] = high
    notes += beyond(law, x)
  return table, notes


def first_fits(
  fits: Sequence[results.Fit], laws: Sequence[score_law.ScoreLaw]
) -> dict[str, results.Fit]:
  """Column of losses -> its first fit, for all losses that the laws read.

  Raises:
    UserError: when one has none.
  """
  found: dict[str, results.Fit] = {}
  for fit in fits:
    found.setdefault(fit.target, fit)
  for law in laws:
    missing = [name for name in law.losses if name not in found]
    if missing:
      raise errors.UserError(
        f'The law of {law.target} reads {", ".join(missing)}, of which there'
        f' is no law; the fits are of {", ".join(found)}. Fit it with `codelaw'
        ' fit`, or fit the score with --from_loss of another.'
      )
  wanted = {name for law in laws for name in law.losses}
  return {name: fit for name, fit in found.items() if name in wanted}


def beyond(law: score_law.ScoreLaw, losses: np.ndarray) -> list[str]:
  """Says how many losses x lie outside those that a law was fitted to."""
  low, high = law.diagnostics['loss_range']
  return [
    f'{count} of {len(losses)} predicted losses lie {side} those of the runs'
    f' that {law.target} was fitted to ({low:.4g} to {high:.4g}): these scores'
    ' extrapolate.'
    for count, side in zip(
      law.num_beyond(losses), ('below', 'above'), strict=True
    )
    if count
  ]


def _mean(
  law: score_law.ScoreLaw, losses: Mapping[str, np.ndarray]
) -> np.ndarray:
  return np.sum(
    [weight * losses[name] for name, weight in law.losses.items()], axis=0
  )


def _interval(
  law: score_law.ScoreLaw,
  fits: Mapping[str, results.Fit],
  losses: Mapping[str, np.ndarray],
  interval: str,
) -> tuple[np.ndarray, np.ndarray]:
  """Ends [n] of the interval at every point; NaN without bootstrap fits."""
  parameters = law.draws
  drawn = min(len(losses[name]) for name in fits) - 1
  length = losses[next(iter(fits))].shape[1]
  if not drawn or not len(parameters):
    low, high = np.full((2, length), np.nan)
    return low, high
  places = np.arange(max(drawn, len(parameters)))
  parameters = parameters[places % len(parameters)][:, None]
  picked = {}
  for turn, (name, fit) in enumerate(fits.items()):
    # Noise drawn alike is taken from elsewhere for each loss, as allocations
    # do (`planning.objective.Objective.bootstrap`).
    shift = turn * drawn // len(fits) if predict.drawn_alike(fit) else 0
    picked[name] = losses[name][1 + (places + shift) % drawn]
  if interval == 'mean':
    scores = score_law.value(parameters, _mean(law, picked))
  else:
    scores = _of_new_runs(law, fits, picked, parameters)
  tails = 50 * (1 - law.interval_level), 50 * (1 + law.interval_level)
  low, high = np.percentile(scores, tails, axis=0)
  return low, high


def _of_new_runs(
  law: score_law.ScoreLaw,
  fits: Mapping[str, results.Fit],
  losses: Mapping[str, np.ndarray],
  parameters: np.ndarray,
) -> np.ndarray:
  """Scores of runs with their noise [draws of laws and of noise, n]."""
  generator = np.random.default_rng(_SEED)
  count, length = next(iter(losses.values())).shape
  noisy = {
    name: predict.noise_of_runs(
      fits[name], values, generator.uniform(size=(_RUNS_PER_DRAW, count, 1))
    ).reshape(-1, length)
    for name, values in losses.items()
  }
  parameters = np.tile(parameters, (_RUNS_PER_DRAW, 1, 1))
  scores = score_law.value(parameters, _mean(law, noisy))
  variances = np.full(scores.shape, law.run_sd**2)
  if law.dispersion is not None:
    dispersion = np.array(law.dispersion)
    variances += item_errors.variances(scores, dispersion, law.scale)
  noise = generator.standard_normal((len(scores), 1))
  return np.clip(scores + noise * np.sqrt(variances), 0, law.scale)
