"""Exact counts: parameters by group, FLOPs per token, peaks of chips.

Definitions owned here:
  num_params: every trainable value of the model (N in the papers).
  num_params_no_embed: `num_params` without the token embedding and, where it
    is separate, the output projection.
  FLOPs: one multiply-add is two FLOPs; a training step costs three forward
    passes (one forward, two backward); element-wise work, the softmax and
    rematerialisation are not counted (arXiv:2001.08361, section 2.1;
    arXiv:2204.02311, appendix B).
"""

from collections.abc import Mapping
import dataclasses

from codelaw import errors

FAMILIES = ('sequential', 'parallel')


@dataclasses.dataclass(frozen=True)
class Chip:
  """What a vendor's data sheet says of one accelerator chip.

  Attributes:
    flops_per_second: dense peak in bfloat16.
    hbm_bytes: size of its main memory.
    hbm_bytes_per_second: between main memory and compute.
    link_bytes_per_second: one way, of one of the links to its neighbours in
      the torus of a slice; None where codelaw compiles for no slices.
  """

  flops_per_second: float
  hbm_bytes: float
  hbm_bytes_per_second: float
  link_bytes_per_second: float | None = None


# By JAX's device_kind. TPUs: https://cloud.google.com/tpu/docs/v4, /v5e, /v5p,
# /v6e ("key chip specifications"); v5e has 16 GB at 819 GB/s and 1,600 Gbit/s
# of interconnect each way, over the four links of a two-dimensional torus.
# GPUs: NVIDIA's data sheets of the SXM boards (A100 80 GB, H100, H200).
_V5E = Chip(197e12, 16 * 2**30, 819e9, 1600e9 / 8 / 4)
CHIPS: Mapping[str, Chip] = {
  'TPU v4': Chip(275e12, 32 * 2**30, 1228e9),
  'TPU v5 lite': _V5E,
  'TPU v5e': _V5E,
  'TPU v5p': Chip(459e12, 95 * 2**30, 2765e9),
  'TPU v6 lite': Chip(918e12, 32 * 2**30, 1640e9),
  'NVIDIA A100': Chip(312e12, 80e9, 2039e9),
  'NVIDIA H100': Chip(989e12, 80e9, 3350e9),
  'NVIDIA H200': Chip(989e12, 141e9, 4800e9),
}

# Google Cloud's list price of a v5e chip on demand in its US regions, in 2025.
# It differs by region and contract: https://cloud.google.com/tpu/pricing.
DOLLARS_PER_CHIP_HOUR = 1.20

# Where a model is known by its number of parameters alone: arXiv:2001.08361,
# section 2.1, without attention.
FLOPS_PER_PARAMETER_AND_TOKEN = 6.0
FLOPS_CONVENTION = (
  '6 FLOPs per matrix parameter and token (output projection included, '
  'embedding look-up excluded) plus causal attention counted at half'
)


@dataclasses.dataclass(frozen=True)
class ModelShape:
  """The shape of one decoder-only Transformer.

  Attributes:
    vocab_size: entries of the embedding table.
    width: model dimension.
    num_layers: Transformer blocks.
    num_heads: query heads.
    head_dim: dimension of one head.
    mlp_width: hidden dimension of the SwiGLU feed-forward layer.
    num_kv_heads: key and value heads; 0 means `num_heads`.
    tie_embeddings: whether the output projection is the embedding table.
    family: `sequential` (attention, then feed-forward, each behind its own
      RMSNorm; LLaMA-like) or `parallel` (both read one LayerNorm without
      bias and are summed; PaLM-like).
    rope_base: base of the rotary position embedding.
  """

  vocab_size: int
  width: int
  num_layers: int
  num_heads: int
  head_dim: int
  mlp_width: int
  num_kv_heads: int = 0
  tie_embeddings: bool = True
  family: str = 'sequential'
  rope_base: float = 10_000.0

  def __post_init__(self):
    for name in (
      'vocab_size',
      'width',
      'num_layers',
      'num_heads',
      'head_dim',
      'mlp_width',
    ):
      value = getattr(self, name)
      if not isinstance(value, int) or value < 1:
        raise errors.UserError(
          f'ModelShape.{name} must be a positive whole number, got {value!r}.'
        )
    if self.num_kv_heads < 0 or self.num_heads % self.kv_heads:
      raise errors.UserError(
        f'ModelShape.num_kv_heads must divide num_heads={self.num_heads},'
        f' got {self.num_kv_heads!r}.'
      )
    if self.head_dim % 2:
      raise errors.UserError(
        'ModelShape.head_dim must be even for rotary positions, got'
        f' {self.head_dim}.'
      )
    if self.family not in FAMILIES:
      raise errors.UserError(
        f'ModelShape.family must be one of {FAMILIES}, got {self.family!r}.'
      )

  @property
  def kv_heads(self) -> int:
    """Number of key and value heads, with the default resolved."""
    return self.num_kv_heads or self.num_heads


def params_by_group(shape: ModelShape) -> dict[str, int]:
  """Counts trainable parameters by group; every group is whole-model.

  >>> shape = ModelShape(vocab_size=8, width=4, num_layers=2, num_heads=2,
  ...                    head_dim=2, mlp_width=6)
  >>> params_by_group(shape)
  {'embedding': 32, 'attention': 128, 'mlp': 144, 'norm': 20, 'output': 0}
  """
  query = shape.width * shape.num_heads * shape.head_dim
  key_value = shape.width * shape.kv_heads * shape.head_dim
  norms_per_layer = 2 if shape.family == 'sequential' else 1
  table = shape.vocab_size * shape.width
  return {
    'embedding': table,
    'attention': shape.num_layers * (2 * query + 2 * key_value),
    'mlp': shape.num_layers * 3 * shape.width * shape.mlp_width,
    'norm': (shape.num_layers * norms_per_layer + 1) * shape.width,
    'output': 0 if shape.tie_embeddings else table,
  }


def num_params(shape: ModelShape) -> int:
  """All trainable parameters (N)."""
  return sum(params_by_group(shape).values())


def num_params_no_embed(shape: ModelShape) -> int:
  """Trainable parameters without the embedding and the output projection."""
  groups = params_by_group(shape)
  return groups['attention'] + groups['mlp'] + groups['norm']


def train_flops_per_token(shape: ModelShape, sequence_length: int) -> float:
  """Training FLOPs of one token: 3 * (2 M + 2 L H h T), causal attention.

  M counts the matrix parameters a token passes (output projection included,
  tied or not), L layers, H heads, h head dimension, T `sequence_length`. The
  scores and the weighted values cost 2 * 2 H h T a layer without the causal
  mask; half of it is useful and counted.

  >>> shape = ModelShape(vocab_size=8, width=4, num_layers=2, num_heads=2,
  ...                    head_dim=2, mlp_width=6)
  >>> train_flops_per_token(shape, 16)
  2592.0
  """
  groups = params_by_group(shape)
  matrices = (
    groups['attention'] + groups['mlp'] + shape.vocab_size * shape.width
  )
  attention = attention_flops_per_token(shape, sequence_length)
  return 3.0 * (2 * matrices + attention)


def attention_flops_per_token(shape: ModelShape, sequence_length: int) -> float:
  """Forward FLOPs of scores and weighted values of one token, causal half.

  >>> shape = ModelShape(vocab_size=8, width=4, num_layers=2, num_heads=2,
  ...                    head_dim=2, mlp_width=6)
  >>> attention_flops_per_token(shape, 16)
  256.0
  """
  heads = shape.num_heads * shape.head_dim
  return 2.0 * shape.num_layers * heads * sequence_length


def chip(device_kind: str) -> Chip | None:
  """A chip by JAX's `device_kind`; None for an unlisted one."""
  for name, found in CHIPS.items():
    if device_kind.startswith(name):
      return found
  return None


def peak_flops_per_second(device_kind: str) -> float | None:
  """Peak of one chip by JAX's `device_kind`; None for an unlisted chip."""
  found = chip(device_kind)
  return None if found is None else found.flops_per_second
