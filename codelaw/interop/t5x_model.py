"""codelaw's Transformer as a T5X model.

Same parameters, same initial values, same objective as `codelaw train`: the
mean cross-entropy over the tokens of the whole batch plus `z_loss` times the
mean of log(Z)^2. T5X divides the parameters by the rules of its partitioner.

Metrics have T5X's names and meanings: `loss` and `cross_ent_loss` are sums
over the tokens of a step, nats, with and without z-loss. Two are added:
`cross_ent_loss_per_nonpadding_target_token`, which is codelaw's
`loss_nats_per_token`, and in evaluation `bits_per_byte`, where the tokenizer
tells the bytes.
"""

from collections.abc import Mapping
import dataclasses
import math
from typing import Any

import clu.metrics
from flax import core
from flax import traverse_util
from flax.linen import partitioning
import jax
import jax.numpy as jnp
from t5x import models

from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import tokenizer as tokenizer_lib
from codelaw.interop import t5x_optimizer
from codelaw.models import axes as axes_lib
from codelaw.models import transformer
from codelaw.train import mesh as mesh_lib
from codelaw.train import step as step_lib

# What T5X's standard rules call the axes of `models.axes`; the others have the
# same name there. A norm's scale lies along the embedding.
_AXES = {'head_dim': 'kv', 'kv_heads': 'heads', 'norm': 'embed'}


class Model(models.BaseModel):
  """The model, objective and optimizer of a plan."""

  # Batches come from `t5x_data` with these features; nothing is converted.
  FEATURE_CONVERTER_CLS = models.DecoderOnlyModel.FEATURE_CONVERTER_CLS

  def __init__(
    self,
    plan: records.RunPlan,
    execution: execution_lib.Execution = execution_lib.AUTOMATIC,
  ):
    """Makes no parameters yet.

    Args:
      plan: of the run.
      execution: precision, attention and rematerialisation; how devices are
        laid out is set on T5X's partitioner.

    Raises:
      UserError: when the plan or the execution asks for what T5X does in
        another way, or there are no shards.
    """
    if plan.initial is not None:
      raise errors.UserError(
        f'RunPlan.initial is {plan.initial}, but T5X does not read checkpoints'
        ' of codelaw; start from random parameters (None), or use `codelaw'
        ' train`.'
      )
    super().__init__(t5x_optimizer.AdamW(plan.optimizer))
    self._plan = plan
    self._execution = execution
    self.module = _module(plan, execution)
    self._token_bytes = tokenizer_lib.read_token_bytes(
      storage.path(plan.shards_dir) / manifest_lib.TOKENIZER_NAME
    )

  def get_initial_variables(self, rng, input_shapes, input_types=None):
    """Parameters and `params_axes`.

    Parameters follow from the plan's seed, as in `codelaw train`; the key that
    T5X derives from its own seed is not used.
    """
    del rng, input_shapes, input_types
    tokens = jnp.zeros((1, 2), jnp.int32)
    params = self.module.clone(unroll=1, attention='xla').init(
      jax.random.key(self._plan.seed), tokens, tokens, tokens
    )['params']
    return core.freeze({'params': params, 'params_axes': _params_axes(params)})

  def loss_fn(self, params, batch, dropout_rng):
    """(what is minimised, metrics) of a training batch.

    Raises:
      UserError: for a part of a batch, whose mean would not be the batch's.
    """
    del dropout_rng  # there is no dropout
    rows = batch['decoder_target_tokens'].shape[0]
    if rows != self._plan.batch_size:
      raise errors.UserError(
        f'T5X gave {rows} of the {self._plan.batch_size} sequences of a batch;'
        ' leave Trainer.num_microbatches None.'
      )
    factor = self._plan.optimizer.z_loss
    total, sums = step_lib.objective(
      self.module, self._execution, params, batch, factor
    )
    num_tokens = jnp.maximum(jnp.sum(batch['decoder_loss_weights']), 1.0)
    z_loss = factor * jnp.sum(sums.squares)
    metrics = self._metrics(batch, jnp.sum(sums.losses), z_loss)
    return total / num_tokens, metrics

  def eval_fn(self, params, batch):
    """(cross-entropy summed over the tokens, metrics) of a held-out batch."""
    total = jnp.sum(self._loss_sums(params, batch))
    metrics = self._metrics(batch, total, jnp.zeros(()))
    if self._token_bytes is not None:
      counted = batch['decoder_loss_weights'] > 0
      lengths = jnp.asarray(self._token_bytes)[batch['decoder_target_tokens']]
      metrics['bits_per_byte'] = clu.metrics.Average(
        total / math.log(2), jnp.sum(lengths * counted).astype(jnp.float32)
      )
    return total, metrics

  def score_batch(self, params, batch, return_intermediates=False):
    """Log-likelihood of each sequence, nats, float32 [batch].

    Raises:
      UserError: when intermediates are asked for.
    """
    if return_intermediates:
      raise errors.UserError(
        'The model has no intermediates; call score_batch without'
        ' return_intermediates.'
      )
    return -self._loss_sums(params, batch)

  def predict_batch_with_aux(self, params, batch, rng=None):
    """Refuses: sampling is left to what reads exported checkpoints.

    Raises:
      UserError: always.
    """
    raise errors.UserError(
      'T5X cannot sample from a codelaw model; train with `codelaw train`,'
      ' export the checkpoint with `codelaw export`, and sample with another'
      ' program.'
    )

  def _loss_sums(self, params, batch) -> jax.Array:
    """Cross-entropy of each sequence, nats."""
    _, sums = step_lib.objective(self.module, self._execution, params, batch)
    return sums.losses

  def _metrics(self, batch, total, z_loss) -> dict[str, Any]:
    targets = batch['decoder_target_tokens']
    weights = batch['decoder_loss_weights']
    metrics = models.compute_base_metrics(
      # For the accuracy, which is taken out again: there may be no logits.
      logits=jnp.zeros((*targets.shape, 1)),
      targets=targets,
      mask=weights,
      loss=total + z_loss,
      z_loss=z_loss,
      segment_ids={'decoder': batch['decoder_segment_ids']},
    )
    del metrics['accuracy']
    metrics['cross_ent_loss_per_nonpadding_target_token'] = clu.metrics.Average(
      total, jnp.sum(weights)
    )
    return metrics


def _module(
  plan: records.RunPlan, execution: execution_lib.Execution
) -> transformer.Transformer:
  """The module as T5X's partitioner can divide it."""
  several = jax.device_count() > 1
  default = execution_lib.AUTOMATIC
  for name, instead in (
    ('mesh', 'PjitPartitioner.num_partitions'),
    ('microbatches', 'BATCH_SIZE'),
  ):
    if getattr(execution, name) != getattr(default, name):
      raise errors.UserError(
        f'Execution.{name} is {getattr(execution, name)}, which T5X does not'
        f' use; leave it out, and set {instead}.'
      )
  if several and execution.attention not in ('auto', 'xla'):
    raise errors.UserError(
      f'Execution.attention is {execution.attention}, which T5X cannot divide'
      ' over several devices; use xla or auto.'
    )
  if several:
    execution = dataclasses.replace(execution, attention='xla')
  one = mesh_lib.make(execution_lib.MeshShape(), jax.local_devices()[:1])
  return step_lib.model(plan.model, execution, one).clone(mesh=None)


def _params_axes(params: Mapping[str, Any]) -> dict[str, Any]:
  """For the parameter at a/b, T5X's names of its axes at a/b_axes."""
  return traverse_util.unflatten_dict(
    {
      (*path[:-1], f'{path[-1]}_axes'): partitioning.AxisMetadata(
        tuple(_AXES.get(axis, axis) for axis in axes_lib.of_parameter(path))
      )
      for path in traverse_util.flatten_dict(params)
    }
  )
