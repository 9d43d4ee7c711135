"""Families of problems about texts."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Append
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Count
from codelaw.corpora.synthetic.program import Declare
from codelaw.corpora.synthetic.program import Each
from codelaw.corpora.synthetic.program import EachEntry
from codelaw.corpora.synthetic.program import Function
from codelaw.corpora.synthetic.program import If
from codelaw.corpora.synthetic.program import Put
from codelaw.corpora.synthetic.program import Return
from codelaw.corpora.synthetic.program import Update
from codelaw.corpora.synthetic.program import at
from codelaw.corpora.synthetic.program import builtin
from codelaw.corpora.synthetic.program import char
from codelaw.corpora.synthetic.program import length
from codelaw.corpora.synthetic.program import lift
from codelaw.corpora.synthetic.program import natural

CHAR, INT, TEXT, TEXTS = (
  program.CHAR,
  program.INT,
  program.TEXT,
  program.TEXTS,
)


def _replacement(
  rng: random.Random, c: program.Variable, output: program.Variable
) -> phrases.Phrase:
  """What is added to `output` for a character."""
  mark = rng.choice('*#-_.+')
  options = (
    (output + builtin('upper', CHAR, c), 'its capital', 'upper'),
    (output + builtin('lower', CHAR, c), 'its small form', 'lower'),
    (output + c + c, 'the character twice', 'double'),
    (output + mark, f'the character "{mark}"', 'mask'),
    (output + c + mark, f'the character and "{mark}"', 'mark'),
    (output + mark + c + mark, f'the character between two "{mark}"', 'wrap'),
  )
  return phrases.Phrase(*rng.choice(options))


def rewrite(rng: random.Random) -> Draft:
  """A text with some of its characters replaced or left out."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  output = phrases.variable(rng, 'output', TEXT)
  test = phrases.letter_condition(rng, c)
  new = _replacement(rng, c, output)
  other = _replacement(rng, c, output)
  rest, words = rng.choice(
    (
      ((), 'Leave out all others'),
      ((Assign(output, output + c),), 'Keep all others as they are'),
      ((Assign(output, other.code),), f'Put {other.words} for all others'),
      ((Assign(output, lift('') + c + output),), 'Put all others in front'),
    )
  )
  body = [
    Declare(output, lift('')),
    Each(c, text, (If(test.code, (Assign(output, new.code),), rest),)),
    Return(output),
  ]
  statement = (
    f'Read a text from left to right and write a new one: put {new.words} for'
    f' characters that {test.words}. {words}. Return the new text.'
  )
  name = phrases.title(['rewrite', new.tag, test.tag], 4)
  function = Function(name, (text,), TEXT, body, statement)
  return Draft(statement, (function,), lambda r: (phrases.draw_text(r),))


def scan(rng: random.Random) -> Draft:
  """A number from the characters of a text and their places."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  index = phrases.variable(rng, 'index', INT)
  total = phrases.variable(rng, 'total', INT)
  test = phrases.letter_condition(rng, c)
  k, modulus = rng.randint(2, 31), rng.choice((97, 256, 1009, 65521))
  code = builtin('code', INT, c)
  step, words, tag = rng.choice(
    (
      (Update(total, '+', index), 'the sum of their indices', 'indices'),
      (Update(total, '+', lift(1)), 'their number', 'count'),
      (Assign(total, index), 'the index of the last one, or 0', 'last'),
      (
        Update(total, '+', code * k),
        f'{k} times the sum of their codes',
        'codes',
      ),
      (
        Assign(total, natural((total * k + code) % modulus)),
        f'the value h that starts at 0 and becomes, for each of them, {k} times'
        f' h plus its code, modulo {modulus}',
        'hash',
      ),
    )
  )
  body = [
    Declare(total, lift(0)),
    Count(
      index,
      lift(0),
      length(text),
      (Declare(c, at(text, index)), If(test.code, (step,))),
    ),
    Return(total),
  ]
  statement = (
    f'Find the characters of a text that {test.words}. Return {words}.'
    ' Indices start at 0, codes are ASCII codes.'
  )
  name = phrases.title([tag, 'of', test.tag], 4)
  function = Function(name, (text,), INT, body, statement)
  return Draft(statement, (function,), lambda r: (phrases.draw_text(r),))


def letter_counts(rng: random.Random) -> Draft:
  """A question about how often characters occur."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  key = phrases.variable(rng, 'key', CHAR)
  counts = phrases.variable(rng, 'counts', program.CHAR_COUNTS)
  count = phrases.variable(rng, 'count', INT)
  test = phrases.letter_condition(rng, c)
  least, sep = rng.randint(1, 3), rng.choice(('', ':', '=', 'x'))
  asked = phrases.condition(rng, count, True, 0)
  again = builtin('get', INT, counts, c, 0) + 1
  tallied = Each(c, text, (If(test.code, (Put(counts, c, again),)),))
  start = [
    Declare(counts, builtin('new_counts', program.CHAR_COUNTS)),
    tallied,
  ]
  if rng.random() < 0.5:
    output = phrases.variable(rng, 'output', TEXT)
    line = (output + key + sep) if sep else (output + key)
    line = line + builtin('to_text', TEXT, count)
    body = [
      *start,
      Declare(output, lift('')),
      EachEntry(
        key, count, counts, (If(count >= least, (Assign(output, line),)),)
      ),
      Return(output),
    ]
    question = (
      f'Return a text with every such character that occurs at least {least}'
      f' times, followed by "{sep}" and the number, in order of first'
      ' occurrence.'
      if sep
      else f'Return a text with every such character that occurs at least'
      f' {least} times, followed by the number, in order of first occurrence.'
    )
    returns, verb = TEXT, 'describe'
  else:
    total = phrases.variable(rng, 'total', INT)
    body = [
      *start,
      Declare(total, lift(0)),
      EachEntry(
        key, count, counts, (If(asked.code, (Update(total, '+', count),)),)
      ),
      Return(total),
    ]
    question = f'Return the sum of the counts that {asked.words}.'
    returns, verb = INT, 'sum_counts'
  statement = (
    f'Count how often each character occurs in a text, for characters that'
    f' {test.words}. {question}'
  )
  name = phrases.title([verb, test.tag, asked.tag], 5)
  function = Function(name, (text,), returns, body, statement)
  return Draft(statement, (function,), lambda r: (phrases.draw_letters(r),))


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


def cipher(rng: random.Random) -> Draft:
  """Letters moved along the alphabet by a rule."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  output = phrases.variable(rng, 'output', TEXT)
  index = phrases.variable(rng, 'index', INT)
  value = phrases.variable(rng, 'value', INT)
  shift = phrases.variable(rng, 'inner', INT)
  k, growth = rng.randint(1, 25), rng.randint(0, 5)
  by = shift + index * growth if growth else shift
  condition = phrases.condition(rng, index, True, 0)
  moved = natural((builtin('code', INT, c) - 97 + by) % 26) + 97
  mirrored = lift(122) - (builtin('code', INT, c) - 97)
  small = (c >= char('a')).also(c <= char('z'))
  mirror = rng.random() < 0.3
  made = mirrored if mirror else moved
  rule = (
    'replace it by its mirror image in the alphabet (a by z, b by y)'
    if mirror
    else f'move it {k} places along the alphabet, from z on to a'
    + (f', and {growth} further places for each index' if growth else '')
  )
  body = [
    Declare(output, lift('')),
    *([] if mirror else [Declare(shift, lift(k))]),
    Count(
      index,
      lift(0),
      length(text),
      (
        Declare(c, at(text, index)),
        If(
          small.also(condition.code),
          (
            Declare(value, made),
            Assign(output, output + builtin('character', CHAR, value)),
          ),
          (Assign(output, output + c),),
        ),
      ),
    ),
    Return(output),
  ]
  statement = (
    f'Encode a text. For each small letter at indices that {condition.words}:'
    f' {rule}. Other characters stay. Return the new text.'
  )
  name = phrases.title(
    ['mirror' if mirror else f'shift_{k}', condition.tag, 'letters'], 6
  )
  function = Function(name, (text,), TEXT, body, statement)
  return Draft(statement, (function,), lambda r: (phrases.draw_text(r),))


def walk(rng: random.Random) -> Draft:
  """A robot that follows commands on a plane."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  x = program.Variable(rng.choice(('x', 'east', 'column')), INT)
  y = program.Variable(rng.choice(('y', 'north', 'row')), INT)
  best = phrases.variable(rng, 'best', INT)
  letters = rng.sample('ABCDXYZ', 4)
  size, k, edge = rng.randint(1, 4), rng.randint(2, 6), rng.randint(3, 12)
  moves = [
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
  rewrite,
  scan,
  letter_counts,
  run_lengths,
  cipher,
  walk,
  nesting,
  words,
)
