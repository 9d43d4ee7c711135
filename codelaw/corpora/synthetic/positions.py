"""Families of problems about places in lists of integers."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Append
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Choice
from codelaw.corpora.synthetic.program import Count
from codelaw.corpora.synthetic.program import Declare
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

INT, INTS = program.INT, program.INTS


def search(rng: random.Random) -> Draft:
  """The first or last place where a condition on neighbours holds."""
  natural, low, high = phrases.draw_range(rng)
  values = phrases.variable(rng, 'values', INTS)
  index = phrases.variable(rng, 'index', INT)
  gap = rng.randint(1, 3)
  first, second = at(values, index), at(values, index + gap)
  a = phrases.variable(rng, 'value', INT)
  b = phrases.variable(rng, 'other', INT)
  k = rng.randint(2, 12)
  relation, words = rng.choice(
    (
      (a < b, 'is smaller than the second'),
      (a > b + k, f'exceeds the second by more than {k}'),
      ((a + b) % k, f'plus the second is divisible by {k}'),
      (builtin('magnitude', INT, a - b) <= k, f'is within {k} of the second'),
      (a * b > 40 * k, f'times the second is greater than {40 * k}'),
    )
  )
  if relation.type == INT:
    relation = program.natural(relation) if natural else relation
    relation = relation.equals(0)
  test = phrases.condition(rng, a, natural, 0)
  forward = rng.random() < 0.5
  stop = length(values) - gap
  last = length(values) - (gap + 1)
  loop_body = (
    Declare(a, first),
    Declare(b, second),
    If(relation.also(test.code), (Return(index),)),
  )
  loop = (
    Count(index, lift(0), stop, loop_body)
    if forward
    else Count(index, last, lift(-1), loop_body, -1)
  )
  statement = (
    f'Look at pairs of numbers that are {gap} apart in a list. Return the'
    f' {"lowest" if forward else "highest"} index of a first number that'
    f' {words}, among first numbers that {test.words}. Return -1 if there is'
    ' no such pair.'
  )
  name = phrases.title(
    ['first' if forward else 'last', 'pair', test.tag, f'gap_{gap}'], 6
  )
  body = [loop, Return(lift(-1))]
  function = Function(name, (values,), INT, body, statement)
  draw = phrases.draw_values(low, high, 4, 10)
  return Draft(statement, (function,), lambda rng: (draw(rng),))


def sort_by_key(rng: random.Random) -> Draft:
  """A hand-written stable sort by a key."""
  natural, low, high = phrases.draw_range(rng)
  values = phrases.variable(rng, 'values', INTS)
  output = phrases.variable(rng, 'output', INTS)
  value = phrases.variable(rng, 'value', INT)
  index = phrases.variable(rng, 'index', INT)
  inner = phrases.variable(rng, 'inner', INT)
  by = phrases.transformation(rng, value, natural)
  helper = Function(
    rng.choice(('sort_key', 'rank', 'priority', 'key_of')),
    (value,),
    INT,
    [Return(by.code)],
    f'Returns {by.words}.',
  )
  down = rng.random() < 0.5

  def misplaced(left: program.Expression, right: program.Expression):
    first = program.Call(helper.name, (left,), INT)
    second = program.Call(helper.name, (right,), INT)
    return first < second if down else first > second

  copy = Declare(output, builtin('copy', INTS, values))
  swap_value = phrases.variable(rng, 'other', INT)
  if rng.random() < 0.5:
    before = at(output, inner - 1)
    body = [
      copy,
      Remark('Insert each element into the sorted part on its left.'),
      Count(
        index,
        lift(1),
        length(output),
        (
          Declare(swap_value, at(output, index)),
          Declare(inner, index),
          While(
            (inner > 0).also(misplaced(before, swap_value)),
            (Put(output, inner, before), Update(inner, '-', lift(1))),
          ),
          Put(output, inner, swap_value),
        ),
      ),
    ]
  else:
    body = [
      copy,
      Remark('Let misplaced neighbours trade places until none are left.'),
      Count(
        index,
        lift(0),
        length(output),
        (
          Count(
            inner,
            lift(0),
            length(output) - index - 1,
            (
              If(
                misplaced(at(output, inner), at(output, inner + 1)),
                (
                  Declare(swap_value, at(output, inner)),
                  Put(output, inner, at(output, inner + 1)),
                  Put(output, inner + 1, swap_value),
                ),
              ),
            ),
          ),
        ),
      ),
    ]
  direction = 'falling' if down else 'rising'
  statement = (
    f'Sort a list of integers by {direction} key, without changing the list'
    f' that was given. The key of a number is {by.words}. Numbers with equal'
    ' keys stay in their order.'
  )
  name = phrases.title(['sort', direction, by.tag], 5)
  function = Function(name, (values,), INTS, [*body, Return(output)], statement)
  draw = phrases.draw_values(low, high, 3, 7)
  return Draft(statement, (helper, function), lambda rng: (draw(rng),))


def windows(rng: random.Random) -> Draft:
  """Sums of neighbours: the extreme one, or how many meet a condition."""
  natural, low, high = phrases.draw_range(rng)
  values = phrases.variable(rng, 'values', INTS)
  index = phrases.variable(rng, 'index', INT)
  current = phrases.variable(rng, 'current', INT)
  total = phrases.variable(rng, 'total', INT)
  width = rng.randint(2, 4)
  test = phrases.condition(rng, current, natural)
  if rng.random() < 0.5:
    inner = phrases.variable(rng, 'inner', INT)
    fill: list[program.Statement] = [
      Declare(current, lift(0)),
      Count(
        inner,
        index,
        index + width,
        (Update(current, '+', at(values, inner)),),
      ),
    ]
    start: list[program.Statement] = []
    stop: program.Expression = length(values) - (width - 1)
  else:
    left = builtin('at', INT, values, index - width)
    start = [Declare(current, lift(0))]
    fill = [
      Update(current, '+', at(values, index)),
      If(index >= width, (Update(current, '-', left),)),
    ]
    stop = length(values)
  hit: program.Statement = If(test.code, (Update(total, '+', lift(1)),))
  if start:
    hit = If(
      (index >= width - 1).also(test.code), (Update(total, '+', lift(1)),)
    )
  body = [
    Declare(total, lift(0)),
    *start,
    Count(index, lift(0), stop, (*fill, hit)),
    Return(total),
  ]
  statement = (
    f'Add up every {width} neighbouring integers of a list. Return the number'
    f' of these sums that {test.words}.'
  )
  name = phrases.title(['count', f'windows_{width}', test.tag], 6)
  function = Function(name, (values,), INT, body, statement)
  draw = phrases.draw_values(low // 2, high // 2, 4, 10)
  return Draft(statement, (function,), lambda rng: (draw(rng),))


def pairs(rng: random.Random) -> Draft:
  """How many pairs, or which best pair, of two positions."""
  natural, low, high = phrases.draw_range(rng)
  values = phrases.variable(rng, 'values', INTS)
  index = phrases.variable(rng, 'index', INT)
  inner = phrases.variable(rng, 'inner', INT)
  total = phrases.variable(rng, 'total', INT)
  current = phrases.variable(rng, 'current', INT)
  made, words, tag, known = rng.choice(
    (
      (at(values, index) + at(values, inner), 'sum', 'sum', natural),
      (at(values, index) * at(values, inner), 'product', 'product', natural),
      (
        builtin('magnitude', INT, at(values, index) - at(values, inner)),
        'distance',
        'distance',
        True,
      ),
    )
  )
  test = phrases.condition(rng, current, known)
  if rng.random() < 0.6:
    start = 0
    step: program.Statement = Update(total, '+', lift(1))
    question = 'Return the number of these pairs.'
    verb = 'count_pairs'
  else:
    start = -1
    step = If(current > total, (Assign(total, current),))
    question = f'Return the largest {words} of such a pair, or -1 without one.'
    verb = 'best_pair'
  body = [
    Declare(total, lift(start)),
    Count(
      index,
      lift(0),
      length(values),
      (
        Count(
          inner,
          index + 1,
          length(values),
          (Declare(current, made), If(test.code, (step,))),
        ),
      ),
    ),
    Return(total),
  ]
  statement = (
    'Consider pairs of two different positions of a list of integers for'
    f' which the {words} of the two numbers is one of the numbers that'
    f' {test.words}. {question}'
  )
  name = phrases.title([verb, tag, test.tag], 6)
  function = Function(name, (values,), INT, body, statement)
  draw = phrases.draw_values(low // 2, high // 2, 3, 8)
  return Draft(statement, (function,), lambda rng: (draw(rng),))


def combine(rng: random.Random) -> Draft:
  """Two lists, element by element, as far as both go."""
  natural, low, high = phrases.draw_range(rng)
  values = phrases.variable(rng, 'values', INTS)
  others = phrases.variable(rng, 'others', INTS)
  index = phrases.variable(rng, 'index', INT)
  shared = phrases.variable(rng, 'limit', INT)
  output = phrases.variable(rng, 'output', INTS)
  a = phrases.variable(rng, 'value', INT)
  b = phrases.variable(rng, 'other', INT)
  k = rng.randint(2, 6)
  test = phrases.condition(rng, a, natural)
  code, words, tag = rng.choice(
    (
      (a + b * k, f'the first plus {k} times the second', 'weighted'),
      (a * b, 'the product of both', 'product'),
      (builtin('larger', INT, a, b), 'the larger of both', 'larger'),
      (builtin('magnitude', INT, a - b), 'the distance of both', 'distance'),
      (
        Choice(a < b, b - a, a * k, INT),
        f'the second minus the first if that is positive, else {k} times the'
        ' first',
        'gain',
      ),
    )
  )
  body = [
    Declare(shared, builtin('smaller', INT, length(values), length(others))),
    Declare(output, builtin('new_list', INTS)),
    Count(
      index,
      lift(0),
      shared,
      (
        Declare(a, at(values, index)),
        Declare(b, at(others, index)),
        If(test.code, (Append(output, code),), (Append(output, b),)),
      ),
    ),
    Return(output),
  ]
  statement = (
    'Walk through two lists of integers together until the shorter one ends.'
    f' For first numbers that {test.words}, put {words} into the result;'
    ' otherwise put the second number there. Return the result.'
  )
  name = phrases.title(['combine', tag, test.tag], 5)
  function = Function(name, (values, others), INTS, body, statement)
  draw = phrases.draw_values(low, high, 2, 7)
  return Draft(statement, (function,), lambda rng: (draw(rng), draw(rng)))


FAMILIES = (
  search,
  sort_by_key,
  windows,
  pairs,
  combine,
)
