"""How far the estimates of a law could be off: bootstrap and covariance.

`noise` (the default): each resample is the fitted law plus s z on the scale of
the objective's residuals (the log loss, or the loss for least squares), with
one standard normal z per run and s^2 = (n - P) s_0^2 / chi^2(n - P), where
s_0^2 is the residual variance with n - P degrees of freedom. No resample is
degenerate however few runs there are, and to first order in the noise the
percentile intervals are Student's t intervals. With 9, 12 and 60 simulated
runs its 90% intervals covered the truth in 84-97% of cases under normal
noise; resampling runs gave 58-68% with 9 runs and least squares. Outliers count
as noise and widen the intervals.

`runs`: Bayesian bootstrap (Rubin 1981, doi:10.1214/aos/1176345338): each
resample reweights whole runs by a flat Dirichlet draw, so that none is ever
without weight. It assumes no common noise level, which suits many runs (ten
per parameter or more) whose noise differs.
"""

from collections.abc import Mapping

import numpy as np

from codelaw.laws import solver

METHODS = ('noise', 'runs')
_LARGEST_NOISE = 50.0  # Of a log loss: one degree of freedom can ask for more.
_STEP = 1e-5  # Of the central difference that carries errors to raw units.


def bootstrap(
  task: solver.Problem,
  optimum: np.ndarray,
  run_of_point: np.ndarray,
  *,
  method: str,
  num_resamples: int,
  num_further_starts: int,
  objective: str,
  delta: float,
  seed: int,
) -> np.ndarray:
  """Refits resampled problems from the optimum and a few further starts.

  Args:
    task: the problem.
    optimum: [P] coordinates of its solution.
    run_of_point: [num_points] index of each point's run, from 0.
    method: one of `METHODS`.
    num_resamples: B.
    num_further_starts: for each resample, besides the optimum.
    objective: one of `solver.OBJECTIVES`.
    delta: of the Huber function.
    seed: of the resamples and the starts.

  Returns:
    [B, P] coordinates of the resamples' solutions.
  """
  generator = np.random.default_rng([seed, 1])
  num_runs = int(run_of_point.max()) + 1
  losses = np.tile(task.losses, (num_resamples, 1))
  weights = np.tile(task.weights, (num_resamples, 1))
  points = slice(0, task.num_points)
  if method == 'noise':
    free = task.num_points - optimum.size
    predicted = solver.predict(task, optimum)
    scale = residual_sd(task, optimum, objective) * np.sqrt(
      free / generator.chisquare(free, num_resamples)
    )
    noise = generator.standard_normal((num_resamples, num_runs))
    spread = scale[:, None] * noise[:, run_of_point]
    if objective == 'log_huber':
      spread = np.clip(spread, -_LARGEST_NOISE, _LARGEST_NOISE)
      losses[:, points] = predicted * np.exp(spread)
    else:
      losses[:, points] = predicted + spread
  else:
    shares = generator.dirichlet(np.ones(num_runs), num_resamples)
    weights[:, points] = num_runs * shares[:, run_of_point]
  each = 1 + num_further_starts
  starts = np.concatenate(
    [
      np.tile(optimum, (num_resamples, 1, 1)),
      solver.draw_starts(
        task.law, num_resamples * num_further_starts, seed + 1
      ).reshape(num_resamples, num_further_starts, optimum.size),
    ],
    axis=1,
  )
  solutions = solver.solve(
    task,
    starts.reshape(-1, optimum.size),
    objective,
    delta,
    np.repeat(losses, each, axis=0),
    np.repeat(weights, each, axis=0),
  )
  best = solutions.objectives.reshape(-1, each).argmin(axis=1)
  coordinates = solutions.coordinates.reshape(num_resamples, each, -1)
  return coordinates[np.arange(num_resamples), best]


def intervals(
  estimates: Mapping[str, np.ndarray], level: float
) -> dict[str, tuple[float, float]]:
  """Percentile intervals of bootstrap estimates, parameter by parameter."""
  tails = [50 * (1 - level), 50 * (1 + level)]
  result = {}
  for name, values in estimates.items():
    low, high = np.percentile(values, tails)
    result[name] = (float(low), float(high))
  return result


def residual_sd(
  task: solver.Problem, optimum: np.ndarray, objective: str
) -> float:
  """Noise of one run: sd of the residuals, with n - P degrees of freedom."""
  residuals = solver.residuals(task, optimum, objective)
  return float(np.sqrt(np.sum(residuals**2) / (task.num_points - optimum.size)))


def standard_errors(
  task: solver.Problem, optimum: np.ndarray, objective: str
) -> dict[str, float]:
  """Standard errors from the covariance s^2 (J' J)^-1, as a check.

  J is the Jacobian of the objective's residuals at the optimum, s^2 their
  variance with n - P degrees of freedom; carried to raw units to first order.
  It is the local, linear answer, for normal noise.
  """
  jacobian = solver.jacobian(task, optimum, objective)
  variance = residual_sd(task, optimum, objective) ** 2
  covariance = variance * np.linalg.pinv(jacobian.T @ jacobian)
  moves = _STEP * np.eye(optimum.size)
  ahead = np.stack(solver.estimates(task, optimum + moves))
  behind = np.stack(solver.estimates(task, optimum - moves))
  raw = (ahead - behind) / (2 * _STEP)  # [parameter, coordinate]
  variances = np.einsum('ij,jk,ik->i', raw, covariance, raw)
  return {
    name: float(np.sqrt(max(v, 0.0)))
    for name, v in zip(task.law.parameters, variances, strict=True)
  }
