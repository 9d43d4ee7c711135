"""Cross-entropy per sequence, in nats, with z-loss kept apart.

A sequence belongs to one source, so sums per sequence give the loss of every
source on the host and the compiled step does not depend on the mixture.

Two forms compute the same. The plain one makes all logits and leaves the
gradient to JAX. The blocked one, for large vocabularies, makes the logits of
a block of tokens at a time and, where a gradient is wanted, makes it in the
same pass, so that logits are neither kept nor computed again.

Shape suffixes: B batch, L length, T tokens of a device, N tokens of a block,
D width, V vocabulary.
"""

from collections.abc import Sequence
import functools
import math
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp

from codelaw.models import axes as axes_lib

_PLAIN_LIMIT = 2**28  # bytes of float32 logits per device
# A block of N tokens costs 6 N D V FLOPs, and 12 D V bytes of memory traffic
# for the table in bfloat16 (read twice) and its gradient in float32 (read and
# written). At 197 TFLOP/s and 819 GB/s (TPU v5e) both take as long for N = 481.
_BLOCK_TOKENS = 1024


class Sums(NamedTuple):
  """Over the tokens of each sequence, float32 [B].

  Attributes:
    losses: cross-entropy in nats.
    squares: log(Z)^2.
    misses: tokens with a weight that are not the most likely ones at their
      places; None where they are not counted.
  """

  losses: Any
  squares: Any
  misses: Any = None


def sequence_sums(
  logits: jax.Array,
  targets: jax.Array,
  weights: jax.Array,
  count_misses: bool = False,
) -> Sums:
  """Sums of cross-entropy and of log(Z)^2 over the tokens of each sequence.

  Per token, with log Z = logsumexp(logits): cross-entropy = log Z -
  logits[target]. log(Z)^2 is the z-loss of PaLM (arXiv:2204.02311, section
  5).

  This plain form is the fastest one on a CPU: against it, at 2,048 tokens and
  a vocabulary of 1,024, the same loss with the target's logit from a one-hot
  product, with a gradient of its own, or fused over chunks of tokens took
  1.4 to 2.6 times as long.

  Args:
    logits: float32 [batch, length, vocabulary].
    targets: int32 [batch, length].
    weights: float32 [batch, length]; 0 where there is nothing to predict.
    count_misses: whether `Sums.misses` is wanted.
  """
  log_z = jax.nn.logsumexp(logits, axis=-1)
  target_logits = jnp.take_along_axis(logits, targets[..., None], axis=-1)
  losses = log_z - target_logits[..., 0]
  misses = None
  if count_misses:
    is_missed = target_logits[..., 0] < jnp.max(logits, axis=-1)
    misses = jnp.sum(is_missed & (weights > 0), axis=1, dtype=jnp.float32)
  return Sums(
    jnp.sum(losses * weights, axis=1),
    jnp.sum(log_z**2 * weights, axis=1),
    misses,
  )


def objective(
  hidden_BLD: jax.Array,
  table_VD: jax.Array,
  targets: jax.Array,
  weights: jax.Array,
  *,
  z_loss: float = 0.0,
  mesh: jax.sharding.Mesh | None = None,
  block_tokens: int | None = None,
  count_misses: bool = False,
) -> tuple[jax.Array, Sums]:
  """What is minimised, summed over tokens, and its parts.

  Only the first result has a gradient.

  Args:
    hidden_BLD: what the output projection gets, of the dtype of the
      computation.
    table_VD: output table, float32, with the axes `vocab` and `embed`.
    targets: int32 [B, L].
    weights: float32 [B, L]; 0 where there is nothing to predict.
    z_loss: factor of log(Z)^2.
    mesh: over which rows and table are divided; None is one device.
    block_tokens: tokens per device whose logits exist at a time; None takes
      the plain form while all logits of a device are small.
    count_misses: whether `Sums.misses` is wanted; not with a gradient.

  Returns:
    float32 [], the sum over all sequences of losses + z_loss * squares; and
    the sums of each sequence.
  """
  if block_tokens is None and _logits_bytes(hidden_BLD, table_VD, mesh) <= (
    _PLAIN_LIMIT
  ):
    logits = axes_lib.constrain(
      jnp.einsum(
        'BLD,VD->BLV',
        hidden_BLD,
        table_VD.astype(hidden_BLD.dtype),
        preferred_element_type=jnp.float32,
      ),
      mesh,
      ('batch', 'length', 'vocab'),
    )
    sums = sequence_sums(logits, targets, weights, count_misses)
    total = jnp.sum(sums.losses) + z_loss * jnp.sum(sums.squares)
  else:
    settings = _Settings(
      z_loss, mesh, block_tokens or _BLOCK_TOKENS, count_misses
    )
    total, sums = _blocked(settings, hidden_BLD, table_VD, targets, weights)
  return total, jax.tree.map(jax.lax.stop_gradient, sums)


def _logits_bytes(hidden_BLD, table_VD, mesh) -> int:
  """Of the float32 logits of one device."""
  shape: tuple[int, ...] = (*hidden_BLD.shape[:2], table_VD.shape[0])
  if mesh is not None:
    sharding = jax.sharding.NamedSharding(
      mesh, axes_lib.partition_spec(mesh, shape, ('batch', 'length', 'vocab'))
    )
    shape = sharding.shard_shape(shape)
  return 4 * math.prod(shape)


class _Settings(NamedTuple):
  """Of the blocked form; hashable, as what JAX traces must be."""

  z_loss: float
  mesh: jax.sharding.Mesh | None
  block_tokens: int
  count_misses: bool


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _blocked(settings, hidden_BLD, table_VD, targets, weights):
  total, sums, _ = _on_mesh(
    settings, False, hidden_BLD, table_VD, targets, weights
  )
  return total, sums


def _blocked_forward(settings, hidden_BLD, table_VD, targets, weights):
  total, sums, gradients = _on_mesh(
    settings, True, hidden_BLD, table_VD, targets, weights
  )
  return (total, sums), gradients


def _blocked_backward(settings, gradients, cotangents):
  del settings
  scale, _ = cotangents
  return (
    *((scale * gradient).astype(gradient.dtype) for gradient in gradients),
    None,
    None,
  )


_blocked.defvjp(_blocked_forward, _blocked_backward)


class _Places(NamedTuple):
  """Mesh axes over which arrays of a device are parts of a whole."""

  rows: Sequence[str] = ()
  vocab: Sequence[str] = ()
  embed: Sequence[str] = ()


def _on_mesh(settings, with_gradients, hidden_BLD, table_VD, targets, weights):
  """Total, sums, and the gradients of hidden states and table or ()."""
  mesh = settings.mesh
  if mesh is None or mesh.size == 1:
    of_device = functools.partial(
      _of_device, settings, with_gradients, _Places()
    )
    return of_device(hidden_BLD, table_VD, targets, weights)
  spec = axes_lib.partition_spec(mesh, table_VD.shape, ('vocab', 'embed'))
  vocab, embed = (() if axis is None else (axis,) for axis in spec)
  places = _Places(axes_lib.BATCH_AXES, vocab, embed)
  rows = jax.sharding.PartitionSpec(axes_lib.BATCH_AXES)
  return jax.shard_map(
    functools.partial(_of_device, settings, with_gradients, places),
    mesh=mesh,
    in_specs=(rows, spec, rows, rows),
    out_specs=(
      jax.sharding.PartitionSpec(),
      Sums(rows, rows, rows if settings.count_misses else None),
      (rows, spec) if with_gradients else (),
    ),
    # Gradients are made here, none is derived: nothing needs to know what is
    # replicated.
    check_vma=False,
  )(hidden_BLD, table_VD, targets, weights)


def _of_device(
  settings, with_gradients, places, hidden_BLD, table_VD, targets, weights
):
  """`_on_mesh` of the rows and the part of the table that one device has."""
  batch, length, width = hidden_BLD.shape
  num_tokens = batch * length
  block = min(settings.block_tokens, num_tokens)
  num_blocks = math.ceil(num_tokens / block)
  table_VD = table_VD.astype(hidden_BLD.dtype)
  if places.embed:
    table_VD = jax.lax.all_gather(table_VD, places.embed, axis=1, tiled=True)
  first = 0
  if places.vocab:
    first = jax.lax.axis_index(places.vocab) * table_VD.shape[0]

  def blocks(x, *dims):
    flat = x.reshape(num_tokens, *dims)
    padding = num_blocks * block - num_tokens  # weighs nothing
    flat = jnp.pad(flat, ((0, padding), *((0, 0) for _ in dims)))
    return flat.reshape(num_blocks, block, *dims)

  def tokens(x_TX):
    """The blocks' tokens as the device has them."""
    flat = x_TX.reshape(num_blocks * block, *x_TX.shape[2:])
    return flat[:num_tokens].reshape(batch, length, *x_TX.shape[2:])

  def body(table_gradient, block_inputs):
    hidden_ND, targets_N, weights_N = block_inputs
    logits_NV = _product('ND,VD->NV', hidden_ND, table_VD)
    columns_N = targets_N - first
    highest_N = _over(jax.lax.pmax, jnp.max(logits_NV, axis=-1), places.vocab)
    shifted_NV = jnp.exp(logits_NV - highest_N[:, None])
    partition_N = _over(
      jax.lax.psum, jnp.sum(shifted_NV, axis=-1), places.vocab
    )
    log_z_N = jnp.log(partition_N) + highest_N
    target_NV = columns_N[:, None] == jnp.arange(table_VD.shape[0])
    targets_logits_N = _over(
      jax.lax.psum,
      jnp.sum(jnp.where(target_NV, logits_NV, 0.0), axis=-1),
      places.vocab,
    )
    outputs = (
      (log_z_N - targets_logits_N) * weights_N,
      log_z_N**2 * weights_N,
      (targets_logits_N < highest_N) & (weights_N > 0)
      if settings.count_misses
      else None,
    )
    if not with_gradients:
      return None, (outputs, ())
    # d loss / d logits = p - [target]; d log(Z)^2 / d logits = 2 log(Z) p.
    factor_N = weights_N * (1 + 2 * settings.z_loss * log_z_N) / partition_N
    change_NV = shifted_NV * factor_N[:, None] - jnp.where(
      target_NV, weights_N[:, None], 0.0
    )
    change_NV = change_NV.astype(hidden_ND.dtype)
    hidden_gradient = _over(
      jax.lax.psum, _product('NV,VD->ND', change_NV, table_VD), places.vocab
    )
    table_gradient += _product('NV,ND->VD', change_NV, hidden_ND)
    return table_gradient, (outputs, hidden_gradient.astype(hidden_ND.dtype))

  zeros = (
    jnp.zeros((table_VD.shape[0], width), jnp.float32)
    if with_gradients
    else None
  )
  table_gradient, (of_tokens, hidden_gradient) = jax.lax.scan(
    body, zeros, (blocks(hidden_BLD, width), blocks(targets), blocks(weights))
  )
  sums = Sums(
    *jax.tree.map(
      lambda x: jnp.sum(tokens(x), axis=1, dtype=jnp.float32), of_tokens
    )
  )
  total = jnp.sum(sums.losses) + settings.z_loss * jnp.sum(sums.squares)
  total = _over(jax.lax.psum, total, places.rows)
  if not with_gradients:
    return total, sums, ()
  if places.embed:
    table_gradient = jax.lax.psum_scatter(
      table_gradient, places.embed, scatter_dimension=1, tiled=True
    )
  table_gradient = _over(
    jax.lax.psum,
    table_gradient,
    [axis for axis in places.rows if axis not in places.embed],
  )
  return total, sums, (tokens(hidden_gradient), table_gradient)


def _product(equation, *operands):
  return jnp.einsum(equation, *operands, preferred_element_type=jnp.float32)


def _over(reduce, x, axis_names):
  """`reduce` over these axes of the mesh, if any."""
  return reduce(x, tuple(axis_names)) if axis_names else x
