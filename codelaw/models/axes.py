"""Logical names of the axes of parameters and activations, and where they lie.

A name says what an axis is. On a mesh of `execution.MeshShape`, the axes in
`_MESH_AXES` are divided along the mesh axis given there, unless that does not
divide their length: small models run on any mesh. All others are whole.
`codelaw.interop` maps the same names to the axes of other trainers.
"""

from collections.abc import Sequence
import math

import jax

Axes = tuple[str, ...]

BATCH_AXES = ('data', 'fsdp')  # of the mesh, over which rows are divided
_MESH_AXES = {
  'batch': BATCH_AXES,
  'vocab': ('tensor',),
  'embed': ('fsdp',),
  'heads': ('tensor',),
  'kv_heads': ('tensor',),
  'mlp': ('tensor',),
}

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


def partition_spec(
  mesh: jax.sharding.Mesh, dims: Sequence[int], axes: Axes
) -> jax.sharding.PartitionSpec:
  """How an array of these dimensions and logical axes is divided."""
  spec = []
  for dim, axis in zip(dims, axes, strict=True):
    # An axis of one device would only make collectives that move nothing.
    names = [n for n in _MESH_AXES.get(axis, ()) if mesh.shape[n] > 1]
    parts = math.prod(mesh.shape[name] for name in names)
    spec.append(tuple(names) if names and dim % parts == 0 else None)
  return jax.sharding.PartitionSpec(*spec)


def constrain(
  x: jax.Array, mesh: jax.sharding.Mesh | None, axes: Axes
) -> jax.Array:
  """`x`, divided over the mesh by its logical axes."""
  if mesh is None or mesh.size == 1:
    return x
  return jax.lax.with_sharding_constraint(
    x, jax.sharding.NamedSharding(mesh, partition_spec(mesh, x.shape, axes))
  )
