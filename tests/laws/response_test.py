"""The response of a score to a share, and where it is greatest."""

import numpy as np
import pytest

from codelaw import errors
from codelaw.laws import response


def _peak(at, noise=0.0, points=11, seed=0):
  shares = np.linspace(0, 100, points)
  generator = np.random.default_rng(seed)
  values = 10 - 40 * ((shares - at) / 100) ** 2
  return shares, values + noise * generator.standard_normal(points)


def test_without_noise_the_peak_is_found():
  shares, values = _peak(30.0)
  found = response.fit(shares, values, [1e-3])
  assert found.optimum == pytest.approx(30, abs=2)  # A step of the grid.
  assert found.optimum_high - found.optimum_low <= 2
  # The grid holds the points; what is left is the jitter.
  at = np.searchsorted(found.shares, shares)
  np.testing.assert_allclose(found.middle[at], values, atol=1e-2)
  assert found.bracket == (20.0, 40.0)


def test_order_and_units_of_shares_do_not_matter():
  shares, values = _peak(60.0, noise=0.5)
  found = response.fit(shares, values, [0.5])
  back = response.fit(shares[::-1] / 100, values[::-1], [0.5])
  assert back.optimum_low == pytest.approx(found.optimum_low / 100)
  assert back.optimum_high == pytest.approx(found.optimum_high / 100)


def test_the_interval_holds_the_peak():
  inside = 0
  for seed in range(10):
    shares, values = _peak(40.0, noise=2.0, points=6, seed=seed)
    found = response.fit(shares, values, [2.0], seed=seed)
    inside += found.optimum_low <= 40 <= found.optimum_high
  # 90% nominal: 7 or more of 10 has probability .99.
  assert inside >= 7


def test_more_noise_says_less():
  shares, values = [0, 25, 100], [0, 3.4, -18.3]
  widths = []
  for noise in (0.5, 4.0):
    found = response.fit(shares, values, [noise])
    widths.append(found.optimum_high - found.optimum_low)
  assert widths[0] < widths[1]


def test_an_exact_point_has_no_band():
  shares, values = [0, 25, 100], [0, 3.4, -18.3]
  found = response.fit(shares, values, [2.0], exact=[True, False, False])
  assert abs(found.low[0]) < 0.02
  assert found.high[0] - found.low[0] < 0.05 < found.high[12] - found.low[12]
  assert found.bracket == (0, 100)
  assert found.margin == pytest.approx(3.4)


def test_two_shares_are_no_response():
  with pytest.raises(errors.UserError, match='three shares or more; got 2'):
    response.fit([0, 0, 100], [1, 2, 3], [1.0])
