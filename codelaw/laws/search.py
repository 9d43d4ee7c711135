"""The global optimum of a fit: many starts, few followed to the end.

Definitions owned here:
  followed: of all starts, those whose descent went on until it stopped. The
    others were given up because, after none or a few iterations, more than
    enough others were lower.
  reached: followed starts that ended at the optimum, to `TOLERANCE`. A start
    that was given up never counts as one that reached it.

Starts are screened by their objective, and what is left once more after a few
iterations (successive halving, Jamieson and Talwalkar 2016, arXiv:1502.07943);
where there are many points, on a fair sample of them and then twice more on
all of them. Where few of the followed starts agree on the lowest objective,
another may be lower still: further starts are drawn, more each time, until
several agree or there have been `MOST_TIMES` as many as asked for.
"""

import dataclasses

import numpy as np

from codelaw.laws import descent
from codelaw.laws import solver

TOLERANCE = 1e-4
"""A start reached the optimum when its objective is above the best by at most
this fraction. Under a Huber function with a small delta near-ties a few
points apart exist; they are one optimum for every purpose here."""
MOST_TIMES = 16
"""At most so many times the starts asked for are drawn."""

_EXACT_OBJECTIVE = 1e-20  # Below it all starts fit to rounding errors.
_CONFIRMED = 5  # Followed starts that must agree.
_CONFIRMED_SHARE = 0.02  # And share of them.
# Starts left after the first look and after a few iterations: a share of all,
# but at least so many.
_FIRST_LOOK = (1 / 4, 256)
_SECOND_LOOK = (1 / 16, 96)
_FEW_ITERATIONS = 6
# Looks on all points, where a sample served the first ones.
_LATER_LOOKS = ((24, (1 / 32, 32)), (48, (1 / 64, 16)))
_SAMPLE_PER_PARAMETER = 16  # Points of the sample, in whole blocks.
_POLISHED = descent.LANES
_NEAR_TIE = 1e-2  # Relative; what is further above stays so at any limit.


@dataclasses.dataclass(frozen=True)
class Found:
  """The optimum, and how it was found.

  Attributes:
    coordinates: [P].
    objective: there.
    termination: why the solver stopped there, one of `solver.TERMINATIONS`.
    num_starts: drawn in all.
    num_followed: of them, those followed to the end.
    num_reached: of those followed, how many ended at the optimum.
    ends: where the followed starts ended.
  """

  coordinates: np.ndarray
  objective: float
  termination: str
  num_starts: int
  num_followed: int
  num_reached: int
  ends: solver.Solutions


def optimum(
  task: solver.Problem,
  objective: str,
  delta: float,
  num_starts: int,
  seed: int,
) -> Found:
  """The best optimum that can be found from starts drawn by `seed`.

  Args:
    task: the problem.
    objective: one of `solver.OBJECTIVES`.
    delta: of the Huber function.
    num_starts: drawn at first, and all there are if they agree.
    seed: of the starts.
  """
  drawn, draws = 0, num_starts
  ends = None
  while True:
    # The first draw is that of `solver.draw_starts` itself.
    starts = solver.draw_starts(
      task.law, draws, seed if not drawn else [seed, drawn]
    )
    drawn += draws
    found = from_starts(task, objective, delta, starts, drawn, ends)
    enough = max(_CONFIRMED, _CONFIRMED_SHARE * found.num_followed)
    if found.num_reached >= min(enough, found.num_followed) or (
      drawn >= MOST_TIMES * num_starts
    ):
      return found
    ends, draws = found.ends, min(drawn, MOST_TIMES * num_starts - drawn)


def from_starts(
  task: solver.Problem,
  objective: str,
  delta: float,
  starts: np.ndarray,
  num_starts: int | None = None,
  earlier: solver.Solutions | None = None,
) -> Found:
  """The best optimum that is found from given starts [K, P].

  Args:
    task: the problem.
    objective: one of `solver.OBJECTIVES`.
    delta: of the Huber function.
    starts: [K, P] coordinates.
    num_starts: with those of earlier searches; K by default.
    earlier: where the followed starts of earlier searches ended.
  """
  lanes = solver.batch(task, objective, delta, len(starts))
  state = descent.begin(np.clip(starts, lanes.low, lanes.high))
  rows = np.arange(len(starts))
  tolerance, iterations = solver.COARSE
  wanted = _SAMPLE_PER_PARAMETER * starts.shape[1]
  sample = min(-(-wanted // descent.POINTS), len(lanes.columns))
  for few, look in ((0, _FIRST_LOOK), (_FEW_ITERATIONS, _SECOND_LOOK)):
    if rows.size > _left(len(starts), look):
      state = lanes.advance(state, rows, few, tolerance, sample)
      order = np.argsort(state.objective[rows], kind='stable')
      rows = np.sort(rows[order[: _left(len(starts), look)]])
  if sample < len(lanes.columns):  # What was found there holds for the sample.
    state = descent.begin(state.at)
    for more, look in _LATER_LOOKS:
      if rows.size > _left(len(starts), look):
        state = lanes.advance(state, rows, more, tolerance)
        order = np.argsort(state.objective[rows], kind='stable')
        rows = np.sort(rows[order[: _left(len(starts), look)]])
  state = solver.descend(lanes, state, rows, tolerance, iterations)
  ends = solver.Solutions(
    *(
      np.asarray(x)[rows]
      for x in (state.at, state.objective, state.termination)
    )
  )
  if earlier is not None:
    ends = solver.Solutions(
      np.concatenate([earlier.coordinates, ends.coordinates]),
      np.concatenate([earlier.objectives, ends.objectives]),
      np.concatenate([earlier.codes, ends.codes]),
    )
  # The lowest ends; near-ties under a Huber function part at the fine limit.
  ranked = np.argsort(ends.objectives, kind='stable')[:_POLISHED]
  near = ends.objectives[ranked[0]] * (1 + _NEAR_TIE) + _EXACT_OBJECTIVE
  ranked = ranked[ends.objectives[ranked] <= near]
  polished = solver.solve(
    task, ends.coordinates[ranked], objective, delta, precise=True
  )
  best = int(polished.objectives.argmin())
  lowest = float(polished.objectives[best])
  limit = max(lowest * (1 + TOLERANCE), _EXACT_OBJECTIVE)
  return Found(
    polished.coordinates[best],
    lowest,
    solver.TERMINATIONS[polished.codes[best]],
    num_starts or len(starts),
    len(ends.objectives),
    int((ends.objectives <= limit).sum()),
    ends,
  )


def _left(count: int, look: tuple[float, int]) -> int:
  """How many of `count` starts a look leaves."""
  share, least = look
  return max(least, round(share * count))
