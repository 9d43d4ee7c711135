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
    f'; the count grows by {growth} after each that leaves' if growth else ''
  )
  question = (
    f'the sum of the numbers that left, as far as they {test.words}'
    if asked
    else 'the list of those who stay, in order'
  )
  statement = (
    f'People numbered from 1 to n stand in a circle. Count them off from the'
    f' first; every number {k} leaves, and counting goes on with the one'
    f' after{more}. End when {stay} or fewer are left. Return {question}.'
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


def cells(rng: random.Random) -> Draft:
  """A line of cells that look at their neighbours in each step."""
  values = phrases.variable(rng, 'values', INTS)
  limit = phrases.variable(rng, 'limit', INT)
  line = phrases.variable(rng, 'queue', INTS)
  fresh = program.Variable(rng.choice(('fresh', 'following', 'renewed')), INTS)
  turn = phrases.variable(rng, 'turn', INT)
  index = phrases.variable(rng, 'index', INT)
  value = phrases.variable(rng, 'value', INT)
  total = phrases.variable(rng, 'total', INT)
  left = program.Variable(rng.choice(('west', 'lefthand', 'prior')), INT)
  right = program.Variable(rng.choice(('east', 'righthand', 'later')), INT)
  modulus = rng.randint(2, 7)
  a, b, c, d = (rng.randint(0, 3) for _ in range(4))
  ring = rng.random() < 0.5
  size = length(line)
  if ring:
    ends: list[program.Statement] = [
      Declare(left, at(line, natural((index + size - 1) % size))),
      Declare(right, at(line, natural((index + 1) % size))),
    ]
  else:
    ends = [
      Declare(left, lift(0)),
      If(index > 0, (Assign(left, at(line, index - 1)),)),
      Declare(right, lift(0)),
      If(index + 1 < size, (Assign(right, at(line, index + 1)),)),
    ]
  mixed = left * (a + 1) + right * (b + 1)
  mixed = mixed + at(line, index) * c if c else mixed
  mixed = mixed + d if d else mixed
  test = phrases.condition(rng, value, True)
  summed = rng.random() < 0.5
  body = [
    Declare(line, builtin('copy', INTS, values)),
    Count(
      turn,
      lift(0),
      limit,
      (
        Declare(fresh, builtin('new_list', INTS)),
        Count(
          index,
          lift(0),
          size,
          (*ends, Append(fresh, natural(mixed % modulus))),
        ),
        Assign(line, fresh),
      ),
    ),
  ]
  if summed:
    body += [
      Declare(total, lift(0)),
      Each(value, line, (If(test.code, (Update(total, '+', lift(1)),)),)),
    ]
  body += [Return(total if summed else line)]
  own = f' plus {c} times itself' if c else ''
  extra = f' plus {d}' if d else ''
  where = 'the line is closed to a ring' if ring else 'beyond the ends stands 0'
  statement = (
    f'In each step, every number of a line is replaced by {a + 1} times its'
    f' left neighbour plus {b + 1} times its right neighbour{own}{extra},'
    f' modulo {modulus}, all at the same time; {where}. Return'
    + (f' how many numbers {test.words}' if summed else ' the line')
    + ' after the given number of steps.'
  )
  name = phrases.title(
    ['ring' if ring else 'line', f'{a}_{b}_{c}_{d}', 'modulo', str(modulus)], 8
  )
  function = Function(
    name, (values, limit), INT if summed else INTS, body, statement
  )
  draw = phrases.draw_values(0, modulus - 1, 3, 8)
  return Draft(statement, (function,), lambda r: (draw(r), r.randint(1, 6)))


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


def orbit(rng: random.Random) -> Draft:
  """A sequence that must come back to a number it had."""
  limit = phrases.variable(rng, 'limit', INT)
  current = phrases.variable(rng, 'current', INT)
  turn = phrases.variable(rng, 'turn', INT)
  value = phrases.variable(rng, 'value', INT)
  seen = phrases.variable(rng, 'counts', program.INT_COUNTS)
  total = phrases.variable(rng, 'total', INT)
  modulus = rng.randint(20, 200)
  a, b, c = rng.randint(0, 3), rng.randint(1, 9), rng.randint(1, 30)
  known = builtin('get', INT, seen, current, 0)
  test = phrases.condition(rng, value, True)
  square = current * current * a if a > 1 else current * current
  rule = current * b + c if not a else square + current * b + c
  asked, question, tag = rng.choice(
    (
      (turn - known, 'the length of the cycle', 'cycle'),
      (known - 1, 'how many terms come before the cycle', 'tail'),
      (turn - 1, 'how many different terms there are', 'terms'),
      (current, 'the first term that comes again', 'entry'),
    )
  )
  summed = rng.random() < 0.3
  after: list[program.Statement] = [Return(asked)]
  if summed:
    count = phrases.variable(rng, 'count', INT)
    after = [
      Declare(total, lift(0)),
      EachEntry(
        value, count, seen, (If(test.code, (Update(total, '+', count),)),)
      ),
      Return(total),
    ]
    question = (
      f'the sum of the numbers, from 1, of those different terms that'
      f' {test.words}'
    )
    tag = f'sum_{test.tag}'
  body = [
    Declare(seen, builtin('new_counts', program.INT_COUNTS)),
    Declare(current, natural(limit % modulus)),
    Declare(turn, lift(1)),
    While(
      known.equals(0),
      (
        Put(seen, current, turn),
        Assign(current, natural(rule % modulus)),
        Update(turn, '+', lift(1)),
      ),
    ),
    *after,
  ]
  first = f'{a} times its square plus ' if a else ''
  statement = (
    f'A sequence starts with n modulo {modulus}. The term after t is'
    f' {first.replace("its square", "the square of t")}{b} times t plus {c},'
    f' modulo {modulus}, so that a term must come again and the sequence runs'
    f' in a cycle from there. Return {question}.'
  )
  name = phrases.title(['orbit', tag, f'{a}_{b}_{c}'], 8)
  function = Function(name, (limit,), INT, body, statement)
  return Draft(statement, (function,), lambda r: (r.randint(0, 1000),))


def states(rng: random.Random) -> Draft:
  """A machine of few states that reads a text."""
  text = phrases.variable(rng, 'text', TEXT)
  c = phrases.variable(rng, 'letter', CHAR)
  state = phrases.variable(rng, 'current', INT)
  total = phrases.variable(rng, 'total', INT)
  size = rng.randint(3, 4)
  rules, lines = [], []
  for number in range(size):
    test = phrases.letter_condition(rng, c, 0)
    target = rng.choice([n for n in range(size) if n != number])
    other = rng.randrange(size)
    then: list[program.Statement] = [Assign(state, lift(target))]
    line = f'in state {number} go to {target} for characters that {test.words}'
    otherwise: list[program.Statement] = []
    if other != number:
      otherwise = [Assign(state, lift(other))]
      line += f', to {other} for others'
    gain = rng.randint(0, 3)
    if gain:
      then = [Update(total, '+', lift(gain)), *then]
      line += f', with {gain} more points for the first kind'
    rules.append(If(test.code, then, otherwise))
    lines.append(line)
  order = rng.sample(range(size), size)
  chain: tuple[program.Statement, ...] = ()
  for number in reversed(order):
    chain = (If(state.equals(number), (rules[number],), chain),)
  answer, asked = rng.choice(
    (
      (total, 'the points'),
      (total * size + state, f'{size} times the points plus the last state'),
    )
  )
  start = rng.randrange(size)
  body = [
    Declare(state, lift(start)),
    Declare(total, lift(0)),
    Each(c, text, chain),
    Return(answer),
  ]
  listed = '; '.join(lines[number] for number in order)
  statement = (
    f'A machine with states from 0 to {size - 1} starts in state {start} with 0'
    f' points and reads a text: {listed}. Where no move is given it stays.'
    f' Return {asked} in the end.'
  )
  name = phrases.title(
    ['machine', 'of', str(size), 'states', 'from', str(start)], 6
  )
  function = Function(name, (text,), INT, body, statement)
  return Draft(statement, (function,), lambda r: (phrases.draw_text(r),))


FAMILIES = (elimination, service, cells, calendar, orbit, states)
