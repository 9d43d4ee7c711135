"""Where a fit ended, and where it ends without some of its points.

A refit starts from the optimum of all points and from the best of the other
local optima that the starts of the full fit found. A group of points left out
is a weight of zero, so that all refits of a law are one batch of the solver.
"""

import dataclasses

import numpy as np

from codelaw.laws import points as points_lib
from codelaw.laws import solver

# Columns of the Jacobian of unit length: beyond this condition number the
# design does not determine the parameters in float64.
DEGENERATE_CONDITION = 1e10
# Of the parameters' ranges: optima closer than this are one.
_SAME_OPTIMUM = 1e-3


@dataclasses.dataclass(frozen=True)
class Optimum:
  """The solution of one fit, with what it takes to solve it again.

  Attributes:
    data: the points.
    task: the same, as the solver takes them.
    objective_name: one of `solver.OBJECTIVES`.
    delta: of the Huber function.
    seed: of everything drawn.
    num_starts: from which the solver started.
    coordinates: [P] of the best optimum.
    others: [S, P] coordinates of further local optima, best first.
    objective: value at the best optimum.
    num_followed: of the starts, those followed to the end.
    num_reached: of those, how many ended there.
    termination: why the solver stopped there, one of `solver.TERMINATIONS`.
  """

  data: points_lib.Points
  task: solver.Problem
  objective_name: str
  delta: float
  seed: int
  num_starts: int
  coordinates: np.ndarray
  others: np.ndarray
  objective: float
  num_followed: int
  num_reached: int
  termination: str

  @property
  def converged(self) -> bool:
    """Whether the solver met its own criterion."""
    return self.termination in ('gradient', 'exact')

  @property
  def num_parameters(self) -> int:
    """Parameters of the law."""
    return self.coordinates.size

  def solve(self, starts: np.ndarray, **arguments) -> solver.Solutions:
    """`solver.solve` of the same task and objective."""
    return solver.solve(
      self.task, starts, self.objective_name, self.delta, **arguments
    )

  def residuals(self) -> np.ndarray:
    """The objective's residuals [num_points] at the optimum."""
    return solver.residuals(self.task, self.coordinates, self.objective_name)

  def jacobian(self) -> np.ndarray:
    """Their derivative by coordinate [num_points, P]."""
    return solver.jacobian(self.task, self.coordinates, self.objective_name)

  def free(self) -> np.ndarray:
    """[P] False for parameters that ended at a bound of the solver."""
    return solver.free(self.task.law, self.coordinates)


def condition(jacobian: np.ndarray) -> float:
  """Condition number of a Jacobian [n, P] with columns of unit length."""
  lengths = np.linalg.norm(jacobian, axis=0)
  if np.any(lengths == 0) or len(jacobian) < lengths.size:
    return float('inf')
  singular = np.linalg.svd(jacobian / lengths, compute_uv=False)
  return float(singular[0] / singular[-1]) if singular[-1] else float('inf')


def distinct(
  task: solver.Problem, solutions: solver.Solutions, limit: int
) -> np.ndarray:
  """The best `limit` solutions [<= limit, P] that differ from each other."""
  low, high = solver.bounds(task.law)
  found: list[np.ndarray] = []
  for index in np.argsort(solutions.objectives, kind='stable'):
    at = solutions.coordinates[index]
    if not np.isfinite(solutions.objectives[index]) or len(found) == limit:
      break
    if all(
      np.abs((at - f) / (high - low)).max() > _SAME_OPTIMUM for f in found
    ):
      found.append(at)
  return np.array(found).reshape(-1, low.size)


def determined(optimum: Optimum, kept: np.ndarray) -> np.ndarray:
  """Whether each of M choices of points, [M, n], still determines the law."""
  jacobian = solver.jacobian(optimum.task, optimum.coordinates, 'log_huber')
  jacobian = jacobian[:, optimum.free()]
  return np.array(
    [
      mark.sum() > optimum.num_parameters
      and condition(jacobian[mark]) < DEGENERATE_CONDITION
      for mark in kept
    ],
    dtype=bool,
  )


def without(
  optimum: Optimum, left_out: np.ndarray, num_others: int | None = None
) -> np.ndarray:
  """Refits without each of M groups of points, in one batch.

  Args:
    optimum: of all points.
    left_out: [M, n] True for the points that a refit leaves out.
    num_others: start also from this many of the other optima; None for all.

  Returns:
    [M, P] coordinates.
  """
  starts = np.concatenate(
    [optimum.coordinates[None], optimum.others[:num_others]]
  )
  count, each = left_out.shape[0], starts.shape[0]
  weights = np.tile(optimum.task.weights, (count, 1))
  weights[:, : optimum.task.num_points][left_out] = 0
  solutions = optimum.solve(
    np.tile(starts, (count, 1)), weights=np.repeat(weights, each, axis=0)
  )
  best = solutions.objectives.reshape(count, each).argmin(axis=1)
  coordinates = solutions.coordinates.reshape(count, each, -1)
  return coordinates[np.arange(count), best]
