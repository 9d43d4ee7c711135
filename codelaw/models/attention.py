"""Causal attention inside documents, by three implementations.

`xla` is einsums and runs anywhere; `splash` is the Pallas kernel for TPUs
(interpreted, and slow, on CPUs); `cudnn` is the fused kernel of NVIDIA GPUs.
All compute the same: a query sees the keys of its own document (equal segment
ids) that are not later, with scores over head_dim**0.5 and a softmax in
float32. A query in padding (segment 0) sees earlier padding.

Shape suffixes: B batch, L length, S length of keys, K key and value heads,
G query heads per key head, H = K G query heads, h head dimension.
"""

from collections.abc import Callable
import functools
import math
from typing import Any

import jax
from jax.experimental.pallas.ops.tpu import splash_attention
import jax.numpy as jnp

from codelaw import accounting
from codelaw import errors
from codelaw.models import axes as axes_lib
from codelaw.models import projection

_MASKED = -1e30  # exp of it is exactly 0 after any finite maximum is taken off
_RESIDUALS = 'splash_residuals'  # results that its gradient needs
_LANES = 128  # of a TPU's vector registers: splash takes multiples of it
# Queries and keys of a tile of splash: the default of MaxText (sa_block_q).
_SPLASH_BLOCK = 512
_CUDNN_HEAD_DIM_LIMIT = 128  # of every GPU since Ampere; Hopper takes 256


def resolve(
  choice: str,
  shape: accounting.ModelShape,
  platform: str,
  dtype: str,
  tensor: int,
) -> str:
  """The implementation that is used: `xla`, `splash` or `cudnn`.

  Args:
    choice: of `execution.ATTENTIONS`; `auto` takes the kernel of the platform
      where it works, else `xla`.
    shape: of the model.
    platform: of the mesh's devices, as JAX names it.
    dtype: of the computation.
    tensor: devices along the mesh's axis `tensor`.

  Raises:
    UserError: when the choice cannot work.
  """
  obstacles = {
    'xla': None,
    'splash': _splash_obstacle(shape, platform, tensor),
    'cudnn': _cudnn_obstacle(shape, platform, dtype, tensor),
  }
  if choice == 'auto':
    kernel = {'tpu': 'splash', 'gpu': 'cudnn'}.get(platform, 'xla')
    return 'xla' if obstacles[kernel] else kernel
  if obstacles[choice]:
    raise errors.UserError(
      f"Execution.attention = '{choice}' {obstacles[choice]}; set it to"
      " 'auto' or 'xla'."
    )
  return choice


def _splash_obstacle(shape, platform, tensor) -> str | None:
  if platform not in ('tpu', 'cpu'):
    return f'is for TPUs, but the mesh is of {platform} devices'
  return _heads_obstacle(shape, tensor)


def _cudnn_obstacle(shape, platform, dtype, tensor) -> str | None:
  if platform != 'gpu':
    return f'is for NVIDIA GPUs, but the mesh is of {platform} devices'
  if dtype != 'bfloat16':
    return f'computes in bfloat16, but the compute_dtype is {dtype}'
  if shape.head_dim % 8 or shape.head_dim > _CUDNN_HEAD_DIM_LIMIT:
    return (
      f'takes a head_dim that is a multiple of 8 up to'
      f' {_CUDNN_HEAD_DIM_LIMIT}, but the model has {shape.head_dim}'
    )
  return _heads_obstacle(shape, tensor)


def _heads_obstacle(shape, tensor) -> str | None:
  if shape.num_heads % tensor or shape.kv_heads % tensor:
    return (
      f'divides heads over MeshShape.tensor = {tensor}, which does not divide'
      f' {shape.num_heads} query and {shape.kv_heads} key heads'
    )
  return None


def context(implementation: str, segment_ids: jax.Array) -> jax.Array:
  """What `attend` needs to know of documents, the same in every layer.

  Args:
    implementation: `xla`, `splash` or `cudnn`.
    segment_ids: int32 [B, L].
  """
  if implementation == 'splash':
    return segment_ids
  allowed = _allowed(segment_ids)
  if implementation == 'cudnn':
    # One byte for a pair of tokens, shared by heads and layers. What costs
    # less, documents as offsets, needs a limit on documents in a sequence and
    # has no public interface in JAX.
    return allowed[:, None]
  return jnp.where(allowed, 0.0, _MASKED)[:, None]


def context_of_cache(visible_BS: jax.Array) -> jax.Array:
  """`context` of one query per row, for `xla`.

  Args:
    visible_BS: bool, the keys before it that it sees beside its own, which
      comes after them.
  """
  bias_BS = jnp.where(visible_BS, 0.0, _MASKED)
  return jnp.pad(bias_BS, ((0, 0), (0, 1)))[:, None, None]


def attend(
  implementation: str,
  q_BLHh: jax.Array,
  k_BSKh: jax.Array,
  v_BSKh: jax.Array,
  context: jax.Array,
  mesh: jax.sharding.Mesh | None = None,
) -> jax.Array:
  """Weighted means of values, [B, L, H, h].

  Args:
    implementation: `xla`, `splash` or `cudnn`.
    q_BLHh: queries, of the dtype of the computation.
    k_BSKh: keys.
    v_BSKh: values.
    context: of `context`.
    mesh: over which rows and heads are divided; None is one device.
  """
  if implementation == 'xla':
    return _xla(q_BLHh, k_BSKh, v_BSKh, context)
  kernel: Callable[..., jax.Array] = _cudnn
  if implementation == 'splash':
    platform = (
      jax.default_backend() if mesh is None else mesh.devices.flat[0].platform
    )
    kernel = functools.partial(_splash, interpret=platform == 'cpu')
  if mesh is not None and mesh.size > 1:
    rows = jax.sharding.PartitionSpec(axes_lib.BATCH_AXES)
    heads = jax.sharding.PartitionSpec(axes_lib.BATCH_AXES, None, 'tensor')
    # Replication cannot be checked through a Pallas call. Nothing that has a
    # gradient is replicated: every mesh axis divides rows or heads.
    kernel = jax.shard_map(
      kernel,
      mesh=mesh,
      in_specs=(heads, heads, heads, rows),
      out_specs=heads,
      check_vma=False,
    )
  return kernel(q_BLHh, k_BSKh, v_BSKh, context)


def _allowed(segment_ids) -> jax.Array:
  """Whether a query sees a key, bool [B, L, S]."""
  length = segment_ids.shape[1]
  causal = jnp.tril(jnp.ones((length, length), dtype=bool))
  same = segment_ids[:, :, None] == segment_ids[:, None, :]
  return causal[None] & same


def _xla(q_BLHh, k_BSKh, v_BSKh, bias_B1LS):
  batch, length, heads, head_dim = q_BLHh.shape
  keys, kv_heads = k_BSKh.shape[1:3]
  # XLA's products on CPUs are fast where matrices lie side by side: heads come
  # first, and the queries of all G heads of a key head are one matrix.
  q_BKMh = (q_BLHh * head_dim**-0.5).swapaxes(1, 2)
  q_BKMh = q_BKMh.reshape(batch, kv_heads, -1, head_dim)  # M = G L
  scores_BKMS = jnp.einsum(
    'BKMh,BSKh->BKMS',
    q_BKMh,
    k_BSKh,
    preferred_element_type=jnp.float32,
  )
  scores_BHLS = scores_BKMS.reshape(batch, heads, length, keys)
  weights_BHLS = _softmax(scores_BHLS + bias_B1LS).astype(q_BLHh.dtype)
  weights_BKMS = weights_BHLS.reshape(scores_BKMS.shape)
  mixed_BKMh = jnp.einsum('BKMS,BSKh->BKMh', weights_BKMS, v_BSKh)
  return mixed_BKMh.reshape(batch, heads, length, head_dim).swapaxes(1, 2)


@jax.custom_vjp
def _softmax(scores):
  """Over the last axis. Its gradient needs nothing but its result."""
  return jax.nn.softmax(scores, axis=-1)


def _softmax_forward(scores):
  weights = _softmax(scores)
  return weights, weights


def _softmax_backward(weights, gradient):
  mean = jnp.sum(weights * gradient, axis=-1, keepdims=True)
  return (weights * (gradient - mean),)


_softmax.defvjp(_softmax_forward, _softmax_backward)


def _cudnn(q_BLHh, k_BSKh, v_BSKh, allowed):
  # is_causal says nothing new, but lets the kernel skip later tiles.
  return jax.nn.dot_product_attention(
    q_BLHh,
    k_BSKh,
    v_BSKh,
    mask=allowed,
    is_causal=True,
    implementation='cudnn',
  )


def _splash(q_BLHh, k_BSKh, v_BSKh, segment_ids, *, interpret):
  length, heads, head_dim = q_BLHh.shape[1:]
  lanes = math.ceil(length / _LANES) * _LANES
  block = min(lanes, _SPLASH_BLOCK)
  padding = -length % block

  def heads_first(x_BLHh):
    padded = jnp.pad(x_BLHh, ((0, 0), (0, padding), (0, 0), (0, 0)))
    return padded.swapaxes(1, 2)

  # Padding is no document's, so that nothing sees it but itself.
  segment_ids = jnp.pad(segment_ids, ((0, 0), (0, padding)), constant_values=-1)
  kernel = _splash_kernel(heads, length + padding, block, interpret)

  def of_row(q_HLh, k_KSh, v_KSh, ids):
    return kernel(q_HLh, k_KSh, v_KSh, splash_attention.SegmentIds(ids, ids))

  mixed = jax.vmap(of_row)(
    heads_first(q_BLHh * head_dim**-0.5),
    heads_first(k_BSKh),
    heads_first(v_BSKh),
    segment_ids,
  )
  return mixed.swapaxes(1, 2)[:, :length]


def _splash_kernel(heads, length, block, interpret):
  return splash_attention.make_splash_mha_single_device(
    splash_attention.MultiHeadMask(
      [splash_attention.CausalMask((length, length))] * heads
    ),
    block_sizes=splash_attention.BlockSizes(
      block_q=block,
      block_kv=block,
      block_q_dkv=block,
      block_kv_dkv=block,
      block_q_dq=block,
      block_kv_dq=block,
    ),
    residual_checkpoint_name=_RESIDUALS,
    interpret=interpret,
  )


_NAMED = jax.checkpoint_policies.save_only_these_names(
  _RESIDUALS, projection.RESULT
)


def keep_results(primitive: Any, *args: Any, **params: Any) -> Any:
  """Whether a backward pass under `dots` keeps a result of this operation.

  Products with weights and what a kernel gives (with the sums that its
  gradient needs) are kept. Scores are not: they grow with the square of the
  length.
  """
  if primitive.name.startswith('dot_product_attention_fwd'):  # cuDNN's
    return True
  return _NAMED(primitive, *args, **params)
