"""Slices of TPU v5e, as Google Cloud rents them.

A slice of up to 8 chips is one machine; a larger one has machines of 4 chips
(https://cloud.google.com/tpu/docs/v5e: "TPU type", hosts and VM types by
topology; machine types of GKE: https://cloud.google.com/kubernetes-engine/docs/
concepts/plan-tpus).
"""

import dataclasses

from codelaw import errors


@dataclasses.dataclass(frozen=True)
class Slice:
  """Machines and chips of one slice.

  Attributes:
    topology: chips along both axes, as Google Cloud writes them: `4x4`.
    accelerator_type: its name at the TPU API: `v5litepod-16`.
    machine_type: of its machines on GKE.
    num_chips: of the whole slice.
    num_hosts: machines.
  """

  topology: str
  accelerator_type: str
  machine_type: str
  num_chips: int
  num_hosts: int

  @property
  def chips_per_host(self) -> int:
    """Chips of each machine."""
    return self.num_chips // self.num_hosts


def _slice(topology: str, chips_per_host: int) -> Slice:
  rows, columns = map(int, topology.split('x'))
  num_chips = rows * columns
  return Slice(
    topology=topology,
    accelerator_type=f'v5litepod-{num_chips}',
    machine_type=f'ct5lp-hightpu-{chips_per_host}t',
    num_chips=num_chips,
    num_hosts=num_chips // chips_per_host,
  )


SLICES = {
  f'v5e:{topology}': _slice(topology, chips_per_host)
  for topology, chips_per_host in (
    ('1x1', 1),
    ('2x2', 4),
    ('2x4', 8),
    ('4x4', 4),
    ('4x8', 4),
    ('8x8', 4),
    ('8x16', 4),
    ('16x16', 4),
  )
}


def check(topology: str) -> None:
  """Raises `UserError` unless it is one of `SLICES`."""
  if topology not in SLICES:
    raise errors.UserError(
      f'The topology of a job must be one of {", ".join(SLICES)}; got'
      f' {topology!r}.'
    )
