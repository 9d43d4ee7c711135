"""What a renderer finds out about a function before it writes it.

Languages differ in what they want to know: which names are assigned again
(`const` or `let`, `mut`), which counts are read in order (Go, Rust and C#
have no ordered mapping to integers), which loops select among cases.
"""

from collections.abc import Sequence
import dataclasses
from typing import Any

from codelaw.corpora.synthetic import program

_FEWEST_CASES = 3


NODES = (program.Expression, program.Statement, program.Function)


# The names of the fields of every kind of node that can hold nodes.
FIELDS: dict[type, tuple[str, ...]] = {
  kind: tuple(
    field.name
    for field in dataclasses.fields(kind)
    if field.name not in ('type', 'op', 'natural', 'name', 'summary', 'step')
  )
  for kind in vars(program).values()
  if isinstance(kind, type) and dataclasses.is_dataclass(kind)
}


def nodes(part: Any) -> list[Any]:
  """All nodes of a tree, or of a sequence of trees, parents first."""
  found: list[Any] = []
  _gather(part, found)
  return found


def _gather(part: Any, found: list[Any]) -> None:
  if isinstance(part, (tuple, list)):
    for item in part:
      _gather(item, found)
  elif isinstance(part, NODES):
    found.append(part)
    for name in FIELDS[type(part)]:
      _gather(getattr(part, name), found)


def replaced(part: Any, old: Any, new: Any) -> Any:
  """The tree with the node `new` instead of `old`."""
  if part is old:
    return new
  if isinstance(part, (tuple, list)):
    return tuple(replaced(item, old, new) for item in part)
  if not dataclasses.is_dataclass(part) or isinstance(part, type):
    return part
  fields = {
    field.name: replaced(getattr(part, field.name), old, new)
    for field in dataclasses.fields(part)
  }
  return dataclasses.replace(part, **fields)


def assigned(body: Sequence[program.Statement]) -> frozenset[str]:
  """Names of variables that get a new value after their declaration."""
  return frozenset(
    node.variable.name
    for node in nodes(body)
    if isinstance(node, (program.Assign, program.Update))
  )


def mutated(body: Sequence[program.Statement]) -> frozenset[str]:
  """Names of lists and counts that change in place."""
  kinds = (program.Put, program.Append, program.Pop, program.Sort)
  return frozenset(
    node.container.name for node in nodes(body) if isinstance(node, kinds)
  )


def ordered(body: Sequence[program.Statement]) -> frozenset[str]:
  """Names of counts whose order of insertion matters."""
  return frozenset(
    node.counts.name
    for node in nodes(body)
    if isinstance(node, program.EachEntry)
  )


def reads(part: Any) -> frozenset[str]:
  """Names of variables whose values are used, not only set."""
  if isinstance(part, (tuple, list)):
    return frozenset().union(*map(reads, part))
  if isinstance(part, program.Variable):
    return frozenset([part.name])
  if not isinstance(part, NODES):
    return frozenset()
  names = set(FIELDS[type(part)]) - {'variable'}
  if isinstance(part, program.EachEntry):
    names -= {'key', 'value'}
  return frozenset().union(*(reads(getattr(part, name)) for name in names))


def builtin_name(item: program.Expression) -> str:
  """The name of a builtin operation; empty for all other expressions."""
  return item.name if isinstance(item, program.Builtin) else ''


def pieces(item: program.Expression) -> list[program.Expression]:
  """What a text is joined from, in order, without empty literals."""
  if isinstance(item, program.Operation) and item.type == program.TEXT:
    return [*pieces(item.left), *pieces(item.right)]
  if isinstance(item, program.Literal) and item.value == '':
    return []
  return [item]


def added_text(item: program.Assign) -> list[program.Expression]:
  """The pieces that an assignment adds to the end of a text; none if none."""
  if item.variable.type != program.TEXT:
    return []
  match pieces(item.value):
    case [program.Variable(name), *rest] if name == item.variable.name:
      return rest
  return []


@dataclasses.dataclass(frozen=True)
class Cases:
  """A chain of conditionals that compares one variable with constants."""

  subject: program.Variable
  branches: Sequence[tuple[program.Literal, Sequence[program.Statement]]]
  default: Sequence[program.Statement]


def cases(item: program.If) -> Cases | None:
  """The chain that starts at `item`.

  None if it is short, compares other things, or has a Break, which would
  leave a switch and not the loop around it.
  """
  branches: list[tuple[program.Literal, Sequence[program.Statement]]] = []
  subject = None
  rest: Sequence[program.Statement] = (item,)
  while len(rest) == 1 and isinstance(rest[0], program.If):
    link = rest[0]
    match link.condition:
      case program.Operation(
        '==', program.Variable() as variable, program.Literal() as value
      ) if value.type != program.TEXT and (
        subject is None or variable.name == subject.name
      ):
        subject = variable
        branches.append((value, link.then))
        rest = link.otherwise
      case _:
        break
  constants = {value.value for value, _ in branches}
  if subject is None or not _FEWEST_CASES <= len(branches) == len(constants):
    return None
  if any(isinstance(node, program.Break) for node in nodes(item)):
    return None
  return Cases(subject, branches, rest)


def increment(item: program.Put) -> program.Expression | None:
  """What is added to the entry of counts; None for other assignments."""
  match item.value:
    case program.Operation(
      '+', program.Builtin('get', (counts, key, _)), amount
    ) if counts is item.container and key is item.key:
      return amount
  return None


def is_byte(item: program.Expression) -> bool:
  """Whether a comparison can take the character as a byte."""
  if isinstance(item, program.Literal):
    return item.type == program.CHAR
  return builtin_name(item) == 'at' and item.type == program.CHAR
