"""Families of problems about stretches and chains of a list, and intervals."""

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


def chains(rng: random.Random) -> Draft:
  """The longest or heaviest subsequence with a relation of neighbours."""
  values = phrases.variable(rng, 'values', INTS)
  table = phrases.variable(rng, 'table', INTS)
  index = phrases.variable(rng, 'index', INT)
  inner = phrases.variable(rng, 'inner', INT)
  value = phrases.variable(rng, 'value', INT)
  other = phrases.variable(rng, 'other', INT)
  current = phrases.variable(rng, 'current', INT)
  best = phrases.variable(rng, 'best', INT)
  k, gap = rng.randint(2, 8), rng.randint(1, 4)
  relation, words = rng.choice(
    (
      (value > other, 'exceeds the one before'),
      (value < other, 'is smaller than the one before'),
      (value >= other + k, f'exceeds the one before by at least {k}'),
      (
        natural((value + other) % k).equals(0),
        f'has with the one before a sum divisible by {k}',
      ),
      (
        builtin('magnitude', INT, value - other) <= k,
        f'is within {k} of the one before',
      ),
      (
        natural(value % k).differs(natural(other % k)),
        f'has another remainder by {k} than the one before',
      ),
    )
  )
  near = rng.random() < 0.4
  start: program.Expression = (
    builtin('larger', INT, index - gap, 0) if near else lift(0)
  )
  rule = f', and stands at most {gap} places after it' if near else ''
  test = phrases.condition(rng, value, True)
  new = phrases.transformation(rng, value, True, 0)
  weighed = rng.random() < 0.5
  own: program.Expression = new.code if weighed else lift(1)
  body = [
    Declare(table, builtin('new_list', INTS)),
    Declare(best, lift(0)),
    Count(
      index,
      lift(0),
      length(values),
      (
        Declare(value, at(values, index)),
        Declare(current, lift(0)),
        If(
          test.code,
          (
            Count(
              inner,
              start,
              index,
              (
                Declare(other, at(values, inner)),
                If(
                  relation,
                  (
                    Assign(
                      current,
                      builtin('larger', INT, current, at(table, inner)),
                    ),
                  ),
                ),
              ),
            ),
            Update(current, '+', own),
          ),
        ),
        Append(table, current),
        Assign(best, builtin('larger', INT, best, current)),
      ),
    ),
    Return(best),
  ]
  asked = (
    f'the greatest sum of {new.words}, over'
    if weighed
    else ('the greatest length of')
  )
  statement = (
    'A chain is made of numbers of a list, in order, where each after the'
    f' first {words}{rule}. Return {asked} chains of numbers that {test.words};'
    ' 0 if there is none.'
  )
  name = phrases.title(
    ['heaviest' if weighed else 'longest', 'chain', test.tag, str(k)], 6
  )
  function = Function(name, (values,), INT, body, statement)
  draw = phrases.draw_values(0, 40, 4, 9)
  return Draft(statement, (function,), lambda r: (draw(r),))


FAMILIES = (
  range_sums,
  stretch,
  coverage,
  chains,
)
