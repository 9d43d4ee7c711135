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

Generation (`codelaw.evaluation`) keeps what attention needs of earlier tokens.
Where the collection `new` is mutable, every layer puts its `keys` (rotated) and
`values` there, and what the collection `cache` holds under the same names are
keys and values before those of the inputs. Training has neither.

Shape suffixes: B batch, L length, S length of keys, D width, V vocabulary,
H query heads, K key and value heads, h head dimension.
"""

from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp

from codelaw import accounting
from codelaw.models import attention as attention_lib
from codelaw.models import axes as axes_lib
from codelaw.models import embedding as embedding_lib
from codelaw.models import projection

Dtype = Any

_STREAM = ('batch', 'length', 'width')  # of the residual stream, rows divided

# With logits scaled by width**-0.5, as in PaLM (arXiv:2204.02311, section 5).
# A deviation of 0.02 without the scale learnt far more slowly: in 98 updates
# of a model of 58,016 parameters, to 5.62 nats per token instead of 4.95.
_EMBEDDING_STDDEV = 1.0
_NORM_EPSILON = 1e-6


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
  turned = jnp.concatenate(
    [first * cosine - second * sine, second * cosine + first * sine], axis=-1
  )
  return turned.astype(x_BLHh.dtype)


class Attention(nn.Module):
  """Multi-head or grouped-query attention inside a document."""

  shape: accounting.ModelShape
  dtype: Dtype
  param_dtype: Dtype
  implementation: str
  mesh: jax.sharding.Mesh | None

  @nn.compact
  def __call__(self, x_BLD, cosine, sine, context):
    """What attention adds to `x_BLD`."""
    shape = self.shape

    def project(heads, name):
      x_BLHh = nn.DenseGeneral(
        (heads, shape.head_dim),
        use_bias=False,
        dtype=self.dtype,
        param_dtype=self.param_dtype,
        kernel_init=_kernel_init(1.0),
        dot_general=projection.dot_general,
        name=name,
      )(x_BLD)
      axis = 'heads' if name == 'query' else 'kv_heads'
      return axes_lib.constrain(
        x_BLHh, self.mesh, ('batch', 'length', axis, 'head_dim')
      )

    q_BLHh = rotate(project(shape.num_heads, 'query'), cosine, sine)
    k_BSKh = rotate(project(shape.kv_heads, 'key'), cosine, sine)
    v_BSKh = project(shape.kv_heads, 'value')
    implementation = self.implementation
    if not self.is_initializing():
      _put(self, k_BSKh, v_BSKh)
      if self.has_variable('cache', 'keys'):
        k_BSKh, v_BSKh = _after_cached(self, k_BSKh, v_BSKh)
        implementation = 'xla'  # kernels are for as many queries as keys
    mixed_BLHh = attention_lib.attend(
      implementation, q_BLHh, k_BSKh, v_BSKh, context, self.mesh
    )
    return nn.DenseGeneral(
      shape.width,
      axis=(-2, -1),
      use_bias=False,
      dtype=self.dtype,
      param_dtype=self.param_dtype,
      kernel_init=_kernel_init(_residual_scale(shape)),
      dot_general=projection.dot_general,
      name='output',
    )(mixed_BLHh)


def _put(module, keys, values) -> None:
  for name, value in (('keys', keys), ('values', values)):
    module.sow(
      'new', name, value, init_fn=lambda: None, reduce_fn=lambda _, new: new
    )


def _after_cached(module, keys, values) -> tuple[jax.Array, jax.Array]:
  def joined(name, new):
    return jnp.concatenate([module.get_variable('cache', name), new], axis=1)

  return joined('keys', keys), joined('values', values)


class FeedForward(nn.Module):
  """SwiGLU: (silu(x W_gate) * (x W_up)) W_down."""

  shape: accounting.ModelShape
  dtype: Dtype
  param_dtype: Dtype
  mesh: jax.sharding.Mesh | None

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
        dot_general=projection.dot_general,
        name=name,
      )

    gate = dense(self.shape.mlp_width, 1.0, 'gate')(x_BLD)
    up = dense(self.shape.mlp_width, 1.0, 'up')(x_BLD)
    down = dense(self.shape.width, _residual_scale(self.shape), 'down')
    middle = axes_lib.constrain(
      nn.silu(gate) * up, self.mesh, ('batch', 'length', 'mlp')
    )
    return down(middle)


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
  attention: str
  mesh: jax.sharding.Mesh | None

  @nn.compact
  def __call__(self, x_BLD, cosine, sine, context):
    """(`x_BLD` after this layer, nothing to stack)."""

    def norm(name):
      return _norm(self.shape, self.dtype, self.param_dtype, name)

    attention = Attention(
      self.shape,
      self.dtype,
      self.param_dtype,
      self.attention,
      self.mesh,
      name='attention',
    )
    mlp = FeedForward(
      self.shape, self.dtype, self.param_dtype, self.mesh, name='mlp'
    )
    if self.shape.family == 'parallel':
      normed = norm('norm')(x_BLD)
      x_BLD += attention(normed, cosine, sine, context) + mlp(normed)
    else:
      x_BLD += attention(norm('attention_norm')(x_BLD), cosine, sine, context)
      x_BLD += mlp(norm('mlp_norm')(x_BLD))
    return axes_lib.constrain(x_BLD, self.mesh, _STREAM), None


class Transformer(nn.Module):
  """Tokens to final hidden states, or to logits.

  Attributes:
    shape: sizes and family.
    dtype: of the computation; statistics of norms, rotations, softmax and
      logits stay in float32.
    param_dtype: of the parameters.
    remat: of `execution.REMAT_POLICIES`, applied to each layer.
    attention: `xla`, `splash` or `cudnn`.
    unroll: layers per iteration of the loop over layers; more compile longer
      and may run faster.
    mesh: over which parameters and activations are divided; None is one
      device.
  """

  shape: accounting.ModelShape
  dtype: Dtype = jnp.float32
  param_dtype: Dtype = jnp.float32
  remat: str = 'none'
  attention: str = 'xla'
  unroll: int = 1
  mesh: jax.sharding.Mesh | None = None

  def setup(self):
    """Makes the parameters."""
    shape = self.shape
    self.embedding = self.param(
      'embedding',
      nn.initializers.normal(_EMBEDDING_STDDEV),
      (shape.vocab_size, shape.width),
      self.param_dtype,
    )
    block = Block
    if self.remat != 'none':
      block = nn.remat(
        Block,
        # In a loop there is nothing that the compiler could merge the second
        # computation with.
        prevent_cse=self.unroll > 1,
        policy=(attention_lib.keep_results if self.remat == 'dots' else None),
      )
    self.layers = nn.scan(
      block,
      variable_axes={'params': 0, 'cache': 0, 'new': 0},
      split_rngs={'params': True},
      in_axes=(nn.broadcast, nn.broadcast, nn.broadcast),
      length=shape.num_layers,
      unroll=self.unroll,
    )(shape, self.dtype, self.param_dtype, self.attention, self.mesh)
    self.final_norm = _norm(shape, self.dtype, self.param_dtype)
    if not shape.tie_embeddings:
      self.output = self.param(
        'output',
        nn.initializers.normal(_EMBEDDING_STDDEV),
        (shape.vocab_size, shape.width),
        self.param_dtype,
      )

  def hidden(self, tokens, segment_ids, positions, visible=None):
    """What the output projection gets, [B, L, D], of int32 [B, L] inputs.

    Args:
      tokens: inputs.
      segment_ids: of their documents.
      positions: inside their documents.
      visible: for inputs of length 1 that follow those of the `cache`: bool
        [B, S], the places of the cache that they see; segments say nothing.
    """
    cosine, sine = rotary_angles(
      positions, self.shape.head_dim, self.shape.rope_base
    )
    x_BLD = embedding_lib.look_up(self.embedding, tokens, self.dtype, self.mesh)
    if visible is None:
      context = attention_lib.context(self.attention, segment_ids)
    else:
      context = attention_lib.context_of_cache(visible)
    x_BLD, _ = self.layers(x_BLD, cosine, sine, context)
    return self.final_norm(x_BLD) * self.shape.width**-0.5

  def __call__(self, tokens, segment_ids, positions):
    """Logits, float32 [B, L, V], of int32 [B, L] inputs."""
    return self.logits(self.hidden(tokens, segment_ids, positions))

  def logits(self, x_BLD):
    """Of what `hidden` gives, float32 [B, L, V]."""
    table = self.embedding if self.shape.tie_embeddings else self.output
    return jnp.einsum(
      'BLD,VD->BLV',
      x_BLD,
      table.astype(self.dtype),
      preferred_element_type=jnp.float32,
    )
