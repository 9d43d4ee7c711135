"""How well a fit describes its points, and how well they determine it.

Definitions owned here:
  mean relative error: mean of |predicted / observed - 1| over points.
"""

from typing import Any

import numpy as np

from codelaw.laws import refits
from codelaw.laws import solver

_MAX_RESIDUAL_POINTS = 5_000


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


def condition_number(optimum: refits.Optimum) -> float:
  """Condition number of the Jacobian of the log loss, columns of length 1.

  Parameters at a bound are held there and not counted.
  """
  jacobian = solver.jacobian(optimum.task, optimum.coordinates, 'log_huber')
  return refits.condition(jacobian[:, optimum.free()])


def parameters_at_bound(optimum: refits.Optimum) -> list[str]:
  """Names of the parameters that ended at a bound of the solver."""
  names = optimum.task.law.parameters
  return [n for n, f in zip(names, optimum.free(), strict=True) if not f]


def residual_points(optimum: refits.Optimum) -> list[dict[str, Any]]:
  """Run, columns, observed and predicted loss of each point.

  Of more than 5,000 points an even selection, in the order of their values.
  """
  data, task = optimum.data, optimum.task
  predicted = solver.predict(task, optimum.coordinates) * task.scales['loss']
  count = min(data.losses.size, _MAX_RESIDUAL_POINTS)
  chosen = np.linspace(0, data.losses.size - 1, count).round().astype(int)
  return [
    {
      'run_id': data.run_ids[i],
      **{
        name: float(values[i])
        for name, values in zip(task.law.columns, data.columns, strict=True)
      },
      'observed': float(data.losses[i]),
      'predicted': float(predicted[i]),
    }
    for i in chosen
  ]
