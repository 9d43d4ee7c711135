import pathlib

import numpy as np
import pandas as pd
import pytest

import codelaw
from codelaw.laws import diagnostics
from codelaw.laws import fitting
from tests.laws import simulated

FEW = fitting.FitSettings(num_starts=64, num_bootstraps=0)
REFERENCE = pathlib.Path(codelaw.__file__).parent / 'reference'


def _warnings(**changes):
  sound = {
    'estimates': {'E': 1.0, 'alpha': 0.3, 'beta': 0.4},
    'intervals': {'alpha': (0.2, 0.4), 'beta': (0.3, 0.5)},
    'at_bound': [],
    'condition': 10.0,
    'degrees_of_freedom': 20,
    'lowest_loss': 1.5,
    'fit_error': 0.01,
    'extrapolation_error': 0.015,
    'agreeing_starts': 0.9,
    'converged': True,
  }
  return diagnostics.warnings(**{**sound, **changes})


def test_errors_of_literal_losses():
  found = diagnostics.errors_of(
    np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.3])
  )
  assert found['rmse'] == pytest.approx(np.sqrt(0.03))
  assert found['r2'] == pytest.approx(1 - 0.09 / 2)
  assert found['mean_relative_error'] == pytest.approx(0.1 / 3)


def test_sound_fit_has_no_warnings():
  assert _warnings() == []


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'converged': False}, 'did not converge'),
    ({'agreeing_starts': 0.01}, 'only 1.0% of the starts'),
    ({'at_bound': ['E']}, 'E ended at a bound'),
    ({'condition': 1e5}, 'poorly separated'),
    ({'degrees_of_freedom': 1}, 'only 1 more points than parameters'),
    ({'lowest_loss': 0.9}, 'exceeds the lowest observed loss 0.9'),
    ({'intervals': {'alpha': (0.1, 0.9)}}, 'interval of alpha spans'),
    ({'extrapolation_error': None}, 'too few sizes'),
    ({'extrapolation_error': 0.05}, 'misses them by 5.0%, against 1.0%'),
  ],
)
def test_each_warning_has_its_cause(change, words):
  found = _warnings(**change)
  assert len(found) == 1
  assert words in found[0]


def test_printed_limits_of_the_paper_are_impossible():
  """Six of seven printed limits exceed the lowest observed loss."""
  runs = pd.read_csv(REFERENCE / 'code_law_runs.csv')
  printed = pd.read_csv(REFERENCE / 'law_parameters.csv')
  lowest = runs.groupby('language')['loss_nats_per_token'].min()
  impossible = [
    row.language
    for row in printed.itertuples()
    if diagnostics.asymptote_warning(row.printed_l_inf, lowest[row.language])
  ]
  assert len(impossible) == 6
  assert 'Java' not in impossible


def test_largest_runs_stay_together_and_equal_ones_are_kept():
  ten = np.arange(1.0, 11.0)
  assert np.flatnonzero(diagnostics.largest(ten)).tolist() == [8, 9]
  assert not diagnostics.largest(np.ones(5)).any()


def test_folds_part_the_points_by_whole_groups():
  groups = np.array([0, 0, 1, 2, 3, 4, 5, 5, 6])
  folds = diagnostics.folds(groups, seed=0)
  assert len(folds) == 5
  np.testing.assert_array_equal(np.sum(folds, axis=0), np.ones(9))
  for fold in folds:
    inside, outside = set(groups[fold]), set(groups[~fold])
    assert not inside & outside


def test_extrapolation_error_sees_a_law_that_breaks_beyond_the_fit():
  law, table = simulated.runs('chinchilla', 6, 6)
  fit = fitting.fit(law, table, simulated.TARGET, FEW)
  assert fit.diagnostics['extrapolation_mean_relative_error'] < 1e-6
  compute = table['num_params'] * table['num_tokens']
  largest = compute >= compute.nlargest(7).min()
  broken = table.copy()
  broken.loc[largest, simulated.TARGET] *= 1.1
  fit = fitting.fit(law, broken, simulated.TARGET, FEW)
  # The law without them predicts L; they show 1.1 L.
  error = fit.diagnostics['extrapolation_mean_relative_error']
  assert error == pytest.approx(1 - 1 / 1.1, rel=1e-3)
  assert any('misses them' in w for w in fit.diagnostics['warnings'])


def test_parameter_without_effect_is_at_its_bound_and_said():
  law, table = simulated.runs('chinchilla', 6, 6)
  power = table.assign(
    **{
      simulated.TARGET: 60 * table['num_params'] ** -0.33
      + 400 * table['num_tokens'] ** -0.41
    }
  )
  fit = fitting.fit(law, power, simulated.TARGET, FEW)
  assert fit.diagnostics['at_bound'] == ['E']
  assert any('E ended at a bound' in w for w in fit.diagnostics['warnings'])
