"""Program trees as Rust (2021)."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import rust_expressions
from codelaw.corpora.synthetic import rust_places
from codelaw.corpora.synthetic import scans

_OWNED, _BORROWED = rust_expressions.OWNED, rust_expressions.BORROWED


class RustRenderer(rust_expressions.RustExpressions):
  """Renders idiomatic Rust.

  A HashMap has no order, so a Vec keeps the keys of counts whose order
  matters.

  Attributes:
    visibility: of functions.
  """

  visibility = 'pub '

  def result(self, value: Any) -> str:
    """What a result is compared with."""
    if value == []:
      return 'Vec::<i64>::new()'
    if isinstance(value, list):
      return f'vec!{self.literal(value)[1:]}'
    return self.literal(value)

  def declaration(self, variable: program.Variable, changes: bool) -> str:
    """`let`, and `mut` for what changes in any way."""
    mutable = changes or variable.name in self.mutated
    return f'let {"mut " if mutable else ""}{variable.name}'

  def declare(self, item: program.Declare) -> list[str]:
    """A declaration, with a type where none can be inferred."""
    name, type_ = item.variable.name, _OWNED[item.variable.type]
    start = self.declaration(item.variable, name in self.changed)
    made = scans.builtin_name(item.value)
    value = self.owned(item.value)
    if made == 'words':
      is_lent = name in self.borrowed
      start += f': {"Vec<&str>" if is_lent else type_}'
      value = value.replace(
        '.collect()',
        '.collect()' if is_lent else '.map(String::from).collect()',
      )
    elif made in ('new_list', 'new_counts', 'filled') or (
      name in self.receivers
    ):
      start += f': {type_}'
    elif item.variable.type == program.TEXT and name in self.borrowed:
      value = self.lent(item.value)
    lines = [f'{start} = {value};']
    if made == 'new_counts' and name in self.ordered:
      key = _OWNED[program.KEY[item.variable.type]]
      lines += [f'let mut {name}_keys: Vec<{key}> = Vec::new();']
    return lines

  def assign(self, item: program.Assign) -> str:
    """An assignment; adding to the end of a text is a `push`."""
    added = scans.added_text(item)
    name = item.variable.name
    if not added:
      return f'{name} = {self.owned(item.value)}'
    if len(added) > 1:
      return f'{name}.push_str(&{self.format(added)})'
    if added[0].type == program.CHAR:
      return f'{name}.push({self.expression(added[0])})'
    text = self.lent(added[0])
    if name in scans.reads(added):
      # What is pushed must not be borrowed from what it is pushed to.
      text = f'{text}.to_string()'
    return f'{name}.push_str({text})'

  def update(self, item: program.Update) -> str:
    """An assignment that keeps part of the value."""
    return f'{item.variable.name} {item.op}= {self.expression(item.value)}'

  def head(self, word: str, condition: program.Expression) -> str:
    """A head without parentheses."""
    return f'{word} {self.expression(condition)}'

  def count(self, item: program.Count) -> str:
    """A loop over a range, backwards or by steps."""
    name = item.variable.name if item.variable.name in self.read else '_'
    least = rendering.SUM
    if item.variable.name in self.places:
      size = rust_places.downward(item)
      if size is not None:
        return f'for {name} in (0..{self.place(size)}).rev()'
      span = (
        f'{rust_places.plain(item.start, self.places)}'
        f'..{rust_places.bound(item.stop, self.places)}'
      )
    elif item.step > 0:
      start = self.expression(item.start, least)
      span = f'{start}..{self.expression(item.stop, least)}'
    else:
      last = self.expression(_next(item.stop), least)
      span = f'({last}..={self.expression(item.start, least)}).rev()'
    if abs(item.step) == 1:
      return f'for {name} in {span}'
    span = f'({span})' if item.step > 0 else span
    return f'for {name} in {span}.step_by({abs(item.step)})'

  def each(self, item: program.Each) -> str:
    """A loop over copies of integers, or over borrowed texts."""
    name = item.variable.name if item.variable.name in self.read else '_'
    sequence = self.expression(item.sequence, rendering.ATOM)
    if item.sequence.type == program.TEXT:
      return f'for {name} in {sequence}.chars()'
    if scans.builtin_name(item.sequence) == 'words':
      return f'for {name} in {sequence.removesuffix(".collect()")}'
    copied = item.variable.type == program.INT or self.lends(item.sequence)
    pattern = f'&{name}' if copied and name != '_' else name
    return f'for {pattern} in {self.lent(item.sequence)}'

  def each_entry(self, item: program.EachEntry) -> list[str]:
    """A loop over the keys in order, with the value of each."""
    key, name = item.key.name, item.counts.name
    copied = '' if item.key.type == program.TEXT else '&'
    lines = [f'for {copied}{key} in &{name}_keys {{']
    if item.value.name in self.read:
      lines += [f'{self.indent}let {item.value.name} = {name}[{copied}{key}];']
    return [*lines, *self.block(item.body), '}']

  def put(self, item: program.Put) -> list[str]:
    """An index, or an entry; a new key goes to the list of keys as well."""
    name, value = item.container.name, self.owned(item.value)
    if item.container.type not in program.KEY:
      return [f'{name}[{self.place(item.key)}] = {value};']
    key, lines = self.owned(item.key), []
    if name in self.ordered:
      lines = [
        f'if !{name}.contains_key({self.looked_up(item.key)}) {{',
        f'{self.indent}{name}_keys.push({key});',
        '}',
      ]
    added = scans.increment(item)
    if added is None:
      return [*lines, f'{name}.insert({key}, {value});']
    entry = f'*{name}.entry({key}).or_insert(0)'
    return [*lines, f'{entry} += {self.expression(added)};']

  def append(self, item: program.Append) -> str:
    """`push`."""
    return f'{item.container.name}.push({self.owned(item.value)})'

  def pop(self, name: str) -> str:
    """`pop`."""
    return f'{name}.pop()'

  def sort(self, name: str) -> str:
    """`sort`."""
    return f'{name}.sort()'

  def statement(self, item: program.Statement) -> list[str]:
    """The lines of a statement; what is returned may be given away."""
    if isinstance(item, program.Return):
      return [f'return {self.owned(item.value, moves=True)};']
    return super().statement(item)

  def conditional(self, item: program.If) -> list[str]:
    """A conditional; a `match` if it selects among constants."""
    cases = scans.cases(item)
    if cases is None:
      return super().conditional(item)
    lines = [f'match {self.expression(cases.subject)} {{']
    for value, body in cases.branches:
      lines += self._arm(self.literal_of(value), body)
    lines += self._arm('_', cases.default)
    return [*lines, '}']

  def _arm(self, pattern: str, body: Sequence[program.Statement]) -> list[str]:
    lines = self.block(body)
    if not lines:
      return [f'{self.indent}{pattern} => {{}}']
    if len(lines) == 1 and lines[0].endswith(';') and 'let ' not in lines[0]:
      return [f'{self.indent}{pattern} => {lines[0].strip()[:-1]},']
    lines = [f'{pattern} => {{', *lines, '}']
    return [f'{self.indent}{line}' for line in lines]

  def body(self, function: program.Function) -> list[str]:
    """The indented lines of a function; the last value has no `return`."""
    self.scan(function)
    return self._tail(function.body)

  def _tail(self, body: Sequence[program.Statement]) -> list[str]:
    lines, last = self.block(body[:-1]), body[-1]
    match last:
      case program.Return(value):
        return [*lines, f'{self.indent}{self.owned(value, moves=True)}']
      case program.If(condition, then, otherwise) if otherwise:
        either = [f'{self.head("if", condition)} {{', *self._tail(then)]
        either += ['} else {', *self._tail(otherwise), '}']
        return [*lines, *(f'{self.indent}{line}' for line in either)]
    return self.block(body)

  def function(self, function: program.Function, comment: str) -> list[str]:
    """A function; `comment` becomes its documentation."""
    parameters = ', '.join(
      f'{p.name}: {_BORROWED[p.type]}' for p in function.parameters
    )
    lines = [
      f'/// {line}'.rstrip()
      for line in (comment.split('\n') if comment else ())
    ]
    head = f'{self.visibility}fn {function.name}({parameters})'
    head += f' -> {_OWNED[function.returns]} {{'
    return [*lines, head, *self.body(function), '}']

  def document(self, problem: rendering.Problem) -> str:
    """A file: statement and examples in one of three layouts."""
    self.visibility = '' if problem.style == 1 else 'pub '
    statement = '\n'.join(rendering.wrap(problem.statement, '', 74))
    head, tail, comment = [], [], statement
    checks = [
      _check(self.call(problem, example), example.result, self.result)
      for example in problem.examples
    ]
    if problem.style == 0:
      lines = [f'use solution::{problem.solution.name};', '', *checks]
      comment = '\n'.join(
        [statement, '', '# Examples', '', '```', *lines, '```']
      )
    elif problem.style == 1:
      tail = ['', 'fn main() {']
      for example in problem.examples:
        shown = '{:?}' if isinstance(example.result, list) else '{}'
        call = self.call(problem, example)
        result = self.literal(example.result).lstrip('&')
        tail += [f'    println!("{shown}", {call}); // {result}']
      tail += ['}']
    else:
      head = [*rendering.wrap(problem.statement, '//! ', 78), '']
      comment = ''
      tail = ['', '#[cfg(test)]', 'mod tests {', '    use super::*;', '']
      tail += ['    #[test]', '    fn gives_the_examples() {']
      tail += [*(f'        {check}' for check in checks), '    }', '}']
    solution = self.function(problem.solution, comment)
    code = [*self.helpers(problem), *solution, *tail]
    return '\n'.join([*head, *imports('\n'.join(code)), *code]) + '\n'


def imports(text: str) -> list[str]:
  """The declarations of use that `text` needs, and an empty line."""
  if 'HashMap' in text:
    return ['use std::collections::HashMap;', '']
  return []


def _check(call: str, result: Any, show: Callable[[Any], str]) -> str:
  if isinstance(result, bool):
    return f'assert!({"" if result else "!"}{call});'
  return f'assert_eq!({call}, {show(result)});'


def _next(item: program.Expression) -> program.Expression:
  """The integer after `item`."""
  if isinstance(item, program.Literal):
    return program.lift(int(item.value) + 1)
  return item + 1
