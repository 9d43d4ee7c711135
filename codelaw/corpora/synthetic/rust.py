"""Program trees as Rust (2021)."""

from collections.abc import Callable
from collections.abc import Sequence
import json
import re
from typing import Any

from codelaw.corpora.synthetic import braces
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import rust_places
from codelaw.corpora.synthetic import scans

_ATOM = rendering.ATOM
_OWNED = {
  program.INT: 'i64',
  program.BOOL: 'bool',
  program.CHAR: 'char',
  program.TEXT: 'String',
  program.INTS: 'Vec<i64>',
  program.TEXTS: 'Vec<String>',
  program.INT_COUNTS: 'HashMap<i64, i64>',
  program.CHAR_COUNTS: 'HashMap<char, i64>',
  program.TEXT_COUNTS: 'HashMap<String, i64>',
}
_BORROWED = _OWNED | {program.TEXT: '&str', program.INTS: '&[i64]'}
# An expression that ends in a cast, which `<` would take for generics.
_CAST = re.compile(r' as \w+$')


class RustRenderer(braces.BraceRenderer):
  """Renders idiomatic Rust.

  Integers are i64; a variable that counts places in a list is a usize. A
  parameter, an element of a list of texts and a part of a text are borrowed,
  all other texts are owned. A HashMap has no order, so a Vec keeps the keys
  of counts whose order matters.

  Attributes:
    borrowed: names of texts, and of lists of texts, that are borrowed.
    slices: names of parameters, which are references already.
    places: names of variables that are of type usize.
    receivers: names of integers that methods are called on.
    visibility: of functions.
  """

  language = 'rust'
  operators = {
    **{op: op for op in rendering.PRECEDENCE},
    'and': '&&',
    'or': '||',
    '//': '/',
  }
  builtins = {
    'last': ('{a0}[{a0}.len() - 1]', _ATOM),
    'contains': ('{a0}.contains(&{a1})', _ATOM),
    'contains of text': ('{a0}.contains({1})', _ATOM),
    'magnitude': ('{a0}.abs()', _ATOM),
    'to_text': ('{a0}.to_string()', _ATOM),
    'upper of text': ('{a0}.to_uppercase()', _ATOM),
    'upper': ('{a0}.to_ascii_uppercase()', _ATOM),
    'lower of text': ('{a0}.to_lowercase()', _ATOM),
    'lower': ('{a0}.to_ascii_lowercase()', _ATOM),
    'code': ('{a0} as i64', rendering.UNARY),
    'character': ('{a0} as u8 as char', rendering.UNARY),
    'is_digit': ('{a0}.is_ascii_digit()', _ATOM),
    'is_letter': ('{a0}.is_ascii_alphabetic()', _ATOM),
    'is_upper': ('{a0}.is_ascii_uppercase()', _ATOM),
    'copy': ('{a0}.to_vec()', _ATOM),
    'words of text': ("{a0}.split(' ').collect()", _ATOM),
    'new_list': ('Vec::new()', _ATOM),
    'new_counts': ('HashMap::new()', _ATOM),
  }
  borrowed: frozenset[str] = frozenset()
  slices: frozenset[str] = frozenset()
  places: frozenset[str] = frozenset()
  receivers: frozenset[str] = frozenset()
  visibility = 'pub '

  def name(self, snake_case: str) -> str:
    """Rust spells names as the tree does."""
    return snake_case

  def literal(self, value: Any) -> str:
    """A plain value as Rust writes it; lists as arguments."""
    if isinstance(value, list):
      return f'&[{", ".join(map(self.literal, value))}]'
    return json.dumps(value)

  def literal_of(self, item: program.Literal) -> str:
    """A literal; characters have quotes of their own."""
    if item.type == program.CHAR:
      return "'" + str(item.value).replace("'", "\\'") + "'"
    return self.literal(item.value)

  def result(self, value: Any) -> str:
    """What a result is compared with."""
    if value == []:
      return 'Vec::<i64>::new()'
    if isinstance(value, list):
      return f'vec!{self.literal(value)[1:]}'
    return self.literal(value)

  def scan(self, function: program.Function) -> None:
    """Adds what is borrowed, what is a place and what has methods."""
    super().scan(function)
    changed = self.changed | self.mutated
    self.slices = frozenset(p.name for p in function.parameters)
    self.places = rust_places.find(function.body)
    self.borrowed = self.slices
    receivers = set()
    for node in scans.nodes(function.body):
      match node:
        case program.Each(variable):
          self.borrowed |= {variable.name}
        case program.Declare(variable, value) if variable.name not in changed:
          if self._lends(value):
            self.borrowed |= {variable.name}
        case program.Builtin('smaller' | 'larger' | 'magnitude', arguments):
          receivers |= {getattr(a, 'name', '') for a in arguments}
        case program.Operation('//' | '%', left, _, _, natural):
          receivers |= set() if natural else {getattr(left, 'name', '')}
    self.receivers = frozenset(receivers)

  def _lends(self, item: program.Expression) -> bool:
    """Whether the text, or list of texts, belongs to something else."""
    match item:
      case program.Variable(name):
        return name in self.borrowed
      case program.Builtin('slice' | 'words'):
        return True
      case program.Builtin('at' | 'last', (container, *_)):
        return item.type == program.TEXT and self._lends(container)
      case program.Literal():
        return item.type == program.TEXT
    return False

  def parts(self, item: program.Expression) -> tuple[str, int]:
    """As of all languages, but places are cast and arguments borrowed."""
    if isinstance(item, program.Variable) and item.name in self.places:
      return f'{item.name} as i64', rendering.UNARY
    if isinstance(item, program.Call):
      arguments = ', '.join(map(self.lent, item.arguments))
      return f'{item.name}({arguments})', _ATOM
    return super().parts(item)

  def lent(self, item: program.Expression) -> str:
    """An expression where a reference to text or list is wanted."""
    text = self.expression(item)
    if item.type in (program.INTS, program.TEXTS):
      return text if item.name in self.slices else f'&{text}'
    is_slice = getattr(item, 'name', '') == 'slice'
    if item.type != program.TEXT or (self._lends(item) and not is_slice):
      return text
    return f'&{text}'

  def owned(self, item: program.Expression, moves: bool = False) -> str:
    """An expression where the value itself is wanted.

    Args:
      item: the expression.
      moves: whether a variable may be given away.
    """
    text = self.expression(item)
    if item.type in (program.INTS, program.TEXTS):
      if isinstance(item, program.Variable):
        if item.name in self.slices:
          return f'{text}.to_vec()'
        return text if moves else f'{text}.clone()'
      return text
    if item.type != program.TEXT:
      return text
    if isinstance(item, program.Literal) and not item.value:
      return 'String::new()'
    if self._lends(item):
      return f'{self.expression(item, _ATOM)}.to_string()'
    stays = isinstance(item, program.Variable) and not moves
    place = getattr(item, 'name', '') in ('at', 'last')
    return f'{text}.clone()' if stays or place else text

  def place(self, item: program.Expression) -> str:
    """An integer as a usize."""
    plain = rust_places.plain(item, self.places, outermost=True)
    if plain is not None:
      return plain
    return f'{self.expression(item, rendering.UNARY)} as usize'

  def operation(self, item: program.Operation) -> tuple[str, int]:
    """An operation: joined texts, sizes compared, rounding as it must be."""
    if item.type == program.TEXT:
      return self._format(scans.pieces(item)), _ATOM
    if item.op in ('//', '%') and not item.natural:
      name = 'div_euclid' if item.op == '//' else 'rem_euclid'
      left = self.expression(item.left, _ATOM)
      return f'{left}.{name}({self.expression(item.right)})', _ATOM
    if item.type == program.BOOL:
      sizes = rust_places.compared(item, self.places)
      if sizes is not None:
        is_whole = sizes.endswith('()') and ' ' not in sizes
        return sizes, rendering.UNARY if is_whole else rendering.COMPARE
    sides = (item.left, item.right)
    if item.op in ('==', '!=') and item.left.type == program.TEXT:
      of_text = [getattr(side, 'name', '') == 'slice' for side in sides]
      literal = any(isinstance(side, program.Literal) for side in sides)
      show = self.lent if any(of_text) or not literal else self.expression
      left, right = map(show, sides)
      return f'{left} {item.op} {right}', rendering.COMPARE
    if item.type == program.BOOL and all(map(scans.is_byte, sides)):
      left, right = map(self._byte, sides)
      return f'{left} {item.op} {right}', rendering.COMPARE
    text, precedence = super().operation(item)
    left = self.expression(item.left, precedence)
    if item.op.startswith('<') and _CAST.search(left):
      text = f'({left}){text[len(left) :]}'
    return text, precedence

  def _byte(self, item: program.Expression) -> str:
    text = self.expression(item)
    if isinstance(item, program.Literal):
      return f'b{text}'
    return text.removesuffix(' as char')

  def _format(self, pieces: Sequence[program.Expression]) -> str:
    if len(pieces) == 1 and pieces[0].type == program.CHAR:
      return f'{self.expression(pieces[0], _ATOM)}.to_string()'
    text, arguments = '', ''
    for piece in pieces:
      if isinstance(piece, program.Builtin) and piece.name == 'to_text':
        piece = piece.arguments[0]
      is_slice = getattr(piece, 'name', '') == 'slice'
      shown = self.lent(piece) if is_slice else self.expression(piece)
      if isinstance(piece, program.Literal):
        plain = json.dumps(piece.value)[1:-1]
        text += plain.replace('{', '{{').replace('}', '}}')
      elif re.fullmatch(r'\w+', shown):
        text += f'{{{shown}}}'
      else:
        text += '{}'
        arguments += f', {shown}'
    return f'format!("{text}"{arguments})'

  def builtin(self, item: program.Builtin) -> tuple[str, int]:
    """A builtin operation; places, sizes and keys are cast or borrowed."""
    first = self.expression(item.arguments[0], _ATOM) if item.arguments else ''
    match item.name, item.arguments:
      case 'length', _:
        return f'{first}.len() as i64', rendering.UNARY
      case 'at', (text, place) if text.type == program.TEXT:
        return f'{first}.as_bytes()[{self.place(place)}] as char', (
          rendering.UNARY
        )
      case 'at', (_, place):
        return f'{first}[{self.place(place)}]', _ATOM
      case 'code', (program.Builtin('at') as character,):
        byte = self.expression(character).removesuffix(' as char')
        return f'{byte} as i64', rendering.UNARY
      case 'slice', (_, start, stop):
        low, high = self.place(start), self.place(stop)
        low = '' if low == '0' else low
        high = '' if high == f'{first}.len()' else high
        return f'{first}[{low}..{high}]', _ATOM
      case 'filled', (value, size):
        return f'vec![{self.expression(value)}; {self.place(size)}]', _ATOM
      case 'get', (_, key, other):
        key_text = self._looked_up(key)
        default = self.expression(other)
        return f'*{first}.get({key_text}).unwrap_or(&{default})', (
          rendering.UNARY
        )
      case 'contains', (items, wanted) if items.type == program.TEXTS:
        return f'{first}.iter().any(|known| known == {self.lent(wanted)})', (
          _ATOM
        )
      case 'contains', (_, wanted) if wanted.type == program.TEXT:
        return f'{first}.contains({self.lent(wanted)})', _ATOM
      case 'join', (between, items):
        return f'{self.expression(items, _ATOM)}.join({self.lent(between)})', (
          _ATOM
        )
      case 'smaller' | 'larger', (one, other):
        sizes = [rust_places.plain(side, self.places) for side in (one, other)]
        name = 'min' if item.name == 'smaller' else 'max'
        if None not in sizes and not isinstance(one, program.Literal):
          atom = sizes[0] if ' ' not in str(sizes[0]) else f'({sizes[0]})'
          return f'{atom}.{name}({sizes[1]}) as i64', rendering.UNARY
        if isinstance(one, program.Literal):
          one, other = other, one
        first = self.expression(one, _ATOM)
        return f'{first}.{name}({self.expression(other)})', _ATOM
    return super().builtin(item)

  def _looked_up(self, key: program.Expression) -> str:
    if key.type == program.TEXT:
      return self.lent(key)
    return f'&{self.expression(key, _ATOM)}'

  def choice(self, item: program.Choice) -> str:
    """`if` as an expression."""
    condition = self.expression(item.condition)
    then, otherwise = self.owned(item.then), self.owned(item.otherwise)
    return f'if {condition} {{ {then} }} else {{ {otherwise} }}'

  def declaration(self, variable: program.Variable, changes: bool) -> str:
    """`let`, and `mut` for what changes in any way."""
    mutable = changes or variable.name in self.mutated
    return f'let {"mut " if mutable else ""}{variable.name}'

  def declare(self, item: program.Declare) -> list[str]:
    """A declaration, with a type where none can be inferred."""
    name, type_ = item.variable.name, _OWNED[item.variable.type]
    start = self.declaration(item.variable, name in self.changed)
    made = item.value.name if isinstance(item.value, program.Builtin) else ''
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
      return f'{name}.push_str(&{self._format(added)})'
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
    sequence = self.expression(item.sequence, _ATOM)
    if item.sequence.type == program.TEXT:
      return f'for {name} in {sequence}.chars()'
    if getattr(item.sequence, 'name', '') == 'words':
      return f'for {name} in {sequence.removesuffix(".collect()")}'
    copied = item.variable.type == program.INT or self._lends(item.sequence)
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
        f'if !{name}.contains_key({self._looked_up(item.key)}) {{',
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
