"""The parameters of a model under the names and layouts of transformers.

Theirs are one tensor per layer, [outputs, inputs]; ours are stacked over
layers, [inputs, outputs], with heads as axes of their own. In Cohere models
the two values that a rotary angle turns stand side by side, in ours half a
head apart, so that query and key heads are permuted. Our logits are scaled by
width**-0.5: Cohere has a factor for that, for Llama it is multiplied into the
scale of the last norm.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
from typing import Any

import jax
import numpy as np

from codelaw import accounting
from codelaw import errors
from codelaw.interop import hugging_face_config
from codelaw.models import transformer

EMBEDDING = 'model.embed_tokens.weight'
FINAL_NORM = 'model.norm.weight'
OUTPUT = 'lm_head.weight'
_LAYER = 'model.layers.{layer}.'
_Path = tuple[str, ...]
# Of a layer: their name -> (our path, layout).
_LAYERS: Mapping[str, tuple[_Path, str]] = {
  'self_attn.q_proj.weight': (('attention', 'query', 'kernel'), 'rotary'),
  'self_attn.k_proj.weight': (('attention', 'key', 'kernel'), 'rotary'),
  'self_attn.v_proj.weight': (('attention', 'value', 'kernel'), 'heads'),
  'self_attn.o_proj.weight': (('attention', 'output', 'kernel'), 'from_heads'),
  'mlp.gate_proj.weight': (('mlp', 'gate', 'kernel'), 'matrix'),
  'mlp.up_proj.weight': (('mlp', 'up', 'kernel'), 'matrix'),
  'mlp.down_proj.weight': (('mlp', 'down', 'kernel'), 'matrix'),
}
_NORMS: Mapping[str, Mapping[str, str]] = {
  'sequential': {
    'input_layernorm.weight': 'attention_norm',
    'post_attention_layernorm.weight': 'mlp_norm',
  },
  'parallel': {'input_layernorm.weight': 'norm'},
}


@dataclasses.dataclass(frozen=True)
class Tensor:
  """One tensor of transformers, made when it is needed.

  Attributes:
    size: number of values.
    make: makes it, float32.
  """

  size: int
  make: Callable[[], np.ndarray]


def to_tensors(params: Any, shape: accounting.ModelShape) -> dict[str, Tensor]:
  """Their name -> tensor, in the order of the layers.

  Args:
    params: of `transformer.Transformer(shape)`.
    shape: of the model.
  """
  found = {}
  for name, (path, layer, layout) in _places(shape).items():
    leaf = np.asarray(_leaf(params, path))
    ours = leaf if layer is None else leaf[layer]
    found[name] = Tensor(ours.size, _Maker(ours, layout, shape))
  return found


@dataclasses.dataclass(frozen=True)
class _Maker:
  """Makes a tensor of theirs from ours."""

  ours: np.ndarray
  layout: str
  shape: accounting.ModelShape

  def __call__(self) -> np.ndarray:
    return np.ascontiguousarray(_to_theirs(self.ours, self.layout, self.shape))


def from_tensors(
  read: Callable[[str], np.ndarray],
  shape: accounting.ModelShape,
  logit_scale: float,
  final_norm_scale: np.ndarray | None = None,
) -> Any:
  """Our parameters, NumPy float32, from tensors that are read one by one.

  Args:
    read: their name -> tensor.
    shape: of the model.
    logit_scale: that their model multiplies its logits by.
    final_norm_scale: of our last norm before it was exported; taken where
      exporting it again gives what `read` gives, because dividing by the
      factor is not always the inverse of multiplying by it.

  Raises:
    UserError: when a tensor has not the form that the shape asks for.
  """
  params = jax.tree.map(
    lambda leaf: np.empty(leaf.shape, np.float32), abstract_params(shape)
  )
  for name, (path, layer, layout) in _places(shape).items():
    leaf = _leaf(params, path)
    ours = leaf if layer is None else leaf[layer]
    theirs = read(name)
    expected = _their_shape(ours.shape, layout)
    if theirs.shape != expected:
      raise errors.UserError(
        f'{name} is an array of {theirs.shape}, the configuration asks for'
        f' {expected}.'
      )
    if layout == 'final_norm':
      ours[:] = _final_norm(theirs, shape, logit_scale, final_norm_scale)
    else:
      ours[:] = _to_ours(theirs.astype(np.float32), layout, shape)
  return params


def names(shape: accounting.ModelShape) -> set[str]:
  """The tensors of a model of that shape."""
  return set(_places(shape))


def abstract_params(shape: accounting.ModelShape) -> Any:
  """Shapes and dtypes of our parameters."""
  tokens = jax.ShapeDtypeStruct((1, 2), np.int32)
  model = transformer.Transformer(shape)
  return jax.eval_shape(model.init, jax.random.key(0), tokens, tokens, tokens)[
    'params'
  ]


def _places(
  shape: accounting.ModelShape,
) -> dict[str, tuple[_Path, int | None, str]]:
  """Their name -> (our path, layer or None, layout)."""
  places: dict[str, tuple[_Path, int | None, str]] = {
    EMBEDDING: (('embedding',), None, 'same')
  }
  for layer in range(shape.num_layers):
    prefix = _LAYER.format(layer=layer)
    for name, ours in _NORMS[shape.family].items():
      places[prefix + name] = (('layers', ours, 'scale'), layer, 'same')
    for name, (path, layout) in _LAYERS.items():
      places[prefix + name] = (('layers', *path), layer, layout)
  places[FINAL_NORM] = (('final_norm', 'scale'), None, 'final_norm')
  if not shape.tie_embeddings:
    places[OUTPUT] = (('output',), None, 'same')
  return places


def _leaf(params: Any, path: _Path) -> Any:
  for key in path:
    params = params[key]
  return params


def _interleaved(shape: accounting.ModelShape) -> np.ndarray:
  """Place in a head of ours of each value in a head of Cohere's."""
  halves = np.arange(shape.head_dim).reshape(2, -1)
  return halves.T.reshape(-1)


def _factor(shape: accounting.ModelShape) -> np.float32:
  """What the scale of the last norm is multiplied by on its way out."""
  if shape.family == 'parallel':
    return np.float32(1)
  return np.float32(hugging_face_config.logit_factor(shape))


def _to_theirs(
  ours: np.ndarray, layout: str, shape: accounting.ModelShape
) -> np.ndarray:
  if layout == 'final_norm':
    return ours * _factor(shape)
  if layout == 'same':
    return ours
  if layout == 'rotary' and shape.family == 'parallel':
    ours = ours[..., _interleaved(shape)]
  if layout == 'from_heads':
    return ours.reshape(-1, ours.shape[-1]).T
  return ours.reshape(ours.shape[0], -1).T


def _their_shape(ours: tuple[int, ...], layout: str) -> tuple[int, ...]:
  if layout == 'from_heads':
    return ours[-1], ours[0] * ours[1]
  if layout in ('same', 'final_norm'):
    return ours
  return int(np.prod(ours[1:])), ours[0]


def _to_ours(
  theirs: np.ndarray, layout: str, shape: accounting.ModelShape
) -> np.ndarray:
  if layout in ('rotary', 'heads'):
    ours = theirs.T.reshape(theirs.shape[1], -1, shape.head_dim)
    if layout == 'rotary' and shape.family == 'parallel':
      return ours[..., np.argsort(_interleaved(shape))]
    return ours
  if layout == 'from_heads':
    return theirs.T.reshape(-1, shape.head_dim, theirs.shape[0])
  return theirs.T if layout == 'matrix' else theirs


def _final_norm(
  theirs: np.ndarray,
  shape: accounting.ModelShape,
  logit_scale: float,
  before: np.ndarray | None,
) -> np.ndarray:
  if before is not None and before.shape == theirs.shape:
    again = (before * _factor(shape)).astype(theirs.dtype)
    if np.array_equal(again, theirs):
      return before
  factor = logit_scale / hugging_face_config.logit_factor(shape)
  return theirs.astype(np.float32) * np.float32(factor)
