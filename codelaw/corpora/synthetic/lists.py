"""Families of problems that read a list of integers once."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Append
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Break
from codelaw.corpora.synthetic.program import Declare
from codelaw.corpora.synthetic.program import Each
from codelaw.corpora.synthetic.program import Function
from codelaw.corpora.synthetic.program import If
from codelaw.corpora.synthetic.program import Put
from codelaw.corpora.synthetic.program import Return
from codelaw.corpora.synthetic.program import Update
from codelaw.corpora.synthetic.program import builtin
from codelaw.corpora.synthetic.program import length
from codelaw.corpora.synthetic.program import lift

INT, INTS = program.INT, program.INTS


def aggregate(rng: random.Random) -> Draft:
  """A reduction of transformed, selected values."""
  natural, low, high = phrases.draw_range(rng)
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
  natural, low, high = phrases.draw_range(rng)
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
  natural, low, high = phrases.draw_range(rng)
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


def tally(rng: random.Random) -> Draft:
  """Counts of values by a key, and a question about the counts."""
  natural, low, high = phrases.draw_range(rng)
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
      step: program.Statement = If(
        count >= least, (Update(total, '+', lift(1)),)
      )
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
  accept: list[program.Statement] = [Update(current, '+', change)]
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
  tally,
  account,
)
