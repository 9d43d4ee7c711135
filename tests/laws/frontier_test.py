"""Compute-optimal sizes against their closed form."""

import numpy as np
import pytest

from codelaw import errors
from codelaw.laws import frontier

ESTIMATES = {'E': 1.7, 'A': 400.0, 'B': 410.0, 'alpha': 0.34, 'beta': 0.28}
COMPUTE = np.geomspace(1e18, 1e24, 7)
SIZES = (1e5, 1e14)


def closed_form(compute, E, A, B, alpha, beta):
  """N_opt = G (C / 6)^(beta / (alpha + beta)), arXiv:2203.15556 Eq. 4."""
  G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
  return G * (compute / 6) ** (beta / (alpha + beta))


def test_the_search_finds_the_closed_form(make_fit):
  fit = make_fit('loss', ESTIMATES, law='chinchilla')
  found = frontier.of(fit, COMPUTE, SIZES)
  # The loss is flat to its last bits within 1e-8 of the optimum's logarithm.
  expected = closed_form(COMPUTE, **ESTIMATES)
  np.testing.assert_allclose(found.num_params[0], expected, rtol=1e-6)
  np.testing.assert_allclose(
    6 * found.num_params[0] * found.num_tokens[0], COMPUTE, rtol=1e-12
  )
  assert found.exponent[0] == pytest.approx(0.28 / 0.62, abs=1e-6)
  assert np.isnan(found.num_params[1:]).all()


def test_the_band_is_that_of_the_bootstrap_fits(make_fit):
  fit = make_fit('loss', ESTIMATES, law='chinchilla', spread=0.02)
  found = frontier.of(fit, COMPUTE, SIZES)
  draws = [
    closed_form(
      COMPUTE, **{name: v[place] for name, v in fit.bootstrap_estimates.items()}
    )
    for place in range(40)
  ]
  expected = np.exp(np.percentile(np.log(draws), [5, 95], axis=0))
  np.testing.assert_allclose(found.num_params[1:], expected, rtol=1e-5)
  assert (found.num_tokens[1] < found.num_tokens[0]).all()
  assert (found.num_tokens[0] < found.num_tokens[2]).all()


def test_an_optimum_at_the_end_of_the_search_is_none(make_fit):
  fit = make_fit('loss', ESTIMATES, law='chinchilla')
  found = frontier.of(fit, COMPUTE, (1e9, 1e14))
  assert np.isnan(found.num_params[0, 0])
  assert np.isfinite(found.num_params[0, -1])
  assert np.isnan(found.exponent[0])


def test_a_band_that_leaves_the_search_is_open_at_that_end(make_fit):
  fit = make_fit('loss', ESTIMATES, law='chinchilla', spread=0.02)
  whole = frontier.of(fit, COMPUTE[-1:], SIZES)
  least, most = whole.num_params[1:, 0]
  ends = (0.5 * (least + whole.num_params[0, 0]), 1e3 * most)
  cut = frontier.of(fit, COMPUTE[-1:], ends)
  assert cut.num_params[0] == pytest.approx(whole.num_params[0], rel=1e-5)
  assert np.isnan(cut.num_params[1, 0])
  assert np.isnan(cut.num_tokens[2, 0])
  assert cut.num_params[2] == pytest.approx(whole.num_params[2], rel=1e-5)


def test_shares_of_a_mixture_law_are_given(make_fit):
  fit = make_fit('loss/code/java', {**ESTIMATES, 'tau/code/go': 0.5})
  with pytest.raises(errors.UserError, match='share/code/java'):
    frontier.of(fit, COMPUTE, SIZES)
  shares = {'share/code/java': 0.5, 'share/code/go': 0.5}
  found = frontier.of(fit, COMPUTE, SIZES, shares)
  # Three quarters of the tokens count: B is as if it were B / 0.75^beta.
  worth = {**ESTIMATES, 'B': ESTIMATES['B'] / 0.75**0.28}
  expected = closed_form(COMPUTE, **worth)
  np.testing.assert_allclose(found.num_params[0], expected, rtol=1e-6)


def test_laws_without_size_have_none(make_fit):
  estimates = {'c': 1.0, 'k': 1.0, 't/code/go': 0.5}
  fit = make_fit('loss/code/java', estimates, law='exponential')
  shares = {'share/code/go': 0.5, 'share/code/java': 0.5}
  with pytest.raises(errors.UserError, match='num_params, num_tokens'):
    frontier.of(fit, COMPUTE, SIZES, shares)
