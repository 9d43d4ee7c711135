import dataclasses

import numpy as np
import pytest

from codelaw.laws import fitting
from codelaw.laws import solver
from codelaw.laws import uncertainty
from tests.laws import simulated

SETTINGS = fitting.FitSettings(num_starts=64, num_bootstraps=200)


def _optimum(law, table):
  columns = table[list(law.columns)].to_numpy().T
  task = solver.problem(law, columns, table[simulated.TARGET].to_numpy())
  found = solver.solve(
    task, solver.draw_starts(law, 64, 0), 'least_squares', 1e-3
  )
  return task, found.coordinates[found.objectives.argmin()]


def _bootstrap(task, optimum, runs, method, count=100):
  return uncertainty.bootstrap(
    task,
    optimum,
    runs,
    method=method,
    num_resamples=count,
    num_further_starts=1,
    objective='least_squares',
    delta=1e-3,
    seed=0,
  )


def test_intervals_are_percentiles():
  found = uncertainty.intervals({'E': np.arange(101.0)}, 0.9)
  assert found['E'] == pytest.approx((5.0, 95.0))


def test_bootstrap_spread_agrees_with_covariance_where_the_law_is_linear():
  law, table = simulated.runs('chinchilla', 8, 8, noise=0.002)
  settings = dataclasses.replace(SETTINGS, objective='least_squares')
  fit = fitting.fit(law, table, simulated.TARGET, settings)
  for name in ('E', 'alpha', 'beta'):
    spread = np.std(fit.bootstrap_estimates[name])
    # 200 resamples know a standard deviation to 5%; the rest is curvature.
    assert spread == pytest.approx(
      fit.diagnostics['standard_errors'][name], rel=0.25
    )
    low, high = fit.intervals[name]
    assert low < fit.estimates[name] < high


@pytest.mark.parametrize('method', uncertainty.METHODS)
def test_no_resample_of_few_runs_is_degenerate(method):
  law, table = simulated.runs('chinchilla', 3, 3, noise=0.01)
  task, optimum = _optimum(law, table)
  found = _bootstrap(task, optimum, np.arange(9), method)
  assert found.shape == (100, 5)
  assert np.isfinite(found).all()
  assert (found.std(axis=0) > 1e-3).all()


def test_rows_of_one_run_share_their_noise():
  law, table = simulated.runs('chinchilla', 5, 5, noise=0.01)
  task, optimum = _optimum(law, table)
  together = _bootstrap(task, optimum, np.zeros(25, dtype=int), 'noise')
  apart = _bootstrap(task, optimum, np.arange(25), 'noise')
  # A shift common to all points moves the limit and leaves the exponents.
  assert together[:, 4].std() < 0.2 * apart[:, 4].std()
  assert together[:, 0].std() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize('objective', solver.OBJECTIVES)
@pytest.mark.parametrize(('sizes', 'budgets'), [(3, 3), (6, 6)])
def test_intervals_cover_the_truth_as_often_as_they_say(
  sizes, budgets, objective
):
  covered = []
  for seed in range(60):
    law, table = simulated.runs(
      'chinchilla', sizes, budgets, noise=0.01, seed=seed
    )
    settings = dataclasses.replace(
      SETTINGS, objective=objective, num_bootstraps=100, seed=seed
    )
    fit = fitting.fit(law, table, simulated.TARGET, settings)
    covered += [
      fit.intervals[name][0]
      <= simulated.CHINCHILLA[name]
      <= fit.intervals[name][1]
      for name in ('alpha', 'beta')
    ]
  # 90% asked for; 120 correlated trials have a standard deviation near 4%.
  assert 0.80 <= np.mean(covered) <= 1.0
