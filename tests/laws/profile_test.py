import dataclasses

import numpy as np
import pytest
from scipy import optimize
from scipy import stats

from codelaw.laws import fitting
from codelaw.laws import profile
from tests.laws import simulated

FEW = fitting.FitSettings(
  num_starts=64, num_bootstraps=0, influence=False, objective='least_squares'
)


def _intervals(law, table, level=0.9, **changes):
  settings = dataclasses.replace(FEW, **changes)
  optimum = fitting.optimise(law, table, simulated.TARGET, settings)
  return optimum, profile.intervals(optimum, level)


def _least_squares(table, held, value):
  """SciPy's least sum of squares with one raw parameter held."""
  names = list(simulated.CHINCHILLA)
  free = [name for name in names if name != held]
  losses = table[simulated.TARGET].to_numpy()

  def residuals(logarithms):
    at = dict(zip(free, np.exp(logarithms), strict=True))
    at[held] = value
    return (
      at['E']
      + at['A'] * table['num_params'] ** -at['alpha']
      + at['B'] * table['num_tokens'] ** -at['beta']
      - losses
    )

  start = np.log([simulated.CHINCHILLA[name] for name in free])
  found = optimize.least_squares(
    residuals, start, x_scale='jac', xtol=1e-15, ftol=1e-15, gtol=1e-15
  )
  return 2 * found.cost


def test_ends_are_where_scipy_finds_the_rise_of_an_f_test():
  law, table = simulated.runs('chinchilla', 6, 6, noise=0.01, seed=3)
  optimum, found = _intervals(law, table)
  least = 2 * optimum.objective * optimum.task.scales['loss'] ** 2
  freedom = len(table) - 5
  wanted = stats.f.ppf(0.9, 1, freedom) * least / freedom
  for name in ('alpha', 'beta', 'A', 'B'):
    for end in found[name]:
      rise = _least_squares(table, name, end) - least
      # Interpolated between points a twentieth of the interval apart.
      assert rise == pytest.approx(wanted, rel=2e-3)


@pytest.mark.parametrize('name', ['chinchilla', 'exponential'])
def test_agrees_with_students_interval_where_the_law_is_linear(name):
  law, table = simulated.runs(name, 6, 6, noise=1e-4)
  settings = dataclasses.replace(FEW, interval_level=0.8)
  fit = fitting.fit(law, table, simulated.TARGET, settings)
  t = stats.t.ppf(0.9, len(table) - len(law.parameters))
  for parameter, ends in fit.diagnostics['profile_intervals'].items():
    reach = t * fit.diagnostics['standard_errors'][parameter]
    estimate = fit.estimates[parameter]
    # Curvature is left at this noise: it falls with the noise.
    assert ends == pytest.approx([estimate - reach, estimate + reach], rel=2e-3)


def test_huber_intervals_have_the_width_of_the_bootstrap():
  law, table = simulated.runs('chinchilla', 6, 6, noise=0.003)
  settings = fitting.FitSettings(num_starts=64, influence=False)
  fit = fitting.fit(law, table, simulated.TARGET, settings)
  for name in ('E', 'alpha', 'beta'):
    low, high = fit.diagnostics['profile_intervals'][name]
    width = fit.intervals[name][1] - fit.intervals[name][0]
    # Nearly least absolute deviations: the objective has corners.
    assert high - low == pytest.approx(width, rel=0.3)


def test_end_that_the_runs_do_not_limit_is_open():
  law, table = simulated.runs('chinchilla', 6, 6, noise=0.02, seed=1)
  rng = np.random.default_rng(0)
  power = 60 * table['num_params'] ** -0.2 + 40 * table['num_tokens'] ** -0.25
  table[simulated.TARGET] = power * np.exp(0.02 * rng.standard_normal(36))
  _, found = _intervals(law, table)
  low, high = found['E']
  assert low is None
  assert high > 0
  assert all(end is not None for end in found['alpha'])


def test_units_move_the_amplitudes_alone():
  law, table = simulated.runs('chinchilla', 6, 6, noise=0.01)
  _, raw = _intervals(law, table)
  _, scaled = _intervals(
    law, table.assign(num_params=table['num_params'] / 1e6)
  )
  for name in ('E', 'alpha', 'beta', 'B'):
    assert scaled[name] == pytest.approx(raw[name], rel=1e-3)
  # Lower ends belong together: A = 1e6^-alpha times the other.
  assert scaled['A'][0] < raw['A'][0]


def test_parameter_at_its_bound_still_has_the_other_end():
  law, table = simulated.runs('transfer', 5, 6, noise=0.01, seed=2)
  worthless = {**simulated.ESTIMATES['transfer'], 'tau/markup': 0.0}
  own = table['share/code/java'] + 0.4 * table['share/code/go']
  keep = table[own > 0.2]
  own = own[keep.index]
  rng = np.random.default_rng(4)
  losses = (
    worthless['E']
    + worthless['A'] * keep['num_params'] ** -worthless['alpha']
    + worthless['B'] * (own * keep['num_tokens']) ** -worthless['beta']
  )
  keep = keep.assign(
    **{simulated.TARGET: losses * (1 + 0.01 * rng.standard_normal(len(keep)))}
  )
  optimum, found = _intervals(law, keep)
  assert not optimum.free()[law.parameters.index('tau/markup')]
  low, high = found['tau/markup']
  assert low is None
  assert 0 < high < 0.2
