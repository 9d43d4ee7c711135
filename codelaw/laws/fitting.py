"""Fits a law to the rows of a run table: estimate, intervals, diagnostics.

The order of the rows and the units of the columns are irrelevant: points are
sorted and scaled before anything is drawn or solved.
"""

from collections.abc import Mapping
import dataclasses
import math

import numpy as np
import pandas as pd

import codelaw
from codelaw import errors
from codelaw.laws import diagnostics
from codelaw.laws import forms
from codelaw.laws import points
from codelaw.laws import results
from codelaw.laws import solver
from codelaw.laws import uncertainty

OPTIMUM_TOLERANCE = 1e-4
"""A start reached the optimum when its objective is above the best by at most
this fraction. Under a Huber function with a small delta near-ties a few
points apart exist; they are one optimum for every purpose here."""

TERMINATIONS = solver.TERMINATIONS
_EXACT_OBJECTIVE = 1e-20  # Below it all starts fit to rounding errors.


@dataclasses.dataclass(frozen=True)
class FitSettings:
  """How laws are fitted.

  Attributes:
    objective: `log_huber` or `least_squares`, see `codelaw.laws.solver`.
    huber_delta: residual of the log loss beyond which the penalty is linear.
    num_starts: starting points.
    num_bootstraps: bootstrap fits behind the intervals; 0 leaves them out.
    bootstrap: `noise` or `runs`, see `codelaw.laws.uncertainty`.
    bootstrap_further_starts: of each bootstrap fit, besides the optimum.
    interval_level: of the intervals.
    seed: of starts and resamples.
  """

  objective: str = 'log_huber'
  huber_delta: float = 1e-3
  num_starts: int = 256
  num_bootstraps: int = 200
  bootstrap: str = 'noise'
  bootstrap_further_starts: int = 1
  interval_level: float = 0.9
  seed: int = 0

  def __post_init__(self):
    for name, allowed in (
      ('objective', solver.OBJECTIVES),
      ('bootstrap', uncertainty.METHODS),
    ):
      if getattr(self, name) not in allowed:
        raise errors.UserError(
          f'FitSettings.{name} must be one of {", ".join(allowed)}; got'
          f' {getattr(self, name)!r}.'
        )
    for name, least in (
      ('num_starts', 1),
      ('num_bootstraps', 0),
      ('bootstrap_further_starts', 0),
      ('seed', 0),
    ):
      value = getattr(self, name)
      if not isinstance(value, int) or value < least:
        raise errors.UserError(
          f'FitSettings.{name} must be a whole number of at least {least};'
          f' got {value!r}.'
        )
    if not 0 < self.interval_level < 1 or not self.huber_delta > 0:
      raise errors.UserError(
        'FitSettings.interval_level must lie between 0 and 1 and huber_delta'
        f' be positive; got {self.interval_level!r} and {self.huber_delta!r}.'
      )


def fit(
  law: forms.Law,
  rows: pd.DataFrame,
  target: str,
  settings: FitSettings = FitSettings(),  # noqa: B008, a frozen record
  group: str = '',
) -> results.Fit:
  """Fits `law` to all `rows`; see `selection.select` for which to give.

  Args:
    law: of `forms.law`.
    rows: of a run table, with the law's columns and the target.
    target: column of losses.
    settings: how to fit.
    group: label of the rows, kept in the result.

  Raises:
    UserError: when a column is missing or holds no positive numbers, there
      are not more points than parameters, or the design does not determine
      the law (one or two values of N or D, shares that do not vary).
  """
  data = points.read(law, rows, target)
  points.check_design(law, data, target)
  task = solver.problem(law, data.columns, data.losses)
  starts = solver.draw_starts(law, settings.num_starts, settings.seed)
  solutions = solver.solve(
    task, starts, settings.objective, settings.huber_delta
  )
  ranked = np.argsort(solutions.objectives, kind='stable')[: solver.LANES]
  polished = solver.solve(
    task,
    solutions.coordinates[ranked],
    settings.objective,
    settings.huber_delta,
    precise=True,
  )
  best = int(polished.objectives.argmin())
  optimum = polished.coordinates[best]
  objective = float(polished.objectives[best])
  reached = solutions.objectives <= max(
    objective * (1 + OPTIMUM_TOLERANCE), _EXACT_OBJECTIVE
  )
  termination = TERMINATIONS[polished.codes[best]]
  converged = termination in ('gradient', 'exact')
  at_bound = diagnostics.parameters_at_bound(task, optimum)
  condition = diagnostics.condition_number(task, optimum, at_bound)
  if condition > diagnostics.DEGENERATE_CONDITION:
    raise errors.UserError(
      f'The {task.num_points} runs do not determine the law {law.name} of'
      f' {target}: several sets of parameters fit equally well (condition'
      f' number {condition:.2g}). Add runs that vary'
      f' {", ".join(law.columns)} separately, or fit a smaller law.'
    )

  estimates = _named(task, optimum)
  resampled: Mapping[str, np.ndarray] = {}
  if settings.num_bootstraps:
    resampled = _named(
      task,
      uncertainty.bootstrap(
        task,
        optimum,
        data.runs,
        method=settings.bootstrap,
        num_resamples=settings.num_bootstraps,
        num_further_starts=settings.bootstrap_further_starts,
        objective=settings.objective,
        delta=settings.huber_delta,
        seed=settings.seed,
      ),
    )
  intervals = uncertainty.intervals(resampled, settings.interval_level)
  predicted = solver.predict(task, optimum)
  quality = diagnostics.errors_of(data.losses, predicted * task.scales['loss'])
  extrapolation = diagnostics.left_out_error(
    task,
    np.concatenate([optimum[None], starts]),
    diagnostics.largest(data.compute),
    settings.objective,
    settings.huber_delta,
  )
  extrapolation_error = _mean(extrapolation)
  point_estimates = {name: float(v) for name, v in estimates.items()}
  return results.Fit(
    law=law.name,
    target=target,
    group=group,
    estimates=point_estimates,
    intervals=intervals,
    interval_level=settings.interval_level,
    objective=objective,
    objective_name=settings.objective,
    num_points=task.num_points,
    num_starts=settings.num_starts,
    num_starts_at_optimum=int(reached.sum()),
    converged=converged,
    termination=termination,
    diagnostics={
      **quality,
      'extrapolation_mean_relative_error': extrapolation_error,
      'condition_number': condition,
      'at_bound': at_bound,
      'standard_errors': uncertainty.standard_errors(
        task, optimum, settings.objective
      ),
      'bootstrap': settings.bootstrap,
      'residual_log_sd': uncertainty.residual_sd(task, optimum, 'log_huber'),
      'lowest_loss': float(data.losses.min()),
      'ranges': {
        name: [float(row.min()), float(row.max())]
        for name, row in zip(law.columns, data.columns, strict=True)
      },
      'warnings': diagnostics.warnings(
        estimates=point_estimates,
        intervals=intervals,
        at_bound=at_bound,
        condition=condition,
        degrees_of_freedom=task.num_points - len(law.parameters),
        lowest_loss=float(data.losses.min()),
        fit_error=quality['mean_relative_error'],
        extrapolation_error=extrapolation_error,
        agreeing_starts=float(reached.mean()),
        converged=converged,
      ),
    },
    units={p.name: p.unit for p in law.parameter_table},
    table_fingerprint=data.fingerprint,
    codelaw_version=codelaw.__version__,
    bootstrap_estimates={
      name: tuple(map(float, values)) for name, values in resampled.items()
    },
    sources=law.sources,
    law_module=law.module,
  )


def held_out_error(
  law: forms.Law,
  rows: pd.DataFrame,
  target: str,
  settings: FitSettings = FitSettings(),  # noqa: B008, a frozen record
) -> float:
  """Held-out error of a law, for comparison with others on the same rows.

  The mean of two errors, so far as the rows allow both: of the runs of
  largest compute, and of whole mixtures (or runs, where there are fewer than
  five mixtures) left out fold by fold.

  Raises:
    UserError: as `fit` does, and when neither error can be had.
  """
  data = points.read(law, rows, target)
  points.check_design(law, data, target)
  task = solver.problem(law, data.columns, data.losses)
  starts = solver.draw_starts(law, settings.num_starts, settings.seed)

  def errors_without(left_out: np.ndarray) -> np.ndarray | None:
    return diagnostics.left_out_error(
      task, starts, left_out, settings.objective, settings.huber_delta
    )

  by_fold = [
    error
    for fold in diagnostics.folds(data.mixtures, settings.seed)
    if (error := errors_without(fold)) is not None
  ]
  found = [
    _mean(errors_without(diagnostics.largest(data.compute))),
    _mean(np.concatenate(by_fold)) if by_fold else None,
  ]
  available = [error for error in found if error is not None]
  if not available:
    raise errors.UserError(
      f'{task.num_points} runs are too few to test the law {law.name} of'
      f' {target} on runs it was fitted without.'
    )
  return float(np.mean(available))


def _named(
  task: solver.Problem, coordinates: np.ndarray
) -> Mapping[str, np.ndarray]:
  raw = solver.estimates(task, coordinates)
  return dict(zip(task.law.parameters, map(np.asarray, raw), strict=True))


def _mean(values: np.ndarray | None) -> float | None:
  if values is None:
    return None
  mean = float(np.mean(values))
  return mean if math.isfinite(mean) else None
