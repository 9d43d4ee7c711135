"""Families of problems about grids that stand in a flat list, row by row."""

import random

from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic.phrases import Draft
from codelaw.corpora.synthetic.program import Append
from codelaw.corpora.synthetic.program import Assign
from codelaw.corpora.synthetic.program import Call
from codelaw.corpora.synthetic.program import Continue
from codelaw.corpora.synthetic.program import Count
from codelaw.corpora.synthetic.program import Declare
from codelaw.corpora.synthetic.program import Function
from codelaw.corpora.synthetic.program import If
from codelaw.corpora.synthetic.program import Return
from codelaw.corpora.synthetic.program import Update
from codelaw.corpora.synthetic.program import at
from codelaw.corpora.synthetic.program import builtin
from codelaw.corpora.synthetic.program import length
from codelaw.corpora.synthetic.program import lift
from codelaw.corpora.synthetic.program import natural

BOOL, CHAR, INT, INTS = program.BOOL, program.CHAR, program.INT, program.INTS
TEXT, TEXTS = program.TEXT, program.TEXTS


def _draw_grid(low: int, high: int):
  def draw(rng: random.Random) -> tuple[list[int], int]:
    width, height = rng.randint(2, 4), rng.randint(2, 4)
    return [rng.randint(low, high) for _ in range(width * height)], width

  return draw


_INTRO = 'A list holds the cells of a grid, row by row, of a given width.'


def line_results(rng: random.Random) -> Draft:
  """One number for every row or column, or the place of the best one."""
  is_natural, low, high = phrases.draw_range(rng)
  values = phrases.variable(rng, 'values', INTS)
  width = phrases.variable(rng, 'width', INT)
  height = program.Variable(rng.choice(('height', 'num_rows')), INT)
  outer = phrases.variable(rng, 'row', INT)
  inner = phrases.variable(rng, 'column', INT)
  output = phrases.variable(rng, 'output', INTS)
  total = phrases.variable(rng, 'total', INT)
  value = phrases.variable(rng, 'value', INT)
  by_row = rng.random() < 0.5
  place = outer * width + inner if by_row else inner * width + outer
  lines, cells = (height, width) if by_row else (width, height)
  what = 'row' if by_row else 'column'
  test = phrases.condition(rng, value, is_natural)
  new = phrases.transformation(rng, value, is_natural, 0)
  step, words, tag = rng.choice(
    (
      (Update(total, '+', new.code), f'the sum of {new.words}', new.tag),
      (Update(total, '+', lift(1)), 'their number', 'count'),
      (
        Assign(total, builtin('larger', INT, total, new.code)),
        f'the largest (0 if there is none above) of {new.words}',
        'largest',
      ),
      (
        Assign(total, total * 2 - value),
        'the number t that starts at 0 and becomes, for each of them in order,'
        ' twice t minus the cell',
        'folded',
      ),
    )
  )
  cell: list[program.Statement] = [
    Declare(value, at(values, place)),
    If(test.code, (step,)),
  ]
  finish: program.Statement = Append(output, total)
  start: list[program.Statement] = [Declare(output, builtin('new_list', INTS))]
  asked = f'Return the list of these numbers, one for every {what}.'
  answer: program.Expression = output
  picks = rng.random() < 0.4
  if picks:
    best = phrases.variable(rng, 'best', INT)
    index = phrases.variable(rng, 'index', INT)
    start = [Declare(best, lift(-(10**6))), Declare(index, lift(-1))]
    finish = If(total > best, (Assign(best, total), Assign(index, outer)))
    asked = f'Return the index of the first {what} with the largest number.'
    answer = index
  body = [
    Declare(height, natural(length(values) // width)),
    *start,
    Count(
      outer,
      lift(0),
      lines,
      (
        Declare(total, lift(0)),
        Count(inner, lift(0), cells, cell),
        finish,
      ),
    ),
    Return(answer),
  ]
  statement = (
    f'{_INTRO} In every {what} look at the cells that {test.words} and take'
    f' {words}. {asked}'
  )
  name = phrases.title(['best' if picks else 'each', what, tag, test.tag], 6)
  returns = INT if picks else INTS
  function = Function(name, (values, width), returns, body, statement)
  return Draft(statement, (function,), _draw_grid(low, high))


def turned(rng: random.Random) -> Draft:
  """The cells in another order, some of them changed."""
  is_natural, low, high = phrases.draw_range(rng)
  values = phrases.variable(rng, 'values', INTS)
  width = phrases.variable(rng, 'width', INT)
  height = program.Variable(rng.choice(('height', 'num_rows')), INT)
  row = phrases.variable(rng, 'row', INT)
  column = phrases.variable(rng, 'column', INT)
  output = phrases.variable(rng, 'output', INTS)
  value = phrases.variable(rng, 'value', INT)
  across, down = column, row
  back, up = width - 1 - column, height - 1 - row
  place, is_tall, words, tag = rng.choice(
    (
      (across * 1, False, 'as it is', 'kept'),
      (down * width + back, False, 'with every row reversed', 'mirrored'),
      (up * width + across, False, 'with its rows in reverse order', 'flipped'),
      (up * width + back, False, 'turned by half a turn', 'half_turned'),
      (down * width + across, True, 'with rows and columns exchanged', 'swap'),
      (up * width + across, True, 'turned by 90 degrees clockwise', 'turned'),
      (
        down * width + back,
        True,
        'turned by 90 degrees against the clock',
        'unturned',
      ),
    )
  )
  if tag == 'kept':
    place = down * width + across
  test = phrases.condition(rng, value, is_natural)
  new = phrases.transformation(rng, value, is_natural, 0)
  other = rng.randint(0, 9)
  kind = rng.choice(('changed', 'masked', 'dropped'))
  step: tuple[program.Statement, ...] = (
    If(test.code, (Append(output, new.code),), (Append(output, value),)),
  )
  rule = f'Cells that {test.words} become {new.words}; the others stay.'
  if kind == 'masked':
    step = (If(test.code, (Assign(value, lift(other)),)), Append(output, value))
    rule = f'Cells that {test.words} become {other}; the others stay.'
  elif kind == 'dropped':
    step = (If(test.code, (Continue(),)), Append(output, new.code))
    rule = f'Leave out cells that {test.words}; the others become {new.words}.'
  inside = (Declare(value, at(values, place)), *step)
  loops = [(row, height), (column, width)]
  if is_tall:
    loops.reverse()
  (outer, rows), (inner, columns) = loops
  body = [
    Declare(height, natural(length(values) // width)),
    Declare(output, builtin('new_list', INTS)),
    Count(outer, lift(0), rows, (Count(inner, lift(0), columns, inside),)),
    Return(output),
  ]
  statement = f'{_INTRO} Return the grid {words}, as a list of its rows. {rule}'
  name = phrases.title([tag, kind, new.tag, test.tag], 6)
  function = Function(name, (values, width), INTS, body, statement)
  return Draft(statement, (function,), _draw_grid(low, high))


def neighbourhood(rng: random.Random) -> Draft:
  """Cells that stand in a relation to the cells around them."""
  is_natural, low, high = phrases.draw_range(rng)
  values = phrases.variable(rng, 'values', INTS)
  width = phrases.variable(rng, 'width', INT)
  row = phrases.variable(rng, 'row', INT)
  column = phrases.variable(rng, 'column', INT)
  outside = rng.choice((0, 0, -1, 5))
  total = phrases.variable(rng, 'total', INT)
  value = phrases.variable(rng, 'value', INT)
  current = phrases.variable(rng, 'current', INT)
  name = rng.choice(('cell', 'cell_or_edge', 'look_up', 'peek'))
  place = row * width + column
  inside = (row >= 0).also(column >= 0).also(column < width)
  helper_body: list[program.Statement] = [
    If(
      inside.also(place < length(values)),
      (Return(at(values, place)),),
    ),
    Return(lift(outside)),
  ]
  if rng.random() < 0.5:
    wrong = (row < 0).either(column < 0).either(column >= width)
    wrong = wrong.either(place >= length(values))
    helper_body = [
      If(wrong, (Return(lift(outside)),)),
      Return(at(values, place)),
    ]
  helper = Function(
    name,
    (values, width, row, column),
    INT,
    helper_body,
    f'Returns the cell of a row and a column, or {outside} outside the grid.',
  )
  shifts, which = rng.choice(
    (
      (((-1, 0), (1, 0)), 'above and below'),
      (((0, -1), (0, 1)), 'left and right of it'),
      (((-1, 0), (1, 0), (0, -1), (0, 1)), 'next to it in the four directions'),
      (((-1, -1), (1, 1), (-1, 1), (1, -1)), 'that touch it at a corner'),
    )
  )

  def near(base: program.Variable, shift: int) -> program.Expression:
    return base + shift if shift > 0 else base - -shift if shift else base

  around = [
    Call(name, (values, width, near(row, i), near(column, j)), INT)
    for i, j in shifts
  ]
  test = phrases.condition(rng, value, is_natural, 0)
  summed: program.Expression = around[0]
  for cell in around[1:]:
    summed = summed + cell
  k = rng.randint(2, 9)
  before: list[program.Statement] = []
  if rng.random() < 0.5:
    before = [Declare(current, summed)]
    relation, words = rng.choice(
      (
        (current > value * k, f'have a sum above {k} times the cell'),
        (current < value, 'have a sum below the cell'),
        (
          (current - value) % k,
          f'have a sum that differs from the cell by a multiple of {k}',
        ),
      )
    )
    if relation.type == INT:
      relation = relation.equals(0)
  else:
    sign = rng.random() < 0.5
    relation = value > around[0] if sign else value < around[0]
    for cell in around[1:]:
      relation = relation.also(value > cell if sign else value < cell)
    words = f'are all {"smaller" if sign else "larger"} than the cell'
  counted = rng.random() < 0.5
  step = Update(total, '+', lift(1) if counted else value)
  height = natural(length(values) // width)
  body = [
    Declare(total, lift(0)),
    Count(
      row,
      lift(0),
      height,
      (
        Count(
          column,
          lift(0),
          width,
          (
            Declare(value, at(values, place)),
            *before,
            If(relation.also(test.code), (step,)),
          ),
        ),
      ),
    ),
    Return(total),
  ]
  statement = (
    f'{_INTRO} Cells outside the grid count as {outside}. Return the'
    f' {"number" if counted else "sum"} of those cells that {test.words} for'
    f' which the cells {which} {words}.'
  )
  title = phrases.title(
    ['count' if counted else 'sum', 'cells', test.tag, 'with_neighbours'], 6
  )
  function = Function(title, (values, width), INT, body, statement)
  return Draft(statement, (helper, function), _draw_grid(low // 4, high // 4))


def path(rng: random.Random) -> Draft:
  """The best path through the grid, by a table."""
  values = phrases.variable(rng, 'values', INTS)
  width = phrases.variable(rng, 'width', INT)
  table = phrases.variable(rng, 'table', INTS)
  index = phrases.variable(rng, 'index', INT)
  best = phrases.variable(rng, 'best', INT)
  value = phrases.variable(rng, 'value', INT)
  test = phrases.condition(rng, value, True)
  new = phrases.transformation(rng, value, True, 0)
  fee = rng.randint(1, 30)
  cheap = rng.random() < 0.5
  pick = 'smaller' if cheap else 'larger'
  start = 10**6 if cheap else -1
  diagonal = rng.random() < 0.4
  column = natural(index % width)
  steps: list[program.Statement] = [
    If(
      index >= width,
      (Assign(best, builtin(pick, INT, best, at(table, index - width))),),
    ),
    If(
      column > 0,
      (Assign(best, builtin(pick, INT, best, at(table, index - 1))),),
    ),
  ]
  if diagonal:
    corner = at(table, index - width - 1)
    steps += [
      If(
        (index >= width).also(column > 0),
        (Assign(best, builtin(pick, INT, best, corner)),),
      )
    ]
  rng.shuffle(steps)
  body = [
    Declare(table, builtin('new_list', INTS)),
    Count(
      index,
      lift(0),
      length(values),
      (
        Declare(best, lift(start)),
        If(index.equals(0), (Assign(best, lift(0)),)),
        *steps,
        Declare(value, at(values, index)),
        If(test.code, (Update(best, '+', lift(fee)),)),
        Append(table, best + new.code),
      ),
    ),
    Return(builtin('last', INT, table)),
  ]
  moves = 'one cell right, one down' + (
    ', or one right and one down at once' if diagonal else ' at a time'
  )
  statement = (
    f'{_INTRO} A path leads from the first cell to the last and moves {moves}.'
    f' A cell costs {new.words}, and {fee} more for cells that {test.words}.'
    f' Return the {"least" if cheap else "greatest"} cost of a path.'
  )
  name = phrases.title(
    ['cheapest' if cheap else 'dearest', 'path', new.tag, test.tag], 6
  )
  function = Function(name, (values, width), INT, body, statement)
  return Draft(statement, (function,), _draw_grid(0, 25))


FAMILIES = (line_results, turned, neighbourhood, path)
