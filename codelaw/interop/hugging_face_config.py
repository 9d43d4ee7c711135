"""`config.json` of Hugging Face's transformers, to and from a `ModelShape`.

  sequential  LlamaForCausalLM: RMSNorm, rotary pairs (i, i + head_dim / 2)
  parallel    CohereForCausalLM: LayerNorm without bias, one per layer, rotary
              pairs (2 i, 2 i + 1), logits times `logit_scale`

Both have SwiGLU, multi-head or grouped-query attention and no biases; the
output projection is tied or not in either. What our model has no place for
(biases, scaled rotary positions, norms of queries and keys, another epsilon)
is refused.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any

from codelaw import accounting
from codelaw import errors
from codelaw.data import packing

NORM_EPSILON = 1e-6  # of codelaw.models.transformer


@dataclasses.dataclass(frozen=True)
class _Family:
  """A model type of transformers, with its defaults where they matter."""

  model_type: str
  architecture: str
  epsilon_name: str
  epsilon: float
  tied: bool
  rope_base: float


_FAMILIES = {
  'sequential': _Family(
    'llama', 'LlamaForCausalLM', 'rms_norm_eps', 1e-6, False, 10_000.0
  ),
  'parallel': _Family(
    'cohere', 'CohereForCausalLM', 'layer_norm_eps', 1e-5, True, 500_000.0
  ),
}
_COHERE_LOGIT_SCALE = 0.0625  # where a Cohere configuration is silent
_SIZES = {
  'vocab_size': 'vocab_size',
  'hidden_size': 'width',
  'num_hidden_layers': 'num_layers',
  'num_attention_heads': 'num_heads',
  'intermediate_size': 'mlp_width',
}


def logit_factor(shape: accounting.ModelShape) -> float:
  """What our model multiplies its final hidden states by."""
  return shape.width**-0.5


def architecture(shape: accounting.ModelShape) -> str:
  """The class of transformers that a shape becomes."""
  return _FAMILIES[shape.family].architecture


def to_config(
  shape: accounting.ModelShape, max_length: int, dtype: str
) -> dict[str, Any]:
  """The content of `config.json`.

  Token 0, which every document of a run begins with, is the token to start
  from, so that it is not named as padding, which transformers masks.

  Args:
    shape: of the model.
    max_length: longest text that the model was trained on, in tokens.
    dtype: of the written parameters.

  Raises:
    UserError: when transformers has no place for the shape.
  """
  family = _FAMILIES[shape.family]
  if shape.family == 'sequential' and shape.width % shape.num_heads:
    raise errors.UserError(
      'LlamaForCausalLM needs a width that num_heads divides, got'
      f' width={shape.width} and num_heads={shape.num_heads}; this model'
      ' cannot be exported.'
    )
  content = {
    'architectures': [family.architecture],
    'model_type': family.model_type,
    **{theirs: getattr(shape, ours) for theirs, ours in _SIZES.items()},
    'num_key_value_heads': shape.kv_heads,
    'head_dim': shape.head_dim,
    'hidden_act': 'silu',
    family.epsilon_name: NORM_EPSILON,
    'attention_bias': False,
    'attention_dropout': 0.0,
    'tie_word_embeddings': shape.tie_embeddings,
    'max_position_embeddings': max_length,
    # The first is read by transformers 4, the second by 5.
    'rope_theta': shape.rope_base,
    'rope_parameters': {'rope_type': 'default', 'rope_theta': shape.rope_base},
    'bos_token_id': packing.PAD_ID,
    'eos_token_id': packing.EOS_ID,
    'pad_token_id': None,
    'torch_dtype': dtype,
  }
  if shape.family == 'sequential':
    content['mlp_bias'] = False
  else:
    content['use_qk_norm'] = False
    content['logit_scale'] = logit_factor(shape)
  return content


def from_config(
  content: Mapping[str, Any], place: str
) -> tuple[accounting.ModelShape, float]:
  """(shape, logit scale) of the model that a `config.json` describes.

  Args:
    content: of the file.
    place: where it is, for errors.

  Returns:
    The shape, and what that model multiplies its logits by.

  Raises:
    UserError: when our model cannot be that model.
  """
  families = {f.model_type: (name, f) for name, f in _FAMILIES.items()}
  if content.get('model_type') not in families:
    raise errors.UserError(
      f'{place} is of a model of type {content.get("model_type")!r}; only'
      f' {" and ".join(families)} have the form of our models.'
    )
  name, family = families[content['model_type']]
  rope = content.get('rope_parameters') or {}
  kinds = {
    rotary[key]
    for rotary in (rope, content.get('rope_scaling') or {})
    for key in ('rope_type', 'type')
    if key in rotary
  }
  for what, found, expected in (
    (
      family.epsilon_name,
      content.get(family.epsilon_name, family.epsilon),
      NORM_EPSILON,
    ),
    ('hidden_act', content.get('hidden_act', 'silu'), 'silu'),
    ('attention_bias', content.get('attention_bias', False), False),
    ('mlp_bias', content.get('mlp_bias', False), False),
    ('use_qk_norm', content.get('use_qk_norm', False), False),
    (
      'rotary positions of type',
      ' and '.join(sorted(kinds - {'default'})) or 'default',
      'default',
    ),
  ):
    if found != expected:
      raise errors.UserError(
        f'{place} has {what} {found!r}, our models have {expected!r}: this'
        ' model cannot be imported.'
      )
  missing = [key for key in _SIZES if key not in content]
  if missing:
    raise errors.UserError(f'{place} has no {", ".join(missing)}.')
  sizes = {ours: content[theirs] for theirs, ours in _SIZES.items()}
  heads = sizes['num_heads']
  kv_heads = content.get('num_key_value_heads') or heads
  shape = accounting.ModelShape(
    **sizes,
    head_dim=content.get('head_dim') or sizes['width'] // heads,
    num_kv_heads=0 if kv_heads == heads else kv_heads,
    tie_embeddings=content.get('tie_word_embeddings', family.tied),
    family=name,
    rope_base=float(
      rope.get('rope_theta', content.get('rope_theta', family.rope_base))
    ),
  )
  if name == 'sequential':
    return shape, 1.0
  return shape, content.get('logit_scale', _COHERE_LOGIT_SCALE)
