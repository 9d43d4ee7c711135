"""Batched Levenberg-Marquardt: many starts and resamples in one XLA program.

Definitions owned here:
  coordinates: what the solver moves; the logarithm of a positive parameter,
    the parameter itself where it is signed, both in scaled units.
  problem: columns, losses and weights of one fit in scaled units.

The objectives are sums over points of weight * rho(r):
  log_huber: r = log(predicted) - log(observed), rho(r) = r^2 / 2 up to
    |r| = delta and delta (|r| - delta / 2) beyond (arXiv:2203.15556 Eq. 3).
  least_squares: r = predicted - observed, in units of the geometric mean
    loss, rho(r) = r^2 / 2.

Everything runs in float64 on the CPU, inside `float64`, which leaves precision
and devices of the rest of the process as they are (TPUs have no float64).
Points are padded to a multiple of 16 and problems to a fixed number of lanes,
so that fits of one law and size share one compiled program.
"""

from collections.abc import Iterator
import contextlib
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from codelaw.laws import forms

OBJECTIVES = ('log_huber', 'least_squares')
# Why a lane stopped, by the code the solver returns.
TERMINATIONS = ('max_iterations', 'gradient', 'no_decrease', 'exact')
LANES = 128
_POINTS = 16
# (largest cosine between the residuals and a column of the Jacobian, as in
# MINPACK's gtol; most iterations). Coarse leaves 1e-8 or so of the objective
# to gain, for starts and resamples; fine is the limit of float64.
_COARSE = (1e-5, 300)
_FINE = (3e-8, 3000)
_EXACT = 1e-28  # Objective of a fit to rounding errors.
_MAX_DAMPING = 1e10
_MAX_STEP = 2.0  # In coordinates: a factor of 7 for a positive parameter.


@dataclasses.dataclass(frozen=True)
class Problem:
  """One fit in scaled units, padded with points of weight 0.

  Attributes:
    law: its formula and parameters.
    columns: [C, n] float64.
    losses: [n] float64.
    weights: [n] float64, 0 for padding.
    scales: what the loss (`loss`) and columns (`num_params`, ...) were divided
      by.
    num_points: points that are not padding; they come first.
  """

  law: forms.Law
  columns: np.ndarray
  losses: np.ndarray
  weights: np.ndarray
  scales: dict[str, float]
  num_points: int


@dataclasses.dataclass(frozen=True)
class Solutions:
  """Where each of a batch of K starts ended.

  Attributes:
    coordinates: [K, P].
    objectives: [K].
    codes: [K], index into `TERMINATIONS`.
  """

  coordinates: np.ndarray
  objectives: np.ndarray
  codes: np.ndarray


@contextlib.contextmanager
def float64() -> Iterator[None]:
  """Float64 on a CPU device of this host for the JAX calls inside."""
  with (
    jax.enable_x64(True),
    jax.default_device(jax.local_devices(backend='cpu')[0]),
  ):
    yield


def problem(law: forms.Law, columns: np.ndarray, losses: np.ndarray) -> Problem:
  """Scales columns [C, n] and losses [n] by geometric means and pads them.

  Columns of one scale are divided by the mean of the first of them.
  """
  num_points = losses.shape[0]
  scales = {'loss': float(np.exp(np.mean(np.log(losses))))}
  scaled = np.array(columns, dtype=np.float64)
  for row, column in enumerate(law.columns):
    name = law.scale_of(column)
    if name is not None:
      scale = float(np.exp(np.mean(np.log(columns[row]))))
      scaled[row] /= scales.setdefault(name, scale)
  size = -(-num_points // _POINTS) * _POINTS
  padding = ((0, 0), (0, size - num_points))
  weights = np.zeros(size)
  weights[:num_points] = 1.0
  return Problem(
    law,
    np.pad(scaled, padding, mode='edge'),
    np.pad(losses / scales['loss'], padding[1], mode='edge'),
    weights,
    scales,
    num_points,
  )


def draw_starts(law: forms.Law, num_starts: int, seed: int) -> np.ndarray:
  """Latin hypercube of starts [num_starts, P] in coordinates."""
  low, high = _limits(law, 'start')
  generator = np.random.default_rng(seed)
  strata = generator.permuted(
    np.tile(np.arange(num_starts), (low.size, 1)), axis=1
  ).T
  position = (strata + generator.random(strata.shape)) / num_starts
  return low + (high - low) * position


def bounds(law: forms.Law) -> tuple[np.ndarray, np.ndarray]:
  """Lower and upper bounds [P] in coordinates."""
  return _limits(law, 'bounds')


def estimates(task: Problem, coordinates: np.ndarray) -> list[np.ndarray]:
  """Parameters in raw units, in the law's order, at `coordinates` [..., P]."""
  signed = _signed(task.law)
  logarithms = np.where(signed, 0.0, coordinates)
  scaled = np.where(signed, coordinates, np.exp(logarithms))
  names = task.law.parameters
  raw = task.law.unscale(
    {name: scaled[..., i] for i, name in enumerate(names)}, task.scales
  )
  return [raw[name] for name in names]


def predict(task: Problem, coordinates: np.ndarray) -> np.ndarray:
  """Scaled losses [num_points] of the law at `coordinates` [P]."""
  return np.exp(_log_predicted(task, coordinates)[0])


def jacobian(
  task: Problem, coordinates: np.ndarray, objective: str
) -> np.ndarray:
  """Derivative of the objective's residuals by coordinate, [num_points, P]."""
  logarithms, of_logarithms = _log_predicted(task, coordinates)
  if objective == 'log_huber':
    return of_logarithms
  return np.exp(logarithms)[:, None] * of_logarithms


def residuals(
  task: Problem, coordinates: np.ndarray, objective: str
) -> np.ndarray:
  """The objective's residuals r, [num_points]."""
  predicted = predict(task, coordinates)
  observed = task.losses[: task.num_points]
  if objective == 'log_huber':
    return np.log(predicted) - np.log(observed)
  return predicted - observed


def solve(
  task: Problem,
  starts: np.ndarray,
  objective: str,
  delta: float,
  losses: np.ndarray | None = None,
  weights: np.ndarray | None = None,
  precise: bool = False,
  penalty: tuple[np.ndarray, np.ndarray] | None = None,
  fixed: np.ndarray | None = None,
) -> Solutions:
  """Solves K starts, each with its own losses and weights where given.

  Args:
    task: the problem; shared columns, and losses and weights by default.
    starts: [K, P] coordinates.
    objective: one of `OBJECTIVES`.
    delta: of the Huber function; unused by least squares.
    losses: [K, n] scaled losses, or None for the problem's own.
    weights: [K, n], or None for the problem's own.
    precise: solve to the limit of float64, as the best start deserves.
    penalty: (matrix [Q, P], target [Q] or [K, Q]), which adds
      |matrix @ coordinates - target|^2 / 2 to the objective, or None.
    fixed: [P] or [K, P], True for coordinates that stay at their start (moved
      into the bounds); None for none.

  Returns:
    The solutions; their objectives hold the penalty.
  """
  count = starts.shape[0]
  shape = (count, task.losses.size)
  low, high = bounds(task.law)
  matrix, target = penalty or (np.zeros((0, low.size)), np.zeros(0))
  lanes = [
    np.clip(starts, low, high),
    np.broadcast_to(task.losses if losses is None else losses, shape),
    np.broadcast_to(task.weights if weights is None else weights, shape),
    np.broadcast_to(target, (count, len(matrix))),
    np.broadcast_to(False if fixed is None else fixed, starts.shape),
  ]
  parts = []
  with float64():
    for first in range(0, count, LANES):
      # The last lanes are filled up by repetition: one shape, one compilation.
      index = np.minimum(np.arange(first, first + LANES), count - 1)
      parts.append(
        jax.device_get(
          _solve_lanes(
            task.law.formula,
            _signed(task.law),
            objective,
            *(lane[index] for lane in lanes),
            np.asarray(matrix, dtype=np.float64),
            task.columns,
            low,
            high,
            float(delta),
            *(_FINE if precise else _COARSE),
          )
        )
      )
  coordinates, objectives, codes = (
    np.concatenate(part)[:count] for part in zip(*parts, strict=True)
  )
  return Solutions(coordinates, objectives, codes)


def _limits(law: forms.Law, field: str) -> tuple[np.ndarray, np.ndarray]:
  limits = [
    getattr(parameter, field)
    if parameter.signed
    else np.log(getattr(parameter, field))
    for parameter in law.parameter_table
  ]
  low, high = np.array(limits, dtype=np.float64).T
  return low, high


def _signed(law: forms.Law) -> tuple[bool, ...]:
  return tuple(parameter.signed for parameter in law.parameter_table)


def _apply(formula, signed, coordinates, columns):
  """Losses [n] at coordinates [P]: the formula behind its parametrisation."""
  signed = np.array(signed)
  logarithms = jnp.where(signed, 0.0, coordinates)
  return formula(jnp.where(signed, coordinates, jnp.exp(logarithms)), columns)


def _log_predicted(
  task: Problem, coordinates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Log of the scaled losses [num_points] and its Jacobian, unpadded."""
  with float64():
    logarithms, derivative = _log_and_jacobian(
      task.law.formula, _signed(task.law), coordinates, task.columns
    )
  points = slice(0, task.num_points)
  return np.asarray(logarithms)[points], np.asarray(derivative)[points]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _log_and_jacobian(formula, signed, coordinates, columns):
  def log_predicted(at):
    return jnp.log(_apply(formula, signed, at, columns))

  return log_predicted(coordinates), jax.jacfwd(log_predicted)(coordinates)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _solve_lanes(
  formula,
  signed,
  objective,
  starts,
  losses,
  weights,
  target,
  fixed,
  matrix,
  columns,
  low,
  high,
  delta,
  tolerance,
  max_iterations,
):
  lane = functools.partial(
    _solve_one,
    formula,
    signed,
    objective,
    matrix,
    columns,
    low,
    high,
    delta,
    tolerance,
    max_iterations,
  )
  return jax.vmap(lane)(starts, losses, weights, target, fixed)


def _solve_one(
  formula,
  signed,
  objective,
  penalty_matrix,
  columns,
  low,
  high,
  delta,
  tolerance,
  max_iterations,
  start,
  losses,
  weights,
  target,
  fixed,
):
  """One Levenberg-Marquardt run with projection on the bounds.

  Beyond |r| = delta the Huber function is linear, and reweighting residuals
  (the first candidate step) approaches its optimum slowly. The second
  candidate counts only the curvature of points within delta: near the optimum
  it is Newton's step, up to the curvature of the formula. The better is taken.
  """
  robust = objective == 'log_huber'

  def residuals(coordinates):
    predicted = _apply(formula, signed, coordinates, columns)
    if robust:
      return jnp.log(predicted) - jnp.log(losses)
    return predicted - losses

  def total(coordinates):
    r = residuals(coordinates)
    rho = 0.5 * r * r
    if robust:
      size = jnp.abs(r)
      rho = jnp.where(size <= delta, rho, delta * (size - 0.5 * delta))
    result = jnp.sum(weights * rho)
    result = result + 0.5 * jnp.sum(
      (penalty_matrix @ coordinates - target) ** 2
    )
    return jnp.where(jnp.isfinite(result), result, jnp.inf)

  def iterate(state):
    at, value, damping, iteration, _ = state
    r = residuals(at)
    jacobian = jax.jacfwd(residuals)(at)
    slope = weights
    if robust:
      slope = weights * jnp.minimum(1.0, delta / jnp.maximum(jnp.abs(r), delta))
    gradient = jacobian.T @ (slope * r)
    gradient = gradient + penalty_matrix.T @ (penalty_matrix @ at - target)
    pull = penalty_matrix.T @ penalty_matrix
    curvature = (jacobian.T * slope[None, :]) @ jacobian + pull
    diagonal = jnp.diag(curvature)
    diagonal = diagonal + 1e-12 * jnp.max(diagonal) + 1e-300
    held = ((at <= low) & (gradient > 0)) | ((at >= high) & (gradient < 0))
    held = held | fixed
    gradient = jnp.where(held, 0.0, gradient)

    def candidate(matrix):
      matrix = matrix + jnp.diag(damping * diagonal)
      matrix = jnp.where(held[:, None] | held[None, :], 0.0, matrix)
      matrix = matrix + jnp.diag(jnp.where(held, 1.0, 0.0))
      step = -jnp.linalg.solve(matrix, gradient)
      return jnp.clip(at + jnp.clip(step, -_MAX_STEP, _MAX_STEP), low, high)

    matrices = [curvature]
    if robust:
      within = weights * (jnp.abs(r) <= delta)
      matrices.append((jacobian.T * within[None, :]) @ jacobian + pull)
    points = jnp.stack([candidate(matrix) for matrix in matrices])
    totals = jax.vmap(total)(points)
    best = jnp.argmin(totals)
    better = totals[best] < value
    cosine = jnp.max(jnp.abs(gradient) / jnp.sqrt(diagonal))
    cosine = cosine / jnp.sqrt(2 * value + 1e-300)
    damping = jnp.clip(jnp.where(better, damping * 0.2, damping * 4.0), 1e-12)
    code = jnp.where(
      value < _EXACT,
      3,
      jnp.where(
        cosine < tolerance,
        1,
        jnp.where(damping > _MAX_DAMPING, 2, 0),
      ),
    )
    return (
      jnp.where(better, points[best], at),
      jnp.where(better, totals[best], value),
      damping,
      iteration + 1,
      code,
    )

  def unfinished(state):
    return (state[4] == 0) & (state[3] < max_iterations)

  at, value, _, _, code = jax.lax.while_loop(
    unfinished, iterate, (start, total(start), jnp.float64(1e-2), 0, 0)
  )
  return at, value, code
