"""Program trees as Python, plain for documents and checked for running."""

from collections.abc import Callable
from typing import Any

from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering

_ATOM = rendering.ATOM
_TYPES = {
  program.INT: 'int',
  program.BOOL: 'bool',
  program.CHAR: 'str',
  program.TEXT: 'str',
  program.INTS: 'list[int]',
  program.TEXTS: 'list[str]',
}


class PythonRenderer(rendering.Renderer):
  """Renders idiomatic Python."""

  language = 'python'
  operators = {op: op for op in rendering.PRECEDENCE}
  builtins = {
    'length': ('len({0})', _ATOM),
    'at': ('{a0}[{1}]', _ATOM),
    'last': ('{a0}[-1]', _ATOM),
    'get': ('{a0}.get({1}, {2})', _ATOM),
    'contains': ('{a1} in {a0}', rendering.COMPARE),
    'smaller': ('min({0}, {1})', _ATOM),
    'larger': ('max({0}, {1})', _ATOM),
    'magnitude': ('abs({0})', _ATOM),
    'to_text': ('str({0})', _ATOM),
    'upper': ('{a0}.upper()', _ATOM),
    'lower': ('{a0}.lower()', _ATOM),
    'code': ('ord({0})', _ATOM),
    'character': ('chr({0})', _ATOM),
    'is_digit': ('{a0}.isdigit()', _ATOM),
    'is_letter': ('{a0}.isalpha()', _ATOM),
    'is_upper': ('{a0}.isupper()', _ATOM),
    'copy': ('list({0})', _ATOM),
    'filled': ('[{0}] * {a1}', rendering.PRODUCT),
    'words': ("{a0}.split(' ')", _ATOM),
    'join': ('{a0}.join({1})', _ATOM),
    'new_list': ('[]', _ATOM),
    'new_counts': ('{{}}', _ATOM),
  }

  def name(self, snake_case: str) -> str:
    """Python spells names as the tree does."""
    return snake_case

  def literal(self, value: Any) -> str:
    """A plain value as Python writes it."""
    return repr(value)

  def negation(self, item: program.Not) -> tuple[str, int]:
    """`not ...`, which binds less than a comparison."""
    return f'not {self.expression(item.operand, _ATOM)}', rendering.NOT

  def operation(self, item: program.Operation) -> tuple[str, int]:
    """An operation; two bounds of one variable become a chain."""
    match item:
      case program.Operation(
        'and',
        program.Operation('>=', program.Variable() as one, low),
        program.Operation('<=', program.Variable() as other, high),
      ) if one is other:
        low_text = self.expression(low, rendering.SUM)
        high_text = self.expression(high, rendering.SUM)
        return f'{low_text} <= {one.name} <= {high_text}', rendering.COMPARE
    return super().operation(item)

  def builtin(self, item: program.Builtin) -> tuple[str, int]:
    """A builtin operation; a slice leaves out what it can."""
    if item.name != 'slice':
      return super().builtin(item)
    text = self.expression(item.arguments[0], _ATOM)
    return f'{text}[{":".join(self.slice_ends(item))}]', _ATOM

  def choice(self, item: program.Choice) -> str:
    """`then if condition else otherwise`."""
    then, condition, otherwise = (
      self.expression(part, rendering.OR)
      for part in (item.then, item.condition, item.otherwise)
    )
    return f'{then} if {condition} else {otherwise}'

  def statement(self, item: program.Statement) -> list[str]:
    """The lines of a statement."""
    match item:
      case program.Remark():
        return [f'# {item.text}']
      case program.Declare() | program.Assign():
        return [f'{item.variable.name} = {self.expression(item.value)}']
      case program.Update():
        value = self.expression(item.value)
        return [f'{item.variable.name} {item.op}= {value}']
      case program.Put():
        key, value = self.expression(item.key), self.expression(item.value)
        return [f'{item.container.name}[{key}] = {value}']
      case program.Append():
        return [f'{item.container.name}.append({self.expression(item.value)})']
      case program.Pop():
        return [f'{item.container.name}.pop()']
      case program.Sort():
        return [f'{item.container.name}.sort()']
      case program.If():
        return self._conditional(item, 'if')
      case program.While():
        head = f'while {self.expression(item.condition)}:'
        return [head, *self.block(item.body)]
      case program.Count():
        head = f'for {item.variable.name} in range({self._range(item)}):'
        return [head, *self.block(item.body)]
      case program.Each():
        sequence = self.expression(item.sequence)
        head = f'for {item.variable.name} in {sequence}:'
        return [head, *self.block(item.body)]
      case program.EachEntry():
        names = f'{item.key.name}, {item.value.name}'
        head = f'for {names} in {item.counts.name}.items():'
        return [head, *self.block(item.body)]
      case program.Return():
        return [f'return {self.expression(item.value)}']
      case program.Break():
        return ['break']
      case program.Continue():
        return ['continue']
    raise TypeError(f'no rendering of {item!r}')

  def _conditional(self, item: program.If, word: str) -> list[str]:
    head = f'{word} {self.expression(item.condition)}:'
    lines = [head, *self.block(item.then)]
    match item.otherwise:
      case [program.If() as other]:
        return [*lines, *self._conditional(other, 'elif')]
      case []:
        return lines
    return [*lines, 'else:', *self.block(item.otherwise)]

  def _range(self, item: program.Count) -> str:
    start, stop = self.expression(item.start), self.expression(item.stop)
    if item.step != 1:
      return f'{start}, {stop}, {item.step}'
    return stop if start == '0' else f'{start}, {stop}'

  def function(self, function: program.Function, comment: str) -> list[str]:
    """A function with type hints; `comment` becomes its docstring."""
    parameters = ', '.join(
      f'{parameter.name}: {_TYPES[parameter.type]}'
      for parameter in function.parameters
    )
    docstring = []
    if comment:
      first, *rest = comment.split('\n')
      docstring = [f'"""{first}"""' if not rest else f'"""{first}']
      docstring += [*rest, '"""'] if rest else []
    return [
      f'def {function.name}({parameters}) -> {_TYPES[function.returns]}:',
      *(f'{self.indent}{line}'.rstrip() for line in docstring),
      *self.block(function.body),
    ]

  def document(self, problem: rendering.Problem) -> str:
    """A module: statement and examples in one of three layouts."""
    statement = '\n'.join(rendering.wrap(problem.statement, '', 72))
    head, tail, comment = [], [], ''
    calls = [
      (self.call(problem, example), self.literal(example.result))
      for example in problem.examples
    ]
    if problem.style == 0:
      sessions = [f'>>> {call}\n{result}' for call, result in calls]
      comment = '\n'.join([statement, '', *sessions])
    elif problem.style == 1:
      comment = statement
      tail = ['', '', *(f'assert {call} == {result}' for call, result in calls)]
    else:
      head = [*rendering.wrap(problem.statement, '# ', 76), '']
      tail = ['', '', "if __name__ == '__main__':"]
      tail += [
        f'{self.indent}print({call})  # {result}' for call, result in calls
      ]
    for helper in problem.functions[:-1]:
      head += [*self.function(helper, rendering.summary(helper)), '', '']
    solution = self.function(problem.solution, comment)
    return '\n'.join([*head, *solution, *tail]) + '\n'


class CheckedRenderer(PythonRenderer):
  """Renders Python that refuses what other languages would do otherwise."""

  def operation(self, item: program.Operation) -> tuple[str, int]:
    """Arithmetic, wrapped in checks of its range."""
    text, precedence = super().operation(item)
    if item.type != program.INT:
      return text, precedence
    if item.op in ('//', '%'):
      left, right = self.expression(item.left), self.expression(item.right)
      left = f'_natural({left})' if item.natural else f'({left})'
      text = f'{left} {item.op} _positive({right})'
    return f'_int32({text})', _ATOM

  def builtin(self, item: program.Builtin) -> tuple[str, int]:
    """A builtin operation; places are checked."""
    if item.name not in ('at', 'slice'):
      return super().builtin(item)
    sequence, *places = map(self.expression, item.arguments)
    places = [f'_place({place}, {sequence})' for place in places]
    return f'({sequence})[{":".join(places)}]', _ATOM

  def statement(self, item: program.Statement) -> list[str]:
    """Updates in place, written out so that they are checked as well."""
    if isinstance(item, program.Update) and item.variable.type == program.INT:
      value = program.Operation(item.op, item.variable, item.value, program.INT)
      item = program.Assign(item.variable, value)
    if isinstance(item, program.Put) and item.container.type == program.INTS:
      key, value_text = self.expression(item.key), self.expression(item.value)
      name = item.container.name
      return [f'{name}[_place({key}, {name})] = {value_text}']
    return super().statement(item)


def _int32(value: int) -> int:
  if not -(2**31) <= value < 2**31:
    raise OverflowError(f'{value} does not fit 32 bits')
  return value


def _natural(value: int) -> int:
  if value < 0:
    raise ArithmeticError(f'{value} was promised not to be negative')
  return value


def _positive(value: int) -> int:
  if value <= 0:
    raise ArithmeticError(f'{value} divides and is not positive')
  return value


def _place(value: int, sequence: Any) -> int:
  if not 0 <= value <= len(sequence):
    raise IndexError(f'{value} is no place of {sequence!r}')
  return value


def compile_functions(
  functions: tuple[program.Function, ...], checked: bool
) -> Callable[..., Any]:
  """The last of the functions, as a Python callable.

  With `checked` it raises OverflowError where 32-bit integers would differ
  from Python's, ArithmeticError where a divisor or a `natural` promise is
  not what the tree says, and IndexError for a place that is none.
  """
  renderer = CheckedRenderer() if checked else PythonRenderer()
  return compiled(renderer, functions, {})


def compiled(
  renderer: PythonRenderer,
  functions: tuple[program.Function, ...],
  scope: dict[str, Any],
) -> Callable[..., Any]:
  """The last of the functions as `renderer` writes them, run in `scope`."""
  lines = [line for f in functions for line in renderer.function(f, '')]
  scope.update(
    {check.__name__: check for check in (_int32, _natural, _positive, _place)}
  )
  exec(compile('\n'.join(lines), '<program>', 'exec'), scope)
  return scope[functions[-1].name]
