"""Families of problems about divisors, primes and powers."""

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


def divisors(rng: random.Random) -> Draft:
  """Something about the divisors or common divisors of numbers."""
  limit = phrases.variable(rng, 'limit', INT)
  value = phrases.variable(rng, 'value', INT)
  total = phrases.variable(rng, 'total', INT)
  test = phrases.condition(rng, value, True)
  new = phrases.transformation(rng, value, True)
  divides = natural(limit % value).equals(0)
  proper = rng.random() < 0.5
  stop = limit if proper else limit + 1
  body = [
    Declare(total, lift(0)),
    Count(
      value,
      lift(1),
      stop,
      (If(divides.also(test.code), (Update(total, '+', new.code),)),),
    ),
    Return(total),
  ]
  statement = (
    f'Find the{" proper" if proper else ""} divisors of a positive integer'
    f' that {test.words}. Return the sum of {new.words}, taken over them.'
  )
  name = phrases.title(['divisors', new.tag, test.tag], 5)
  function = Function(name, (limit,), INT, body, statement)
  return Draft(statement, (function,), lambda r: (r.randint(6, 200),))


def common_divisor(rng: random.Random) -> Draft:
  """A reduction of a list by greatest common divisors."""
  values = phrases.variable(rng, 'values', INTS)
  value = phrases.variable(rng, 'value', INT)
  total = phrases.variable(rng, 'total', INT)
  a, b = program.Variable('a', INT), program.Variable('b', INT)
  rest = program.Variable('rest', INT)
  test = phrases.condition(rng, value, True)
  helper_name = rng.choice(('gcd', 'common_divisor', 'greatest_divisor'))
  helper_body: list[program.Statement] = [
    If(b.equals(0), (Return(a),)),
    Return(Call(helper_name, (b, natural(a % b)), INT)),
  ]
  if rng.random() < 0.5:
    x, y = program.Variable('first', INT), program.Variable('second', INT)
    helper_body = [
      Declare(x, a),
      Declare(y, b),
      While(
        y.differs(0),
        (
          Declare(rest, natural(x % y)),
          Assign(x, y),
          Assign(y, rest),
        ),
      ),
      Return(x),
    ]
  summary = 'Returns the greatest common divisor of two non-negative integers.'
  helper = Function(helper_name, (a, b), INT, helper_body, summary)
  k = rng.randint(2, 60)
  kind = rng.choice(('all', 'coprime', 'sum'))
  divisor = Call(helper.name, (value, lift(k)), INT)
  step: program.Statement = Assign(
    total, Call(helper.name, (total, value), INT)
  )
  question = 'their greatest common divisor, or 0 if there are none'
  if kind == 'coprime':
    step = If(divisor.equals(1), (Update(total, '+', lift(1)),))
    question = f'how many of them have no divisor but 1 in common with {k}'
  elif kind == 'sum':
    step = Update(total, '+', divisor)
    question = (
      f'the sum of the greatest common divisors that they have with {k}'
    )
  body = [
    Declare(total, lift(0)),
    Each(value, values, (If(test.code, (step,)),)),
    Return(total),
  ]
  statement = (
    f'Take the integers of a list that {test.words}. Return {question}.'
  )
  name = phrases.title([kind, 'common_divisors', test.tag], 6)
  function = Function(name, (values,), INT, body, statement)
  draw = phrases.draw_values(1, 90, 3, 8)
  return Draft(statement, (helper, function), lambda r: (draw(r),))


def primes(rng: random.Random) -> Draft:
  """Primes up to a limit that meet a condition, by a sieve or by trial."""
  limit = phrases.variable(rng, 'limit', INT)
  value = phrases.variable(rng, 'value', INT)
  output = phrases.variable(rng, 'output', INTS)
  index = phrases.variable(rng, 'index', INT)
  sieve = program.Variable(rng.choice(('sieve', 'crossed', 'composite')), INTS)
  test = phrases.condition(rng, value, True)
  new = phrases.transformation(rng, value, True)
  functions: tuple[program.Function, ...] = ()
  add = If(test.code, (Append(output, new.code),))
  start: list[program.Statement] = [Declare(output, builtin('new_list', INTS))]
  if rng.random() < 0.5:
    start += [Declare(sieve, builtin('filled', INTS, 0, limit + 1))]
    found: list[program.Statement] = [
      If(
        at(sieve, value).equals(0),
        (
          add,
          Remark('Cross out the multiples.'),
          Declare(index, value * value),
          While(
            index <= limit,
            (Put(sieve, index, lift(1)), Update(index, '+', value)),
          ),
        ),
      )
    ]
  else:
    helper = Function(
      rng.choice(('is_prime', 'check_prime', 'prime')),
      (value,),
      BOOL,
      [
        Declare(index, lift(2)),
        While(
          index * index <= value,
          (
            If(natural(value % index).equals(0), (Return(lift(False)),)),
            Update(index, '+', lift(1)),
          ),
        ),
        Return(value > 1),
      ],
      'Returns whether a number is prime.',
    )
    functions = (helper,)
    found = [If(Call(helper.name, (value,), BOOL), (add,))]
  body = [*start, Count(value, lift(2), limit + 1, found), Return(output)]
  statement = (
    f'Find the primes up to a limit, the limit included, that {test.words}.'
    f' Return a list with {new.words} for each, in rising order of the primes.'
  )
  name = phrases.title(['primes', new.tag, test.tag], 5)
  function = Function(name, (limit,), INTS, body, statement)
  return Draft(statement, (*functions, function), lambda r: (r.randint(5, 60),))


def fast_power(rng: random.Random) -> Draft:
  """Repeated application of an operation, by doubling."""
  limit = phrases.variable(rng, 'limit', INT)
  base = program.Variable(rng.choice(('basis', 'start', 'seed')), INT)
  half = program.Variable(rng.choice(('half', 'doubled', 'root')), INT)
  total = phrases.variable(rng, 'total', INT)
  value = phrases.variable(rng, 'value', INT)
  values = phrases.variable(rng, 'values', INTS)
  name = rng.choice(('power', 'raised', 'power_of'))
  modulus = rng.choice((97, 101, 997, 1009, 9973))
  odd = natural(limit % 2).equals(1)
  recursive = rng.random() < 0.6
  if recursive:
    steps: list[program.Statement] = [
      If(limit.equals(0), (Return(lift(1)),)),
      Declare(half, Call(name, (base, natural(limit // 2)), INT)),
      Assign(half, natural(half * half % modulus)),
      If(odd, (Assign(half, natural(half * base % modulus)),)),
      Return(half),
    ]
  else:
    left = program.Variable(rng.choice(('left_over', 'exponent', 'todo')), INT)
    odd = natural(left % 2).equals(1)
    steps = [
      Declare(half, lift(1)),
      Declare(value, natural(base % modulus)),
      Declare(left, limit),
      While(
        left > 0,
        (
          If(odd, (Assign(half, natural(half * value % modulus)),)),
          Assign(value, natural(value * value % modulus)),
          Assign(left, natural(left // 2)),
        ),
      ),
      Return(half),
    ]
  helper = Function(
    name,
    (base, limit),
    INT,
    steps,
    f'Returns a power, modulo {modulus}.',
  )
  test = phrases.condition(rng, value, True)
  index = phrases.variable(rng, 'index', INT)
  k = rng.randint(2, 40)
  kind = rng.choice(('sum', 'polynomial', 'bases'))
  power, words = {
    'sum': (Call(name, (value, lift(k)), INT), f'its power of {k}'),
    'polynomial': (
      Call(name, (lift(k), value), INT),
      f'the power of {k} with it as the exponent',
    ),
    'bases': (
      Call(name, (value, index), INT),
      'its power with its index as the exponent',
    ),
  }[kind]
  body = [
    Declare(total, lift(0)),
    Count(
      index,
      lift(0),
      length(values),
      (
        Declare(value, at(values, index)),
        If(
          test.code,
          (Assign(total, natural((total + power) % modulus)),),
        ),
      ),
    ),
    Return(total),
  ]
  if kind != 'bases':
    each = If(test.code, (Assign(total, natural((total + power) % modulus)),))
    body[1] = Each(value, values, (each,))
  statement = (
    f'Take the non-negative integers of a list that {test.words}, and for each'
    f' of them {words}. Return the sum modulo {modulus}; use few'
    ' multiplications for a power.'
  )
  title = phrases.title(['powers', kind, str(k), test.tag], 7)
  function = Function(title, (values,), INT, body, statement)
  draw = phrases.draw_values(0, 30, 2, 7)
  return Draft(statement, (helper, function), lambda r: (draw(r),))


FAMILIES = (
  divisors,
  common_divisor,
  primes,
  fast_power,
)
