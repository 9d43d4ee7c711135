"""The shortest time a compiled step can take on a slice, and by what.

Four times that a chip needs at the rates of its data sheet:
  compute: the FLOPs of `accounting` over the peak;
  again: matrix FLOPs that the program does beyond these (recomputation, work
    done twice), over the peak;
  HBM: bytes from and to main memory over its bandwidth;
  interconnect: bytes that each collective sends over the links that its
    group has (the model of `topology`), summed.
The bound is the greatest of compute + again, HBM and interconnect: all three
overlap perfectly. Their sum is a step in which nothing overlaps. Latencies,
element-wise work and idle time are in neither; what XLA expects, in cycles of
the chip, is a second opinion, without collectives.

FLOPs inside attention kernels come from the number of kernels that run: a
forward kernel counts as `accounting` does (2 products, causal half), a
backward pass of two kernels as 3 and 4 products, which is one and two more
than needed.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

import jax
import numpy as np

from codelaw import accounting
from codelaw.train import collectives as collectives_lib
from codelaw.train import compiled_program
from codelaw.train import topology as topology_lib

# 197e12 FLOP/s are four matrix units of 128 x 128 multiply-adds a cycle.
CYCLES_PER_SECOND = 197e12 / (4 * 128 * 128 * 2)
# Matrix products in the kernels of splash attention, by their names.
_PRODUCTS: Mapping[str, int] = {
  'splash_mha_fwd': 2,
  'splash_mha_dq': 3,
  'splash_mha_dkv': 4,
}


@dataclasses.dataclass(frozen=True)
class Transfer:
  """Collectives of one kind along the same axes of the mesh, of one step.

  Attributes:
    kind: one of `collectives.KINDS`.
    axes: of the mesh, like `fsdp` or `data+fsdp`.
    count: how many run.
    sent_bytes: of one chip.
    seconds: on the links of their groups.
  """

  kind: str
  axes: str
  count: float
  sent_bytes: float
  seconds: float


@dataclasses.dataclass(frozen=True)
class Roofline:
  """Seconds of one step; see the definitions of this module."""

  compute_seconds: float
  again_seconds: float
  hbm_seconds: float
  interconnect_seconds: float
  compiler_seconds: float
  transfers: tuple[Transfer, ...]

  @property
  def bound_seconds(self) -> float:
    """Everything overlaps."""
    return max(
      self.compute_seconds + self.again_seconds,
      self.hbm_seconds,
      self.interconnect_seconds,
    )

  @property
  def sum_seconds(self) -> float:
    """Nothing overlaps."""
    return (
      self.compute_seconds
      + self.again_seconds
      + self.hbm_seconds
      + self.interconnect_seconds
    )

  @property
  def limit(self) -> str:
    """What the bound comes from."""
    if self.bound_seconds == self.interconnect_seconds:
      return 'interconnect'
    return 'HBM' if self.bound_seconds == self.hbm_seconds else 'compute'


def estimate(
  counts: compiled_program.Counts,
  useful_flops: float,
  kernel_flops: float,
  mesh: jax.sharding.Mesh,
  slice_grid: tuple[int, int],
) -> Roofline:
  """Times of one step of a program on a slice.

  Args:
    counts: of the program, for one chip.
    useful_flops: of one chip and step, by `accounting`.
    kernel_flops: of one chip and step, inside kernels.
    mesh: that the program was compiled for.
    slice_grid: chips along both axes of the slice.
  """
  chip = accounting.CHIPS[topology_lib.DEVICE_KIND]
  again = max(0.0, counts.matrix_flops + kernel_flops - useful_flops)
  transfers = _transfers(counts.collectives, mesh, slice_grid)
  return Roofline(
    compute_seconds=useful_flops / chip.flops_per_second,
    again_seconds=again / chip.flops_per_second,
    hbm_seconds=counts.hbm_bytes / chip.hbm_bytes_per_second,
    interconnect_seconds=sum(transfer.seconds for transfer in transfers),
    compiler_seconds=counts.cycles / CYCLES_PER_SECOND
    + kernel_flops / chip.flops_per_second,
    transfers=transfers,
  )


def kernel_flops(
  kernels: Sequence[compiled_program.Kernel],
  shape: accounting.ModelShape,
  sequence_length: int,
  tokens_per_chip: float,
) -> float:
  """FLOPs inside the attention kernels of one chip and step.

  Args:
    kernels: of the program.
    shape: of the model.
    sequence_length: tokens of a sequence.
    tokens_per_chip: tokens of a step over chips, all heads counted.
  """
  products = sum(
    kernel.times * _PRODUCTS[kind]
    for kernel in kernels
    for kind in _PRODUCTS
    if kind in kernel.name
  )
  forward = accounting.attention_flops_per_token(shape, sequence_length)
  return products / 2 * forward / shape.num_layers * tokens_per_chip


def _transfers(collectives, mesh, slice_grid) -> tuple[Transfer, ...]:
  found: dict[tuple[str, str], list[float]] = {}
  for one in collectives:
    group = max(one.groups, key=len)
    axes = _axes(group, mesh)
    total = found.setdefault((one.kind, axes), [0.0, 0.0, 0.0])
    total[0] += one.times
    total[1] += one.sent_bytes
    total[2] += _seconds(one, mesh, slice_grid)
  return tuple(
    Transfer(kind, axes, *numbers) for (kind, axes), numbers in found.items()
  )


def _axes(group: Sequence[int], mesh: jax.sharding.Mesh) -> str:
  places = np.unravel_index(np.asarray(group), mesh.devices.shape)
  names = [
    name
    for name, place in zip(mesh.axis_names, places, strict=True)
    if len(set(place.tolist())) > 1
  ]
  return '+'.join(names)


def _seconds(
  one: collectives_lib.Collective,
  mesh: jax.sharding.Mesh,
  slice_grid: tuple[int, int],
) -> float:
  """Of all runs; the slowest of its groups counts."""
  devices = mesh.devices.flat
  rates, sides = [], []
  for group in one.groups:
    places = [tuple(devices[k].coords[:2]) for k in group]
    rates.append(topology_lib.group_bytes_per_second(places, slice_grid))
    sides.append(max(len({at[axis] for at in places}) for axis in range(2)))
  seconds = one.sent_bytes / min(rate for rate in rates if rate)
  if one.kind == 'all-to-all':
    # Half of what each chip sends crosses the middle of the longer side.
    seconds *= max(1.0, max(sides) / 4)
  return seconds
