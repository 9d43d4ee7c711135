"""The rows behind the figures."""

import dataclasses

import numpy as np
import pytest

from codelaw.laws import forms
from codelaw.laws import points
from codelaw.reports import predictions
from tests.laws import simulated


def test_laws_of_one_source_have_its_runs(found):
  laws = predictions.fitted(found.fits, found.table)
  for law in laws:
    rows = found.table[found.table[f'share/{law.label}'] == 1]
    assert len(law.points) == len(rows) == 11
    np.testing.assert_array_equal(law.points['observed'], rows[law.fit.target])


def test_mixture_laws_have_all_runs(found):
  [law, *_] = predictions.fitted(found.mixture_fits, found.table)
  assert len(law.points) == len(found.table)
  errors = law.points['predicted'] / law.points['observed'] - 1
  assert np.abs(errors).max() < 0.03  # seven times the planted noise


def test_a_fits_own_points_come_first(found):
  fit = found.fits[0]
  recorded = [
    {
      'run_id': 'a',
      'num_params': 1e5,
      'num_tokens': 1e6,
      'observed': 3.0,
      'predicted': 2.9,
    }
  ]
  fit = dataclasses.replace(fit, diagnostics={'residual_points': recorded})
  for table in (None, found.table):
    [law] = predictions.fitted([fit], table)
    assert law.exact
    assert law.points.to_dict('records') == recorded


def test_without_points_a_law_is_left_out(found):
  assert predictions.fitted(found.fits, None) == []
  other = found.table.drop(columns='num_params')
  assert predictions.fitted(found.fits, other) == []


@pytest.fixture(scope='module')
def fit_to(make_fit):
  """A fit that says it was fitted to these rows."""

  def fit_to(rows, group=''):
    fit = make_fit(simulated.TARGET, simulated.CHINCHILLA, law='chinchilla')
    law = forms.law_of(fit)
    return dataclasses.replace(
      fit,
      group=group,
      table_fingerprint=points.read(law, rows, simulated.TARGET).fingerprint,
    )

  return fit_to


def test_points_are_known_by_their_fingerprint(fit_to):
  _, table = simulated.runs('chinchilla', 4, 4, noise=0.01)
  [same] = predictions.fitted([fit_to(table)], table)
  [other] = predictions.fitted([fit_to(table)], table.iloc[:-1])
  assert same.exact
  assert not other.exact
  assert len(other.points) == 15


def test_laws_that_were_compared_have_the_rows_of_the_comparison(fit_to):
  _, table = simulated.runs('transfer', 5, 5, noise=0.01)
  alone = table[table['share/code/java'] == 1]
  assert 0 < len(alone) < 25
  for rows in (table, alone):
    [found] = predictions.fitted([fit_to(rows)], table)
    assert found.exact
    assert len(found.points) == len(rows)


def test_groups_take_their_rows(fit_to):
  _, table = simulated.runs('chinchilla', 4, 4, noise=0.01)
  table['language'] = np.where(np.arange(16) < 12, 'x', 'y')
  fit = fit_to(table[:12], 'x')
  [found] = predictions.fitted([fit], table, 'language')
  assert found.exact
  assert len(found.points) == 12
  assert found.label == 'code/java (x)'
  assert predictions.fitted([fit], table) == []
  assert predictions.label(dataclasses.replace(fit, target='loss')) == 'x'


def test_laws_that_lost_a_comparison_are_outdone(found):
  def compared(fit, error):
    noted = {**fit.diagnostics, 'held_out_mean_relative_error': error}
    return dataclasses.replace(fit, diagnostics=noted)

  lost, alone = compared(found.fits[0], 0.2), found.fits[1]
  won = compared(found.mixture_fits[0], 0.1)
  assert lost.target == won.target
  assert predictions.outdone([lost, won, alone]) == [lost]
  assert predictions.outdone([lost, alone]) == []


def test_other_columns_stand_at_the_allocation_or_at_their_mean(found):
  [law, *_] = predictions.fitted(found.mixture_fits, found.table)
  means = predictions.typical(law, None)
  assert means['share/markup'] == found.table['share/markup'].mean()
  at = predictions.typical(law, {'markup': 0.25})
  assert at['share/markup'] == 0.25
  assert at['share/code/python'] == 0
  frontier = predictions.frontier_of(law, found.allocation.rates)
  assert frontier.exponent[0] == pytest.approx(0.4 / 0.75, abs=1e-6)
