"""The typed program tree that every rendered program comes from.

The tree has one meaning in all languages it is rendered into:

*Integers* are 32-bit: the reader runs every program in a form that refuses
results outside that range, so Java's wrap-around and JavaScript's doubles
never show. `//` and `%` round towards minus infinity, as in Python, and have
positive divisors; with `natural=True` they promise operands that are not
negative, which lets other languages use their plain operators.
*Text* is ASCII. *Places* in texts and lists are never negative, and slices
lie within them. *Lists* given to a function are never changed by it.
*Counts* are mappings to integers that keep the order of insertion; what they
do not have counts as 0. The reader checks divisors, promises and places too.

A `Choice` stands in values, never in the condition of an `If` or a `While`.

Expressions are built with Python's operators; `equals`, `differs`, `also`
and `either` stand for those that cannot be overloaded.
"""

from collections.abc import Sequence
import dataclasses
from typing import Any

INT = 'int'
BOOL = 'bool'
CHAR = 'char'
TEXT = 'text'
INTS = 'ints'
TEXTS = 'texts'
INT_COUNTS = 'int_counts'
CHAR_COUNTS = 'char_counts'
TEXT_COUNTS = 'text_counts'

ELEMENT = {TEXT: CHAR, INTS: INT, TEXTS: TEXT}
KEY = {INT_COUNTS: INT, CHAR_COUNTS: CHAR, TEXT_COUNTS: TEXT}


class Expression:
  """A value; `type` is one of the constants above."""

  type: str

  def _operation(self, op: str, other: Any, type_: str) -> 'Operation':
    return Operation(op, self, lift(other), type_)

  def __add__(self, other: Any) -> 'Operation':
    type_ = TEXT if self.type in (TEXT, CHAR) else INT
    return self._operation('+', other, type_)

  def __sub__(self, other: Any) -> 'Operation':
    return self._operation('-', other, INT)

  def __mul__(self, other: Any) -> 'Operation':
    return self._operation('*', other, INT)

  def __floordiv__(self, other: Any) -> 'Operation':
    return self._operation('//', other, INT)

  def __mod__(self, other: Any) -> 'Operation':
    return self._operation('%', other, INT)

  def __lt__(self, other: Any) -> 'Operation':
    return self._operation('<', other, BOOL)

  def __le__(self, other: Any) -> 'Operation':
    return self._operation('<=', other, BOOL)

  def __gt__(self, other: Any) -> 'Operation':
    return self._operation('>', other, BOOL)

  def __ge__(self, other: Any) -> 'Operation':
    return self._operation('>=', other, BOOL)

  def equals(self, other: Any) -> 'Operation':
    """`self == other` of integers, texts or characters."""
    return self._operation('==', other, BOOL)

  def differs(self, other: Any) -> 'Operation':
    """`self != other` of integers, texts or characters."""
    return self._operation('!=', other, BOOL)

  def also(self, other: 'Expression') -> 'Operation':
    """`self and other`."""
    return self._operation('and', other, BOOL)

  def either(self, other: 'Expression') -> 'Operation':
    """`self or other`."""
    return self._operation('or', other, BOOL)


@dataclasses.dataclass(frozen=True, eq=False)
class Literal(Expression):
  """An integer, a boolean, a text or a character."""

  value: int | bool | str
  type: str


@dataclasses.dataclass(frozen=True, eq=False)
class Variable(Expression):
  """A name in snake_case; each language spells it in its own way."""

  name: str
  type: str


@dataclasses.dataclass(frozen=True, eq=False)
class Operation(Expression):
  """A binary operation; see the module for the meaning of `natural`."""

  op: str
  left: Expression
  right: Expression
  type: str
  natural: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Not(Expression):
  """Logical negation."""

  operand: Expression
  type: str = BOOL


@dataclasses.dataclass(frozen=True, eq=False)
class Choice(Expression):
  """`then` if the condition holds, else `otherwise`."""

  condition: Expression
  then: Expression
  otherwise: Expression
  type: str


@dataclasses.dataclass(frozen=True, eq=False)
class Builtin(Expression):
  """An operation that each language has under a name of its own."""

  name: str
  arguments: tuple[Expression, ...]
  type: str


@dataclasses.dataclass(frozen=True, eq=False)
class Call(Expression):
  """A call of a function of the same program."""

  name: str
  arguments: tuple[Expression, ...]
  type: str


class Statement:
  """Something a function does."""


@dataclasses.dataclass(frozen=True, eq=False)
class Remark(Statement):
  """A comment."""

  text: str


@dataclasses.dataclass(frozen=True, eq=False)
class Declare(Statement):
  """The first assignment of a variable, in the scope of its block."""

  variable: Variable
  value: Expression


@dataclasses.dataclass(frozen=True, eq=False)
class Assign(Statement):
  """A later assignment of a variable."""

  variable: Variable
  value: Expression


@dataclasses.dataclass(frozen=True, eq=False)
class Update(Statement):
  """`variable op= value`, with op one of + - *."""

  variable: Variable
  op: str
  value: Expression


@dataclasses.dataclass(frozen=True, eq=False)
class Put(Statement):
  """Sets an element of a list of our own, or an entry of counts."""

  container: Variable
  key: Expression
  value: Expression


@dataclasses.dataclass(frozen=True, eq=False)
class Append(Statement):
  """Adds an element to the end of a list of our own."""

  container: Variable
  value: Expression


@dataclasses.dataclass(frozen=True, eq=False)
class Pop(Statement):
  """Drops the last element of a list of our own that has one."""

  container: Variable


@dataclasses.dataclass(frozen=True, eq=False)
class Sort(Statement):
  """Puts a list of integers of our own in rising order."""

  container: Variable


@dataclasses.dataclass(frozen=True, eq=False)
class If(Statement):
  """A conditional; an `otherwise` of a single If is an else-if."""

  condition: Expression
  then: Sequence[Statement]
  otherwise: Sequence[Statement] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class While(Statement):
  """A loop that the condition ends."""

  condition: Expression
  body: Sequence[Statement]


@dataclasses.dataclass(frozen=True, eq=False)
class Count(Statement):
  """`variable` from `start` up to but not including `stop`, by `step`.

  The body must not change what `stop` depends on.
  """

  variable: Variable
  start: Expression
  stop: Expression
  body: Sequence[Statement]
  step: int = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Each(Statement):
  """`variable` over the elements of a list or the characters of a text."""

  variable: Variable
  sequence: Expression
  body: Sequence[Statement]


@dataclasses.dataclass(frozen=True, eq=False)
class EachEntry(Statement):
  """`key`, `value` over the entries of counts, in order of insertion."""

  key: Variable
  value: Variable
  counts: Variable
  body: Sequence[Statement]


@dataclasses.dataclass(frozen=True, eq=False)
class Return(Statement):
  """Ends the function with a value."""

  value: Expression


@dataclasses.dataclass(frozen=True, eq=False)
class Break(Statement):
  """Leaves the innermost loop."""


@dataclasses.dataclass(frozen=True, eq=False)
class Continue(Statement):
  """Goes on with the next round of the innermost loop."""


@dataclasses.dataclass(frozen=True, eq=False)
class Function:
  """A function; `summary` is a sentence about what it returns."""

  name: str
  parameters: tuple[Variable, ...]
  returns: str
  body: Sequence[Statement]
  summary: str


def lift(value: Any) -> Expression:
  """A literal for a plain value; expressions stay as they are."""
  if isinstance(value, Expression):
    return value
  if isinstance(value, bool):
    return Literal(value, BOOL)
  return Literal(value, INT if isinstance(value, int) else TEXT)


def char(value: str) -> Literal:
  """A character literal."""
  return Literal(value, CHAR)


def builtin(name: str, type_: str, *arguments: Any) -> Builtin:
  """A builtin operation on expressions or plain values."""
  return Builtin(name, tuple(map(lift, arguments)), type_)


def length(sequence: Expression) -> Builtin:
  """Number of elements, characters or entries."""
  return builtin('length', INT, sequence)


def at(sequence: Expression, index: Any) -> Builtin:
  """Element or character at a non-negative index."""
  return builtin('at', ELEMENT[sequence.type], sequence, index)


def natural(operation: Operation) -> Operation:
  """The `//` or `%` with the promise that no operand is negative."""
  return dataclasses.replace(operation, natural=True)


def skeleton(part: Any) -> Any:
  """The shape of a tree: kinds of nodes and operators, no names or values.

  Programs that differ in names, constants and remarks alone share it.
  """
  if isinstance(part, (tuple, list)):
    return [skeleton(item) for item in part if not isinstance(item, Remark)]
  if isinstance(part, Literal):
    return part.type
  if isinstance(part, Variable):
    return part.type
  if isinstance(part, Function):
    return skeleton([*part.parameters, *part.body])
  if dataclasses.is_dataclass(part):
    fields = [getattr(part, field.name) for field in dataclasses.fields(part)]
    if isinstance(part, Call):
      fields = [part.arguments]
    return [type(part).__name__, *map(skeleton, fields)]
  return part
