"""What the renderers of all languages share: precedence and blocks.

A renderer turns a program tree into the text of one language. Operators
carry the precedence that Python, JavaScript and Java agree on, so that
parentheses appear where they are needed and nowhere else.
"""

import abc
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import re
import textwrap
from typing import Any

from codelaw.corpora.synthetic import program

CHOICE, OR, AND, NOT, COMPARE, SUM, PRODUCT, UNARY, ATOM = range(9)
PRECEDENCE = {
  'or': OR,
  'and': AND,
  **dict.fromkeys(('==', '!=', '<', '<=', '>', '>='), COMPARE),
  **dict.fromkeys(('+', '-'), SUM),
  **dict.fromkeys(('*', '//', '%'), PRODUCT),
}


@dataclasses.dataclass(frozen=True)
class Example:
  """Arguments of a function and the result that running it gave."""

  arguments: tuple[Any, ...]
  result: Any


@dataclasses.dataclass(frozen=True)
class Problem:
  """A statement, the program that solves it, and verified examples.

  Attributes:
    statement: what to compute, in sentences.
    functions: helpers first; the last one is the solution.
    examples: of the solution.
    style: a small number that picks among ways to lay out a document.
  """

  statement: str
  functions: tuple[program.Function, ...]
  examples: tuple[Example, ...]
  style: int

  @property
  def solution(self) -> program.Function:
    """The function that the statement asks for."""
    return self.functions[-1]


class Renderer(abc.ABC):
  """The walk over the tree; each language fills in its own spelling.

  Attributes:
    language: its name, as readers type files.
    indent: of one block level.
    operators: operator of the tree -> its spelling.
    builtins: builtin -> (template, precedence of the result). In a template
      `{0}` is the first argument as it is, `{a0}` in parentheses unless it
      is a name or a call.
  """

  language = ''
  indent = '    '
  operators: Mapping[str, str] = {}
  builtins: Mapping[str, tuple[str, int]] = {}

  def name(self, snake_case: str) -> str:
    """A variable's or function's name as the language spells names."""
    return camel_case(snake_case)

  @abc.abstractmethod
  def document(self, problem: Problem) -> str:
    """A source file with the problem's statement, solution and examples."""

  @abc.abstractmethod
  def function(self, function: program.Function, comment: str) -> list[str]:
    """The lines of a function, `comment` being its documentation."""

  @abc.abstractmethod
  def statement(self, item: program.Statement) -> list[str]:
    """The lines of a statement."""

  @abc.abstractmethod
  def literal(self, value: Any) -> str:
    """A plain value: integer, boolean, text or list of those."""

  @abc.abstractmethod
  def choice(self, item: program.Choice) -> str:
    """A conditional expression."""

  def negation(self, item: program.Not) -> tuple[str, int]:
    """A logical negation and its precedence."""
    return f'!{self.expression(item.operand, ATOM)}', UNARY

  def block(self, body: Iterable[program.Statement]) -> list[str]:
    """The indented lines of statements."""
    return [
      f'{self.indent}{line}' for item in body for line in self.statement(item)
    ]

  def expression(self, item: program.Expression, least: int = CHOICE) -> str:
    """The text of an expression, in parentheses if it binds below `least`."""
    text, precedence = self.parts(item)
    return f'({text})' if precedence < least else text

  def parts(self, item: program.Expression) -> tuple[str, int]:
    """The text of an expression without parentheses, and its precedence."""
    match item:
      case program.Literal():
        negative = item.type == program.INT and int(item.value) < 0
        return self.literal_of(item), UNARY if negative else ATOM
      case program.Variable():
        return self.name(item.name), ATOM
      case program.Operation():
        return self.operation(item)
      case program.Not():
        return self.negation(item)
      case program.Choice():
        return self.choice(item), CHOICE
      case program.Call():
        arguments = ', '.join(map(self.expression, item.arguments))
        return f'{self.name(item.name)}({arguments})', ATOM
      case program.Builtin():
        return self.builtin(item)
    raise TypeError(f'no rendering of {item!r}')

  def literal_of(self, item: program.Literal) -> str:
    """A literal; languages that tell characters from texts override it."""
    return self.literal(item.value)

  def operation(self, item: program.Operation) -> tuple[str, int]:
    """A binary operation and its precedence."""
    precedence = PRECEDENCE[item.op]
    left = self.expression(item.left, precedence)
    right = self.expression(item.right, precedence + 1)
    return f'{left} {self.operators[item.op]} {right}', precedence

  def builtin(self, item: program.Builtin) -> tuple[str, int]:
    """A builtin operation and its precedence."""
    template, precedence = self.builtins[self.builtin_name(item)]
    plain = [self.expression(argument) for argument in item.arguments]
    atoms = {
      f'a{place}': self.expression(argument, ATOM)
      for place, argument in enumerate(item.arguments)
    }
    return template.format(*plain, **atoms), precedence

  def builtin_name(self, item: program.Builtin) -> str:
    """The key of a builtin; languages may tell types of arguments apart."""
    return item.name

  def call(self, problem: Problem, example: Example) -> str:
    """A call of the solution with an example's arguments."""
    arguments = ', '.join(map(self.literal, example.arguments))
    return f'{self.name(problem.solution.name)}({arguments})'


class BraceRenderer(Renderer):
  """Statements of languages with braces and semicolons."""

  def operation(self, item: program.Operation) -> tuple[str, int]:
    """An operation; `% n == 0` means the same however `%` rounds."""
    left = item.left
    if (
      item.op in ('==', '!=')
      and getattr(item.right, 'value', None) == 0
      and isinstance(left, program.Operation)
      and left.op == '%'
    ):
      item = dataclasses.replace(item, left=program.natural(left))
    return super().operation(item)

  @abc.abstractmethod
  def declaration(self, variable: program.Variable, changes: bool) -> str:
    """The words before the `=` of a declaration."""

  @abc.abstractmethod
  def each(self, item: program.Each) -> str:
    """The head of a loop over a sequence, without its brace."""

  @abc.abstractmethod
  def each_entry(self, item: program.EachEntry) -> list[str]:
    """The lines of a loop over counts."""

  @abc.abstractmethod
  def put(self, item: program.Put) -> str:
    """Setting an element or entry, without the semicolon."""

  @abc.abstractmethod
  def append(self, item: program.Append) -> str:
    """Adding an element, without the semicolon."""

  def declare(self, item: program.Declare) -> str:
    """A declaration, without the semicolon."""
    start = self.declaration(item.variable, item.variable.name in self.changed)
    return f'{start} = {self.expression(item.value)}'

  # Names that the function being rendered assigns more than once; set by
  # `body` before any statement is rendered.
  changed: frozenset[str] = frozenset()

  def body(self, function: program.Function) -> list[str]:
    """The indented lines of a function's statements."""
    self.changed = frozenset(_assigned(function.body))
    return self.block(function.body)

  def statement(self, item: program.Statement) -> list[str]:
    """The lines of a statement."""
    match item:
      case program.Remark():
        return [f'// {item.text}']
      case program.Declare():
        return [f'{self.declare(item)};']
      case program.Assign():
        return [
          f'{self.name(item.variable.name)} = {self.expression(item.value)};'
        ]
      case program.Update():
        name = self.name(item.variable.name)
        if item.op in '+-' and getattr(item.value, 'value', None) == 1:
          return [f'{name}{item.op * 2};']
        return [f'{name} {item.op}= {self.expression(item.value)};']
      case program.Put():
        return [f'{self.put(item)};']
      case program.Append():
        return [f'{self.append(item)};']
      case program.If():
        return self._conditional(item)
      case program.While():
        head = f'while ({self.expression(item.condition)})'
        return [f'{head} {{', *self.block(item.body), '}']
      case program.Count():
        return [f'{self._count(item)} {{', *self.block(item.body), '}']
      case program.Each():
        return [f'{self.each(item)} {{', *self.block(item.body), '}']
      case program.EachEntry():
        return self.each_entry(item)
      case program.Return():
        return [f'return {self.expression(item.value)};']
      case program.Break():
        return ['break;']
    raise TypeError(f'no rendering of {item!r}')

  def _conditional(self, item: program.If) -> list[str]:
    lines = [
      f'if ({self.expression(item.condition)}) {{',
      *self.block(item.then),
    ]
    match item.otherwise:
      case [program.If() as other]:
        first, *rest = self._conditional(other)
        return [*lines, f'}} else {first}', *rest]
      case []:
        return [*lines, '}']
    return [*lines, '} else {', *self.block(item.otherwise), '}']

  def _count(self, item: program.Count) -> str:
    name = self.name(item.variable.name)
    start = self.declaration(item.variable, True)
    compare = '<' if item.step > 0 else '>'
    size = abs(item.step)
    sign = '+' if item.step > 0 else '-'
    step = f'{name}{sign * 2}' if size == 1 else f'{name} {sign}= {size}'
    return (
      f'for ({start} = {self.expression(item.start)};'
      f' {name} {compare} {self.expression(item.stop, SUM)}; {step})'
    )


def _assigned(body: Sequence[program.Statement]) -> Iterable[str]:
  for item in body:
    if isinstance(item, (program.Assign, program.Update)):
      yield item.variable.name
    for field in ('then', 'otherwise', 'body'):
      yield from _assigned(getattr(item, field, ()))


def camel_case(snake_case: str) -> str:
  """Camel case of a snake-case name.

  >>> camel_case('longest_run')
  'longestRun'
  """
  return re.sub('_([a-z0-9])', lambda match: match[1].upper(), snake_case)


def wrap(text: str, prefix: str, width: int = 79) -> list[str]:
  """`text` in lines of at most `width`, each after `prefix`."""
  return textwrap.wrap(
    text,
    width,
    initial_indent=prefix,
    subsequent_indent=prefix,
    break_long_words=False,
    break_on_hyphens=False,
  )


def summary(function: program.Function) -> str:
  """What a helper's comment says, in lines of at most 72 characters."""
  return '\n'.join(wrap(function.summary, '', 72))
