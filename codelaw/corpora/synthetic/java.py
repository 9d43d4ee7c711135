"""Program trees as Java (17)."""

import json
import re
from typing import Any

from codelaw.corpora.synthetic import braces
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering

_ATOM = rendering.ATOM
_TYPES = {
  program.INT: 'int',
  program.BOOL: 'boolean',
  program.CHAR: 'char',
  program.TEXT: 'String',
  program.INTS: 'List<Integer>',
  program.TEXTS: 'List<String>',
  program.INT_COUNTS: 'Map<Integer, Integer>',
  program.CHAR_COUNTS: 'Map<Character, Integer>',
  program.TEXT_COUNTS: 'Map<String, Integer>',
}
_IMPORTS = (
  'ArrayList',
  'Arrays',
  'Collections',
  'LinkedHashMap',
  'List',
  'Map',
)


class JavaRenderer(braces.BraceRenderer):
  """Renders idiomatic Java: static methods of a final class."""

  language = 'java'
  operators = {
    **{op: op for op in rendering.PRECEDENCE},
    'and': '&&',
    'or': '||',
    '//': '/',
  }
  builtins = {
    'length': ('{a0}.size()', _ATOM),
    'length of text': ('{a0}.length()', _ATOM),
    'at': ('{a0}.get({1})', _ATOM),
    'at of text': ('{a0}.charAt({1})', _ATOM),
    'last': ('{a0}.get({a0}.size() - 1)', _ATOM),
    'get': ('{a0}.getOrDefault({1}, {2})', _ATOM),
    'contains': ('{a0}.contains({1})', _ATOM),
    'contains of text': ('{a0}.indexOf({1}) >= 0', rendering.COMPARE),
    'smaller': ('Math.min({0}, {1})', _ATOM),
    'larger': ('Math.max({0}, {1})', _ATOM),
    'magnitude': ('Math.abs({0})', _ATOM),
    'to_text': ('String.valueOf({0})', _ATOM),
    'upper of text': ('{a0}.toUpperCase()', _ATOM),
    'upper': ('Character.toUpperCase({0})', _ATOM),
    'lower of text': ('{a0}.toLowerCase()', _ATOM),
    'lower': ('Character.toLowerCase({0})', _ATOM),
    'code': ('(int) {a0}', rendering.UNARY),
    'character': ('(char) {a0}', rendering.UNARY),
    'is_digit': ('Character.isDigit({0})', _ATOM),
    'is_letter': ('Character.isLetter({0})', _ATOM),
    'is_upper': ('Character.isUpperCase({0})', _ATOM),
    'copy': ('new ArrayList<>({0})', _ATOM),
    'filled': ('new ArrayList<>(Collections.nCopies({1}, {0}))', _ATOM),
    'words of text': ('Arrays.asList({a0}.split(" "))', _ATOM),
    'join of text': ('String.join({0}, {1})', _ATOM),
    'new_list': ('new ArrayList<>()', _ATOM),
    'new_counts': ('new LinkedHashMap<>()', _ATOM),
  }

  def literal(self, value: Any) -> str:
    """A plain value as Java writes it."""
    if isinstance(value, list):
      return 'List.of(' + ', '.join(map(self.literal, value)) + ')'
    return json.dumps(value)

  def literal_of(self, item: program.Literal) -> str:
    """A literal; characters have quotes of their own."""
    if item.type == program.CHAR:
      return "'" + str(item.value).replace("'", "\\'") + "'"
    return self.literal(item.value)

  def operation(self, item: program.Operation) -> tuple[str, int]:
    """An operation: equality of objects, and rounding as the tree says."""
    if item.op in ('==', '!=') and (
      item.left.type == program.TEXT
      or (_is_boxed(item.left) and _is_boxed(item.right))
    ):
      left = self.expression(item.left, _ATOM)
      text = f'{left}.equals({self.expression(item.right)})'
      if item.op == '==':
        return text, _ATOM
      return f'!{text}', rendering.UNARY
    if item.op in ('//', '%') and not item.natural:
      left, right = self.expression(item.left), self.expression(item.right)
      name = 'floorDiv' if item.op == '//' else 'floorMod'
      return f'Math.{name}({left}, {right})', _ATOM
    return super().operation(item)

  def builtin(self, item: program.Builtin) -> tuple[str, int]:
    """A builtin operation; a slice leaves out where a text ends."""
    if item.name != 'slice':
      return super().builtin(item)
    text = self.expression(item.arguments[0], _ATOM)
    start, stop = self.slice_ends(item)
    ends = f'{start or 0}, {stop}' if stop else start or 0
    return f'{text}.substring({ends})', _ATOM

  def choice(self, item: program.Choice) -> str:
    """`condition ? then : otherwise`."""
    condition, then, otherwise = (
      self.expression(part, rendering.OR)
      for part in (item.condition, item.then, item.otherwise)
    )
    return f'{condition} ? {then} : {otherwise}'

  def declaration(self, variable: program.Variable, changes: bool) -> str:
    """The type and the name."""
    del changes  # Java marks neither kind in ordinary code.
    return f'{_TYPES[variable.type]} {self.name(variable.name)}'

  def each(self, item: program.Each) -> str:
    """An enhanced for."""
    sequence = self.expression(item.sequence, _ATOM)
    if item.sequence.type == program.TEXT:
      sequence += '.toCharArray()'
    return f'for ({self.declaration(item.variable, False)} : {sequence})'

  def each_entry(self, item: program.EachEntry) -> list[str]:
    """A loop over the entries of a map."""
    counts = item.counts
    entry = f'Map.Entry{_TYPES[counts.type].removeprefix("Map")} entry'
    lines = [
      f'for ({entry} : {self.name(counts.name)}.entrySet()) {{',
      f'{self.indent}{self.declaration(item.key, False)} = entry.getKey();',
      f'{self.indent}{self.declaration(item.value, False)} = entry.getValue();',
    ]
    return [*lines, *self.block(item.body), '}']

  def put(self, item: program.Put) -> list[str]:
    """`put` into a map, `set` in a list."""
    method = 'put' if item.container.type in program.KEY else 'set'
    key, value = self.expression(item.key), self.expression(item.value)
    return [f'{self.name(item.container.name)}.{method}({key}, {value});']

  def append(self, item: program.Append) -> str:
    """`add`."""
    name = self.name(item.container.name)
    return f'{name}.add({self.expression(item.value)})'

  def pop(self, name: str) -> str:
    """`remove` of the last place."""
    return f'{name}.remove({name}.size() - 1)'

  def sort(self, name: str) -> str:
    """`Collections.sort`."""
    return f'Collections.sort({name})'

  def function(self, function: program.Function, comment: str) -> list[str]:
    """A static method; `comment` becomes its Javadoc."""
    parameters = ', '.join(
      self.declaration(parameter, False) for parameter in function.parameters
    )
    lines = self.doc_comment(comment) if comment else []
    signature = f'{_TYPES[function.returns]} {self.name(function.name)}'
    head = f'public static {signature}({parameters}) {{'
    return [*lines, head, *self.body(function), '}']

  def document(self, problem: rendering.Problem) -> str:
    """A class: statement and examples in one of three layouts."""
    statement = '\n'.join(rendering.wrap(problem.statement, '', 72))
    head, members, comment = [], [], statement
    calls = self.calls(problem)
    if problem.style == 0:
      lines = [f'<pre>{call} = {result}</pre>' for call, result in calls]
      comment = '\n'.join([statement, '', *lines])
    elif problem.style == 1:
      members = ['', 'public static void main(String[] args) {']
      members += [
        f'{self.indent}System.out.println({call}); // {result}'
        for call, result in calls
      ]
      members += ['}']
    else:
      head = rendering.wrap(problem.statement, '// ', 78)
      comment = ''
      members = ['', *(f'// {call} is {result}' for call, result in calls)]
    for helper in reversed(problem.functions[:-1]):
      members += ['', *self.function(helper, rendering.summary(helper))]
    members = self.function(problem.solution, comment) + members
    name = rendering.pascal_case(problem.solution.name)
    body = '\n'.join(f'{self.indent}{line}'.rstrip() for line in members)
    lines = [
      *head,
      f'public final class {name} {{',
      body,
      '}',
    ]
    return '\n'.join([*imports(body), *lines]) + '\n'


def imports(text: str) -> list[str]:
  """The import lines that `text` needs, and an empty line after them."""
  found = [
    f'import java.util.{name};'
    for name in _IMPORTS
    if re.search(rf'\b{name}\b', text)
  ]
  return [*found, ''] if found else []


def _is_boxed(item: program.Expression) -> bool:
  """Whether Java holds the integer in an object, which == would compare."""
  return (
    isinstance(item, program.Builtin)
    and item.type == program.INT
    and item.name in ('at', 'get', 'last')
  )
