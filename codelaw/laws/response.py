"""A smooth response of a score to a share, from few points without repeats.

The response is a Gaussian process with a squared-exponential covariance,
  k(x, x') = s^2 exp(-(x - x')^2 / (2 l^2)), plus noise of sd n per point,
whose length l, amplitude s and noise n are averaged over grids by their
marginal likelihood, with equal weight beforehand (Rasmussen and Williams 2006,
Gaussian Processes for Machine Learning, Eq. 2.30). Few points hardly determine
them, so the bands are wide where the points leave it open; with one run per
point the noise is a range of assumptions and not a measurement.
"""

from collections.abc import Sequence
import dataclasses
import itertools

import numpy as np
from scipy import linalg

from codelaw import errors

_GRID = 51
_NUM_PATHS = 2000
_LENGTHS = (0.35, 0.6, 1.0)  # Of the range of shares.
_AMPLITUDES = (0.5, 1.0, 2.0)  # Of the spread of the values.
_JITTER = 1e-8


@dataclasses.dataclass(frozen=True)
class Response:
  """What is known of a response.

  Attributes:
    shares: where it is drawn [G].
    middle: median of the posterior [G].
    low: lower end of its pointwise interval [G].
    high: upper end [G].
    optimum: share of the greatest value: median over the posterior.
    optimum_low: lower end of the optimum's interval.
    optimum_high: upper end.
    bracket: neighbours of the best point, between which the optimum of any
      response with one peak lies, if noise did not choose the best point.
    margin: value of the best point less that of the second best.
    interval_level: of all intervals.
  """

  shares: np.ndarray
  middle: np.ndarray
  low: np.ndarray
  high: np.ndarray
  optimum: float
  optimum_low: float
  optimum_high: float
  bracket: tuple[float, float]
  margin: float
  interval_level: float


def fit(
  shares: Sequence[float],
  values: Sequence[float],
  noises: Sequence[float],
  exact: Sequence[bool] | None = None,
  interval_level: float = 0.9,
  seed: int = 0,
) -> Response:
  """The posterior of a smooth response and of where it is greatest.

  Args:
    shares: [n] where it was measured, at least three different ones.
    values: [n] measured.
    noises: standard deviations of a value to average over.
    exact: [n] points without noise, like a reference that is 0 by definition.
    interval_level: of the intervals.
    seed: of the sampled responses.

  Raises:
    UserError: for fewer than three shares.
  """
  x, y = np.asarray(shares, float), np.asarray(values, float)
  if np.unique(x).size < 3:
    raise errors.UserError(
      'A response needs values at three shares or more; got'
      f' {np.unique(x).size}.'
    )
  order = np.argsort(x)
  x, y = x[order], y[order]
  noisy = np.ones(x.size, bool)
  if exact is not None:
    noisy = ~np.asarray(exact, bool)[order]
  grid = np.linspace(x[0], x[-1], _GRID)
  centre, spread = y.mean(), y.std() or 1.0
  generator = np.random.default_rng(seed)
  normal = generator.standard_normal((_NUM_PATHS, _GRID))
  settings = list(itertools.product(_LENGTHS, _AMPLITUDES, noises))
  evidence, posteriors = [], []
  for length, amplitude, noise in settings:
    length = length * (x[-1] - x[0])
    amplitude = amplitude * spread
    covariance = _covariance(x, x, length, amplitude)
    covariance += np.diag(noisy * noise**2 + _JITTER * amplitude**2)
    factor = linalg.cho_factor(covariance, lower=True)
    weights = linalg.cho_solve(factor, y - centre)
    evidence.append(
      -0.5 * (y - centre) @ weights - np.log(np.diag(factor[0])).sum()
    )
    across = _covariance(grid, x, length, amplitude)
    posteriors.append(
      (
        centre + across @ weights,
        _covariance(grid, grid, length, amplitude)
        - across @ linalg.cho_solve(factor, across.T),
      )
    )
  chances = np.exp(np.array(evidence) - max(evidence))
  drawn = generator.choice(len(settings), _NUM_PATHS, p=chances / chances.sum())
  paths = np.empty((_NUM_PATHS, _GRID))
  for which in np.unique(drawn):
    mean, covariance = posteriors[which]
    variances, vectors = linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(variances, 0, None))
    chosen = drawn == which
    paths[chosen] = mean + normal[chosen] @ root.T
  tails = [50 * (1 - interval_level), 50, 50 * (1 + interval_level)]
  low, middle, high = np.percentile(paths, tails, axis=0)
  tops = grid[paths.argmax(axis=1)]
  optimum_low, optimum, optimum_high = np.percentile(tops, tails)
  best = int(y.argmax())
  return Response(
    shares=grid,
    middle=middle,
    low=low,
    high=high,
    optimum=float(optimum),
    optimum_low=float(optimum_low),
    optimum_high=float(optimum_high),
    bracket=(float(x[max(0, best - 1)]), float(x[min(x.size - 1, best + 1)])),
    margin=float(y[best] - np.delete(y, best).max()),
    interval_level=interval_level,
  )


def _covariance(
  first: np.ndarray, second: np.ndarray, length: float, amplitude: float
) -> np.ndarray:
  apart = (first[:, None] - second[None, :]) / length
  return amplitude**2 * np.exp(-0.5 * apart**2)
