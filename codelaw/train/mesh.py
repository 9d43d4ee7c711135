"""The devices of a run as a mesh, and where its arrays lie on it.

The mesh has the axes `data`, `fsdp` and `tensor` of `execution.MeshShape`. A
parameter is divided along `fsdp` and `tensor` by the names of its axes
(`models.axes`), a batch by rows over `data` and `fsdp`.
"""

from collections.abc import Sequence
from typing import Any

import jax
from jax.experimental import mesh_utils
import numpy as np

from codelaw import errors
from codelaw import execution as execution_lib
from codelaw.models import axes as axes_lib

AXES = ('data', 'fsdp', 'tensor')
BATCH_AXES = axes_lib.BATCH_AXES


def make(
  shape: execution_lib.MeshShape, devices: Sequence[Any] | None = None
) -> jax.sharding.Mesh:
  """A mesh of these devices; by default of all, over all processes.

  Raises:
    UserError: when the axes do not multiply to the number of devices.
  """
  devices = jax.devices() if devices is None else list(devices)
  sizes = shape.sizes(len(devices))
  array = mesh_utils.create_device_mesh(
    sizes, devices, allow_split_physical_axes=True
  )
  return jax.sharding.Mesh(array, AXES)


def parameter_sharding(
  mesh: jax.sharding.Mesh, dims: Sequence[int], axes: axes_lib.Axes
) -> jax.sharding.NamedSharding:
  """Where a parameter of these dimensions and logical axes lies."""
  return jax.sharding.NamedSharding(
    mesh, axes_lib.partition_spec(mesh, dims, axes)
  )


def batch_sharding(mesh: jax.sharding.Mesh) -> jax.sharding.NamedSharding:
  """Where the arrays of a batch lie: rows over `data` and `fsdp`."""
  return jax.sharding.NamedSharding(
    mesh, jax.sharding.PartitionSpec(BATCH_AXES)
  )


def replicated(mesh: jax.sharding.Mesh) -> jax.sharding.NamedSharding:
  """Whole on every device."""
  return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())


def check_batch(
  mesh: jax.sharding.Mesh, batch_size: int, microbatches: int
) -> None:
  """Refuses a batch that cannot be divided.

  Raises:
    UserError: naming the multiple that the batch must be of.
  """
  parts = microbatches * int(np.prod([mesh.shape[a] for a in BATCH_AXES]))
  if batch_size % parts:
    raise errors.UserError(
      f'A batch of {batch_size} sequences cannot be divided into'
      f' {microbatches} microbatches on a mesh of data={mesh.shape["data"]},'
      f' fsdp={mesh.shape["fsdp"]}; make BATCH_SIZE a multiple of {parts}, or'
      ' change MeshShape or Execution.microbatches.'
    )
