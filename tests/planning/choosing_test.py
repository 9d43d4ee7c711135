"""Objectives, natural shares and budgets against closed forms."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from codelaw import accounting
from codelaw import errors
from codelaw.laws import forms
from codelaw.planning import allocation
from codelaw.planning import choosing
from codelaw.planning import limits
from tests.planning import planted

_SETTINGS = allocation.AllocationSettings


def _token_term(B, rate, beta=0.3):
  return B * (rate * planted.SIZE['num_tokens']) ** -beta


def test_the_worst_loss_is_least_where_both_are_equal(make_fit):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  found = choosing.allocate(
    fits, **planted.SIZE, settings=_SETTINGS(objective='worst')
  )
  # B1 r^-b = B2 (1 - r)^-b.
  ratio = (300.0 / 900.0) ** (1 / 0.3)
  assert found.rates['code/c'] == pytest.approx(ratio / (1 + ratio), abs=1e-6)
  losses = [target.loss for target in found.targets.values()]
  assert losses[0] == pytest.approx(losses[1], abs=1e-6)
  assert found.objective == max(losses)
  assert found.optimality_residual < 1e-6
  # Multipliers make the weighted slopes equal: m1 B1 r1^-1.3 = m2 B2 r2^-1.3.
  slopes = [
    B * rate**-1.3
    for B, rate in zip((300.0, 900.0), found.rates.values(), strict=True)
  ]
  weights = [target.multiplier for target in found.targets.values()]
  assert weights[0] * slopes[0] == pytest.approx(
    weights[1] * slopes[1], rel=1e-3
  )
  assert sum(weights) == pytest.approx(1, abs=1e-9)


def test_the_worst_excess_is_least_where_both_are_equal(make_fit):
  fits = [
    make_fit(
      f'loss/{source}',
      planted.estimates(source, {other: 1e-9}, B=B, E=E),
    )
    for source, other, B, E in (
      ('code/c', 'code/java', 300.0, 0.5),
      ('code/java', 'code/c', 900.0, 3.0),
    )
  ]
  found = choosing.allocate(
    fits, **planted.SIZE, settings=_SETTINGS(objective='worst_excess')
  )
  # B1 (r^-b - 1) = B2 ((1 - r)^-b - 1), whatever the E are.
  expected = optimize.brentq(
    lambda r: 300 * (r**-0.3 - 1) - 900 * ((1 - r) ** -0.3 - 1), 0.01, 0.99
  )
  assert found.rates['code/c'] == pytest.approx(expected, abs=1e-6)
  for target in found.targets.values():
    assert target.loss - target.single_loss == pytest.approx(
      found.objective, abs=1e-6
    )
  # The worst loss is java's until c has next to nothing.
  worst = choosing.allocate(
    fits, **planted.SIZE, settings=_SETTINGS(objective='worst')
  )
  assert worst.rates['code/c'] < 0.01


def test_no_mixture_nearby_has_a_lower_worst_loss(make_fit):
  generator = np.random.default_rng(0)
  sources = [f'code/l{i}' for i in range(5)]
  fits = [
    make_fit(
      f'loss/{source}',
      planted.estimates(
        source,
        {other: float(generator.uniform(0.05, 0.6)) for other in sources},
        B=float(generator.uniform(200, 600)),
        E=float(generator.uniform(0.9, 1.1)),
      ),
    )
    for source in sources
  ]
  settings = _SETTINGS(objective='worst', floors={'code/l0': 0.1})
  found = choosing.allocate(fits, **planted.SIZE, settings=settings)
  assert found.optimality_residual < 1e-5
  rates = np.array(list(found.rates.values()))
  assert (
    np.array([t.multiplier for t in found.targets.values()]) > 0.01
  ).sum() > 1
  N, D = planted.SIZE.values()

  def worst(own):
    losses = []
    for place, fit in enumerate(fits):
      value = fit.estimates
      worth = [value.get(f'tau/{source}', 1.0) for source in sources]
      assert worth[place] == 1.0
      tokens = D * (own @ worth)
      losses.append(
        value['E']
        + value['A'] * N ** -value['alpha']
        + value['B'] * tokens ** -value['beta']
      )
    return max(losses)

  assert worst(rates) == pytest.approx(found.objective, abs=1e-9)
  for _ in range(200):
    other = 0.1 * np.eye(5)[0] + 0.9 * generator.dirichlet(np.ones(5))
    near = 0.95 * rates + 0.05 * other
    assert worst(near) >= found.objective - 1e-7


def test_a_worst_target_that_no_rates_relieve_is_named(make_fit):
  fits = [
    make_fit(f'loss/{source}', planted.estimates(source, {other: 1.0}, E=E))
    for source, other, E in (
      ('code/c', 'code/java', 0.5),
      ('code/java', 'code/c', 3.0),
    )
  ]
  found = choosing.allocate(
    fits, **planted.SIZE, settings=_SETTINGS(objective='worst')
  )
  assert found.targets['loss/code/c'].multiplier == pytest.approx(0, abs=1e-9)
  assert planted.has(found, 'loss/code/java is the worst target')
  assert planted.has(found, 'take the objective worst_excess')


def test_a_target_takes_all_the_weight(make_fit):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  found = choosing.allocate(
    fits, **planted.SIZE, settings=_SETTINGS(objective='target:code/java')
  )
  assert found.targets['loss/code/java'].weight == 1
  assert found.rates['code/java'] == pytest.approx(1, abs=1e-6)
  assert found.objective == found.targets['loss/code/java'].loss


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    ({'objective': 'best'}, 'There is no objective'),
    ({'objective': 'target:code/rust'}, 'code/rust'),
    ({'objective': 'target:code/c', 'weights': {'code/c': 1}}, 'weights too'),
    ({'natural': {'code/rust': 1}}, 'natural names code/rust'),
  ],
)
def test_what_has_no_meaning_is_an_error(make_fit, fields, message):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  with pytest.raises(errors.UserError, match=message):
    choosing.allocate(fits, **planted.SIZE, settings=_SETTINGS(**fields))


def test_the_score_of_measured_losses_is_the_objective(make_fit):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  for objective in ('mean', 'worst', 'worst_excess'):
    found = choosing.allocate(
      fits, **planted.SIZE, settings=_SETTINGS(objective=objective)
    )
    predicted = {name: t.loss for name, t in found.targets.items()}
    assert found.score(predicted) == pytest.approx(found.objective, abs=1e-12)
    uniform = {name: t.uniform_loss for name, t in found.targets.items()}
    assert found.score(uniform) == pytest.approx(
      found.uniform_objective, abs=1e-12
    )


def test_natural_shares_are_those_of_the_supply(make_fit):
  fits = planted.separate(
    make_fit, {'code/c': 300.0, 'code/java': 900.0}, spread=0.01
  )
  supply = {'code/c': 9e8, 'code/java': 1e8}
  found = choosing.allocate(fits, **planted.SIZE, supply=supply)
  natural = {s: share.natural_rate for s, share in found.sources.items()}
  assert natural == pytest.approx({'code/c': 0.9, 'code/java': 0.1})
  expected = np.mean([_token_term(300.0, 0.9), _token_term(900.0, 0.1)])
  constant = 1 + 30 * 1e6**-0.4
  assert found.natural_objective == pytest.approx(expected + constant)
  assert found.natural_gain == pytest.approx(
    found.natural_objective - found.objective
  )
  assert 0 < found.natural_gain_low < found.natural_gain
  assert found.natural_gain < found.natural_gain_high
  given = choosing.allocate(
    fits,
    **planted.SIZE,
    supply=supply,
    settings=_SETTINGS(natural={'code/c': 3, 'code/java': 3}),
  )
  assert given.natural_gain == pytest.approx(given.gain, abs=1e-12)
  assert choosing.allocate(fits, **planted.SIZE).natural_gain is None


def test_a_gain_over_natural_shares_within_noise_says_so(make_fit):
  fits = planted.separate(
    make_fit, {'code/c': 400.0, 'code/java': 440.0}, spread=0.1
  )
  natural = {'code/c': 0.49, 'code/java': 0.51}
  found = choosing.allocate(
    fits, **planted.SIZE, settings=_SETTINGS(natural=natural)
  )
  assert found.natural_gain_low < 0 < found.natural_gain
  assert planted.has(found, 'over natural shares')
  same = choosing.allocate(
    fits, **planted.SIZE, settings=_SETTINGS(natural=found.rates)
  )
  assert planted.has(same, 'no gain over the natural shares')


def test_the_best_size_grows_with_the_budget_as_the_closed_form(make_fit):
  # A alpha N^-alpha = B' beta D^-beta with D = C / 6N: N ~ C^(b / (a + b)).
  fits = planted.separate(
    make_fit, {'code/c': 400.0, 'code/java': 400.0}, spread=0.02
  )
  found = [
    choosing.allocate_budget(
      fits, flop_budget=budget, settings=_SETTINGS(num_bootstraps=20)
    )
    for budget in (1e15, 1e17)
  ]
  ratio = 30.0 * 0.4 / (400.0 * 2**0.3 * 0.3)
  for budget, one in zip((1e15, 1e17), found, strict=True):
    expected = (ratio * (budget / 6) ** 0.3) ** (1 / 0.7)
    assert one.num_params == pytest.approx(expected, rel=1e-4)
    assert one.optimality_residual < 1e-5
    # Half the loss that falls with N and D changes by 1% for 5% of N: a band.
    assert one.num_params_low < one.num_params < one.num_params_high
    assert 6 * one.num_params_low * one.num_tokens_high == pytest.approx(
      budget, rel=0.02
    )
  assert found[1].num_params / found[0].num_params == pytest.approx(
    100 ** (0.3 / 0.7), rel=1e-3
  )


def test_sizes_are_counted_as_the_runs_are(make_fit):
  fits = planted.separate(make_fit, {'code/c': 400.0, 'code/java': 400.0})
  shapes = [
    accounting.ModelShape(512, width, 2, 1, 16, 3 * width)
    for width in (16, 64, 256)
  ]
  sizes = {
    accounting.num_params(s): accounting.train_flops_per_token(s, 128)
    for s in shapes
  }
  found = choosing.allocate_budget(fits, flop_budget=1e14, sizes=sizes)
  assert found.num_params in sizes
  assert found.num_tokens == round(1e14 / sizes[found.num_params])
  assert found.flops_convention == accounting.FLOPS_CONVENTION


def test_the_worst_excess_of_a_budget_counts_from_each_best_single_run(
  make_fit,
):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  found = choosing.allocate_budget(
    fits, flop_budget=1e15, settings=_SETTINGS(objective='worst_excess')
  )
  for fit in fits:
    B = fit.estimates['B']
    N = (30.0 * 0.4 / (B * 0.3) * (1e15 / 6) ** 0.3) ** (1 / 0.7)
    best = 1 + 30 * N**-0.4 + B * (1e15 / 6 / N) ** -0.3
    # The least of 129 sizes a sixth apart: off by the square of that.
    assert found.targets[fit.target].single_loss == pytest.approx(
      best, rel=2e-3
    )


def test_supply_and_worst_loss_bound_a_budget_together(make_fit):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  free = choosing.allocate_budget(fits, flop_budget=1e15)
  supply = {'code/java': free.num_tokens / 40}
  for objective in ('mean', 'worst'):
    found = choosing.allocate_budget(
      fits,
      flop_budget=1e15,
      supply=supply,
      settings=_SETTINGS(objective=objective),
    )
    drawn = found.sources['code/java'].num_tokens
    assert drawn <= 4 * limits.SUPPLY_USED * supply['code/java'] * (1 + 1e-8)
    assert found.optimality_residual < 1e-4


def _equation_6(make_fit, monkeypatch):
  """arXiv:2512.13472 Eq. 6 with exponents and L_inf linear in the shares."""
  sources = ('code/c-sharp', 'code/python', 'code/rust')
  table = {'alpha': (0.32, 0.22, 0.28), 'beta': (0.75, 0.69, 0.80)}
  limit = np.array([0.20, 0.57, 0.40])

  def formula(parameters, columns):
    A, B = parameters
    N, D = columns[:2] / 1e9
    alpha, beta, rest = (
      jnp.array(own) @ columns[2:]
      for own in (table['alpha'], table['beta'], limit)
    )
    return A * N**-alpha + B * D**-beta + rest

  law = forms.Law(
    'equation_6',
    (
      forms.Parameter('A', (0.1, 1.0), (1e-3, 1e2)),
      forms.Parameter('B', (0.1, 1.0), (1e-3, 1e2)),
    ),
    ('num_params', 'num_tokens', *(f'share/{s}' for s in sources)),
    formula,
    lambda scaled, scales: dict(scaled),
  )
  monkeypatch.setattr(forms, 'law_of', lambda fit: law)
  return make_fit('loss/code/python', {'A': 0.3, 'B': 1.0}, law='equation_6')


def test_equation_6_of_paper_a_ends_in_a_corner_and_says_why(
  make_fit, monkeypatch
):
  fit = _equation_6(make_fit, monkeypatch)
  found = choosing.allocate([fit], num_params=3e9, num_tokens=1e12)
  assert found.rates['code/c-sharp'] == pytest.approx(1, abs=1e-9)
  assert planted.has(found, 'nearly linear in the rates')
  assert planted.has(found, 'corner solution')
  # With limits the corner is one of the limits.
  settings = _SETTINGS(ceilings={'code/c-sharp': 0.3, 'code/rust': 0.3})
  held = choosing.allocate(
    [fit], num_params=3e9, num_tokens=1e12, settings=settings
  )
  assert held.rates == pytest.approx(
    {'code/c-sharp': 0.3, 'code/python': 0.4, 'code/rust': 0.3}, abs=1e-6
  )
  assert planted.has(held, 'nearly linear')


def test_old_allocations_are_still_read(make_fit):
  fits = planted.separate(make_fit, {'code/c': 300.0, 'code/java': 900.0})
  found = choosing.allocate(fits, **planted.SIZE)
  content = allocation.to_json(found)
  defaults = {
    field.name
    for field in dataclasses.fields(allocation.Allocation)
    if field.default is not dataclasses.MISSING
    or field.default_factory is not dataclasses.MISSING
  }
  for name in defaults:
    del content[name]
  assert allocation.from_json(content).rates == found.rates
