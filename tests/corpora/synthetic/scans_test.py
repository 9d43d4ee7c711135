from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import scans

X = program.Variable('x', program.INT)
Y = program.Variable('y', program.INT)
T = program.Variable('t', program.TEXT)
V = program.Variable('v', program.INTS)
N = program.Variable('n', program.INT_COUNTS)
ONE = program.lift(1)


def _chain(*values, default=(), step=None):
  step = step or program.Update(Y, '+', ONE)
  chain = default
  for value in reversed(values):
    chain = (program.If(X.equals(value), (step,), chain),)
  return chain[0]


def test_names_that_change():
  body = [
    program.Declare(X, ONE),
    program.While(X < 3, [program.Assign(Y, X), program.Append(V, X)]),
    program.Put(N, X, Y),
    program.Sort(V),
  ]
  assert scans.assigned(body) == {'y'}
  assert scans.mutated(body) == {'v', 'n'}


def test_names_that_are_read_are_not_only_set():
  body = [
    program.Declare(X, ONE),
    program.Assign(Y, ONE),
    program.EachEntry(X, Y, N, [program.Return(X)]),
  ]
  assert scans.reads(body) == {'n', 'x'}
  assert scans.ordered(body) == {'n'}


def test_pieces_of_a_text():
  joined = program.lift('') + T + (program.lift('a') + T)
  assert [type(piece).__name__ for piece in scans.pieces(joined)] == [
    'Variable',
    'Literal',
    'Variable',
  ]
  assert scans.added_text(program.Assign(T, T + 'a' + 'b')) != []
  assert scans.added_text(program.Assign(T, program.lift('a') + T)) == []
  assert scans.added_text(program.Assign(X, X + 1)) == []


def test_cases_are_chains_of_three_or_more_constants():
  found = scans.cases(_chain(1, 2, 3, default=(program.Return(X),)))
  assert found.subject is X
  assert [value.value for value, _ in found.branches] == [1, 2, 3]
  assert len(found.default) == 1
  assert scans.cases(_chain(1, 2)) is None
  assert scans.cases(_chain(1, 2, 2)) is None
  # A break would leave the switch and not the loop around it.
  assert scans.cases(_chain(1, 2, 3, step=program.Break())) is None
  other = (program.If(Y.equals(3), (program.Return(X),)),)
  assert scans.cases(_chain(1, 2, default=other)) is None
  assert len(scans.cases(_chain(1, 2, 3, default=other)).branches) == 3


def test_increments_of_counts():
  again = program.builtin('get', program.INT, N, X, 0) + 2
  assert scans.increment(program.Put(N, X, again)).value == 2
  other = program.builtin('get', program.INT, N, Y, 0) + 2
  assert scans.increment(program.Put(N, X, other)) is None
  assert scans.increment(program.Put(N, X, ONE)) is None


def test_a_node_is_replaced_where_it_stands():
  choice = program.Choice(X < 1, X, Y, program.INT)
  item = scans.replaced(program.Return(choice + 1), choice, X)
  assert item.value.left is X
