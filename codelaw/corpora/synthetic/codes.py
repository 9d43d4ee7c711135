"""Families of problems about codes: numerals, checks, keys and runs."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Call
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
from codelaw.corpora.synthetic.program import char
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
  default, extra = rng.randint(0, 2), rng.randint(0, 2)
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
  chain: tuple[program.Statement, ...] = (
    Update(digit, '*', lift(weights[-1])),
  )
  for place in reversed(range(period - 1)):
    is_here = natural(count % period).equals(place)
    chain = (If(is_here, (Update(digit, '*', lift(weights[place])),), chain),)
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


def numerals(rng: random.Random) -> Draft:
  """A number written in some base, with digits and marks of our own."""
  limit = phrases.variable(rng, 'limit', INT)
  current = phrases.variable(rng, 'current', INT)
  digit = phrases.variable(rng, 'value', INT)
  count = phrases.variable(rng, 'count', INT)
  output = phrases.variable(rng, 'output', TEXT)
  base = rng.choice((2, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 16, 16, 20))
  signs = '0123456789ABCDEFGHIJ'[:base]
  signs = rng.choice(
    (
      signs,
      signs.lower(),
      ''.join(rng.sample('abcdefghijklmnopqrstuvwxyz', base)),
    )
  )
  group, mark = rng.randint(2, 4), rng.choice("_.,' ")
  grouped, padded = rng.random() < 0.6, rng.random() < 0.5
  width = rng.randint(4, 9)
  left = rng.random() < 0.7
  sign = at(lift(signs), digit)
  add = lift('') + sign + output if left else output + sign
  filler = lift('') + char(signs[0]) + output
  if not left:
    filler = output + char(signs[0])
  put_mark = lift(mark) + output if left else output + mark
  due = (count > 0).also(natural(count % group).equals(0))
  body: list[program.Statement] = [
    Declare(output, lift('')),
    Declare(current, limit),
    *([Declare(count, lift(0))] if grouped else []),
    While(
      current > 0,
      (
        *([If(due, (Assign(output, put_mark),))] if grouped else []),
        Declare(digit, natural(current % base)),
        Assign(output, add),
        *([Update(count, '+', lift(1))] if grouped else []),
        Assign(current, natural(current // base)),
      ),
    ),
    *(
      [While(length(output) < width, (Assign(output, filler),))]
      if padded
      else [If(length(output).equals(0), (Return(lift(signs[0])),))]
    ),
    Return(output),
  ]
  order = '' if left else ', the lowest digit first'
  rules = (
    f' Put "{mark}" between groups of {group} digits, counted from the lowest.'
    if grouped
    else ''
  )
  rules += (
    f' Add "{signs[0]}" {"in front" if left else "at the end"} until the text'
    f' has at least {width} characters.'
    if padded
    else f' Zero is "{signs[0]}".'
  )
  statement = (
    f'Write a non-negative integer in base {base}{order}. The digits from 0 to'
    f' {base - 1} are the characters of "{signs}".{rules} Return the text.'
  )
  name = phrases.title(
    [
      'in_base',
      str(base),
      f'groups_{group}' if grouped else 'plain',
      f'width_{width}' if padded else 'free',
    ],
    8,
  )
  function = Function(name, (limit,), TEXT, body, statement)
  return Draft(
    statement,
    (function,),
    lambda r: (r.choice((0, r.randrange(10**4), r.randrange(10**6))),),
  )


def letter_numbers(rng: random.Random) -> Draft:
  """Numbers as sums of letters, written or read, in the Roman way."""
  letters = rng.choice(
    ('IVXLCDM', ''.join(rng.sample('ABDFGHJKNPQRSTUWYZ', 7)))
  )
  ratio = rng.choice(
    (
      (1, 5, 10, 50, 100, 500),
      (1, 3, 9, 27, 81, 243),
      (1, 4, 12, 60, 120, 600),
      (1, 5, 10, 50, 100, 500),
    )
  )
  size = rng.randint(4, 6)
  worth = dict(zip(letters, ratio[:size], strict=False))
  c = phrases.variable(rng, 'letter', CHAR)
  text = phrases.variable(rng, 'text', TEXT)
  index = phrases.variable(rng, 'index', INT)
  total = phrases.variable(rng, 'total', INT)
  value = phrases.variable(rng, 'value', INT)
  other = phrases.variable(rng, 'other', INT)
  listed = ', '.join(f'{letter} for {n}' for letter, n in worth.items())
  if rng.random() < 0.5:
    limit = phrases.variable(rng, 'limit', INT)
    current = phrases.variable(rng, 'current', INT)
    output = phrases.variable(rng, 'output', TEXT)
    signs = dict(worth)
    pairs = list(worth.items())
    minus = rng.random() < 0.6
    if minus:
      # As IV and IX, but with the letters and worths drawn.
      for (low, a), (high, b) in zip(pairs, pairs[1:], strict=False):
        signs[low + high] = b - a
    order = sorted(signs.items(), key=lambda item: (-item[1], item[0]))
    kept = {n: sign for sign, n in reversed(order)}
    steps = [
      While(
        current >= n,
        (Assign(output, output + sign), Update(current, '-', lift(n))),
      )
      for n, sign in sorted(kept.items(), reverse=True)
    ]
    body = [
      Declare(output, lift('')),
      Declare(current, limit),
      *steps,
      Return(output),
    ]
    known = ', '.join(
      f'{sign} for {n}' for n, sign in sorted(kept.items(), reverse=True)
    )
    statement = (
      f'Numbers are written with these signs: {known}. Write a non-negative'
      ' integer: as long as it is not 0, write the sign with the greatest'
      ' number that is not above it and subtract that number. Return the text.'
    )
    name = phrases.title(['write', *kept.values()], 6).lower()
    function = Function(name, (limit,), TEXT, body, statement)
    return Draft(
      statement, (function,), lambda r: (r.randint(1, 4 * ratio[size - 1]),)
    )
  rule = rng.choice(('less', 'plain', 'twice'))
  chain: list[program.Statement] = [Return(lift(0))]
  for letter, n in reversed(worth.items()):
    chain = [If(c.equals(char(letter)), (Return(lift(n)),)), *chain]
  helper = Function(
    rng.choice(('worth', 'letter_value', 'sign_value')),
    (c,),
    INT,
    chain,
    'Returns what a letter stands for, or 0.',
  )
  step = {
    'less': (
      If(
        value < other,
        (Update(total, '-', value),),
        (Update(total, '+', value),),
      ),
    ),
    'plain': (If(value >= other, (Update(total, '+', value),)),),
    'twice': (
      Update(total, '+', value),
      If(value.equals(other), (Update(total, '+', other),)),
    ),
  }[rule]
  words = {
    'less': 'is subtracted if the letter after it stands for more, else added',
    'plain': 'is added unless the letter after it stands for more',
    'twice': 'is added, and once more if the letter after it stands for as'
    ' much',
  }[rule]
  body = [
    Declare(total, lift(0)),
    Count(
      index,
      lift(0),
      length(text),
      (
        Declare(value, Call(helper.name, (at(text, index),), INT)),
        Declare(other, lift(0)),
        If(
          index + 1 < length(text),
          (Assign(other, Call(helper.name, (at(text, index + 1),), INT)),),
        ),
        *step,
      ),
    ),
    Return(total),
  ]
  statement = (
    f'Letters stand for numbers: {listed}; all others for 0, and so does what'
    f' comes after the end. The number of each letter of a text {words}.'
    ' Return the total.'
  )
  name = phrases.title(['read', rule, *worth], 6).lower()
  function = Function(name, (text,), INT, body, statement)

  def draw(r: random.Random) -> tuple[str]:
    return (''.join(r.choice([*worth, 'O']) for _ in range(r.randint(2, 8))),)

  return Draft(statement, (helper, function), draw)


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


def numbers_in_text(rng: random.Random) -> Draft:
  """Numbers that stand in a text between other characters."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  value = phrases.variable(rng, 'value', INT)
  index = phrases.variable(rng, 'index', INT)
  total = phrases.variable(rng, 'total', INT)
  sign = phrases.variable(rng, 'current', INT)
  flag = rng.choice('-~!')
  test = phrases.condition(rng, value, False)
  new = phrases.transformation(rng, value, False, 0)
  signed = rng.random() < 0.6
  step, asked, tag = rng.choice(
    (
      (Update(total, '+', new.code), f'the sum of {new.words}', new.tag),
      (Update(total, '+', lift(1)), 'their number', 'count'),
      (
        Assign(total, builtin('larger', INT, total, new.code)),
        f'the largest, or 0 if that is larger, of {new.words}',
        'largest',
      ),
    )
  )
  digit = builtin('is_digit', BOOL, at(text, index))
  body = [
    Declare(total, lift(0)),
    Declare(index, lift(0)),
    While(
      index < length(text),
      (
        Declare(c, at(text, index)),
        If(
          program.Not(builtin('is_digit', BOOL, c)),
          (Update(index, '+', lift(1)), Continue()),
        ),
        *([Declare(sign, lift(1))] if signed else []),
        *(
          [
            If(
              (index > 0).also(at(text, index - 1).equals(char(flag))),
              (Assign(sign, lift(-1)),),
            )
          ]
          if signed
          else []
        ),
        Declare(value, lift(0)),
        While(
          (index < length(text)).also(digit),
          (
            Assign(
              value,
              value * 10 + builtin('code', INT, at(text, index)) - 48,
            ),
            Update(index, '+', lift(1)),
          ),
        ),
        *([Update(value, '*', sign)] if signed else []),
        If(test.code, (step,)),
      ),
    ),
    Return(total),
  ]
  negative = (
    f' A "{flag}" right before a number makes it negative.' if signed else ''
  )
  statement = (
    'Every longest stretch of digits in a text is a number.'
    f'{negative} Take the numbers that {test.words} and return {asked}.'
  )
  name = phrases.title(['numbers_in_text', tag, test.tag], 7)
  function = Function(name, (text,), INT, body, statement)

  def draw(r: random.Random) -> tuple[str]:
    parts = (flag, ' ', 'x', 'ab', ',', f' {flag}')
    return (
      ''.join(
        r.choice(parts) + str(r.choice((r.randint(0, 9), r.randint(10, 99))))
        for _ in range(r.randint(2, 6))
      ),
    )

  return Draft(statement, (function,), draw)


FAMILIES = (
  expand_runs,
  check_digit,
  numerals,
  letter_numbers,
  substitution,
  numbers_in_text,
)
