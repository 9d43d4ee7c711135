import functools
import math

import jax
from jax.extend import core as extend_core
import jax.numpy as jnp
import numpy as np
import pytest

from codelaw import execution
from codelaw.train import loss
from codelaw.train import mesh as mesh_lib

TARGETS = np.array([[1, 2, 0], [3, 0, 0]], np.int32)
WEIGHTS = np.array([[1, 1, 0], [1, 0, 0]], np.float32)


def test_uniform_logits_cost_log_vocabulary():
  losses, squares, _ = loss.sequence_sums(
    jnp.zeros((2, 3, 7)), TARGETS, WEIGHTS
  )
  np.testing.assert_allclose(losses, [2 * math.log(7), math.log(7)], rtol=1e-6)
  np.testing.assert_allclose(
    squares, [2 * math.log(7) ** 2, math.log(7) ** 2], rtol=1e-6
  )


def test_a_hand_count():
  logits = jnp.array([[[0.0, math.log(3.0)]]])
  losses, squares, _ = loss.sequence_sums(
    logits, np.array([[1]]), np.ones((1, 1), np.float32)
  )
  assert float(losses[0]) == pytest.approx(math.log(4 / 3), rel=1e-6)
  assert float(squares[0]) == pytest.approx(math.log(4) ** 2, rel=1e-6)


def test_large_logits_stay_finite():
  logits = jnp.array([[[1e4, 0.0]]])
  losses, _, _ = loss.sequence_sums(
    logits, np.array([[1]]), np.ones((1, 1), np.float32)
  )
  assert float(losses[0]) == pytest.approx(1e4)


def test_what_has_no_weight_changes_nothing():
  logits = np.random.default_rng(0).normal(size=(2, 3, 7)).astype(np.float32)
  other = np.where(WEIGHTS[..., None] > 0, logits, 50.0)
  targets = np.where(WEIGHTS > 0, TARGETS, 6)
  expected = loss.sequence_sums(logits, TARGETS, WEIGHTS)
  found = loss.sequence_sums(other, targets, WEIGHTS)
  np.testing.assert_array_equal(expected[:2], found[:2])


def test_misses_are_tokens_that_are_not_the_most_likely():
  logits = np.array([[[0, 1, 2], [3, 0, 1], [3, 1, 0]]], np.float32)
  weights = np.array([[1, 0.5, 0]], np.float32)
  for targets, misses in (((2, 0, 1), 0), ((1, 0, 1), 1), ((1, 2, 0), 2)):
    sums = loss.sequence_sums(logits, np.array([targets]), weights, True)
    np.testing.assert_array_equal(sums.misses, [misses])


def _problem(batch=4, length=6, width=8, vocab=12, seed=0):
  """Hidden states, table, targets and weights, the last row all padding."""
  generator = np.random.default_rng(seed)
  weights = (generator.random((batch, length)) < 0.8).astype(np.float32)
  weights[-1] = 0
  return (
    generator.normal(size=(batch, length, width)).astype(np.float32),
    generator.normal(size=(vocab, width)).astype(np.float32),
    generator.integers(0, vocab, (batch, length), np.int32),
    weights,
  )


def _in_float64(hidden, table, targets, weights, z_loss):
  """Total, sums and gradients by their formulas, in NumPy."""
  hidden, table = hidden.astype(np.float64), table.astype(np.float64)
  logits = hidden @ table.T
  highest = logits.max(axis=-1, keepdims=True)
  log_z = np.log(np.exp(logits - highest).sum(axis=-1)) + highest[..., 0]
  chosen = np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
  losses = ((log_z - chosen) * weights).sum(axis=1)
  squares = (log_z**2 * weights).sum(axis=1)
  misses = ((chosen < highest[..., 0]) & (weights > 0)).sum(axis=1)
  change = np.exp(logits - log_z[..., None])
  change *= (1 + 2 * z_loss * log_z)[..., None]
  np.put_along_axis(
    change,
    targets[..., None],
    np.take_along_axis(change, targets[..., None], axis=-1) - 1,
    axis=-1,
  )
  change *= weights[..., None]
  return (
    (losses + z_loss * squares).sum(),
    (losses, squares, misses),
    (change @ table, np.einsum('blv,bld->vd', change, hidden)),
  )


def computed(problem, z_loss, block_tokens, mesh_shape=(1, 1, 1)):
  """Total, sums and gradients by `loss.objective`, on a mesh."""
  devices = jax.devices()[: math.prod(mesh_shape)]
  mesh = mesh_lib.make(execution.MeshShape(*mesh_shape), devices)

  def objective(hidden, table, targets, weights, count_misses=False):
    return loss.objective(
      hidden,
      table,
      targets,
      weights,
      z_loss=z_loss,
      mesh=mesh,
      block_tokens=block_tokens,
      count_misses=count_misses,
    )

  gradient = jax.value_and_grad(objective, (0, 1), has_aux=True)
  (total, sums), gradients = jax.jit(gradient)(*problem)
  # Without a gradient, where misses may be counted.
  count = functools.partial(objective, count_misses=True)
  again, counted = jax.jit(count)(*problem)
  sums = (sums.losses, sums.squares, counted.misses)
  return jax.device_get(((total, again), sums, gradients))


def _check(found, expected):
  # float32 has 2^-23 = 1.2e-7; sums are of some dozen terms of order 10.
  totals, sums, gradients = found
  np.testing.assert_allclose(totals, expected[0], rtol=2e-6)
  for one, other in zip(sums, expected[1], strict=True):
    np.testing.assert_allclose(one, other, rtol=2e-6)
  for one, other in zip(gradients, expected[2], strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('block_tokens', [None, 1, 5, 24, 100])
def test_blocks_are_the_plain_loss_and_gradient(block_tokens):
  problem = _problem()
  _check(computed(problem, 0.1, block_tokens), _in_float64(*problem, 0.1))


MESHES = [(1, 2, 1), (1, 4, 1), (2, 1, 2), (1, 2, 4), (2, 2, 2)]


@pytest.mark.parametrize('mesh_shape', MESHES)
def test_blocks_on_a_mesh_are_the_plain_loss(on_eight_devices, mesh_shape):
  # 5 tokens do not divide the tokens of a device, whatever the mesh.
  problem = _problem(batch=8, length=3)
  found = on_eight_devices(computed, problem, 0.1, 5, mesh_shape)
  _check(found, _in_float64(*problem, 0.1))


def test_a_table_that_the_mesh_does_not_divide(on_eight_devices):
  problem = _problem(width=7, vocab=13)
  found = on_eight_devices(computed, problem, 0.1, 3, (1, 2, 2))
  _check(found, _in_float64(*problem, 0.1))


def test_the_plain_form_on_a_mesh(on_eight_devices):
  problem = _problem()
  found = on_eight_devices(computed, problem, 0.1, None, (1, 2, 2))
  _check(found, _in_float64(*problem, 0.1))


def test_a_vocabulary_of_256k():
  problem = _problem(batch=2, length=5, width=4, vocab=262_144)
  _check(computed(problem, 1e-4, 4), _in_float64(*problem, 1e-4))


def _largest(jaxpr):
  """Elements of the largest intermediate of a program and those it calls."""
  sizes = [0]
  for equation in jaxpr.eqns:
    sizes += [v.aval.size for v in equation.outvars if hasattr(v.aval, 'size')]
    sizes += [
      _largest(inner) for inner in extend_core.jaxprs_in_params(equation.params)
    ]
  return max(sizes)


@pytest.mark.parametrize(('block_tokens', 'limit'), [(8, 8), (None, 4 * 6)])
def test_only_a_block_of_logits_exists(block_tokens, limit):
  vocab = 4096  # so that logits are the largest arrays by far
  problem = _problem(width=2, vocab=vocab)

  def objective(hidden, table):
    return loss.objective(
      hidden, table, *problem[2:], block_tokens=block_tokens
    )

  gradient = jax.grad(objective, (0, 1), has_aux=True)
  program = jax.make_jaxpr(gradient)(*problem[:2])
  assert _largest(program.jaxpr) == limit * vocab


def test_large_logits_are_made_in_blocks(monkeypatch):
  problem = _problem(width=2, vocab=4096)

  def largest():  # a function of its own, as JAX keeps what it traced
    program = jax.make_jaxpr(lambda *inputs: loss.objective(*inputs))
    return _largest(program(*problem).jaxpr)

  assert largest() == 4 * 6 * 4096
  monkeypatch.setattr(loss, '_PLAIN_LIMIT', 4 * 4 * 6 * 4096 - 1)
  monkeypatch.setattr(loss, '_BLOCK_TOKENS', 8)
  assert largest() == 8 * 4096


def test_bfloat16_blocks_keep_sums_in_float32():
  hidden, *rest = _problem(width=64)
  hidden = jnp.asarray(hidden / 8, jnp.bfloat16)
  total, sums, gradients = computed((hidden, *rest), 0.0, 7)
  assert gradients[0].dtype == jnp.bfloat16
  assert gradients[1].dtype == np.float32
  expected = _in_float64(np.asarray(hidden, np.float32), *rest, 0.0)
  # bfloat16 keeps 8 bits of table, probabilities and gradients of order 1.
  np.testing.assert_allclose(total, expected[0], rtol=0.01)
  for one, other in zip(gradients, expected[2], strict=True):
    np.testing.assert_allclose(one.astype(np.float32), other, atol=0.05)
