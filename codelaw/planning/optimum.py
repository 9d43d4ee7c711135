"""The choice that minimises an objective within a space, and its proof.

Owns the solver, which is SciPy's SLSQP with JAX's derivatives (a maximum over
targets as its epigraph: minimise t with L_k - S_k <= t), and the check of the
optimality conditions. Callers stay inside `jax.enable_x64(True)`.
"""

from collections.abc import Sequence
import dataclasses

import numpy as np
from scipy import optimize

from codelaw.planning import limits as limits_lib
from codelaw.planning import objective as objective_lib
from codelaw.planning import space as space_lib

_NUM_RANDOM_STARTS = 8
_NUM_MIXTURES = 512  # to tell how linear an objective is
_NEARLY_ZERO = 10 * space_lib.LEAST_RATE
_SAME_OPTIMUM = 1e-7  # of the objective between starts that agree
_LEAST_SLOPE = 1e-6  # of a mean score per nat; less is no slope


@dataclasses.dataclass(frozen=True)
class Solution:
  """Where the solver ended.

  Attributes:
    z: best point of the space found [n].
    objective: there, the pull of a prior included.
    residual: of `_residual` there.
    multipliers: of the targets [K], with sum 1: the weights with which a
      weighted mean has the same optimum. Of a maximum, only targets that
      attain it have one.
    num_starts_at_optimum: starts that ended at the best objective.
  """

  z: np.ndarray
  objective: float
  residual: float
  multipliers: np.ndarray
  num_starts_at_optimum: int


@dataclasses.dataclass(frozen=True)
class _Task:
  """One objective over one space, for one set of parameters.

  Attributes:
    problem: the objective.
    space: of the choices.
    parameters: of the laws [P].
    singles: S_k [K].
  """

  problem: objective_lib.Objective
  space: space_lib.Space
  parameters: np.ndarray
  singles: np.ndarray

  def losses(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(losses [K], their derivative [K, n])."""
    point = self.problem.point(self.space.shares(z), *self.space.size(z))
    losses, jacobian = self.problem.losses_and_jacobian(point, self.parameters)
    return losses, self.space.pull_back(jacobian)

  def pull(self, z: np.ndarray) -> tuple[float, np.ndarray]:
    """(what the prior adds to the objective, its derivative [n])."""
    away = self.space.shares(z) - self.problem.prior
    strength = self.problem.prior_strength
    slope = np.append(2 * strength * away, [0.0, 0.0])
    return float(strength * away @ away), self.space.pull_back(slope[None])[0]

  def score(self, z: np.ndarray) -> float:
    """The objective with the prior's pull."""
    losses, _ = self.losses(z)
    found = self.problem.score(losses, self.singles, self.parameters)
    return float(found) + self.pull(z)[0]

  def minimise(self, start: np.ndarray) -> np.ndarray:
    """A local optimum, in the space."""
    return (
      self._least_worst(start) if self.problem.is_worst else self._least(start)
    )

  def _least(self, start: np.ndarray) -> np.ndarray:
    # A mean score falls by little per nat where tasks are nearly out of reach:
    # the solver's tolerance is of losses.
    first, _ = self.losses(start)
    per_nat = self.problem.slopes(first, self.parameters).sum()
    unit = 1 / max(float(per_nat), _LEAST_SLOPE)

    def evaluate(z: np.ndarray) -> tuple[float, np.ndarray]:
      losses, jacobian = self.losses(z)
      value = self.problem.score(losses, self.singles, self.parameters)
      slopes = self.problem.slopes(losses, self.parameters)
      pull, pulled = self.pull(z)
      return unit * float(value + pull), unit * (slopes @ jacobian + pulled)

    return self._search(evaluate, start, [], 0)

  def _least_worst(self, start: np.ndarray) -> np.ndarray:
    counted = self.problem.counted
    last: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def gaps(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
      """T - L_k and its derivative; SLSQP asks for them one by one."""
      if not last or not np.array_equal(last[0][0], y):
        losses, jacobian = self.losses(y[:-1])
        pull, pulled = self.pull(y[:-1])
        values = y[-1] - self._excess(losses)[counted] - pull
        down = -jacobian[counted] - pulled
        rows = np.column_stack([down, np.ones(counted.sum())])
        last[:] = [(y.copy(), values, rows)]
      return last[0][1:]

    only_t = np.append(np.zeros(start.size), 1.0)
    constraint = {
      'type': 'ineq',
      'fun': lambda y: gaps(y)[0],
      'jac': lambda y: gaps(y)[1],
    }
    first = np.append(start, self.score(start))
    return self._search(lambda y: (y[-1], only_t), first, [constraint], 1)

  def _excess(self, losses: np.ndarray) -> np.ndarray:
    excess = self.problem.criterion == 'worst_excess'
    return losses - self.singles if excess else losses

  def _search(self, evaluate, start, constraints, extra: int) -> np.ndarray:
    """SLSQP over the space, with `extra` further unknowns at the end."""
    space = self.space
    size = start.size - extra
    lower, upper = space.bounds(off_zero=True)
    start = np.append(np.clip(start[:size], lower, upper), start[size:])
    equal = np.pad(space.equalities, ((0, 0), (0, extra)))
    constraints = [
      *constraints,
      {'type': 'eq', 'fun': lambda y: equal @ y - 1, 'jac': lambda y: equal},
    ]
    if space.inequalities(start[:size])[0].size:
      constraints.append(
        {
          'type': 'ineq',
          'fun': lambda y: space.inequalities(y[:size])[0],
          'jac': lambda y: np.pad(
            space.inequalities(y[:size])[1], ((0, 0), (0, extra))
          ),
        }
      )
    free = [(None, None)] * extra
    result = optimize.minimize(
      evaluate,
      start,
      jac=True,
      method='SLSQP',
      bounds=[*zip(lower, upper, strict=True), *free],
      constraints=constraints,
      options={'ftol': 1e-13, 'maxiter': 200},
    )
    return self._inside(np.asarray(result.x)[:size])

  def _inside(self, z: np.ndarray) -> np.ndarray:
    """The nearest point of the space."""
    found = self.space.nearest(np.clip(z, *self.space.bounds()))
    return z if found is None else found

  def settled(self, z: np.ndarray) -> np.ndarray:
    """The optimum where the rates that were kept off 0 are 0, if no worse."""
    bare = self.space.without(z, _NEARLY_ZERO)
    aim = bare.nearest(np.clip(z, *bare.bounds()), around=z)
    if aim is None or (bare.upper == self.space.upper).all():
      return z
    found = dataclasses.replace(self, space=bare).minimise(aim)
    worse = self.score(found) > self.score(z) + _SAME_OPTIMUM
    return z if worse else found

  def multipliers(self, z: np.ndarray) -> np.ndarray:
    """Of the targets [K]; see `Solution`.

    Those of a maximum are the dual values of the linear programme

      minimise s over steps d that stay in the space, with
      L_k + g_k d <= s for every target k that counts,

    which no step lowers at an optimum. Where losses are convex in z, its value
    is a lower bound of the objective over the whole space.
    """
    losses, jacobian = self.losses(z)
    if not self.problem.is_worst:
      slopes = self.problem.slopes(losses, self.parameters)
      # Scores that hang on no loss any more leave what they read.
      return slopes / slopes.sum() if slopes.any() else self.problem.weights
    counted = self.problem.counted
    values = self._excess(losses)[counted]
    rows = jacobian[counted] + self.pull(z)[1]
    limits = self.space.polytope(z)
    found = optimize.linprog(
      np.append(np.zeros(z.size), 1.0),
      A_ub=np.block(
        [[rows, -np.ones((len(rows), 1))], [-limits.G, _column(limits.G)]]
      ),
      b_ub=np.append(-values, limits.G @ z - limits.h + 1e-12),
      A_eq=np.column_stack([limits.A, _column(limits.A)]),
      b_eq=np.zeros(len(limits.A)),
      bounds=(None, None),
      method='highs',
    )
    result = np.zeros(counted.size)
    if found.status == 0:
      result[counted] = -found.ineqlin.marginals[: len(rows)]
    else:
      result[counted] = values == values.max()
    return result / result.sum()

  def residual(self, z: np.ndarray, multipliers: np.ndarray) -> float:
    """Max |z - P(z - g)|, with P the projection on the space.

    It is 0 exactly where the Karush-Kuhn-Tucker conditions hold: all free
    rates have the same marginal loss, rates at their floor a greater one,
    rates at their ceiling a smaller one. g is the gradient of the objective,
    for a maximum that of its targets weighted by their multipliers.
    """
    losses, jacobian = self.losses(z)
    per_nat = 1.0
    if not self.problem.is_worst:
      slopes = self.problem.slopes(losses, self.parameters)
      per_nat = max(float(slopes.sum()), _LEAST_SLOPE)
    gradient = multipliers @ jacobian + self.pull(z)[1] / per_nat
    moved = self.space.nearest(z - gradient, around=z)
    return 1.0 if moved is None else float(np.max(np.abs(z - moved)))


def _column(rows: np.ndarray) -> np.ndarray:
  return np.zeros((len(rows), 1))


def search(
  problem: objective_lib.Objective,
  space: space_lib.Space,
  starts: Sequence[np.ndarray],
  parameters: np.ndarray,
  singles: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
  """The best point [n], and the objective where each start ended.

  Args:
    problem: the objective.
    space: of the choices.
    starts: points of the space [n] each.
    parameters: of the laws [P].
    singles: S_k [K], of `Objective.singles`.
  """
  task = _Task(problem, space, parameters, singles)
  ends = [task.minimise(start) for start in starts]
  values = np.array([task.score(end) for end in ends])
  return ends[int(np.nanargmin(values))], values


def solve(
  problem: objective_lib.Objective,
  space: space_lib.Space,
  starts: Sequence[np.ndarray],
  parameters: np.ndarray,
  singles: np.ndarray,
) -> Solution:
  """`search`, with the optimality conditions checked where it ended."""
  z, values = search(problem, space, starts, parameters, singles)
  task = _Task(problem, space, parameters, singles)
  z = task.settled(z)
  multipliers = task.multipliers(z)
  return Solution(
    z=z,
    objective=task.score(z),
    residual=task.residual(z, multipliers),
    multipliers=multipliers,
    num_starts_at_optimum=int(
      np.sum(values <= np.nanmin(values) + _SAME_OPTIMUM)
    ),
  )


def starting_rates(limits: limits_lib.Limits, seed: int) -> list[np.ndarray]:
  """Equal rates, near every corner, and random: feasible rates [S] each."""
  count = len(limits.sources)
  generator = np.random.default_rng(seed)
  corners = 0.9 * np.eye(count) + 0.1 / count
  random = generator.dirichlet(np.ones(count), _NUM_RANDOM_STARTS)
  points = [np.full(count, 1 / count), *corners, *random]
  return [limits.project(point) for point in points]


def curvature(
  problem: objective_lib.Objective, size: tuple[float, float], seed: int = 0
) -> float:
  """How far from linear in the rates the objective is.

  Of a maximum over losses it is the weighted mean that is looked at.

  The share of its standard deviation over all mixtures (flat Dirichlet draws)
  that no linear function of the rates explains: 0 for a linear law.
  """
  count = len(problem.sources)
  shares = np.random.default_rng(seed).dirichlet(np.ones(count), _NUM_MIXTURES)
  points = np.stack([problem.point(own, *size) for own in shares])
  losses = problem.losses_of_each(points, problem.estimates[None])
  values = (
    losses[0] @ problem.weights
    if problem.is_worst
    else problem.score(losses[0], np.zeros(0), problem.estimates)
  )
  fitted = shares @ np.linalg.lstsq(shares, values, rcond=None)[0]
  spread = values.std()
  # Rounding errors of a constant are no curvature.
  if spread <= 1e-12 * np.abs(values).max():
    return 0.0
  return float((values - fitted).std() / spread)
