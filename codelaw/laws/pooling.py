"""Fits one law to several targets with parameters in common.

See `codelaw.laws.pooled_task` for what shared and partially pooled mean and
which parameters it makes sense for, and `codelaw.laws.population` for how far
partially pooled ones are drawn together: with few runs per target to nearly
one value, with many hardly at all.

Intervals come from one bootstrap of all targets together. Each resample also
moves what partially pooled parameters are drawn to by as much as the
population varies: where the law is linear, the resamples are draws from the
posterior. That the population's spread is itself an estimate is not counted.
"""

from collections.abc import Sequence

import numpy as np

from codelaw import errors
from codelaw.laws import fitting
from codelaw.laws import pooled_noise
from codelaw.laws import pooled_results
from codelaw.laws import pooled_task
from codelaw.laws import population
from codelaw.laws import refits
from codelaw.laws import results
from codelaw.laws import solver

Member = pooled_task.Member
_FIRST_SPREAD = 0.3  # In coordinates.
_MAX_ROUNDS = 10
_ROUND_TOLERANCE = 0.02  # Relative change of all spreads that ends the rounds.
_NUM_JITTERED = 24
_JITTER = 0.3  # In coordinates, about the separate optima.
_EXACT_OBJECTIVE = 1e-20  # Below it all starts fit to rounding errors.


def fit(
  members: Sequence[Member],
  shared: Sequence[str] = (),
  partial: Sequence[str] = (),
  settings: fitting.FitSettings = fitting.FitSettings(),  # noqa: B008, frozen
) -> list[results.Fit]:
  """One fit per member, in order, with equal values of shared parameters.

  Args:
    members: at least two targets, of one law.
    shared: parameters with one value for all.
    partial: parameters drawn towards their mean.
    settings: how to fit; profile intervals and influence are left out.

  Raises:
    UserError: as `pooled_task.build` does, and when the runs do not determine
      the law.
  """
  pooled = pooled_task.build(members, shared, partial)
  starts = _starts(pooled, settings)
  pull, spreads = _population(pooled, starts, settings)
  found = _solve(pooled, starts, pull, settings)
  ranked = np.argsort(found.objectives, kind='stable')[: solver.LANES]
  polished = _solve(
    pooled, found.coordinates[ranked], pull, settings, precise=True
  )
  best = int(polished.objectives.argmin())
  optimum, objective = polished.coordinates[best], polished.objectives[best]
  free = solver.free(pooled.task.law, optimum)
  condition = pooled_results.condition(pooled, optimum, pull, free)
  if condition > refits.DEGENERATE_CONDITION:
    raise errors.UserError(
      f'The {pooled.task.num_points} points of {len(members)} targets do not'
      f' determine the law {members[0].law.name} with'
      f' {", ".join([*shared, *partial])} in common (condition number'
      f' {condition:.2g}). Add runs, or share more parameters.'
    )
  noises = _noises(pooled, optimum, pull, settings)
  drawn = np.zeros((0, optimum.size))
  if settings.num_bootstraps:
    drawn = pooled_noise.bootstrap(
      pooled,
      optimum,
      pull,
      noises,
      method=settings.bootstrap,
      num_resamples=settings.num_bootstraps,
      objective=settings.objective,
      delta=settings.huber_delta,
      seed=settings.seed,
    )
  reached = found.objectives <= max(
    objective * (1 + fitting.OPTIMUM_TOLERANCE), _EXACT_OBJECTIVE
  )
  return pooled_results.fits(
    pooled,
    pooled_results.Solution(
      coordinates=optimum,
      bootstrap=drawn,
      pull=pull,
      spreads=dict(zip(partial, map(float, spreads), strict=True)),
      noises=noises,
      condition=condition,
      free=free,
      num_starts=len(starts),
      num_reached=int(reached.sum()),
      termination=solver.TERMINATIONS[polished.codes[best]],
    ),
    settings,
  )


def _solve(
  pooled: pooled_task.Pooled,
  starts: np.ndarray,
  pull: np.ndarray,
  settings: fitting.FitSettings,
  **arguments,
) -> solver.Solutions:
  return solver.solve(
    pooled.task,
    starts,
    settings.objective,
    settings.huber_delta,
    penalty=(pull, np.zeros(len(pull))),
    **arguments,
  )


def _noises(
  pooled: pooled_task.Pooled,
  coordinates: np.ndarray,
  pull: np.ndarray,
  settings: fitting.FitSettings,
) -> pooled_noise.Noises:
  return pooled_noise.of(
    pooled, coordinates, pull, settings.objective, settings.huber_delta
  )


def _starts(
  pooled: pooled_task.Pooled, settings: fitting.FitSettings
) -> np.ndarray:
  """[S, P]: separate fits, refitted around common values, and their kin."""
  count = len(pooled.members)
  alone, marks = pooled.alone(), pooled.marks()
  drawn = solver.draw_starts(alone.law, settings.num_starts, settings.seed)

  def best_of(starts, weights, fixed=None):
    """Best solutions [G, P] of groups of starts [G, S, P]."""
    groups, each, size = starts.shape
    found = solver.solve(
      alone,
      starts.reshape(-1, size),
      settings.objective,
      settings.huber_delta,
      weights=np.repeat(weights, each, axis=0),
      fixed=fixed,
    )
    best = found.objectives.reshape(groups, each).argmin(axis=1)
    return found.coordinates.reshape(starts.shape)[np.arange(groups), best]

  separate = best_of(np.tile(drawn, (count, 1, 1)), marks)
  common = np.isin(pooled.names, [*pooled.shared, *pooled.partial])
  # The common parameters at their medians, and as each member has them.
  values = np.concatenate([np.median(separate, axis=0)[None], separate])
  trials = np.where(common, values[:, None], separate)  # [1 + M, M, P]
  around = best_of(
    trials.reshape(-1, 1, len(common)),
    np.tile(marks, (len(values), 1)),
    fixed=common,
  ).reshape(trials.shape)
  starts = np.empty((len(values), len(pooled.task.law.parameters)))
  starts[:, pooled.places] = around
  generator = np.random.default_rng([settings.seed, 3])
  near = starts[np.arange(_NUM_JITTERED) % len(starts)]
  jitter = _JITTER * generator.standard_normal(near.shape)
  return np.concatenate([starts, near + jitter])


def _population(
  pooled: pooled_task.Pooled,
  starts: np.ndarray,
  settings: fitting.FitSettings,
) -> tuple[np.ndarray, np.ndarray]:
  """The pull [Q, P] of the populations, and their spreads.

  The spreads depend on the optimum and the optimum on them: both are found in
  turns.
  """
  centerings = [
    population.centering(pooled.places_of(name), starts.shape[1])
    for name in pooled.partial
  ]
  spreads = np.full(len(centerings), _FIRST_SPREAD)
  pull = np.zeros((0, starts.shape[1]))
  at = starts[0]
  for _ in range(_MAX_ROUNDS if centerings else 0):
    noise = _noises(pooled, at, pull, settings).common
    pull = np.sqrt(noise.objective_scale) * np.concatenate(
      [c / t for c, t in zip(centerings, spreads, strict=True)]
    )
    found = _solve(pooled, at[None], pull, settings)
    at, before = found.coordinates[0], spreads
    spreads = population.spreads(
      *_slopes(pooled, at, pull, settings), at, centerings, before
    )
    if np.all(np.abs(spreads / before - 1) < _ROUND_TOLERANCE):
      break
  return pull, spreads


def _slopes(
  pooled: pooled_task.Pooled,
  optimum: np.ndarray,
  pull: np.ndarray,
  settings: fitting.FitSettings,
) -> tuple[np.ndarray, np.ndarray]:
  """Curvature and gradient of the objective without the pull, over its scale.

  At the optimum the gradient is the pull's own, turned round. Coordinates at
  a bound stay there: they get a curvature that no move is worth.
  """
  noise = _noises(pooled, optimum, pull, settings).common
  jacobian = solver.jacobian(pooled.task, optimum, settings.objective)
  curvature = jacobian.T @ jacobian / noise.variance
  gradient = -(pull.T @ (pull @ optimum)) / noise.objective_scale
  low, high = solver.bounds(pooled.task.law)
  held = (optimum <= low) | (optimum >= high)
  stiff = 1e6 * np.trace(curvature) / len(curvature)
  curvature = curvature + np.diag(np.where(held, stiff, 0.0))
  return curvature, np.where(held, 0.0, gradient)
