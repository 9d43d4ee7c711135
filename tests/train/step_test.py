import dataclasses
import functools

import jax
import numpy as np
import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import execution
from codelaw import records
from codelaw.train import loss
from codelaw.train import mesh as mesh_lib
from codelaw.train import step

SHAPE = accounting.ModelShape(
  vocab_size=16, width=8, num_layers=1, num_heads=2, head_dim=4, mlp_width=8
)
SETTINGS = records.OptimizerSettings(0.1)
EXECUTION = execution.AUTOMATIC
MESH = mesh_lib.make(EXECUTION.mesh)


def _batch(targets, weights):
  targets = np.array(targets, np.int32)
  ones = np.ones_like(targets)
  return {
    'decoder_input_tokens': np.roll(targets, 1, axis=1),
    'decoder_target_tokens': targets,
    'decoder_loss_weights': np.array(weights, np.float32),
    'decoder_segment_ids': ones,
    'decoder_positions': np.cumsum(ones, axis=1, dtype=np.int32) - 1,
  }


BATCH = _batch([[3, 4, 5, 6], [7, 8, 9, 10]], [[1, 1, 1, 1], [1, 1, 0, 0]])


def _update(batch, settings=SETTINGS, rate=0.1, seed=0):
  state = step.init_state(SHAPE, settings, seed, MESH)
  update = step.train_step(SHAPE, settings, EXECUTION, MESH)
  return update(state, batch, np.float32(rate))


def test_padding_changes_neither_losses_nor_the_update():
  other = BATCH | {
    'decoder_target_tokens': np.array([[3, 4, 5, 6], [7, 8, 1, 2]], np.int32)
  }
  (state, metrics), (state_2, metrics_2) = _update(BATCH), _update(other)
  jax.tree.map(np.testing.assert_array_equal, state, state_2)
  np.testing.assert_array_equal(metrics.loss_sums, metrics_2.loss_sums)


def test_a_zero_learning_rate_leaves_the_parameters():
  before = jax.device_get(step.init_state(SHAPE, SETTINGS, 0, MESH).params)
  state, _ = _update(BATCH, rate=0.0)
  jax.tree.map(np.testing.assert_array_equal, before, state.params)


def test_seeds_differ_and_repeat():
  first, again, other = (
    step.init_state(SHAPE, SETTINGS, seed, MESH).params['embedding']
    for seed in (0, 0, 1)
  )
  np.testing.assert_array_equal(first, again)
  assert not np.array_equal(first, other)


def test_updates_lower_the_loss_that_evaluation_measures():
  state = step.init_state(SHAPE, SETTINGS, 0, MESH)
  evaluate = step.eval_step(SHAPE, EXECUTION, MESH)
  train = step.train_step(SHAPE, SETTINGS, EXECUTION, MESH)
  before = np.sum(evaluate(state.params, BATCH))
  for _ in range(10):
    state, metrics = train(state, BATCH, np.float32(0.03))
  assert np.sum(evaluate(state.params, BATCH)) < 0.5 * before
  assert np.isfinite(metrics.gradient_norm)


def test_z_loss_is_apart_from_the_reported_loss():
  _, plain = _update(BATCH)
  _, heavy = _update(BATCH, dataclasses.replace(SETTINGS, z_loss=0.5))
  # The two compiled programs may round differently.
  np.testing.assert_allclose(plain.loss_sums, heavy.loss_sums, rtol=1e-6)
  assert float(plain.z_loss) == 0.0
  logits = step.model(SHAPE, EXECUTION, MESH).apply(
    {'params': step.init_state(SHAPE, SETTINGS, 0, MESH).params},
    BATCH['decoder_input_tokens'],
    BATCH['decoder_segment_ids'],
    BATCH['decoder_positions'],
  )
  log_z = np.log(np.sum(np.exp(logits), axis=-1))
  expected = 0.5 * np.average(log_z**2, weights=BATCH['decoder_loss_weights'])
  assert float(heavy.z_loss) == pytest.approx(expected, rel=1e-4)


def test_one_compiled_step_serves_all_peak_rates_and_seeds():
  compiled = step.train_step(SHAPE, SETTINGS, EXECUTION, MESH)
  _update(BATCH)
  size = compiled._cache_size()
  other = dataclasses.replace(SETTINGS, peak_learning_rate=0.5)
  assert step.train_step(SHAPE, other, EXECUTION, MESH) is compiled
  _update(BATCH, other, rate=0.5, seed=3)
  assert compiled._cache_size() == size == 1


@pytest.mark.parametrize(
  'changes',
  [
    {'loss_block_tokens': 3},
    {'remat': 'dots'},
    {'remat': 'full'},
    {'attention': 'splash'},
  ],
)
def test_how_it_is_computed_does_not_change_an_update(changes):
  other = dataclasses.replace(EXECUTION, **changes)
  settings = dataclasses.replace(SETTINGS, z_loss=0.1)
  results = []
  for how in (EXECUTION, other):
    state = step.init_state(SHAPE, settings, 0, MESH)
    update = step.train_step(SHAPE, settings, how, MESH)
    evaluate = step.eval_step(SHAPE, how, MESH)
    results.append(
      (evaluate(state.params, BATCH), update(state, BATCH, np.float32(0.01)))
    )
  # float32 sums in another order. Adam's first step is the sign of the
  # gradient, whose values are far from 0 here.
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6),
    *results,
  )


@pytest.mark.parametrize('tied', [True, False])
def test_the_blocked_loss_of_a_separate_table(tied):
  shape = dataclasses.replace(SHAPE, tie_embeddings=tied)
  blocked = dataclasses.replace(EXECUTION, loss_block_tokens=3)
  state = step.init_state(shape, SETTINGS, 0, MESH)
  losses = [
    step.eval_step(shape, how, MESH)(state.params, BATCH)
    for how in (EXECUTION, blocked)
  ]
  np.testing.assert_allclose(*losses, rtol=1e-6)
  logits = step.model(shape, EXECUTION, MESH).apply(
    {'params': state.params},
    BATCH['decoder_input_tokens'],
    BATCH['decoder_segment_ids'],
    BATCH['decoder_positions'],
  )
  expected = loss.sequence_sums(
    logits, BATCH['decoder_target_tokens'], BATCH['decoder_loss_weights']
  )
  np.testing.assert_allclose(losses[0], expected.losses, rtol=1e-6)


def test_attention_that_cannot_work_is_refused():
  cudnn = dataclasses.replace(EXECUTION, attention='cudnn')
  with pytest.raises(errors.UserError, match='NVIDIA GPUs'):
    step.train_step(SHAPE, SETTINGS, cudnn, MESH)
