"""Exact renderings of small trees in every language."""

import pytest

from codelaw.corpora.synthetic import java
from codelaw.corpora.synthetic import javascript
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import python
from codelaw.corpora.synthetic import rendering

X = program.Variable('x_one', program.INT)
Y = program.Variable('y', program.INT)
C = program.Variable('c', program.CHAR)
T = program.Variable('t', program.TEXT)
V = program.Variable('v', program.INTS)
PYTHON = python.PythonRenderer()
JAVASCRIPT = javascript.JavaScriptRenderer()
JAVA = java.JavaRenderer()


@pytest.mark.parametrize(
  ('tree', 'expected'),
  [
    (
      (X + 1) * Y,
      ('(x_one + 1) * y', '(xOne + 1) * y', '(xOne + 1) * y'),
    ),
    (X - (Y - 1), ('x_one - (y - 1)', 'xOne - (y - 1)', 'xOne - (y - 1)')),
    (
      X // 3,
      ('x_one // 3', 'Math.floor(xOne / 3)', 'Math.floorDiv(xOne, 3)'),
    ),
    (
      program.natural(X // 3),
      ('x_one // 3', 'Math.floor(xOne / 3)', 'xOne / 3'),
    ),
    (
      (X % 3).equals(1),
      (
        'x_one % 3 == 1',
        '((xOne % 3) + 3) % 3 === 1',
        'Math.floorMod(xOne, 3) == 1',
      ),
    ),
    # A remainder is zero however it is rounded.
    ((X % 3).equals(0), ('x_one % 3 == 0', 'xOne % 3 === 0', 'xOne % 3 == 0')),
    (
      (X >= 1).also(X <= 5),
      ('1 <= x_one <= 5', 'xOne >= 1 && xOne <= 5', 'xOne >= 1 && xOne <= 5'),
    ),
    (
      (X < 1).either(Y < 1).also(X < Y),
      (
        '(x_one < 1 or y < 1) and x_one < y',
        '(xOne < 1 || y < 1) && xOne < y',
        '(xOne < 1 || y < 1) && xOne < y',
      ),
    ),
    (
      program.Not(X < 1).also(X < Y),
      (
        'not (x_one < 1) and x_one < y',
        '!(xOne < 1) && xOne < y',
        '!(xOne < 1) && xOne < y',
      ),
    ),
    (
      program.Choice(X < 1, X, Y, program.INT) + 1,
      (
        '(x_one if x_one < 1 else y) + 1',
        '(xOne < 1 ? xOne : y) + 1',
        '(xOne < 1 ? xOne : y) + 1',
      ),
    ),
    (T.equals('a'), ("t == 'a'", "t === 'a'", 't.equals("a")')),
    (C.equals(program.char('a')), ("c == 'a'", "c === 'a'", "c == 'a'")),
    # Java would compare the boxes and not the numbers in them.
    (
      program.at(V, 0).differs(program.at(V, 1)),
      ('v[0] != v[1]', 'v[0] !== v[1]', '!v.get(0).equals(v.get(1))'),
    ),
    (
      program.at(V, 0).equals(X),
      ('v[0] == x_one', 'v[0] === xOne', 'v.get(0) == xOne'),
    ),
    (
      program.at(T, 0).equals(program.at(T, 1)),
      ('t[0] == t[1]', 't[0] === t[1]', 't.charAt(0) == t.charAt(1)'),
    ),
    (program.lift(-3) - X, ('-3 - x_one', '-3 - xOne', '-3 - xOne')),
  ],
)
def test_expressions(tree, expected):
  found = tuple(r.expression(tree) for r in (PYTHON, JAVASCRIPT, JAVA))
  assert found == expected


def test_literals_of_examples():
  value = ['it"s', "it's"]
  assert eval(PYTHON.literal(value)) == value
  assert JAVASCRIPT.literal(value) == "['it\\\"s', 'it\\'s']"
  assert JAVA.literal(value) == 'List.of("it\\"s", "it\'s")'
  assert JAVA.literal([True, -1]) == 'List.of(true, -1)'


def _countdown():
  body = [
    program.Declare(Y, program.lift(0)),
    program.Count(
      X,
      program.lift(9),
      program.lift(0),
      [
        program.If(
          X.equals(3),
          [program.Break()],
          [program.If(X > 5, [program.Update(Y, '+', program.lift(1))])],
        )
      ],
      -2,
    ),
    program.Return(Y),
  ]
  return program.Function('count_down', (V,), program.INT, body, 'Counts.')


def test_a_function_in_python():
  assert PYTHON.function(_countdown(), 'Counts.') == [
    'def count_down(v: list[int]) -> int:',
    '    """Counts."""',
    '    y = 0',
    '    for x_one in range(9, 0, -2):',
    '        if x_one == 3:',
    '            break',
    '        elif x_one > 5:',
    '            y += 1',
    '    return y',
  ]


def test_a_function_in_javascript():
  assert JAVASCRIPT.function(_countdown(), '') == [
    'function countDown(v) {',
    '  let y = 0;',
    '  for (let xOne = 9; xOne > 0; xOne -= 2) {',
    '    if (xOne === 3) {',
    '      break;',
    '    } else if (xOne > 5) {',
    '      y++;',
    '    }',
    '  }',
    '  return y;',
    '}',
  ]


def test_a_function_in_java():
  lines = JAVA.function(_countdown(), 'Counts.')
  assert lines[:5] == [
    '/**',
    ' * Counts.',
    ' */',
    'public static int countDown(List<Integer> v) {',
    '    int y = 0;',
  ]
  assert java.imports('\n'.join(lines)) == ['import java.util.List;', '']


def test_checked_programs_refuse_what_languages_do_differently():
  def compiled(expression, checked=True):
    function = program.Function(
      'f', (X,), program.INT, [program.Return(expression)], ''
    )
    return python.compile_functions((function,), checked)

  assert compiled(X * X)(46340) == 46340**2
  with pytest.raises(OverflowError, match='does not fit 32 bits'):
    compiled(X * X)(46341)
  assert compiled(X * X, checked=False)(46341) == 46341**2
  assert compiled(X % 3)(-1) == 2
  with pytest.raises(ArithmeticError, match='promised'):
    compiled(program.natural(X % 3))(-1)
  with pytest.raises(ArithmeticError, match='divides and is not positive'):
    compiled(program.lift(7) // X)(-1)
  text = program.lift('abc')
  assert compiled(program.at(text, X))(2) == 'c'
  with pytest.raises(IndexError, match='-1 is no place'):
    compiled(program.at(text, X))(-1)
  part = program.builtin('slice', program.TEXT, text, 1, X)
  assert compiled(part)(3) == 'bc'
  with pytest.raises(IndexError, match='4 is no place'):
    compiled(part)(4)


def test_skeletons_ignore_names_constants_and_remarks():
  def body(name, constant, op, remark=()):
    x = program.Variable(name, program.INT)
    value = program.Operation(op, x, program.lift(constant), program.INT)
    return program.skeleton([*remark, program.Return(value)])

  plain = body('a', 1, '+')
  assert plain == body('b', 2, '+')
  assert plain == body('a', 1, '+', [program.Remark('why')])
  assert plain != body('a', 1, '-')


def test_wrapped_lines_keep_their_prefix():
  lines = rendering.wrap('word ' * 30, '# ', 40)
  assert all(len(line) <= 40 and line.startswith('# word') for line in lines)
