import dataclasses

import numpy as np
import pytest

from codelaw import errors
from codelaw.laws import comparison
from codelaw.laws import fitting
from codelaw.laws import forms
from tests.laws import simulated

FEW = fitting.FitSettings(num_starts=64, num_bootstraps=20)


def _compare(table, settings=FEW):
  notes = []
  fits = comparison.compare(
    table, simulated.TARGET, settings, report=notes.append
  )
  return fits, notes


@pytest.fixture(scope='module')
def mixed():
  return simulated.runs('transfer', 5, 6, noise=0.005)[1]


@pytest.fixture(scope='module')
def ranked(mixed):
  return _compare(mixed)[0]


def test_true_law_is_first_and_its_parts_are_told(ranked):
  assert ranked[0].law == 'transfer'
  errors_found = [
    fit.diagnostics['held_out_mean_relative_error'] for fit in ranked
  ]
  assert errors_found == sorted(errors_found)
  parts = ranked[0].diagnostics['held_out']
  assert set(parts) == {'mixtures', 'num_params', 'num_tokens', 'compute'}
  assert errors_found[0] == pytest.approx(
    parts['mixtures'] / 2
    + np.mean([parts[k] for k in ('num_params', 'num_tokens', 'compute')]) / 2
  )
  assert errors_found[0] < 0.02


def test_differences_are_to_the_first_and_hold_their_mean(ranked):
  assert 'held_out_difference' not in ranked[0].diagnostics
  first = ranked[0].diagnostics['held_out_mean_relative_error']
  for fit in ranked[1:]:
    apart = fit.diagnostics['held_out_difference']
    own = fit.diagnostics['held_out_mean_relative_error']
    assert apart['to'] == 'transfer'
    assert apart['mean'] == pytest.approx(own - first)
    assert apart['low'] < apart['mean'] < apart['high']
  plain = next(fit for fit in ranked if fit.law == 'chinchilla')
  # It ignores shares that matter: no doubt about it.
  assert plain.diagnostics['held_out_difference']['low'] > 0
  assert not any('chinchilla' in w for w in ranked[0].diagnostics['warnings'])


def test_first_law_alone_is_described_in_full(ranked):
  assert ranked[0].diagnostics['influence']
  assert ranked[0].diagnostics['profile_intervals']
  assert not ranked[1].diagnostics['profile_intervals']
  assert ranked[1].intervals


def test_laws_that_cannot_be_told_apart_are_named():
  # In a table without shares kaplan and chinchilla fit noise equally well.
  _, table = simulated.runs('kaplan', 5, 5, noise=0.05)
  fits, _ = _compare(table)
  assert {fit.law for fit in fits} == {'chinchilla', 'kaplan'}
  apart = fits[1].diagnostics['held_out_difference']
  assert apart['low'] <= 0 <= apart['high']
  words = [w for w in fits[0].diagnostics['warnings'] if 'cannot tell' in w]
  assert len(words) == 1
  assert fits[1].law in words[0]


def test_order_of_rows_does_not_matter(mixed, ranked):
  brief = dataclasses.replace(FEW, num_bootstraps=0)
  mixed_up = mixed.sample(frac=1, random_state=2).reset_index(drop=True)
  again, _ = _compare(mixed_up, brief)
  assert [
    (fit.law, fit.diagnostics['held_out_mean_relative_error']) for fit in again
  ] == [
    (fit.law, fit.diagnostics['held_out_mean_relative_error']) for fit in ranked
  ]


def test_laws_that_the_runs_cannot_fit_are_reported(mixed):
  with pytest.raises(errors.UserError, match='No law can be fitted'):
    _compare(mixed.head(12).assign(num_params=1e6))
  halves = (1 - mixed['share/code/java']) / 2
  tied = mixed.assign(**{'share/code/go': halves, 'share/markup': halves})
  fits, notes = _compare(tied, dataclasses.replace(FEW, num_bootstraps=0))
  assert {fit.law for fit in fits} == {'chinchilla', 'kaplan'}
  assert {note.split()[2] for note in notes} == {
    name for name in forms.MIXTURE_LAWS if name not in ('exponential', 'bimix')
  }
  assert all('apart' in note for note in notes)
