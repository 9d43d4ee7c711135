"""The collectives of a compiled program: kind, size, groups, how often.

Definitions owned here:
  size: bytes of the whole array of one group, without padding: what an
    all-gather makes, what a reduce-scatter takes, what an all-reduce takes;
    of an all-to-all and a permute, what one chip sends, itself included.
  sent bytes: what a chip sends in a ring algorithm, for n chips a group:
    (n - 1) / n of the size of an all-gather, reduce-scatter or all-to-all,
    twice that of an all-reduce, all of a permute.

XLA for TPU writes a reduce-scatter as a fusion of an all-reduce and a slice,
and an overlapped collective as a chain of fusions that each name it again:
both are one collective here.
"""

from collections.abc import Iterator
import dataclasses
import math
import re

import numpy as np

from codelaw.train import program_text

KINDS = (
  'all-gather',
  'all-reduce',
  'reduce-scatter',
  'all-to-all',
  'collective-permute',
)
Groups = tuple[tuple[int, ...], ...]
_OPCODES = (*KINDS, 'ragged-all-to-all', 'collective-broadcast')
_EXPLICIT = re.compile(r'replica_groups=\{(\{[\d,{}]*\})?\}')
_IOTA = re.compile(
  r'replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?'
)
_MESH = re.compile(
  r'replica_groups=mesh\[([^\]]*)\]'
  r'(?:, device_ids=\(\[([\d,]+)\](?:T\(([\d,]+)\))?\))?\s*\{([^}]*)\}'
)
_AXIS = re.compile(r"'([^']+)'(?::\((\d+)\)(\d+))?")


@dataclasses.dataclass(frozen=True)
class Collective:
  """One collective of a program.

  Attributes:
    kind: one of `KINDS`.
    size: see the module.
    groups: partitions that take part together.
    times: how often it runs per call of the program.
    op_name: where it comes from in the traced Python.
  """

  kind: str
  size: float
  groups: Groups
  times: float
  op_name: str

  @property
  def group_size(self) -> int:
    """Chips that take part together."""
    return max(map(len, self.groups))

  @property
  def sent_bytes(self) -> float:
    """Bytes that a chip sends in all its runs."""
    n = self.group_size
    share = {'all-reduce': 2 * (n - 1) / n, 'collective-permute': 1.0}.get(
      self.kind, (n - 1) / n
    )
    return self.times * self.size * share


def of_program(
  program: program_text.Program,
) -> tuple[Collective, ...]:
  """All collectives that run on more than one chip."""
  found: dict[str, Collective] = {}
  for _, instruction, times in program.executed():
    for part, is_scatter in _inside(program, instruction):
      one = _collective(program, part, is_scatter, times)
      if one.group_size > 1:
        found.setdefault(_identity(part), one)
  return tuple(found.values())


def is_piece(instruction: program_text.Instruction) -> bool:
  """Whether it is a link in the chain of an overlapped collective."""
  return (
    'async_collective_fusion_config' in instruction.attributes
    and instruction.opcode in _OPCODES
  ) or 'custom_call_target="AsyncCollective' in instruction.attributes


def is_start(instruction: program_text.Instruction) -> bool:
  """Whether it begins such a chain."""
  return 'custom_call_target="AsyncCollectiveStart"' in instruction.attributes


def _inside(
  program: program_text.Program, instruction: program_text.Instruction
) -> Iterator[tuple[program_text.Instruction, bool]]:
  """Collectives at an instruction, and whether a slice of each is kept."""
  if instruction.opcode.removesuffix('-start') in _OPCODES:
    yield instruction, False
  elif instruction.opcode == 'fusion':
    name = instruction.called['calls']
    for part in program.computations[name].instructions.values():
      for found, _ in _inside(program, part):
        yield found, name.startswith('all-reduce-scatter')


def _identity(part: program_text.Instruction) -> str:
  """The same for all pieces of one overlapped collective."""
  chain = re.search(r'chain_id="(\d+)"', part.attributes)
  channel = re.search(r'channel_id=(\d+)', part.attributes)
  if chain and is_piece(part):
    return f'chain {chain[1]} channel {channel[1] if channel else ""}'
  return part.name


def _collective(
  program: program_text.Program,
  part: program_text.Instruction,
  is_scatter: bool,
  times: float,
) -> Collective:
  kind = part.opcode.removesuffix('-start')
  arrays = [array for array in part.results if array.dims or array.num_bytes]
  if kind == 'collective-permute':
    groups: Groups = (tuple(range(program.num_partitions)),)
    size = arrays[0].num_bytes
  else:
    groups = replica_groups(part.attributes, program.num_partitions)
    if part.opcode == 'all-gather-start':  # (operands, results)
      arrays = arrays[len(part.operands) :]
    size = sum(array.num_bytes for array in arrays)
    if kind == 'reduce-scatter':
      size *= max(map(len, groups))
    if kind == 'all-reduce' and is_scatter:
      kind = 'reduce-scatter'
  kind = 'all-to-all' if kind == 'ragged-all-to-all' else kind
  return Collective(kind, size, groups, times, part.op_name)


def replica_groups(attributes: str, num_partitions: int) -> Groups:
  """Partitions of each group, from any of XLA's three ways to write them.

  >>> replica_groups('replica_groups={{0,2},{1,3}}', 4)
  ((0, 2), (1, 3))
  >>> replica_groups('replica_groups=[2,2]<=[2,2]T(1,0)', 4)
  ((0, 2), (1, 3))
  >>> replica_groups("replica_groups=mesh['x'=2,'y'=2] {'x'}", 4)
  ((0, 2), (1, 3))
  """
  explicit = _EXPLICIT.search(attributes)
  iota = _IOTA.search(attributes)
  mesh = _MESH.search(attributes)
  if explicit:
    groups = re.findall(r'\{([\d,]+)\}', explicit[1] or '')
    found = [[int(k) for k in group.split(',')] for group in groups]
    return tuple(map(tuple, found)) or (tuple(range(num_partitions)),)
  if iota:
    shape, dims, order = map(_integers, iota.groups())
    array = _iota(dims, order).reshape(-1, shape[-1])
  elif mesh:
    dims, order = (_integers(mesh[k]) for k in (2, 3))
    array = _mesh_groups(mesh[1], mesh[4])
    array = _iota(dims or [array.size], order).ravel()[array]
  else:
    raise ValueError(f'no replica groups in {attributes[:300]!r}')
  return tuple(tuple(int(k) for k in row) for row in array)


def _integers(text: str | None) -> list[int]:
  return [int(part) for part in (text or '').split(',') if part]


def _iota(dims: list[int], order: list[int]) -> np.ndarray:
  """0, 1, ... in an array of `dims`, its axes then put in another order."""
  array = np.arange(math.prod(dims)).reshape(dims)
  return array.transpose(order) if order else array


def _mesh_groups(sizes_text: str, axes_text: str) -> np.ndarray:
  """Groups along named axes of a mesh; `'x':(2)4` is a part of axis x."""
  sizes = {
    name: int(size) for name, size in re.findall(r"'([^']+)'=(\d+)", sizes_text)
  }
  dims, names = [], []
  wanted = [
    (name, int(before or 1), int(size) if size else sizes[name])
    for name, before, size in _AXIS.findall(axes_text)
  ]
  for name, size in sizes.items():
    cuts = {1, size}
    for other, before, part in wanted:
      if other == name:
        cuts |= {before, before * part}
    borders = sorted(cuts)
    for low, high in zip(borders, borders[1:], strict=False):
      dims.append(high // low)
      names.append((name, low, high // low))
  chosen = [
    k
    for name, before, part in wanted
    for k, (other, low, size) in enumerate(names)
    if other == name and before <= low and low * size <= before * part
  ]
  rest = [k for k in range(len(dims)) if k not in chosen]
  array = np.arange(math.prod(dims)).reshape(dims).transpose(rest + chosen)
  return array.reshape(-1, math.prod(dims[k] for k in chosen))
