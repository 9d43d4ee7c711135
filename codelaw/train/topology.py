"""Slices of TPU v5e without a TPU: devices to compile for, and their links.

The devices come from libtpu, Google's TPU compiler and runtime, which is a
package on PyPI and compiles on any x86 machine.

Definitions owned here:
  the interconnect model: a v5e slice is a grid of chips with one link between
    neighbours; an axis of 16 chips also has a link between its ends
    (https://jax-ml.github.io/scaling-book/tpus). Along a row of the grid a
    group sends at the rate of one link (the chip at the end of the row has no
    second one), around a whole ring at that of two. A group whose members
    are s chips apart shares the links with s - 1 others. A group that spans
    both axes uses both.
"""

from collections.abc import Sequence
import glob
import importlib.util
import os
import re
from typing import Any

from codelaw import accounting
from codelaw import errors

TOPOLOGIES = (
  'v5e:1x1',
  'v5e:2x2',
  'v5e:2x4',
  'v5e:4x4',
  'v5e:4x8',
  'v5e:8x8',
  'v5e:8x16',
  'v5e:16x16',
)
DEVICE_KIND = 'TPU v5 lite'
_RING = 16  # chips of an axis whose ends are linked

# So that libtpu neither asks a cloud's metadata server nor looks for the
# other workers of a slice. The accelerator type is only checked for its form.
_ENVIRONMENT = {
  'TPU_SKIP_MDS_QUERY': '1',
  'TPU_ACCELERATOR_TYPE': 'v5litepod-16',
  'TPU_WORKER_HOSTNAMES': 'localhost',
  'JAX_PLATFORMS': 'cpu',
  # A second process may compile: no chip is opened.
  'ALLOW_MULTIPLE_LIBTPU_LOAD': '1',
}

# What Google Kubernetes Engine gives the containers that ask for TPUs.
_HOST_OF_SLICE = ('TPU_WORKER_ID', 'TPU_WORKER_HOSTNAMES')

# Device files of TPUs, and of GPUs of NVIDIA (also under WSL) and AMD.
_ACCELERATORS = (
  '/dev/accel*',
  '/dev/vfio/[0-9]*',
  '/dev/nvidia*',
  '/dev/dxg',
  '/dev/kfd',
)


def prepare() -> None:
  """Sets what libtpu and JAX read; before JAX looks for devices.

  Raises:
    UserError: where libtpu is not installed.
  """
  if _installed() is None:
    raise errors.UserError(
      'Compiling for a TPU needs its compiler, libtpu, which is not installed;'
      " install it with: pip install 'codelaw[train,tpu]' (x86-64 Linux)."
    )
  os.environ.update(_ENVIRONMENT)


def hide_absent_tpu() -> None:
  """Keeps JAX from trying libtpu on a machine that has no accelerator.

  Without this, JAX prints two warnings and an error of libtpu before it takes
  the CPU. Nothing is changed where JAX_PLATFORMS is set or there may be a TPU
  or GPU. Nor on a host of a slice: one whose chips cannot be opened must not
  train on its CPU instead. To be called before JAX is imported.
  """
  if 'JAX_PLATFORMS' in os.environ or _installed() is None:
    return
  if any(name in os.environ for name in _HOST_OF_SLICE):
    return
  if not any(glob.glob(pattern) for pattern in _ACCELERATORS):
    os.environ['JAX_PLATFORMS'] = 'cpu'


def _installed() -> Any:
  return importlib.util.find_spec('libtpu')


def check(topology: str) -> None:
  """Raises `UserError` unless it is one of `TOPOLOGIES`."""
  if topology not in TOPOLOGIES:
    raise errors.UserError(
      f'--topology must be one of {", ".join(TOPOLOGIES)}; got {topology!r}.'
    )


def grid(topology: str) -> tuple[int, int]:
  """Chips along both axes.

  >>> grid('v5e:8x16')
  (8, 16)
  """
  rows, columns = re.findall(r'\d+', topology.split(':')[1])
  return int(rows), int(columns)


def num_chips(topology: str) -> int:
  """Chips of a slice."""
  rows, columns = grid(topology)
  return rows * columns


def larger(topology: str) -> str | None:
  """The next larger slice; None of the largest."""
  at = TOPOLOGIES.index(topology) + 1
  return TOPOLOGIES[at] if at < len(TOPOLOGIES) else None


def devices(topology: str) -> list[Any]:
  """Devices of a slice that XLA can compile for. Call `prepare` before."""
  from jax.experimental import topologies

  rows, columns = grid(topology)
  # Slices of more than one chip consist of machines with 2 x 2 of them.
  host = (min(2, rows), min(2, columns), 1)
  description = topologies.get_topology_desc(
    platform='tpu', topology_name=topology, chips_per_host_bounds=host
  )
  return list(description.devices)


def group_bytes_per_second(
  coordinates: Sequence[tuple[int, int]], slice_grid: tuple[int, int]
) -> float:
  """What a chip of a group can send to the group, by the module's model.

  >>> row = [(0, column) for column in range(16)]
  >>> group_bytes_per_second(row, (16, 16)) / 1e9  # a ring: two links
  100.0
  >>> group_bytes_per_second(row[:4], (16, 16)) / 1e9
  50.0
  >>> group_bytes_per_second(row[:8:2], (16, 16)) / 1e9  # shared by two
  25.0
  """
  link = accounting.CHIPS[DEVICE_KIND].link_bytes_per_second or 0.0
  found = 0.0
  for axis, size in enumerate(slice_grid):
    places = sorted({at[axis] for at in coordinates})
    if len(places) == 1:
      continue
    stride = min(b - a for a, b in zip(places, places[1:], strict=False))
    ring = size == _RING and len(places) * stride == size
    found += link * (2 if ring else 1) / stride
  return found
