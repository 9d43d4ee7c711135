"""Statements as the languages with braces write them.

A language says how it heads loops and conditions, declares variables and
changes containers; blocks, `else if` chains and updates are the same.
"""

import abc
from collections.abc import Sequence
import dataclasses

from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import scans


class BraceRenderer(rendering.Renderer):
  """Statements of languages with braces.

  Attributes:
    end: what ends a statement.
    changed: names that the function being rendered assigns again. This and
      the next three are set by `scan`, before any statement is rendered.
    mutated: names of lists and counts that it changes in place.
    ordered: names of counts that it reads in order.
    read: names whose values it uses.
  """

  end = ';'
  changed: frozenset[str] = frozenset()
  mutated: frozenset[str] = frozenset()
  ordered: frozenset[str] = frozenset()
  read: frozenset[str] = frozenset()

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
  def put(self, item: program.Put) -> list[str]:
    """Setting an element or entry."""

  @abc.abstractmethod
  def append(self, item: program.Append) -> str:
    """Adding an element, without the end of a statement."""

  @abc.abstractmethod
  def pop(self, name: str) -> str:
    """Dropping the last element of a list, without the end of a statement."""

  @abc.abstractmethod
  def sort(self, name: str) -> str:
    """Sorting a list of integers, without the end of a statement."""

  def declare(self, item: program.Declare) -> list[str]:
    """The lines of a declaration."""
    start = self.declaration(item.variable, item.variable.name in self.changed)
    return [f'{start} = {self.expression(item.value)}{self.end}']

  def assign(self, item: program.Assign) -> str:
    """An assignment, without the end of a statement."""
    return f'{self.name(item.variable.name)} = {self.expression(item.value)}'

  def update(self, item: program.Update) -> str:
    """An assignment that keeps part of the value, without the end."""
    name = self.name(item.variable.name)
    if item.op in '+-' and getattr(item.value, 'value', None) == 1:
      return f'{name}{item.op * 2}'
    return f'{name} {item.op}= {self.expression(item.value)}'

  def head(self, word: str, condition: program.Expression) -> str:
    """The head of a conditional or a loop, without its brace."""
    return f'{word} ({self.expression(condition)})'

  def loop(self, item: program.While) -> str:
    """The head of a loop that a condition ends."""
    return self.head('while', item.condition)

  def count(self, item: program.Count) -> str:
    """The head of a loop that counts."""
    name = self.name(item.variable.name)
    start = self.declaration(item.variable, True)
    compare = '<' if item.step > 0 else '>'
    size = abs(item.step)
    sign = '+' if item.step > 0 else '-'
    step = f'{name}{sign * 2}' if size == 1 else f'{name} {sign}= {size}'
    return (
      f'for ({start} = {self.expression(item.start)};'
      f' {name} {compare} {self.expression(item.stop, rendering.SUM)}; {step})'
    )

  def scan(self, function: program.Function) -> None:
    """Finds out what rendering the function's statements needs to know."""
    self.changed = scans.assigned(function.body)
    self.mutated = scans.mutated(function.body)
    self.ordered = scans.ordered(function.body)
    self.read = scans.reads(function.body)

  def body(self, function: program.Function) -> list[str]:
    """The indented lines of a function's statements."""
    self.scan(function)
    return self.block(function.body)

  def statement(self, item: program.Statement) -> list[str]:
    """The lines of a statement."""
    match item:
      case program.Remark():
        return [f'// {item.text}']
      case program.Declare():
        return self.declare(item)
      case program.Assign():
        return [f'{self.assign(item)}{self.end}']
      case program.Update():
        return [f'{self.update(item)}{self.end}']
      case program.Put():
        return self.put(item)
      case program.Append():
        return [f'{self.append(item)}{self.end}']
      case program.Pop():
        return [f'{self.pop(self.name(item.container.name))}{self.end}']
      case program.Sort():
        return [f'{self.sort(self.name(item.container.name))}{self.end}']
      case program.If():
        return self.conditional(item)
      case program.While():
        return [f'{self.loop(item)} {{', *self.block(item.body), '}']
      case program.Count():
        return [f'{self.count(item)} {{', *self.block(item.body), '}']
      case program.Each():
        return [f'{self.each(item)} {{', *self.block(item.body), '}']
      case program.EachEntry():
        return self.each_entry(item)
      case program.Return():
        return [f'return {self.expression(item.value)}{self.end}']
      case program.Break():
        return [f'break{self.end}']
      case program.Continue():
        return [f'continue{self.end}']
    raise TypeError(f'no rendering of {item!r}')

  def conditional(self, item: program.If) -> list[str]:
    """The lines of a conditional."""
    lines = [f'{self.head("if", item.condition)} {{', *self.block(item.then)]
    match item.otherwise:
      case [program.If() as other]:
        first, *rest = self._chained(other)
        return [*lines, f'}} else {first}', *rest]
      case []:
        return [*lines, '}']
    return [*lines, '} else {', *self.block(item.otherwise), '}']

  def _chained(self, item: program.If) -> list[str]:
    # Not `conditional`: in the middle of a chain no switch may start.
    return BraceRenderer.conditional(self, item)

  def floor_remainder(self, item: program.Operation) -> tuple[str, int]:
    """A remainder that is never negative, where `%` may give one."""
    product = rendering.PRODUCT
    left = self.expression(item.left, product)
    right = self.expression(item.right, product + 1)
    return f'(({left} % {right}) + {right}) % {right}', product

  def doc_comment(self, comment: str) -> list[str]:
    """`comment` between `/**` and `*/`."""
    lines = (f' * {line}'.rstrip() for line in comment.split('\n'))
    return ['/**', *lines, ' */']

  def helpers(self, problem: rendering.Problem) -> list[str]:
    """The functions before the solution, an empty line after each."""
    lines = []
    for helper in problem.functions[:-1]:
      lines += [*self.function(helper, rendering.summary(helper)), '']
    return lines

  def calls(self, problem: rendering.Problem) -> Sequence[tuple[str, str]]:
    """Calls of the solution and their results."""
    return [
      (self.call(problem, example), self.literal(example.result))
      for example in problem.examples
    ]
