"""What speaks for and against a fit: errors, identifiability, warnings.

Definitions owned here:
  mean relative error: mean of |predicted / observed - 1| over points.
  extrapolation error: the mean relative error on the runs of largest compute,
    of the law fitted without them.
  held-out error: the mean relative error on mixtures (or, without shares, on
    runs) that the law was fitted without, over all folds.
"""

from collections.abc import Sequence

import numpy as np

from codelaw.laws import solver

_LARGEST_FRACTION = 0.2  # Of runs, left out as the largest.
_NUM_FOLDS = 5
# Columns of the Jacobian of unit length: beyond the first, a relative error
# of 1% in the loss can move a combination of parameters by a factor; beyond
# the second the design does not determine them in float64.
_HIGH_CONDITION = 1e3
DEGENERATE_CONDITION = 1e10
_FEW_DEGREES_OF_FREEDOM = 3
_WIDE_INTERVAL = 5.0


def errors_of(observed: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
  """Root mean square error, R^2 and mean relative error of losses [n]."""
  residuals = predicted - observed
  spread = np.sum((observed - observed.mean()) ** 2)
  return {
    'rmse': float(np.sqrt(np.mean(residuals**2))),
    'r2': float(1 - np.sum(residuals**2) / spread) if spread > 0 else 0.0,
    'mean_relative_error': mean_relative_error(observed, predicted),
  }


def mean_relative_error(observed: np.ndarray, predicted: np.ndarray) -> float:
  """Mean of |predicted / observed - 1|.

  >>> mean_relative_error(np.array([2.0, 4.0]), np.array([2.2, 4.0]))
  0.05
  """
  return float(np.round(np.mean(np.abs(predicted / observed - 1)), 15))


def condition_number(
  task: solver.Problem, optimum: np.ndarray, at_bound: Sequence[str]
) -> float:
  """Condition number of the Jacobian of the log loss, columns of length 1.

  Parameters at a bound are held there and not counted.
  """
  free = [name not in at_bound for name in task.law.parameters]
  jacobian = solver.jacobian(task, optimum, 'log_huber')[:, free]
  lengths = np.linalg.norm(jacobian, axis=0)
  if np.any(lengths == 0):
    return np.inf
  singular = np.linalg.svd(jacobian / lengths, compute_uv=False)
  return float(singular[0] / singular[-1]) if singular[-1] else np.inf


def parameters_at_bound(task: solver.Problem, optimum: np.ndarray) -> list[str]:
  """Names of the parameters that ended at a bound of the solver."""
  low, high = solver.bounds(task.law)
  margin = 1e-6 * (high - low)
  ends = (optimum <= low + margin) | (optimum >= high - margin)
  return [n for n, end in zip(task.law.parameters, ends, strict=True) if end]


def left_out_error(
  task: solver.Problem,
  starts: np.ndarray,
  left_out: np.ndarray,
  objective: str,
  delta: float,
) -> np.ndarray | None:
  """|predicted / observed - 1| of points left out of a refit.

  Args:
    task: the problem.
    starts: [K, P] coordinates to refit from.
    left_out: [num_points] True for points to leave out and predict.
    objective: one of `solver.OBJECTIVES`.
    delta: of the Huber function.

  Returns:
    One error per point left out; None where none is left out or fewer points
    than parameters remain.
  """
  if not left_out.any() or np.sum(~left_out) < starts.shape[1]:
    return None
  weights = task.weights.copy()
  weights[: task.num_points][left_out] = 0
  shape = (starts.shape[0], weights.size)
  solutions = solver.solve(
    task, starts, objective, delta, weights=np.broadcast_to(weights, shape)
  )
  best = solutions.coordinates[solutions.objectives.argmin()]
  predicted = solver.predict(task, best)[left_out]
  return np.abs(predicted / task.losses[: task.num_points][left_out] - 1)


def largest(compute: np.ndarray) -> np.ndarray:
  """Marks the largest fifth of points by compute [n], at least one.

  Points of equal compute stay together; none is marked where all are equal.

  >>> largest(np.array([1.0, 2.0, 3.0, 3.0])).tolist()
  [False, False, True, True]
  """
  if compute.min() == compute.max():
    return np.zeros(compute.size, dtype=bool)
  count = max(1, int(_LARGEST_FRACTION * compute.size))
  return compute >= np.sort(compute)[-count]


def folds(groups: np.ndarray, seed: int) -> list[np.ndarray]:
  """Divides points [n] by whole groups into folds; marks each fold's points.

  Args:
    groups: [n] index of each point's mixture or run, from 0.
    seed: of the division.
  """
  count = int(groups.max()) + 1
  order = np.random.default_rng([seed, 2]).permutation(count)
  fold_of_group = np.empty(count, dtype=int)
  fold_of_group[order] = np.arange(count) % min(_NUM_FOLDS, count)
  return [fold_of_group[groups] == k for k in range(min(_NUM_FOLDS, count))]


def asymptote_warning(asymptote: float, lowest_loss: float) -> str | None:
  """Says so when a limit of the loss exceeds a loss that was observed."""
  if asymptote <= lowest_loss:
    return None
  return (
    f'the limit of the loss, {asymptote:.4g}, exceeds the lowest observed loss'
    f' {lowest_loss:.4g}, which this law cannot reach'
  )


def warnings(
  *,
  estimates: dict[str, float],
  intervals: dict[str, tuple[float, float]],
  at_bound: Sequence[str],
  condition: float,
  degrees_of_freedom: int,
  lowest_loss: float,
  fit_error: float,
  extrapolation_error: float | None,
  agreeing_starts: float,
  converged: bool,
) -> list[str]:
  """What a reader must know before trusting the estimates, in words."""
  found = []
  if not converged:
    found.append('the solver did not converge; the estimates are provisional')
  if agreeing_starts < 0.05:
    found.append(
      f'only {agreeing_starts:.1%} of the starts reached the optimum; a better'
      ' one may exist: raise num_starts'
    )
  if at_bound:
    found.append(
      f'{", ".join(at_bound)} ended at a bound: the runs do not determine it,'
      ' or the law does not describe them'
    )
  if condition > _HIGH_CONDITION:
    found.append(
      f'the parameters are poorly separated by these runs (condition number'
      f' {condition:.2g}); trust predictions inside their range, not single'
      ' parameters'
    )
  if degrees_of_freedom < _FEW_DEGREES_OF_FREEDOM:
    found.append(
      f'only {degrees_of_freedom} more points than parameters; the noise is'
      ' hardly known'
    )
  for name in ('E', 'c'):
    if name in estimates:
      warning = asymptote_warning(estimates[name], lowest_loss)
      if warning:
        found.append(warning)
  wide = [
    name
    for name in ('alpha', 'beta')
    if name in intervals
    and name not in at_bound
    and intervals[name][1] > _WIDE_INTERVAL * intervals[name][0]
  ]
  if wide:
    found.append(
      f'the interval of {" and ".join(wide)} spans more than a factor of'
      f' {_WIDE_INTERVAL:g}'
    )
  if extrapolation_error is None:
    found.append(
      'too few sizes to test extrapolation by leaving out the largest runs'
    )
  elif extrapolation_error > max(0.02, 3 * fit_error):
    found.append(
      f'fitted without the largest runs, the law misses them by'
      f' {extrapolation_error:.1%}, against {fit_error:.1%} inside the fit: do'
      ' not trust it far beyond these runs'
    )
  return found
