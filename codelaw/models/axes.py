"""Logical names of the axes of every parameter.

The names say what an axis is, not where it lies: `codelaw.train.mesh` maps
them to the axes of a mesh, `codelaw.interop` to those of other trainers.
"""

from collections.abc import Callable
from typing import Any

import jax

Axes = tuple[str, ...]

# By the name of the layer that holds the parameter; scanned layers have one
# axis more in front.
_KERNELS = {
  'query': ('embed', 'heads', 'head_dim'),
  'key': ('embed', 'kv_heads', 'head_dim'),
  'value': ('embed', 'kv_heads', 'head_dim'),
  'gate': ('embed', 'mlp'),
  'up': ('embed', 'mlp'),
  'down': ('mlp', 'embed'),
}


def of_parameter(path: tuple[str, ...]) -> Axes:
  """Axes of the parameter at a path like ('layers', 'mlp', 'up', 'kernel').

  >>> of_parameter(('layers', 'mlp', 'up', 'kernel'))
  ('layers', 'embed', 'mlp')
  """
  if path[-1] in ('embedding', 'output'):
    axes: Axes = ('vocab', 'embed')
  elif path[-1] == 'scale':
    axes = ('norm',)
  elif path[-2] == 'output':  # of attention
    axes = ('heads', 'head_dim', 'embed')
  else:
    axes = _KERNELS[path[-2]]
  return ('layers', *axes) if path[0] == 'layers' else axes


def map_with_axes(function: Callable[[Any, Axes], Any], params: Any) -> Any:
  """The tree of `function(leaf, axes)` for every parameter."""
  return jax.tree_util.tree_map_with_path(
    lambda path, leaf: function(leaf, of_parameter(tuple(k.key for k in path))),
    params,
  )
