"""What one chip does in one call of a compiled program, counted from its text.

Definitions owned here (all per chip and call, times the turns of the loops
that enclose them; XLA's own cost analysis counts the body of a loop once):
  matrix FLOPs: two per multiply-add of matrix products; positions of a
    window that fall into its padding are not computed and not counted.
    Kernels (custom calls) hide theirs: they are listed by name.
  HBM bytes: of every instruction, the operands it reads from main memory and
    the results it writes there, tiles filled up. A fused slice reads the
    slice only, an update in place writes the update only. What a kernel reads
    more than once counts once.
  cycles: what XLA's TPU compiler expects each instruction to take
    (`estimated_cycles`); kernels and collectives have no such number.
"""

from collections.abc import Iterator
import dataclasses
import math
import re

from codelaw.train import collectives as collectives_lib
from codelaw.train import program_text

_FREE = (
  'parameter',
  'constant',
  'tuple',
  'get-tuple-element',
  'bitcast',
  'while',
  'conditional',
  'call',
  'after-all',
  'partition-id',
  'replica-id',
  'async-start',
  'async-update',
)
_VIEWS = ('bitcast', 'get-tuple-element', 'tuple')


@dataclasses.dataclass(frozen=True)
class Kernel:
  """A custom call, like a Pallas kernel.

  Attributes:
    name: where it comes from in the traced Python.
    times: how often it runs.
  """

  name: str
  times: float


@dataclasses.dataclass(frozen=True)
class Counts:
  """See the definitions of this module.

  Attributes:
    matrix_flops: of matrix products outside kernels.
    recomputed_flops: those of them that `remat` put into the backward pass.
    hbm_bytes: read and written.
    cycles: sum of the compiler's estimates.
    kernels: custom calls of the program.
    collectives: in the order of the program.
    unknown_loops: loops that were counted as one turn.
  """

  matrix_flops: float
  recomputed_flops: float
  hbm_bytes: float
  cycles: float
  kernels: tuple[Kernel, ...]
  collectives: tuple[collectives_lib.Collective, ...]
  unknown_loops: tuple[str, ...]


def count(program: program_text.Program) -> Counts:
  """Counts a whole program."""
  flops, again, traffic, cycles = 0.0, 0.0, 0.0, 0.0
  kernels = []
  for computation, instruction, times in program.executed():
    for owner, part in _with_fused(program, computation, instruction):
      if part.opcode in ('convolution', 'dot'):
        work = times * matrix_flops(owner, part)
        flops += work
        if 'rematted_computation' in part.op_name:
          again += work
    traffic += times * hbm_bytes(program, computation, instruction)
    cycles += times * _cycles(instruction)
    if instruction.opcode == 'custom-call' and _is_kernel(instruction):
      kernels.append(Kernel(instruction.op_name or instruction.name, times))
  return Counts(
    matrix_flops=flops,
    recomputed_flops=again,
    hbm_bytes=traffic,
    cycles=cycles,
    kernels=tuple(kernels),
    collectives=collectives_lib.of_program(program),
    unknown_loops=program.unknown_loops(),
  )


def matrix_flops(
  computation: program_text.Computation, product: program_text.Instruction
) -> float:
  """FLOPs of one `dot` or `convolution`."""
  left, right = (
    computation.instructions[name].results[0] for name in product.operands[:2]
  )
  out = product.results[0]
  if product.opcode == 'dot':
    contracted = re.search(
      r'lhs_contracting_dims=\{([\d,]*)\}', product.attributes
    )
    axes = [int(a) for a in contracted[1].split(',') if a] if contracted else []
    return 2.0 * out.num_elements * math.prod(left.dims[a] for a in axes)
  labels = re.search(r'dim_labels=(\w+)_(\w+)->(\w+)', product.attributes)
  if labels is None:
    raise ValueError(f'{product.name}: a convolution without dim_labels')
  lhs, rhs, result = labels.groups()
  found = 2.0 * out.dims[result.index('b')] * out.dims[result.index('f')]
  found *= right.dims[rhs.index('i')]
  window = _window(product.attributes)
  for axis in sorted(set(lhs) - {'b', 'f'}):
    found *= _valid_positions(
      left.dims[lhs.index(axis)],
      right.dims[rhs.index(axis)],
      out.dims[result.index(axis)],
      {name: values[int(axis)] for name, values in window.items()},
    )
  return found


def _window(attributes: str) -> dict[str, list[str]]:
  found = re.search(r'window=\{([^}]*)\}', attributes)
  fields = (field.split('=') for field in found[1].split()) if found else ()
  return {name: value.split('x') for name, value in fields}


def _valid_positions(
  size: int, kernel: int, out: int, window: dict[str, str]
) -> int:
  """Pairs of output and window positions that meet an input, on one axis."""
  stride = int(window.get('stride', 1))
  low = int(window.get('pad', '0_0').split('_')[0])
  spread = int(window.get('lhs_dilate', 1))
  gap = int(window.get('rhs_dilate', 1))
  if out * kernel > 10**7:
    raise ValueError('a convolution too wide to count position by position')
  return sum(
    1
    for k in range(kernel)
    for o in range(out)
    if 0 <= (at := o * stride + k * gap - low) < (size - 1) * spread + 1
    and at % spread == 0
  )


def hbm_bytes(
  program: program_text.Program,
  computation: program_text.Computation,
  instruction: program_text.Instruction,
) -> float:
  """Bytes that one run of an instruction moves from and to main memory."""
  opcode = instruction.opcode
  if opcode in _FREE or opcode.endswith('-done'):
    return 0.0
  if opcode in ('copy-start', 'slice-start'):
    target = 0 if opcode == 'copy-start' else 1
    source = instruction.results[1 - target]
    size = instruction.results[target].padded_bytes
    return size * (source.in_hbm + instruction.results[target].in_hbm)
  if opcode.endswith('-start'):  # of a collective: operands and results
    return _hbm(instruction.results)
  if opcode == 'fusion':
    return _fusion_bytes(program, instruction)
  operands = [
    array
    for name in instruction.operands
    for array in computation.instructions[name].results
  ]
  if opcode in ('dynamic-slice', 'slice', 'gather'):
    return (operands[0].in_hbm + instruction.results[0].in_hbm) * (
      instruction.results[0].padded_bytes
    )
  if opcode == 'dynamic-update-slice':
    return (operands[0].in_hbm + operands[1].in_hbm) * (
      operands[1].padded_bytes
    )
  return _hbm(operands) + _hbm(instruction.results)


def _fusion_bytes(
  program: program_text.Program, fusion: program_text.Instruction
) -> float:
  inside = program.computations[fusion.called['calls']]
  read = sum(
    _read(program, inside, parameter)
    for parameter in inside.parameters
    if any(array.in_hbm for array in parameter.results)
  )
  root = inside.root
  parts = (
    [inside.instructions[name] for name in root.operands]
    if root.opcode == 'tuple'
    else [root]
  )
  return read + sum(_written(program, inside, part) for part in parts)


def _read(
  program: program_text.Program,
  inside: program_text.Computation,
  value: program_text.Instruction,
  is_nested: bool = False,
) -> float:
  """Bytes of a fusion's operand that the fusion reads.

  What a fusion hands on as it is, it does not read; a fusion inside a fusion
  hands it to what does.
  """
  whole = _hbm(value.results)
  if is_nested and value.is_root:
    return whole
  found = 0.0
  for user in inside.users.get(value.name, ()):
    first = user.operands[0] == value.name
    if user.opcode in ('dynamic-slice', 'slice', 'gather') and first:
      found += user.results[0].padded_bytes
    elif user.opcode == 'dynamic-update-slice' and first:
      continue
    elif user.opcode in _VIEWS:
      found += _read(program, inside, user, is_nested)
    elif user.opcode == 'fusion':
      nested = program.computations[user.called['calls']]
      for k, name in enumerate(user.operands):
        if name == value.name:
          found += _read(program, nested, nested.parameters[k], True)
    elif collectives_lib.is_piece(user):
      continue  # the chain's start counts operand and result
    else:
      return whole
  return min(found, whole)


def _written(
  program: program_text.Program,
  inside: program_text.Computation,
  value: program_text.Instruction,
) -> float:
  """Bytes that a fusion writes of one of its results."""
  if not any(array.in_hbm for array in value.results):
    return 0.0
  source = value
  while source.opcode in ('bitcast', 'get-tuple-element'):
    source = inside.instructions[source.operands[0]]
  if source.opcode == 'dynamic-update-slice':
    return inside.instructions[source.operands[1]].results[0].padded_bytes
  if source.opcode == 'parameter' or collectives_lib.is_piece(source):
    return _hbm(value.results) if collectives_lib.is_start(source) else 0.0
  if source.opcode == 'fusion':
    nested = program.computations[source.called['calls']]
    if nested.root.opcode != 'tuple':
      return _written(program, nested, nested.root)
  return _hbm(value.results)


def _hbm(arrays) -> float:
  return sum(array.padded_bytes for array in arrays if array.in_hbm)


def _with_fused(
  program: program_text.Program,
  computation: program_text.Computation,
  instruction: program_text.Instruction,
) -> Iterator[tuple[program_text.Computation, program_text.Instruction]]:
  """The instruction and, of a fusion, all that is fused, with its place."""
  yield computation, instruction
  if instruction.opcode == 'fusion':
    inside = program.computations[instruction.called['calls']]
    for part in inside.instructions.values():
      yield from _with_fused(program, inside, part)


def _cycles(instruction: program_text.Instruction) -> float:
  found = re.search(r'"estimated_cycles":"(\d+)"', instruction.attributes)
  return float(found[1]) if found else 0.0


def _is_kernel(instruction: program_text.Instruction) -> bool:
  return 'custom_call_target="tpu_custom_call"' in instruction.attributes
