"""Random pieces of programs, each with the words that describe it.

A problem's statement and its code are made from the same phrases, so that
one always says what the other does. Owns the names that variables can have
by role.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import random
from typing import Any

from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import scans

# No name has two roles: a function takes each role once.
NAMES = {
  'values': ('values', 'numbers', 'items', 'data', 'readings', 'scores'),
  'others': ('others', 'second', 'right', 'weights', 'partners'),
  'value': ('value', 'number', 'item', 'element', 'reading', 'x'),
  'other': ('other', 'candidate', 'y', 'next_value'),
  'total': ('total', 'result', 'answer', 'acc', 'outcome'),
  'best': ('best', 'record', 'top', 'highest_so_far', 'leader'),
  'current': ('current', 'running', 'streak', 'state', 'now'),
  'previous': ('previous', 'last_seen', 'before', 'earlier'),
  'index': ('i', 'index', 'position', 'place', 'at'),
  'inner': ('j', 'inner', 'offset', 'k', 'step'),
  'limit': ('limit', 'n', 'bound', 'size', 'upper'),
  'output': ('output', 'collected', 'kept', 'found', 'results'),
  'text': ('text', 'line', 'phrase', 'message', 'word'),
  'letter': ('letter', 'symbol', 'c', 'ch', 'mark'),
  'words': ('words', 'tokens', 'parts', 'pieces'),
  'token': ('token', 'piece', 'part', 'term'),
  'counts': ('counts', 'tally', 'frequency', 'seen', 'histogram'),
  'count': ('count', 'times', 'amount', 'matches'),
  'key': ('key', 'bucket', 'label', 'kind'),
  'low': ('low', 'left', 'bottom', 'first_place'),
  'high': ('high', 'last_place', 'ceiling', 'far_end'),
  'middle': ('middle', 'mid', 'probe', 'halfway'),
  'stack': ('stack', 'pending', 'memory', 'pile'),
  'table': ('table', 'grid', 'memo', 'solved'),
  'queue': ('queue', 'waiting', 'crowd', 'circle'),
  'turn': ('turn', 'round_number', 'tick', 'day'),
  'width': ('width', 'num_columns', 'per_row'),
  'row': ('row', 'r', 'line_number'),
  'column': ('column', 'col', 'across'),
  'wanted': ('wanted', 'target', 'goal', 'sought'),
  'edges': ('edges', 'links', 'roads', 'bridges'),
  'node': ('node', 'place_id', 'town', 'vertex'),
  'program': ('program', 'commands', 'instructions', 'tape'),
}


@dataclasses.dataclass(frozen=True)
class Phrase:
  """Code, words that describe it in a sentence, and words for a name."""

  code: Any
  words: str
  tag: str


@dataclasses.dataclass(frozen=True)
class Draft:
  """A problem before its examples are made.

  Attributes:
    statement: what to compute, in sentences.
    functions: helpers first; the last one is the solution.
    draw: makes arguments of the solution.
  """

  statement: str
  functions: tuple[program.Function, ...]
  draw: Callable[[random.Random], tuple[Any, ...]]


def variable(rng: random.Random, role: str, type_: str) -> program.Variable:
  """A variable with one of the names of its role."""
  return program.Variable(rng.choice(NAMES[role]), type_)


def title(words: Sequence[str], limit: int = 4) -> str:
  """A snake-case name of at most `limit` words.

  >>> title(['count', 'even_numbers'])
  'count_even_numbers'
  """
  return '_'.join('_'.join(words).replace('-', '_').split('_')[:limit])


def condition(
  rng: random.Random, x: program.Expression, natural: bool, depth: int = 1
) -> Phrase:
  """A condition on an integer; the words follow "numbers that".

  Args:
    rng: where the choices come from.
    x: the integer.
    natural: whether it is known not to be negative.
    depth: how often conditions may be joined.
  """
  if depth and rng.random() < 0.35:
    left = condition(rng, x, natural, depth - 1)
    right = condition(rng, x, natural, depth - 1)
    # Two tests of one remainder would be redundant, or never both hold.
    while right.words == left.words or (
      _divisors(left.code) & _divisors(right.code) - _divisors(x)
    ):
      right = condition(rng, x, natural, depth - 1)
    if rng.random() < 0.5:
      code, word = left.code.also(right.code), 'and'
    else:
      code, word = left.code.either(right.code), 'or'
    return Phrase(
      code, f'{left.words} {word} {right.words}', f'{left.tag}_{word}'
    )
  remainder = program.natural if natural else lambda operation: operation
  # No two of the options below are the same test in other words.
  k, c = rng.randint(3, 9), rng.randint(3, 40)
  r = rng.randint(1, k - 1)
  ones = remainder(x % 10)
  options = (
    Phrase(remainder(x % 2).equals(0), 'are even', 'even'),
    Phrase(remainder(x % 2).differs(0), 'are odd', 'odd'),
    Phrase(
      remainder(x % k).equals(0), f'are divisible by {k}', f'multiple_of_{k}'
    ),
    Phrase(
      remainder(x % k).equals(r),
      f'leave remainder {r} when divided by {k}',
      f'mod_{k}',
    ),
    Phrase(x > c, f'are greater than {c}', f'above_{c}'),
    Phrase(x <= c, f'are at most {c}', f'up_to_{c}'),
    Phrase(
      (x >= c - k).also(x <= c + k),
      f'lie between {c - k} and {c + k} inclusive',
      'in_range',
    ),
    Phrase(x * x < c * k, f'have a square below {c * k}', 'small_square'),
    Phrase(
      ones > r + 1, f'have a last digit (modulo 10) above {r + 1}', 'last_digit'
    ),
    Phrase(
      program.Not(remainder(x % k).equals(0)),
      f'are not divisible by {k}',
      f'not_multiple_of_{k}',
    ),
  )
  return rng.choice(options)


def _divisors(code: program.Expression) -> frozenset[int | bool | str]:
  """The constants that `code` takes remainders by."""
  return frozenset(
    node.right.value
    for node in scans.nodes(code)
    if isinstance(node, program.Operation)
    and node.op == '%'
    and isinstance(node.right, program.Literal)
  )


def transformation(
  rng: random.Random, x: program.Expression, natural: bool, depth: int = 1
) -> Phrase:
  """An integer made from an integer; the words stand for the new one."""
  remainder = program.natural if natural else lambda operation: operation
  a, b = rng.randint(2, 9), rng.randint(1, 20)
  if depth and rng.random() < 0.25:
    test = condition(rng, x, natural, 0)
    then = transformation(rng, x, natural, 0)
    otherwise = transformation(rng, x, natural, 0)
    return Phrase(
      program.Choice(test.code, then.code, otherwise.code, program.INT),
      f'{then.words} for numbers that {test.words}, and'
      f' {otherwise.words} for the others',
      f'{then.tag}_if_{test.tag}',
    )
  options = (
    Phrase(x, 'the number itself', 'plain'),
    Phrase(x * x, 'the square of the number', 'square'),
    Phrase(x * a + b, f'{a} times the number plus {b}', 'scaled'),
    Phrase(
      program.builtin('magnitude', program.INT, x - b),
      f'the distance of the number from {b}',
      f'distance_{b}',
    ),
    Phrase(remainder(x % a), f'the number modulo {a}', f'modulo_{a}'),
    Phrase(
      remainder(x // a),
      f'the number divided by {a}, rounded down',
      f'quotient_{a}',
    ),
    Phrase(
      program.builtin('larger', program.INT, x, b),
      f'the larger of the number and {b}',
      f'at_least_{b}',
    ),
    Phrase(
      program.builtin('smaller', program.INT, x * a, b * 10),
      f'{a} times the number, but no more than {b * 10}',
      'capped',
    ),
    Phrase(x * (x + b), f'the number times itself plus {b}', 'product'),
  )
  return rng.choice(options)


def letter_condition(
  rng: random.Random, c: program.Expression, depth: int = 1
) -> Phrase:
  """A condition on a character; the words follow "characters that"."""
  if depth and rng.random() < 0.3:
    left = letter_condition(rng, c, 0)
    right = letter_condition(rng, c, 0)
    while right.words == left.words:
      right = letter_condition(rng, c, 0)
    if rng.random() < 0.5:
      code, word = left.code.also(program.Not(right.code)), 'but never'
    else:
      code, word = left.code.either(right.code), 'or'
    return Phrase(code, f'{left.words} {word} {right.words}', left.tag)
  some = ''.join(rng.sample('abcdefghijklmnopqrstuvwxyz', rng.randint(2, 5)))
  letter, k = rng.choice('abcdefghijklmnopqrst'), rng.randint(2, 5)
  lower = program.builtin('lower', program.CHAR, c)
  code = program.builtin('code', program.INT, c)
  options = (
    Phrase(
      program.builtin('contains', program.BOOL, 'aeiou', lower),
      'are vowels',
      'vowels',
    ),
    Phrase(
      program.builtin('contains', program.BOOL, some, c),
      f'occur in "{some}"',
      'listed',
    ),
    Phrase(
      program.builtin('is_digit', program.BOOL, c), 'are digits', 'digits'
    ),
    Phrase(
      program.builtin('is_upper', program.BOOL, c),
      'are capital letters',
      'capitals',
    ),
    Phrase(
      program.builtin('is_letter', program.BOOL, c), 'are letters', 'letters'
    ),
    Phrase(
      c > program.char(letter),
      f'come after "{letter}" in ASCII order',
      f'after_{letter}',
    ),
    Phrase(
      lower.equals(program.char(letter)),
      f'are "{letter}" in either case',
      f'letter_{letter}',
    ),
    Phrase(
      program.natural(code % k).equals(0),
      f'have an ASCII code divisible by {k}',
      f'code_{k}',
    ),
  )
  return rng.choice(options)


def draw_range(rng: random.Random) -> tuple[bool, int, int]:
  """Whether values are never negative, their least, and their greatest."""
  return rng.choice(((True, 0, 60), (False, -40, 60), (True, 1, 25)))


def draw_values(
  low: int, high: int, fewest: int = 2, most: int = 9
) -> Callable[[random.Random], list[int]]:
  """A maker of lists of integers in [low, high]."""

  def draw(rng: random.Random) -> list[int]:
    return [rng.randint(low, high) for _ in range(rng.randint(fewest, most))]

  return draw


# fmt: off
_WORDS = (
  'apple', 'river', 'stone', 'Garden', 'light', '42', 'winter', 'Table',
  'orange', 'night', 'cloud', '7', 'quick', 'silver', 'Mountain', 'paper',
  'bird', '2024', 'ocean', 'green', 'Letter', 'wolf', 'candle', 'stream',
  'Oak', 'engine', 'yellow', 'piano', '15', 'harbor', 'velvet', 'rocket',
  'Mirror', 'lemon', 'north', 'anchor',
)
# fmt: on


def draw_text(rng: random.Random) -> str:
  """A few words of letters and digits with single spaces between."""
  return ' '.join(rng.choice(_WORDS) for _ in range(rng.randint(1, 5)))


def draw_letters(rng: random.Random) -> str:
  """A text over few letters, so that letters repeat."""
  alphabet = rng.sample('abcdexyzABC12', rng.randint(2, 4))
  return ''.join(rng.choice(alphabet) for _ in range(rng.randint(3, 12)))
