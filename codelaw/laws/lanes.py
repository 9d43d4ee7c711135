"""Any number of lanes, run through the one shape of program that `descent` has.

A batch holds what its lanes descend on. Chunks of lanes are filled up to a
fixed number, and the host's cores take them in turn; what a lane finds does
not depend on its neighbours.
"""

from collections.abc import Callable
from collections.abc import Iterator
from concurrent import futures
import contextlib
import dataclasses
import os

import jax
import numpy as np

from codelaw.laws import descent

MOST = 128  # Lanes of one call.
_MOST_VALUES = (
  2**22
)  # Losses of one call: many points leave room for few lanes.
_ORDER = 0  # Seed of the order of the points.


@contextlib.contextmanager
def float64() -> Iterator[None]:
  """Float64 on a CPU device of this host for the JAX calls of this thread."""
  with (
    jax.enable_x64(True),
    jax.default_device(jax.local_devices(backend='cpu')[0]),
  ):
    yield


@dataclasses.dataclass(frozen=True)
class Batch:
  """K lanes of one law and objective.

  Attributes:
    formula: of the law.
    signed: [P] which of its parameters are not solved as logarithms.
    low: [P] lower bounds, in coordinates.
    high: [P] upper bounds.
    objective: one of `objectives.NAMES`.
    delta: of the Huber function.
    leniency: of the lower envelope.
    columns: [point blocks, C, m].
    losses: [K, point blocks, m].
    weights: [K, point blocks, m].
    matrix: [P, P] of the quadratic penalty.
    target: [K, P] of it.
    fixed: [K, P] True for coordinates that stay.
  """

  formula: Callable
  signed: tuple[bool, ...]
  low: np.ndarray
  high: np.ndarray
  objective: str
  delta: float
  leniency: float
  columns: np.ndarray
  losses: np.ndarray
  weights: np.ndarray
  matrix: np.ndarray
  target: np.ndarray
  fixed: np.ndarray

  def advance(
    self,
    state: descent.State,
    rows: np.ndarray,
    iterations: int,
    tolerance: float,
    point_blocks: int | None = None,
  ) -> descent.State:
    """Moves the lanes `rows` on.

    Args:
      state: of all lanes.
      rows: indices of the lanes to move.
      iterations: at most so many.
      tolerance: see `descent.Shared`.
      point_blocks: count only the points of the first blocks; None for all.

    Returns:
      The state of all lanes.
    """
    state = descent.State(*(np.array(x) for x in state))
    blocks = _blocks(self.losses[0].size)
    size = blocks * descent.LANES
    shared = descent.Shared(
      self.columns,
      np.int64(point_blocks or len(self.columns)),
      self.matrix,
      self.low,
      self.high,
      np.float64(self.delta),
      np.float64(self.leniency),
      np.float64(tolerance),
      np.int64(iterations),
    )

    def one_chunk(chosen: np.ndarray) -> descent.State:
      # The last lanes are filled up by repetition: one shape, one program.
      index = np.resize(chosen, size)

      def shaped(values: np.ndarray) -> np.ndarray:
        return values[index].reshape(blocks, descent.LANES, *values.shape[1:])

      own = descent.Lanes(
        *map(shaped, (self.losses, self.weights, self.target, self.fixed))
      )
      with float64():
        moved = descent.advance(
          self.formula,
          self.signed,
          self.objective,
          np.int64(-(-chosen.size // descent.LANES)),
          descent.State(*map(shaped, state)),
          own,
          shared,
        )
      return jax.tree.map(
        lambda x: np.asarray(x).reshape(size, *x.shape[2:])[: chosen.size],
        moved,
      )

    for chosen, moved in _on_cores(one_chunk, rows, size):
      for old, new in zip(state, moved, strict=True):
        old[chosen] = new
    return state


def in_blocks(values: np.ndarray, fill: float | None = None) -> np.ndarray:
  """Points [..., n] as blocks [..., blocks, m], the rest filled up.

  With more than one block, points come in an order that makes the first blocks
  a fair sample of them all.

  Args:
    values: n points.
    fill: of what is filled up; None for the last point's.
  """
  count = values.shape[-1]
  size = min(descent.POINTS, count)
  blocks = -(-count // size)
  order = np.arange(count)
  if blocks > 1:
    order = np.random.default_rng(_ORDER).permutation(count)
  order = np.concatenate([order, np.full(blocks * size - count, order[-1])])
  result = values[..., order]
  if fill is not None:
    result[..., count:] = fill
  return result.reshape(*values.shape[:-1], blocks, size)


def _blocks(num_points: int) -> int:
  """Blocks of lanes of one call."""
  most = MOST // descent.LANES
  return max(1, min(most, _MOST_VALUES // (num_points * descent.LANES)))


def _on_cores(work: Callable, rows: np.ndarray, size: int):
  """(chunk of rows, work on it) for all rows, a thread per core.

  Few rows are divided among the cores in whole blocks.
  """
  cores = os.cpu_count() or 1
  each = -(-rows.size // (cores * descent.LANES)) * descent.LANES
  size = max(descent.LANES, min(size, each))
  chunks = [rows[at : at + size] for at in range(0, rows.size, size)]
  if len(chunks) == 1 or cores == 1:
    return [(chunk, work(chunk)) for chunk in chunks]
  first = work(chunks[0])  # Compiles, once and not in every thread.
  with futures.ThreadPoolExecutor(cores) as pool:
    others = pool.map(work, chunks[1:])
    return list(zip(chunks, [first, *others], strict=True))
