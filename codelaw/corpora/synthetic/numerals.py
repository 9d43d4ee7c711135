"""Families of problems about numbers that are written or read as texts."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Call
from codelaw.corpora.synthetic.program import Continue
from codelaw.corpora.synthetic.program import Count
from codelaw.corpora.synthetic.program import Declare
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
  numerals,
  letter_numbers,
  numbers_in_text,
)
