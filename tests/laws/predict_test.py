import dataclasses

import numpy as np
import pandas as pd
import pytest

from codelaw import errors
from codelaw.laws import fitting
from codelaw.laws import predict
from codelaw.laws import results
from tests.laws import simulated

SETTINGS = fitting.FitSettings(num_starts=64, num_bootstraps=40)


@pytest.fixture(scope='module')
def fit():
  law, table = simulated.runs('transfer', noise=0.01)
  return fitting.fit(law, table, simulated.TARGET, SETTINGS)


POINTS = pd.DataFrame(
  {
    'num_params': [1e6, 1e8],
    'num_tokens': [1e7, 1e9],
    'share/code/java': [1.0, 0.5],
    'share/code/go': [0.0, 0.5],
  }
)


def test_predictions_follow_the_equation(fit):
  table = predict.predict([fit], POINTS)
  found = fit.estimates
  tokens = np.array([1e7, 1e9]) * np.array(
    [1.0, 0.5 + 0.5 * found['tau/code/go']]
  )
  expected = (
    found['E']
    + found['A'] / POINTS['num_params'] ** found['alpha']
    + found['B'] / tokens ** found['beta']
  )
  target = simulated.TARGET
  np.testing.assert_allclose(table[f'predicted/{target}'], expected, rtol=1e-12)
  assert (table[f'predicted_low/{target}'] < expected).all()
  assert (table[f'predicted_high/{target}'] > expected).all()
  pd.testing.assert_frame_equal(table[POINTS.columns], POINTS)


@pytest.mark.parametrize('objective', ['log_huber', 'least_squares'])
def test_interval_of_a_run_adds_its_noise(fit, objective):
  # A law that is known exactly leaves the noise alone.
  known = {n: (v,) * 40 for n, v in fit.estimates.items()}
  diagnostics = {'noise_sd': 0.02, 'noise_degrees_of_freedom': 1e9}
  exact = dataclasses.replace(
    fit,
    bootstrap_estimates=known,
    objective_name=objective,
    diagnostics=diagnostics,
  )
  target = simulated.TARGET
  for interval, reach in (('mean', 0.0), ('run', 1.645 * 0.02)):
    table = predict.predict([exact], POINTS, interval=interval)
    loss = table[f'predicted/{target}']
    for name, sign in (('low', -1), ('high', 1)):
      end = table[f'predicted_{name}/{target}']
      expected = (
        loss * np.exp(sign * reach)
        if objective == 'log_huber'
        else loss + sign * reach
      )
      # 32 quantiles of the noise stand for all.
      np.testing.assert_allclose(end - loss, expected - loss, rtol=0.03)


def test_noise_of_a_run_is_in_the_unit_of_the_loss():
  law, table = simulated.runs('chinchilla', 6, 6)
  rng = np.random.default_rng(0)
  noise = 0.05 * rng.standard_normal(len(table))
  noisy = table.assign(**{simulated.TARGET: table[simulated.TARGET] + noise})
  settings = dataclasses.replace(
    SETTINGS, objective='least_squares', influence=False
  )
  found = fitting.fit(law, noisy, simulated.TARGET, settings).diagnostics
  # 31 degrees of freedom know a standard deviation to 13%.
  assert found['noise_sd'] == pytest.approx(0.05, rel=0.3)
  assert found['noise_degrees_of_freedom'] == pytest.approx(31)


def test_fit_without_noise_has_no_interval_of_a_run(fit):
  old = dataclasses.replace(fit, diagnostics={})
  with pytest.raises(errors.UserError, match='--interval=mean'):
    predict.predict([old], POINTS, interval='run')


def test_first_fit_of_a_target_counts(fit):
  other = dataclasses.replace(
    fit, estimates={**fit.estimates, 'E': fit.estimates['E'] + 1}
  )
  first = predict.predict([fit, other], POINTS)
  pd.testing.assert_frame_equal(first, predict.predict([fit], POINTS))


def test_groups_need_their_column(fit):
  fits = [
    dataclasses.replace(fit, group='x'),
    dataclasses.replace(fit, group='y', estimates={**fit.estimates, 'E': 9.0}),
  ]
  with pytest.raises(errors.UserError, match='groups .x, y.'):
    predict.predict(fits, POINTS)
  table = predict.predict(fits, POINTS.assign(language=['y', 'z']), 'language')
  values = table[f'predicted/{simulated.TARGET}']
  assert values[0] > 9
  assert np.isnan(values[1])


def test_missing_column_is_named(fit):
  with pytest.raises(errors.UserError, match='column num_tokens'):
    predict.predict([fit], POINTS.drop(columns='num_tokens'))


def test_points_without_shares_are_an_error(fit):
  with pytest.raises(errors.UserError, match='needs shares'):
    predict.predict([fit], POINTS[['num_params', 'num_tokens']])


def test_points_beyond_the_fitted_range_are_named(fit):
  notes = predict.beyond_ranges([fit], POINTS)
  assert len(notes) == 2
  assert '1 of 2 points have num_params outside' in notes[0]


def test_fits_survive_the_file(fit, tmp_path):
  results.write(tmp_path / 'fit.json', [fit])
  assert results.read(tmp_path / 'fit.json') == [fit]


def test_file_without_fits_is_an_error(tmp_path):
  (tmp_path / 'fit.json').write_text('{"fits": []}')
  with pytest.raises(errors.UserError, match='no list of fits'):
    results.read(tmp_path / 'fit.json')
