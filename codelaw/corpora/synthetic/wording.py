"""Families of problems about words and their letters."""

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
from codelaw.corpora.synthetic.program import EachEntry
from codelaw.corpora.synthetic.program import Function
from codelaw.corpora.synthetic.program import If
from codelaw.corpora.synthetic.program import Put
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


def word_groups(rng: random.Random) -> Draft:
  """Words of one signature, counted."""
  text = phrases.variable(rng, 'text', TEXT)
  token = phrases.variable(rng, 'token', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  output = phrases.variable(rng, 'output', TEXT)
  total = phrases.variable(rng, 'total', INT)
  count = phrases.variable(rng, 'count', INT)
  code = program.Variable(rng.choice(('code', 'ascii', 'rank')), INT)
  key = phrases.variable(rng, 'key', TEXT)
  counts = phrases.variable(rng, 'counts', program.TEXT_COUNTS)
  name = rng.choice(('signature', 'shape_of', 'fingerprint'))
  test = phrases.letter_condition(rng, c)
  lower = builtin('lower', CHAR, c)
  kind = rng.choice(('sorted', 'kept', 'masked', 'ends'))
  mark, other = rng.sample('*#-_.+', 2)
  if kind == 'sorted':
    first, last = rng.choice((('a', 'z'), ('a', 'm'), ('n', 'z'), ('e', 'u')))
    steps: list[program.Statement] = [
      Count(
        code,
        lift(ord(first)),
        lift(ord(last) + 1),
        (
          Each(
            c,
            token,
            (
              If(
                builtin('code', INT, lower).equals(code),
                (Assign(output, output + lower),),
              ),
            ),
          ),
        ),
      )
    ]
    words = f'its letters from "{first}" to "{last}", made small and sorted'
  elif kind == 'kept':
    steps = [Each(c, token, (If(test.code, (Assign(output, output + c),)),))]
    words = f'its characters that {test.words}'
  elif kind == 'masked':
    steps = [
      Each(
        c,
        token,
        (
          If(
            test.code,
            (Assign(output, output + mark),),
            (Assign(output, output + other),),
          ),
        ),
      )
    ]
    words = (
      f'a "{mark}" for each of its characters that {test.words}, and a'
      f' "{other}" for the others'
    )
  else:
    size = length(token)
    end = builtin('slice', TEXT, token, size - 1, size)
    steps = [
      Assign(output, output + builtin('slice', TEXT, token, 0, 1)),
      Assign(output, output + builtin('to_text', TEXT, natural(size % 3))),
      If(size > 3, (Assign(output, output + end),)),
    ]
    words = (
      'its first character, its length modulo 3, and its last character if it'
      ' has more than three'
    )
  helper = Function(
    name,
    (token,),
    TEXT,
    [Declare(output, lift('')), *steps, Return(output)],
    'Returns the signature of a word.',
  )
  asked = phrases.condition(rng, count, True, 0)
  shown = rng.random() < 0.5
  sep = rng.choice('/;|,')
  again = builtin('get', INT, counts, key, 0) + 1
  tally: list[program.Statement] = [
    Declare(counts, builtin('new_counts', program.TEXT_COUNTS)),
    Each(
      token,
      builtin('words', TEXTS, text),
      (
        Declare(key, Call(name, (token,), TEXT)),
        Put(counts, key, again),
      ),
    ),
  ]
  if shown:
    line = output + key + builtin('to_text', TEXT, count) + sep
    body = [
      *tally,
      Declare(output, lift('')),
      EachEntry(key, count, counts, (If(asked.code, (Assign(output, line),)),)),
      Return(output),
    ]
    question = (
      'Return a text with the signatures in order of first occurrence, each'
      f' followed by its number of words and "{sep}", for numbers that'
      f' {asked.words}'
    )
  else:
    body = [
      *tally,
      Declare(total, lift(0)),
      EachEntry(
        key, count, counts, (If(asked.code, (Update(total, '+', lift(1)),)),)
      ),
      Return(total),
    ]
    question = (
      f'Return how many signatures have numbers of words that {asked.words}'
    )
  statement = (
    'Split a text at its spaces. The signature of a word is'
    f' {words}. {question}.'
  )
  title = phrases.title(
    ['describe' if shown else 'count', kind, 'signatures', asked.tag, test.tag],
    7,
  )
  function = Function(title, (text,), TEXT if shown else INT, body, statement)

  def draw(r: random.Random) -> tuple[str]:
    some = (
      'tea',
      'eat',
      'Ate',
      'stop',
      'pots',
      'spot',
      'now',
      'won',
      'own',
      'a1b',
      'b1a',
      'Reed',
      'deer',
      'x9',
      '9x',
      'level',
    )
    return (' '.join(r.choice(some) for _ in range(r.randint(3, 8))),)

  return Draft(statement, (helper, function), draw)


def mirrors(rng: random.Random) -> Draft:
  """Parts of a text that read the same from both ends, or nearly."""
  text = phrases.variable(rng, 'text', TEXT)
  low = phrases.variable(rng, 'low', INT)
  high = phrases.variable(rng, 'high', INT)
  index = phrases.variable(rng, 'index', INT)
  inner = phrases.variable(rng, 'inner', INT)
  total = phrases.variable(rng, 'total', INT)
  count = phrases.variable(rng, 'count', INT)
  i = program.Variable(rng.choice(('start', 'from_left', 'near')), INT)
  j = program.Variable(rng.choice(('stop', 'from_right', 'far')), INT)
  c = phrases.variable(rng, 'letter', CHAR)
  name = rng.choice(('is_mirrored', 'reads_both_ways', 'is_palindrome'))
  spare = rng.choice((0, 0, 1, 2))
  fold = rng.random() < 0.4
  left, right = at(text, i), at(text, j)
  if fold:
    left, right = builtin('lower', CHAR, left), builtin('lower', CHAR, right)
  differ = left.differs(right)
  wrong: list[program.Statement] = [If(differ, (Return(lift(False)),))]
  if spare:
    wrong = [
      If(
        differ,
        (
          Update(count, '+', lift(1)),
          If(count > spare, (Return(lift(False)),)),
        ),
      )
    ]
  helper = Function(
    name,
    (text, low, high),
    BOOL,
    [
      Declare(i, low),
      Declare(j, high),
      *([Declare(count, lift(0))] if spare else []),
      While(
        i < j,
        (*wrong, Update(i, '+', lift(1)), Update(j, '-', lift(1))),
      ),
      Return(lift(True)),
    ],
    'Returns whether a part of a text, both ends included, is a mirror.',
  )
  least = rng.randint(2, 4)
  test = phrases.letter_condition(rng, c)
  part = inner - index + 1
  is_mirror = Call(name, (text, index, inner), BOOL)
  step, asked, tag = rng.choice(
    (
      (Update(total, '+', lift(1)), 'the number of these mirrors', 'count'),
      (Update(total, '+', part), 'the sum of their lengths', 'lengths'),
      (
        Assign(total, builtin('larger', INT, total, part)),
        'the length of the longest one, or 0',
        'longest',
      ),
    )
  )
  body = [
    Declare(total, lift(0)),
    Count(
      index,
      lift(0),
      length(text),
      (
        Declare(c, at(text, index)),
        If(program.Not(test.code), (Continue(),)),
        Count(
          inner,
          index + (least - 1),
          length(text),
          (If(is_mirror, (step,)),),
        ),
      ),
    ),
    Return(total),
  ]
  nearly = (
    f', but for at most {spare} pairs of places that differ' if spare else ''
  )
  cases = ', capital or small' if fold else ''
  statement = (
    f'A stretch of a text is a mirror if it reads the same from both'
    f' ends{cases}{nearly}. Look at mirrors of at least {least} characters that'
    f' start with characters that {test.words}. Return {asked}.'
  )
  title = phrases.title(
    [tag, 'mirrors', f'spare_{spare}', test.tag, str(least)], 8
  )
  function = Function(title, (text,), INT, body, statement)
  return Draft(
    statement, (helper, function), lambda r: (phrases.draw_letters(r),)
  )


FAMILIES = (
  word_groups,
  mirrors,
)
