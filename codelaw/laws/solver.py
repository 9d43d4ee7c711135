"""Solves fits of a law: many starts and resamples at once, in float64.

Definitions owned here:
  coordinates: what the solver moves; the logarithm of a positive parameter,
    the parameter itself where it is signed, both in scaled units.
  problem: columns, losses and weights of one fit in scaled units.
  lane: one start with its losses and weights; see `codelaw.laws.descent` for
    how it descends, `codelaw.laws.objectives` for what it minimises and
    `codelaw.laws.search` for where a fit starts from.

Everything runs on the CPU, inside `float64`, which leaves precision and
devices of the rest of the process as they are (TPUs have no float64). Points
are padded to a multiple of 16 and lanes to a fixed number, so that fits of one
law and size share one compiled program. Lanes that have stopped make room for
others, and the host's cores share the lanes.
"""

from collections.abc import Sequence
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from codelaw.laws import descent
from codelaw.laws import forms
from codelaw.laws import lanes as lanes_lib
from codelaw.laws import objectives

float64 = lanes_lib.float64
OBJECTIVES = objectives.NAMES
# Why a lane stopped, by the code the solver returns.
TERMINATIONS = tuple(reason.name.lower() for reason in descent.Termination)
LANES = lanes_lib.MOST
_POINTS = 16
# (largest cosine between the residuals and a column of the Jacobian, as in
# MINPACK's gtol; most iterations). Coarse leaves 1e-8 or so of the objective
# to gain, for starts and resamples; fine is the limit of float64.
COARSE = (1e-5, 300)
FINE = (3e-8, 3000)
_ROUND = 16  # Iterations before lanes that have stopped make room, at first.


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
    leniency: of the objective `lower_envelope`.
  """

  law: forms.Law
  columns: np.ndarray
  losses: np.ndarray
  weights: np.ndarray
  scales: dict[str, float]
  num_points: int
  leniency: float = objectives.LENIENCY


@dataclasses.dataclass(frozen=True)
class Solutions:
  """Where each of a batch of K starts ended.

  Attributes:
    coordinates: [K, P].
    objectives: [K].
    codes: [K] of `descent.Termination`, also index into `TERMINATIONS`.
  """

  coordinates: np.ndarray
  objectives: np.ndarray
  codes: np.ndarray


def problem(
  law: forms.Law,
  columns: np.ndarray,
  losses: np.ndarray,
  leniency: float = objectives.LENIENCY,
) -> Problem:
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
    leniency,
  )


def draw_starts(
  law: forms.Law, num_starts: int, seed: int | Sequence[int]
) -> np.ndarray:
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


def free(law: forms.Law, coordinates: np.ndarray) -> np.ndarray:
  """[P] False for parameters that ended at a bound, of coordinates [P]."""
  low, high = bounds(law)
  margin = 1e-6 * (high - low)
  return (coordinates > low + margin) & (coordinates < high - margin)


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
  if objective in objectives.OF_LOGARITHMS:
    return of_logarithms
  return np.exp(logarithms)[:, None] * of_logarithms


def residuals(
  task: Problem, coordinates: np.ndarray, objective: str
) -> np.ndarray:
  """The objective's residuals r, [num_points]."""
  predicted = predict(task, coordinates)
  observed = task.losses[: task.num_points]
  if objective in objectives.OF_LOGARITHMS:
    return np.log(predicted / observed)
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
  count = len(starts)
  matrix, target, constant = _square(penalty, starts.shape[1])
  lanes = batch(
    task,
    objective,
    delta,
    count,
    losses,
    weights,
    matrix=matrix,
    target=target,
    fixed=fixed,
  )
  state = descend(
    lanes,
    descent.begin(np.clip(starts, lanes.low, lanes.high)),
    np.arange(count),
    *(FINE if precise else COARSE),
  )
  return Solutions(state.at, state.objective + constant, state.termination)


def batch(
  task: Problem,
  objective: str,
  delta: float,
  count: int,
  losses: np.ndarray | None = None,
  weights: np.ndarray | None = None,
  matrix: np.ndarray | None = None,
  target: np.ndarray | float = 0.0,
  fixed: np.ndarray | None = None,
) -> lanes_lib.Batch:
  """The `count` lanes of `solve`, with a penalty of P rows."""
  low, high = bounds(task.law)

  def of_lanes(values: np.ndarray) -> np.ndarray:
    return np.broadcast_to(values, (count, *values.shape[-2:]))

  return lanes_lib.Batch(
    task.law.formula,
    _signed(task.law),
    low,
    high,
    objective,
    delta,
    task.leniency,
    np.moveaxis(lanes_lib.in_blocks(task.columns), 0, 1),
    of_lanes(lanes_lib.in_blocks(task.losses if losses is None else losses)),
    of_lanes(
      lanes_lib.in_blocks(task.weights if weights is None else weights, 0.0)
    ),
    np.zeros((low.size, low.size)) if matrix is None else matrix,
    np.broadcast_to(target, (count, low.size)),
    np.broadcast_to(False if fixed is None else fixed, (count, low.size)),
  )


def descend(
  lanes: lanes_lib.Batch,
  state: descent.State,
  rows: np.ndarray,
  tolerance: float,
  most_iterations: int,
) -> descent.State:
  """Moves the lanes `rows` of a batch on until they stop."""
  done, turn = 0, _ROUND
  while rows.size and done < most_iterations:
    iterations = min(turn, most_iterations - done)
    state = lanes.advance(state, rows, iterations, tolerance)
    done, turn = done + iterations, 2 * turn
    moving = state.termination[rows] == descent.Termination.MAX_ITERATIONS
    rows = rows[moving]
  return state


def _limits(law: forms.Law, field: str) -> tuple[np.ndarray, np.ndarray]:
  limits = [
    getattr(parameter, field)
    if parameter.signed
    else np.log(getattr(parameter, field))
    for parameter in law.parameter_table
  ]
  low, high = np.array(limits, dtype=np.float64).T
  return low, high


def _square(
  penalty: tuple[np.ndarray, np.ndarray] | None, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """An equal penalty of P rows: matrix [P, P], target [..., P], and the rest.

  One shape for every penalty, and for none, is one program for all.
  """
  matrix, target = penalty or (np.zeros((0, size)), np.zeros(0))
  if len(matrix) > size:
    basis, matrix = np.linalg.qr(matrix)
    inside = target @ basis
    rest = 0.5 * np.sum((target - inside @ basis.T) ** 2, axis=-1)
    return matrix, inside, rest
  missing = size - len(matrix)
  edges = [(0, 0)] * (np.ndim(target) - 1) + [(0, missing)]
  return (
    np.pad(np.asarray(matrix, np.float64), ((0, missing), (0, 0))),
    np.pad(np.asarray(target, np.float64), edges),
    np.zeros(()),
  )


def _signed(law: forms.Law) -> tuple[bool, ...]:
  return tuple(parameter.signed for parameter in law.parameter_table)


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
    return jnp.log(descent.apply(formula, signed, at, columns))

  return log_predicted(coordinates), jax.jacfwd(log_predicted)(coordinates)
