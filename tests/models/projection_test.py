import jax
import jax.numpy as jnp
import numpy as np
import pytest

from codelaw.models import projection


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(
  ('x_shape', 'kernel_shape', 'axes'),
  [
    ((3, 5, 4), (4, 6), 1),  # one axis to one
    ((3, 5, 4), (4, 2, 3), 1),  # to heads
    ((3, 5, 2, 3), (2, 3, 4), 2),  # from heads
  ],
)
def test_product_and_gradients_are_those_of_jax(
  x_shape, kernel_shape, axes, dtype
):
  random = np.random.default_rng(0)
  x = jnp.asarray(random.normal(size=x_shape), dtype)
  kernel = jnp.asarray(random.normal(size=kernel_shape), dtype)
  last = tuple(range(len(x_shape) - axes, len(x_shape)))
  numbers = ((last, tuple(range(axes))), ((), ()))
  ours, our_gradients = jax.vjp(
    lambda x, w: projection.dot_general(x, w, numbers), x, kernel
  )
  plain, gradients = jax.vjp(
    lambda x, w: jax.lax.dot_general(x, w, numbers), x, kernel
  )
  cotangent = jnp.asarray(random.normal(size=plain.shape), dtype)
  np.testing.assert_array_equal(ours, plain)
  for mine, wanted in zip(
    our_gradients(cotangent), gradients(cotangent), strict=True
  ):
    assert mine.dtype == wanted.dtype
    np.testing.assert_allclose(
      mine.astype(np.float32),
      wanted.astype(np.float32),
      rtol=2e-2 if dtype == jnp.bfloat16 else 1e-5,
      atol=2e-2 if dtype == jnp.bfloat16 else 1e-5,
    )


def test_the_gradient_of_the_kernel_is_not_turned_round():
  x, kernel = jnp.ones((8, 4)), jnp.ones((4, 6))
  numbers = (((1,), (0,)), ((), ()))

  def loss(kernel):
    return projection.dot_general(x, kernel, numbers).sum()

  assert 'transpose[' not in str(jax.make_jaxpr(jax.grad(loss))(kernel))
