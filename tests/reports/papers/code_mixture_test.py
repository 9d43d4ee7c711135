"""Paper A's mixtures: Eq. 6, Table 1, transfer, allocation, scores."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from codelaw.laws import predict
from codelaw.laws import synergy
from codelaw.planning import allocation as allocation_lib
from codelaw.reports.papers import checks
from codelaw.reports.papers import code_allocation
from codelaw.reports.papers import code_checks
from codelaw.reports.papers import code_figures
from codelaw.reports.papers import code_mixture_checks
from codelaw.reports.papers import proportion_law
from codelaw.reports.papers import published
from codelaw.reports.papers import transfer

ALLOCATION = published.table('token_allocation')
LAW = {'E': 0.3, 'A': 300.0, 'B': 3e4, 'alpha': 0.4, 'beta': 0.45}


@pytest.fixture(scope='module')
def drawn(make_fit):
  """The drawn surfaces, as laws."""
  laws = {}
  for row in published.table('law_parameters').to_dict('records'):
    alpha, beta = row['surface_alpha_n'], row['surface_alpha_d']
    laws[row['language']] = make_fit(
      'loss',
      {
        'E': row['surface_l_inf'],
        'A': row['surface_a'] * 1e9**alpha,
        'B': row['surface_b'] * 1e9**beta,
        'alpha': alpha,
        'beta': beta,
      },
      law='chinchilla',
    )
  return laws


@pytest.fixture(scope='module')
def entries():
  return synergy.of_losses(published.pair_losses())


def _laws(make_fit, spread=0.0):
  """One law for the languages a and b."""
  law = make_fit('loss', LAW, law='chinchilla', spread=spread)
  law = dataclasses.replace(
    law, diagnostics={'ranges': {'num_tokens': [2e9, 64e9]}}
  )
  return {'a': law, 'b': law}


def test_eq_6_puts_everything_on_one_language(drawn, entries):
  found = code_mixture_checks.literal_optimum(drawn, entries, ALLOCATION, 1.5e9)
  assert found.outcome == checks.FAILS
  assert 'puts 100% on C#' in found.verdict
  optima = [value for what, value in found.numbers if 'gamma' in what]
  assert optima == ['C# 100.0%'] * 3


def test_languages_of_one_law_gain_from_variety():
  equal = {'E': 0.3, 'A': 0.1, 'B': 2.0, 'alpha': 0.3, 'beta': 0.5}
  tau = np.ones((3, 3)) - np.eye(3)
  law = proportion_law.of_estimates(dict.fromkeys('abc', equal), tau, 1.0)
  shares = proportion_law.optimum(law, 1.5, 350.0)
  np.testing.assert_allclose(shares, 1 / 3, atol=1e-4)  # SLSQP's own limit.


def test_rust_keeps_its_tokens():
  found = code_mixture_checks.rust_is_cut(ALLOCATION)
  assert found.outcome == checks.FAILS
  assert 'Rust changes by +0.00B' in found.verdict
  assert 'C# (-13.49B)' in found.verdict
  cut = ALLOCATION.assign(
    optimized_tokens_billions=ALLOCATION['optimized_tokens_billions']
    - 5.0 * ALLOCATION['language'].eq('Rust')
  )
  assert code_mixture_checks.rust_is_cut(cut).outcome == checks.HOLDS


def test_percentages_follow_the_losses(entries):
  stated = published.table('synergy_pairs')
  found = code_mixture_checks.percentages_follow_losses(entries, stated)
  assert found.outcome == checks.HOLDS
  assert 'all 42 printed percentages within 0.024 points' in found.verdict
  # In the columns where they were printed they would not.
  wrong = stated.assign(
    published_gain_percent=stated['published_gain_percent'].shift(1)
  )
  found = code_mixture_checks.percentages_follow_losses(entries, wrong)
  assert found.outcome == checks.FAILS


def test_the_row_of_java_lies_apart(entries):
  found = code_mixture_checks.rows_are_alike(entries)
  assert found.outcome == checks.FAILS
  assert found.verdict.startswith('Java gains 6% to 21% from any auxiliary')
  rest = [e for e in entries if e.target not in ('Java', 'Python')]
  found = code_mixture_checks.rows_are_alike(rest)
  assert found.outcome == checks.HOLDS


def test_one_language_carries_the_gains_in_scores():
  allocation, pairing = code_checks.of_scores()
  assert allocation.outcome == pairing.outcome == checks.FAILS
  assert allocation.verdict.startswith('Python makes 92%')
  assert dict(allocation.numbers)['mean Pass@1'] == '19.88 to 21.34'
  assert pairing.verdict.startswith('Java makes 151%')
  even = pd.DataFrame(
    {'language': list('abc'), 'x': [1.0, 2.0, 3.0], 'y': [2.0, 3.0, 4.0]}
  )
  found = code_mixture_checks.gain_is_shared(even, 's', ('x', 'y'), 'n', 'c')
  assert found.outcome == checks.HOLDS


@pytest.mark.parametrize('tau', [0.0, 0.4, 1.7])
def test_transfer_is_found_again(make_fit, tau):
  laws = _laws(make_fit)
  params, tokens = 1e8, transfer.PAIR_TOKENS

  def loss(effective):
    at = {'num_params': [params], 'num_tokens': [effective]}
    return float(predict.at(laws['a'], pd.DataFrame(at))[0][0])

  twice = loss(tokens * (1 + transfer.SECOND_EPOCH))
  entries = synergy.of_losses(
    {('a', 'a'): 2 * twice, ('a', 'b'): 2 * loss(tokens * (1 + tau))}
  )  # A common factor on the losses of a language changes nothing.
  found = transfer.coefficients(laws, entries, params)
  assert found == {('a', 'b'): pytest.approx(tau, abs=1e-9)}
  sizes = transfer.implied_sizes(laws, {('a', 'a'): twice, ('b', 'b'): twice})
  assert sizes == pytest.approx({'a': params, 'b': params})


def test_a_gain_beyond_all_tokens_has_no_coefficient(make_fit):
  laws = _laws(make_fit)
  entries = synergy.of_losses({('a', 'a'): 1.0, ('a', 'b'): 0.1})
  tau = transfer.coefficients(laws, entries, 1e8)
  assert tau == {('a', 'b'): math.inf}
  assert transfer.size_of_loss(laws['a'], 0.29, 1e11) == math.inf
  found = code_mixture_checks.gains_are_data(tau)
  assert found.outcome == checks.FAILS
  assert '1 exceed what any number' in found.verdict
  found = code_mixture_checks.gains_are_data({('a', 'b'): 0.5})
  assert found.outcome == checks.HOLDS


def test_a_second_epoch_is_worth_a_little_less():
  # R* (1 - exp(-1 / R*)) = 1 - 1 / (2 R*) + ...
  worth = transfer.SECOND_EPOCH
  assert worth == pytest.approx(1 - 0.5 / 15.387756, abs=1e-3)


def test_laws_with_transfer_are_capped_and_scaled(make_fit):
  laws = _laws(make_fit, spread=0.01)
  tau = {('a', 'b'): math.inf, ('b', 'a'): -0.2}
  one, other = transfer.laws_with_transfer(laws, tau, 0.5)
  assert one.target == 'loss/a'
  assert one.estimates['tau/b'] == 0.5
  assert other.estimates['tau/a'] == 0.0
  assert set(one.bootstrap_estimates['tau/b']) == {0.5}


def test_equal_languages_get_equal_tokens(make_fit):
  table = pd.DataFrame(
    {
      'language': ['a', 'b'],
      'uniform_tokens_billions': [50.0, 50.0],
      'optimized_tokens_billions': [75.0, 25.0],
    }
  )
  found = code_allocation.compare(
    _laws(make_fit, spread=0.01),
    {('a', 'b'): 0.8, ('b', 'a'): 0.8},
    table,
    num_params=1e9,
    settings=allocation_lib.AllocationSettings(num_bootstraps=4),
    strengths=(0.0, 0.5),
  )
  assert found.published == {'a': 0.75, 'b': 0.25}
  assert found.allocations[0.0].rates == pytest.approx(
    {'a': 0.5, 'b': 0.5}, abs=1e-4
  )
  assert found.closest == 0.0
  assert found.distance == pytest.approx(0.25, abs=1e-4)
  equal, stated, ours = found.mixtures[0.0]

  def mean(shares):
    points = {'num_params': 1e9, 'num_tokens': 1e11 * np.array(shares)}
    law = _laws(make_fit)['a']
    return float(np.mean(predict.at(law, pd.DataFrame(points))[0]))

  assert equal.loss == pytest.approx(mean([0.5, 0.5]))
  assert stated.gain == pytest.approx(mean([0.5, 0.5]) - mean([0.75, 0.25]))
  assert ours.gain == pytest.approx(0, abs=1e-8)
  assert stated.low < stated.gain < stated.high < 0
  figure = code_figures.allocations(found, ['a', 'b'], 100.0)
  widths = [bar.get_width() for bar in figure.axes[0].patches]
  assert widths == pytest.approx([75, 25, 50, 50], abs=1e-2)
  # 75B of 64B that were fitted; ours stays inside.
  first, second = found.extrapolated.values()
  assert first == {'a': pytest.approx(75 / 64)}
  assert second == {}


def test_tokens_of_others_count_by_their_worth(make_fit):
  laws = _laws(make_fit)
  fits = transfer.laws_with_transfer(
    laws, {('a', 'b'): 0.5, ('b', 'a'): 0.1}, 1.0
  )
  found = code_allocation.effective_tokens(fits, {'a': 0.2, 'b': 0.8}, 100.0)
  assert found == pytest.approx({'a': 60.0, 'b': 82.0})
