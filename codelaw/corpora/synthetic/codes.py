"""Families of problems about codes: runs, checks, keys and digits."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Continue
from codelaw.corpora.synthetic.program import Count
from codelaw.corpora.synthetic.program import Declare
from codelaw.corpora.synthetic.program import Each
from codelaw.corpora.synthetic.program import Function
from codelaw.corpora.synthetic.program import If
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


def expand_runs(rng: random.Random) -> Draft:
  """A run-length code read back."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  count = phrases.variable(rng, 'count', INT)
  index = phrases.variable(rng, 'index', INT)
  output = phrases.variable(rng, 'output', TEXT)
  total = phrases.variable(rng, 'total', INT)
  test = phrases.letter_condition(rng, c, 0)
  default, extra = rng.randint(1, 3), rng.randint(0, 2)
  most = rng.randint(6, 20)
  written = rng.random() < 0.6
  times: program.Expression = count + extra if extra else count
  step: list[program.Statement] = [
    If(count.equals(0), (Assign(count, lift(default)),))
  ]
  if written:
    capped = builtin('smaller', INT, times, most)
    step += [
      Count(index, lift(0), capped, (Assign(output, output + c),)),
    ]
    if rng.random() < 0.5:
      step[-1] = If(program.Not(test.code), (step[-1],))
      words = f'Leave out characters that {test.words}.'
    else:
      step[-1] = If(test.code, (Assign(output, output + c),), (step[-1],))
      words = f'Write characters that {test.words} only once in any case.'
    start: program.Statement = Declare(output, lift(''))
  else:
    step += [If(test.code, (Update(total, '+', times),))]
    words = f'Count only characters that {test.words}.'
    start = Declare(total, lift(0))
  body = [
    start,
    Declare(count, lift(0)),
    Each(
      c,
      text,
      (
        If(
          builtin('is_digit', BOOL, c),
          (
            Assign(count, count * 10 + builtin('code', INT, c) - 48),
            Continue(),
          ),
        ),
        *step,
        Assign(count, lift(0)),
      ),
    ),
    Return(output if written else total),
  ]
  more = f', plus {extra}' if extra else ''
  asked = (
    f'Return the text that it stands for, no character more than {most} times'
    ' in a row from one number'
    if written
    else 'Return how many characters it stands for'
  )
  statement = (
    'In a code every character that is no digit is repeated as often as the'
    f' number before it says{more}; a number that is missing or 0 counts as'
    f' {default}. {asked}. {words}'
  )
  name = phrases.title(
    [
      'expand' if written else 'expanded_size',
      test.tag,
      str(default),
      str(extra),
    ],
    6,
  )
  function = Function(name, (text,), TEXT if written else INT, body, statement)

  def draw(r: random.Random) -> tuple[str]:
    letters = r.sample('abcdexyzAEBC', 3)
    return (
      ''.join(
        r.choice(('', '1', '2', '3', '4', '12')) + r.choice(letters)
        for _ in range(r.randint(2, 6))
      ),
    )

  return Draft(statement, (function,), draw)


def check_digit(rng: random.Random) -> Draft:
  """A weighted sum of digits, as on cards and books."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  index = phrases.variable(rng, 'index', INT)
  digit = phrases.variable(rng, 'value', INT)
  total = phrases.variable(rng, 'total', INT)
  count = phrases.variable(rng, 'count', INT)
  weights = rng.sample(range(1, 10), rng.randint(2, 3))
  modulus = rng.choice((7, 9, 10, 11, 97))
  period = len(weights)
  fold = rng.random() < 0.6
  backwards = rng.random() < 0.5
  chain: tuple[program.Statement, ...] = ()
  for place in reversed(range(period)):
    step = Update(digit, '*', lift(weights[place]))
    is_here = natural(count % period).equals(place)
    if place == period - 1 and 1 not in weights:
      chain = (step,)
    elif weights[place] != 1:
      chain = (If(is_here, (step,), chain),)
  if fold:
    chain = (*chain, If(digit > 9, (Update(digit, '-', lift(9)),)))
  read: list[program.Statement] = [
    If(
      builtin('is_digit', BOOL, c),
      (
        Declare(digit, builtin('code', INT, c) - 48),
        *chain,
        Update(total, '+', digit),
        Update(count, '+', lift(1)),
      ),
    )
  ]
  places = Declare(c, at(text, index))
  loop: program.Statement = Each(c, text, read)
  if backwards:
    loop = Count(index, length(text) - 1, lift(-1), (places, *read), -1)
  rest = natural(total % modulus)
  asked, answer, returns = rng.choice(
    (
      (f'whether the sum is divisible by {modulus}', rest.equals(0), BOOL),
      (f'the sum modulo {modulus}', rest, INT),
      (
        f'the least number that makes the sum divisible by {modulus} when'
        ' added to it',
        natural((lift(modulus) - rest) % modulus),
        INT,
      ),
    )
  )
  body = [
    Declare(total, lift(0)),
    Declare(count, lift(0)),
    loop,
    Return(answer),
  ]
  listed = ', '.join(map(str, weights))
  folded = ' and lowered by 9 if it is above 9' if fold else ''
  statement = (
    f'Read the digits of a text from the {"right" if backwards else "left"}'
    f' and leave out all else. Each digit is multiplied by the weights'
    f' {listed}, in turn{folded}; add the results up. Return {asked}.'
  )
  name = phrases.title(
    ['check_digits', *map(str, weights), 'modulo', str(modulus)], 8
  )
  function = Function(name, (text,), returns, body, statement)

  def draw(r: random.Random) -> tuple[str]:
    return (
      ''.join(
        r.choice('0123456789012345678- ') for _ in range(r.randint(3, 12))
      ),
    )

  return Draft(statement, (function,), draw)


def substitution(rng: random.Random) -> Draft:
  """Letters replaced by those of a key, which may turn as it is used."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  output = phrases.variable(rng, 'output', TEXT)
  place = phrases.variable(rng, 'value', INT)
  shift = phrases.variable(rng, 'inner', INT)
  size = rng.randint(5, 12)
  first = rng.randint(0, 26 - size)
  plain = 'abcdefghijklmnopqrstuvwxyz'[first : first + size]
  key = (
    ''.join(rng.sample(plain, size))
    if rng.random() < 0.6
    else ''.join(rng.sample('0123456789*+-=?', size))
  )
  turns, k = rng.random() < 0.6, rng.randint(1, size - 1)
  test = phrases.letter_condition(rng, c)
  known = builtin('contains', BOOL, plain, c)
  base = builtin('code', INT, c) - ord(plain[0])
  used: program.Expression = natural((place + shift) % size) if turns else place
  step: list[program.Statement] = [
    Declare(place, base),
    Assign(output, output + at(lift(key), used)),
  ]
  if turns:
    step += [Update(shift, '+', lift(k))]
  others = rng.random() < 0.5
  rest: tuple[program.Statement, ...] = (Assign(output, output + c),)
  body = [
    Declare(output, lift('')),
    *([Declare(shift, lift(0))] if turns else []),
    Each(
      c,
      text,
      (If(known, step, (If(test.code, rest),) if others else rest),),
    ),
    Return(output),
  ]
  turning = (
    f' After each of them the key turns: its first {k} move to the end.'
    if turns
    else ''
  )
  if turns and k == 1:
    turning = ' After each of them the key turns: its first moves to the end.'
  left = (
    f'Of the other characters keep those that {test.words}.'
    if others
    else 'Other characters stay.'
  )
  statement = (
    f'Replace the letters from "{plain[0]}" to "{plain[-1]}" in a text by the'
    f' characters of the key "{key}", the first by the first and so on.'
    f'{turning} {left} Return the new text.'
  )
  name = phrases.title(
    [
      'substitute',
      plain[0],
      'to',
      plain[-1],
      f'turn_{k}' if turns else 'fixed',
    ],
    8,
  )
  function = Function(name, (text,), TEXT, body, statement)
  return Draft(statement, (function,), lambda r: (phrases.draw_text(r),))


def bits(rng: random.Random) -> Draft:
  """Two numbers combined digit by digit, or the runs of bits of one."""
  a = program.Variable(rng.choice(('first', 'one', 'mask')), INT)
  b = program.Variable(rng.choice(('second', 'two', 'pattern')), INT)
  x, y = program.Variable('x', INT), program.Variable('y', INT)
  total = phrases.variable(rng, 'total', INT)
  weight = program.Variable(rng.choice(('weight', 'power', 'factor')), INT)
  base = rng.choice((2, 2, 2, 3, 4, 10))
  p, q = natural(x % base), natural(y % base)
  options = [
    (natural((p + q) % base), 'their sum without a carry', 'sum'),
    (
      p * q if base == 2 else builtin('smaller', INT, p, q),
      'both' if base == 2 else 'the smaller one',
      'common',
    ),
    (builtin('larger', INT, p, q), 'the larger one', 'larger'),
    (builtin('magnitude', INT, p - q), 'their distance', 'distance'),
    (lift(base - 1) - p, f'{base - 1} minus the first', 'complement'),
  ]
  made, words, tag = rng.choice(options)
  if words == 'both':
    words = 'their product'
  shift = rng.randint(0, 3)
  test = phrases.condition(rng, weight, True, 0)
  counted = rng.random() < 0.4
  gain = made if counted else made * weight
  step: program.Statement = Update(total, '+', gain)
  skip = rng.random() < 0.4
  if skip:
    step = If(program.Not(test.code), (step,))
  body = [
    Declare(x, a),
    Declare(y, natural(b // base**shift) if shift else b),
    Declare(total, lift(0)),
    Declare(weight, lift(1)),
    While(
      (x > 0).either(y > 0),
      (
        step,
        Assign(x, natural(x // base)),
        Assign(y, natural(y // base)),
        Update(weight, '*', lift(base)),
      ),
    ),
    Return(total),
  ]
  if counted and not skip:
    body = [i for i in body if getattr(i, 'variable', None) is not weight]
    loop = body[-2]
    assert isinstance(loop, While)
    body[-2] = While(loop.condition, loop.body[:-1])
  drop = (
    f', after dropping the lowest {shift} of the second number,'
    if shift
    else ''
  )
  left = (
    f' Leave out places with a worth (1 for the lowest, {base} for the next,'
    f' and so on) that is one of those that {test.words}.'
    if skip
    else ''
  )
  asked = (
    'the sum of the new digits' if counted else 'the number of the new digits'
  )
  statement = (
    f'Write two non-negative integers in base {base}. Go through their digits'
    f' from the lowest{drop} as long as one of them has any left, and make a'
    f' new digit of each two: {words}.{left} Return {asked}.'
  )
  name = phrases.title(
    [
      'digitwise',
      tag,
      f'base_{base}',
      f'shift_{shift}',
      test.tag if skip else 'all',
    ],
    8,
  )
  function = Function(name, (a, b), INT, body, statement)
  return Draft(
    statement, (function,), lambda r: (r.randint(1, 500), r.randint(1, 500))
  )


FAMILIES = (
  expand_runs,
  check_digit,
  substitution,
  bits,
)
