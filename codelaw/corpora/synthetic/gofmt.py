"""Spaces in Go expressions, as gofmt leaves them.

gofmt drops the spaces around operators that bind more than others of the
same expression (`a*b + c`), and the more so the deeper an expression stands.
The rules are those of `go/printer` (nodes.go: cutoff and depth), restated
for the expressions that the renderer writes: operators, calls, conversions,
indices, slices and literals of slices.
"""

import dataclasses
import re

_PRECEDENCE = {
  '||': 1,
  '&&': 2,
  **dict.fromkeys(('==', '!=', '<', '<=', '>', '>='), 3),
  **dict.fromkeys('+-', 4),
  **dict.fromkeys('*/%', 5),
}
_TOKEN = re.compile(
  r"""\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])+'"""
  r"""|(?:\[\])*\w+(?:\.\w+)*(?:\.{3})?|&&|\|\||[=!<>]=|[-+*/%<>!(){}\[\],:])"""
)
_CLOSING = {'(': ')', '[': ']', '{': '}'}


@dataclasses.dataclass(frozen=True)
class _Atom:
  """A name or a literal."""

  text: str


@dataclasses.dataclass(frozen=True)
class _Unary:
  """An operator before its operand."""

  op: str
  operand: '_Node'


@dataclasses.dataclass(frozen=True)
class _Binary:
  """An operator between its operands."""

  op: str
  left: '_Node'
  right: '_Node'


@dataclasses.dataclass(frozen=True)
class _Parentheses:
  """An expression in parentheses."""

  inner: '_Node'


@dataclasses.dataclass(frozen=True)
class _Bracketed:
  """A call, an index, a slice or a literal; a slice may lack its start."""

  head: '_Node'
  bracket: str
  items: tuple['_Node | None', ...]
  is_slice: bool


_Node = _Atom | _Unary | _Binary | _Parentheses | _Bracketed


def spaced(text: str) -> str:
  """The expression with gofmt's spaces.

  >>> spaced('a * b + c')
  'a*b + c'
  >>> spaced('f(a + 1, values[i - 1])')
  'f(a+1, values[i-1])'
  """
  node, rest = _binary(_tokens(text), 1)
  if rest:
    raise ValueError(f'{text!r} goes on with {rest[0]!r}')
  return _print(node, 1)


def _tokens(text: str) -> list[str]:
  found, place = [], 0
  while place < len(text):
    match = _TOKEN.match(text, place)
    if match is None:
      raise ValueError(f'{text!r} is no expression at {text[place:]!r}')
    found.append(match[1])
    place = match.end()
  return found


def _binary(tokens: list[str], least: int) -> tuple[_Node, list[str]]:
  left, tokens = _operand(tokens)
  while tokens and _PRECEDENCE.get(tokens[0], 0) >= least:
    op = tokens[0]
    right, tokens = _binary(tokens[1:], _PRECEDENCE[op] + 1)
    left = _Binary(op, left, right)
  return left, tokens


def _operand(tokens: list[str]) -> tuple[_Node, list[str]]:
  first, *rest = tokens
  if first in ('-', '!'):
    operand, rest = _operand(rest)
    return _Unary(first, operand), rest
  node: _Node
  if first == '(':
    inner, rest = _binary(rest, 1)
    node, rest = _Parentheses(inner), rest[1:]
  else:
    node = _Atom(first)
  while rest and rest[0] in _CLOSING:
    node, rest = _bracketed(node, rest)
  return node, rest


def _bracketed(head: _Node, tokens: list[str]) -> tuple[_Node, list[str]]:
  bracket, *tokens = tokens
  items: list[_Node | None] = []
  is_slice = False
  while tokens[0] != _CLOSING[bracket]:
    if tokens[0] == ':':
      is_slice = True
      items += [] if items else [None]
      tokens = tokens[1:]
    elif tokens[0] == ',':
      tokens = tokens[1:]
    else:
      item, tokens = _binary(tokens, 1)
      items.append(item)
  return _Bracketed(head, bracket, tuple(items), is_slice), tokens[1:]


def _print(node: _Node, depth: int) -> str:
  match node:
    case _Atom(text):
      return text
    case _Unary(op, operand):
      return f'{op}{_print(operand, depth)}'
    case _Binary(op, left, right):
      precedence = _PRECEDENCE[op]
      space = ' ' if precedence < _cutoff(node, depth) else ''
      same = isinstance(left, _Binary) and _PRECEDENCE[left.op] == precedence
      first = _print(left, depth if same else depth + 1)
      second = _print(right, depth + 1)
      # Two signs in a row would be another token.
      gap = ' ' if op == '-' and second.startswith('-') else space
      return f'{first}{space}{op}{gap}{second}'
    case _Parentheses(inner):
      return f'({_print(inner, max(depth - 1, 1))})'
    case _Bracketed(head, '[', items, is_slice):
      shown = [_print(item, depth + 1) if item else '' for item in items]
      if not is_slice:
        return f'{_print(head, 1)}[{shown[0]}]'
      shown += [''] * (2 - len(shown))
      wide = (
        depth <= 1
        and all(shown)
        and any(isinstance(item, _Binary) for item in items)
      )
      return f'{_print(head, 1)}[{(" : " if wide else ":").join(shown)}]'
    case _Bracketed(head, '(', items):
      depth += len(items) > 1
      return f'{_print(head, depth)}({_listed(items, depth)})'
    case _Bracketed(head, _, items):
      return f'{_print(head, 1)}{{{_listed(items, 1)}}}'
  raise TypeError(f'no way to print {node!r}')


def _listed(items: tuple[_Node | None, ...], depth: int) -> str:
  return ', '.join(_print(item, depth) for item in items if item)


def _cutoff(node: _Binary, depth: int) -> int:
  """The precedence from which operators have no spaces around them."""
  sums, products, problem = _mixture(node)
  if problem:
    return problem + 1
  if sums and products:
    return 5 if depth == 1 else 4
  return 6 if depth == 1 else 4


def _mixture(node: _Binary) -> tuple[bool, bool, int]:
  """Whether sums, and products, meet in `node`, and signs that would merge."""
  precedence = _PRECEDENCE[node.op]
  found = [(precedence == 4, precedence == 5, 0)]
  if isinstance(node.left, _Binary):
    found.append(_mixture(node.left))
  if isinstance(node.right, _Binary):
    found.append(_mixture(node.right))
  if isinstance(node.right, _Unary) and node.op == node.right.op == '-':
    found.append((False, False, 4))
  sums, products, problems = zip(*found, strict=True)
  return any(sums), any(products), max(problems)
