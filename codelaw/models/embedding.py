"""Rows of a table for tokens, also where the table is divided.

On a mesh the table stays where it lies. Each device looks up the columns that
it holds, for the tokens of all devices along `fsdp`, and they exchange parts
of rows: what travels are activations, not a table of 256k rows, and the
gradient of a row is summed where it is kept.
"""

import jax
import jax.numpy as jnp

from codelaw.models import axes as axes_lib


def look_up(
  table_VD: jax.Array,
  tokens_BL: jax.Array,
  dtype: jnp.dtype,
  mesh: jax.sharding.Mesh | None = None,
) -> jax.Array:
  """Rows of the table, [B, L, D] of `dtype`.

  Args:
    table_VD: the embedding, with the axes `vocab` and `embed`.
    tokens_BL: int32, below V.
    dtype: of the result.
    mesh: over which the table and the rows of tokens are divided; None is one
      device.
  """
  if mesh is None or mesh.size == 1:
    return jnp.take(table_VD, tokens_BL, axis=0).astype(dtype)
  spec = axes_lib.partition_spec(mesh, table_VD.shape, ('vocab', 'embed'))
  rows_divided, columns_divided = spec[0] is not None, spec[1] is not None

  def of_device(table, tokens):
    if columns_divided:
      tokens = jax.lax.all_gather(tokens, 'fsdp', axis=0, tiled=True)
    if rows_divided:
      tokens -= jax.lax.axis_index('tensor') * table.shape[0]
      held = (tokens >= 0) & (tokens < table.shape[0])
      x = jnp.take(table, jnp.where(held, tokens, 0), axis=0).astype(dtype)
      x = jax.lax.psum(jnp.where(held[..., None], x, 0), 'tensor')
    else:
      x = jnp.take(table, tokens, axis=0).astype(dtype)
    if columns_divided:
      x = jax.lax.all_to_all(x, 'fsdp', split_axis=0, concat_axis=2, tiled=True)
    return x

  rows = jax.sharding.PartitionSpec(axes_lib.BATCH_AXES)
  return jax.shard_map(
    of_device, mesh=mesh, in_specs=(spec, rows), out_specs=rows
  )(table_VD, tokens_BL)
