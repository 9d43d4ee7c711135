"""How much the parameters of one law differ between targets.

A partially pooled parameter has a coordinate x_k (the logarithm, in scaled
units, of a positive parameter) for each of M targets, drawn from a normal
population with free mean and standard deviation t. The objective f of the
fits then gains the pull

  s / (2 t^2) * sum_k (x_k - mean(x))^2

where s turns objective into twice a log-likelihood (`Noise.objective_scale`).
t is estimated by empirical Bayes: it maximises the marginal likelihood, with
everything else integrated out in Laplace's approximation at the optimum, times
t, the prior of Chung et al. 2013 (doi:10.1007/s11336-013-9328-2), which keeps
it from 0: with few targets the likelihood alone is often highest there, and
intervals would then claim that all are equal.
"""

from collections.abc import Sequence

import numpy as np
from scipy import optimize

# In coordinates: below, targets share the parameter; above, they are free.
LEAST_SPREAD = 1e-3
_MOST_SPREAD = 10.0


def centering(places: np.ndarray, num_coordinates: int) -> np.ndarray:
  """[M, P]: takes the mean over `places` from the coordinates there.

  >>> centering(np.array([0, 2]), 3).tolist()
  [[0.5, 0.0, -0.5], [-0.5, 0.0, 0.5]]
  """
  count = len(places)
  matrix = np.zeros((count, num_coordinates))
  matrix[:, places] = np.eye(count) - 1 / count
  return matrix


def spreads(
  curvature: np.ndarray,
  gradient: np.ndarray,
  coordinates: np.ndarray,
  centerings: Sequence[np.ndarray],
  start: np.ndarray,
) -> np.ndarray:
  """The t of each partially pooled parameter, at a quadratic approximation.

  With H and g the curvature and gradient of f / s at x, and C_p the
  centerings, the log of the marginal likelihood is, but for a constant,

    b' V b / 2 - log|H + sum_p C_p / t_p^2| / 2 - sum_p (M - 1) log t_p

  where b = H x - g and V is the inverse of that sum.

  Args:
    curvature: H [P, P].
    gradient: g [P].
    coordinates: x [P].
    centerings: of each parameter, [M, P].
    start: of the t [Q].

  Returns:
    t [Q], between 0.001 and 10.
  """
  # Directions that the runs do not determine at all say nothing about t.
  ridge = 1e-9 * np.trace(curvature) / len(curvature)
  curvature = curvature + ridge * np.eye(len(curvature))
  # About x, so that no large numbers cancel.
  offset = -gradient
  squares = [matrix.T @ matrix for matrix in centerings]
  moves = [square @ coordinates for square in squares]
  away = [coordinates @ move for move in moves]
  ranks = np.array([len(matrix) - 1 for matrix in centerings])

  def negative(log_spreads: np.ndarray) -> float:
    precisions = np.exp(-2 * log_spreads)
    total = curvature + np.tensordot(precisions, squares, 1)
    pull = offset - np.tensordot(precisions, moves, 1)
    _, log_determinant = np.linalg.slogdet(total)
    likelihood = 0.5 * (
      pull @ np.linalg.solve(total, pull) - precisions @ away - log_determinant
    )
    return -float(likelihood + (1 - ranks) @ log_spreads)

  limits = (np.log(LEAST_SPREAD), np.log(_MOST_SPREAD))
  found = [
    optimize.minimize(
      negative, at, method='L-BFGS-B', bounds=[limits] * len(start)
    )
    for at in (np.log(start), np.full(len(start), np.log(0.3)))
  ]
  return np.exp(min(found, key=lambda result: result.fun).x)
