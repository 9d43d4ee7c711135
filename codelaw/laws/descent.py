"""Levenberg-Marquardt for many lanes at once, as one small XLA program.

Definitions owned here:
  lane: one descent, with a start, losses and weights of its own.
  block: lanes, or points, that are worked on together. Arrays come as
    [blocks, ...] and the numbers of blocks in use are arguments, so that any
    number of lanes and the first of the points run through one program.

An iteration tries two steps and takes the better. The first reweights the
squares of the residuals so that their gradient is the objective's. Where a
Huber function is linear, that step approaches the optimum slowly; the second
counts only the curvature of points within delta and is Newton's step near the
optimum, up to the curvature of the formula.

Everything is float64: call inside `lanes.float64`. Arrays are NumPy's on the
host and JAX's inside the program.
"""

import enum
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from codelaw.laws import objectives

LANES = 16  # Of a block: their Jacobians lie in a core's cache.
POINTS = 256  # Of a block.
# Parameters up to which derivatives are pushed forward, one pass for each, and
# not pulled back point by point, which compiles to more code.
_FORWARD = 8
_EXACT = 1e-28  # Objective of a fit to rounding errors.
_FIRST_DAMPING = 1e-2
_LEAST_DAMPING = 1e-12
_MOST_DAMPING = 1e10
_MAX_STEP = 2.0  # In coordinates: a factor of 7 for a positive parameter.


class Termination(enum.IntEnum):
  """Why a lane stopped.

  `MAX_ITERATIONS` also marks a lane that has not stopped yet.
  """

  MAX_ITERATIONS = 0
  GRADIENT = 1
  NO_DECREASE = 2
  EXACT = 3


class State(NamedTuple):
  """Where lanes are: all arrays [lanes] but `at`, which is [lanes, P]."""

  at: Any
  objective: Any
  damping: Any
  iterations: Any
  termination: Any


class Lanes(NamedTuple):
  """What lanes descend on.

  Attributes:
    losses: [lanes, point blocks, POINTS].
    weights: [lanes, point blocks, POINTS].
    target: [lanes, P] of the quadratic penalty.
    fixed: [lanes, P] True for coordinates that stay.
  """

  losses: Any
  weights: Any
  target: Any
  fixed: Any


class Shared(NamedTuple):
  """What all lanes share.

  Attributes:
    columns: [point blocks, C, POINTS].
    point_blocks: how many of them count.
    matrix: [P, P] of the quadratic penalty.
    low: [P] lower bounds.
    high: [P] upper bounds.
    delta: of the Huber function.
    leniency: of the lower envelope.
    tolerance: largest cosine between the residuals and a column of the
      Jacobian at which a lane has converged, as in MINPACK's gtol.
    iterations: most iterations of this call.
  """

  columns: Any
  point_blocks: Any
  matrix: Any
  low: Any
  high: Any
  delta: Any
  leniency: Any
  tolerance: Any
  iterations: Any


def begin(at: np.ndarray) -> State:
  """The state of lanes at their starts [lanes, P], before any iteration."""
  count = at.shape[0]
  return State(
    at,
    np.full(count, np.inf),
    np.full(count, _FIRST_DAMPING),
    np.zeros(count, np.int64),
    np.zeros(count, np.int64),
  )


def apply(formula, signed, coordinates, columns):
  """Losses [n] at coordinates [P]: the formula behind its parametrisation."""
  signed = np.array(signed)
  logarithms = jnp.where(signed, 0.0, coordinates)
  return formula(jnp.where(signed, coordinates, jnp.exp(logarithms)), columns)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def advance(formula, signed, objective, blocks, state, lanes, shared):
  """Moves lanes on by up to `shared.iterations`.

  Args:
    formula: of the law.
    signed: [P] which of its parameters are not solved as logarithms.
    objective: one of `objectives.NAMES`.
    blocks: how many blocks of lanes count; the others come back as they are.
    state: arrays [blocks, LANES, ...].
    lanes: arrays [blocks, LANES, ...].
    shared: see there.
  """

  def one_block(index, state):
    own, block = (
      jax.tree.map(
        lambda x: jax.lax.dynamic_index_in_dim(x, index, keepdims=False), tree
      )
      for tree in (lanes, state)
    )
    block = _descend(
      functools.partial(apply, formula, signed), objective, block, own, shared
    )
    return jax.tree.map(
      lambda x, y: jax.lax.dynamic_update_index_in_dim(x, y, index, 0),
      state,
      block,
    )

  return jax.lax.fori_loop(0, blocks, one_block, state)


def _descend(predict, objective, state, lanes, shared):
  """Moves one block of lanes on until all have stopped or have had enough."""
  robust = objective in objectives.OF_LOGARITHMS
  size = state.at.shape[1]
  pull = shared.matrix.T @ shared.matrix

  def over_points(add, nothing):
    def body(index, total):
      chosen = (
        jax.lax.dynamic_index_in_dim(x, index, axis, keepdims=False)
        for x, axis in (
          (shared.columns, 0),
          (lanes.losses, 1),
          (lanes.weights, 1),
        )
      )
      return jax.tree.map(jnp.add, total, add(*chosen))

    return jax.lax.fori_loop(0, shared.point_blocks, body, nothing)

  def residuals(at, columns, losses):
    return objectives.residuals(objective, predict(at, columns), losses)

  def totals(points):
    """Objectives [candidates, lanes] at [candidates, lanes, P]."""
    each = jax.vmap(residuals, (0, None, 0))

    def add(columns, losses, weights):
      r = jax.vmap(each, (0, None, None))(points, columns, losses)
      rho = objectives.penalty(objective, r, shared.delta, shared.leniency)
      return jnp.sum(weights * rho, axis=-1)

    total = over_points(add, jnp.zeros(points.shape[:2]))
    off = points @ shared.matrix.T - lanes.target
    total = total + 0.5 * jnp.sum(off * off, axis=-1)
    return jnp.where(jnp.isfinite(total), total, jnp.inf)

  def normal_equations(at):
    """[lanes, P, 2 P + 1]: both curvatures, and the gradient."""

    def one_lane(at, columns, losses, weights):
      if size > _FORWARD:

        def r_of(at, column, loss):
          return residuals(at, column[:, None], loss[None])[0]

        by_point = jax.vmap(jax.value_and_grad(r_of), (None, 1, 0), (0, 1))
        r, jacobian = by_point(at, columns, losses)
      else:
        r, push = jax.linearize(lambda at: residuals(at, columns, losses), at)
        jacobian = jax.vmap(push)(jnp.eye(size))  # [P, n]
      first, second = objectives.slope(
        objective, r, shared.delta, shared.leniency
      )
      scaled = (weights * first) * jacobian
      sides = [scaled, (weights * first * r)[None]]
      if robust:
        sides.append((weights * second) * jacobian)
      return jacobian @ jnp.concatenate(sides).T

    width = size + 1 + size * robust
    return over_points(
      lambda *points: jax.vmap(one_lane, (0, None, 0, 0))(at, *points),
      jnp.zeros((at.shape[0], size, width)),
    )

  def iterate(state):
    at, value, damping, iterations, _ = state
    equations = normal_equations(at)
    curvatures = [equations[..., :size] + pull]
    if robust:
      curvatures.append(equations[..., size + 1 :] + pull)
    gradient = equations[..., size]
    gradient += (at @ shared.matrix.T - lanes.target) @ shared.matrix
    diagonal = jnp.diagonal(curvatures[0], axis1=1, axis2=2)
    diagonal += 1e-12 * jnp.max(diagonal, axis=1, keepdims=True) + 1e-300
    held = (at <= shared.low) & (gradient > 0)
    held |= (at >= shared.high) & (gradient < 0)
    held |= lanes.fixed
    gradient = jnp.where(held, 0.0, gradient)

    length = jnp.sqrt(diagonal)
    matrix = jnp.stack(curvatures)
    matrix /= length[:, :, None] * length[:, None, :]
    matrix = jnp.where(held[:, :, None] | held[:, None, :], 0.0, matrix)
    matrix += jnp.eye(size) * jnp.where(held, 1.0, damping[:, None])[:, :, None]
    step = -_solve(matrix, gradient / length) / length
    step = jnp.clip(step, -_MAX_STEP, _MAX_STEP)
    points = jnp.clip(at + step, shared.low, shared.high)
    found = totals(points)
    best = jnp.argmin(found, axis=0)[None]
    lowest = jnp.take_along_axis(found, best, 0)[0]
    point = jnp.take_along_axis(points, best[..., None], 0)[0]

    better = lowest < value
    cosine = jnp.max(jnp.abs(gradient) / length, axis=1)
    cosine /= jnp.sqrt(2 * value + 1e-300)
    damping = jnp.where(better, damping * 0.2, damping * 4.0)
    termination = jnp.select(
      [
        value < _EXACT,
        cosine < shared.tolerance,
        damping > _MOST_DAMPING,
      ],
      [Termination.EXACT, Termination.GRADIENT, Termination.NO_DECREASE],
      Termination.MAX_ITERATIONS,
    )
    return State(
      jnp.where(better[:, None], point, at),
      jnp.where(better, lowest, value),
      jnp.maximum(damping, _LEAST_DAMPING),
      iterations + 1,
      termination,
    )

  def step(carry):
    index, state = carry
    moving = state.termination == Termination.MAX_ITERATIONS
    moved = iterate(state)
    return index + 1, jax.tree.map(
      lambda new, old: jnp.where(
        moving[:, None] if new.ndim == 2 else moving, new, old
      ),
      moved,
      state,
    )

  def unfinished(carry):
    index, state = carry
    moving = jnp.any(state.termination == Termination.MAX_ITERATIONS)
    return (index < shared.iterations) & moving

  value = jnp.where(
    jnp.isinf(state.objective), totals(state.at[None])[0], state.objective
  )
  state = state._replace(objective=value)
  return jax.lax.while_loop(unfinished, step, (0, state))[1]


def _solve(matrix, right):
  """Solves [..., P, P] x = [..., P], positive definite with unit diagonal.

  By Gauss-Jordan elimination, which needs no pivots here, over all lanes at
  once: LAPACK takes one lane after the other.
  """
  size = matrix.shape[-1]
  right = jnp.broadcast_to(right, matrix.shape[:-1])[..., None]
  table = jnp.concatenate([matrix, right], axis=-1)

  def eliminate(row, table):
    pivot = jax.lax.dynamic_index_in_dim(table, row, -2)
    pivot /= jax.lax.dynamic_index_in_dim(pivot, row, -1)
    column = jax.lax.dynamic_index_in_dim(table, row, -1)
    others = (jnp.arange(size) != row)[:, None]
    return jnp.where(others, table - column * pivot, pivot)

  return jax.lax.fori_loop(0, size, eliminate, table)[..., size]
