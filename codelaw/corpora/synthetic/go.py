"""Program trees as Go (1.18 and later)."""

import re
from typing import Any

from codelaw.corpora.synthetic import go_expressions
from codelaw.corpora.synthetic import gofmt
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import scans

_TYPES = go_expressions.TYPES
_PACKAGES = (
  'fmt',
  'reflect',
  'sort',
  'strconv',
  'strings',
  'testing',
  'unicode',
)
# What Go's library lacks before 1.21; a file has those that it calls.
_SUPPORT = {
  'abs': ('x int', 'int', 'x < 0', '-x', 'x'),
  'floorDiv': ('a, b int', 'int', 'a < 0', '-((b - 1 - a) / b)', 'a / b'),
  'max': ('a, b int', 'int', 'a > b', 'a', 'b'),
  'min': ('a, b int', 'int', 'a < b', 'a', 'b'),
  'mod': ('a, b int', 'int', 'a%b < 0', 'a%b + b', 'a % b'),
}


class GoRenderer(go_expressions.GoExpressions):
  """Renders idiomatic Go.

  A map has no order, so a slice keeps the keys of counts whose order
  matters. Go has no conditional expression: a statement with one is written
  once for either case.
  """

  def declaration(self, variable: program.Variable, changes: bool) -> str:
    """Only the name: the sign is `:=`."""
    del changes  # Go marks neither kind of variable.
    return self.name(variable.name)

  def declare(self, item: program.Declare) -> list[str]:
    """A short declaration; a slice or a map says what it holds."""
    name, type_ = (
      self.name(item.variable.name),
      _TYPES[item.variable.type],
    )
    match item.value:
      case program.Builtin('new_counts'):
        lines = [f'{name} := {type_}{{}}']
        if item.variable.name in self.ordered:
          key = _TYPES[program.KEY[item.variable.type]]
          lines += [f'{name}Keys := []{key}{{}}']
        return lines
      case program.Builtin('new_list'):
        return [f'{name} := {type_}{{}}']
      case program.Builtin('filled', (value, size)):
        made = gofmt.spaced(f'make({type_}, {self.expression(size)})')
        lines = [f'{name} := {made}']
        if getattr(value, 'value', None) != 0:
          lines += [f'for place := range {name} {{']
          lines += [f'{self.indent}{name}[place] = {self.spaced(value)}', '}']
        return lines
    return [f'{name} := {self.spaced(item.value)}']

  def assign(self, item: program.Assign) -> str:
    """An assignment; adding to the end of a text has a short form."""
    name, added = self.name(item.variable.name), scans.added_text(item)
    if added:
      return f'{name} += {gofmt.spaced(self.joined(added)[0])}'
    return f'{name} = {self.spaced(item.value)}'

  def update(self, item: program.Update) -> str:
    """An assignment that keeps part of the value."""
    if item.op in '+-' and getattr(item.value, 'value', None) == 1:
      return super().update(item)
    return f'{self.name(item.variable.name)} {item.op}= ' + self.spaced(
      item.value
    )

  def head(self, word: str, condition: program.Expression) -> str:
    """A head without parentheses; loops are all called `for`."""
    word = 'for' if word == 'while' else word
    return f'{word} {self.spaced(condition)}'

  def count(self, item: program.Count) -> str:
    """The three parts of a `for`."""
    name = self.name(item.variable.name)
    compare = '<' if item.step > 0 else '>'
    size, sign = abs(item.step), '+' if item.step > 0 else '-'
    step = f'{name}{sign * 2}' if size == 1 else f'{name} {sign}= {size}'
    end = program.Operation(compare, item.variable, item.stop, program.BOOL)
    return (
      f'for {name} := {self.spaced(item.start)}; {self.spaced(end)}; {step}'
    )

  def each(self, item: program.Each) -> str:
    """`range`."""
    sequence = self.spaced(item.sequence)
    if item.variable.name not in self.read:
      return f'for range {sequence}'
    return f'for _, {self.name(item.variable.name)} := range {sequence}'

  def each_entry(self, item: program.EachEntry) -> list[str]:
    """A loop over the keys in order, with the value of each."""
    key, name = self.name(item.key.name), self.name(item.counts.name)
    lines = [f'for _, {key} := range {name}Keys {{']
    if item.value.name in self.read:
      lines += [f'{self.indent}{self.name(item.value.name)} := {name}[{key}]']
    return [*lines, *self.block(item.body), '}']

  def put(self, item: program.Put) -> list[str]:
    """An index; a new key of ordered counts goes to its slice as well."""
    name, key = self.name(item.container.name), self.spaced(item.key)
    added = scans.increment(item)
    entry = gofmt.spaced(f'{name}[{self.expression(item.key)}]')
    line = f'{entry} = {self.spaced(item.value)}'
    if added is not None:
      line = f'{entry} += {self.spaced(added)}'
      line = f'{entry}++' if line.endswith('+= 1') else line
    if item.container.name not in self.ordered:
      return [line]
    return [
      f'if _, known := {name}[{key}]; !known {{',
      f'{self.indent}{name}Keys = append({name}Keys, {key})',
      '}',
      line,
    ]

  def append(self, item: program.Append) -> str:
    """`append`."""
    name = self.name(item.container.name)
    value = self.expression(item.value)
    return f'{name} = ' + gofmt.spaced(f'append({name}, {value})')

  def pop(self, name: str) -> str:
    """A slice without the last element."""
    return f'{name} = {name}[:len({name})-1]'

  def sort(self, name: str) -> str:
    """`sort.Ints`."""
    return f'sort.Ints({name})'

  def statement(self, item: program.Statement) -> list[str]:
    """The lines of a statement, one for each case of a Choice in it."""
    found = None
    if not hasattr(item, 'body') and not isinstance(item, program.If):
      choices = (n for n in scans.nodes(item) if isinstance(n, program.Choice))
      found = next(choices, None)
    if found is None:
      if isinstance(item, program.Return):
        return [f'return {self.spaced(item.value)}']
      return super().statement(item)
    lines = []
    if isinstance(item, program.Declare):
      name, type_ = (
        self.name(item.variable.name),
        _TYPES[item.variable.type],
      )
      lines = [f'var {name} {type_}']
      item = program.Assign(item.variable, item.value)
    then = scans.replaced(item, found, found.then)
    otherwise = scans.replaced(item, found, found.otherwise)
    if isinstance(item, program.Return):
      either = program.If(found.condition, (then,))
      return [*self.statement(either), *self.statement(otherwise)]
    return lines + self.statement(
      program.If(found.condition, (then,), (otherwise,))
    )

  def conditional(self, item: program.If) -> list[str]:
    """A conditional; a `switch` if it selects among constants."""
    cases = scans.cases(item)
    if cases is None:
      return super().conditional(item)
    lines = [f'switch {self.name(cases.subject.name)} {{']
    for value, body in cases.branches:
      lines += [f'case {self.literal_of(value)}:', *self.block(body)]
    if cases.default:
      lines += ['default:', *self.block(cases.default)]
    return [*lines, '}']

  def function(self, function: program.Function, comment: str) -> list[str]:
    """A function after its comment."""
    parameters = ', '.join(
      f'{self.name(p.name)} {_TYPES[p.type]}' for p in function.parameters
    )
    lines = [
      f'//{line}' if line[:1] in ('', '\t') else f'// {line}'
      for line in (comment.split('\n') if comment else ())
    ]
    name, returns = (
      self.name(function.name),
      _TYPES[function.returns],
    )
    head = f'func {name}({parameters}) {returns} {{'
    return [*lines, head, *self.body(function), '}']

  def support(self, code: str) -> list[str]:
    """Functions that Go has in its library only since 1.21, or not at all."""
    return support(code)

  def document(self, problem: rendering.Problem) -> str:
    """A file: statement and examples in one of three layouts."""
    self.exported = '' if problem.style == 1 else problem.solution.name
    name = self.name(problem.solution.name)
    comment = f'{name} solves this problem. {problem.statement}'
    comment = '\n'.join(rendering.wrap(comment, '', 74))
    head, tail, package = [], [], 'solution'
    if problem.style == 0:
      lines = [f'\t{call} == {result}' for call, result in self.calls(problem)]
      comment = '\n'.join([comment, '', *lines])
    elif problem.style == 1:
      package, tail = 'main', ['', *self._main(problem)]
    else:
      head = [*rendering.wrap(problem.statement, '// ', 78), '']
      comment, tail = '', ['', *self._test(problem)]
    code = self.helpers(problem) + self.function(problem.solution, comment)
    code += tail
    code += support('\n'.join(code))
    lines = [*head, f'package {package}', '', *imports('\n'.join(code)), *code]
    return '\n'.join(lines) + '\n'

  def helpers(self, problem: rendering.Problem) -> list[str]:
    """The functions before the solution; their comments start with names."""
    lines = []
    for helper in problem.functions[:-1]:
      told = helper.summary[0].lower() + helper.summary[1:]
      comment = rendering.wrap(f'{self.name(helper.name)} {told}', '', 74)
      lines += [*self.function(helper, '\n'.join(comment)), '']
    return lines

  def _main(self, problem: rendering.Problem) -> list[str]:
    printed = [
      f'\tfmt.Println({self.call(problem, example)})'
      for example in problem.examples
    ]
    width = max(map(len, printed))
    lines = [
      f'{line:{width}} // {shown(example.result) or "an empty line"}'
      for line, example in zip(printed, problem.examples, strict=True)
    ]
    return ['func main() {', *lines, '}']

  def _test(self, problem: rendering.Problem) -> list[str]:
    fields = [
      (self.name(p.name), _TYPES[p.type]) for p in problem.solution.parameters
    ]
    returns = _TYPES[problem.solution.returns]
    fields += [('want', returns)]
    width = max(len(field) for field, _ in fields)
    rows = [
      ', '.join(map(self.literal, (*example.arguments, example.result)))
      for example in problem.examples
    ]
    name = self.name(problem.solution.name)
    arguments = ', '.join(f'test.{field}' for field, _ in fields[:-1])
    differs = 'got != test.want'
    if returns.startswith('['):
      differs = '!reflect.DeepEqual(got, test.want)'
    return [
      f'func Test{name}(t *testing.T) {{',
      '\ttests := []struct {',
      *(f'\t\t{field:{width}} {type_}' for field, type_ in fields),
      '\t}{',
      *(f'\t\t{{{row}}},' for row in rows),
      '\t}',
      '\tfor _, test := range tests {',
      f'\t\tif got := {name}({arguments}); {differs} {{',
      '\t\t\tt.Errorf("got %v, want %v", got, test.want)',
      '\t\t}',
      '\t}',
      '}',
    ]


def imports(text: str) -> list[str]:
  """The import lines that `text` needs, and an empty line after them."""
  found = [f'"{name}"' for name in _PACKAGES if re.search(rf'\b{name}\.', text)]
  if len(found) < 2:
    return [*(f'import {name}' for name in found), *([''] if found else [])]
  return ['import (', *(f'\t{name}' for name in found), ')', '']


def support(text: str) -> list[str]:
  """The functions that `text` calls and Go's library lacks."""
  lines = []
  for name, (parameters, returns, test, then, otherwise) in _SUPPORT.items():
    if re.search(rf'(?<![.\w]){name}\(', text):
      lines += ['', f'func {name}({parameters}) {returns} {{']
      lines += [f'\tif {test} {{', f'\t\treturn {then}', '\t}']
      lines += [f'\treturn {otherwise}', '}']
  if re.search(r'(?<![.\w])contains\(', text):
    lines += ['', 'func contains[T comparable](items []T, wanted T) bool {']
    lines += ['\tfor _, item := range items {', '\t\tif item == wanted {']
    lines += ['\t\t\treturn true', '\t\t}', '\t}', '\treturn false', '}']
  return lines


def shown(value: Any) -> str:
  """What Println prints of a value."""
  if isinstance(value, list):
    return f'[{" ".join(map(shown, value))}]'
  return str(value).lower() if isinstance(value, bool) else str(value)
