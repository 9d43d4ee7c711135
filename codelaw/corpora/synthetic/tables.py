"""Families of problems that fill a table from smaller cases."""

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
from codelaw.corpora.synthetic.program import Put
from codelaw.corpora.synthetic.program import Return
from codelaw.corpora.synthetic.program import Update
from codelaw.corpora.synthetic.program import at
from codelaw.corpora.synthetic.program import builtin
from codelaw.corpora.synthetic.program import length
from codelaw.corpora.synthetic.program import lift
from codelaw.corpora.synthetic.program import natural

BOOL, CHAR, INT, INTS = program.BOOL, program.CHAR, program.INT, program.INTS
TEXT, TEXTS = program.TEXT, program.TEXTS


def _draw_two_texts(rng: random.Random) -> tuple[str, str]:
  alphabet = rng.sample('abcdexyzAB12', rng.randint(2, 4))
  one, two = (
    ''.join(rng.choice(alphabet) for _ in range(rng.randint(3, 8)))
    for _ in range(2)
  )
  return one, two


def edits(rng: random.Random) -> Draft:
  """The cost of turning one text into another."""
  text = phrases.variable(rng, 'text', TEXT)
  other = program.Variable(rng.choice(('target', 'goal', 'wanted')), TEXT)
  index = phrases.variable(rng, 'index', INT)
  inner = phrases.variable(rng, 'inner', INT)
  row = program.Variable(rng.choice(('costs', 'above', 'old_row')), INTS)
  new_row = program.Variable(rng.choice(('new_costs', 'below', 'fresh')), INTS)
  best = phrases.variable(rng, 'best', INT)
  c = phrases.variable(rng, 'letter', CHAR)
  add, drop = rng.randint(1, 4), rng.randint(1, 4)
  swap, special = rng.randint(1, 6), rng.randint(0, 3)
  test = phrases.letter_condition(rng, c)
  below = builtin('last', INT, new_row) + add
  above = at(row, inner) + drop
  changed: program.Expression = at(row, inner - 1)
  swaps = rng.random() < 0.7
  choose = [
    Assign(best, builtin('smaller', INT, best, below)),
    If(
      c.equals(at(other, inner - 1)),
      (Assign(best, builtin('smaller', INT, best, changed)),),
      (Assign(best, builtin('smaller', INT, best, changed + swap)),)
      if swaps
      else (),
    ),
  ]
  fee = (If(test.code, (Update(best, '+', lift(special)),)),) if special else ()
  body = [
    Declare(row, builtin('new_list', INTS)),
    Count(inner, lift(0), length(other) + 1, (Append(row, inner * add),)),
    Count(
      index,
      lift(0),
      length(text),
      (
        Declare(c, at(text, index)),
        Declare(new_row, builtin('new_list', INTS)),
        Append(new_row, at(row, 0) + drop),
        Count(
          inner,
          lift(1),
          length(other) + 1,
          (Declare(best, above), *choose, *fee, Append(new_row, best)),
        ),
        Assign(row, new_row),
      ),
    ),
    Return(builtin('last', INT, row)),
  ]
  rule = (
    f' In the lines of characters that {test.words}, every cell but the first'
    f' costs {special} more.'
    if special
    else ''
  )
  swap_words = (
    f'replacing one costs {swap}' if swaps else 'none can be replaced'
  )
  statement = (
    'Fill a table with the least costs of turning beginnings of one text into'
    f' beginnings of another: adding a character costs {add}, removing one'
    f' {drop}, {swap_words}, keeping one nothing.{rule} Return the cost for the'
    ' whole texts.'
  )
  name = phrases.title(
    ['edit_cost', str(add), str(drop), str(swap) if swaps else 'no_swap'], 6
  )
  function = Function(name, (text, other), INT, body, statement)
  return Draft(statement, (function,), _draw_two_texts)


def shared_letters(rng: random.Random) -> Draft:
  """The longest common subsequence or substring of two texts."""
  text = phrases.variable(rng, 'text', TEXT)
  other = program.Variable(rng.choice(('rival', 'mirror', 'twin')), TEXT)
  index = phrases.variable(rng, 'index', INT)
  inner = phrases.variable(rng, 'inner', INT)
  width = phrases.variable(rng, 'width', INT)
  table = phrases.variable(rng, 'table', INTS)
  c = phrases.variable(rng, 'letter', CHAR)
  best = phrases.variable(rng, 'best', INT)
  value = phrases.variable(rng, 'value', INT)
  worth, least = rng.randint(1, 5), rng.randint(1, 3)
  bonus = worth + rng.randint(1, 4)
  test = phrases.letter_condition(rng, c)
  together = rng.random() < 0.5
  place = index * width + inner
  corner = at(table, place - width - 1)
  same = c.equals(at(other, inner - 1))
  found: list[program.Statement] = [
    Assign(value, corner + worth),
    If(test.code, (Update(value, '+', lift(bonus - worth)),)),
  ]
  left, above = at(table, place - 1), at(table, place - width)
  missed = lift(0) if together else builtin('larger', INT, left, above)
  body = [
    Declare(width, length(other) + 1),
    Declare(table, builtin('filled', INTS, 0, (length(text) + 1) * width)),
    *([Declare(best, lift(0))] if together else []),
    Count(
      index,
      lift(1),
      length(text) + 1,
      (
        Declare(c, at(text, index - 1)),
        Count(
          inner,
          lift(1),
          width,
          (
            Declare(value, missed),
            If(same, found),
            Put(table, place, value),
            *(
              [Assign(best, builtin('larger', INT, best, value))]
              if together
              else []
            ),
          ),
        ),
      ),
    ),
  ]
  answer = best if together else builtin('last', INT, table)
  body += [If(answer < least * worth, (Return(lift(0)),)), Return(answer)]
  what = 'neighbouring characters' if together else 'characters in order'
  statement = (
    f'Two texts share {what} if both have them, gaps'
    f' {"not allowed" if together else "allowed"}. A shared character counts'
    f' {worth}, or {bonus} for those that {test.words}. Return the greatest'
    f' count that the texts can share, or 0 if it is below {least * worth}.'
  )
  name = phrases.title(
    ['shared', 'stretch' if together else 'letters', test.tag, str(worth)], 6
  )
  function = Function(name, (text, other), INT, body, statement)
  return Draft(statement, (function,), _draw_two_texts)


def packing(rng: random.Random) -> Draft:
  """The best filling of a bag, things taken once or as often as wanted."""
  values = phrases.variable(rng, 'values', INTS)
  weights = program.Variable(rng.choice(('sizes', 'loads', 'volumes')), INTS)
  limit = phrases.variable(rng, 'limit', INT)
  table = phrases.variable(rng, 'table', INTS)
  index = phrases.variable(rng, 'index', INT)
  room = program.Variable(rng.choice(('room', 'space', 'capacity')), INT)
  value = phrases.variable(rng, 'value', INT)
  size = program.Variable(rng.choice(('needed', 'weight', 'volume')), INT)
  test = phrases.condition(rng, value, True)
  new = phrases.transformation(rng, value, True, 0)
  again = rng.random() < 0.5
  counted = rng.random() < 0.3
  modulus = rng.choice((97, 1009, 10007))
  better = builtin(
    'larger', INT, at(table, room), at(table, room - size) + new.code
  )
  step: program.Statement = Put(table, room, better)
  if counted:
    both = at(table, room) + at(table, room - size)
    step = Put(table, room, natural(both % modulus))
  loop = (
    Count(room, size, limit + 1, (step,))
    if again
    else Count(room, limit, size - 1, (step,), -1)
  )
  extra = rng.randint(0, 2)
  body: list[program.Statement] = [
    Declare(table, builtin('filled', INTS, 0, limit + 1)),
    *([Put(table, lift(0), lift(1))] if counted else []),
    Count(
      index,
      lift(0),
      length(values),
      (
        Declare(value, at(values, index)),
        Declare(
          size, at(weights, index) + extra if extra else at(weights, index)
        ),
        If(test.code, (loop,)),
      ),
    ),
    Return(at(table, limit)),
  ]
  asked = (
    f'the number of ways, modulo {modulus}, to fill a bag exactly'
    if counted
    else f'the greatest worth of things that fit into a bag; a thing is worth'
    f' {new.words}'
  )
  wrap = f', and {extra} more for wrapping' if extra else ''
  statement = (
    'Things have a number in one list and a size in the other. Return'
    f' {asked}. Only things with numbers that {test.words} may be taken,'
    f' {"each as often as wanted" if again else "each once"}. A thing needs its'
    f' size{wrap}; the last argument is the size of the bag.'
  )
  name = phrases.title(
    [
      'fillings' if counted else 'best_bag',
      'repeated' if again else 'once',
      new.tag if not counted else str(modulus),
      test.tag,
    ],
    6,
  )
  function = Function(name, (values, weights, limit), INT, body, statement)

  def draw(r: random.Random) -> tuple[list[int], list[int], int]:
    count = r.randint(2, 5)
    return (
      [r.randint(1, 30) for _ in range(count)],
      [r.randint(1, 7) for _ in range(count)],
      r.randint(3, 18),
    )

  return Draft(statement, (function,), draw)


def triangle(rng: random.Random) -> Draft:
  """A row of a triangle of numbers, each made from two above it."""
  limit = phrases.variable(rng, 'limit', INT)
  line = program.Variable(rng.choice(('line', 'above', 'old_row')), INTS)
  below = program.Variable(rng.choice(('below', 'new_row', 'fresh')), INTS)
  turn = phrases.variable(rng, 'turn', INT)
  index = phrases.variable(rng, 'index', INT)
  value = phrases.variable(rng, 'value', INT)
  total = phrases.variable(rng, 'total', INT)
  first, left, right = rng.randint(1, 4), rng.randint(1, 3), rng.randint(1, 3)
  plus, modulus = rng.randint(0, 4), rng.choice((10, 97, 100, 1009))
  ends = rng.choice((None, rng.randint(1, 9)))
  test = phrases.condition(rng, value, True)
  summed = (at(line, index - 1) * left if left > 1 else at(line, index - 1)) + (
    at(line, index) * right if right > 1 else at(line, index)
  )
  summed = summed + plus if plus else summed
  edge: program.Expression = lift(ends) if ends else at(line, 0)
  end: program.Expression = lift(ends) if ends else builtin('last', INT, line)
  asked = rng.random() < 0.6
  body: list[program.Statement] = [
    Declare(line, builtin('new_list', INTS)),
    Append(line, lift(first)),
    Count(
      turn,
      lift(0),
      limit,
      (
        Declare(below, builtin('new_list', INTS)),
        Append(below, edge),
        Count(
          index,
          lift(1),
          length(line),
          (Append(below, natural(summed % modulus)),),
        ),
        Append(below, end),
        Assign(line, below),
      ),
    ),
  ]
  if asked:
    body += [
      Declare(total, lift(0)),
      Each(value, line, (If(test.code, (Update(total, '+', value),)),)),
      Return(total),
    ]
  else:
    body += [Return(line)]
  border = (
    f'Further rows start and end with {ends}'
    if ends
    else 'Further rows start and end as the row above'
  )
  extra = f' plus {plus}' if plus else ''
  statement = (
    f'The first row of a triangle is {first}; every other row has one number'
    f' more than the row above. {border}. Between them stand {left} times the'
    f' number above on the left plus {right} times the number above on the'
    f' right{extra}, modulo {modulus}. Return'
    + (
      f' the sum of the numbers that {test.words} in'
      if asked
      else ' the list of numbers of'
    )
    + ' the row that comes n rows after the first.'
  )
  name = phrases.title(
    ['triangle', 'sum' if asked else 'row', f'{left}_{right}_{plus}', test.tag],
    8,
  )
  function = Function(name, (limit,), INT if asked else INTS, body, statement)
  return Draft(statement, (function,), lambda r: (r.randint(1, 8),))


FAMILIES = (
  edits,
  shared_letters,
  packing,
  triangle,
)
