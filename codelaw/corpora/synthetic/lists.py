"""Families of problems about lists of integers."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Append
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Break
from codelaw.corpora.synthetic.program import Choice
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

INT, INTS = program.INT, program.INTS


def _sign(rng: random.Random) -> tuple[bool, int, int]:
  """Whether values are never negative, and their range."""
  return rng.choice(((True, 0, 60), (False, -40, 60), (True, 1, 25)))


def aggregate(rng: random.Random) -> Draft:
  """A reduction of transformed, selected values."""
  natural, low, high = _sign(rng)
  values = phrases.variable(rng, 'values', INTS)
  value = phrases.variable(rng, 'value', INT)
  total = phrases.variable(rng, 'total', INT)
  test = phrases.condition(rng, value, natural)
  new = phrases.transformation(rng, value, natural)
  start, verb, noun = 0, 'sum', 'the sum of'
  kind = rng.choice(('sum', 'largest', 'smallest', 'alternating', 'product'))
  step: tuple[program.Statement, ...] = (Update(total, '+', new.code),)
  before: tuple[program.Statement, ...] = ()
  if kind in ('largest', 'smallest'):
    start = -(10**6) if kind == 'largest' else 10**6
    name = 'larger' if kind == 'largest' else 'smaller'
    step = (Assign(total, builtin(name, INT, total, new.code)),)
    verb, noun = kind, f'the {kind} ({start} if there is none) of'
  elif kind == 'alternating':
    sign = phrases.variable(rng, 'current', INT)
    before = (Declare(sign, lift(1)),)
    step = (Update(total, '+', sign * new.code), Assign(sign, lift(0) - sign))
    verb, noun = 'alternating', 'the sum, with alternating signs, of'
  elif kind == 'product':
    modulus = rng.choice((97, 101, 1009, 9973))
    start = 1
    product = total * new.code % modulus
    step = (Assign(total, program.natural(product) if natural else product),)
    verb, noun = 'product', f'the product, modulo {modulus}, of'
  body = [
    Declare(total, lift(start)),
    *before,
    Each(value, values, (If(test.code, step),)),
    Return(total),
  ]
  statement = (
    f'Given a list of integers, look at the numbers that {test.words}. Return'
    f' {noun} {new.words}, taken over those numbers.'
  )
  name = phrases.title([verb, new.tag, test.tag], 5)
  function = Function(name, (values,), INT, body, statement)
  draw = phrases.draw_values(low, high)
  return Draft(statement, (function,), lambda rng: (draw(rng),))


def collect(rng: random.Random) -> Draft:
  """A list of transformed, selected values, perhaps cut or without repeats."""
  natural, low, high = _sign(rng)
  values = phrases.variable(rng, 'values', INTS)
  value = phrases.variable(rng, 'value', INT)
  output = phrases.variable(rng, 'output', INTS)
  other = phrases.variable(rng, 'other', INT)
  test = phrases.condition(rng, value, natural)
  new = phrases.transformation(rng, value, natural)
  k = rng.randint(2, 5)
  add: tuple[program.Statement, ...] = (
    Declare(other, new.code),
    Append(output, other),
  )
  extra = ''
  kind = rng.choice(('all', 'distinct', 'few', 'rising'))
  after: tuple[program.Statement, ...] = ()
  if kind == 'distinct':
    known = builtin('contains', program.BOOL, output, other)
    add = (
      Declare(other, new.code),
      If(program.Not(known), (Append(output, other),)),
    )
    extra = ' Leave out results that were already added.'
  elif kind == 'few':
    after = (If(length(output).equals(k), (Break(),)),)
    extra = f' Stop after {k} results.'
  elif kind == 'rising':
    fits = length(output).equals(0)
    fits = fits.either(builtin('last', INT, output) < other)
    add = (Declare(other, new.code), If(fits, (Append(output, other),)))
    extra = ' Add a result only if it exceeds the one added last.'
  body = [
    Declare(output, builtin('new_list', INTS)),
    Each(value, values, (If(test.code, add), *after)),
    Return(output),
  ]
  statement = (
    f'From a list of integers take the numbers that {test.words}, in order,'
    f' and return a list with {new.words} for each.{extra}'
  )
  verb = rng.choice(('collect', 'select', 'pick', 'gather'))
  name = phrases.title([verb, kind, new.tag, test.tag], 5)
  function = Function(name, (values,), INTS, body, statement)
  draw = phrases.draw_values(low, high, 3, 10)
  return Draft(statement, (function,), lambda rng: (draw(rng),))


def longest_run(rng: random.Random) -> Draft:
  """The longest, or the number of, runs of neighbours."""
  natural, low, high = _sign(rng)
  values = phrases.variable(rng, 'values', INTS)
  value = phrases.variable(rng, 'value', INT)
  best = phrases.variable(rng, 'best', INT)
  current = phrases.variable(rng, 'current', INT)
  test = phrases.condition(rng, value, natural)
  least = rng.randint(2, 3)
  if rng.random() < 0.5:
    update: program.Statement = Assign(
      best, builtin('larger', INT, best, current)
    )
    noun, verb = 'the length of the longest run', 'longest_run'
  else:
    update = If(current.equals(least), (Update(best, '+', lift(1)),))
    noun = f'how many runs have a length of at least {least}'
    verb = 'count_runs'
  body = [
    Declare(best, lift(0)),
    Declare(current, lift(0)),
    Each(
      value,
      values,
      (
        If(
          test.code,
          (Update(current, '+', lift(1)), update),
          (Assign(current, lift(0)),),
        ),
      ),
    ),
    Return(best),
  ]
  statement = (
    'A run is a stretch of neighbouring numbers in a list that cannot be made'
    f' longer. Return {noun}, for runs of numbers that {test.words}.'
  )
  function = Function(
    phrases.title([verb, test.tag]), (values,), INT, body, statement
  )
  draw = phrases.draw_values(low, high, 4, 12)
  return Draft(statement, (function,), lambda rng: (draw(rng),))


def search(rng: random.Random) -> Draft:
  """The first or last place where a condition on neighbours holds."""
  natural, low, high = _sign(rng)
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
  loop_body = (
    Declare(a, first),
    Declare(b, second),
    If(relation.also(test.code), (Return(index),)),
  )
  loop = (
    Count(index, lift(0), stop, loop_body)
    if forward
    else Count(index, stop - 1, lift(-1), loop_body, -1)
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


def tally(rng: random.Random) -> Draft:
  """Counts of values by a key, and a question about the counts."""
  natural, low, high = _sign(rng)
  values = phrases.variable(rng, 'values', INTS)
  value = phrases.variable(rng, 'value', INT)
  counts = phrases.variable(rng, 'counts', program.INT_COUNTS)
  key = phrases.variable(rng, 'key', INT)
  count = phrases.variable(rng, 'count', INT)
  total = phrases.variable(rng, 'total', INT)
  by = phrases.transformation(rng, value, natural)
  least = rng.randint(2, 3)
  body: list[program.Statement] = [
    Declare(counts, builtin('new_counts', program.INT_COUNTS)),
    Each(
      value,
      values,
      (
        Declare(key, by.code),
        Put(counts, key, builtin('get', INT, counts, key, 0) + 1),
      ),
    ),
  ]
  kind = rng.choice(('common', 'repeated', 'pairs'))
  if kind == 'common':
    best = phrases.variable(rng, 'best', INT)
    body += [
      Declare(total, lift(0)),
      Declare(best, lift(0)),
      program.EachEntry(
        key,
        count,
        counts,
        (If(count > best, (Assign(best, count), Assign(total, key))),),
      ),
      Return(total),
    ]
    question = 'the most common key; of equally common ones the first seen'
  else:
    if kind == 'repeated':
      step = If(count >= least, (Update(total, '+', lift(1)),))
      question = f'how many keys occur at least {least} times'
    else:
      pairs = program.natural(count * (count - 1) // 2)
      step = Update(total, '+', pairs)
      question = 'how many pairs of positions have the same key'
    body += [
      Declare(total, lift(0)),
      program.EachEntry(key, count, counts, (step,)),
      Return(total),
    ]
  statement = (
    f'Give every integer of a list a key: {by.words}. Return {question}.'
  )
  name = phrases.title([kind, 'key', by.tag], 5)
  function = Function(name, (values,), INT, body, statement)
  draw = phrases.draw_values(low, high // 2, 4, 10)
  return Draft(statement, (function,), lambda rng: (draw(rng),))


def sort_by_key(rng: random.Random) -> Draft:
  """A hand-written stable sort by a key."""
  natural, low, high = _sign(rng)
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
  natural, low, high = _sign(rng)
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
    bounds = (lift(0), length(values) - (width - 1))
  else:
    left = builtin('at', INT, values, index - width)
    start = [Declare(current, lift(0))]
    fill = [
      Update(current, '+', at(values, index)),
      If(index >= width, (Update(current, '-', left),)),
    ]
    bounds = (lift(0), length(values))
  hit: program.Statement = If(test.code, (Update(total, '+', lift(1)),))
  if start:
    hit = If(
      (index >= width - 1).also(test.code), (Update(total, '+', lift(1)),)
    )
  body = [
    Declare(total, lift(0)),
    *start,
    Count(index, *bounds, (*fill, hit)),
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
  natural, low, high = _sign(rng)
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
    start, step = 0, Update(total, '+', lift(1))
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
  natural, low, high = _sign(rng)
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


def account(rng: random.Random) -> Draft:
  """A balance that values change under rules."""
  values = phrases.variable(rng, 'values', INTS)
  value = phrases.variable(rng, 'value', INT)
  current = phrases.variable(rng, 'current', INT)
  count = phrases.variable(rng, 'count', INT)
  best = phrases.variable(rng, 'best', INT)
  start, ceiling, fee = (
    rng.randint(0, 30),
    rng.randint(50, 120),
    rng.randint(1, 4),
  )
  new = phrases.transformation(rng, value, False, 0)
  asked, words, tag = rng.choice(
    (
      (count, 'how many changes were refused', 'refused'),
      (best, 'the highest balance that was reached', 'peak'),
      (current, 'the final balance', 'final'),
      (
        current - count * fee,
        f'the final balance less {fee} per refusal',
        'net',
      ),
    )
  )
  change = phrases.variable(rng, 'other', INT)
  new_balance = current + change
  peak = builtin('larger', INT, best, current)
  accept = [Update(current, '+', change)]
  refuse = []
  before = [Declare(current, lift(start))]
  if tag == 'peak':
    before += [Declare(best, current)]
    accept += [Assign(best, peak)]
  if tag in ('refused', 'net'):
    before += [Declare(count, lift(0))]
    refuse += [Update(count, '+', lift(1))]
  allowed = (new_balance >= 0).also(new_balance <= ceiling)
  step = (Declare(change, new.code), If(allowed, accept, refuse))
  body = [*before, Each(value, values, step), Return(asked)]
  statement = (
    f'A balance starts at {start}. Every integer of a list asks for a change'
    f' by {new.words}. A change that would leave the range from 0 to {ceiling}'
    f' is refused. Return {words}.'
  )
  name = phrases.title([tag, 'balance', new.tag], 4)
  function = Function(name, (values,), INT, body, statement)
  draw = phrases.draw_values(-40, 40, 3, 9)
  return Draft(statement, (function,), lambda rng: (draw(rng),))


FAMILIES = (
  aggregate,
  collect,
  longest_run,
  search,
  tally,
  sort_by_key,
  windows,
  pairs,
  combine,
  account,
)
