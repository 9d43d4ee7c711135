"""One update and one evaluation of a batch, compiled once per process.

What a compiled step depends on is the shape of the model, the optimizer
without its peak learning rate, and the shape of the batch. Mixture, schedule,
learning rate, seed and number of steps are not among it: the runs of a sweep
share a step.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from codelaw import accounting
from codelaw import records
from codelaw.models import transformer
from codelaw.train import loss
from codelaw.train import optimizer as optimizer_lib

FEATURES = (
  'decoder_input_tokens',
  'decoder_target_tokens',
  'decoder_loss_weights',
  'decoder_segment_ids',
  'decoder_positions',
)


class TrainState(NamedTuple):
  """What an update changes, and what a checkpoint holds beside the step."""

  params: Any
  optimizer_state: Any


class StepMetrics(NamedTuple):
  """Of one update, on the device.

  Attributes:
    loss_sums: float32 [batch], cross-entropy of each sequence in nats.
    z_loss: float32 [], weighted, already part of what was minimised.
    gradient_norm: float32 [], before clipping.
  """

  loss_sums: jax.Array
  z_loss: jax.Array
  gradient_norm: jax.Array


TrainStep = Callable[
  [TrainState, Mapping[str, Any], Any], tuple[TrainState, StepMetrics]
]
EvalStep = Callable[[Any, Mapping[str, Any]], jax.Array]


@functools.cache
def model(shape: accounting.ModelShape) -> transformer.Transformer:
  """The module for this machine: float32 on a CPU, bfloat16 elsewhere.

  On a CPU the loop over layers is unrolled, which takes as long to compile
  and runs 5 to 10% faster.
  """
  on_cpu = jax.default_backend() == 'cpu'
  return transformer.Transformer(
    shape,
    dtype=jnp.float32 if on_cpu else jnp.bfloat16,
    unroll=shape.num_layers if on_cpu else 1,
  )


def features(batch: Mapping[str, Any]) -> dict[str, Any]:
  """The part of a batch that the device needs."""
  return {name: batch[name] for name in FEATURES}


def init_state(
  shape: accounting.ModelShape,
  settings: records.OptimizerSettings,
  seed: int,
) -> TrainState:
  """Fresh parameters and optimizer state, on the first device.

  They are committed to it as a restored state is: otherwise the step would be
  compiled a second time for runs that continue.
  """
  state = _init(shape, _without_rate(settings))(np.uint32(seed))
  return jax.device_put(state, jax.local_devices()[0])


def train_step(
  shape: accounting.ModelShape, settings: records.OptimizerSettings
) -> TrainStep:
  """The compiled update `(state, features, learning_rate) -> state, metrics`.

  The state that goes in is donated: it must not be used again. The loss is
  the mean cross-entropy over the batch's tokens plus
  `settings.z_loss` times the mean of log(Z)^2.
  """
  return _train_step(shape, _without_rate(settings))


def _without_rate(
  settings: records.OptimizerSettings,
) -> records.OptimizerSettings:
  return dataclasses.replace(settings, peak_learning_rate=1.0)


@functools.cache
def _init(shape, settings):
  transformation = optimizer_lib.gradient_transformation(settings)
  once = model(shape).clone(unroll=1)  # compiles in half the time

  def init(seed):
    tokens = jnp.zeros((1, 2), jnp.int32)
    params = once.init(jax.random.key(seed), tokens, tokens, tokens)
    return TrainState(params['params'], transformation.init(params['params']))

  return jax.jit(init)


def _sums(shape, params, batch):
  logits: Any = model(shape).apply(
    {'params': params},
    batch['decoder_input_tokens'],
    batch['decoder_segment_ids'],
    batch['decoder_positions'],
  )
  return loss.sequence_sums(
    logits, batch['decoder_target_tokens'], batch['decoder_loss_weights']
  )


@functools.cache
def _train_step(shape, settings):
  transformation = optimizer_lib.gradient_transformation(settings)

  def objective(params, batch):
    num_tokens = jnp.maximum(jnp.sum(batch['decoder_loss_weights']), 1.0)
    loss_sums, square_sums = _sums(shape, params, batch)
    z_loss = settings.z_loss * jnp.sum(square_sums) / num_tokens
    return jnp.sum(loss_sums) / num_tokens + z_loss, (loss_sums, z_loss)

  def step(state, batch, learning_rate):
    gradients, (loss_sums, z_loss) = jax.grad(objective, has_aux=True)(
      state.params, batch
    )
    updates, optimizer_state = transformation.update(
      gradients, state.optimizer_state, state.params
    )
    params = jax.tree.map(
      lambda value, update: value - learning_rate * update,
      state.params,
      updates,
    )
    return TrainState(params, optimizer_state), StepMetrics(
      loss_sums, z_loss, optax.tree.norm(gradients)
    )

  return jax.jit(step, donate_argnums=0)


@functools.cache
def eval_step(shape: accounting.ModelShape) -> EvalStep:
  """The compiled `(params, features) -> loss sums`, float32 [batch]."""
  return jax.jit(lambda params, batch: _sums(shape, params, batch)[0])
