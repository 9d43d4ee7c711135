"""Families of problems about sequences of steps from one integer."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Count
from codelaw.corpora.synthetic.program import Declare
from codelaw.corpora.synthetic.program import Function
from codelaw.corpora.synthetic.program import If
from codelaw.corpora.synthetic.program import Put
from codelaw.corpora.synthetic.program import Return
from codelaw.corpora.synthetic.program import Update
from codelaw.corpora.synthetic.program import While
from codelaw.corpora.synthetic.program import at
from codelaw.corpora.synthetic.program import builtin
from codelaw.corpora.synthetic.program import lift
from codelaw.corpora.synthetic.program import natural

BOOL, INT, INTS = program.BOOL, program.INT, program.INTS


def digits(rng: random.Random) -> Draft:
  """Something about the digits of a number in some base."""
  limit = phrases.variable(rng, 'limit', INT)
  current = phrases.variable(rng, 'current', INT)
  digit = phrases.variable(rng, 'value', INT)
  total = phrases.variable(rng, 'total', INT)
  base = rng.choice((2, 3, 5, 7, 8, 10, 10, 10, 16))
  test = phrases.condition(rng, digit, True)
  new = phrases.transformation(rng, digit, True)
  kind = rng.choice(('sum', 'largest', 'count', 'number'))
  step: program.Statement = Update(total, '+', new.code)
  question = f'the sum of {new.words}'
  if kind == 'largest':
    step = Assign(total, builtin('larger', INT, total, new.code))
    question = f'the largest (0 if there is none) of {new.words}'
  elif kind == 'count':
    step = Update(total, '+', lift(1))
    question = 'their number'
  elif kind == 'number':
    step = Assign(total, natural((total * base + digit) % 1000003))
    question = (
      f'the number, modulo 1000003, that they form in base {base} when they'
      ' are read from the last digit to the first'
    )
  body = [
    Declare(total, lift(0)),
    Declare(current, limit),
    While(
      current > 0,
      (
        Declare(digit, natural(current % base)),
        If(test.code, (step,)),
        Assign(current, natural(current // base)),
      ),
    ),
    Return(total),
  ]
  statement = (
    f'Write a non-negative integer in base {base} and look at those of its'
    f' digits, as numbers, that {test.words}. Return {question}.'
  )
  name = phrases.title([f'digits_base_{base}', kind, test.tag], 6)
  function = Function(name, (limit,), INT, body, statement)
  return Draft(statement, (function,), lambda r: (r.randrange(1, 10**6),))


def recurrence(rng: random.Random) -> Draft:
  """A term of a linear recurrence, or the sum of terms."""
  limit = phrases.variable(rng, 'limit', INT)
  index = phrases.variable(rng, 'index', INT)
  a = phrases.variable(rng, 'previous', INT)
  b = phrases.variable(rng, 'current', INT)
  new = phrases.variable(rng, 'other', INT)
  total = phrases.variable(rng, 'total', INT)
  p, q, c = rng.randint(1, 3), rng.randint(1, 4), rng.randint(0, 5)
  first, second = rng.randint(0, 3), rng.randint(1, 5)
  modulus = rng.choice((97, 1000, 1009, 10007))
  test = phrases.condition(rng, a, True)
  value = b * p if p > 1 else b
  value = value + (a * q if q > 1 else a)
  value = value + c if c else value
  summed = rng.random() < 0.5
  loop = [
    Declare(new, natural(value % modulus)),
    *([If(test.code, (Update(total, '+', a),))] if summed else []),
    Assign(a, b),
    Assign(b, new),
  ]
  body = [
    Declare(a, lift(first)),
    Declare(b, lift(second)),
    *([Declare(total, lift(0))] if summed else []),
    Count(index, lift(0), limit, loop),
    Return(total if summed else a),
  ]
  asked = (
    f'the sum of those among the first n terms that {test.words}'
    if summed
    else 'term number n, where the first has number 0'
  )
  extra = f' plus {c}' if c else ''
  statement = (
    f'A sequence starts with {first} and {second}. Every further term is'
    f' {p} times the term before it plus {q} times the one before that{extra},'
    f' modulo {modulus}. Return {asked}.'
  )
  tag = ['sequence', 'sum', test.tag] if summed else ['sequence', 'term']
  name = phrases.title([*tag, f'{p}_{q}_{c}'], 7)
  function = Function(name, (limit,), INT, body, statement)
  return Draft(statement, (function,), lambda r: (r.randint(2, 25),))


def iteration(rng: random.Random) -> Draft:
  """How a number develops under a rule with two cases."""
  limit = phrases.variable(rng, 'limit', INT)
  current = phrases.variable(rng, 'current', INT)
  count = phrases.variable(rng, 'count', INT)
  best = phrases.variable(rng, 'best', INT)
  k, a, b = rng.randint(2, 4), rng.randint(2, 4), rng.randint(1, 7)
  bound = rng.choice((200, 500, 1000))
  most = rng.randint(15, 40)
  test = phrases.condition(rng, current, True, 0)
  grow = natural((current * a + b) % bound)
  tracked = rng.random() < 0.5
  track = Assign(best, builtin('larger', INT, best, current))
  body = [
    Declare(current, limit),
    Declare(count, lift(0)),
    *([Declare(best, current)] if tracked else []),
    While(
      (current > 1).also(count < most),
      (
        If(
          test.code,
          (Assign(current, natural(current // k)),),
          (Assign(current, grow),),
        ),
        *([track] if tracked else []),
        Update(count, '+', lift(1)),
      ),
    ),
    Return(best if tracked else count),
  ]
  asked = (
    'the largest number on the way, the first included'
    if tracked
    else 'the number of steps'
  )
  statement = (
    f'Start with a positive integer n. In each step, divide numbers that'
    f' {test.words} by {k}, rounding down; replace all others by {a} times'
    f' the number plus {b}, modulo {bound}. Stop at 1 or below, at the latest'
    f' after {most} steps. Return {asked}.'
  )
  name = phrases.title(
    ['peak' if tracked else 'steps', test.tag, f'{a}_{b}'], 6
  )
  function = Function(name, (limit,), INT, body, statement)
  return Draft(statement, (function,), lambda r: (r.randint(2, 300),))


def ways(rng: random.Random) -> Draft:
  """The number of ways, or the least pieces, to make up a total."""
  limit = phrases.variable(rng, 'limit', INT)
  table = phrases.variable(rng, 'output', INTS)
  value = phrases.variable(rng, 'value', INT)
  index = phrases.variable(rng, 'index', INT)
  sizes = sorted(rng.sample(range(1, 9), rng.randint(2, 4)))
  test = phrases.condition(rng, index, True, 0)
  modulus = rng.choice((1009, 10007, 99991))
  least = rng.random() < 0.5
  reach = []
  for size in sizes:
    earlier = at(table, index - size)
    if least:
      step: program.Statement = Assign(
        value, builtin('smaller', INT, value, earlier + 1)
      )
    else:
      step = Update(value, '+', earlier)
    reach.append(If(index >= size, (step,)))
  unreachable = 1000000
  body: list[program.Statement] = [
    Declare(
      table,
      builtin('filled', INTS, unreachable if least else 0, limit + 1),
    ),
    Put(table, lift(0), lift(0 if least else 1)),
    Count(
      index,
      lift(1),
      limit + 1,
      (
        If(
          program.Not(test.code),
          (
            Declare(value, lift(unreachable if least else 0)),
            *reach,
            Put(table, index, value if least else natural(value % modulus)),
          ),
        ),
      ),
    ),
  ]
  last = at(table, limit)
  if least:
    body += [If(last >= unreachable, (Return(lift(-1)),))]
  body += [Return(last)]
  names = f'{", ".join(map(str, sizes[:-1]))} or {sizes[-1]}'
  question = (
    'the least number of steps that leads from 0 to n, or -1 if none does'
    if least
    else f'the number of ways to get from 0 to n, modulo {modulus}'
  )
  statement = (
    f'A walker on the integers makes steps of {names} and must not stop on'
    f' numbers above 0 that {test.words}. Return {question}.'
  )
  name = phrases.title(
    ['least_steps' if least else 'ways', *map(str, sizes)], 6
  )
  function = Function(name, (limit,), INT, body, statement)
  return Draft(statement, (function,), lambda r: (r.randint(3, 30),))


def grid(rng: random.Random) -> Draft:
  """A sum or count over the cells of a grid."""
  rows = program.Variable(rng.choice(('rows', 'height', 'lines')), INT)
  columns = program.Variable(rng.choice(('columns', 'width', 'length')), INT)
  row = program.Variable(rng.choice(('row', 'r', 'up')), INT)
  column = program.Variable(rng.choice(('column', 'col', 'across')), INT)
  value = phrases.variable(rng, 'value', INT)
  total = phrases.variable(rng, 'total', INT)
  a, b = rng.randint(1, 7), rng.randint(1, 7)
  cell, words = rng.choice(
    (
      (row * a + column * b, f'{a} times its row plus {b} times its column'),
      (row * column + a, f'its row times its column plus {a}'),
      (
        builtin('magnitude', INT, row * a - column),
        f'the distance between {a} times its row and its column',
      ),
      ((row + a) * (column + b), f'(row + {a}) times (column + {b})'),
    )
  )
  test = phrases.condition(rng, value, True)
  new = phrases.transformation(rng, value, True)
  shape, which, tag = rng.choice(
    (
      (lift(0), '', 'all'),
      (row, ' on or right of the diagonal', 'upper'),
      (row + 1, ' right of the diagonal', 'strict'),
    )
  )
  body = [
    Declare(total, lift(0)),
    Count(
      row,
      lift(0),
      rows,
      (
        Count(
          column,
          shape,
          columns,
          (
            Declare(value, cell),
            If(test.code, (Update(total, '+', new.code),)),
          ),
        ),
      ),
    ),
    Return(total),
  ]
  statement = (
    'Rows and columns of a grid are counted from 0. A cell holds the number'
    f' {words}. Look at the cells{which} with numbers that {test.words};'
    f' return the sum of {new.words}, taken over them.'
  )
  name = phrases.title(['grid', tag, new.tag, test.tag], 6)
  function = Function(name, (rows, columns), INT, body, statement)
  return Draft(
    statement, (function,), lambda r: (r.randint(2, 9), r.randint(2, 9))
  )


FAMILIES = (
  digits,
  recurrence,
  iteration,
  ways,
  grid,
)
