"""What was found about one optimum, put together as a `results.Fit`."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from typing import Any

import numpy as np

import codelaw
from codelaw.laws import cautions
from codelaw.laws import diagnostics
from codelaw.laws import influence as influence_lib
from codelaw.laws import refits
from codelaw.laws import results
from codelaw.laws import solver
from codelaw.laws import uncertainty


@dataclasses.dataclass(frozen=True)
class Findings:
  """What is known of an optimum besides itself.

  Attributes:
    bootstrap: [B, P] coordinates of the bootstrap fits, or none.
    bootstrap_method: one of `uncertainty.METHODS`.
    interval_level: of all intervals, like 0.9.
    noise: of one run, in the objective's residuals.
    residual_log_sd: standard deviation of the log loss about the law.
    degrees_of_freedom: by which the warnings judge how well noise is known.
    condition: condition number of the fitted problem.
    at_bound: parameters that ended at a bound.
    extrapolation: kind of what was left out -> mean relative error.
    profiles: parameter -> ends of its profile interval.
    influence: changes without single levels and runs, largest first.
    more: further diagnostics.
  """

  bootstrap: np.ndarray
  bootstrap_method: str
  interval_level: float
  noise: uncertainty.Noise
  residual_log_sd: float
  degrees_of_freedom: float
  condition: float
  at_bound: Sequence[str]
  extrapolation: Mapping[str, float | None]
  profiles: Mapping[str, tuple[float | None, float | None]]
  influence: Sequence[influence_lib.Change]
  more: Mapping[str, Any]


def fit(
  optimum: refits.Optimum, target: str, group: str, found: Findings
) -> results.Fit:
  """The fit of one target and group, in the units of its table."""
  task, data, law = optimum.task, optimum.data, optimum.task.law
  estimates = {
    name: float(value)
    for name, value in _named(task, optimum.coordinates).items()
  }
  resampled = _named(task, found.bootstrap) if len(found.bootstrap) else {}
  intervals = uncertainty.intervals(resampled, found.interval_level)
  predicted = solver.predict(task, optimum.coordinates) * task.scales['loss']
  quality = diagnostics.errors_of(data.losses, predicted)
  lowest_loss = float(data.losses.min())
  in_loss = optimum.objective_name == 'least_squares'
  return results.Fit(
    law=law.name,
    target=target,
    group=group,
    estimates=estimates,
    intervals=intervals,
    interval_level=found.interval_level,
    objective=optimum.objective,
    objective_name=optimum.objective_name,
    num_points=task.num_points,
    num_starts=optimum.num_starts,
    num_starts_at_optimum=optimum.num_reached,
    converged=optimum.converged,
    termination=optimum.termination,
    diagnostics={
      **quality,
      'extrapolation_mean_relative_error': found.extrapolation['compute'],
      'extrapolation': dict(found.extrapolation),
      'condition_number': found.condition,
      'num_starts_followed': optimum.num_followed,
      'at_bound': list(found.at_bound),
      'bootstrap': found.bootstrap_method,
      'num_runs': data.num_runs,
      # Of the log loss, or of the loss in the table's unit.
      'noise_sd': found.noise.sd * (task.scales['loss'] if in_loss else 1.0),
      'noise_degrees_of_freedom': found.noise.degrees_of_freedom,
      'residual_log_sd': found.residual_log_sd,
      'lowest_loss': lowest_loss,
      'ranges': {
        name: [float(row.min()), float(row.max())]
        for name, row in zip(law.columns, data.columns, strict=True)
      },
      'residual_points': diagnostics.residual_points(optimum),
      **found.more,
      'warnings': cautions.warnings(
        estimates=estimates,
        intervals=intervals,
        profiles=found.profiles,
        at_bound=found.at_bound,
        condition=found.condition,
        degrees_of_freedom=found.degrees_of_freedom,
        lowest_loss=lowest_loss,
        fit_error=quality['mean_relative_error'],
        extrapolation=found.extrapolation,
        agreeing_starts=optimum.num_reached / optimum.num_followed,
        converged=optimum.converged,
        influence=found.influence,
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


def _named(
  task: solver.Problem, coordinates: np.ndarray
) -> dict[str, np.ndarray]:
  raw = solver.estimates(task, coordinates)
  return dict(zip(task.law.parameters, map(np.asarray, raw), strict=True))
