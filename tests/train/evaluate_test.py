import math

import jax
import numpy as np
import pytest

from codelaw import execution
from codelaw.data import manifest as manifest_lib
from codelaw.data import pipeline
from codelaw.data import tokenizer as tokenizer_lib
from codelaw.train import evaluate
from codelaw.train import mesh as mesh_lib
from codelaw.train import metrics
from codelaw.train import step as step_lib

MESH = mesh_lib.make(execution.AUTOMATIC.mesh)


def _evaluate(*arguments):
  return evaluate.evaluate(*arguments, execution.AUTOMATIC, MESH)


@pytest.fixture(scope='module')
def token_bytes(shards_dir):
  return tokenizer_lib.token_bytes(
    tokenizer_lib.load(f'{shards_dir}/{manifest_lib.TOKENIZER_NAME}')
  )


def test_uniform_predictions_cost_log_vocabulary(make_plan, token_bytes):
  plan = make_plan(eval_sequences=10**6)
  manifest = manifest_lib.read(plan.shards_dir)
  state = step_lib.init_state(plan.model, plan.optimizer, 0, MESH)
  zeros = jax.tree.map(np.zeros_like, jax.device_get(state.params))
  losses = _evaluate(zeros, plan, manifest, token_bytes)
  assert list(losses) == ['code/java', 'code/python', 'markup']
  for source, loss in losses.items():
    split = manifest.split(source, 'validation')
    nats = math.log(plan.model.vocab_size)
    assert loss.loss_nats_per_token == pytest.approx(nats, rel=1e-6)
    # All held-out text is read: the bytes are those of the documents.
    assert loss.bits_per_byte == pytest.approx(
      nats * split.tokens / (math.log(2) * split.bytes), rel=1e-6
    )


def test_the_size_of_the_last_batch_does_not_count(make_plan, token_bytes):
  plan = make_plan(eval_sequences=6)  # in batches of 4: the last has 2 rows
  manifest = manifest_lib.read(plan.shards_dir)
  params = step_lib.init_state(plan.model, plan.optimizer, 0, MESH).params
  loss = _evaluate(params, plan, manifest, token_bytes)['markup']
  whole = next(
    pipeline.validation_batches(manifest, 'markup', 6, 6, plan.shards_dir)
  )
  sums = step_lib.eval_step(plan.model, execution.AUTOMATIC, MESH)(
    params, step_lib.features(whole)
  )
  expected = np.sum(sums) / np.sum(whole['decoder_loss_weights'])
  # Batches of 4 and of 6 may round differently.
  assert loss.loss_nats_per_token == pytest.approx(float(expected), rel=1e-5)


def test_macro_is_the_unweighted_mean():
  losses = {
    'code/python': evaluate.HeldOutLoss(1.0, 0.5),
    'markup': evaluate.HeldOutLoss(4.0, 1.0),
  }
  assert evaluate.macro(losses) == evaluate.HeldOutLoss(2.5, 0.75)


def test_no_sequences_means_no_sources(make_plan):
  plan = make_plan(eval_sequences=0)
  assert evaluate.sources(plan, manifest_lib.read(plan.shards_dir)) == ()


def test_bits_per_byte_are_left_out_where_bytes_are_not_known(make_plan):
  plan = make_plan(eval_sequences=2)
  manifest = manifest_lib.read(plan.shards_dir)
  params = step_lib.init_state(plan.model, plan.optimizer, 0, MESH).params
  losses = _evaluate(params, plan, manifest, None)
  assert all(loss.bits_per_byte is None for loss in losses.values())
  assert evaluate.macro(losses).bits_per_byte is None
  scalars = metrics.evaluation_scalars(losses)
  assert all(tag.endswith('loss_nats_per_token') for tag in scalars)
  assert len(scalars) == 4  # three sources and their mean
