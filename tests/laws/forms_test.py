import dataclasses

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from codelaw import errors
from codelaw.laws import forms
from codelaw.laws import formulas
from codelaw.laws import published
from codelaw.laws import results
from codelaw.laws import solver

SOURCES = ('code/go', 'code/java', 'markup')
TARGET = 'loss/code/java'


def _columns(law, count, seed=0):
  rng = np.random.default_rng(seed)
  shares = rng.dirichlet(np.ones(len(SOURCES)), count).T
  columns = {
    'num_params': rng.uniform(0.3, 3.0, count),
    'num_tokens': rng.uniform(0.3, 3.0, count),
    'unique_tokens': rng.uniform(0.3, 3.0, count),
    **{f'share/{s}': row for s, row in zip(SOURCES, shares, strict=True)},
  }
  return {
    name: columns[name] * (1e9 if name in law.unscaled else 1)
    for name in law.columns
  }


def _estimates(law, seed=0):
  rng = np.random.default_rng(seed)
  return {p.name: float(rng.uniform(*p.start)) for p in law.parameter_table}


@pytest.mark.parametrize('name', forms.NAMES)
def test_gradient_agrees_with_finite_differences(name):
  law = forms.law(name, TARGET, SOURCES)
  columns, estimates = _columns(law, 5), _estimates(law)
  step = 1e-6
  with solver.float64():
    predict = jax.jit(lambda e: law.predict(e, columns))
    derivative = jax.jit(jax.jacfwd(predict))(estimates)
    for parameter, value in estimates.items():
      ahead = predict({**estimates, parameter: value + step})
      behind = predict({**estimates, parameter: value - step})
      np.testing.assert_allclose(
        derivative[parameter],
        (ahead - behind) / (2 * step),
        rtol=1e-6,  # The central difference's own error is near 1e-10 / step.
        atol=1e-8,
      )


@pytest.mark.parametrize('name', forms.NAMES)
def test_unscaled_estimates_predict_raw_columns(name):
  law = forms.law(name, TARGET, SOURCES)
  columns, estimates = _columns(law, 4), _estimates(law)
  scales = {'num_params': 3e8, 'num_tokens': 7e9, 'loss': 2.5}
  raw = {
    name: column * scales.get(law.scale_of(name), 1)
    for name, column in columns.items()
  }
  with solver.float64():
    np.testing.assert_allclose(
      law.predict(law.unscale(estimates, scales), raw),
      2.5 * law.predict(estimates, columns),
      rtol=1e-12,
    )


@settings(max_examples=20, deadline=None)
@given(
  st.floats(0.1, 1.5), st.floats(0.1, 1.5), st.floats(0, 1), st.floats(0, 2)
)
def test_transfer_reduces_to_chinchilla_with_effective_tokens(a, b, share, tau):
  estimates = {'E': 0.5, 'A': 1.0, 'B': 2.0, 'alpha': a, 'beta': b}
  law = forms.law('transfer', 'loss/x', ['x', 'y'])
  with solver.float64():
    mixed = law.predict(
      {**estimates, 'tau/y': tau},
      {
        'num_params': 2.0,
        'num_tokens': 3.0,
        'share/x': 0.1 + 0.9 * share,
        'share/y': 0.9 - 0.9 * share,
      },
    )
    effective = 3.0 * (0.1 + 0.9 * share + tau * (0.9 - 0.9 * share))
    plain = forms.law('chinchilla').predict(
      estimates, {'num_params': 2.0, 'num_tokens': effective}
    )
  np.testing.assert_allclose(mixed, plain, rtol=1e-12)


@pytest.mark.parametrize(
  'name',
  [name for name in forms.NAMES if name not in ('exponential', 'bimix')],
)
def test_loss_falls_with_size_and_tokens(name):
  law = forms.law(name, TARGET, SOURCES)
  columns, estimates = _columns(law, 6), _estimates(law)
  with solver.float64():
    loss = law.predict(estimates, columns)
    for column in ('num_params', 'num_tokens'):
      more = {**columns, column: columns[column] * 1.5}
      change = law.predict(estimates, more) - loss
      # A size far beyond what the data can teach gains nothing more.
      assert jnp.all(change <= 0)
      assert jnp.any(change < 0)


def test_limits():
  huge = {'num_params': 1e300, 'num_tokens': 1e300}
  estimates = {'E': 0.7, 'A': 1.0, 'B': 2.0, 'alpha': 0.3, 'beta': 0.3}
  kaplan = {'N_c': 5.0, 'D_c': 3.0, 'alpha': 0.3, 'beta': 0.5}
  with solver.float64():
    chinchilla = forms.law('chinchilla').predict(estimates, huge)
    np.testing.assert_allclose(chinchilla, 0.7, rtol=1e-12)
    only_size = forms.law('kaplan').predict(
      kaplan, {'num_params': 2.0, 'num_tokens': 1e300}
    )
    np.testing.assert_allclose(only_size, 2.5**0.3, rtol=1e-12)


def test_limits_of_repeats_and_excess_parameters():
  estimates = {'E': 0.7, 'A': 1.0, 'B': 2.0, 'alpha': 0.5, 'beta': 0.5}
  law = forms.law('data_constrained')
  values = {**estimates, 'R_N': 3.0, 'R_D': 15.0}
  plain = forms.law('chinchilla')

  def both(N, D, U):
    columns = {'num_params': N, 'num_tokens': D, 'unique_tokens': U}
    return float(law.predict(values, columns)[0]), float(
      plain.predict(estimates, columns)[0]
    )

  with solver.float64():
    # Here N* = (alpha A / (beta B))^2 U = U / 4.
    once, expected = both(2.0, 9.0, 9.0)
    assert once == pytest.approx(expected, rel=1e-12)
    assert both(2.0, 9.0, 90.0)[0] == pytest.approx(expected, rel=1e-12)
    repeated, more = both(2.0, 18.0, 9.0)
    assert more < repeated < expected
    excess, more = both(4.0, 9.0, 9.0)
    assert more < excess < expected
    forever, _ = both(1e300, 1e300, 8.0)
    # A size of 2 (1 + R_N) and tokens of 8 (1 + R_D), whatever is spent.
    bare = {'num_params': 8.0, 'num_tokens': 128.0}
    assert forever == pytest.approx(
      float(plain.predict(estimates, bare)[0]), rel=1e-12
    )
    alone = {k: v for k, v in values.items() if k != 'R_N'}
    only_data = forms.law('data_repeated').predict(
      alone, {'num_params': 4.0, 'num_tokens': 9.0, 'unique_tokens': 9.0}
    )
    assert float(only_data[0]) == pytest.approx(both(4.0, 9.0, 9.0)[1])


def test_joint_is_additive_where_sources_are_alike():
  additive = forms.law('additive', TARGET, SOURCES)
  law = forms.law('joint', TARGET, SOURCES)
  estimates, columns = _estimates(additive), _columns(additive, 4)
  wide = {
    name: estimates.get(name.partition('/')[0]) for name in law.parameters
  }
  wide |= {n: estimates[n] for n in law.parameters if n in estimates}
  with solver.float64():
    np.testing.assert_allclose(
      law.predict({**wide, 'q_A': 0.7, 'q_B': -2.0}, columns),
      additive.predict(estimates, columns),
      rtol=1e-12,
    )


@pytest.mark.parametrize('gamma', [0.4, 1.0, 3.0])
def test_joint_is_the_published_formula(gamma):
  """arXiv:2507.09404: A(h) = (sum_i C_i h_i)^gamma, with q = 1 / gamma."""
  law = forms.law('joint', 'loss', ['x', 'y'])
  rng = np.random.default_rng(0)
  C = {name: rng.uniform(0.5, 2.0, 2) for name in 'CAB'}
  exponents = rng.uniform(0.3, 1.0, 2)
  shares, N, D = np.array([0.3, 0.7]), 1.7, 2.9
  expected = (
    0.4
    + 1 / np.sum(C['C'] * shares**exponents)
    + np.dot(C['A'], shares) ** gamma / N**0.3
    + np.dot(C['B'], shares) ** gamma / D**0.6
  )
  estimates = {'E': 0.4, 'alpha': 0.3, 'beta': 0.6}
  for i, source in enumerate('xy'):
    estimates[f'C/{source}'] = C['C'][i]
    estimates[f'gamma/{source}'] = exponents[i]
    estimates[f'A/{source}'] = C['A'][i] ** gamma
    estimates[f'B/{source}'] = C['B'][i] ** gamma
  estimates |= {'q_A': 1 / gamma, 'q_B': 1 / gamma}
  columns = {'num_params': N, 'num_tokens': D, 'share/x': 0.3, 'share/y': 0.7}
  with solver.float64():
    found = law.predict(estimates, columns)
  np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_power_mean_is_smooth_through_the_geometric_mean():
  values, weights = np.array([0.2, 3.0, 50.0]), np.array([0.5, 0.3, 0.2])

  def mean(q):
    return formulas.power_mean(values, weights[:, None], q)[0]

  with solver.float64():
    at_zero = float(np.exp(np.log(values) @ weights))
    assert float(mean(0.0)) == pytest.approx(at_zero, rel=1e-14)
    inside, outside = (float(jax.grad(mean)(q)) for q in (0.9e-5, 1.1e-5))
    # The series leaves out q times the third moment of the logarithms.
    assert inside == pytest.approx(outside, rel=1e-4)
    assert float(mean(0.9e-5)) == pytest.approx(float(mean(1.1e-5)), rel=1e-5)


def test_paper_a_is_chinchilla_alone_and_linear_with_endless_data():
  law = forms.law('paper_a', 'loss', ['x', 'y'])
  estimates = _estimates(law)
  size = {'num_params': 2e9, 'num_tokens': 3e9}
  with solver.float64():
    alone = law.predict(estimates, {**size, 'share/x': 1.0, 'share/y': 0.0})
    plain = forms.law('chinchilla').predict(
      {
        **{name: estimates[name] for name in 'AB'},
        **{name: estimates[f'{name}/x'] for name in ('E', 'alpha', 'beta')},
      },
      {'num_params': 2.0, 'num_tokens': 3.0},
    )
    np.testing.assert_allclose(alone, plain, rtol=1e-12)
    r = np.linspace(0, 1, 5)
    endless = law.predict(
      {**estimates, 'A': 1e-30, 'B': 1e-30},
      {**size, 'share/x': r, 'share/y': 1 - r},
    )
  limits = [estimates['E/y'], estimates['E/x']]
  np.testing.assert_allclose(endless, np.interp(r, [0, 1], limits), rtol=1e-12)


def test_paper_a_with_a_given_table_agrees_with_fitted_synergies():
  tau = {('x', 'y'): 0.2, ('y', 'x'): 0.1, ('x', 'z'): -0.1}
  given = published.paper_a_given('given', tau)('loss', ['x', 'y', 'z'])
  law = forms.law('paper_a', 'loss', ['x', 'y', 'z'])
  estimates = _estimates(law)
  symmetric = {'tau/x+y': 0.3 * 2.0, 'tau/x+z': -0.1 * 2.0, 'tau/y+z': 0.0}
  columns = {
    'num_params': 1e9, 'num_tokens': 2e9,
    'share/x': 0.2, 'share/y': 0.5, 'share/z': 0.3,
  }  # fmt: skip
  with solver.float64():
    np.testing.assert_allclose(
      given.predict({**estimates, 'gamma': 2.0}, columns),
      law.predict({**estimates, **symmetric}, columns),
      rtol=1e-12,
    )


@pytest.mark.parametrize(
  'name', ['additive', 'joint', 'exponential', 'paper_a']
)
def test_any_target_may_depend_on_all_shares(name):
  law = forms.law(name, 'loss/arc', ['b', 'a', 'c'])
  assert law.shares == ('share/a', 'share/b', 'share/c')
  assert law.sources == ('a', 'b', 'c')


def test_no_tokens_have_no_finite_loss():
  law = forms.law('transfer', 'loss/x', ['x', 'y'])
  columns = {'num_params': 1.0, 'num_tokens': 1.0, 'share/x': 0, 'share/y': 0}
  assert law.predict(_estimates(law), columns)[0] == np.inf


def test_additive_has_a_finite_gradient_at_share_zero():
  law = forms.law('additive', 'loss/x', ['x', 'y'])
  columns = {'num_params': 1.0, 'num_tokens': 1.0, 'share/x': 1, 'share/y': 0}
  gradient = jax.jit(jax.grad(lambda e: law.predict(e, columns)[0]))(
    _estimates(law)
  )
  assert all(np.isfinite(value) for value in gradient.values())
  assert gradient['gamma/y'] == 0


@pytest.mark.parametrize('name', forms.NAMES)
def test_law_of_a_fit_is_its_law(name):
  law = forms.law(name, TARGET, SOURCES)
  fields = {f.name: None for f in dataclasses.fields(results.Fit)}
  known = {'law': name, 'target': TARGET, 'estimates': _estimates(law)}
  named = {**known, 'sources': law.sources, 'law_module': law.module}
  assert forms.law_of(results.Fit(**{**fields, **named})) == law
  if name in ('chinchilla', 'transfer', 'additive', 'exponential'):
    older = {**known, 'sources': (), 'law_module': ''}
    assert forms.law_of(results.Fit(**{**fields, **older})) == law


def test_mistakes_are_named():
  with pytest.raises(errors.UserError, match="no law 'power'.*chinchilla"):
    forms.law('power')
  with pytest.raises(errors.UserError, match='loss/markup .*the sources x, y'):
    forms.law('transfer', 'loss/markup', ['x', 'y'])
  for name in ('additive', 'joint', 'exponential', 'paper_a'):
    with pytest.raises(errors.UserError, match='several sources; .* x. Give'):
      forms.law(name, 'loss/x', ['x'])
  with pytest.raises(errors.UserError, match='its own source'):
    forms.law('bimix', 'loss/arc', ['x', 'y'])
  law = forms.law('chinchilla')
  with pytest.raises(errors.UserError, match='parameter E, A, B, alpha, beta'):
    law.predict({}, {'num_params': 1.0, 'num_tokens': 1.0})
  with pytest.raises(errors.UserError, match='column num_tokens'):
    law.predict(_estimates(law), {'num_params': 1.0})


@pytest.mark.parametrize('name', forms.NAMES)
@pytest.mark.parametrize('side', [0, 1])
def test_estimates_at_a_bound_are_finite_numbers(name, side):
  # JSON has no infinity, and a fit must be written whatever it came to.
  law = forms.law(name, 'loss/code/python', ['code/java', 'code/python'])
  scales = {'num_params': 1e10, 'num_tokens': 1e12, 'loss': 8.0}
  scaled = {p.name: p.bounds[side] for p in law.parameter_table}
  raw = law.unscale(scaled, scales)
  assert np.isfinite(list(raw.values())).all()
