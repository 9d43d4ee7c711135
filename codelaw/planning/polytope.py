"""Least squares over a polytope: exact, finite, for a few dozen unknowns.

  minimise |M x - t|  subject to  A x = b,  G x >= h

by elimination of the equations and the least-distance programme of Lawson and
Hanson, "Solving Least Squares Problems" (1974), chapter 23, whose only work is
one non-negative least squares. Allocations project on such sets to check their
optimality conditions, and to choose among rates that the laws cannot tell
apart.
"""

import dataclasses

import numpy as np
from scipy import linalg
from scipy import optimize

_RANK = 1e-10  # relative; our equations have coefficients of order one
# By how much inequalities may be missed: points on several borders at once
# would otherwise count as outside, by rounding.
_TOLERANCE = 1e-10
_INCOMPATIBLE = 1e-14


@dataclasses.dataclass(frozen=True)
class Polytope:
  """The points x [n] with A x = b and G x >= h.

  Attributes:
    A: [e, n].
    b: [e].
    G: [i, n].
    h: [i].
  """

  A: np.ndarray
  b: np.ndarray
  G: np.ndarray
  h: np.ndarray

  def least_squares(
    self, matrix: np.ndarray, target: np.ndarray
  ) -> np.ndarray | None:
    """The x [n] that minimises |matrix @ x - target|; None if there is no x.

    Args:
      matrix: [m, n], of full column rank on the solutions of A x = 0.
      target: [m].

    >>> simplex = Polytope(np.ones((1, 2)), np.ones(1), np.eye(2), np.zeros(2))
    >>> simplex.least_squares(np.eye(2), np.array([0.9, 0.3])).round(9).tolist()
    [0.8, 0.2]
    """
    some = np.linalg.pinv(self.A, rcond=_RANK) @ self.b
    if not np.allclose(self.A @ some, self.b, atol=1e-9):
      return None
    basis = linalg.null_space(self.A, rcond=_RANK)
    slack = self.h - self.G @ some
    if not basis.size:
      return some if (slack <= _TOLERANCE).all() else None
    orthogonal, upper = np.linalg.qr(matrix @ basis)
    free = orthogonal.T @ (target - matrix @ some)
    # Distances of order one keep the digits of the least-distance programme.
    scale = max(1.0, float(np.linalg.norm(free)))
    rows = self.G @ np.linalg.solve(upper.T, basis.T).T
    least = slack - rows @ free - _TOLERANCE
    move = _least_distance(rows, least / scale)
    if move is None:
      return None
    return some + basis @ np.linalg.solve(upper, free + scale * move)

  def nearest(self, point: np.ndarray) -> np.ndarray | None:
    """The point [n] of the polytope nearest to `point` [n] (Euclidean)."""
    return self.least_squares(np.eye(point.size), point)


def _least_distance(rows: np.ndarray, least: np.ndarray) -> np.ndarray | None:
  """The shortest u with rows @ u >= least; None where there is none."""
  if (least <= 0).all():
    return np.zeros(rows.shape[1])
  system = np.vstack([rows.T, least])
  aim = np.zeros(len(system))
  aim[-1] = 1.0
  multipliers, _ = optimize.nnls(system, aim, maxiter=100 * len(least))
  rest = system @ multipliers - aim
  if -rest[-1] < _INCOMPATIBLE:
    return None
  return rest[:-1] / -rest[-1]
