"""Whether a document's licence is among those that a corpus allows.

A licence is an SPDX expression: identifiers joined by `AND` (all apply),
`OR` (one may be chosen; Cargo's `MIT/Apache-2.0` is the same) and `WITH` (an
exception, which only permits more), with parentheses. What a distribution
declares in its own words ('BSD License') is allowed when the list has those
very words.
"""

from collections.abc import Iterable
import re

from codelaw import errors

_TOKEN = re.compile(r'\s*(\(|\)|/|\bAND\b|\bOR\b|\bWITH\b)\s*')
# No licence of a document is longer; damaged records can be.
_MOST_TOKENS = 200


def check(allowed: Iterable[str], where: str) -> None:
  """Raises `UserError` unless `allowed` is a list of single licences."""
  if isinstance(allowed, str) or not allowed:
    raise errors.UserError(
      f"{where} must be a list of SPDX identifiers, like ['MIT'], or None for"
      f' all licences; got {allowed!r}.'
    )
  for name in allowed:
    if not isinstance(name, str) or re.search(r'\b(?:AND|OR)\b|^\s*$', name):
      raise errors.UserError(
        f'{where} must name single licences, like MIT or Apache-2.0; got'
        f' {name!r}.'
      )


def allows(allowed: Iterable[str], expression: str) -> bool:
  """Whether one may use, under licences `allowed`, what has `expression`.

  Upper and lower case of identifiers are the same. An expression that cannot
  be read is not allowed.

  >>> allows(['MIT'], 'MIT OR GPL-3.0-only'), allows(['MIT'], 'MIT AND X')
  (True, False)
  """
  known = {_plain(name) for name in allowed}
  if _plain(expression) in known:
    return True
  tokens = [token for token in _TOKEN.split(expression) if token.strip()]
  if len(tokens) > _MOST_TOKENS:
    return False
  try:
    answer, rest = _either(tokens, known)
  except IndexError:  # An operator without its right side.
    return False
  return answer and not rest


def _either(tokens: list[str], known: set[str]) -> tuple[bool, list[str]]:
  """The value of operands joined by OR, and the tokens after them."""
  answer, rest = _all(tokens, known)
  while rest and rest[0] in ('OR', '/'):
    other, rest = _all(rest[1:], known)
    answer = answer or other
  return answer, rest


def _all(tokens: list[str], known: set[str]) -> tuple[bool, list[str]]:
  """The value of operands joined by AND, and the tokens after them."""
  answer, rest = _operand(tokens, known)
  while rest and rest[0] == 'AND':
    other, rest = _operand(rest[1:], known)
    answer = answer and other
  return answer, rest


def _operand(tokens: list[str], known: set[str]) -> tuple[bool, list[str]]:
  """The value of a licence, with its exception, or of a parenthesis."""
  if tokens[0] == '(':
    answer, rest = _either(tokens[1:], known)
    if rest[0] != ')':
      return False, ['(']
    return answer, rest[1:]
  name, rest = tokens[0], tokens[1:]
  answer = _plain(name) in known
  if rest and rest[0] == 'WITH':
    whole, rest = f'{name} WITH {rest[1]}', rest[2:]
    answer = answer or _plain(whole) in known
  return answer, rest


def _plain(name: str) -> str:
  return ' '.join(name.lower().split())
