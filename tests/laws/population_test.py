import numpy as np
import pytest

from codelaw.laws import population


@pytest.mark.parametrize('spread', [0.02, 0.2, 1.0])
@pytest.mark.parametrize('noise', [0.1, 0.3])
def test_spread_of_measured_values_maximises_their_likelihood(spread, noise):
  """M values y_k = x_k + e_k, e ~ N(0, v), x ~ N(mean, t^2), mean unknown.

  The likelihood of t without the mean is that of the M - 1 contrasts, whose
  variance is v + t^2.
  """
  values = spread * np.random.default_rng(1).standard_normal(8)
  size = values.size
  [found] = population.spreads(
    np.eye(size) / noise**2,
    np.zeros(size),  # The values are where the likelihood is highest.
    values,
    [population.centering(np.arange(size), size)],
    np.array([0.3]),
  )
  t = np.geomspace(1e-3, 10, 20001)
  variance = noise**2 + t**2
  squares = np.sum((values - values.mean()) ** 2)
  likelihood = -0.5 * (size - 1) * np.log(variance) - 0.5 * squares / variance
  expected = t[np.argmax(likelihood + np.log(t))]
  assert found == pytest.approx(expected, rel=1e-3)


def test_free_coordinates_are_integrated_out():
  """Beside a free coordinate, a pooled one counts as well as it is known."""
  rng = np.random.default_rng(2)
  size = 6
  curvature = np.kron(np.eye(size), [[60.0, 40.0], [40.0, 50.0]])
  at = 0.4 * rng.standard_normal(2 * size)
  pooled = np.arange(0, 2 * size, 2)
  centering = population.centering(pooled, 2 * size)
  both = population.spreads(
    curvature, np.zeros(2 * size), at, [centering], np.array([0.3])
  )
  alone = population.spreads(
    np.eye(size) * (60.0 - 40.0**2 / 50.0),  # Schur's complement.
    np.zeros(size),
    at[pooled],
    [population.centering(np.arange(size), size)],
    np.array([0.3]),
  )
  np.testing.assert_allclose(both, alone, rtol=1e-3)
