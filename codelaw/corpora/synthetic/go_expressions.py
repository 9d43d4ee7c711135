"""Expressions of program trees as Go, spaced as gofmt spaces them."""

from collections.abc import Sequence
import json
import re
from typing import Any

from codelaw.corpora.synthetic import braces
from codelaw.corpora.synthetic import gofmt
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import scans

_ATOM = rendering.ATOM
TYPES = {
  program.INT: 'int',
  program.BOOL: 'bool',
  program.CHAR: 'rune',
  program.TEXT: 'string',
  program.INTS: '[]int',
  program.TEXTS: '[]string',
  program.INT_COUNTS: 'map[int]int',
  program.CHAR_COUNTS: 'map[rune]int',
  program.TEXT_COUNTS: 'map[string]int',
}


class GoExpressions(braces.BraceRenderer):
  """Renders idiomatic Go expressions.

  Attributes:
    exported: the function that a library package exports, if any.
  """

  language = 'go'
  indent = '\t'
  end = ''
  operators = {
    **{op: op for op in rendering.PRECEDENCE},
    'and': '&&',
    'or': '||',
    '//': '/',
  }
  builtins = {
    'length': ('len({0})', _ATOM),
    'at': ('{a0}[{1}]', _ATOM),
    'at of text': ('rune({a0}[{1}])', _ATOM),
    'last': ('{a0}[len({a0}) - 1]', _ATOM),
    'get': ('{a0}[{1}]', _ATOM),
    'contains': ('contains({0}, {1})', _ATOM),
    'contains rune': ('strings.ContainsRune({0}, {1})', _ATOM),
    'contains text': ('strings.Contains({0}, {1})', _ATOM),
    'smaller': ('min({0}, {1})', _ATOM),
    'larger': ('max({0}, {1})', _ATOM),
    'magnitude': ('abs({0})', _ATOM),
    'to_text': ('strconv.Itoa({0})', _ATOM),
    'upper of text': ('strings.ToUpper({0})', _ATOM),
    'upper': ('unicode.ToUpper({0})', _ATOM),
    'lower of text': ('strings.ToLower({0})', _ATOM),
    'lower': ('unicode.ToLower({0})', _ATOM),
    'code': ('int({0})', _ATOM),
    'character': ('rune({0})', _ATOM),
    'is_digit': ('unicode.IsDigit({0})', _ATOM),
    'is_letter': ('unicode.IsLetter({0})', _ATOM),
    'is_upper': ('unicode.IsUpper({0})', _ATOM),
    'copy': ('append([]int{{}}, {a0}...)', _ATOM),
    'words of text': ('strings.Split({0}, " ")', _ATOM),
    'join of text': ('strings.Join({1}, {0})', _ATOM),
    'new_list': ('[]int{{}}', _ATOM),
  }
  exported = ''

  def literal(self, value: Any) -> str:
    """A plain value as Go writes it."""
    if isinstance(value, list):
      type_ = 'string' if value and isinstance(value[0], str) else 'int'
      return f'[]{type_}{{{", ".join(map(self.literal, value))}}}'
    return json.dumps(value)

  def literal_of(self, item: program.Literal) -> str:
    """A literal; characters have quotes of their own."""
    if item.type == program.CHAR:
      return "'" + str(item.value).replace("'", "\\'") + "'"
    return self.literal(item.value)

  def spaced(self, item: program.Expression) -> str:
    """An expression as a statement has it."""
    return gofmt.spaced(self.expression(item))

  def name(self, snake_case: str) -> str:
    """Camel case; what a package exports has a capital."""
    if snake_case == self.exported:
      return rendering.pascal_case(snake_case)
    return rendering.camel_case(snake_case)

  def operation(self, item: program.Operation) -> tuple[str, int]:
    """An operation: joined texts, bytes compared, rounding as it must be."""
    if item.type == program.TEXT:
      return self.joined(scans.pieces(item))
    if item.op in ('//', '%') and not item.natural:
      name = 'floorDiv' if item.op == '//' else 'mod'
      left, right = self.expression(item.left), self.expression(item.right)
      return f'{name}({left}, {right})', _ATOM
    text, precedence = super().operation(item)
    sides = (item.left, item.right)
    if item.type == program.BOOL and all(map(scans.is_byte, sides)):
      return re.sub(r'rune\((\w+\[[^\[\]]*\])\)', r'\1', text), precedence
    return text, precedence

  def joined(self, pieces: Sequence[program.Expression]) -> tuple[str, int]:
    """A text from pieces, and its precedence."""
    texts = [
      f'string({self.expression(piece)})'
      if piece.type == program.CHAR
      else self.expression(piece, rendering.SUM + 1)
      for piece in pieces
    ]
    return ' + '.join(texts), rendering.SUM if len(texts) > 1 else _ATOM

  def builtin_name(self, item: program.Builtin) -> str:
    """A text contains a character or a text."""
    if item.name == 'contains' and item.arguments[0].type == program.TEXT:
      is_rune = item.arguments[1].type == program.CHAR
      return 'contains rune' if is_rune else 'contains text'
    return super().builtin_name(item)

  def builtin(self, item: program.Builtin) -> tuple[str, int]:
    """A builtin operation; a slice leaves out what it can."""
    if item.name != 'slice':
      return super().builtin(item)
    text = self.expression(item.arguments[0], _ATOM)
    return f'{text}[{":".join(self.slice_ends(item))}]', _ATOM

  def choice(self, item: program.Choice) -> str:
    """Go has none; `statement` takes them apart."""
    raise TypeError(f'no conditional expression in Go: {item!r}')
