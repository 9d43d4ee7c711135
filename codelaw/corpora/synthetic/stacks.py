"""Families of problems that keep a stack."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Append
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Continue
from codelaw.corpora.synthetic.program import Count
from codelaw.corpora.synthetic.program import Declare
from codelaw.corpora.synthetic.program import Each
from codelaw.corpora.synthetic.program import Function
from codelaw.corpora.synthetic.program import If
from codelaw.corpora.synthetic.program import Pop
from codelaw.corpora.synthetic.program import Put
from codelaw.corpora.synthetic.program import Return
from codelaw.corpora.synthetic.program import Update
from codelaw.corpora.synthetic.program import While
from codelaw.corpora.synthetic.program import at
from codelaw.corpora.synthetic.program import builtin
from codelaw.corpora.synthetic.program import char
from codelaw.corpora.synthetic.program import length
from codelaw.corpora.synthetic.program import lift

BOOL, CHAR, INT, INTS = program.BOOL, program.CHAR, program.INT, program.INTS
TEXT, TEXTS = program.TEXT, program.TEXTS

_PAIRS = (('(', ')'), ('[', ']'), ('{', '}'), ('<', '>'))


def brackets(rng: random.Random) -> Draft:
  """Several kinds of brackets that must close in order."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  stack = phrases.variable(rng, 'stack', INTS)
  index = phrases.variable(rng, 'index', INT)
  best = phrases.variable(rng, 'best', INT)
  pairs = rng.sample(_PAIRS, rng.randint(2, 3))
  kind = rng.choice(('mistake', 'depth', 'pairs', 'open'))
  wrong = -rng.randint(1, 9)
  error = index if kind == 'mistake' else lift(wrong)
  test = phrases.letter_condition(rng, c, 0)
  done: list[program.Statement] = []
  if kind == 'pairs':
    done = [Update(best, '+', lift(1))]
  counts_inside = kind == 'open'
  chain: tuple[program.Statement, ...] = ()
  if counts_inside:
    chain = (
      If(
        (length(stack) > 0).also(test.code),
        (Update(best, '+', lift(1)),),
      ),
    )
  for number, (opening, closing) in reversed(list(enumerate(pairs, 1))):
    top = builtin('last', INT, stack)
    failed = length(stack).equals(0).either(top.differs(number))
    chain = (
      If(
        c.equals(char(opening)),
        (
          Append(stack, lift(number)),
          *(
            [Assign(best, builtin('larger', INT, best, length(stack)))]
            if kind == 'depth'
            else []
          ),
        ),
        (
          If(
            c.equals(char(closing)),
            (If(failed, (Return(error),)), Pop(stack), *done),
            chain,
          ),
        ),
      ),
    )
  loop: program.Statement = Each(c, text, chain)
  if kind == 'mistake':
    loop = Count(
      index, lift(0), length(text), (Declare(c, at(text, index)), *chain)
    )
  body = [
    Declare(stack, builtin('new_list', INTS)),
    *([] if kind == 'mistake' else [Declare(best, lift(0))]),
    loop,
  ]
  if kind == 'mistake':
    body += [
      If(length(stack) > 0, (Return(length(text)),)),
      Return(lift(-1)),
    ]
  else:
    body += [If(length(stack) > 0, (Return(lift(wrong)),)), Return(best)]
  question = {
    'mistake': 'Return the index of the first bracket that closes nothing or'
    ' the wrong kind, the length of the text if some stay open, else -1.',
    'depth': 'Return the largest number of brackets that are open at once,'
    f' or {wrong} if brackets do not match.',
    'pairs': f'Return the number of pairs, or {wrong} if brackets do not'
    ' match.',
    'open': 'Return how many other characters inside of brackets'
    f' {test.words}, or {wrong} if brackets do not match.',
  }[kind]
  listed = ' and '.join(f'"{opening}{closing}"' for opening, closing in pairs)
  statement = (
    f'The brackets {listed} in a text must close in order, each by its own'
    f' kind. {question}'
  )
  name = phrases.title(
    ['brackets', kind, test.tag if counts_inside else str(len(pairs))], 6
  )
  function = Function(name, (text,), INT, body, statement)

  def draw(r: random.Random) -> tuple[str]:
    def piece(depth: int) -> str:
      if depth == 0 or r.random() < 0.3:
        return r.choice(('a1', 'Z', 'e', 'xy', ''))
      opening, closing = r.choice(pairs)
      return (
        opening
        + ''.join(piece(depth - 1) for _ in range(r.randint(1, 2)))
        + closing
      )

    drawn = ''.join(piece(3) for _ in range(r.randint(1, 3)))
    if r.random() < 0.4 and drawn:
      cut = r.randrange(len(drawn))
      drawn = drawn[:cut] + drawn[cut + 1 :]
    return (drawn,)

  return Draft(statement, (function,), draw)


def postfix(rng: random.Random) -> Draft:
  """Expressions in postfix form, with operations of our own."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  stack = phrases.variable(rng, 'stack', INTS)
  a = program.Variable(rng.choice(('first', 'lower', 'one')), INT)
  b = program.Variable(rng.choice(('second', 'upper_one', 'two')), INT)
  k, modulus = rng.randint(2, 5), rng.choice((97, 1000, 997))
  options = [
    ('+', a + b, 'their sum'),
    ('-', a - b, 'the lower one minus the upper one'),
    ('*', (a * b) % modulus, f'their product modulo {modulus}'),
    ('m', builtin('smaller', INT, a, b), 'the smaller one'),
    ('M', builtin('larger', INT, a, b), 'the larger one'),
    ('d', builtin('magnitude', INT, a - b), 'their distance'),
    ('@', a * k + b, f'{k} times the lower one plus the upper one'),
    ('?', (a + b) // k, f'their sum divided by {k}, rounded down'),
  ]
  picked = rng.sample(options, rng.randint(2, 4))
  chain: tuple[program.Statement, ...] = ()
  for sign, value, _ in reversed(picked):
    chain = (If(c.equals(char(sign)), (Append(stack, value),), chain),)
  short = -rng.randint(1, 9)
  digit = builtin('code', INT, c) - 48
  body = [
    Declare(stack, builtin('new_list', INTS)),
    Each(
      c,
      text,
      (
        If(
          builtin('is_digit', BOOL, c),
          (Append(stack, digit), Continue()),
        ),
        If(length(stack) < 2, (Return(lift(short)),)),
        Declare(b, builtin('last', INT, stack)),
        Pop(stack),
        Declare(a, builtin('last', INT, stack)),
        Pop(stack),
        *chain,
      ),
    ),
    If(length(stack).differs(1), (Return(lift(short)),)),
    Return(builtin('last', INT, stack)),
  ]
  rules = '; '.join(f'"{sign}" puts back {words}' for sign, _, words in picked)
  statement = (
    'Read a text from left to right. A digit goes onto a stack. Other'
    f' characters take the two uppermost numbers off: {rules}. Return the only'
    f' number on the stack in the end, or {short} if there is not one only, or'
    ' if a character finds fewer than two.'
  )
  tag = '_'.join(words.split()[-1] for _, _, words in picked)
  name = phrases.title(['evaluate', tag.replace('.', '')], 5)
  function = Function(name, (text,), INT, body, statement)
  signs = [sign for sign, _, _ in picked]

  def draw(r: random.Random) -> tuple[str]:
    drawn, depth = '', 0
    for _ in range(r.randint(5, 13)):
      if depth > 1 and r.random() < 0.55:
        drawn, depth = drawn + r.choice(signs), depth - 1
      else:
        drawn, depth = drawn + str(r.randint(0, 9)), depth + 1
    while depth > 1:
      drawn, depth = drawn + r.choice(signs), depth - 1
    return (drawn,)

  return Draft(statement, (function,), draw)


def next_that(rng: random.Random) -> Draft:
  """For every number the next one in a relation, by a stack of places."""
  is_natural, low, high = phrases.draw_range(rng)
  values = phrases.variable(rng, 'values', INTS)
  stack = phrases.variable(rng, 'stack', INTS)
  output = phrases.variable(rng, 'output', INTS)
  index = phrases.variable(rng, 'index', INT)
  value = phrases.variable(rng, 'value', INT)
  other = phrases.variable(rng, 'other', INT)
  k, missing = rng.randint(1, 9), -rng.randint(1, 5)
  up = rng.random() < 0.5
  margin = rng.random() < 0.4
  top = at(values, builtin('last', INT, stack))
  far: program.Expression = (top + k if up else top - k) if margin else top
  relation = value > far if up else value < far
  words = 'greater' if up else 'smaller'
  words += f' by more than {k}' if margin else ''
  test = phrases.condition(rng, value, is_natural)
  asked, tag, told = rng.choice(
    (
      (index - other, 'distance', 'the distance to'),
      (value, 'number', 'the value of'),
      (index, 'place', 'the index of'),
      (value - at(values, other), 'change', 'the difference from it to'),
    )
  )
  body = [
    Declare(output, builtin('filled', INTS, missing, length(values))),
    Declare(stack, builtin('new_list', INTS)),
    Count(
      index,
      lift(0),
      length(values),
      (
        Declare(value, at(values, index)),
        While(
          (length(stack) > 0).also(relation),
          (
            Declare(other, builtin('last', INT, stack)),
            Pop(stack),
            Put(output, other, asked),
          ),
        ),
        If(test.code, (Append(stack, index),)),
      ),
    ),
    Return(output),
  ]
  statement = (
    'Walk through a list of integers with a stack of indices. At each number,'
    f' as long as it is {words} than the number of the uppermost index, take'
    f' that index off and note {told} the number at hand for its place.'
    f' Then put the index at hand on the stack if its number is one of those'
    f' that {test.words}. Return the notes for all places, {missing} for'
    ' places without one.'
  )
  name = phrases.title(
    ['next', 'greater' if up else 'smaller', tag, test.tag], 6
  )
  function = Function(name, (values,), INTS, body, statement)
  draw = phrases.draw_values(low, high, 4, 9)
  return Draft(statement, (function,), lambda r: (draw(r),))


def typing(rng: random.Random) -> Draft:
  """A text from keystrokes, some of which undo or repeat."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  output = phrases.variable(rng, 'output', TEXT)
  limit = rng.randint(6, 14)
  size = length(output)
  k = rng.randint(1, 3)
  cut = builtin('slice', TEXT, output, 0, size - k)
  first = builtin('slice', TEXT, output, 0, 1)
  end = builtin('slice', TEXT, output, size - 1, size)
  options = [
    (
      If(size >= k, (Assign(output, cut),)),
      f'removes the last {k} if there are as many',
    ),
    (Assign(output, lift('')), 'removes all'),
    (If(size > 0, (Assign(output, output + end),)), 'types the last one again'),
    (
      If(size > 0, (Assign(output, output + first),)),
      'types the first one again',
    ),
    (
      Assign(output, builtin('upper', TEXT, output)),
      'makes everything capital',
    ),
    (
      If(size > 0, (Assign(output, builtin('slice', TEXT, output, 1, size)),)),
      'removes the first one',
    ),
    (Assign(output, output + '.'), 'types a full stop'),
  ]
  picked = rng.sample(options, rng.randint(2, 3))
  keys = rng.sample('#<>^!%~', len(picked))
  test = phrases.letter_condition(rng, c)
  chain: tuple[program.Statement, ...] = (
    If(
      (size < limit).also(test.code),
      (Assign(output, output + c),),
    ),
  )
  for key, (step, _) in reversed(list(zip(keys, picked, strict=True))):
    chain = (If(c.equals(char(key)), (step,), chain),)
  body = [Declare(output, lift('')), Each(c, text, chain), Return(output)]
  rules = ', '.join(
    f'"{key}" {words}' for key, (_, words) in zip(keys, picked, strict=True)
  )
  statement = (
    f'Keys are pressed one after the other. Among the characters typed so far,'
    f' {rules}. Other keys type themselves if they {test.words} and fewer than'
    f' {limit} characters stand there. Return what stands there in the end.'
  )
  name = phrases.title(['type', test.tag, 'up_to', str(limit)], 6)
  function = Function(name, (text,), TEXT, body, statement)

  def draw(r: random.Random) -> tuple[str]:
    return (
      ''.join(
        r.choice([*keys, *'abcdeABt1x2uo']) for _ in range(r.randint(6, 14))
      ),
    )

  return Draft(statement, (function,), draw)


FAMILIES = (
  brackets,
  postfix,
  next_that,
  typing,
)
