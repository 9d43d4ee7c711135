"""What a pooled fit found, as one `results.Fit` per target."""

from collections.abc import Mapping
import dataclasses
from typing import Any

import numpy as np

from codelaw.laws import diagnostics
from codelaw.laws import fitting
from codelaw.laws import held_out
from codelaw.laws import pooled_noise
from codelaw.laws import pooled_task
from codelaw.laws import refits
from codelaw.laws import results
from codelaw.laws import solver
from codelaw.laws import summary


@dataclasses.dataclass(frozen=True)
class Solution:
  """Where a pooled fit ended.

  Attributes:
    coordinates: [P] of the pooled law.
    bootstrap: [B, P].
    pull: [Q, P] of the penalty |pull @ x|^2 / 2.
    spreads: partially pooled parameter -> sd of its population, in
      coordinates: for a positive parameter about its relative spread.
    noises: of the targets.
    condition: condition number of the pooled problem.
    free: [P] False for coordinates at a bound.
    num_starts: from which the solver started.
    num_reached: how many of them ended there.
    termination: one of `solver.TERMINATIONS`.
  """

  coordinates: np.ndarray
  bootstrap: np.ndarray
  pull: np.ndarray
  spreads: Mapping[str, float]
  noises: pooled_noise.Noises
  condition: float
  free: np.ndarray
  num_starts: int
  num_reached: int
  termination: str


def condition(
  pooled: pooled_task.Pooled,
  coordinates: np.ndarray,
  pull: np.ndarray,
  free: np.ndarray,
  kept: np.ndarray | None = None,
) -> float:
  """Condition number of the Jacobian of the log loss and the pull together.

  Args:
    pooled: the problem.
    coordinates: [P].
    pull: [Q, P]; its rows count as one unit of the log loss at most.
    free: [P] True for the coordinates that count.
    kept: [n] True for the points that count; all when None.
  """
  jacobian = solver.jacobian(pooled.task, coordinates, 'log_huber')
  if kept is not None:
    jacobian = jacobian[kept]
  largest = np.abs(pull).max(initial=1.0)
  return refits.condition(np.concatenate([jacobian, pull / largest])[:, free])


def fits(
  pooled: pooled_task.Pooled,
  solution: Solution,
  settings: fitting.FitSettings,
) -> list[results.Fit]:
  """One fit per member, in order."""
  left_out = _extrapolations(pooled, solution, settings)
  return [
    _fit(pooled, solution, settings, index, left_out[index])
    for index in range(len(pooled.members))
  ]


def _fit(
  pooled: pooled_task.Pooled,
  solution: Solution,
  settings: fitting.FitSettings,
  index: int,
  extrapolation: dict[str, float | None],
) -> results.Fit:
  member, data = pooled.members[index], pooled.data[index]
  law, places = member.law, pooled.places[index]
  task = dataclasses.replace(
    pooled.alone(index),
    columns=pooled.task.columns[1:, pooled.slices[index]],
    losses=pooled.task.losses[pooled.slices[index]],
    weights=np.ones(data.losses.size),
    num_points=data.losses.size,
  )
  at = solution.coordinates[places]
  optimum = refits.Optimum(
    data=data,
    task=task,
    objective_name=settings.objective,
    delta=settings.huber_delta,
    seed=settings.seed,
    num_starts=solution.num_starts,
    num_followed=solution.num_starts,  # All of them.
    coordinates=at,
    others=np.zeros((0, at.size)),
    objective=_objective(pooled, solution, settings, index),
    num_reached=solution.num_reached,
    termination=solution.termination,
  )
  noise = solution.noises.members[index]
  logarithms = np.log(solver.predict(task, at) / task.losses)
  return summary.fit(
    optimum,
    member.target,
    member.group,
    summary.Findings(
      bootstrap=solution.bootstrap[:, places],
      bootstrap_method=settings.bootstrap,
      interval_level=settings.interval_level,
      noise=noise,
      residual_log_sd=float(np.sqrt(np.mean(logarithms**2))),
      degrees_of_freedom=solution.noises.common.degrees_of_freedom,
      condition=solution.condition,
      at_bound=[
        name
        for name, place in zip(law.parameters, places, strict=True)
        if not solution.free[place]
      ],
      extrapolation=extrapolation,
      profiles={},
      influence=(),
      more={'pooling': _pooling(pooled, solution)},
    ),
  )


def _pooling(pooled: pooled_task.Pooled, solution: Solution) -> dict[str, Any]:
  return {
    'shared': list(pooled.shared),
    'partial': list(pooled.partial),
    'targets': [member.label for member in pooled.members],
    'population_sd': dict(solution.spreads),
    'noise_correlation': solution.noises.correlation,
  }


def _objective(pooled, solution, settings, index) -> float:
  """The objective of one member's points at the optimum, without a pull."""
  at = solver.solve(
    pooled.task,
    solution.coordinates[None],
    settings.objective,
    settings.huber_delta,
    weights=pooled.marks()[index][None],
    fixed=np.ones(solution.coordinates.size, dtype=bool),
  )
  return float(at.objectives[0])


def _extrapolations(
  pooled: pooled_task.Pooled,
  solution: Solution,
  settings: fitting.FitSettings,
) -> list[dict[str, float | None]]:
  """Errors on the largest of each, left out of all members at once."""
  kinds = held_out.EXTRAPOLATIONS
  names = pooled.members[0].law.columns
  size, count = pooled.task.losses.size, pooled.task.num_points
  left_out = np.zeros((len(kinds), size), dtype=bool)
  for mark, kind in zip(left_out, kinds, strict=True):
    for data, part in zip(pooled.data, pooled.slices, strict=True):
      values = data.compute
      if kind != 'compute':
        if kind not in names:
          continue
        values = data.columns[names.index(kind)]
      mark[part] = held_out.largest(values)
    able = condition(
      pooled,
      solution.coordinates,
      solution.pull,
      solution.free,
      ~mark[:count],
    )
    if able > refits.DEGENERATE_CONDITION:
      mark[:] = False
  solutions = solver.solve(
    pooled.task,
    np.tile(solution.coordinates, (len(kinds), 1)),
    settings.objective,
    settings.huber_delta,
    weights=np.where(left_out, 0.0, pooled.task.weights),
    penalty=(solution.pull, np.zeros(len(solution.pull))),
  )
  found: list[dict[str, float | None]] = [{} for _ in pooled.members]
  observed = pooled.task.losses
  for kind, mark, at in zip(
    kinds, left_out, solutions.coordinates, strict=True
  ):
    predicted = solver.predict(pooled.task, at)
    for errors_of, part in zip(found, pooled.slices, strict=True):
      chosen = mark[part]
      errors_of[kind] = (
        diagnostics.mean_relative_error(
          observed[part][chosen], predicted[part][chosen]
        )
        if chosen.any()
        else None
      )
  return found
