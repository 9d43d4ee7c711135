"""Expressions of program trees as Rust: what is owned, lent and cast."""

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
OWNED = {
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
BORROWED = OWNED | {program.TEXT: '&str', program.INTS: '&[i64]'}
# An expression that ends in a cast, which `<` would take for generics.
_CAST = re.compile(r' as \w+$')


class RustExpressions(braces.BraceRenderer):
  """Renders idiomatic Rust expressions.

  Integers are i64; a variable that counts places in a list is a usize. A
  parameter, an element of a list of texts and a part of a text are borrowed,
  all other texts are owned. A HashMap has no order, so a Vec keeps the keys
  of counts whose order matters.

  Attributes:
    borrowed: names of texts, and of lists of texts, that are borrowed.
    slices: names of parameters, which are references already.
    places: names of variables that are of type usize.
    receivers: names of integers that methods are called on.
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
          if self.lends(value):
            self.borrowed |= {variable.name}
        case program.Builtin('smaller' | 'larger' | 'magnitude', arguments):
          receivers |= {getattr(a, 'name', '') for a in arguments}
        case program.Operation('//' | '%', left, _, _, natural):
          receivers |= set() if natural else {getattr(left, 'name', '')}
    self.receivers = frozenset(receivers)

  def lends(self, item: program.Expression) -> bool:
    """Whether the text, or list of texts, belongs to something else."""
    match item:
      case program.Variable(name):
        return name in self.borrowed
      case program.Builtin('slice' | 'words'):
        return True
      case program.Builtin('at' | 'last', (container, *_)):
        return item.type == program.TEXT and self.lends(container)
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
      is_slice = getattr(item, 'name', '') in self.slices
      return text if is_slice else f'&{text}'
    is_slice = scans.builtin_name(item) == 'slice'
    if item.type != program.TEXT or (self.lends(item) and not is_slice):
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
    if self.lends(item):
      return f'{self.expression(item, _ATOM)}.to_string()'
    stays = isinstance(item, program.Variable) and not moves
    place = scans.builtin_name(item) in ('at', 'last')
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
      return self.format(scans.pieces(item)), _ATOM
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
      of_text = [scans.builtin_name(side) == 'slice' for side in sides]
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

  def format(self, pieces: Sequence[program.Expression]) -> str:
    """A new text from pieces."""
    if len(pieces) == 1 and pieces[0].type == program.CHAR:
      return f'{self.expression(pieces[0], _ATOM)}.to_string()'
    text, arguments = '', ''
    for piece in pieces:
      if isinstance(piece, program.Builtin) and piece.name == 'to_text':
        piece = piece.arguments[0]
      is_slice = scans.builtin_name(piece) == 'slice'
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
        key_text = self.looked_up(key)
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

  def looked_up(self, key: program.Expression) -> str:
    """A reference to a key, as a HashMap wants it."""
    if key.type == program.TEXT:
      return self.lent(key)
    return f'&{self.expression(key, _ATOM)}'

  def choice(self, item: program.Choice) -> str:
    """`if` as an expression."""
    condition = self.expression(item.condition)
    then, otherwise = self.owned(item.then), self.owned(item.otherwise)
    return f'if {condition} {{ {then} }} else {{ {otherwise} }}'
