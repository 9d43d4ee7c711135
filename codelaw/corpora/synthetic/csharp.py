"""Program trees as C# (7)."""

from collections.abc import Sequence
import json
from typing import Any
from xml.sax import saxutils

from codelaw.corpora.synthetic import braces
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import scans

_ATOM = rendering.ATOM
_TYPES = {
  program.INT: 'int',
  program.BOOL: 'bool',
  program.CHAR: 'char',
  program.TEXT: 'string',
  program.INTS: 'List<int>',
  program.TEXTS: 'List<string>',
  program.INT_COUNTS: 'Dictionary<int, int>',
  program.CHAR_COUNTS: 'Dictionary<char, int>',
  program.TEXT_COUNTS: 'Dictionary<string, int>',
}
_NAMESPACES = {
  'System': ('Math.', 'Console.'),
  'System.Collections.Generic': ('List<', 'Dictionary<'),
  'System.Linq': ('.Repeat(', '.ToList()'),
}
# A joined text of as many pieces is written as an interpolated string.
_FEWEST_INTERPOLATED = 3


class CSharpRenderer(braces.BraceRenderer):
  """Renders idiomatic C#: static methods of a static class.

  A Dictionary promises no order, so a list keeps the keys of counts whose
  order matters.
  """

  language = 'csharp'
  operators = {
    **{op: op for op in rendering.PRECEDENCE},
    'and': '&&',
    'or': '||',
    '//': '/',
  }
  builtins = {
    'length': ('{a0}.Count', _ATOM),
    'length of text': ('{a0}.Length', _ATOM),
    'at': ('{a0}[{1}]', _ATOM),
    'last': ('{a0}[{a0}.Count - 1]', _ATOM),
    'get': ('{a0}.ContainsKey({1}) ? {a0}[{1}] : {2}', rendering.CHOICE),
    'contains': ('{a0}.Contains({1})', _ATOM),
    'contains of text': ('{a0}.IndexOf({1}) >= 0', rendering.COMPARE),
    'smaller': ('Math.Min({0}, {1})', _ATOM),
    'larger': ('Math.Max({0}, {1})', _ATOM),
    'magnitude': ('Math.Abs({0})', _ATOM),
    'to_text': ('{a0}.ToString()', _ATOM),
    'upper of text': ('{a0}.ToUpperInvariant()', _ATOM),
    'upper': ('char.ToUpperInvariant({0})', _ATOM),
    'lower of text': ('{a0}.ToLowerInvariant()', _ATOM),
    'lower': ('char.ToLowerInvariant({0})', _ATOM),
    'code': ('(int){a0}', rendering.UNARY),
    'character': ('(char){a0}', rendering.UNARY),
    'is_digit': ('char.IsDigit({0})', _ATOM),
    'is_letter': ('char.IsLetter({0})', _ATOM),
    'is_upper': ('char.IsUpper({0})', _ATOM),
    'copy': ('new List<int>({0})', _ATOM),
    'filled': ('Enumerable.Repeat({0}, {1}).ToList()', _ATOM),
    'words of text': ("{a0}.Split(' ').ToList()", _ATOM),
    'join of text': ('string.Join({0}, {1})', _ATOM),
    'new_list': ('new List<int>()', _ATOM),
  }

  def literal(self, value: Any) -> str:
    """A plain value as C# writes it."""
    if isinstance(value, list):
      type_ = 'string' if value and isinstance(value[0], str) else 'int'
      items = ', '.join(map(self.literal, value))
      return (
        f'new List<{type_}> {{ {items} }}'
        if items
        else (f'new List<{type_}>()')
      )
    return json.dumps(value)

  def literal_of(self, item: program.Literal) -> str:
    """A literal; characters have quotes of their own."""
    if item.type == program.CHAR:
      return "'" + str(item.value).replace("'", "\\'") + "'"
    return self.literal(item.value)

  def operation(self, item: program.Operation) -> tuple[str, int]:
    """An operation: joined texts, and rounding as the tree says."""
    if item.type == program.TEXT:
      return self._joined(scans.pieces(item))
    if item.op == '//' and not item.natural:
      left = self.expression(item.left, rendering.PRODUCT)
      right = self.expression(item.right, _ATOM)
      if isinstance(item.right, program.Literal):
        return f'(int)Math.Floor({left} / {right}.0)', rendering.UNARY
      return f'(int)Math.Floor((double)({left}) / {right})', rendering.UNARY
    if item.op == '%' and not item.natural:
      return self.floor_remainder(item)
    return super().operation(item)

  def _joined(self, pieces: Sequence[program.Expression]) -> tuple[str, int]:
    types = [piece.type for piece in pieces]
    told = any(
      isinstance(piece, program.Literal)
      or scans.builtin_name(piece) == 'to_text'
      for piece in pieces
    )
    # Two characters added are an integer, not a text.
    numeric = types[:2] in ([program.CHAR], [program.CHAR, program.CHAR])
    if numeric or (told and len(pieces) >= _FEWEST_INTERPOLATED):
      text = ''.join(map(self._interpolated, pieces))
      if '?' not in text and text.count('"') == 0:
        return f'$"{text}"', _ATOM
    texts = [self.expression(piece, rendering.SUM + 1) for piece in pieces]
    joined = ' + '.join(['""', *texts] if numeric else texts)
    return joined, rendering.SUM if ' + ' in joined else _ATOM

  def _interpolated(self, piece: program.Expression) -> str:
    if isinstance(piece, program.Literal):
      plain = json.dumps(piece.value)[1:-1]
      return plain.replace('{', '{{').replace('}', '}}')
    if isinstance(piece, program.Builtin) and piece.name == 'to_text':
      piece = piece.arguments[0]
    return f'{{{self.expression(piece)}}}'

  def builtin(self, item: program.Builtin) -> tuple[str, int]:
    """A builtin operation; a slice says how long it is."""
    if item.name != 'slice':
      return super().builtin(item)
    text, start, stop = item.arguments
    name = self.expression(text, _ATOM)
    low, high = self.slice_ends(item)
    if not high:
      return f'{name}.Substring({low or 0})', _ATOM
    size = self.expression(stop - start) if low else high
    return f'{name}.Substring({low or 0}, {size})', _ATOM

  def choice(self, item: program.Choice) -> str:
    """`condition ? then : otherwise`."""
    condition, then, otherwise = (
      self.expression(part, rendering.OR)
      for part in (item.condition, item.then, item.otherwise)
    )
    return f'{condition} ? {then} : {otherwise}'

  def declaration(self, variable: program.Variable, changes: bool) -> str:
    """`var`."""
    del changes  # C# marks neither kind of local.
    return f'var {self.name(variable.name)}'

  def declare(self, item: program.Declare) -> list[str]:
    """A declaration; counts read in order have a list of their keys."""
    name, type_ = self.name(item.variable.name), _TYPES[item.variable.type]
    match scans.builtin_name(item.value):
      case 'new_counts':
        lines = [f'var {name} = new {type_}();']
        if item.variable.name in self.ordered:
          key = _TYPES[program.KEY[item.variable.type]]
          lines += [f'var {name}Keys = new List<{key}>();']
        return lines
      case 'new_list':
        return [f'var {name} = new {type_}();']
    return super().declare(item)

  def assign(self, item: program.Assign) -> str:
    """An assignment; adding to the end of a text has a short form."""
    added = scans.added_text(item)
    if added:
      return f'{self.name(item.variable.name)} += {self._joined(added)[0]}'
    return super().assign(item)

  def each(self, item: program.Each) -> str:
    """`foreach`."""
    sequence = self.expression(item.sequence)
    return f'foreach (var {self.name(item.variable.name)} in {sequence})'

  def each_entry(self, item: program.EachEntry) -> list[str]:
    """A loop over the keys in order, with the value of each."""
    key, name = self.name(item.key.name), self.name(item.counts.name)
    lines = [f'foreach (var {key} in {name}Keys) {{']
    if item.value.name in self.read:
      value = self.name(item.value.name)
      lines += [f'{self.indent}var {value} = {name}[{key}];']
    return [*lines, *self.block(item.body), '}']

  def put(self, item: program.Put) -> list[str]:
    """An indexer; a new key of ordered counts goes to its list as well."""
    name, key = self.name(item.container.name), self.expression(item.key)
    entry, value = f'{name}[{key}]', self.expression(item.value)
    if item.container.name not in self.ordered:
      return [f'{entry} = {value};']
    added = scans.increment(item)
    lines = [
      f'if (!{name}.ContainsKey({key})) {{',
      f'{self.indent}{name}Keys.Add({key});',
      *([f'{self.indent}{entry} = 0;'] if added else []),
      '}',
    ]
    if added is None:
      return [*lines, f'{entry} = {value};']
    if getattr(added, 'value', None) == 1:
      return [*lines, f'{entry}++;']
    return [*lines, f'{entry} += {self.expression(added)};']

  def append(self, item: program.Append) -> str:
    """`Add`."""
    name = self.name(item.container.name)
    return f'{name}.Add({self.expression(item.value)})'

  def pop(self, name: str) -> str:
    """`RemoveAt` of the last place."""
    return f'{name}.RemoveAt({name}.Count - 1)'

  def sort(self, name: str) -> str:
    """`Sort`."""
    return f'{name}.Sort()'

  def conditional(self, item: program.If) -> list[str]:
    """A conditional; a `switch` if it selects among constants."""
    cases = scans.cases(item)
    if cases is None:
      return super().conditional(item)
    lines = [f'switch ({self.name(cases.subject.name)}) {{']
    for value, body in cases.branches:
      lines += [f'{self.indent}case {self.literal_of(value)}:']
      lines += self._branch(body)
    if cases.default:
      lines += [f'{self.indent}default:', *self._branch(cases.default)]
    return [*lines, '}']

  def _branch(self, body: Sequence[program.Statement]) -> list[str]:
    lines = self.block(body)
    leaves = (program.Return, program.Continue)
    if not (body and isinstance(body[-1], leaves)):
      lines += [f'{self.indent}break;']
    return [f'{self.indent}{line}' for line in lines]

  def function(self, function: program.Function, comment: str) -> list[str]:
    """A static method; `comment` becomes its documentation."""
    parameters = ', '.join(
      f'{_TYPES[p.type]} {self.name(p.name)}' for p in function.parameters
    )
    lines = []
    if comment:
      summary, _, rest = saxutils.escape(comment).partition('\n\n')
      lines = ['<summary>', *summary.split('\n'), '</summary>']
      if rest:
        rest_lines = rest.split('\n')
        lines += ['<example><code>', *rest_lines, '</code></example>']
    name = rendering.pascal_case(function.name)
    head = f'public static {_TYPES[function.returns]} {name}({parameters}) {{'
    code = [head, *self.body(function), '}']
    return [*(f'/// {line}' for line in lines), *_on_own_lines(code)]

  def parts(self, item: program.Expression) -> tuple[str, int]:
    """As of all languages, but for the names of methods."""
    text, precedence = super().parts(item)
    if isinstance(item, program.Call):
      return text[0].upper() + text[1:], precedence
    return text, precedence

  def call(self, problem: rendering.Problem, example: rendering.Example) -> str:
    """A call of the solution with an example's arguments."""
    text = super().call(problem, example)
    return text[0].upper() + text[1:]

  def document(self, problem: rendering.Problem) -> str:
    """A class: statement and examples in one of three layouts."""
    statement = '\n'.join(rendering.wrap(problem.statement, '', 70))
    head, tail, comment, suffix = [], [], statement, 'Solver'
    calls = self.calls(problem)
    if problem.style == 0:
      lines = [f'{call} == {result}' for call, result in calls]
      comment = '\n'.join([statement, '', *lines])
    elif problem.style == 1:
      suffix = 'Program'
      tail = ['', 'public static void Main()', '{']
      for call, result in calls:
        if problem.solution.returns in (program.INTS, program.TEXTS):
          call = f'string.Join(", ", {call})'
        tail += [f'{self.indent}Console.WriteLine({call}); // {result}']
      tail += ['}']
    else:
      suffix, comment = 'Solution', ''
      head = rendering.wrap(problem.statement, '// ', 78)
      tail = ['', *(f'// {call} == {result}' for call, result in calls)]
    code = [*self.helpers(problem), *self.function(problem.solution, comment)]
    body = '\n'.join(f'{self.indent}{line}'.rstrip() for line in code + tail)
    name = f'{rendering.pascal_case(problem.solution.name)}{suffix}'
    lines = [*head, f'public static class {name}', '{', body, '}']
    return '\n'.join([*usings(body), *lines]) + '\n'


def usings(text: str) -> list[str]:
  """The directives that `text` needs, and an empty line after them."""
  found = [
    f'using {namespace};'
    for namespace, signs in _NAMESPACES.items()
    if any(sign in text for sign in signs)
  ]
  return [*found, ''] if found else []


def _on_own_lines(lines: Sequence[str]) -> list[str]:
  """`lines` with every brace that ends or starts one on its own line."""
  spread = []
  for line in lines:
    indent = line[: len(line) - len(line.lstrip())]
    if line.startswith(f'{indent}}} else'):
      spread.append(f'{indent}}}')
      line = indent + line[len(indent) + 2 :]
    if line.endswith(' {'):
      spread += [line[:-2], f'{indent}{{']
    else:
      spread.append(line)
  return spread
