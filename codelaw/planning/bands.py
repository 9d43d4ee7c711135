"""How sure a choice is: it is made again for bootstrap fits of the laws.

Bands of losses and gains are at the recommended choice; bands of rates and
size are those of the best choice under each bootstrap parameter set.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math

import numpy as np

from codelaw.planning import objective as objective_lib
from codelaw.planning import optimum
from codelaw.planning import space as space_lib


@dataclasses.dataclass(frozen=True)
class Choice:
  """A space in which a choice may be made again, and where to look for it.

  Attributes:
    space: of the choices.
    starts: points of the space.
    sizes: (N, D) that `worst_excess` takes a source's best single run from.
  """

  space: space_lib.Space
  starts: Sequence[np.ndarray]
  sizes: Sequence[tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Bands:
  """Bootstrap percentiles [2, ...] by name; empty without bootstrap fits."""

  count: int
  percentiles: Mapping[str, np.ndarray]

  def of(self, name: str, *place: int) -> tuple[float | None, float | None]:
    """(low, high) of `losses`, `rates`, `stages`, ...; Nones when empty."""
    if not self.count or name not in self.percentiles:
      return None, None
    low, high = self.percentiles[name]
    return float(low[place]), float(high[place])


def bands(
  problem: objective_lib.Objective,
  choices: Sequence[Choice],
  points: Mapping[str, np.ndarray],
  num_bootstraps: int,
) -> Bands:
  """Bands of losses and gains at points, and of the best choices.

  Args:
    problem: the objective.
    choices: of which the best is taken for each parameter set.
    points: `allocated` and the mixtures it is compared with, as the points
      [S + 2] of an objective.
    num_bootstraps: parameter sets, at most.

  Returns:
    `losses` [K] and, of the objective `score`, `scores` [T] at the allocated
    point, `gain/<name>` over each other point,
    and of the best choices `rates` [S] (totals), `stages` [T, S],
    `num_params` and `num_tokens`.
  """
  samples = problem.bootstrap(num_bootstraps)
  if not len(samples):
    return Bands(0, {})
  sizes = [size for choice in choices for size in choice.sizes]
  singles = problem.singles(sizes, samples)
  at_points = problem.losses_of_each(np.stack(list(points.values())), samples)
  scores = problem.score(at_points, singles[:, None], samples[:, None])
  names = list(points)
  allocated = names.index('allocated')
  values = {'losses': at_points[:, allocated]}
  if problem.scores is not None:
    values['scores'] = problem.task_scores(values['losses'], samples)
  for place, name in enumerate(names):
    if place != allocated:
      values[f'gain/{name}'] = scores[:, place] - scores[:, allocated]
  best = [
    (space.totals(z), space.rates(z), *space.size(z))
    for space, z in optima(problem, choices, samples)
  ]
  for name, column in zip(
    ('rates', 'stages', 'num_params', 'num_tokens'),
    zip(*best, strict=True),
    strict=True,
  ):
    values[name] = np.stack(column)
  level = problem.fits[0].interval_level
  tails = [50 * (1 - level), 50 * (1 + level)]
  return Bands(
    len(samples),
    {name: np.percentile(v, tails, axis=0) for name, v in values.items()},
  )


def optima(
  problem: objective_lib.Objective,
  choices: Sequence[Choice],
  samples: np.ndarray,
) -> list[tuple[space_lib.Space, np.ndarray]]:
  """The best choice (its space, its point) for each parameter set [B, P]."""
  sizes = [size for choice in choices for size in choice.sizes]
  found = []
  for sample, single in zip(
    samples, problem.singles(sizes, samples), strict=True
  ):
    least = math.inf
    for choice in choices:
      z, objectives = optimum.search(
        problem, choice.space, choice.starts, sample, single
      )
      if objectives.min() < least:
        least, best = float(objectives.min()), (choice.space, z)
    space, z = best
    found.append((space, space.evened(z)))
  return found
