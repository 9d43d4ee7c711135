"""The rates that minimise an objective within limits, and how sure they are.

Owns the solver, the check of its optimality conditions and the bootstrap
bands. Callers stay inside `jax.enable_x64(True)`.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

import numpy as np
from scipy import optimize

from codelaw.planning import limits as limits_lib
from codelaw.planning import objective as objective_lib

# Rates below this are 0: laws with powers of a share have no finite gradient
# at a share of exactly 0, so the solver stays this far off and the answer is
# moved onto the bound.
_LEAST_RATE = 1e-6
_NUM_RANDOM_STARTS = 8
_SAME_OPTIMUM = 1e-7  # nats per token between starts that agree


@dataclasses.dataclass(frozen=True)
class Solution:
  """Where the solver ended.

  Attributes:
    rates: best feasible rates found [S].
    objective: there, nats per token, the pull of a prior included.
    residual: of `optimality_residual` there.
    num_starts_at_optimum: starts that ended at the best objective.
  """

  rates: np.ndarray
  objective: float
  residual: float
  num_starts_at_optimum: int


def solve(
  problem: objective_lib.Objective,
  size: tuple[float, float],
  limits: limits_lib.Limits,
  starts: Sequence[np.ndarray],
  parameters: objective_lib.Parameters | None = None,
) -> Solution:
  """Best local optimum over the starts.

  Args:
    problem: the objective.
    size: (N, D).
    limits: of the rates.
    starts: points [S] each; moved into the limits first.
    parameters: of the laws; the fitted estimates when None.
  """
  parameters = problem.estimates if parameters is None else parameters
  point = np.asarray(size, float)

  def evaluate(rates: np.ndarray) -> tuple[float, np.ndarray]:
    value, gradient = problem.value_and_gradient(rates, point, parameters)
    return float(value), np.asarray(gradient)

  lower = np.minimum(np.maximum(limits.lower, _LEAST_RATE), limits.upper)
  inside = dataclasses.replace(limits, lower=lower)
  ends, values = [], []
  for start in starts:
    result = optimize.minimize(
      evaluate,
      inside.project(start),
      jac=True,
      method='SLSQP',
      bounds=list(zip(lower, limits.upper, strict=True)),
      constraints={
        'type': 'eq',
        'fun': lambda rates: rates.sum() - 1,
        'jac': np.ones_like,
      },
      options={'ftol': 1e-13, 'maxiter': 200},
    )
    rates = inside.project(np.asarray(result.x))
    ends.append(rates)
    values.append(evaluate(rates)[0])
  best = int(np.nanargmin(values))
  rates = ends[best]
  # Onto the bound the solver was kept off, where that is no worse.
  bare = limits.project(np.where(rates <= 2 * _LEAST_RATE, -1.0, rates))
  if evaluate(bare)[0] <= values[best] + _SAME_OPTIMUM:
    rates = bare
  value, gradient = evaluate(rates)
  return Solution(
    rates=rates,
    objective=value,
    residual=optimality_residual(rates, gradient, limits),
    num_starts_at_optimum=int(
      np.sum(np.asarray(values) <= values[best] + _SAME_OPTIMUM)
    ),
  )


def starting_points(limits: limits_lib.Limits, seed: int) -> list[np.ndarray]:
  """Equal rates, near every corner, and random: feasible rates [S] each."""
  count = len(limits.sources)
  generator = np.random.default_rng(seed)
  corners = 0.9 * np.eye(count) + 0.1 / count
  random = generator.dirichlet(np.ones(count), _NUM_RANDOM_STARTS)
  points = [np.full(count, 1 / count), *corners, *random]
  return [limits.project(point) for point in points]


def optimality_residual(
  rates: np.ndarray, gradient: np.ndarray, limits: limits_lib.Limits
) -> float:
  """Max |r - P(r - g)|, with P the projection on the feasible rates.

  It is 0 exactly where the Karush-Kuhn-Tucker conditions hold: all free rates
  have the same marginal loss, rates at their floor a greater one, rates at
  their ceiling a smaller one.

  Args:
    rates: r, feasible [S].
    gradient: g of the objective [S], nats per token per unit of rate.
    limits: of the rates.
  """
  return float(np.max(np.abs(rates - limits.project(rates - gradient))))


def is_linear(
  problem: objective_lib.Objective,
  size: tuple[float, float],
  points: Sequence[np.ndarray],
) -> bool:
  """Whether the objective is linear in the rates: halfway means halfway."""

  def value(rates: np.ndarray) -> float:
    return float(
      problem.value_and_gradient(
        rates, np.asarray(size, float), problem.estimates
      )[0]
    )

  first, rest = points[0], points[1:]
  ends = [value(first), *map(value, rest)]
  bend = max(
    abs(value((first + point) / 2) - (ends[0] + end) / 2)
    for point, end in zip(rest, ends[1:], strict=True)
  )
  return bend < 1e-9 + 1e-6 * (max(ends) - min(ends))


@dataclasses.dataclass(frozen=True)
class Bands:
  """Bootstrap percentiles [2, ...]: empty without bootstrap fits."""

  count: int
  percentiles: Mapping[str, np.ndarray]

  def of(self, name: str, place: int) -> tuple[float | None, float | None]:
    """(low, high) of `losses`, `gain` or `rates`; Nones when empty."""
    if not self.count:
      return None, None
    low, high = self.percentiles[name][:, place]
    return float(low), float(high)


def bands(
  problem: objective_lib.Objective,
  size: tuple[float, float],
  limits: limits_lib.Limits,
  rates: np.ndarray,
  num_bootstraps: int,
) -> Bands:
  """Bands of losses and gain at the rates, and of the best rates."""
  samples = problem.bootstrap(num_bootstraps)
  if not samples:
    return Bands(0, {})
  count = len(samples[0])
  uniform = limits.uniform()
  losses = np.asarray(problem.bootstrap_losses(rates, size, samples))
  at_uniform = np.asarray(problem.bootstrap_losses(uniform, size, samples))
  best = [
    solve(
      problem,
      size,
      limits,
      [rates, uniform],
      tuple(values[index] for values in samples),
    ).rates
    for index in range(count)
  ]
  level = problem.fits[0].interval_level
  tails = [50 * (1 - level), 50 * (1 + level)]
  gains = (at_uniform - losses) @ problem.weights
  return Bands(
    count,
    {
      'losses': np.percentile(losses, tails, axis=0),
      'gain': np.percentile(gains[:, None], tails, axis=0),
      'rates': np.percentile(best, tails, axis=0),
    },
  )
