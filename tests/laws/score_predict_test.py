"""Predicted scores: the chain of laws and its intervals."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from codelaw import errors
from codelaw.laws import predict
from codelaw.laws import score_law
from codelaw.laws import score_predict
from tests.laws import planted_scores
from tests.laws import simulated

LOSS = simulated.TARGET
TRUE = (0.2, 0.9, 1.9, 0.2)


@pytest.fixture(scope='module')
def points():
  return pd.DataFrame(
    {'num_params': [1e6, 1e7, 1e8], 'num_tokens': [1e8, 1e9, 1e10]}
  )


def _fit(make_fit, spread=0.0, **changes):
  fit = make_fit(
    LOSS, simulated.CHINCHILLA, law='chinchilla', spread=spread, count=200
  )
  known = {'noise_sd': 0.01, 'noise_degrees_of_freedom': 20.0}
  return dataclasses.replace(
    fit, diagnostics={**fit.diagnostics, **known}, **changes
  )


def _law(spread=0.0, **changes):
  law = planted_scores.law(TRUE, {LOSS: 1.0}, spread=spread, count=300, seed=7)
  return dataclasses.replace(law, **changes)


def _ends(table, name=planted_scores.TARGET):
  return [
    table[f'predicted{end}/{name}'].to_numpy() for end in ('', '_low', '_high')
  ]


def test_scores_are_those_of_the_predicted_losses(make_fit, points):
  table, notes = score_predict.add(points, [_fit(make_fit, 0.01)], [_law(0.01)])
  losses, _, _ = predict.at(_fit(make_fit), points)
  value, low, high = _ends(table)
  assert value == pytest.approx(score_law.value(np.array(TRUE), losses))
  assert (low < value).all()
  assert (value < high).all()
  assert not notes


def test_intervals_hold_both_laws(make_fit, points):
  """Independent errors: variances add, to first order."""
  widths = {}
  for of_loss, of_score in ((0.01, 1e-9), (1e-9, 0.01), (0.01, 0.01)):
    table, _ = score_predict.add(
      points, [_fit(make_fit, of_loss)], [_law(of_score)]
    )
    _, low, high = _ends(table)
    widths[of_loss, of_score] = high - low
  alone = widths[0.01, 1e-9] ** 2 + widths[1e-9, 0.01] ** 2
  # Percentiles of 300 draws are known to a tenth.
  assert widths[0.01, 0.01] ** 2 == pytest.approx(alone, rel=0.25)
  for one in ((0.01, 1e-9), (1e-9, 0.01)):
    assert (widths[one] > 0.1 * widths[0.01, 0.01]).all()


def test_a_new_run_has_noise_of_loss_scores_and_items(make_fit, points):
  fits = [_fit(make_fit, 1e-9)]
  mean, _ = score_predict.add(points, fits, [_law(1e-9)])
  run, _ = score_predict.add(points, fits, [_law(1e-9)], interval='run')
  value, low, high = _ends(run)
  assert (np.diff(_ends(mean)[1:], axis=0) < 1e-6).all()
  losses, _, _ = predict.at(fits[0], points)
  slope = score_law.slope(np.array(TRUE), losses)
  # run_sd .01, dispersion .001 and noise of 1% of the loss, of 20 degrees.
  variance = 0.01**2 + 0.001 * value * (1 - value)
  variance += (slope * losses * 0.01) ** 2 * 20 / 18
  expected = 2 * 1.645 * np.sqrt(variance)
  assert high - low == pytest.approx(expected, rel=0.06)
  again, _ = score_predict.add(points, fits, [_law(1e-9)], interval='run')
  pd.testing.assert_frame_equal(run, again)


def test_laws_without_draws_have_no_interval(make_fit, points):
  table, _ = score_predict.add(points, [_fit(make_fit)], [_law(0.01)])
  assert np.isnan(_ends(table)[1:]).all()


def test_extrapolation_is_named(make_fit, points):
  law = _law(0.01, diagnostics={'loss_range': [1.5, 1.9]})
  losses, _, _ = predict.at(_fit(make_fit), points)
  _, notes = score_predict.add(points, [_fit(make_fit)], [law])
  below, above = int((losses < 1.5).sum()), int((losses > 1.9).sum())
  assert below
  assert above
  assert f'{below} of 3 predicted losses lie below' in notes[0]
  assert f'{above} of 3 predicted losses lie above' in notes[1]


def test_mistakes_are_one_sentence(make_fit, points):
  law = planted_scores.law(TRUE, {'loss/absent': 1.0})
  with pytest.raises(errors.UserError, match='reads loss/absent, of which'):
    score_predict.add(points, [_fit(make_fit)], [law])
  with pytest.raises(errors.UserError, match='these fits have groups'):
    score_predict.add(points, [_fit(make_fit, group='x')], [_law()])
