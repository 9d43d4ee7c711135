"""Families of problems solved by functions that call themselves."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Call
from codelaw.corpora.synthetic.program import Count
from codelaw.corpora.synthetic.program import Declare
from codelaw.corpora.synthetic.program import Function
from codelaw.corpora.synthetic.program import If
from codelaw.corpora.synthetic.program import Remark
from codelaw.corpora.synthetic.program import Return
from codelaw.corpora.synthetic.program import Update
from codelaw.corpora.synthetic.program import at
from codelaw.corpora.synthetic.program import builtin
from codelaw.corpora.synthetic.program import length
from codelaw.corpora.synthetic.program import lift
from codelaw.corpora.synthetic.program import natural

BOOL, CHAR, INT, INTS = program.BOOL, program.CHAR, program.INT, program.INTS
TEXT, TEXTS = program.TEXT, program.TEXTS


def branching(rng: random.Random) -> Draft:
  """A function defined by its values for smaller arguments."""
  limit = phrases.variable(rng, 'limit', INT)
  name = rng.choice(('f', 'term', 'rule', 'grow', 'spread'))
  a, b = rng.randint(1, 3), rng.randint(2, 4)
  p, q, plus = rng.randint(1, 3), rng.randint(1, 3), rng.randint(0, 6)
  modulus = rng.choice((97, 1009, 9973))
  first = rng.randint(0, 5)
  halves = rng.random() < 0.4
  test = phrases.condition(rng, limit, True)

  def call(argument: program.Expression, factor: int) -> program.Expression:
    found = Call(name, (argument,), INT)
    return found * factor if factor > 1 else found

  one = call(natural(limit // b) if halves else limit - b, p)
  two = call(natural(limit // (b + 1)) if halves else limit - (a + b), q)
  both = one + two + plus if plus else one + two
  other = call(limit - 1, p) + limit
  base = rng.choice((limit, lift(first)))
  least = 1 if halves else a + b
  helper = Function(
    name,
    (limit,),
    INT,
    [
      If(limit < least, (Return(base),)),
      If(test.code, (Return(natural(both % modulus)),)),
      Return(natural(other % modulus)),
    ],
    f'Returns the value for a non-negative integer, modulo {modulus}.',
  )
  total = phrases.variable(rng, 'total', INT)
  index = phrases.variable(rng, 'index', INT)
  summed = rng.random() < 0.5
  body: list[program.Statement] = [Return(Call(name, (limit,), INT))]
  asked = 'Return the value for n'
  if summed:
    asked = 'Return the sum of the values for all numbers up to n'
    body = [
      Declare(total, lift(0)),
      Count(
        index,
        lift(0),
        limit + 1,
        (Update(total, '+', Call(name, (index,), INT)),),
      ),
      Return(total),
    ]
  shown = (
    (f'n divided by {b}', f'n divided by {b + 1}, both rounded down')
    if halves
    else (f'n minus {b}', f'n minus {a + b}')
  )
  what = 'n itself' if base is limit else str(first)
  extra = f', plus {plus}' if plus else ''
  statement = (
    f'The value for integers n from 0 to {least - 1} is {what}. For larger'
    f' numbers that {test.words}, it is {p} times the value for {shown[0]}'
    f' plus {q} times that for {shown[1]}{extra}; for all others, {p} times'
    f' the value for n minus 1, plus n; all modulo {modulus}. {asked}.'
  )
  title = phrases.title(
    [
      'sum' if summed else 'value',
      'halves' if halves else 'steps',
      f'{a}_{b}_{p}_{q}',
      test.tag,
    ],
    8,
  )
  function = Function(title, (limit,), INT, body, statement)
  return Draft(statement, (helper, function), lambda r: (r.randint(3, 18),))


def tree(rng: random.Random) -> Draft:
  """A binary tree that stands in a list, read from its root."""
  is_natural, low, high = phrases.draw_range(rng)
  values = phrases.variable(rng, 'values', INTS)
  index = phrases.variable(rng, 'index', INT)
  value = phrases.variable(rng, 'value', INT)
  left = program.Variable(rng.choice(('left', 'first_side', 'one')), INT)
  right = program.Variable(rng.choice(('right', 'other_side', 'two')), INT)
  name = rng.choice(('visit', 'walk', 'descend', 'measure'))
  test = phrases.condition(rng, value, is_natural)
  new = phrases.transformation(rng, value, is_natural, 0)
  cut = rng.random() < 0.4
  combined, words, tag = rng.choice(
    (
      (left + right, 'the sum of both results', 'sum'),
      (builtin('larger', INT, left, right), 'the larger result', 'best'),
      (builtin('smaller', INT, left, right), 'the smaller result', 'least'),
      (
        left - right,
        'the result on the left minus that on the right',
        'difference',
      ),
      (
        builtin('magnitude', INT, left - right),
        'the distance of both results',
        'imbalance',
      ),
    )
  )
  missing = rng.choice((0, 0, 1, rng.randint(2, 9)))
  own = new.code
  if cut:
    steps: list[program.Statement] = [
      If(test.code, (Return(own),)),
    ]
    rule = (
      f'The result of a node whose number is one of those that {test.words} is'
      f' {new.words}. For others it is {words} of the nodes below.'
    )
  else:
    steps = []
    rule = (
      f'The result of a node is {words} of the nodes below; nodes with numbers'
      f' that {test.words} add {new.words}.'
    )
  last: list[program.Statement] = [Return(combined)]
  if not cut:
    last = [If(test.code, (Return(combined + own),)), Return(combined)]
  helper = Function(
    name,
    (values, index),
    INT,
    [
      If(index >= length(values), (Return(lift(missing)),)),
      Declare(value, at(values, index)),
      *steps,
      Declare(left, Call(name, (values, index * 2 + 1), INT)),
      Declare(right, Call(name, (values, index * 2 + 2), INT)),
      *last,
    ],
    'Returns the result of the node at a place.',
  )
  statement = (
    'A list holds a binary tree: below the node at place i hang those at 2i+1'
    f' and 2i+2, as far as the list goes. {rule} Missing nodes have the result'
    f' {missing}. Return the result of the node at place 0.'
  )
  title = phrases.title(['tree', tag, new.tag, test.tag], 6)
  function = Function(
    title,
    (values,),
    INT,
    [Return(Call(name, (values, lift(0)), INT))],
    statement,
  )
  draw = phrases.draw_values(low, high, 3, 10)
  return Draft(statement, (helper, function), lambda r: (draw(r),))


def halves(rng: random.Random) -> Draft:
  """A list that is cut in two until a part is small."""
  is_natural, low_value, high_value = phrases.draw_range(rng)
  values = phrases.variable(rng, 'values', INTS)
  low = phrases.variable(rng, 'low', INT)
  high = phrases.variable(rng, 'high', INT)
  middle = phrases.variable(rng, 'middle', INT)
  value = phrases.variable(rng, 'value', INT)
  one = program.Variable(rng.choice(('one', 'front_part', 'before_it')), INT)
  two = program.Variable(rng.choice(('two', 'back_part', 'after_it')), INT)
  name = rng.choice(('solve', 'fold', 'combine', 'reduce_range'))
  new = phrases.transformation(rng, value, is_natural)
  modulus = rng.choice((97, 1009))
  k = rng.randint(2, 5)
  combined, words, tag = rng.choice(
    (
      (one + two, 'the sum of both', 'sum'),
      (one * k - two, f'{k} times the first minus the second', 'weighted'),
      (
        (one * two) % modulus,
        f'the product of both, modulo {modulus}',
        'product',
      ),
      (
        builtin('larger', INT, one, two) + k,
        f'the larger of both plus {k}',
        'larger',
      ),
      (
        builtin('magnitude', INT, one - two),
        'the distance of both',
        'distance',
      ),
      (
        builtin('smaller', INT, one * k, two),
        f'the smaller of {k} times the first and the second',
        'smaller',
      ),
    )
  )
  third = rng.random() < 0.4
  cut: program.Expression = (
    low + natural((high - low) // 3) if third else natural((low + high) // 2)
  )
  if third:
    cut = builtin('larger', INT, cut, low + 1)
  helper = Function(
    name,
    (values, low, high),
    INT,
    [
      If(
        (high - low).equals(1),
        (Declare(value, at(values, low)), Return(new.code)),
      ),
      Declare(middle, cut),
      Declare(one, Call(name, (values, low, middle), INT)),
      Declare(two, Call(name, (values, middle, high), INT)),
      Return(combined),
    ],
    'Returns the result of the places from the first up to before the last.',
  )
  where = (
    'after a third of its numbers, rounded down, but after one at least'
    if third
    else 'in the middle, before it if there is a middle number'
  )
  statement = (
    f'The result of a single number is {new.words}. A longer list is cut'
    f' {where}; its result is {words}, first and second being the results of'
    ' its two parts. Return the result of a list, 0 for an empty one.'
  )
  title = phrases.title([tag, 'thirds' if third else 'halves', new.tag], 7)
  body = [
    If(length(values).equals(0), (Return(lift(0)),)),
    Return(Call(name, (values, lift(0), length(values)), INT)),
  ]
  function = Function(title, (values,), INT, body, statement)
  draw = phrases.draw_values(low_value // 3, high_value // 3, 2, 8)
  return Draft(statement, (helper, function), lambda r: (draw(r),))


def choices(rng: random.Random) -> Draft:
  """All ways to take or leave numbers, tried one after the other."""
  values = phrases.variable(rng, 'values', INTS)
  index = phrases.variable(rng, 'index', INT)
  rest = phrases.variable(rng, 'wanted', INT)
  value = phrases.variable(rng, 'value', INT)
  total = phrases.variable(rng, 'total', INT)
  name = rng.choice(('choose', 'attempt', 'pick_from', 'explore'))
  test = phrases.condition(rng, value, True)
  new = phrases.transformation(rng, value, True, 0)
  gap = rng.randint(1, 2)
  best = rng.random() < 0.5
  least = rng.randint(0, 4)

  def call(place: program.Expression, left: program.Expression) -> Call:
    return Call(name, (values, place, left), INT)

  skip = call(index + 1, rest)
  if best:
    take = call(index + gap, rest - 1) + new.code
    done = If(
      (index >= length(values)).either(rest.equals(0)), (Return(lift(0)),)
    )
    more: program.Statement = If(
      test.code, (Assign(total, builtin('larger', INT, total, take)),)
    )
    asked = (
      f'Return the greatest sum of {new.words}, over at most as many numbers'
      ' as the second argument says'
    )
  else:
    take = call(index + gap, rest - value)
    small = rest <= least
    done = If(
      index >= length(values),
      (Return(program.Choice(small, lift(1), lift(0), INT)),),
    )
    more = If(test.code.also(value <= rest), (Update(total, '+', take),))
    asked = (
      'Return the number of ways to choose numbers with a sum that is at most'
      f' the second argument, and below it by {least} at most'
    )
  helper = Function(
    name,
    (values, index, rest),
    INT,
    [
      done,
      Declare(value, at(values, index)),
      Remark('Leave the number, or take it.'),
      Declare(total, skip),
      more,
      Return(total),
    ],
    'Returns the answer for the numbers from a place on.',
  )
  apart = (
    '' if gap == 1 else ' Numbers next to each other must not both be chosen.'
  )
  statement = (
    f'From a list of non-negative integers, numbers that {test.words} may be'
    f' chosen.{apart} {asked}.'
  )
  title = phrases.title(
    [
      'best_choice' if best else 'count_choices',
      new.tag if best else f'within_{least}',
      test.tag,
    ],
    7,
  )
  function = Function(
    title,
    (values, rest),
    INT,
    [Return(call(lift(0), rest))],
    statement,
  )
  draw = phrases.draw_values(1, 14, 3, 7)
  return Draft(
    statement,
    (helper, function),
    lambda r: (draw(r), r.randint(1, 4) if best else r.randint(5, 40)),
  )


FAMILIES = (
  branching,
  tree,
  halves,
  choices,
)
