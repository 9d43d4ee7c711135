"""Times of a step by hand, on a made-up mesh of a real slice's coordinates."""

import types

import numpy as np
import pytest

from codelaw import accounting
from codelaw.train import collectives
from codelaw.train import compiled_program
from codelaw.train import roofline
from codelaw.train import topology

SHAPE = accounting.ModelShape(
  vocab_size=512,
  width=256,
  num_layers=3,
  num_heads=2,
  head_dim=128,
  mlp_width=512,
)


def mesh_of(sizes, grid):
  """What `estimate` uses of a mesh, chips in rows of the grid."""
  devices = np.empty(grid[0] * grid[1], object)
  for k in range(devices.size):
    devices[k] = types.SimpleNamespace(coords=(*divmod(k, grid[1]), 0))
  return types.SimpleNamespace(
    devices=devices.reshape(sizes), axis_names=('data', 'fsdp', 'tensor')
  )


def counts(collectives=(), flops=0.0, hbm_bytes=0.0, kernels=()):
  return compiled_program.Counts(
    matrix_flops=flops,
    recomputed_flops=0.0,
    hbm_bytes=hbm_bytes,
    cycles=1.5e6,
    kernels=kernels,
    collectives=collectives,
    unknown_loops=(),
  )


def test_the_bound_is_the_slowest_and_the_sum_is_all():
  mesh = mesh_of((1, 4, 1), (2, 2))
  found = roofline.estimate(
    counts(flops=197e9, hbm_bytes=819e6), 98.5e9, 39.4e9, mesh, (2, 2)
  )
  assert found.compute_seconds == pytest.approx(0.5e-3)
  assert found.again_seconds == pytest.approx(0.7e-3)
  assert found.hbm_seconds == pytest.approx(1e-3)
  assert found.bound_seconds == pytest.approx(1.2e-3)
  assert found.sum_seconds == pytest.approx(2.2e-3)
  assert found.limit == 'compute'
  # 1.5e6 cycles at 1.503 GHz, and the kernels at the peak.
  assert found.compiler_seconds == pytest.approx(0.998e-3 + 0.2e-3, rel=1e-3)


@pytest.mark.parametrize(
  ('kind', 'group', 'grid', 'axes', 'seconds'),
  [
    # Four neighbours in a row of eight: one link of 50 GB/s.
    ('all-gather', range(4), (8, 8), 'fsdp', 0.75 / 50),
    ('all-reduce', range(4), (8, 8), 'fsdp', 1.5 / 50),
    # A whole row of 16 is a ring: two links.
    ('all-gather', range(16), (16, 16), 'data+fsdp', 15 / 16 / 100),
    # A square: a link along each axis.
    ('all-gather', (0, 1, 8, 9), (8, 8), 'data+fsdp', 0.75 / 100),
    # Every second chip of a row: its links serve two groups.
    ('all-gather', (0, 2), (8, 8), 'fsdp', 0.5 / 25),
    # Half of 8 chips' data crosses the middle of the row.
    ('all-to-all', range(0, 64, 8), (8, 8), 'data', 7 / 8 / 50 * 2),
  ],
)
def test_seconds_of_a_collective(kind, group, grid, axes, seconds):
  size = grid[0] * grid[1]
  rows = 8 if size == 64 else 32
  mesh = mesh_of((rows, 8, 1), grid)
  one = collectives.Collective(kind, 1e9, (tuple(group),), 1.0, '')
  found = roofline.estimate(counts((one, one)), 1.0, 0.0, mesh, grid)
  (transfer,) = found.transfers
  assert (transfer.kind, transfer.axes, transfer.count) == (kind, axes, 2)
  assert transfer.seconds == pytest.approx(2 * seconds)
  assert found.limit == 'interconnect'


def test_flops_of_attention_kernels_as_accounting_counts_them():
  kernels = tuple(
    compiled_program.Kernel(f'splash_mha_{kind}_segmented.2', 3.0)
    for kind in ('fwd', 'dq', 'dkv')
  )
  found = roofline.kernel_flops(kernels, SHAPE, 1024, 100.0)
  forward = accounting.attention_flops_per_token(SHAPE, 1024) * 100
  assert found == pytest.approx(forward * (2 + 3 + 4) / 2)
  assert roofline.kernel_flops((), SHAPE, 1024, 100.0) == 0


def test_the_rate_of_a_group_grows_to_that_of_a_chip():
  chip = accounting.CHIPS[topology.DEVICE_KIND]
  everyone = [(row, column) for row in range(16) for column in range(16)]
  assert topology.group_bytes_per_second(everyone, (16, 16)) == (
    4 * chip.link_bytes_per_second
  )
  assert 4 * chip.link_bytes_per_second * 8 == 1600e9
