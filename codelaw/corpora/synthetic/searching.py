"""Families of problems about sorted lists, sums of stretches, and intervals."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Append
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Call
from codelaw.corpora.synthetic.program import Count
from codelaw.corpora.synthetic.program import Declare
from codelaw.corpora.synthetic.program import Each
from codelaw.corpora.synthetic.program import Function
from codelaw.corpora.synthetic.program import If
from codelaw.corpora.synthetic.program import Put
from codelaw.corpora.synthetic.program import Remark
from codelaw.corpora.synthetic.program import Return
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


def range_sums(rng: random.Random) -> Draft:
  """Sums between pairs of places, from sums of all beginnings."""
  is_natural, low, high = phrases.draw_range(rng)
  values = phrases.variable(rng, 'values', INTS)
  queries = program.Variable(rng.choice(('queries', 'ranges', 'cuts')), INTS)
  table = phrases.variable(rng, 'table', INTS)
  index = phrases.variable(rng, 'index', INT)
  value = phrases.variable(rng, 'value', INT)
  current = phrases.variable(rng, 'current', INT)
  output = phrases.variable(rng, 'output', INTS)
  total = phrases.variable(rng, 'total', INT)
  test = phrases.condition(rng, value, is_natural)
  new = phrases.transformation(rng, value, is_natural, 0)
  asked = phrases.condition(rng, current, False, 0)
  first, last = at(queries, index), at(queries, index + 1)
  listed = rng.random() < 0.5
  step: program.Statement = Append(output, current)
  question = 'Return the list of the answers.'
  start: program.Statement = Declare(output, builtin('new_list', INTS))
  if not listed:
    step = If(asked.code, (Update(total, '+', lift(1)),))
    start = Declare(total, lift(0))
    question = f'Return the number of answers that {asked.words}.'
  running = builtin('last', INT, table)
  body = [
    Declare(table, builtin('new_list', INTS)),
    Append(table, lift(0)),
    Each(
      value,
      values,
      (
        If(
          test.code,
          (Append(table, running + new.code),),
          (Append(table, running),),
        ),
      ),
    ),
    start,
    Count(
      index,
      lift(0),
      length(queries) - 1,
      (Declare(current, at(table, last) - at(table, first)), step),
      2,
    ),
    Return(output if listed else total),
  ]
  statement = (
    'The second list holds queries, two numbers each: a first place and a'
    ' place after the last. The answer to a query is, over the numbers of the'
    f' first list from and before these places that {test.words}, the sum of'
    f' {new.words}. {question}'
  )
  name = phrases.title(['range_sums', new.tag, test.tag], 6)
  function = Function(
    name, (values, queries), INTS if listed else INT, body, statement
  )
  numbers = phrases.draw_values(low, high, 4, 9)

  def draw(r: random.Random) -> tuple[list[int], list[int]]:
    drawn = numbers(r)
    pairs: list[int] = []
    for _ in range(r.randint(2, 4)):
      pairs += sorted(r.randint(0, len(drawn)) for _ in range(2))
    return drawn, pairs

  return Draft(statement, (function,), draw)


def stretch(rng: random.Random) -> Draft:
  """The best or longest stretch of a list under a limit."""
  values = phrases.variable(rng, 'values', INTS)
  value = phrases.variable(rng, 'value', INT)
  current = phrases.variable(rng, 'current', INT)
  best = phrases.variable(rng, 'best', INT)
  index = phrases.variable(rng, 'index', INT)
  low = phrases.variable(rng, 'low', INT)
  limit = phrases.variable(rng, 'limit', INT)
  if rng.random() < 0.5:
    new = phrases.transformation(rng, value, False)
    fee = rng.randint(0, 6)
    down = rng.random() < 0.3
    pick = 'smaller' if down else 'larger'
    gain = new.code - fee if fee else new.code
    body = [
      Declare(best, lift(0)),
      Declare(current, lift(0)),
      Each(
        value,
        values,
        (
          Assign(current, builtin(pick, INT, current + gain, 0)),
          Assign(best, builtin(pick, INT, best, current)),
        ),
      ),
      Return(best),
    ]
    words = f'{new.words}, minus {fee},' if fee else new.words
    statement = (
      f'Give each number of a list a value: {words}. Return the'
      f' {"least" if down else "greatest"} sum of the values of neighbouring'
      ' numbers; the sum of none of them is 0.'
    )
    name = phrases.title(
      ['least' if down else 'greatest', 'stretch', new.tag, str(fee)], 6
    )
    function = Function(name, (values,), INT, body, statement)
    draw = phrases.draw_values(-25, 25, 4, 10)
    return Draft(statement, (function,), lambda r: (draw(r),))
  new = phrases.transformation(rng, value, True, 0)
  helper = Function(
    rng.choice(('weight', 'cost', 'burden', 'load')),
    (value,),
    INT,
    [Return(new.code)],
    f'Returns {new.words}.',
  )
  asked, words, tag = rng.choice(
    (
      (index - low + 1, 'the length of the longest', 'longest'),
      (current, 'the weight of the heaviest', 'heaviest'),
    )
  )

  def weight(place: program.Expression) -> Call:
    return Call(helper.name, (at(values, place),), INT)

  body = [
    Declare(best, lift(0)),
    Declare(current, lift(0)),
    Declare(low, lift(0)),
    Count(
      index,
      lift(0),
      length(values),
      (
        Update(current, '+', weight(index)),
        Remark('Give up numbers on the left until the rest fits.'),
        While(
          current > limit,
          (Update(current, '-', weight(low)), Update(low, '+', lift(1))),
        ),
        Assign(best, builtin('larger', INT, best, asked)),
      ),
    ),
    Return(best),
  ]
  statement = (
    f'The weight of a non-negative integer is {new.words}. Return {words}'
    ' stretch of neighbours in a list whose weights have a sum of at most a'
    ' given limit; 0 if there is none.'
  )
  name = phrases.title([tag, 'stretch_within', new.tag], 6)
  function = Function(name, (values, limit), INT, body, statement)
  draw = phrases.draw_values(0, 20, 4, 10)
  return Draft(
    statement, (helper, function), lambda r: (draw(r), r.randint(10, 150))
  )


def coverage(rng: random.Random) -> Draft:
  """Intervals on a line: how much is covered, or how often."""
  spans = program.Variable(rng.choice(('spans', 'intervals', 'bookings')), INTS)
  table = phrases.variable(rng, 'table', INTS)
  index = phrases.variable(rng, 'index', INT)
  inner = phrases.variable(rng, 'inner', INT)
  current = phrases.variable(rng, 'current', INT)
  total = phrases.variable(rng, 'total', INT)
  previous = phrases.variable(rng, 'previous', INT)
  size = rng.randint(15, 40)
  k = rng.randint(1, 3)
  first, long = at(spans, index), at(spans, index + 1)
  swept = rng.random() < 0.5
  if swept:
    fill: list[program.Statement] = [
      Put(table, first, at(table, first) + 1),
      Put(table, first + long, at(table, first + long) - 1),
    ]
  else:
    fill = [
      Count(
        inner, first, first + long, (Put(table, inner, at(table, inner) + 1),)
      )
    ]
  place = phrases.condition(rng, index, True)
  measure = current if swept else at(table, index)
  test, words, tag = rng.choice(
    (
      (measure >= k, f'covered at least {k} times', f'at_least_{k}'),
      (measure.equals(k - 1), f'covered exactly {k - 1} times', f'just_{k}'),
      (
        natural(measure % (k + 1)).equals(k),
        f'covered a number of times that leaves remainder {k} when divided by'
        f' {k + 1}',
        f'remainder_{k}',
      ),
    )
  )
  runs = rng.random() < 0.4
  step: list[program.Statement] = [
    If(test.also(place.code), (Update(total, '+', lift(1)),))
  ]
  asked = f'how many places that {place.words} are {words}'
  if runs:
    step = [
      If(
        test,
        (
          If(previous.equals(0), (Update(total, '+', lift(1)),)),
          Assign(previous, lift(1)),
        ),
        (Assign(previous, lift(0)),),
      )
    ]
    asked = f'the number of separate stretches of places that are {words}'
  body = [
    Declare(table, builtin('filled', INTS, 0, size + 1)),
    Count(index, lift(0), length(spans) - 1, fill, 2),
    Declare(total, lift(0)),
    *([Declare(current, lift(0))] if swept else []),
    *([Declare(previous, lift(0))] if runs else []),
    Count(
      index,
      lift(0),
      lift(size),
      (
        *([Update(current, '+', at(table, index))] if swept else []),
        *step,
      ),
    ),
    Return(total),
  ]
  statement = (
    'A list holds intervals, two numbers each: a first place and a length.'
    f' Among the places from 0 to {size - 1}, return {asked}.'
  )
  name = phrases.title(
    ['runs' if runs else place.tag, 'places', tag, str(size)], 7
  )
  function = Function(name, (spans,), INT, body, statement)

  def draw(r: random.Random) -> tuple[list[int]]:
    spans_: list[int] = []
    for _ in range(r.randint(2, 5)):
      first_ = r.randint(0, size - 2)
      spans_ += [first_, r.randint(1, min(8, size - first_))]
    return (spans_,)

  return Draft(statement, (function,), draw)


FAMILIES = (bisection, two_ends, merging, range_sums, stretch, coverage)
