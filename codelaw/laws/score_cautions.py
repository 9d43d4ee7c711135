"""When scores say nothing of a law, and what to doubt in one that was fitted.

Warnings are sentence parts as those of `cautions`: without a capital or a full
stop.
"""

from collections.abc import Iterator
from collections.abc import Mapping

import numpy as np
from scipy import optimize
from scipy import stats

from codelaw import errors
from codelaw.laws import item_errors

_SURE = 0.01  # p-value of the order of scores without any law
_FEW_DEGREES_OF_FREEDOM = 3
_WIDE_INTERVAL = 0.2  # of the scale, of an end
_SCATTER = 2.0  # run_sd above so many standard errors over items
_STEP = 4.0  # odds change by e to this within a gap without any run


def check_identified(
  losses: np.ndarray,
  scores: np.ndarray,
  dispersion: np.ndarray,
  scale: float,
  target: str,
) -> None:
  """Raises `UserError` unless scores fall with the loss beyond chance.

  Correlation of ranks (Spearman), which asks nothing of the form, or of values
  (Pearson), which sees a step whose sides have no order; one-sided, at half the
  p-value each.

  Args:
    losses: x, by rising values [n].
    scores: at them [n].
    dispersion: see `item_errors` [n].
    scale: of the metric.
    target: for the message.
  """
  if losses[-1] <= losses[0] * (1 + 1e-9):
    raise errors.UserError(
      f'The law of {target} cannot be identified: the loss is {losses[0]:g} in'
      f' all {losses.size} points. Add runs with other losses.'
    )
  if np.ptp(scores) > 0:
    tests = [
      test(losses, scores, alternative='less').pvalue
      for test in (stats.spearmanr, stats.pearsonr)
    ]
    if min(tests) <= _SURE / len(tests):
      return
  mean = float(scores.mean())
  variances = item_errors.variances(
    np.full(scores.shape, mean), dispersion, scale
  )
  head = f'The law of {target} cannot be identified: '
  if np.ptp(scores) == 0 or (
    np.isfinite(variances).all()
    and np.sum((scores - mean) ** 2 / variances)
    <= stats.chi2.ppf(0.95, scores.size - 1)
  ):
    raise errors.UserError(
      f'{head}all {scores.size} scores lie within noise of {mean:.4g}, as at'
      ' chance, whatever the loss. Add better models, or take a task that'
      ' these models begin to solve.'
    )
  raise errors.UserError(
    f'{head}over {scores.size} points the score does not fall with the loss'
    ' beyond what chance would give (p > 0.01). Add runs whose losses'
    ' differ more, or take a loss that is nearer to the task.'
  )


def warnings(
  *,
  losses: np.ndarray,
  scores: np.ndarray,
  dispersion: np.ndarray,
  scale: float,
  estimates: Mapping[str, float],
  fixed: Mapping[str, float],
  intervals: Mapping[str, tuple[float, float]],
  run_sd: float,
  freedom: int,
) -> list[str]:
  """All warnings that apply, the gravest first; arguments as `ScoreLaw`."""
  variances = item_errors.variances(scores, dispersion, scale)
  return [
    *_order(losses, scores, variances),
    *_ends(losses, scale, estimates, fixed, intervals),
    *_gap(losses, estimates),
    *_noise(run_sd, variances, freedom),
  ]


def _order(
  losses: np.ndarray, scores: np.ndarray, variances: np.ndarray
) -> Iterator[str]:
  """Whether scores rise with the loss somewhere, beyond the noise.

  The best monotone curve (isotonic regression) is left by chi-squared noise.
  """
  noise = np.maximum(np.nan_to_num(variances), _local_variance(losses, scores))
  found = optimize.isotonic_regression(
    scores, weights=1 / noise, increasing=False
  )
  misfit = np.sum((scores - found.x) ** 2 / noise)
  if misfit > stats.chi2.ppf(1 - _SURE, scores.size):
    worst = int(np.argmax(np.abs(scores - found.x)))
    yield (
      'the scores are not monotone in this loss: they rise with it around'
      f' {losses[worst]:.4g} by more than noise, which no sigmoid does; the'
      ' loss does not decide this score'
    )


def _local_variance(losses: np.ndarray, scores: np.ndarray) -> float:
  """Of a score about the line through its neighbours, by their median.

  A median, so that a few steps are no noise; never 0.
  """
  gaps = np.diff(losses)
  both = gaps[:-1] + gaps[1:]
  left = np.where(both > 0, gaps[1:] / np.where(both > 0, both, 1), 0.5)
  off = scores[1:-1] - left * scores[:-2] - (1 - left) * scores[2:]
  each = off**2 / (1 + left**2 + (1 - left) ** 2)
  # The median of a normal square is 0.455 of its mean.
  return float(
    np.median(each) / stats.chi2.ppf(0.5, 1) + (1e-6 * np.ptp(scores)) ** 2
  )


def _ends(
  losses: np.ndarray,
  scale: float,
  estimates: Mapping[str, float],
  fixed: Mapping[str, float],
  intervals: Mapping[str, tuple[float, float]],
) -> Iterator[str]:
  for name, outside, side, which in (
    ('ceiling', estimates['midpoint'] < losses[0], 'below', 'lowest'),
    ('floor', estimates['midpoint'] > losses[-1], 'above', 'highest'),
  ):
    low, high = intervals.get(name, (np.nan, np.nan))
    wide = high - low > _WIDE_INTERVAL * scale
    if name not in fixed and (outside or wide):
      yield (
        f'the {name} is not seen by these runs'
        + (
          f', whose {which} loss the midpoint lies {side}'
          if outside
          else f' (interval {low:.3g} to {high:.3g})'
        )
        + f': trust the law between the observed losses only, or fix --{name}'
      )


def _gap(losses: np.ndarray, estimates: Mapping[str, float]) -> Iterator[str]:
  place = int(np.searchsorted(losses, estimates['midpoint']))
  if 0 < place < losses.size:
    low, high = losses[place - 1], losses[place]
    if high - low > _STEP * estimates['width']:
      yield (
        f'the score jumps between the losses {low:.4g} and {high:.4g}, where no'
        ' run lies: midpoint and width are known no better than that'
      )


def _noise(run_sd: float, variances: np.ndarray, freedom: int) -> Iterator[str]:
  if freedom < _FEW_DEGREES_OF_FREEDOM:
    yield (
      f'the noise is known with {freedom} degrees of freedom alone: add runs,'
      ' or fix --floor or --ceiling'
    )
  if not np.isfinite(variances).all():
    yield (
      'the scores have no standard errors over items, so that all runs count'
      ' the same'
    )
  elif run_sd > _SCATTER * np.sqrt(np.median(variances)):
    yield (
      f'runs scatter by {run_sd:.3g} about the law, beyond the error over items'
      f' ({np.sqrt(np.median(variances)):.2g}): this loss does not decide the'
      ' score alone'
    )
