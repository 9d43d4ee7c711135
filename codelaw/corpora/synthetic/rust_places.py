"""Which integers of a program Rust counts as places, of type usize.

The tree has one kind of integer; Rust indexes with usize alone. A variable
of a counting loop becomes a usize if it runs over places and is used as one
at least as often as otherwise, so that a program has few casts.
"""

from collections.abc import Sequence
from typing import Any

from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import scans


def find(body: Sequence[program.Statement]) -> frozenset[str]:
  """Names of the variables that are of type usize."""
  nodes = list(scans.nodes(body))
  loops = [node for node in nodes if isinstance(node, program.Count)]
  names = {loop.variable.name for loop in loops} - scans.assigned(body)
  names -= {n.variable.name for n in nodes if isinstance(n, program.Declare)}
  while True:
    places = frozenset(names)
    names -= {
      loop.variable.name
      for loop in loops
      if not _runs_over_places(loop, places)
      or not _is_mostly_place(loop.variable.name, nodes, places)
    }
    if names == places:
      return places


def _runs_over_places(loop: program.Count, places: frozenset[str]) -> bool:
  if downward(loop) is not None:
    return True
  ends = (plain(loop.start, places), bound(loop.stop, places))
  return loop.step > 0 and None not in ends


def _is_mostly_place(
  name: str, nodes: Sequence[Any], places: frozenset[str]
) -> bool:
  used = sum(
    isinstance(node, program.Variable) and node.name == name for node in nodes
  )
  as_place = 0
  for node in nodes:
    found: Sequence[program.Expression] = ()
    match node:
      case program.Count(variable, start, stop):
        used -= variable.name == name
        found = (start, stop)
      case program.Builtin('at', (_, place)):
        found = (place,)
      case program.Builtin('slice', (_, start, stop)):
        found = (start, stop)
      case program.Put(container, key) if container.type not in program.KEY:
        found = (key,)
      case program.Operation() if compared(node, places) is not None:
        found = (node,)
    for item in found:
      as_place += sum(
        isinstance(part, program.Variable) and part.name == name
        for part in scans.nodes(item)
      )
  return 0 < used <= 2 * as_place


def downward(loop: program.Count) -> program.Builtin | None:
  """The length of the list that the loop runs over from its end."""
  match loop:
    case program.Count(
      _,
      program.Operation(
        '-', program.Builtin('length') as size, program.Literal(1)
      ),
      program.Literal(-1),
      _,
      -1,
    ):
      return size
  return None


def plain(
  item: program.Expression, places: frozenset[str], outermost: bool = False
) -> str | None:
  """The integer as a usize without a cast; None if it needs one.

  Args:
    item: the integer.
    places: names of variables that are of type usize.
    outermost: whether the result is known not to be negative, so that a
      difference cannot be less than 0; within an expression it could.
  """
  match item:
    case program.Literal(int(value)) if item.type == program.INT and value >= 0:
      return str(value)
    case program.Variable(name) if name in places:
      return name
    case program.Builtin('length', (program.Variable(name),)):
      return f'{name}.len()'
    case program.Operation(op, left, right, _, is_natural):
      is_sure = op in '+*' or is_natural or (op == '-' and outermost)
      first, second = plain(left, places), plain(right, places)
      if not is_sure or first is None or second is None:
        return None
      precedence = rendering.PRECEDENCE[op]
      if _binding(left) < precedence:
        first = f'({first})'
      if _binding(right) <= precedence:
        second = f'({second})'
      return f'{first} {"/" if op == "//" else op} {second}'
  return None


def _binding(item: program.Expression) -> int:
  if isinstance(item, program.Operation):
    return rendering.PRECEDENCE[item.op]
  return rendering.ATOM


def bound(item: program.Expression, places: frozenset[str]) -> str | None:
  """The end of a loop as a usize; below 0 is as good as 0."""
  taken: list[str | None] = []
  rest = item
  while isinstance(rest, program.Operation) and rest.op == '-':
    taken.insert(0, plain(rest.right, places))
    rest = rest.left
  start = plain(rest, places)
  if start is None or None in taken:
    return None
  if not taken:
    return start
  if isinstance(rest, program.Operation):
    start = f'({start})'
  return f'{start}.saturating_sub({" + ".join(filter(None, taken))})'


def compared(item: program.Operation, places: frozenset[str]) -> str | None:
  """A comparison of sizes and places without a cast; None if it needs one."""
  if item.type != program.BOOL or item.left.type != program.INT:
    return None
  sides = (item.left, item.right)
  if all(isinstance(side, program.Literal) for side in sides):
    return None
  left, right = (plain(side, places) for side in sides)
  if left is None or right is None:
    return None
  if right == '0' and item.op in ('>=', '<'):
    return None  # A usize is never below 0; the compiler says so.
  if left.endswith('.len()') and right == '0' and ' ' not in left:
    name = left.removesuffix('.len()')
    match item.op:
      case '==':
        return f'{name}.is_empty()'
      case '>' | '!=':
        return f'!{name}.is_empty()'
  return f'{left} {item.op} {right}'
