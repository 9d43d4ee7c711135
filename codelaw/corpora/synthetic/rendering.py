"""What the renderers of all languages share: precedence and expressions.

A renderer turns a program tree into the text of one language. Operators
carry the precedence that all the languages agree on, so that parentheses
appear where they are needed and nowhere else. `braces` adds the statements
that languages with braces share.
"""

import abc
from collections.abc import Iterable
from collections.abc import Mapping
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

  def support(self, code: str) -> list[str]:
    """Functions that `code` calls and the language lacks, as lines.

    They are for code that stands alone; `document` has its own.
    """
    del code
    return []

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

  def slice_ends(self, item: program.Builtin) -> tuple[str, str]:
    """The places of a slice; empty for the start and the end of its text."""
    text, start, stop = item.arguments
    low, high = self.expression(start), self.expression(stop)
    ends_there = (
      isinstance(stop, program.Builtin)
      and stop.name == 'length'
      and stop.arguments[0] is text
    )
    return '' if low == '0' else low, '' if ends_there else high

  def builtin_name(self, item: program.Builtin) -> str:
    """The key of a builtin; texts may have one of their own."""
    of_text = f'{item.name} of text'
    first = item.arguments[0].type if item.arguments else ''
    if first == program.TEXT and of_text in self.builtins:
      return of_text
    return item.name

  def call(self, problem: Problem, example: Example) -> str:
    """A call of the solution with an example's arguments."""
    arguments = ', '.join(map(self.literal, example.arguments))
    return f'{self.name(problem.solution.name)}({arguments})'


def camel_case(snake_case: str) -> str:
  """Camel case of a snake-case name.

  >>> camel_case('longest_run')
  'longestRun'
  """
  return re.sub('_([a-z0-9])', lambda match: match[1].upper(), snake_case)


def pascal_case(snake_case: str) -> str:
  """Pascal case of a snake-case name.

  >>> pascal_case('longest_run')
  'LongestRun'
  """
  camel = camel_case(snake_case)
  return camel[0].upper() + camel[1:]


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
