"""The devices of a run as a mesh, and where its arrays lie on it.

The mesh has the axes `data`, `fsdp` and `tensor` of `execution.MeshShape`. A
parameter is divided along `fsdp` and `tensor` by the names of its axes
(`models.axes`), a batch by rows over `data` and `fsdp`.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import math
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


def batch_sharding(
  mesh: jax.sharding.Mesh, leading: int = 0
) -> jax.sharding.NamedSharding:
  """Where the arrays of a batch lie: rows over `data` and `fsdp`.

  Args:
    mesh: the mesh.
    leading: whole axes in front of that of the rows.
  """
  return jax.sharding.NamedSharding(
    mesh, jax.sharding.PartitionSpec(*[None] * leading, BATCH_AXES)
  )


def replicated(mesh: jax.sharding.Mesh) -> jax.sharding.NamedSharding:
  """Whole on every device."""
  return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())


def batch_parts(mesh: jax.sharding.Mesh) -> int:
  """Into how many parts the rows of a batch are divided."""
  return math.prod(mesh.shape[axis] for axis in BATCH_AXES)


def whole_parts(mesh: jax.sharding.Mesh, batch_size: int) -> int:
  """The next number of rows that can be divided into equal parts."""
  parts = batch_parts(mesh)
  return -(-batch_size // parts) * parts


def check_batch(
  mesh: jax.sharding.Mesh, batch_size: int, microbatches: int
) -> None:
  """Refuses a batch that cannot be divided.

  Raises:
    UserError: naming what to set.
  """
  parts = batch_parts(mesh) * microbatches
  if batch_size % parts == 0:
    return
  sizes = dict(mesh.shape)
  advice = [f'set BATCH_SIZE to a multiple of {parts}']
  if microbatches > 1:
    advice.append('Execution.microbatches to fewer')
  fitting = math.gcd(batch_size, batch_parts(mesh))
  if fitting < batch_parts(mesh):
    tensor = mesh.size // fitting
    advice.append(
      'MeshShape so that fewer devices divide the rows, like MeshShape.data ='
      f' 1, MeshShape.fsdp = {fitting} and MeshShape.tensor = {tensor}'
    )
  raise errors.UserError(
    f'A batch of {batch_size} sequences cannot be divided into {parts} equal'
    f' parts: {microbatches} microbatches on a mesh of data={sizes["data"]},'
    f' fsdp={sizes["fsdp"]}, tensor={sizes["tensor"]}; {", or ".join(advice)}.'
  )


def rows_of_process(mesh: jax.sharding.Mesh, batch_size: int) -> np.ndarray:
  """Rows of a global batch that lie on devices of this process, ascending.

  Processes that divide a tensor axis among them have rows in common.
  """
  held = np.zeros(batch_size, bool)
  places = batch_sharding(mesh).addressable_devices_indices_map((batch_size,))
  for index in places.values():
    held[index] = True
  return np.flatnonzero(held)


def global_batch(
  mesh: jax.sharding.Mesh,
  rows: np.ndarray,
  batch_size: int,
  features: Mapping[str, np.ndarray],
) -> Mapping[str, Any]:
  """The global arrays of which each process has its rows.

  Args:
    mesh: of all processes.
    rows: of `rows_of_process`.
    batch_size: of the global batch.
    features: name -> [rows, ...]. In one process these are the whole batch,
      and are given back: the compiled step divides them itself.
  """
  sharding = batch_sharding(mesh)
  if sharding.is_fully_addressable:
    return features

  def array(values):
    def piece(index):
      start, stop, _ = index[0].indices(batch_size)
      first = np.searchsorted(rows, start)
      return values[first : first + stop - start]

    return jax.make_array_from_callback(
      (batch_size, *values.shape[1:]), sharding, piece
    )

  return {name: array(values) for name, values in features.items()}


def global_arrays(
  mesh: jax.sharding.Mesh, features: Mapping[str, np.ndarray]
) -> Mapping[str, Any]:
  """The global arrays of a batch that every process has whole.

  Args:
    mesh: of all processes.
    features: name -> [batch, ...].
  """
  batch_size = len(next(iter(features.values())))
  rows = rows_of_process(mesh, batch_size)
  return global_batch(
    mesh, rows, batch_size, {name: x[rows] for name, x in features.items()}
  )
