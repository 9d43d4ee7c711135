import math

import jax.numpy as jnp
import numpy as np
import pytest

from codelaw.train import loss

TARGETS = np.array([[1, 2, 0], [3, 0, 0]], np.int32)
WEIGHTS = np.array([[1, 1, 0], [1, 0, 0]], np.float32)


def test_uniform_logits_cost_log_vocabulary():
  losses, squares = loss.sequence_sums(jnp.zeros((2, 3, 7)), TARGETS, WEIGHTS)
  np.testing.assert_allclose(losses, [2 * math.log(7), math.log(7)], rtol=1e-6)
  np.testing.assert_allclose(
    squares, [2 * math.log(7) ** 2, math.log(7) ** 2], rtol=1e-6
  )


def test_a_hand_count():
  logits = jnp.array([[[0.0, math.log(3.0)]]])
  losses, squares = loss.sequence_sums(
    logits, np.array([[1]]), np.ones((1, 1), np.float32)
  )
  assert float(losses[0]) == pytest.approx(math.log(4 / 3), rel=1e-6)
  assert float(squares[0]) == pytest.approx(math.log(4) ** 2, rel=1e-6)


def test_large_logits_stay_finite():
  logits = jnp.array([[[1e4, 0.0]]])
  losses, _ = loss.sequence_sums(
    logits, np.array([[1]]), np.ones((1, 1), np.float32)
  )
  assert float(losses[0]) == pytest.approx(1e4)


def test_what_has_no_weight_changes_nothing():
  logits = np.random.default_rng(0).normal(size=(2, 3, 7)).astype(np.float32)
  other = np.where(WEIGHTS[..., None] > 0, logits, 50.0)
  targets = np.where(WEIGHTS > 0, TARGETS, 6)
  expected = loss.sequence_sums(logits, TARGETS, WEIGHTS)
  np.testing.assert_array_equal(
    expected, loss.sequence_sums(other, targets, WEIGHTS)
  )
