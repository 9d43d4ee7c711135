"""The text of an optimised XLA program, read into computations.

XLA prints a compiled program as computations, each a list of instructions
`%name = shape opcode(operands), attributes`. This module knows that syntax
and nothing about cost: `compiled_program` counts.

Definitions owned here:
  executions: how often a computation runs per call of the program: the body
    of a loop as often as the loop turns, in a loop in a loop the product.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
import functools
import math
import re

_BITS = {'pred': 8, 's4': 4, 'u4': 4, 'bf16': 16, 'c64': 64, 'c128': 128}
_SHAPE = re.compile(r'(\w+)\[([\d,]*)\](?:\{([^{}]*)\})?')
_INSTRUCTION = re.compile(r'\s+(ROOT )?%([^\s=]+) = ')
_COMPUTATION = re.compile(r'(ENTRY )?%([^\s(]+) .*\{$')
_OPCODE = re.compile(r' ?([\w-]+)\(')
_COMMENT = re.compile(r'/\*.*?\*/')
_NAME = re.compile(r'%([^\s,()]+)')
_CALLED = re.compile(r'(calls|to_apply|body|condition)=%([^\s,]+)')
_BRANCHES = re.compile(r'branch_computations=\{([^}]*)\}')


@dataclasses.dataclass(frozen=True)
class Array:
  """An array that an instruction makes.

  Attributes:
    dtype: as XLA writes it: `bf16`, `f32`.
    dims: logical sizes.
    layout: what stands in braces: the order of the axes from minor to major,
      tiles, memory space.
  """

  dtype: str
  dims: tuple[int, ...]
  layout: str = ''

  @property
  def num_elements(self) -> int:
    """Elements, without the padding of tiles."""
    return math.prod(self.dims)

  @property
  def num_bytes(self) -> float:
    """Bytes, without the padding of tiles."""
    return self.num_elements * self._bits / 8

  @property
  def padded_bytes(self) -> float:
    """Bytes with the last axes filled up to whole tiles, as in memory."""
    order, _, rest = self.layout.partition(':')
    tile = re.match(r'T\(([\d,]+)\)', rest)
    if not tile or not order:
      return self.num_bytes
    sizes = [self.dims[int(axis)] for axis in order.split(',')]
    for k, unit in enumerate(reversed(_integers(tile[1]))):
      if k < len(sizes):
        sizes[k] = -(-sizes[k] // unit) * unit
    return math.prod(sizes) * self._bits / 8

  @property
  def in_hbm(self) -> bool:
    """Whether it lies in the chip's main memory, not in its scratchpads."""
    space = re.search(r'S\((\d+)\)', self.layout)
    return space is None or space[1] == '0'

  @property
  def _bits(self) -> int:
    if self.dtype in _BITS:
      return _BITS[self.dtype]
    digits = re.match(r'[a-z]+(\d+)', self.dtype)
    return int(digits[1]) if digits else 0  # tokens have no size


@dataclasses.dataclass(frozen=True)
class Instruction:
  """One line of a computation.

  Attributes:
    name: unique in the program.
    opcode: `fusion`, `all-gather`, `custom-call`.
    results: the array it makes, or all of a tuple, flattened.
    operands: names of other instructions of the computation.
    literal: what stands between the parentheses.
    attributes: the rest of the line.
    is_root: whether its result is the computation's.
  """

  name: str
  opcode: str
  results: tuple[Array, ...]
  operands: tuple[str, ...]
  literal: str
  attributes: str
  is_root: bool

  @functools.cached_property
  def called(self) -> Mapping[str, str]:
    """Computations it calls, by role: `calls`, `body`, `condition`."""
    return dict(_CALLED.findall(self.attributes))

  @functools.cached_property
  def branches(self) -> tuple[str, ...]:
    """Computations of which a `conditional` runs one."""
    found = _BRANCHES.search(self.attributes)
    if found:
      return tuple(_NAME.findall(found[1]))
    return tuple(
      re.findall(r'(?:true|false)_computation=%([^\s,]+)', self.attributes)
    )

  @property
  def op_name(self) -> str:
    """Where in the traced Python it comes from; empty if XLA made it."""
    found = re.search(r'op_name="([^"]*)"', self.attributes)
    return found[1] if found else ''


@dataclasses.dataclass(frozen=True)
class Computation:
  """Instructions by name, in the order of the text."""

  name: str
  instructions: Mapping[str, Instruction]

  @functools.cached_property
  def root(self) -> Instruction:
    """The instruction whose result is the computation's."""
    return next(i for i in self.instructions.values() if i.is_root)

  @functools.cached_property
  def parameters(self) -> tuple[Instruction, ...]:
    """In the order of the operands that a caller passes."""
    found = [i for i in self.instructions.values() if i.opcode == 'parameter']
    return tuple(sorted(found, key=lambda i: int(i.literal)))

  @functools.cached_property
  def users(self) -> Mapping[str, tuple[Instruction, ...]]:
    """Instruction -> those that take it as an operand."""
    found: dict[str, list[Instruction]] = {}
    for instruction in self.instructions.values():
      for operand in dict.fromkeys(instruction.operands):
        found.setdefault(operand, []).append(instruction)
    return {name: tuple(users) for name, users in found.items()}


@dataclasses.dataclass(frozen=True)
class Program:
  """All computations of a program, and the one that is run.

  Attributes:
    computations: by name.
    entry: name of the one that a call of the program runs.
    num_partitions: devices that it is divided over.
  """

  computations: Mapping[str, Computation]
  entry: str
  num_partitions: int

  @functools.cached_property
  def executions(self) -> Mapping[str, float]:
    """How often each computation runs, the insides of fusions excluded.

    Of a conditional every branch counts as run.
    """
    times: dict[str, float] = {}

    def visit(name: str, count: float) -> None:
      times[name] = times.get(name, 0.0) + count
      computation = self.computations[name]
      for instruction in computation.instructions.values():
        called = instruction.called
        if instruction.opcode == 'while':
          turns = self.trip_count(computation, instruction) or 1
          visit(called['body'], count * turns)
        elif instruction.opcode in ('call', 'async-start'):
          for inner in called.values():
            visit(inner, count)
        for branch in instruction.branches:
          visit(branch, count)

    visit(self.entry, 1.0)
    return times

  def executed(self) -> Iterator[tuple[Computation, Instruction, float]]:
    """Every instruction that runs, with how often it does."""
    for name, times in self.executions.items():
      computation = self.computations[name]
      for instruction in computation.instructions.values():
        yield computation, instruction, times

  def unknown_loops(self) -> tuple[str, ...]:
    """Loops whose number of turns cannot be read; they count as one turn."""
    return tuple(
      instruction.name
      for computation, instruction, _ in self.executed()
      if instruction.opcode == 'while'
      and self.trip_count(computation, instruction) is None
    )

  def trip_count(
    self, computation: Computation, loop: Instruction
  ) -> int | None:
    """How often a `while` turns, if that is written in the program.

    Either XLA says it, or the loop counts by one from a constant up to a
    constant, which is what `lax.scan` and `lax.fori_loop` make.
    """
    known = re.search(r'known_trip_count"?:\{"n":"(\d+)"', loop.attributes)
    if known:
      return int(known[1])
    condition = self.computations[loop.called['condition']]
    counter, bound = None, None
    for name in condition.root.operands:
      operand = condition.instructions[name]
      if operand.opcode == 'get-tuple-element':
        counter = int(_attribute(operand, 'index'))
      elif operand.opcode == 'constant':
        bound = int(operand.literal)
    compare = condition.root
    if compare.opcode == 'fusion':
      compare = self.computations[compare.called['calls']].root
    if (
      counter is None
      or bound is None
      or 'direction=LT' not in (compare.attributes)
    ):
      return None
    start = self._constant(computation, loop, counter)
    return None if start is None else max(0, bound - start)

  def _constant(
    self, computation: Computation, loop: Instruction, index: int
  ) -> int | None:
    """The constant that a loop's state holds at `index` before it turns."""
    state = computation.instructions[loop.operands[0]]
    if state.opcode != 'tuple':
      return None
    found = computation.instructions[state.operands[index]]
    while found.opcode in ('copy', 'bitcast', 'copy-done', 'copy-start'):
      found = computation.instructions[found.operands[0]]
    return int(found.literal) if found.opcode == 'constant' else None


def read(text: str) -> Program:
  """Reads what `Compiled.as_text()` returns."""
  partitions = re.search(r'num_partitions=(\d+)', text)
  computations: dict[str, Computation] = {}
  entry = ''
  instructions: dict[str, Instruction] = {}
  for line in text.splitlines():
    if line.startswith(('%', 'ENTRY')):
      heading = _COMPUTATION.match(line)
      if heading:
        instructions = {}
        computations[heading[2]] = Computation(heading[2], instructions)
        if heading[1]:
          entry = heading[2]
      continue
    start = _INSTRUCTION.match(line)
    if start:
      instruction = _instruction(line, start)
      instructions[instruction.name] = instruction
  if not entry:
    raise ValueError('the text has no ENTRY computation; expected HLO text')
  return Program(computations, entry, int(partitions[1]) if partitions else 1)


def _instruction(line: str, start: re.Match[str]) -> Instruction:
  at = start.end()
  end = _closing(line, at) if line[at] == '(' else line.index(' ', at)
  results = tuple(
    Array(dtype, tuple(_integers(dims)), layout or '')
    for dtype, dims, layout in _SHAPE.findall(_COMMENT.sub('', line[at:end]))
  )
  opcode = _OPCODE.match(line, end)
  if opcode is None:
    raise ValueError(f'not an HLO instruction: {line[:200]}')
  last = _closing(line, opcode.end() - 1)
  literal = line[opcode.end() : last - 1]
  return Instruction(
    name=start[2],
    opcode=opcode[1],
    results=results,
    operands=tuple(_NAME.findall(literal)),
    literal=literal,
    attributes=line[last:],
    is_root=bool(start[1]),
  )


def _closing(line: str, at: int) -> int:
  """Behind the parenthesis that closes the one at `at`."""
  depth = 0
  for k in range(at, len(line)):
    if line[k] == '(':
      depth += 1
    elif line[k] == ')':
      depth -= 1
      if not depth:
        return k + 1
  raise ValueError(f'unbalanced parentheses in HLO: {line[:200]}')


def _integers(text: str) -> list[int]:
  return [int(part) for part in text.split(',') if part]


def _attribute(instruction: Instruction, name: str) -> str:
  found = re.search(rf'\b{name}=(\w+)', instruction.attributes)
  if found is None:
    raise ValueError(f'{instruction.name} has no {name}')
  return found[1]
