import dataclasses
import pathlib

import pandas as pd
import pytest

import codelaw
from codelaw.laws import cautions
from codelaw.laws import fitting
from codelaw.laws import forms
from codelaw.laws import influence
from tests.laws import simulated

REFERENCE = pathlib.Path(codelaw.__file__).parent / 'reference'
FEW = fitting.FitSettings(num_starts=64, num_bootstraps=0)
SMALL = {'compute': 0.015, 'num_params': 0.01, 'num_tokens': 0.01}
MOVED = influence.Change('num_tokens = 2', 6, 'beta', 0.26, 2.5, 0.5)


def _warnings(**changes):
  sound = {
    'estimates': {'E': 1.0, 'A': 2.0, 'alpha': 0.3, 'beta': 0.4},
    'intervals': {'alpha': (0.2, 0.4), 'beta': (0.3, 0.5)},
    'profiles': {'alpha': (0.2, 0.4)},
    'at_bound': [],
    'condition': 10.0,
    'degrees_of_freedom': 20,
    'lowest_loss': 1.5,
    'fit_error': 0.01,
    'extrapolation': SMALL,
    'agreeing_starts': 0.9,
    'converged': True,
    'influence': [],
  }
  return cautions.warnings(**{**sound, **changes})


def test_sound_fit_has_no_warnings():
  assert _warnings() == []


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'converged': False}, 'did not converge'),
    ({'agreeing_starts': 0.01}, 'only 1.0% of the starts'),
    ({'at_bound': ['E']}, 'E ended at a bound'),
    ({'condition': 1e5}, 'poorly separated'),
    ({'degrees_of_freedom': 1}, 'known with 1 degrees of freedom'),
    ({'lowest_loss': 0.9}, 'exceeds the lowest observed loss 0.9'),
    ({'intervals': {'alpha': (0.1, 0.9)}}, 'interval of alpha spans'),
    ({'profiles': {'E': (None, 2.0)}}, 'set no lower limit to E:'),
    ({'profiles': {'beta': (0.1, None)}}, 'set no upper limit to beta:'),
    ({'extrapolation': dict.fromkeys(SMALL)}, 'too few sizes'),
    (
      {'extrapolation': {**SMALL, 'num_tokens': 0.05}},
      'misses the largest token budgets by 5.0%, against 1.0%',
    ),
    (
      {'influence': [MOVED]},
      'beta is driven by the 6 points at num_tokens = 2: 0.4 with them, 0.26'
      ' without',
    ),
  ],
)
def test_each_warning_has_its_cause(change, words):
  found = _warnings(**change)
  assert len(found) == 1
  assert words in found[0]


@pytest.mark.parametrize(
  'change',
  [
    {'expected': 1.0},  # 2.5 of 1.0: noise alone does as much.
    {'standard_errors': 1.7, 'estimate': 0.3},  # Neither far nor by a third.
    {'parameter': 'A', 'estimate': 1.0},  # It follows alpha.
  ],
)
def test_changes_that_say_nothing_new_are_not_said(change):
  assert _warnings(influence=[dataclasses.replace(MOVED, **change)]) == []


def test_each_parameter_names_only_what_moves_it_most():
  weaker = dataclasses.replace(
    MOVED, left_out='run x', num_points=1, standard_errors=2.1
  )
  found = _warnings(influence=[MOVED, weaker])
  assert len(found) == 1
  assert 'num_tokens = 2' in found[0]
  found = _warnings(influence=[weaker])
  assert 'beta is driven by run x: 0.4 with it, 0.26 without' in found[0]


def test_printed_limits_of_the_paper_are_impossible():
  """Six of seven printed limits exceed the lowest observed loss."""
  runs = pd.read_csv(REFERENCE / 'code_law_runs.csv')
  printed = pd.read_csv(REFERENCE / 'law_parameters.csv')
  lowest = runs.groupby('language')['loss_nats_per_token'].min()
  impossible = [
    row.language
    for row in printed.itertuples()
    if cautions.asymptote_warning(row.printed_l_inf, lowest[row.language])
  ]
  assert len(impossible) == 6
  assert 'Java' not in impossible


def test_published_runs_show_that_their_exponents_hang_on_one_column():
  """arXiv:2512.13472: a_D > 1 comes from the runs of 2B tokens."""
  table = pd.read_csv(REFERENCE / 'code_law_runs.csv').rename(
    columns={
      'params_billions': 'num_params',
      'tokens_billions': 'num_tokens',
      'loss_nats_per_token': 'loss',
    }
  )
  settings = dataclasses.replace(
    FEW, objective='least_squares', profile_intervals=False
  )
  # beta of the fits to D >= 4B, to the three digits of papers/.
  without = {
    'C#': 0.857,
    'Go': 0.769,
    'Java': 0.914,
    'JavaScript': 0.836,
    'Python': 0.831,
    'Rust': 0.799,
    'TypeScript': 0.802,
  }
  for language, beta in without.items():
    rows = table[table['language'] == language]
    fit = fitting.fit(forms.law('chinchilla'), rows, 'loss', settings)
    assert fit.estimates['beta'] > 1.2
    words = next(w for w in fit.diagnostics['warnings'] if 'driven' in w)
    assert words == (
      'beta is driven by the 10 points at num_tokens = 2:'
      f' {fit.estimates["beta"]:.3g} with them, {beta} without'
    )


def test_fit_carries_the_words():
  law, table = simulated.runs('chinchilla', 6, 6, noise=0.003)
  fit = fitting.fit(law, table, simulated.TARGET, FEW)
  assert not any('driven' in w for w in fit.diagnostics['warnings'])
  lowest = table['num_tokens'].min()
  table.loc[table['num_tokens'] == lowest, simulated.TARGET] *= 1.2
  fit = fitting.fit(law, table, simulated.TARGET, FEW)
  assert any(
    'beta is driven by the 6 points at num_tokens = 1e+06' in w
    for w in fit.diagnostics['warnings']
  )
