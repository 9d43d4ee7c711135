"""The decoder-only Transformer of every run, as one Flax (Linen) module.

Both families of `accounting.ModelShape` are the same module: *sequential*
(LLaMA, arXiv:2302.13971) and *parallel* (attention and feed-forward read one
norm and are summed: PaLM, arXiv:2204.02311, section 2). Sequential models
have RMSNorm (arXiv:1910.07467); parallel ones LayerNorm without bias
(arXiv:1607.06450), as PaLM and Cohere's models have it. Positions are rotary
(arXiv:2104.09864), the feed-forward layer is SwiGLU (arXiv:2002.05202);
nothing has a bias. Layers are scanned, so their parameters are stacked on a
leading axis of `num_layers`. Logits are the product of the final hidden
states and the output table, times width**-0.5.

Shape suffixes: B batch, L length, S length of keys, D width, H query heads,
K key and value heads, G query heads per key head, h head dimension.
"""

from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp

from codelaw import accounting

Dtype = Any

# With logits scaled by width**-0.5, as in PaLM (arXiv:2204.02311, section 5).
# A deviation of 0.02 without the scale learnt far more slowly: in 98 updates
# of a model of 58,016 parameters, to 5.62 nats per token instead of 4.95.
_EMBEDDING_STDDEV = 1.0
_NORM_EPSILON = 1e-6
_MASKED = -1e30  # exp of it is exactly 0 after any finite maximum is taken off


def rotary_angles(
  positions: jax.Array, head_dim: int, base: float
) -> tuple[jax.Array, jax.Array]:
  """Cosine and sine of the rotary angles, float32 [B, L, 1, head_dim / 2].

  Args:
    positions: int32 [B, L], of each token inside its document.
    head_dim: dimension of one head, even.
    base: of the geometric series of wavelengths.
  """
  exponents = jnp.arange(0, head_dim, 2, dtype=jnp.float32) / head_dim
  angles = positions[:, :, None, None] * (base**-exponents)[None, None, None]
  return jnp.cos(angles), jnp.sin(angles)


def rotate(x_BLHh: jax.Array, cosine: jax.Array, sine: jax.Array) -> jax.Array:
  """Rotates each pair (i, i + head_dim / 2) of a head by its angle."""
  first, second = jnp.split(x_BLHh, 2, axis=-1)
  cosine, sine = cosine.astype(x_BLHh.dtype), sine.astype(x_BLHh.dtype)
  return jnp.concatenate(
    [first * cosine - second * sine, second * cosine + first * sine], axis=-1
  )


def attention_bias(segment_ids: jax.Array) -> jax.Array:
  """What is added to the attention scores, float32 [B, 1, 1, L, S].

  0 where the key is not later than the query and in the same document,
  otherwise so low that its weight is exactly 0. Padding (segment 0) sees
  itself, so that no row is empty.

  Args:
    segment_ids: int32 [B, L].
  """
  length = segment_ids.shape[1]
  causal = jnp.tril(jnp.ones((length, length), dtype=bool))
  same = segment_ids[:, :, None] == segment_ids[:, None, :]
  return jnp.where(causal[None] & same, 0.0, _MASKED)[:, None, None]


class Attention(nn.Module):
  """Multi-head or grouped-query attention inside a document."""

  shape: accounting.ModelShape
  dtype: Dtype
  param_dtype: Dtype

  @nn.compact
  def __call__(self, x_BLD, cosine, sine, bias):
    """What attention adds to `x_BLD`."""
    shape = self.shape
    groups = shape.num_heads // shape.kv_heads

    def project(heads, name):
      return nn.DenseGeneral(
        (heads, shape.head_dim),
        use_bias=False,
        dtype=self.dtype,
        param_dtype=self.param_dtype,
        kernel_init=_kernel_init(1.0),
        name=name,
      )(x_BLD)

    q_BLHh = rotate(project(shape.num_heads, 'query'), cosine, sine)
    k_BSKh = rotate(project(shape.kv_heads, 'key'), cosine, sine)
    v_BSKh = project(shape.kv_heads, 'value')
    q_BLKGh = q_BLHh.reshape(
      *q_BLHh.shape[:2], shape.kv_heads, groups, shape.head_dim
    )
    scores = jnp.einsum(
      'BLKGh,BSKh->BKGLS',
      q_BLKGh * shape.head_dim**-0.5,
      k_BSKh,
      preferred_element_type=jnp.float32,
    )
    weights = jax.nn.softmax(scores + bias, axis=-1).astype(self.dtype)
    mixed = jnp.einsum('BKGLS,BSKh->BLKGh', weights, v_BSKh)
    return nn.DenseGeneral(
      shape.width,
      axis=(-2, -1),
      use_bias=False,
      dtype=self.dtype,
      param_dtype=self.param_dtype,
      kernel_init=_kernel_init(_residual_scale(shape)),
      name='output',
    )(mixed.reshape(q_BLHh.shape))


class FeedForward(nn.Module):
  """SwiGLU: (silu(x W_gate) * (x W_up)) W_down."""

  shape: accounting.ModelShape
  dtype: Dtype
  param_dtype: Dtype

  @nn.compact
  def __call__(self, x_BLD):
    """What the feed-forward layer adds to `x_BLD`."""

    def dense(features, scale, name):
      return nn.Dense(
        features,
        use_bias=False,
        dtype=self.dtype,
        param_dtype=self.param_dtype,
        kernel_init=_kernel_init(scale),
        name=name,
      )

    gate = dense(self.shape.mlp_width, 1.0, 'gate')(x_BLD)
    up = dense(self.shape.mlp_width, 1.0, 'up')(x_BLD)
    down = dense(self.shape.width, _residual_scale(self.shape), 'down')
    return down(nn.silu(gate) * up)


def _kernel_init(scale: float) -> nn.initializers.Initializer:
  return nn.initializers.variance_scaling(scale, 'fan_in', 'normal')


def _residual_scale(shape: accounting.ModelShape) -> float:
  """Variance scale of what is added to the residual stream (GPT-2)."""
  return 1.0 / (2 * shape.num_layers)


def _norm(shape, dtype, param_dtype, name=None) -> nn.Module:
  """The norm of a family: one `scale`, statistics in float32."""
  settings = dict(
    epsilon=_NORM_EPSILON, dtype=dtype, param_dtype=param_dtype, name=name
  )
  if shape.family == 'parallel':
    return nn.LayerNorm(use_bias=False, **settings)
  return nn.RMSNorm(**settings)


class Block(nn.Module):
  """One layer, in the form that `nn.scan` carries."""

  shape: accounting.ModelShape
  dtype: Dtype
  param_dtype: Dtype

  @nn.compact
  def __call__(self, x_BLD, cosine, sine, bias):
    """(`x_BLD` after this layer, nothing to stack)."""

    def norm(name):
      return _norm(self.shape, self.dtype, self.param_dtype, name)

    attention = Attention(
      self.shape, self.dtype, self.param_dtype, name='attention'
    )
    mlp = FeedForward(self.shape, self.dtype, self.param_dtype, name='mlp')
    if self.shape.family == 'parallel':
      normed = norm('norm')(x_BLD)
      x_BLD += attention(normed, cosine, sine, bias) + mlp(normed)
    else:
      x_BLD += attention(norm('attention_norm')(x_BLD), cosine, sine, bias)
      x_BLD += mlp(norm('mlp_norm')(x_BLD))
    return x_BLD, None


class Transformer(nn.Module):
  """Tokens to final hidden states, or to logits.

  Attributes:
    shape: sizes and family.
    dtype: of the computation; norms, scores and the loss stay in float32.
    param_dtype: of the parameters.
    remat: whether the backward pass computes each layer again instead of
      keeping its activations.
    unroll: layers per iteration of the loop over layers; more compile longer
      and may run faster.
  """

  shape: accounting.ModelShape
  dtype: Dtype = jnp.float32
  param_dtype: Dtype = jnp.float32
  remat: bool = False
  unroll: int = 1

  def setup(self):
    """Makes the parameters."""
    shape = self.shape
    self.embedding = self.param(
      'embedding',
      nn.initializers.normal(_EMBEDDING_STDDEV),
      (shape.vocab_size, shape.width),
      self.param_dtype,
    )
    block = nn.remat(Block, prevent_cse=False) if self.remat else Block
    self.layers = nn.scan(
      block,
      variable_axes={'params': 0},
      split_rngs={'params': True},
      in_axes=(nn.broadcast, nn.broadcast, nn.broadcast),
      length=shape.num_layers,
      unroll=self.unroll,
    )(shape, self.dtype, self.param_dtype)
    self.final_norm = _norm(shape, self.dtype, self.param_dtype)
    if not shape.tie_embeddings:
      self.output = self.param(
        'output',
        nn.initializers.normal(_EMBEDDING_STDDEV),
        (shape.vocab_size, shape.width),
        self.param_dtype,
      )

  def hidden(self, tokens, segment_ids, positions):
    """What the output projection gets, [B, L, D], of int32 [B, L] inputs."""
    cosine, sine = rotary_angles(
      positions, self.shape.head_dim, self.shape.rope_base
    )
    x_BLD = jnp.take(self.embedding, tokens, axis=0).astype(self.dtype)
    x_BLD, _ = self.layers(x_BLD, cosine, sine, attention_bias(segment_ids))
    return self.final_norm(x_BLD) * self.shape.width**-0.5

  def __call__(self, tokens, segment_ids, positions):
    """Logits, float32 [B, L, V], of int32 [B, L] inputs."""
    x_BLD = self.hidden(tokens, segment_ids, positions)
    table = self.embedding if self.shape.tie_embeddings else self.output
    return jnp.einsum(
      'BLD,VD->BLV',
      x_BLD,
      table.astype(self.dtype),
      preferred_element_type=jnp.float32,
    )
