"""Families of problems about machines with states, cells and registers."""

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
from codelaw.corpora.synthetic.program import While
from codelaw.corpora.synthetic.program import at
from codelaw.corpora.synthetic.program import builtin
from codelaw.corpora.synthetic.program import length
from codelaw.corpora.synthetic.program import lift
from codelaw.corpora.synthetic.program import natural

BOOL, CHAR, INT, INTS = program.BOOL, program.CHAR, program.INT, program.INTS
TEXT, TEXTS = program.TEXT, program.TEXTS


def machine(rng: random.Random) -> Draft:
  """A machine with one or two registers that runs a flat program."""
  tape = phrases.variable(rng, 'program', INTS)
  limit = phrases.variable(rng, 'limit', INT)
  index = phrases.variable(rng, 'index', INT)
  current = phrases.variable(rng, 'current', INT)
  other = phrases.variable(rng, 'other', INT)
  count = phrases.variable(rng, 'count', INT)
  op = program.Variable(rng.choice(('op', 'opcode', 'order')), INT)
  x = program.Variable(rng.choice(('argument', 'operand', 'x')), INT)
  modulus, most = rng.choice((100, 256, 1000)), rng.randint(15, 40)
  k = rng.randint(2, 5)
  onward = Update(index, '+', lift(2))
  options = [
    ((Update(current, '+', x),), 'adds the argument to A'),
    ((Update(current, '-', x),), 'takes the argument from A'),
    ((Update(current, '*', x),), 'multiplies A by the argument'),
    ((Assign(current, x),), 'sets A to the argument'),
    ((Assign(other, current + x),), 'sets B to A plus the argument'),
    ((Update(current, '+', other),), 'adds B to A'),
    ((Assign(current, current * k - other),), f'sets A to {k} times A minus B'),
    (
      (If(current > other, (Update(index, '+', lift(2)),)),),
      'leaves out the next order if A is greater than B',
    ),
    (
      (If((current % k).equals(0), (Assign(index, lift(-2)),)),),
      f'goes back to the first order if A is divisible by {k}',
    ),
    (
      (If(current < x, (Assign(index, length(tape)),)),),
      'stops if A is below the argument',
    ),
  ]
  # B is written and read in every program.
  reader = rng.choice(options[5:8])
  rest = [o for o in options[:4] + options[5:] if o is not reader]
  picked = [options[4], reader, *rng.sample(rest, rng.randint(1, 3))]
  rng.shuffle(picked)
  chain: tuple[program.Statement, ...] = ()
  for number, (steps, _) in reversed(list(enumerate(picked))):
    chain = (If(op.equals(number), steps, chain),)
  answer, asked = rng.choice(
    (
      (current, 'A'),
      (current + other, 'the sum of A and B'),
      (count, 'the number of orders that were carried out'),
    )
  )
  body = [
    Declare(current, limit),
    Declare(other, lift(0)),
    Declare(index, lift(0)),
    Declare(count, lift(0)),
    While(
      (index < length(tape)).also(count < most),
      (
        Declare(op, at(tape, index)),
        Declare(x, at(tape, index + 1)),
        *chain,
        Assign(current, current % modulus),
        onward,
        Update(count, '+', lift(1)),
      ),
    ),
    Return(answer),
  ]
  rules = '; '.join(f'{n} {words}' for n, (_, words) in enumerate(picked))
  statement = (
    'A machine has two registers: A starts with the second argument, B with 0.'
    f' Orders stand in a list as pairs of a number and an argument: {rules}.'
    f' After each order A is reduced modulo {modulus}. The machine ends after'
    f' the last order, at the latest after {most}. Return {asked}.'
  )
  name = phrases.title(['run', tape.name, f'modulo_{modulus}', str(most)], 6)
  function = Function(name, (tape, limit), INT, body, statement)

  def draw(r: random.Random) -> tuple[list[int], int]:
    orders: list[int] = []
    for _ in range(r.randint(2, 6)):
      orders += [r.randrange(len(picked)), r.randint(0, 20)]
    return orders, r.randint(0, 50)

  return Draft(statement, (function,), draw)


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


def orbit(rng: random.Random) -> Draft:
  """A sequence that must come back to a number it had."""
  limit = phrases.variable(rng, 'limit', INT)
  current = phrases.variable(rng, 'current', INT)
  turn = phrases.variable(rng, 'turn', INT)
  value = phrases.variable(rng, 'value', INT)
  seen = phrases.variable(rng, 'counts', program.INT_COUNTS)
  total = phrases.variable(rng, 'total', INT)
  modulus = rng.randint(20, 200)
  a, b, c = rng.randint(0, 3), rng.randint(2, 9), rng.randint(1, 30)
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
  first = ('', 'the square of t plus ')[min(a, 1)]
  first = f'{a} times {first}' if a > 1 else first
  statement = (
    f'A sequence starts with n modulo {modulus}. The term after t is'
    f' {first}{b} times t plus {c},'
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
    other = rng.choice([n for n in range(size) if n != target])
    then: list[program.Statement] = [Assign(state, lift(target))]
    line = f'in state {number} go to {target} for characters that {test.words}'
    otherwise: list[program.Statement] = []
    if other != number:
      otherwise = [Assign(state, lift(other))]
      line += f', to {other} for others'
    gain = rng.randint(0, 3)
    if gain:
      then = [Update(total, '+', lift(gain)), *then]
      line += f', and score {gain} for the first kind'
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


FAMILIES = (
  machine,
  cells,
  orbit,
  states,
)
