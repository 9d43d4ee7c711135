"""Families of problems that find structure in a text."""

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
from codelaw.corpora.synthetic.program import Return
from codelaw.corpora.synthetic.program import Update
from codelaw.corpora.synthetic.program import at
from codelaw.corpora.synthetic.program import builtin
from codelaw.corpora.synthetic.program import char
from codelaw.corpora.synthetic.program import length
from codelaw.corpora.synthetic.program import lift

CHAR, INT, TEXT, TEXTS = (
  program.CHAR,
  program.INT,
  program.TEXT,
  program.TEXTS,
)


def run_lengths(rng: random.Random) -> Draft:
  """A run-length code in one of many forms."""
  text = phrases.variable(rng, 'text', TEXT)
  output = phrases.variable(rng, 'output', TEXT)
  index = phrases.variable(rng, 'index', INT)
  start = phrases.variable(rng, 'previous', INT)
  count = phrases.variable(rng, 'count', INT)
  c = phrases.variable(rng, 'letter', CHAR)
  least, sep = rng.randint(1, 3), rng.choice(('', '-', '.', '/'))
  number = builtin('to_text', TEXT, count)
  first_number = rng.random() < 0.5
  coded = output + number + c if first_number else output + c + number
  coded = coded + sep if sep else coded
  plain = output + c + sep if sep else output + c
  test = phrases.letter_condition(rng, c, 0)
  add: program.Statement = Assign(output, coded)
  rule = ''
  if least > 1:
    add = If(count >= least, (Assign(output, coded),), (Assign(output, plain),))
    rule = (
      f' For runs shorter than {least} write the character once, no number.'
    )
  steps: list[program.Statement] = [add]
  if rng.random() < 0.5:
    steps = [If(program.Not(test.code), steps)]
    rule += f' Leave out runs of characters that {test.words}.'
  end = (index.equals(length(text))).either(
    at(text, index).differs(at(text, start))
  )
  body = [
    Declare(output, lift('')),
    Declare(start, lift(0)),
    Count(
      index,
      lift(1),
      length(text) + 1,
      (
        If(
          end,
          (
            Declare(c, at(text, start)),
            Declare(count, index - start),
            *steps,
            Assign(start, index),
          ),
        ),
      ),
    ),
    Return(output),
  ]
  order = (
    'its length and its character'
    if first_number
    else ('its character and its length')
  )
  after = f', followed by "{sep}"' if sep else ''
  statement = (
    f'Encode the runs of equal characters in a text: for each run write'
    f' {order}{after}.{rule} Return the code.'
  )
  name = phrases.title(
    ['encode_runs', 'from', str(least), test.tag if rule else 'all'], 6
  )
  function = Function(name, (text,), TEXT, body, statement)
  return Draft(statement, (function,), lambda r: (phrases.draw_letters(r),))


def walk(rng: random.Random) -> Draft:
  """A robot that follows commands on a plane."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  x = program.Variable(rng.choice(('x', 'east', 'column')), INT)
  y = program.Variable(rng.choice(('y', 'north', 'row')), INT)
  best = phrases.variable(rng, 'best', INT)
  letters = rng.sample('ABCDXYZ', 4)
  size, k, edge = rng.randint(1, 4), rng.randint(2, 6), rng.randint(3, 12)
  moves: list[program.Statement] = [
    Update(x, '+', lift(size)),
    Update(x, '-', lift(size)),
    Update(y, '+', lift(k)),
    Update(y, '-', lift(k)),
  ]
  words = [
    f'adds {size} to x',
    f'takes {size} from x',
    f'adds {k} to y',
    f'takes {k} from y',
  ]
  order = rng.sample(range(4), rng.randint(3, 4))
  if rng.random() < 0.4:
    place = rng.choice(order)
    moves[place] = Assign(y, lift(0))
    words[place] = 'sets y to 0'
  branch: tuple[program.Statement, ...] = ()
  for place in reversed(order):
    test = c.equals(char(letters[place]))
    branch = (If(test, (moves[place],), branch),)
  rules = ', '.join(f'{letters[p]} {words[p]}' for p in order)
  distance = builtin('magnitude', INT, x) + builtin('magnitude', INT, y)
  wrapped = rng.random() < 0.4
  if wrapped:
    branch = (*branch, Assign(x, x % edge))
    rules += f'; after each command x is reduced modulo {edge}'
  peak = rng.random() < 0.5
  if peak:
    branch = (*branch, Assign(best, builtin('larger', INT, best, distance)))
  asked = 'the largest' if peak else 'the final'
  body = [
    Declare(x, lift(0)),
    Declare(y, lift(0)),
    *([Declare(best, lift(0))] if peak else []),
    Each(c, text, branch),
    Return(best if peak else distance),
  ]
  statement = (
    f'A robot starts at x = 0, y = 0 and reads commands, one character each:'
    f' {rules}. All other characters do nothing. Return {asked} value of'
    ' |x| + |y|.'
  )
  name = phrases.title(
    ['robot', 'peak' if peak else 'end', *[letters[p].lower() for p in order]],
    6,
  )
  function = Function(name, (text,), INT, body, statement)

  def draw(r: random.Random) -> tuple[str]:
    return (
      ''.join(r.choice([*letters, 'Q']) for _ in range(r.randint(4, 12))),
    )

  return Draft(statement, (function,), draw)


def nesting(rng: random.Random) -> Draft:
  """The depth of brackets, with a rule for mistakes."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  current = phrases.variable(rng, 'current', INT)
  best = phrases.variable(rng, 'best', INT)
  opening, closing = rng.choice(('()', '[]', '{}', '<>'))
  least, error = rng.randint(1, 3), -rng.randint(1, 9)
  test = phrases.letter_condition(rng, c, 0)
  strict = rng.random() < 0.5
  wrong: program.Statement = (
    Return(lift(error)) if strict else Assign(current, lift(0))
  )
  update: program.Statement = Assign(
    best, builtin('larger', INT, best, current)
  )
  question = 'the greatest depth'
  inside: tuple[program.Statement, ...] = ()
  if rng.random() < 0.6:
    inside = (
      If((current >= least).also(test.code), (Update(best, '+', lift(1)),)),
    )
    question = (
      f'how many characters that {test.words} stand at a depth of at least'
      f' {least}'
    )
  body = [
    Declare(current, lift(0)),
    Declare(best, lift(0)),
    Each(
      c,
      text,
      (
        If(
          c.equals(char(opening)),
          (Update(current, '+', lift(1)), *(() if inside else (update,))),
          (
            If(
              c.equals(char(closing)),
              (
                Update(current, '-', lift(1)),
                If(current < 0, (wrong,)),
              ),
              inside,
            ),
          ),
        ),
      ),
    ),
    Return(best),
  ]
  mistake = (
    f'Return {error} for a closing bracket without an opening one.'
    if strict
    else 'A closing bracket without an opening one counts for nothing.'
  )
  statement = (
    f'Every "{opening}" in a text opens a level and every "{closing}" closes'
    f' one. Return {question}. {mistake}'
  )
  name = phrases.title(
    ['nested', test.tag if inside else 'depth', str(least)], 4
  )
  function = Function(name, (text,), INT, body, statement)

  def draw(r: random.Random) -> tuple[str]:
    parts = [opening, opening, closing, 'ab1', 'E', 'x', 'o7']
    return (''.join(r.choice(parts) for _ in range(r.randint(4, 12))),)

  return Draft(statement, (function,), draw)


def words(rng: random.Random) -> Draft:
  """Words of a text, selected and rewritten."""
  text = phrases.variable(rng, 'text', TEXT)
  token = phrases.variable(rng, 'token', TEXT)
  parts = phrases.variable(rng, 'words', TEXTS)
  output = phrases.variable(rng, 'output', TEXTS)
  size = phrases.variable(rng, 'count', INT)
  test = phrases.condition(rng, size, True)
  first = builtin('slice', TEXT, token, 0, 1)
  rest = builtin('slice', TEXT, token, 1, length(token))
  sep = rng.choice(('-', ' ', '_', '+'))
  code, described, tag = rng.choice(
    (
      (builtin('upper', TEXT, token), 'in capitals', 'upper'),
      (builtin('upper', TEXT, first) + rest, 'with a capital first', 'capital'),
      (rest + first, 'with the first character moved to the end', 'rotated'),
      (
        token + builtin('to_text', TEXT, size),
        'with its length added',
        'sized',
      ),
      (token + sep + token, f'twice with "{sep}" between', 'twice'),
      (first, 'cut to its first character', 'initial'),
    )
  )
  keep = rng.random() < 0.5
  other = (Append(output, token),) if keep else ()
  body = [
    Declare(parts, builtin('words', TEXTS, text)),
    Declare(output, builtin('new_list', TEXTS)),
    Each(
      token,
      parts,
      (
        Declare(size, length(token)),
        If(test.code, (Append(output, code),), other),
      ),
    ),
    Return(builtin('join', TEXT, sep, output)),
  ]
  statement = (
    'Split a text at its spaces. Take words with lengths that'
    f' {test.words} and write each {described}.'
    f' {"Other words stay as they are." if keep else "Drop other words."}'
    f' Return all words joined by "{sep}".'
  )
  name = phrases.title(['words', tag, 'length', test.tag], 5)
  function = Function(name, (text,), TEXT, body, statement)
  return Draft(statement, (function,), lambda r: (phrases.draw_text(r),))


FAMILIES = (
  run_lengths,
  walk,
  nesting,
  words,
)
