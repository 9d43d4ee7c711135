"""Which runs to do next: what a run teaches, the choice, its worth."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from codelaw import errors
from codelaw.laws import fitting
from codelaw.laws import forms
from codelaw.laws import solver
from codelaw.planning import allocation
from codelaw.planning import choosing
from codelaw.planning import design
from codelaw.planning import knowledge
from tests.planning import planted


def _knowledge(seed=0, targets=2, quantities=2, count=6):
  generator = np.random.default_rng(seed)
  size = quantities + count
  roots = generator.normal(size=(targets, size, size))
  covariances = roots @ roots.transpose(0, 2, 1)
  return knowledge.Knowledge(covariances, np.full(targets, 0.5), quantities)


def test_a_run_teaches_what_gaussian_conditioning_says():
  before = _knowledge()
  after = before
  for candidate in (1, 4, 1):  # One is repeated.
    gain = after.gains()[candidate]
    regret = after.regret
    after = after.after(candidate)
    assert after.regret == pytest.approx(regret - gain)
  seen = [3, 6, 3]
  for place, covariance in enumerate(before.covariances):
    noisy = covariance[np.ix_(seen, seen)] + before.noise[place] * np.eye(3)
    shared = covariance[:, seen]
    expected = covariance - shared @ np.linalg.solve(noisy, shared.T)
    assert after.covariances[place] == pytest.approx(expected, abs=1e-9)
  undone = after.after(1, -1).after(4, -1).after(1, -1)
  assert undone.covariances == pytest.approx(before.covariances, abs=1e-8)


@pytest.mark.parametrize('seed', range(8))
def test_the_choice_is_near_the_best_of_all(seed):
  known = _knowledge(seed, count=6)
  costs = np.random.default_rng(seed).uniform(1, 4, 6)
  chosen, after = knowledge.choose(known, costs, budget=6.0, max_runs=4)
  assert costs[chosen].sum() <= 6.0 + 1e-9
  best = known.regret
  for count in range(1, 5):
    for runs in itertools.combinations_with_replacement(range(6), count):
      if costs[list(runs)].sum() <= 6.0:
        taught = known
        for run in runs:
          taught = taught.after(run)
        best = min(best, taught.regret)
  assert after.regret <= best + 0.03 * (known.regret - best)
  at_random = [
    knowledge.choose_at_random(known, costs, 6.0, 4, draw) for draw in range(20)
  ]
  assert after.regret <= min(one.regret for _, one in at_random) + 1e-9
  assert all(costs[runs].sum() <= 6.0 for runs, _ in at_random)


def test_candidates_keep_to_the_supply():
  mixtures = design.mixtures(
    planted.SOURCES, {'code/c': 1.0, 'code/java': 0.0}, num_random=5
  )
  assert all(sum(m.values()) == pytest.approx(1) for m in mixtures)
  assert {'code/c': 0.5, 'code/java': 0.5} in mixtures
  found = design.candidates(
    {1000: 6000.0, 2000: 13000.0},
    [10**6, 10**7],
    mixtures,
    supply={'code/c': 5e5},
    max_epochs=4,
  )
  assert {(run.num_params, run.num_tokens) for run in found} == {
    (n, d) for n in (1000, 2000) for d in (10**6, 10**7)
  }
  # A run on c alone sees it twice, which is allowed.
  assert any(run.rates == {'code/c': 1.0} for run in found)
  for run in found:
    assert run.rates.get('code/c', 0) * run.num_tokens <= 2e6
    assert run.flops == {1000: 6e3, 2000: 13e3}[run.num_params] * run.num_tokens


def _noisy(fits, sd=0.01):
  return [
    dataclasses.replace(
      fit, diagnostics={**fit.diagnostics, 'residual_log_sd': sd}
    )
    for fit in fits
  ]


_RUNS = design.candidates(
  {100_000: 6e5, 1_000_000: 6e6},
  (10**7, 10**8),
  design.mixtures(('code/c', 'code/java'), {'code/c': 0.4, 'code/java': 0.6}),
)


def _design(fits, settings=None, **changes):
  found = choosing.allocate(fits, **planted.SIZE, settings=settings)
  arguments = {'flop_budget': 2e15, 'settings': settings, **changes}
  return design.design(fits, found, _RUNS, **arguments)


def test_a_design_is_within_its_budget_and_better_than_random(make_fit):
  fits = _noisy(
    planted.separate(
      make_fit, {'code/c': 300.0, 'code/java': 900.0}, spread=0.02
    )
  )
  found = _design(fits)
  assert found.flops == pytest.approx(sum(run.flops for run in found.runs))
  assert found.flops <= found.flop_budget
  assert set(found.free) == {'code/c', 'code/java'}
  assert found.regret_after < found.regret_random < found.regret_now
  less = _design(fits, flop_budget=5e14)
  assert less.regret_after > found.regret_after
  noisy = _design(_noisy(fits, sd=0.1))
  assert noisy.regret_after > found.regret_after
  assert noisy.regret_now == pytest.approx(found.regret_now)


def test_the_expected_regret_is_that_of_the_bootstrap_fits(make_fit):
  # The truth drawn from the bootstrap fits: what the recommended rates lose
  # against the best for it, on average.
  spread = 0.02
  fits = _noisy(
    planted.separate(
      make_fit, {'code/c': 300.0, 'code/java': 900.0}, spread=spread, count=200
    )
  )
  found = _design(fits)
  rate = choosing.allocate(fits, **planted.SIZE).rates['code/c']
  lost = []
  D = planted.SIZE['num_tokens']
  for b in range(200):
    terms = []
    for fit, shift in zip(fits, (0, 100), strict=True):
      at = (b + shift) % 200
      boot = {name: v[at] for name, v in fit.bootstrap_estimates.items()}
      terms.append((boot['B'], boot['beta']))

    def loss(r, terms=terms):
      pair = zip(terms, (r, 1 - r), strict=True)
      return np.mean([B * (own * D) ** -beta for (B, beta), own in pair])

    best = optimize.minimize_scalar(loss, bounds=(0.01, 0.99), method='bounded')
    lost.append(loss(rate) - best.fun)
  # The mean of squares of 200 draws is known to a tenth; tails are cut.
  assert found.regret_now == pytest.approx(np.mean(lost), rel=0.35)


def test_where_nothing_is_in_doubt_the_loss_is_made_surer(make_fit):
  fits = _noisy(
    planted.separate(
      make_fit, {'code/c': 300.0, 'code/java': 900.0}, spread=0.02
    )
  )
  settings = allocation.AllocationSettings(
    floors={'code/c': 0.5, 'code/java': 0.5}
  )
  found = _design(fits, settings)
  assert found.free == ()
  assert 'predicted loss surer' in found.notes[-1]
  assert found.regret_after < found.regret_now


@pytest.mark.parametrize(
  ('settings', 'changes', 'message'),
  [
    ({'objective': 'worst'}, {}, 'weighted mean or of one target'),
    ({}, {'flop_budget': 1.0}, 'the cheapest of'),
  ],
)
def test_what_cannot_be_designed_is_an_error(
  make_fit, settings, changes, message
):
  fits = _noisy(
    planted.separate(
      make_fit, {'code/c': 300.0, 'code/java': 900.0}, spread=0.02
    )
  )
  with pytest.raises(errors.UserError, match=message):
    _design(fits, allocation.AllocationSettings(**settings), **changes)


def test_fits_without_uncertainty_are_refused(make_fit):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  with pytest.raises(errors.UserError, match='no bootstrap estimates'):
    _design(_noisy(fits))
  fits = planted.separate(
    make_fit, {'code/c': 300.0, 'code/java': 900.0}, spread=0.02
  )
  with pytest.raises(errors.UserError, match='residual_log_sd'):
    _design(fits)


def test_a_law_of_one_size_takes_runs_of_one_size(make_fit):
  fits = _noisy(
    [
      make_fit(
        f'loss/{source}',
        {'c': 1.0, 'k': 0.5, f't/{other}': 2.0},
        law='exponential',
        spread=0.05,
      )
      for source, other in (('code/c', 'code/java'), ('code/java', 'code/c'))
    ]
  )
  with pytest.raises(errors.UserError, match='does not depend on num_params'):
    _design(fits)


# Simulated studies: three sources, known laws, noise of 1% per loss.
_LARGE = {'num_params': 4e6, 'num_tokens': 2e8}


def _truth(generator):
  return {
    f'loss/{source}': {
      'E': generator.uniform(0.6, 1.2),
      'A': generator.uniform(40, 80),
      'B': generator.uniform(200, 700),
      'alpha': generator.uniform(0.3, 0.4),
      'beta': generator.uniform(0.33, 0.42),
      **{
        f'tau/{other}': float(np.exp(generator.uniform(-3.5, -0.5)))
        for other in planted.SOURCES
        if other != source
      },
    }
    for source in planted.SOURCES
  }


def _run(truth, rows, generator, first=0, noise=0.01):
  """The run table of rows (num_params, num_tokens, rates)."""
  table = pd.DataFrame(
    [
      {
        'run_id': f'run-{first + place}',
        'num_params': float(size),
        'num_tokens': float(tokens),
        **{f'share/{s}': rates.get(s, 0.0) for s in planted.SOURCES},
      }
      for place, (size, tokens, rates) in enumerate(rows)
    ]
  )
  for target, estimates in truth.items():
    law = forms.law('transfer', target, planted.SOURCES)
    with solver.float64():
      losses = np.asarray(law.predict(estimates, table[list(law.columns)]))
    table[target] = losses * np.exp(
      noise * generator.standard_normal(len(losses))
    )
  return table


def _fit(table, num_bootstraps):
  settings = fitting.FitSettings(
    num_starts=32, num_bootstraps=num_bootstraps, bootstrap_further_starts=0
  )
  return [
    fitting.fit(
      forms.law('transfer', f'loss/{source}', planted.SOURCES),
      table,
      f'loss/{source}',
      settings,
    )
    for source in planted.SOURCES
  ]


def _true_regret(truth, make_fit, rates):
  fits = [make_fit(target, own) for target, own in truth.items()]
  settings = allocation.AllocationSettings(natural=rates)
  # What the best rates gain over these.
  return choosing.allocate(fits, **_LARGE, settings=settings).natural_gain


def _studied(seed, make_fit):
  """(expected regret as the laws have it, true regret) by arm, and before."""
  without = allocation.AllocationSettings(num_bootstraps=0)
  generator = np.random.default_rng(seed)
  truth = _truth(generator)
  rows = [
    (size, tokens, {source: 1.0})
    for size in (1e5, 4e5, 1.6e6)
    for tokens in (2e6, 8e6, 3.2e7)
    for source in planted.SOURCES
  ]
  rows += [
    (4e5, 8e6, dict.fromkeys(pair, 0.5))
    for pair in itertools.combinations(planted.SOURCES, 2)
  ]
  table = _run(truth, rows, generator)
  budget = 6 * 1.6e6 * 3.2e7  # of the largest run

  def regrets(table, max_runs=1):
    fits = _fit(table, num_bootstraps=100)
    found = choosing.allocate(fits, **_LARGE, settings=without)
    runs = design.candidates(
      {n: 6.0 * n for n in (100_000, 400_000, 1_600_000)},
      (2_000_000, 8_000_000, 32_000_000),
      design.mixtures(planted.SOURCES, found.rates, 12, seed),
    )
    planned = design.design(
      fits,
      found,
      runs,
      flop_budget=budget,
      settings=without,
      max_runs=max_runs,
      num_random=1,
    )
    expected = planned.regret_now if planned.free else 0.0
    true = _true_regret(truth, make_fit, found.rates)
    return (expected, true), planned.runs, runs

  before, designed, runs = regrets(table, max_runs=32)
  costs = np.array([run.flops for run in runs])
  drawn, _ = knowledge.choose_at_random(_Blind(), costs, budget, 32, seed)
  arms = {'before': before}
  for arm, plan in (
    ('designed', designed),
    ('random', [runs[index] for index in drawn]),
  ):
    new = [(run.num_params, run.num_tokens, run.rates) for run in plan]
    made = _run(truth, new, np.random.default_rng([seed, 1]), len(table))
    arms[arm] = regrets(pd.concat([table, made], ignore_index=True))[0]
  return arms


@pytest.mark.slow
def test_designed_runs_beat_random_ones_of_equal_cost(make_fit):
  """Over 40 simulated studies: laws fitted again with the new runs.

  What the refitted laws expect the allocation to lose, which tells two designs
  apart in every study, and what it does lose, whose mean needs many.
  """
  studies = [_studied(seed, make_fit) for seed in range(40)]
  means = {
    arm: np.mean([study[arm] for study in studies], axis=0)
    for arm in ('before', 'designed', 'random')
  }
  for arm, (expected, true) in means.items():
    print(f'{arm}: expected regret {expected:.2e}, true {true:.2e}')
  better = np.mean(
    [study['designed'][0] <= study['random'][0] for study in studies]
  )
  print(f'designed better by the expected regret in {better:.0%}')
  # In 13 studies with other seeds: .54 of the regret, better in every one.
  assert means['designed'][0] < 0.8 * means['random'][0]
  assert means['random'][0] < means['before'][0]
  assert better > 0.8


class _Blind:
  """Stands for knowledge where only the drawing is wanted."""

  def after(self, candidate):
    del candidate
    return self
