"""Allocations against closed forms, limits, and what they say in words."""

import json

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from codelaw import errors
from codelaw.planning import allocation
from codelaw.planning import choosing
from codelaw.planning import limits
from tests.planning import planted


def _settings(**fields):
  return allocation.AllocationSettings(**fields)


def test_symmetric_sources_get_equal_rates(make_fit):
  fits = planted.separate(make_fit, dict.fromkeys(planted.SOURCES, 400.0))
  found = choosing.allocate(fits, **planted.SIZE)
  assert list(found.rates.values()) == pytest.approx([1 / 3] * 3, abs=1e-5)
  assert found.num_starts_at_optimum == found.num_starts
  assert planted.has(found, 'no gain over uniform')


def test_two_sources_meet_the_closed_form(make_fit):
  # With no transfer, min w1 B1 r1^-b + w2 B2 r2^-b has r_i in proportion to
  # (w_i B_i)^(1 / (1 + b)).
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  found = choosing.allocate(
    fits,
    **planted.SIZE,
    settings=_settings(weights={'code/c': 1, 'code/java': 2}),
  )
  parts = np.array([1 * 300.0, 2 * 900.0]) ** (1 / 1.3)
  assert list(found.rates.values()) == pytest.approx(
    parts / parts.sum(), abs=1e-5
  )
  assert found.optimality_residual < 1e-5
  assert found.gain > 0
  assert found.gain == pytest.approx(
    found.uniform_objective - found.objective, abs=1e-12
  )
  weighted = sum(t.weight * t.loss for t in found.targets.values())
  assert found.objective == pytest.approx(weighted, abs=1e-12)


def test_a_source_that_helps_everything_gets_everything(make_fit):
  fits = [
    make_fit(
      f'loss/{source}',
      planted.estimates(source, {s: 0.01 for s in planted.SOURCES}),
    )
    for source in planted.SOURCES
  ]
  fits = [
    make_fit(
      fit.target,
      {**fit.estimates, 'tau/code/c': 3.0}
      if 'tau/code/c' in fit.estimates
      else dict(fit.estimates),
    )
    for fit in fits
  ]
  found = choosing.allocate(fits, **planted.SIZE)
  assert found.rates['code/c'] == pytest.approx(1, abs=1e-9)
  assert found.rates['code/java'] == 0
  assert planted.has(found, 'corner solution')
  assert planted.has(found, 'code/java gets nothing')


def test_a_linear_law_ends_in_a_corner_and_says_so(make_fit):
  # c + k exp(t r) with t so small that the exponential is its tangent.
  fits = [
    make_fit(
      f'loss/{source}',
      {
        'c': 1.0,
        'k': 1e6,
        **{f't/{s}': slope * 1e-9 for s in planted.SOURCES if s != source},
      },
      law='exponential',
    )
    for source, slope in zip(planted.SOURCES, (3.0, 2.0, 1.0), strict=True)
  ]
  found = choosing.allocate(fits, **planted.SIZE)
  assert max(found.rates.values()) == pytest.approx(1, abs=1e-9)
  assert planted.has(found, 'linear in the rates')
  assert planted.has(found, 'corner solution')


def test_a_curved_law_is_not_called_linear(make_fit):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  found = choosing.allocate(fits, **planted.SIZE)
  assert not planted.has(found, 'linear')
  assert not planted.has(found, 'corner')


def test_the_best_of_several_optima_is_found(make_fit):
  # 1 / sum C r^2 is lowest at either corner; C decides which is the better.
  estimates = {'E': 1.0, 'A': 9.0, 'B': 9.0, 'alpha': 0.4, 'beta': 0.4}
  estimates |= {'C/code/c': 1.0, 'C/code/java': 2.0}
  estimates |= {'gamma/code/c': 2.0, 'gamma/code/java': 2.0}
  found = choosing.allocate(
    [make_fit('loss/code/c', estimates, law='additive')], **planted.SIZE
  )
  assert found.rates == pytest.approx({'code/c': 0, 'code/java': 1}, abs=1e-9)
  assert 0 < found.num_starts_at_optimum < found.num_starts


@settings(deadline=None, max_examples=6)
@given(data=st.data())
def test_limits_are_kept_and_conditions_hold(make_fit, data):
  draw = lambda low, high: data.draw(st.floats(low, high))
  fits = planted.separate(
    make_fit, {s: draw(50, 5000) for s in planted.SOURCES}
  )
  floors = {s: draw(0, 0.3) for s in planted.SOURCES}
  ceilings = {s: draw(0.35, 1.0) for s in planted.SOURCES}
  found = choosing.allocate(
    fits, **planted.SIZE, settings=_settings(floors=floors, ceilings=ceilings)
  )
  for source, rate in found.rates.items():
    assert floors[source] - 1e-12 <= rate <= ceilings[source] + 1e-12
  assert sum(found.rates.values()) == pytest.approx(1, abs=1e-12)
  assert found.optimality_residual < 1e-4
  assert found.gain >= -1e-9


def test_supply_times_epochs_bounds_a_rate(make_fit):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  found = choosing.allocate(
    fits,
    **planted.SIZE,
    supply={'code/java': 1e7},
    settings=_settings(max_epochs=2),
  )
  # 1e7 tokens twice are 0.2 of 1e8; a hundredth of them stays unused.
  assert found.rates['code/java'] == pytest.approx(0.198)
  assert found.sources['code/java'].epochs == pytest.approx(
    2 * limits.SUPPLY_USED
  )
  assert found.sources['code/c'].epochs is None
  assert planted.has(found, 'more data of code/java would lower the loss')


def test_a_strong_prior_is_met(make_fit):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  prior = {'code/c': 0.8, 'code/java': 0.2}
  found = choosing.allocate(
    fits, **planted.SIZE, settings=_settings(prior=prior, prior_strength=1e4)
  )
  assert found.rates == pytest.approx(prior, abs=1e-3)
  assert found.gain < 0  # The pull cost something, and the gain says it.


def test_the_band_holds_the_estimate_and_narrows_with_the_spread(make_fit):
  B_of = {'code/c': 300.0, 'code/java': 900.0}
  width = {}
  for spread in (0.01, 0.03):
    fits = [
      make_fit(fit.target, dict(fit.estimates), spread=spread, seed=seed)
      for seed, fit in enumerate(planted.separate(make_fit, B_of))
    ]
    found = choosing.allocate(fits, **planted.SIZE)
    share = found.sources['code/c']
    assert share.low < share.rate < share.high
    loss = found.targets['loss/code/c']
    assert loss.low < loss.loss < loss.high
    assert 0 < found.gain_low < found.gain < found.gain_high
    width[spread] = share.high - share.low
  assert width[0.01] < width[0.03]


def test_a_gain_within_noise_says_so(make_fit):
  # Nearly symmetric: the point estimate leans, the bootstrap does not agree.
  fits = [
    make_fit(
      f'loss/{source}',
      planted.estimates(source, {'code/c': 1e-9, 'code/java': 1e-9}, B=B),
      spread=0.1,
      seed=seed,
    )
    for seed, (source, B) in enumerate(
      {'code/c': 400.0, 'code/java': 440.0}.items()
    )
  ]
  found = choosing.allocate(fits, **planted.SIZE)
  assert found.gain > 0 > found.gain_low
  assert planted.has(found, 'within noise')


def test_no_bootstrap_no_interval(make_fit):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  found = choosing.allocate(fits, **planted.SIZE)
  assert found.gain_low is found.sources['code/c'].low is None
  assert planted.has(found, 'has no interval')


def test_extrapolation_is_said(make_fit):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  ranges = {
    'num_params': (1e4, 5e5),
    'num_tokens': (1e6, 1e9),
    'share/code/c': (0.4, 1.0),
  }
  found = choosing.allocate(fits, **planted.SIZE, ranges=ranges)
  assert planted.has(found, '1,000,000 parameters are 2 times the most')
  assert not planted.has(found, 'tokens are')
  assert planted.has(found, 'The rate of code/c')


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    ({'floors': {'code/c': 0.7, 'code/java': 0.7}}, 'floors sum to 1.4'),
    ({'ceilings': {'code/c': 0.3, 'code/java': 0.3}}, 'sum to 0.6'),
    ({'floors': {'code/c': 0.5}, 'ceilings': {'code/c': 0.2}}, 'its ceiling'),
    ({'floors': {'code/rust': 0.5}}, 'code/rust'),
    ({'floors': {'code/c': -0.5}}, 'between 0 and 1'),
    ({'ceilings': {'code/c': float('nan')}}, 'between 0 and 1'),
    ({'weights': {'code/rust': 1}}, 'code/rust'),
    ({'weights': {'code/c': 0}}, 'not all be 0'),
    ({'weights': {'code/c': -1, 'code/java': 2}}, 'at least 0'),
    ({'max_epochs': 0}, 'max_epochs'),
    ({'prior_strength': -1}, 'prior_strength'),
  ],
)
def test_what_cannot_be_met_is_an_error(make_fit, fields, message):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  with pytest.raises(errors.UserError, match=message):
    choosing.allocate(fits, **planted.SIZE, settings=_settings(**fields))


def test_too_little_supply_is_an_error_that_says_how_much(make_fit):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  with pytest.raises(errors.UserError, match='fewer tokens'):
    choosing.allocate(
      fits, **planted.SIZE, supply={'code/c': 1e6, 'code/java': 1e6}
    )


def test_a_law_without_shares_cannot_allocate(make_fit):
  fit = make_fit(
    'loss/code/c',
    {'E': 1.0, 'A': 1.0, 'B': 1.0, 'alpha': 0.3, 'beta': 0.3},
    law='chinchilla',
  )
  with pytest.raises(errors.UserError, match='mixture law'):
    choosing.allocate([fit], **planted.SIZE)


def test_the_first_mixture_law_of_a_target_is_used(make_fit):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  later = planted.separate(make_fit, {'code/c': 3e6, 'code/java': 1.0})
  first = choosing.allocate(fits, **planted.SIZE)
  assert choosing.allocate([*fits, *later], **planted.SIZE) == first


def test_a_budget_is_split_by_the_closed_form(make_fit):
  # One stream, so D = C / 6N: A alpha N^-alpha = B beta D^-beta.
  fits = planted.separate(make_fit, {'code/c': 400.0, 'code/java': 400.0})
  budget = 1e15
  found = choosing.allocate_budget(fits, flop_budget=budget)
  assert 6 * found.num_params * found.num_tokens == pytest.approx(
    budget, rel=1e-4
  )
  # B r^-beta with r = 1/2 for either source.
  ratio = 30.0 * 0.4 / (400.0 * 2**0.3 * 0.3)
  expected = (ratio * (budget / 6) ** 0.3) ** (1 / 0.7)
  assert found.num_params == pytest.approx(expected, rel=2e-3)
  assert found.flop_budget == budget


def test_a_budget_over_given_sizes_takes_the_best_of_them(make_fit):
  fits = planted.separate(make_fit, {'code/c': 400.0, 'code/java': 400.0})
  free = choosing.allocate_budget(fits, flop_budget=1e15)
  near = round(free.num_params * 1.05)
  sizes = {size: 6.0 * size for size in (near // 20, near, near * 20)}
  found = choosing.allocate_budget(fits, flop_budget=1e15, sizes=sizes)
  assert found.num_params == near
  assert found.objective >= free.objective


def test_supply_bounds_the_tokens_of_a_budget(make_fit):
  fits = planted.separate(make_fit, {'code/c': 400.0, 'code/java': 400.0})
  free = choosing.allocate_budget(fits, flop_budget=1e15)
  supply = dict.fromkeys(('code/c', 'code/java'), free.num_tokens / 40)
  found = choosing.allocate_budget(fits, flop_budget=1e15, supply=supply)
  most = 4 * limits.SUPPLY_USED * sum(supply.values())
  assert found.num_tokens <= most
  assert found.num_tokens == pytest.approx(most, rel=2e-3)
  assert found.num_params > free.num_params


def test_a_law_without_size_cannot_split_a_budget(make_fit):
  fit = make_fit(
    'loss/code/c', {'c': 1.0, 'k': 1.0, 't/code/java': 1.0}, law='exponential'
  )
  with pytest.raises(errors.UserError, match='does not depend'):
    choosing.allocate_budget([fit], flop_budget=1e15)


def test_json_comes_back_equal(make_fit):
  fits = planted.separate(
    make_fit, {'code/c': 300.0, 'code/java': 900.0}, spread=0.02
  )
  found = choosing.allocate(fits, **planted.SIZE)
  content = json.loads(json.dumps(allocation.to_json(found)))
  assert allocation.from_json(content) == found


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-2, 2), min_size=3, max_size=3))
def test_projection_is_feasible_and_optimal(point):
  bounds = limits.build(
    planted.SOURCES,
    num_tokens=1.0,
    floors={'code/c': 0.1},
    ceilings={'code/java': 0.5},
    supply={},
    max_epochs=1,
  )
  found = bounds.project(np.array(point))
  assert found.sum() == pytest.approx(1, abs=1e-9)
  assert (found >= bounds.lower).all()
  assert (found <= bounds.upper).all()
  # No feasible point is nearer: try the corners and the centre.
  distance = np.linalg.norm(found - point)
  for other in ([0.1, 0.5, 0.4], [0.1, 0.0, 0.9], [1.0, 0.0, 0.0]):
    assert distance <= np.linalg.norm(np.subtract(other, point)) + 1e-9
