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
    **{f'share/{s}': row for s, row in zip(SOURCES, shares, strict=True)},
  }
  return {name: columns[name] for name in law.columns}


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
  raw = {n: column * scales.get(n, 1) for n, column in columns.items()}
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


@pytest.mark.parametrize('name', ['chinchilla', 'kaplan', 'transfer'])
def test_loss_falls_with_size_and_tokens(name):
  law = forms.law(name, TARGET, SOURCES)
  columns, estimates = _columns(law, 6), _estimates(law)
  with solver.float64():
    loss = law.predict(estimates, columns)
    for column in ('num_params', 'num_tokens'):
      more = {**columns, column: columns[column] * 1.5}
      assert jnp.all(law.predict(estimates, more) < loss)


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
  fit = results.Fit(
    **{**fields, 'law': name, 'target': TARGET, 'estimates': _estimates(law)}
  )
  assert forms.law_of(fit) == law


def test_mistakes_are_named():
  with pytest.raises(errors.UserError, match="no law 'power'.*chinchilla"):
    forms.law('power')
  with pytest.raises(errors.UserError, match='loss/markup .*the sources x, y'):
    forms.law('transfer', 'loss/markup', ['x', 'y'])
  with pytest.raises(errors.UserError, match='shares'):
    forms.law('additive', 'loss/x', ['x'])
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
