"""Profile intervals: values of a parameter that the runs do not rule out.

For a value v of one parameter, all others are solved for again; the rise of
the objective above its minimum tells how much worse the law fits. The interval
holds the v with

  2 (objective(v) - objective) <= t^2 * scale * clustering,

where t is Student's quantile for the level and the noise's degrees of freedom
(t^2 is an F quantile), `scale` is `uncertainty.Noise.objective_scale`: the
residual variance s^2 for least squares, where the rule is the classical one
(Bates and Watts 1988, chapter 6), and E[psi^2] / E[psi'] for the Huber
function, a quasi-likelihood. `clustering` is 1 where every point is a run, and
else the factor by which shared noise raises the parameter's variance.

Unlike a standard error it follows the curvature of the law, and unlike a
percentile it can say that an end is open: nothing between the estimate and the
bound of the solver is ruled out.
"""

from collections.abc import Sequence
import dataclasses

import numpy as np
from scipy import stats

from codelaw.laws import refits
from codelaw.laws import solver
from codelaw.laws import uncertainty

# Distances from the estimate, in t standard errors, that are solved first.
_DISTANCES = np.array([0.4, 0.8, 1.2, 1.8, 3.0, 6.0, 15.0])
# The same for a parameter at a bound, in parts of its range.
_PARTS = np.array([0.01, 0.03, 0.1, 0.2, 0.35, 0.6, 1.0])
_REFINEMENTS = 1
_BETWEEN = 5  # Points between two that bracket an end, per refinement.
# Range of a coordinate in raw units, where the law's own bounds do not apply.
_RAW_REACH = 400.0


def intervals(
  optimum: refits.Optimum, level: float
) -> dict[str, tuple[float | None, float | None]]:
  """Profile interval of each parameter in raw units; None is an open end.

  All values of all parameters are solved in one batch, and again between the
  two that bracket each end. Parameters that are a coordinate of the solver up
  to a constant factor are profiled there; the others (A, B: their unit depends
  on an exponent) in unscaled columns, where they are coordinates too.
  """
  raw = uncertainty.raw_derivatives(optimum.task, optimum.coordinates)
  values = np.array(solver.estimates(optimum.task, optimum.coordinates))
  signed = np.array([p.signed for p in optimum.task.law.parameter_table])
  relative = np.abs(raw / np.where(signed, 1.0, values)[:, None])
  own = relative > 1e-6 * relative.max(axis=1, keepdims=True)
  mixed = (own & ~np.eye(own.shape[0], dtype=bool)).any(axis=1)
  found: dict[str, tuple[float | None, float | None]] = {}
  for chosen, unscaled in ((~mixed, False), (mixed, True)):
    if not chosen.any():
      continue
    surface = _surface(optimum, level, mixed if unscaled else None)
    indices = np.flatnonzero(chosen).tolist()
    for index, (low, high) in zip(
      indices, _ends(surface, indices), strict=True
    ):
      found[optimum.task.law.parameters[index]] = (
        None if low is None else _raw(surface, index, low),
        None if high is None else _raw(surface, index, high),
      )
  return {name: found[name] for name in optimum.task.law.parameters}


@dataclasses.dataclass(frozen=True)
class _Surface:
  """An objective around its minimum, in one choice of coordinates."""

  task: solver.Problem
  objective_name: str
  delta: float
  at: np.ndarray  # [P]
  objective: float
  limits: np.ndarray  # [P] rise of the objective at the ends.
  errors: np.ndarray  # [P] t standard errors; 0 at a bound.
  slopes: np.ndarray  # [P, P] move of k per move of p, to first order.
  low: np.ndarray
  high: np.ndarray

  def rises(self, starts: np.ndarray, held: np.ndarray):
    """Solves [K, P] with coordinate `held` [K] fixed: rises, coordinates."""
    fixed = np.arange(self.at.size) == held[:, None]
    solutions = solver.solve(
      self.task, starts, self.objective_name, self.delta, fixed=fixed
    )
    return (
      np.maximum(solutions.objectives - self.objective, 0.0),
      solutions.coordinates,
    )


def _surface(
  optimum: refits.Optimum, level: float, mixed: np.ndarray | None
) -> _Surface:
  task, at = optimum.task, optimum.coordinates
  least = optimum.objective
  free = optimum.free()
  if mixed is not None:
    task, at = _in_raw_units(task, at, mixed)
    if optimum.objective_name == 'least_squares':
      least *= optimum.task.scales['loss'] ** 2
  how = (optimum.data.runs, optimum.objective_name, optimum.delta)
  noise = uncertainty.noise(task, at, *how)
  jacobian = solver.jacobian(task, at, optimum.objective_name)[:, free]
  sums = np.zeros((optimum.data.num_runs, int(free.sum())))
  np.add.at(sums, optimum.data.runs, jacobian)
  inverse = np.linalg.pinv(jacobian.T @ jacobian)
  shared = inverse @ (sums.T @ sums) @ inverse
  t = stats.t.ppf(0.5 + level / 2, noise.degrees_of_freedom)
  clustering, errors = np.ones(at.size), np.zeros(at.size)
  clustering[free] = np.diag(shared) / np.diag(inverse)
  errors[free] = t * np.sqrt(noise.variance * np.diag(shared))
  slopes = np.eye(at.size)
  slopes[np.ix_(free, free)] = inverse / np.diag(inverse)[:, None]
  low, high = solver.bounds(task.law)
  return _Surface(
    task,
    optimum.objective_name,
    optimum.delta,
    at,
    least,
    0.5 * t**2 * noise.objective_scale * clustering,
    errors,
    slopes,
    low,
    high,
  )


def _ends(
  surface: _Surface, chosen: Sequence[int]
) -> list[tuple[float | None, float | None]]:
  """Both ends, as coordinates, of each of the chosen parameters."""
  sides = [(p, side) for p in chosen for side in (-1, 1)]
  # Known so far on each side: distance, rise and coordinates, ascending.
  known = [[(0.0, 0.0, surface.at)] for _ in sides]
  wanted = [_first_distances(surface, p, side) for p, side in sides]
  for _ in range(1 + _REFINEMENTS):
    held, starts, owner = [], [], []
    for number, ((p, side), distances) in enumerate(
      zip(sides, wanted, strict=True)
    ):
      for distance in distances:
        start = _start(surface, known[number], p, side, distance)
        held.append(p)
        starts.append(start)
        owner.append((number, distance))
    if not held:
      break
    rises, coordinates = surface.rises(np.array(starts), np.array(held))
    for (number, distance), rise, at in zip(
      owner, rises, coordinates, strict=True
    ):
      known[number].append((float(distance), float(rise), at))
    for entries in known:
      entries.sort(key=lambda entry: entry[0])
    wanted = [
      _between(entries, surface.limits[p])
      for entries, (p, _) in zip(known, sides, strict=True)
    ]
  ends = [
    _crossing(entries, surface.limits[p], surface.at[p], side)
    for entries, (p, side) in zip(known, sides, strict=True)
  ]
  return list(zip(ends[::2], ends[1::2], strict=True))


def _first_distances(surface: _Surface, p: int, side: int) -> np.ndarray:
  bound = surface.high[p] if side > 0 else surface.low[p]
  room = abs(bound - surface.at[p])
  if room < 1e-6 * (surface.high[p] - surface.low[p]):
    return np.zeros(0)
  if surface.errors[p] <= 0:
    return _PARTS * room
  distances = _DISTANCES * surface.errors[p]
  return np.append(distances[distances < room], room)


def _start(surface, entries, p, side, distance) -> np.ndarray:
  """Where to solve from: between the neighbours, or along the first order."""
  after = [entry for entry in entries if entry[0] > distance]
  if after:
    before = max(
      (entry for entry in entries if entry[0] < distance),
      key=lambda entry: entry[0],
    )
    part = (distance - before[0]) / (after[0][0] - before[0])
    start = (1 - part) * before[2] + part * after[0][2]
  else:
    start = surface.at + side * distance * surface.slopes[p]
  start = np.clip(start, surface.low, surface.high)
  start[p] = surface.at[p] + side * distance
  return start


def _between(entries, limit: float) -> np.ndarray:
  """Distances between the last below the limit and the first above it."""
  above = next((i for i, e in enumerate(entries) if e[1] > limit), None)
  if above is None:
    return np.zeros(0)
  first, last = entries[above - 1][0], entries[above][0]
  return np.linspace(first, last, _BETWEEN + 2)[1:-1]


def _crossing(entries, limit, at, side) -> float | None:
  """Where the root of the rise, nearly straight, meets that of the limit."""
  above = next((i for i, e in enumerate(entries) if e[1] > limit), None)
  if above is None:
    return None
  (near, low, _), (far, high, _) = entries[above - 1], entries[above]
  low, high, wanted = np.sqrt(low), np.sqrt(high), np.sqrt(limit)
  return float(
    at + side * (near + (far - near) * (wanted - low) / (high - low))
  )


def _raw(surface: _Surface, index: int, coordinate: float) -> float:
  at = surface.at.copy()
  at[index] = coordinate
  return float(solver.estimates(surface.task, at)[index])


def _in_raw_units(
  task: solver.Problem, at: np.ndarray, mixed: np.ndarray
) -> tuple[solver.Problem, np.ndarray]:
  """The same problem in unscaled columns, and where its optimum lies.

  Args:
    task: the problem.
    at: [P] its optimum.
    mixed: [P] parameters whose raw value depends on other coordinates too;
      the law's bounds do not apply to it.
  """
  columns = task.columns.copy()
  for row, name in enumerate(task.law.columns):
    columns[row] *= task.scales.get(name, 1.0)
  bounds = np.stack(solver.bounds(task.law)) - at
  bounds[:, mixed] = np.array([[-_RAW_REACH], [_RAW_REACH]])
  table, coordinates = [], []
  for parameter, value, reach in zip(
    task.law.parameter_table,
    solver.estimates(task, at),
    bounds.T,
    strict=True,
  ):
    centre = float(value) if parameter.signed else float(np.log(value))
    low, high = centre + reach if parameter.signed else np.exp(centre + reach)
    table.append(
      dataclasses.replace(parameter, bounds=(float(low), float(high)))
    )
    coordinates.append(centre)
  raw = solver.Problem(
    dataclasses.replace(task.law, parameter_table=tuple(table)),
    columns,
    task.losses * task.scales['loss'],
    task.weights,
    dict.fromkeys(task.scales, 1.0),
    task.num_points,
    task.leniency,
  )
  return raw, np.array(coordinates)
