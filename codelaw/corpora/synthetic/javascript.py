"""Program trees as JavaScript (ECMAScript 2020)."""

import json
from typing import Any

from codelaw.corpora.synthetic import braces
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering

_ATOM = rendering.ATOM
_TYPES = {
  program.INT: 'number',
  program.BOOL: 'boolean',
  program.CHAR: 'string',
  program.TEXT: 'string',
  program.INTS: 'number[]',
  program.TEXTS: 'string[]',
}


class JavaScriptRenderer(braces.BraceRenderer):
  """Renders idiomatic JavaScript with JSDoc types."""

  language = 'javascript'
  indent = '  '
  operators = {
    **{op: op for op in rendering.PRECEDENCE},
    'and': '&&',
    'or': '||',
    '==': '===',
    '!=': '!==',
  }
  builtins = {
    'length': ('{a0}.length', _ATOM),
    'at': ('{a0}[{1}]', _ATOM),
    'last': ('{a0}[{a0}.length - 1]', _ATOM),
    'get': ('({a0}.get({1}) ?? {2})', _ATOM),
    'contains': ('{a0}.includes({1})', _ATOM),
    'smaller': ('Math.min({0}, {1})', _ATOM),
    'larger': ('Math.max({0}, {1})', _ATOM),
    'magnitude': ('Math.abs({0})', _ATOM),
    'to_text': ('String({0})', _ATOM),
    'upper': ('{a0}.toUpperCase()', _ATOM),
    'lower': ('{a0}.toLowerCase()', _ATOM),
    'code': ('{a0}.charCodeAt(0)', _ATOM),
    'character': ('String.fromCharCode({0})', _ATOM),
    'is_digit': ('/[0-9]/.test({0})', _ATOM),
    'is_letter': ('/[a-z]/i.test({0})', _ATOM),
    'is_upper': ('/[A-Z]/.test({0})', _ATOM),
    'copy': ('[...{a0}]', _ATOM),
    'filled': ('new Array({1}).fill({0})', _ATOM),
    'words': ("{a0}.split(' ')", _ATOM),
    'join': ('{a1}.join({0})', _ATOM),
    'new_list': ('[]', _ATOM),
    'new_counts': ('new Map()', _ATOM),
  }

  def literal(self, value: Any) -> str:
    """A plain value as JavaScript writes it."""
    if isinstance(value, str):
      return "'" + json.dumps(value)[1:-1].replace("'", "\\'") + "'"
    if isinstance(value, list):
      return '[' + ', '.join(map(self.literal, value)) + ']'
    return json.dumps(value)

  def operation(self, item: program.Operation) -> tuple[str, int]:
    """An operation; `//` and `%` round as the tree says."""
    product = rendering.PRODUCT
    if item.op == '//':
      left = self.expression(item.left, product)
      right = self.expression(item.right, product + 1)
      return f'Math.floor({left} / {right})', _ATOM
    if item.op == '%' and not item.natural:
      return self.floor_remainder(item)
    return super().operation(item)

  def builtin(self, item: program.Builtin) -> tuple[str, int]:
    """A builtin operation; a slice leaves out where a text ends."""
    if item.name != 'slice':
      return super().builtin(item)
    text = self.expression(item.arguments[0], _ATOM)
    start, stop = self.slice_ends(item)
    ends = f'{start or 0}, {stop}' if stop else start or 0
    return f'{text}.slice({ends})', _ATOM

  def choice(self, item: program.Choice) -> str:
    """`condition ? then : otherwise`."""
    condition, then, otherwise = (
      self.expression(part, rendering.OR)
      for part in (item.condition, item.then, item.otherwise)
    )
    return f'{condition} ? {then} : {otherwise}'

  def declaration(self, variable: program.Variable, changes: bool) -> str:
    """`let` for what is assigned again, `const` for the rest."""
    return f'{"let" if changes else "const"} {self.name(variable.name)}'

  def each(self, item: program.Each) -> str:
    """`for (const ... of ...)`."""
    start = self.declaration(item.variable, False)
    return f'for ({start} of {self.expression(item.sequence)})'

  def each_entry(self, item: program.EachEntry) -> list[str]:
    """A loop over the entries of a Map."""
    names = f'{self.name(item.key.name)}, {self.name(item.value.name)}'
    head = f'for (const [{names}] of {self.name(item.counts.name)})'
    return [f'{head} {{', *self.block(item.body), '}']

  def put(self, item: program.Put) -> list[str]:
    """An element by index, an entry by `set`."""
    name = self.name(item.container.name)
    key, value = self.expression(item.key), self.expression(item.value)
    if item.container.type in program.KEY:
      return [f'{name}.set({key}, {value});']
    return [f'{name}[{key}] = {value};']

  def append(self, item: program.Append) -> str:
    """`push`."""
    name = self.name(item.container.name)
    return f'{name}.push({self.expression(item.value)})'

  def pop(self, name: str) -> str:
    """`pop`."""
    return f'{name}.pop()'

  def sort(self, name: str) -> str:
    """`sort` with a comparison, as it would sort texts without one."""
    return f'{name}.sort((a, b) => a - b)'

  def function(self, function: program.Function, comment: str) -> list[str]:
    """A function after its JSDoc comment, `comment` being its first part."""
    parameters = ', '.join(self.name(p.name) for p in function.parameters)
    lines = []
    if comment:
      tags = [
        f'@param {{{_TYPES[p.type]}}} {self.name(p.name)}'
        for p in function.parameters
      ]
      tags += [f'@returns {{{_TYPES[function.returns]}}}']
      lines = self.doc_comment('\n'.join([comment, '', *tags]))
    name = self.name(function.name)
    head = f'function {name}({parameters}) {{'
    return [*lines, head, *self.body(function), '}']

  def document(self, problem: rendering.Problem) -> str:
    """A script: statement and examples in one of three layouts."""
    statement = '\n'.join(rendering.wrap(problem.statement, '', 74))
    head, tail, comment = [], [], statement
    calls = self.calls(problem)
    if problem.style == 0:
      lines = [f'{call}; // => {result}' for call, result in calls]
      comment = '\n'.join([statement, '', '@example', *lines])
    elif problem.style == 1:
      head = ["'use strict';", '']
      tail = ['', *(f'console.log({c}); // {result}' for c, result in calls)]
    else:
      head = [*rendering.wrap(problem.statement, '// ', 78), '']
      comment = ''
      name = self.name(problem.solution.name)
      tail = ['', f'module.exports = {{ {name} }};', '']
      tail += [f'// {call} => {result}' for call, result in calls]
    head += self.helpers(problem)
    solution = self.function(problem.solution, comment)
    return '\n'.join([*head, *solution, *tail]) + '\n'
