"""Fits a law to the rows of a run table: estimate, intervals, diagnostics.

The order of the rows and the units of the columns are irrelevant: points are
sorted and scaled before anything is drawn or solved.
"""

import dataclasses

import numpy as np
import pandas as pd

from codelaw import errors
from codelaw.laws import diagnostics
from codelaw.laws import forms
from codelaw.laws import held_out
from codelaw.laws import influence as influence_lib
from codelaw.laws import objectives
from codelaw.laws import points
from codelaw.laws import profile
from codelaw.laws import refits
from codelaw.laws import results
from codelaw.laws import search
from codelaw.laws import solver
from codelaw.laws import summary
from codelaw.laws import uncertainty

OPTIMUM_TOLERANCE = search.TOLERANCE
TERMINATIONS = solver.TERMINATIONS
_NUM_OTHER_OPTIMA = 7  # Kept as starts of refits, besides the best.


@dataclasses.dataclass(frozen=True)
class FitSettings:
  """How laws are fitted.

  Attributes:
    objective: `log_huber`, `least_squares` or `lower_envelope`, see
      `codelaw.laws.objectives`.
    huber_delta: residual of the log loss beyond which the penalty is linear.
    leniency: of the lower envelope with runs above the law, from 0 to 1.
    num_starts: starting points; more are drawn where few of them agree, see
      `codelaw.laws.search`.
    num_bootstraps: bootstrap fits behind the intervals; 0 leaves them out.
    bootstrap: `noise` or `runs`, see `codelaw.laws.uncertainty`.
    bootstrap_further_starts: further local optima, where the search found
      some, that each bootstrap fit starts from besides the optimum.
    interval_level: of the intervals.
    profile_intervals: whether to find profile intervals too; the lower
      envelope has none, because its residuals are no noise around the law.
    influence: whether to refit without each level and each run.
    seed: of starts and resamples.
  """

  objective: str = 'log_huber'
  huber_delta: float = 1e-3
  leniency: float = objectives.LENIENCY
  num_starts: int = 256
  num_bootstraps: int = 200
  bootstrap: str = 'noise'
  bootstrap_further_starts: int = 1
  interval_level: float = 0.9
  profile_intervals: bool = True
  influence: bool = True
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
    if not 0 < self.leniency <= 1:
      raise errors.UserError(
        'FitSettings.leniency must be above 0 and at most 1; got'
        f' {self.leniency!r}.'
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
    UserError: as `optimise` does.
  """
  optimum = optimise(law, rows, target, settings)
  return describe(optimum, target, settings, group)


def optimise(
  law: forms.Law, rows: pd.DataFrame, target: str, settings: FitSettings
) -> refits.Optimum:
  """The best parameters of `law` for all `rows`.

  Raises:
    UserError: when a column is missing or holds no positive numbers, there
      are not more points than parameters, or the design does not determine
      the law: one or two values of N or D, N and D or shares that vary only
      together, or several sets of parameters that fit equally well.
  """
  data = points.read(law, rows, target)
  points.check_design(law, data, target)
  task = solver.problem(law, data.columns, data.losses, settings.leniency)
  best = search.optimum(
    task,
    settings.objective,
    settings.huber_delta,
    settings.num_starts,
    settings.seed,
  )
  optima = refits.distinct(task, best.ends, 1 + _NUM_OTHER_OPTIMA)
  found = refits.Optimum(
    data=data,
    task=task,
    objective_name=settings.objective,
    delta=settings.huber_delta,
    seed=settings.seed,
    num_starts=best.num_starts,
    coordinates=best.coordinates,
    others=optima[1:],
    objective=best.objective,
    num_followed=best.num_followed,
    num_reached=best.num_reached,
    termination=best.termination,
  )
  condition = diagnostics.condition_number(found)
  if condition > refits.DEGENERATE_CONDITION:
    raise errors.UserError(
      f'The {task.num_points} points do not determine the law {law.name} of'
      f' {target}: several sets of parameters fit equally well (condition'
      f' number {condition:.2g}). Add runs that vary'
      f' {", ".join(law.columns)} separately, or fit a smaller law.'
    )
  return found


def describe(
  optimum: refits.Optimum,
  target: str,
  settings: FitSettings,
  group: str = '',
) -> results.Fit:
  """Intervals and diagnostics of an optimum, as a `Fit`."""
  task, data = optimum.task, optimum.data
  how = (data.runs, settings.objective, settings.huber_delta)
  resampled = np.empty((0, optimum.num_parameters))
  if settings.num_bootstraps:
    resampled = uncertainty.bootstrap(
      task,
      optimum.coordinates,
      data.runs,
      method=settings.bootstrap,
      num_resamples=settings.num_bootstraps,
      others=optimum.others[: settings.bootstrap_further_starts],
      objective=settings.objective,
      delta=settings.huber_delta,
      seed=settings.seed,
    )
  profiles = (
    profile.intervals(optimum, settings.interval_level)
    if settings.profile_intervals and settings.objective != 'lower_envelope'
    else {}
  )
  influence = influence_lib.changes(optimum) if settings.influence else []
  noise = uncertainty.noise(task, optimum.coordinates, *how)
  of_logarithms = uncertainty.noise(
    task, optimum.coordinates, data.runs, 'log_huber', 1.0
  )
  return summary.fit(
    optimum,
    target,
    group,
    summary.Findings(
      bootstrap=resampled,
      bootstrap_method=settings.bootstrap,
      interval_level=settings.interval_level,
      noise=noise,
      residual_log_sd=of_logarithms.sd,
      degrees_of_freedom=noise.degrees_of_freedom,
      condition=diagnostics.condition_number(optimum),
      at_bound=diagnostics.parameters_at_bound(optimum),
      extrapolation=held_out.extrapolation(optimum),
      profiles=profiles,
      influence=influence,
      more={
        'standard_errors': uncertainty.standard_errors(
          task, optimum.coordinates, *how
        ),
        'profile_intervals': {n: list(ends) for n, ends in profiles.items()},
        'influence': [dataclasses.asdict(change) for change in influence],
      },
    ),
  )
