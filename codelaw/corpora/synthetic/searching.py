"""Families of problems about sorted lists."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Append
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Count
from codelaw.corpora.synthetic.program import Declare
from codelaw.corpora.synthetic.program import Each
from codelaw.corpora.synthetic.program import Function
from codelaw.corpora.synthetic.program import If
from codelaw.corpora.synthetic.program import Return
from codelaw.corpora.synthetic.program import Sort
from codelaw.corpora.synthetic.program import Update
from codelaw.corpora.synthetic.program import While
from codelaw.corpora.synthetic.program import at
from codelaw.corpora.synthetic.program import builtin
from codelaw.corpora.synthetic.program import length
from codelaw.corpora.synthetic.program import lift
from codelaw.corpora.synthetic.program import natural

BOOL, CHAR, INT, INTS = program.BOOL, program.CHAR, program.INT, program.INTS
TEXT, TEXTS = program.TEXT, program.TEXTS


def _draw_sorted(low: int, high: int):
  def draw(rng: random.Random) -> list[int]:
    return sorted(rng.randint(low, high) for _ in range(rng.randint(3, 10)))

  return draw


def bisection(rng: random.Random) -> Draft:
  """A place in a sorted list, found by halving."""
  values = phrases.variable(rng, 'values', INTS)
  wanted = phrases.variable(rng, 'wanted', INT)
  low = phrases.variable(rng, 'low', INT)
  high = phrases.variable(rng, 'high', INT)
  middle = phrases.variable(rng, 'middle', INT)
  value = phrases.variable(rng, 'value', INT)
  count = phrases.variable(rng, 'count', INT)
  a, b = rng.randint(1, 5), rng.randint(0, 20)
  scaled, words = rng.choice(
    (
      (value, 'the number'),
      (value * a + b, f'{a} times the number plus {b}'),
      (
        natural(value // (a + 1)),
        f'the number divided by {a + 1}, rounded down',
      ),
      (value * value - b, f'the square of the number minus {b}'),
    )
  )
  strict = rng.random() < 0.5
  # The first place from which the rule holds.
  holds = scaled > wanted if strict else scaled >= wanted
  relation = 'greater than' if strict else 'at least'
  steps = rng.random() < 0.25
  body: list[program.Statement] = [
    Declare(low, lift(0)),
    Declare(high, length(values)),
    *([Declare(count, lift(0))] if steps else []),
    While(
      low < high,
      (
        Declare(middle, natural((low + high) // 2)),
        Declare(value, at(values, middle)),
        *([Update(count, '+', lift(1))] if steps else []),
        If(holds, (Assign(high, middle),), (Assign(low, middle + 1),)),
      ),
    ),
  ]
  kind = 'steps' if steps else rng.choice(('place', 'number', 'many', 'last'))
  asked = {
    'steps': (
      'Return how many numbers a search looks at that always takes the middle'
      ' of the places that are left, the right one of two'
    ),
    'place': 'Return its index, or the length of the list if there is none',
    'number': 'Return the number itself, or -1 if there is none',
    'many': 'Return how many numbers stand from there to the end',
    'last': 'Return the index before it, which is -1 for the first',
  }[kind]
  if kind == 'number':
    body += [If(low.equals(length(values)), (Return(lift(-1)),))]
  answer = {
    'steps': count,
    'place': low,
    'number': at(values, low),
    'many': length(values) - low,
    'last': low - 1,
  }[kind]
  statement = (
    'A list of integers is sorted in rising order and has no negative ones.'
    f' Find the first number for which {words} is {relation} a second'
    f' argument, by halving the range in question. {asked}.'
  )
  name = phrases.title(['bisect', kind, wanted.name, str(a), str(b)], 6)
  function = Function(
    name, (values, wanted), INT, [*body, Return(answer)], statement
  )
  draw = _draw_sorted(0, 60)
  return Draft(
    statement, (function,), lambda r: (draw(r), r.randint(5, 60 * a))
  )


def two_ends(rng: random.Random) -> Draft:
  """Pairs of a sorted list, by pointers from both ends."""
  values = phrases.variable(rng, 'values', INTS)
  wanted = phrases.variable(rng, 'wanted', INT)
  low = phrases.variable(rng, 'low', INT)
  high = phrases.variable(rng, 'high', INT)
  others = program.Variable(rng.choice(('ordered', 'arranged', 'ranked')), INTS)
  total = phrases.variable(rng, 'total', INT)
  current = phrases.variable(rng, 'current', INT)
  a, b = rng.randint(1, 4), rng.randint(1, 4)
  left, right = at(others, low), at(others, high)
  pair = (left * a if a > 1 else left) + (right * b if b > 1 else right)
  small = f'{a} times the smaller' if a > 1 else 'the smaller'
  large = f'{b} times the larger' if b > 1 else 'the larger'
  test = phrases.condition(rng, current, True, 0)
  kind = rng.choice(('count', 'nearest', 'exact'))
  start, closer = 0, builtin('larger', INT, total, current)
  inside: list[program.Statement]
  if kind == 'count':
    inside = [
      If(
        current <= wanted,
        (Update(total, '+', high - low), Update(low, '+', lift(1))),
        (Update(high, '-', lift(1)),),
      )
    ]
    asked = 'how many pairs of positions have at most the wanted value'
  elif kind == 'nearest':
    start = -1
    inside = [
      If(
        current <= wanted,
        (
          If(test.code, (Assign(total, closer),)),
          Update(low, '+', lift(1)),
        ),
        (Update(high, '-', lift(1)),),
      )
    ]
    asked = (
      'the largest value up to the wanted one that the walk below meets,'
      f' among values that {test.words}, or -1 without one'
    )
  else:
    inside = [
      If(
        current < wanted,
        (Update(low, '+', lift(1)),),
        (
          If(
            current > wanted,
            (Update(high, '-', lift(1)),),
            (
              Update(total, '+', lift(1)),
              Update(low, '+', lift(1)),
              Update(high, '-', lift(1)),
            ),
          ),
        ),
      )
    ]
    asked = 'how often the walk below meets exactly the wanted value'
  walk = (
    ' Sort the numbers and start with the first and the last. While the value'
    ' of the two is too small move the left one on by a place, while it is too'
    ' large move the right one back'
  )
  rest = {
    'count': '; a left one that fits goes with all up to the right one, then'
    ' move it on.',
    'nearest': '; move the left one on after a value that fits.',
    'exact': '; after a match move both.',
  }[kind]
  body = [
    Declare(others, builtin('copy', INTS, values)),
    program.Sort(others),
    Declare(low, lift(0)),
    Declare(high, length(others) - 1),
    Declare(total, lift(start)),
    While(low < high, (Declare(current, pair), *inside)),
    Return(total),
  ]
  statement = (
    f'The value of two numbers is {small} plus {large}. Return {asked}, for a'
    f' list of non-negative integers and a wanted value.{walk}{rest}'
  )
  tag = f'{a}_{b}' if kind != 'nearest' else test.tag
  name = phrases.title([kind, 'pair_values', tag], 6)
  function = Function(name, (values, wanted), INT, body, statement)
  draw = phrases.draw_values(0, 30, 4, 9)
  return Draft(
    statement, (function,), lambda r: (draw(r), r.randint(10, 20 * (a + b)))
  )


def merging(rng: random.Random) -> Draft:
  """Two sorted lists, read together."""
  values = phrases.variable(rng, 'values', INTS)
  others = phrases.variable(rng, 'others', INTS)
  index = phrases.variable(rng, 'index', INT)
  inner = phrases.variable(rng, 'inner', INT)
  output = phrases.variable(rng, 'output', INTS)
  value = phrases.variable(rng, 'value', INT)
  test = phrases.condition(rng, value, True)
  kind = rng.choice(('all', 'common', 'only_first', 'either'))
  takes = {
    'all': (True, True, 'both'),
    'common': (False, False, 'once'),
    'only_first': (True, False, 'none'),
    'either': (True, True, 'none'),
  }[kind]

  def take(wanted: bool) -> tuple[program.Statement, ...]:
    return (If(test.code, (Append(output, value),)),) if wanted else ()

  a, b = at(values, index), at(others, inner)
  both = take(takes[2] != 'none') * (2 if takes[2] == 'both' else 1)
  forward = (Update(index, '+', lift(1)),)
  onward = (Update(inner, '+', lift(1)),)
  ends = length(values), length(others)
  loop = While(
    (index < ends[0]).also(inner < ends[1]),
    (
      If(
        a < b,
        (*((Declare(value, a), *take(True)) if takes[0] else ()), *forward),
        (
          If(
            a > b,
            (*((Declare(value, b), *take(True)) if takes[1] else ()), *onward),
            (
              *((Declare(value, a), *both) if both else ()),
              *forward,
              *onward,
            ),
          ),
        ),
      ),
    ),
  )
  rest: list[program.Statement] = []
  if takes[0]:
    rest += [While(index < ends[0], (Declare(value, a), *take(True), *forward))]
  if takes[1]:
    rest += [While(inner < ends[1], (Declare(value, b), *take(True), *onward))]
  words = {
    'all': 'all numbers of both lists',
    'common': 'the numbers that both lists have, each as often as the list'
    ' with fewer of them has it',
    'only_first': 'the numbers of the first list that are left when each'
    ' number of the second takes away an equal one, if there is one',
    'either': 'the numbers of both lists that are left when equal numbers of'
    ' the two lists take each other away',
  }[kind]
  body = [
    Declare(index, lift(0)),
    Declare(inner, lift(0)),
    Declare(output, builtin('new_list', INTS)),
    loop,
    *rest,
    Return(output),
  ]
  statement = (
    f'Two lists of integers are sorted in rising order. Return, in rising'
    f' order, {words}, as far as they {test.words}. Read each list once.'
  )
  name = phrases.title(['merge', kind, test.tag], 6)
  function = Function(name, (values, others), INTS, body, statement)
  draw = _draw_sorted(0, 25)
  return Draft(statement, (function,), lambda r: (draw(r), draw(r)))


def middle_numbers(rng: random.Random) -> Draft:
  """Something about a list after it was sorted."""
  is_natural, low, high = phrases.draw_range(rng)
  values = phrases.variable(rng, 'values', INTS)
  ranked = program.Variable(rng.choice(('ranked', 'ordered', 'arranged')), INTS)
  value = phrases.variable(rng, 'value', INT)
  index = phrases.variable(rng, 'index', INT)
  total = phrases.variable(rng, 'total', INT)
  size = phrases.variable(rng, 'limit', INT)
  best = phrases.variable(rng, 'best', INT)
  test = phrases.condition(rng, value, is_natural)
  new = phrases.transformation(rng, value, is_natural, 0)
  cut, part = rng.randint(1, 2), rng.randint(2, 4)
  kind = rng.choice(('trimmed', 'rank', 'gap', 'every', 'middle'))
  start: list[program.Statement] = [
    Declare(ranked, builtin('new_list', INTS)),
    Each(value, values, (If(test.code, (Append(ranked, new.code),)),)),
    Sort(ranked),
    Declare(size, length(ranked)),
  ]
  least = {
    'trimmed': 2 * cut + 1,
    'rank': 1,
    'gap': 2,
    'every': 1,
    'middle': 1,
  }[kind]
  empty = -rng.randint(1, 99)
  start += [If(size < least, (Return(lift(empty)),))]
  if kind == 'rank':
    place = natural((size - 1) * (part - 1) // part)
    body = [*start, Return(at(ranked, place))]
    asked = (
      f'the number at the place {part - 1}/{part} of the last one, rounded down'
    )
  elif kind == 'middle':
    odd = natural(size % 2).equals(1)
    half = natural(size // 2)
    body = [
      *start,
      If(odd, (Return(at(ranked, half) * 2),)),
      Return(at(ranked, half - 1) + at(ranked, half)),
    ]
    asked = 'twice the median'
  elif kind == 'gap':
    pick = rng.choice(('smaller', 'larger'))
    gap = at(ranked, index) - at(ranked, index - 1)
    body = [
      *start,
      Declare(best, at(ranked, 1) - at(ranked, 0)),
      Count(
        index,
        lift(2),
        size,
        (Assign(best, builtin(pick, INT, best, gap)),),
      ),
      Return(best),
    ]
    asked = (
      f'the {"least" if pick == "smaller" else "greatest"} difference of'
      ' neighbours'
    )
  else:
    first, last, step = (
      (lift(cut), size - cut, 1) if kind == 'trimmed' else (lift(0), size, part)
    )
    body = [
      *start,
      Declare(total, lift(0)),
      Count(index, first, last, (Update(total, '+', at(ranked, index)),), step),
      Return(total),
    ]
    asked = (
      f'the sum of all but the first {cut} and the last {cut}'
      if kind == 'trimmed'
      else f'the sum of the first number and every number {part} places after'
      ' one that counts'
    )
  statement = (
    f'From a list of integers take {new.words}, for the numbers that'
    f' {test.words}, and sort these results in rising order. Return {asked}, or'
    f' {empty} if there are fewer than {least}.'
  )
  name = phrases.title([kind, 'sorted', new.tag, test.tag], 7)
  function = Function(name, (values,), INT, body, statement)
  draw = phrases.draw_values(low, high, 4, 10)
  return Draft(statement, (function,), lambda r: (draw(r),))


FAMILIES = (
  bisection,
  two_ends,
  merging,
  middle_numbers,
)
