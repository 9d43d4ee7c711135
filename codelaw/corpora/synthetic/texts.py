"""Families of problems about the characters of a text."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
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


FAMILIES = (
  rewrite,
  scan,
  letter_counts,
  cipher,
)
