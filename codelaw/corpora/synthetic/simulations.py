"""Families of problems that follow rules over time."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Append
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Call
from codelaw.corpora.synthetic.program import Count
from codelaw.corpora.synthetic.program import Declare
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


def elimination(rng: random.Random) -> Draft:
  """People in a circle who leave one after the other."""
  limit = phrases.variable(rng, 'limit', INT)
  circle = phrases.variable(rng, 'queue', INTS)
  rest = program.Variable(rng.choice(('remaining', 'others', 'staying')), INTS)
  index = phrases.variable(rng, 'index', INT)
  inner = phrases.variable(rng, 'inner', INT)
  total = phrases.variable(rng, 'total', INT)
  value = phrases.variable(rng, 'value', INT)
  k, stay, growth = rng.randint(2, 6), rng.randint(1, 3), rng.randint(0, 2)
  test = phrases.condition(rng, value, True)
  size = length(circle)
  pace = program.Variable(rng.choice(('pace', 'stride', 'jump')), INT)
  asked = rng.random() < 0.6
  body: list[program.Statement] = [
    Declare(circle, builtin('new_list', INTS)),
    Count(inner, lift(1), limit + 1, (Append(circle, inner),)),
    Declare(index, lift(0)),
    *([Declare(pace, lift(k))] if growth else []),
    *([Declare(total, lift(0))] if asked else []),
    While(
      size > stay,
      (
        Assign(
          index, natural((index + (pace - 1 if growth else k - 1)) % size)
        ),
        *(
          [
            Declare(value, at(circle, index)),
            If(test.code, (Update(total, '+', value),)),
          ]
          if asked
          else []
        ),
        Declare(rest, builtin('new_list', INTS)),
        Count(
          inner,
          lift(0),
          size,
          (If(inner.differs(index), (Append(rest, at(circle, inner)),)),),
        ),
        Assign(circle, rest),
        *([Update(pace, '+', lift(growth))] if growth else []),
      ),
    ),
    Return(total if asked else circle),
  ]
  more = (
    f'; after each of them the count goes {growth} further' if growth else ''
  )
  question = (
    f'the sum of the numbers that left, as far as they {test.words}'
    if asked
    else 'the list of those who stay, in order'
  )
  statement = (
    f'People numbered from 1 to n stand in a circle. Count from 1 to {k},'
    ' starting at the first; the one on whom the count ends leaves, and'
    f' counting starts again with the next{more}. End when {stay} or fewer are'
    f' left. Return {question}.'
  )
  name = phrases.title(
    ['circle', f'{k}_{growth}_{stay}', test.tag if asked else 'stay'], 8
  )
  function = Function(name, (limit,), INT if asked else INTS, body, statement)
  return Draft(statement, (function,), lambda r: (r.randint(4, 15),))


def service(rng: random.Random) -> Draft:
  """A queue where jobs are served a bit at a time."""
  values = phrases.variable(rng, 'values', INTS)
  queue = phrases.variable(rng, 'queue', INTS)
  left = program.Variable(rng.choice(('left_over', 'todo', 'open_work')), INTS)
  head = program.Variable(rng.choice(('head', 'front', 'served')), INT)
  time = program.Variable(rng.choice(('time', 'clock', 'elapsed')), INT)
  index = phrases.variable(rng, 'index', INT)
  job = program.Variable(rng.choice(('job', 'client', 'caller')), INT)
  output = phrases.variable(rng, 'output', INTS)
  share = rng.randint(1, 6)
  most = rng.randint(30, 60)
  used = program.Variable(rng.choice(('used', 'spent', 'portion')), INT)
  test = phrases.condition(rng, job, True, 0)
  quick = rng.random() < 0.4
  portion: program.Expression = lift(share)
  if quick:
    portion = program.Choice(test.code, lift(share * 2), lift(share), INT)
  asked, tag, question = rng.choice(
    (
      (time, 'time', 'the time that has passed in the end'),
      (output, 'order', 'the list of the jobs in the order of their ends'),
      (head, 'turns', 'how many turns were taken'),
    )
  )
  keep, timed = tag == 'order', tag == 'time'
  change = rng.randint(0, 3) if timed else 0
  body = [
    Declare(left, builtin('copy', INTS, values)),
    Declare(queue, builtin('new_list', INTS)),
    Count(index, lift(0), length(values), (Append(queue, index),)),
    *([Declare(output, builtin('new_list', INTS))] if keep else []),
    Declare(head, lift(0)),
    *([Declare(time, lift(0))] if timed else []),
    While(
      (head < length(queue)).also(head < most),
      (
        Declare(job, at(queue, head)),
        Update(head, '+', lift(1)),
        Declare(used, builtin('smaller', INT, at(left, job), portion))
        if not quick
        else Declare(used, portion),
        *(
          [Assign(used, builtin('smaller', INT, used, at(left, job)))]
          if quick
          else []
        ),
        *(
          [Update(time, '+', used + change if change else used)]
          if timed
          else []
        ),
        Put(left, job, at(left, job) - used),
        If(
          at(left, job) > 0,
          (Append(queue, job),),
          (Append(output, job),) if keep else (),
        ),
      ),
    ),
    Return(asked),
  ]
  faster = f', or {share * 2} for indices that {test.words}' if quick else ''
  pause = f' A turn takes {change} more than the work.' if change else ''
  statement = (
    'A list tells how much work each job needs; jobs are called by their'
    f' index and wait in this order. The first in line gets up to {share} of'
    f' its work done{faster}, and goes to the end of the line if work is'
    f' left.{pause} Stop after {most} turns if jobs still wait then. Return'
    f' {question}.'
  )
  name = phrases.title(['serve', tag, f'share_{share}', f'pause_{change}'], 8)
  function = Function(name, (values,), INTS if keep else INT, body, statement)
  draw = phrases.draw_values(1, 15, 2, 6)
  return Draft(statement, (function,), lambda r: (draw(r),))


def calendar(rng: random.Random) -> Draft:
  """Days of a calendar that may be ours or another."""
  year = program.Variable(rng.choice(('year', 'y')), INT)
  last = program.Variable(rng.choice(('last', 'until', 'end_year')), INT)
  first = program.Variable(rng.choice(('start_year', 'since', 'first')), INT)
  current = phrases.variable(rng, 'current', INT)
  total = phrases.variable(rng, 'total', INT)
  ours = rng.random() < 0.4
  four, hundred, long = (
    (4, 100, 400)
    if ours
    else (
      rng.randint(3, 6),
      rng.choice((20, 30, 50)),
      rng.choice((150, 200, 300)),
    )
  )
  usual = 365 if ours else rng.randint(300, 380)
  extra = 1 if ours else rng.randint(1, 5)
  week = 7 if ours else rng.randint(5, 10)
  regular = natural(year % four).equals(0)
  if ours or rng.random() < 0.5:
    rule = regular.also(
      natural(year % hundred).differs(0).either(natural(year % long).equals(0))
    )
    words = (
      f'divisible by {four}, but not those divisible by {hundred} unless by'
      f' {long} as well'
    )
  else:
    rule = regular.also(natural(year % hundred).differs(0))
    words = f'divisible by {four}, but not those divisible by {hundred}'
  helper = Function(
    rng.choice(('is_leap', 'is_long', 'has_extra_days')),
    (year,),
    BOOL,
    [Return(rule)],
    'Returns whether a year is a long one.',
  )
  days = Function(
    rng.choice(('days_in_year', 'year_length')),
    (year,),
    INT,
    [
      If(Call(helper.name, (year,), BOOL), (Return(lift(usual + extra)),)),
      Return(lift(usual)),
    ],
    'Returns the number of days of a year.',
  )
  test = phrases.condition(rng, year, True, 0)
  mark = rng.randrange(week)
  kind = rng.choice(('starts', 'days', 'weekday'))
  grow = Update(current, '+', Call(days.name, (year,), INT))
  hit = natural(current % week).equals(mark)
  if kind == 'starts':
    loop: list[program.Statement] = [
      If(hit.also(test.code), (Update(total, '+', lift(1)),)),
      grow,
    ]
    asked = f'how many of these years that {test.words} begin on weekday {mark}'
    answer: program.Expression = total
  elif kind == 'days':
    loop = [If(test.code, (grow,))]
    asked = f'how many days those of these years that {test.words} have'
    answer = current
  else:
    loop = [grow]
    asked = 'the weekday of the day that follows them'
    answer = natural((current + mark) % week)
  day = (
    f' Weekdays are counted from 0 to {week - 1}; the first of these years'
    f' begins on weekday {mark if kind == "weekday" else 0}.'
    if kind != 'days'
    else ''
  )
  body = [
    Declare(current, lift(0)),
    *([Declare(total, lift(0))] if kind == 'starts' else []),
    Count(year, first, last + 1, loop),
    Return(answer),
  ]
  statement = (
    f'In a calendar a year has {usual} days, and {extra} more in years'
    f' {words}. Consider the years from a first to a last, both included.'
    f'{day} Return {asked}.'
  )
  name = phrases.title(['calendar', kind, f'{usual}_{week}', test.tag], 6)
  function = Function(name, (first, last), INT, body, statement)

  def draw(r: random.Random) -> tuple[int, int]:
    start = r.choice((r.randint(1, 300), r.randint(1890, 2020)))
    return start, start + r.randint(0, 40)

  return Draft(statement, (helper, days, function), draw)


FAMILIES = (
  elimination,
  service,
  calendar,
)
