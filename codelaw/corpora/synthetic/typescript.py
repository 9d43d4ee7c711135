"""Program trees as TypeScript (5, strict)."""

from codelaw.corpora.synthetic import javascript
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import scans

_TYPES = {
  program.INT: 'number',
  program.BOOL: 'boolean',
  program.CHAR: 'string',
  program.TEXT: 'string',
  program.INTS: 'number[]',
  program.TEXTS: 'string[]',
  program.INT_COUNTS: 'Map<number, number>',
  program.CHAR_COUNTS: 'Map<string, number>',
  program.TEXT_COUNTS: 'Map<string, number>',
}


class TypeScriptRenderer(javascript.JavaScriptRenderer):
  """Renders idiomatic TypeScript: types where they cannot be inferred."""

  language = 'typescript'

  def declare(self, item: program.Declare) -> list[str]:
    """A declaration; new lists and maps say what they hold."""
    type_ = _TYPES[item.variable.type]
    name = scans.builtin_name(item.value)
    changes = item.variable.name in self.changed
    start = self.declaration(item.variable, changes)
    value = self.expression(item.value)
    if name == 'new_counts':
      value = f'new {type_}()'
    elif name == 'new_list':
      start += f': {type_}'
    elif name == 'filled':
      value = value.replace('new Array(', 'new Array<number>(', 1)
    elif not changes and isinstance(item.value, program.Literal):
      # A constant's own type is its value, which no other compares with.
      start += f': {type_}'
    return [f'{start} = {value};']

  def function(self, function: program.Function, comment: str) -> list[str]:
    """An exported function after its TSDoc comment."""
    parameters = ', '.join(
      f'{self.name(p.name)}: {"readonly " if p.type in _LISTS else ""}'
      f'{_TYPES[p.type]}'
      for p in function.parameters
    )
    lines = self.doc_comment(comment) if comment else []
    name, returns = self.name(function.name), _TYPES[function.returns]
    head = f'export function {name}({parameters}): {returns} {{'
    return [*lines, head, *self.body(function), '}']

  def document(self, problem: rendering.Problem) -> str:
    """A module: statement and examples in one of three layouts."""
    statement = '\n'.join(rendering.wrap(problem.statement, '', 74))
    head, tail, comment = [], [], statement
    calls = self.calls(problem)
    if problem.style == 0:
      lines = [f'{call}; // => {result}' for call, result in calls]
      comment = '\n'.join([statement, '', '@example', '```ts', *lines, '```'])
    elif problem.style == 1:
      tail = ['', *(f'console.log({c}); // {result}' for c, result in calls)]
    else:
      head = [*rendering.wrap(problem.statement, '// ', 78), '']
      comment = ''
      returns = _TYPES[problem.solution.returns]
      rows = [f'{self.indent}[{call}, {result}],' for call, result in calls]
      tail = ['', f'const checks: [{returns}, {returns}][] = [', *rows, '];']
      tail += [
        '',
        'for (const [got, expected] of checks) {',
        f'{self.indent}if (String(got) !== String(expected)) {{',
        f'{self.indent * 2}throw new Error(`got ${{got}},'
        ' expected ${expected}`);',
        f'{self.indent}}}',
        '}',
      ]
    solution = self.function(problem.solution, comment)
    return '\n'.join([*head, *self.helpers(problem), *solution, *tail]) + '\n'


_LISTS = (program.INTS, program.TEXTS)
