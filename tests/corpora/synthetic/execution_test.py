import pytest

from codelaw.corpora.synthetic import edits
from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering

X = program.Variable('x', program.INT)
T = program.Variable('t', program.TEXT)
V = program.Variable('v', program.INTS)


def _function(parameter, *body, returns=program.INT):
  return (program.Function('f', (parameter,), returns, body, ''),)


def _countdown(step):
  loop = program.While(X > 0, (program.Update(X, '-', program.lift(step)),))
  return _function(X, loop, program.Return(X))


@pytest.mark.parametrize(
  ('functions', 'argument'),
  [
    (_countdown(0), 1),  # Never ends.
    (_function(X, program.Return(program.Call('f', (X,), program.INT))), 1),
    (_function(V, program.Return(program.at(V, 3))), [1, 2, 3]),
    (_function(V, program.Return(program.at(V, -1))), [1]),
    (_function(V, program.Return(program.builtin('last', 'int', V))), []),
    (_function(X, program.Return(X * X)), 46341),
    (_function(X, program.Return(X // (X - X))), 2),
    (_function(X, program.Return(program.natural(X % 3))), -1),
    (
      _function(
        X,
        program.Return(program.builtin('character', program.CHAR, X)),
        returns=program.CHAR,
      ),
      7,
    ),
  ],
)
def test_runs_that_languages_answer_differently_are_refused(
  functions, argument
):
  run = execution.runner(functions, max_steps=500)
  with pytest.raises(execution.Refused):
    run([argument])
  inputs = [rendering.Example((argument,), 0)]
  assert execution.outcomes(functions, inputs) is None
  assert not execution.agrees(functions, inputs)


def test_every_run_has_the_whole_budget():
  run = execution.runner(_countdown(1), max_steps=10)
  for _ in range(5):
    assert run([9]) == 0
  with pytest.raises(execution.Refused):
    run([10])


def test_rounds_hold_the_variables_as_each_begins():
  body = (
    program.Declare(X, program.lift(0)),
    program.Each(
      program.Variable('y', program.INT),
      V,
      (program.Update(X, '+', program.Variable('y', program.INT)),),
    ),
    program.Return(X),
  )
  assert execution.rounds(_function(V, *body), [[4, 5, 6]]) == [
    {'v': [4, 5, 6], 'x': 0, 'y': 4},
    {'v': [4, 5, 6], 'x': 4, 'y': 5},
    {'v': [4, 5, 6], 'x': 9, 'y': 6},
  ]


def test_a_node_is_replaced_at_its_path_alone():
  (function,) = functions = _function(X, program.Return(X + X))
  (path,) = (
    path
    for path, node in edits.nodes(functions)
    if node is X and path[-1] == 'right'
  )
  changed = edits.replaced(functions, path, program.lift(3))
  assert execution.runner(changed)([5]) == 8
  assert execution.runner(functions)([5]) == 10
  dropped = edits.replaced(functions, (0, 'body', 0))
  assert dropped[0].body == ()
  assert len(function.body) == 1


def test_substitution_reaches_every_use():
  functions = _function(X, program.Return(X + X * 2))
  other = program.Variable('z', program.INT)
  changed = edits.substituted(functions, 'x', other)
  assert set(edits.variables(changed)) == {'z'}
  assert execution.runner(changed)([5]) == 15


def test_names_that_stand_idle_are_seen():
  y = program.Variable('y', program.INT)
  declared = program.Declare(y, X)
  idle = _function(X, declared, program.Return(X))
  assert edits.idle_names(idle) == {'y'}
  assert not edits.idle_names(_function(X, declared, program.Return(y)))
  helper = program.Function('g', (X,), program.INT, (program.Return(X),), '')
  assert edits.idle_names((helper, *idle)) == {'g', 'y'}
