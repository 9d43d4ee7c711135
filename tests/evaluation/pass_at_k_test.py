"""pass@k against its definition, and its standard error."""

import fractions
import itertools
import math

import pytest

from codelaw import errors
from codelaw.evaluation import pass_at_k


def _by_counting(num_samples, num_passed, k):
  """The share of all draws of k that hold one of the first `num_passed`."""
  draws = list(itertools.combinations(range(num_samples), k))
  return fractions.Fraction(
    sum(min(draw) < num_passed for draw in draws), len(draws)
  )


def test_equals_the_count_of_all_draws():
  for num_samples in range(1, 8):
    for num_passed in range(num_samples + 1):
      for k in range(1, num_samples + 1):
        wanted = _by_counting(num_samples, num_passed, k)
        got = pass_at_k.pass_at_k(num_samples, num_passed, k)
        # A product of at most 7 rounded ratios.
        assert got == pytest.approx(float(wanted), rel=1e-14, abs=1e-14)


def test_equals_the_binomials_where_they_overflow_a_float():
  n, c, k = 20_000, 3, 10_000
  wanted = 1 - fractions.Fraction(math.comb(n - c, k), math.comb(n, k))
  # 10,000 rounded products: errors add up to some 1e-12.
  assert pass_at_k.pass_at_k(n, c, k) == pytest.approx(float(wanted), rel=1e-10)


def test_all_none_and_certain():
  assert pass_at_k.pass_at_k(200, 0, 100) == 0.0
  assert pass_at_k.pass_at_k(200, 200, 1) == 1.0
  assert pass_at_k.pass_at_k(200, 101, 100) == 1.0
  # One draw of all C(10, 5) = 252 has no right one.
  assert pass_at_k.pass_at_k(10, 5, 5) == pytest.approx(251 / 252, rel=1e-15)


def test_is_unbiased():
  """Its mean over Binomial(n, p) is 1 - (1 - p)^k; c/n to the k is not."""
  n, k, p = 12, 5, 0.3
  mean = sum(
    math.comb(n, c) * p**c * (1 - p) ** (n - c) * pass_at_k.pass_at_k(n, c, k)
    for c in range(n + 1)
  )
  assert mean == pytest.approx(1 - (1 - p) ** k, rel=1e-12)  # rounding


@pytest.mark.parametrize(('num_samples', 'k'), [(3, 4), (3, 0), (0, 1)])
def test_refuses_what_cannot_be_drawn(num_samples, k):
  with pytest.raises(errors.UserError, match=f'pass@{k}'):
    pass_at_k.pass_at_k(num_samples, 0, k)


def test_refuses_impossible_counts():
  with pytest.raises(ValueError, match='between 0 and 3, got 4'):
    pass_at_k.pass_at_k(3, 4, 1)


def test_mean_and_standard_error():
  mean, error = pass_at_k.mean_and_standard_error([0.0, 1.0, 1.0, 0.5])
  assert mean == 0.625
  # Squared deviations .390625 + .140625 * 2 + .015625 = .6875, over 3, over 4.
  assert error == pytest.approx(math.sqrt(0.6875 / 3 / 4), rel=1e-15)
  assert pass_at_k.mean_and_standard_error([0.25]) == (0.25, None)
