"""codelaw's own train step, called as its loop calls it."""

import jax
import numpy as np
import turns

from codelaw import accounting
from codelaw import execution as execution_lib
from codelaw import records
from codelaw.train import mesh as mesh_lib
from codelaw.train import step as step_lib


def make_step(job):
  """(number of parameters, step: batch index -> loss, wait) for a job."""
  shape = accounting.ModelShape(**job['shape'])
  settings = records.OptimizerSettings(peak_learning_rate=1.0)
  execution = execution_lib.Execution(**job.get('execution', {}))
  mesh = mesh_lib.make(execution_lib.MeshShape(fsdp=1), jax.devices()[:1])
  train_step = step_lib.train_step(shape, settings, execution, mesh)
  state = step_lib.init_state(shape, settings, 0, mesh)
  num_params = sum(leaf.size for leaf in jax.tree.leaves(state.params))
  batches = [_features(tokens) for tokens in turns.batches(job)]
  tokens_per_batch = job['batch_size'] * job['length']
  before = None

  def step(index):
    nonlocal state, before
    state, metrics = train_step(
      state, batches[index % len(batches)], np.float32(job['learning_rate'])
    )
    # The loop, too, looks at the metrics of the update before.
    before, shown = metrics, before or metrics
    return float(np.sum(np.asarray(shown.loss_sums))) / tokens_per_batch

  return num_params, step, lambda: jax.block_until_ready(state)


def _features(tokens):
  length = tokens.shape[1] - 1
  ones = np.ones((len(tokens), length), np.int32)
  return {
    'decoder_input_tokens': tokens[:, :-1].astype(np.int32),
    'decoder_target_tokens': tokens[:, 1:].astype(np.int32),
    'decoder_loss_weights': ones.astype(np.float32),
    'decoder_segment_ids': ones,
    'decoder_positions': np.cumsum(ones, axis=1, dtype=np.int32) - 1,
  }


if __name__ == '__main__':
  turns.serve(make_step)
