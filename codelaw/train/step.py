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
from codelaw import execution as execution_lib
from codelaw import records
from codelaw.models import attention
from codelaw.models import axes as axes_lib
from codelaw.models import transformer
from codelaw.train import loss
from codelaw.train import mesh as mesh_lib
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
    num_tokens: int32 [batch], tokens of each sequence with a loss.
    z_loss: float32 [], weighted, already part of what was minimised.
    gradient_norm: float32 [], before clipping.
  """

  loss_sums: jax.Array
  num_tokens: jax.Array
  z_loss: jax.Array
  gradient_norm: jax.Array


TrainStep = Callable[
  [TrainState, Mapping[str, Any], Any], tuple[TrainState, StepMetrics]
]
EvalStep = Callable[[Any, Mapping[str, Any]], jax.Array]


@functools.cache
def model(
  shape: accounting.ModelShape,
  execution: execution_lib.Execution,
  mesh: jax.sharding.Mesh,
) -> transformer.Transformer:
  """The module as it is computed on the devices of a mesh.

  On a CPU the loop over layers is unrolled, which takes as long to compile
  and runs 5 to 10% faster.

  Raises:
    UserError: when the chosen attention cannot work there.
  """
  platform = mesh.devices.flat[0].platform
  on_cpu = platform == 'cpu'
  dtype = execution.compute_dtype
  if dtype == 'auto':
    dtype = 'float32' if on_cpu else 'bfloat16'
  return transformer.Transformer(
    shape,
    dtype=jnp.dtype(dtype),
    remat=execution.remat,
    attention=attention.resolve(
      execution.attention, shape, platform, dtype, mesh.shape['tensor']
    ),
    unroll=shape.num_layers if on_cpu else 1,
    mesh=mesh,
  )


def features(batch: Mapping[str, Any]) -> dict[str, Any]:
  """The part of a batch that the device needs."""
  return {name: batch[name] for name in FEATURES}


def abstract_state(
  shape: accounting.ModelShape,
  settings: records.OptimizerSettings,
  mesh: jax.sharding.Mesh,
) -> TrainState:
  """Shapes, dtypes and shardings of a state, without making one."""
  init = _init_function(shape, _without_rate(settings), mesh)
  state = jax.eval_shape(init, np.uint32(0))
  return jax.tree_util.tree_map_with_path(
    lambda path, leaf: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=_sharding(path, leaf, mesh)
    ),
    state,
  )


def abstract_batch(
  batch_size: int, length: int, mesh: jax.sharding.Mesh
) -> dict[str, jax.ShapeDtypeStruct]:
  """Shapes, dtypes and shardings of the features of a global batch."""
  return {
    name: jax.ShapeDtypeStruct(
      (batch_size, length),
      jnp.float32 if name == 'decoder_loss_weights' else jnp.int32,
      sharding=mesh_lib.batch_sharding(mesh),
    )
    for name in FEATURES
  }


def init_state(
  shape: accounting.ModelShape,
  settings: records.OptimizerSettings,
  seed: int,
  mesh: jax.sharding.Mesh,
) -> TrainState:
  """Fresh parameters and optimizer state, divided over the mesh.

  Their values do not depend on the mesh.
  """
  return _init(shape, _without_rate(settings), mesh)(np.uint32(seed))


def train_step(
  shape: accounting.ModelShape,
  settings: records.OptimizerSettings,
  execution: execution_lib.Execution,
  mesh: jax.sharding.Mesh,
) -> TrainStep:
  """The compiled update `(state, features, learning_rate) -> state, metrics`.

  The state that goes in is donated: it must not be used again. The loss is
  the mean cross-entropy over the batch's tokens plus
  `settings.z_loss` times the mean of log(Z)^2.
  """
  return _train_step(shape, _without_rate(settings), execution, mesh)


def _without_rate(
  settings: records.OptimizerSettings,
) -> records.OptimizerSettings:
  return dataclasses.replace(settings, peak_learning_rate=1.0)


def _sharding(path, leaf, mesh) -> jax.sharding.NamedSharding:
  """Of one array of a TrainState; moments lie where their parameter does."""
  keys = tuple(
    key.key for key in path if isinstance(key, jax.tree_util.DictKey)
  )
  if not keys:  # a counter of the optimizer
    return mesh_lib.replicated(mesh)
  return mesh_lib.parameter_sharding(
    mesh, leaf.shape, axes_lib.of_parameter(keys)
  )


def _init_function(shape, settings, mesh):
  transformation = optimizer_lib.gradient_transformation(settings)
  module = model(shape, execution_lib.AUTOMATIC, mesh)
  # One loop compiles in half the time; a single row cannot be divided.
  once = module.clone(unroll=1, attention='xla', mesh=None)

  def init(seed):
    tokens = jnp.zeros((1, 2), jnp.int32)
    params = once.init(jax.random.key(seed), tokens, tokens, tokens)
    return TrainState(params['params'], transformation.init(params['params']))

  return init


def _state_shardings(shape, settings, mesh) -> TrainState:
  return jax.tree.map(
    lambda leaf: leaf.sharding, abstract_state(shape, settings, mesh)
  )


@functools.cache
def _init(shape, settings, mesh):
  return jax.jit(
    _init_function(shape, settings, mesh),
    out_shardings=_state_shardings(shape, settings, mesh),
  )


def objective(
  module: transformer.Transformer,
  execution: execution_lib.Execution,
  params: Any,
  batch: Mapping[str, Any],
  z_loss: float = 0.0,
) -> tuple[jax.Array, loss.Sums]:
  """`loss.objective` of a batch."""
  hidden: Any = module.apply(
    {'params': params},
    batch['decoder_input_tokens'],
    batch['decoder_segment_ids'],
    batch['decoder_positions'],
    method='hidden',
  )
  return loss.objective(
    hidden,
    params['embedding' if module.shape.tie_embeddings else 'output'],
    batch['decoder_target_tokens'],
    batch['decoder_loss_weights'],
    z_loss=z_loss,
    mesh=module.mesh,
    block_tokens=execution.loss_block_tokens,
  )


def _accumulated(gradient, num_parts, mesh, shardings):
  """`gradient` of a batch as the sum over its parts, one after another.

  Every part has rows of every device: those whose place on the device is
  congruent modulo `num_parts`, so that no row moves to another device. Each
  part is divided by the tokens of the whole batch, so that parts of different
  weights count as they do in one piece.
  """
  constrain = jax.lax.with_sharding_constraint
  parts_sharding = mesh_lib.batch_sharding(mesh, leading=1)

  def divide(x):
    parts = x.reshape(-1, num_parts, *x.shape[1:]).swapaxes(0, 1)
    return constrain(parts, parts_sharding)

  def accumulated(params, batch, num_tokens):
    def add(total, part):
      of_part, (loss_sums, z_loss) = gradient(params, part, num_tokens)
      total = jax.tree.map(jnp.add, total, of_part)
      return constrain(total, shardings), (loss_sums, z_loss)

    zeros = constrain(jax.tree.map(jnp.zeros_like, params), shardings)
    total, (loss_sums, z_losses) = jax.lax.scan(
      add, zeros, jax.tree.map(divide, batch)
    )
    return total, (loss_sums.swapaxes(0, 1).reshape(-1), jnp.sum(z_losses))

  return accumulated


@functools.cache
def _train_step(shape, settings, execution, mesh):
  module = model(shape, execution, mesh)
  transformation = optimizer_lib.gradient_transformation(settings)
  state = _state_shardings(shape, settings, mesh)

  def mean(params, batch, num_tokens):
    total, sums = objective(module, execution, params, batch, settings.z_loss)
    z_loss = settings.z_loss * jnp.sum(sums.squares) / num_tokens
    return total / num_tokens, (sums.losses, z_loss)

  gradient = jax.grad(mean, has_aux=True)
  if execution.microbatches > 1:
    gradient = _accumulated(
      gradient, execution.microbatches, mesh, state.params
    )

  def step(state, batch, learning_rate):
    weights = batch['decoder_loss_weights']
    gradients, (loss_sums, z_loss) = gradient(
      state.params, batch, jnp.maximum(jnp.sum(weights), 1.0)
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
      loss_sums,
      jnp.sum(weights > 0, axis=1, dtype=jnp.int32),
      z_loss,
      optax.tree.norm(gradients),
    )

  whole = mesh_lib.replicated(mesh)
  return jax.jit(
    step,
    donate_argnums=0,
    in_shardings=(state, mesh_lib.batch_sharding(mesh), whole),
    out_shardings=(state, whole),
  )


@functools.cache
def eval_step(
  shape: accounting.ModelShape,
  execution: execution_lib.Execution,
  mesh: jax.sharding.Mesh,
) -> EvalStep:
  """The compiled `(params, features) -> loss sums`, float32 [batch]."""
  module = model(shape, execution, mesh)

  def loss_sums(params, batch):
    return objective(module, execution, params, batch)[1].losses

  return jax.jit(
    loss_sums,
    in_shardings=(None, mesh_lib.batch_sharding(mesh)),
    out_shardings=mesh_lib.replicated(mesh),
  )
