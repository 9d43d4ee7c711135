"""What a fit minimises: sums over points of weight * rho(r).

Definitions owned here:
  log_huber: r = log(predicted) - log(observed), rho(r) = r^2 / 2 up to
    |r| = delta and delta (|r| - delta / 2) beyond (arXiv:2203.15556 Eq. 3).
  least_squares: r = predicted - observed, in units of the geometric mean
    loss, rho(r) = r^2 / 2.
  lower_envelope: log_huber whose rho is multiplied by the leniency where the
    loss lies above the law, as an under-tuned run's does. Asymmetric squares
    and absolute values give expectiles and quantiles (Newey and Powell 1987,
    doi:10.2307/1911031); with noise beyond delta a share of about
    leniency / (1 + leniency) of the points ends below the law. Where noise
    is symmetric the law is right when (1 - leniency) / (1 + leniency) of the
    runs are under-tuned by more than the noise: a third at 0.5.
"""

import jax
import jax.numpy as jnp

NAMES = ('log_huber', 'least_squares', 'lower_envelope')
OF_LOGARITHMS = ('log_huber', 'lower_envelope')
"""Those whose residuals are differences of logarithms, with a Huber penalty."""

LENIENCY = 0.5
"""Of `lower_envelope`, unless a problem says otherwise."""


def residuals(
  name: str, predicted: jax.Array, observed: jax.Array
) -> jax.Array:
  """The residuals r at each point.

  >>> float(residuals('least_squares', jnp.array(3.0), jnp.array(2.0)))
  1.0
  """
  if name in OF_LOGARITHMS:
    return jnp.log(predicted / observed)
  return predicted - observed


def penalty(
  name: str, r: jax.Array, delta: jax.Array, leniency: jax.Array
) -> jax.Array:
  """rho(r), elementwise.

  >>> penalty('log_huber', jnp.array([1.0, -3.0]), 2.0, 0.5).tolist()
  [0.5, 4.0]
  >>> penalty('lower_envelope', jnp.array([1.0, -3.0]), 2.0, 0.5).tolist()
  [0.5, 2.0]
  """
  if name not in OF_LOGARITHMS:
    return 0.5 * r * r
  linear = jnp.minimum(jnp.abs(r), delta)
  rho = linear * (jnp.abs(r) - 0.5 * linear)
  return rho * _side(name, r, leniency)


def slope(
  name: str, r: jax.Array, delta: jax.Array, leniency: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """(rho'(r) / r, rho''(r)): two weights of the squares that replace rho.

  >>> [w.tolist() for w in slope('log_huber', jnp.array([1.0, -4.0]), 2.0, 1.0)]
  [[1.0, 0.5], [1.0, 0.0]]
  """
  if name not in OF_LOGARITHMS:
    return jnp.ones_like(r), jnp.ones_like(r)
  side = _side(name, r, leniency)
  size = jnp.abs(r)
  return (
    side * delta / jnp.maximum(size, delta),
    side * (size <= delta),
  )


def _side(name: str, r: jax.Array, leniency: jax.Array) -> jax.Array | float:
  return jnp.where(r < 0, leniency, 1.0) if name == 'lower_envelope' else 1.0
