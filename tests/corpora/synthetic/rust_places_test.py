from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rust_places

PLACE = program.Variable('i', program.INT)
J = program.Variable('j', program.INT)
V = program.Variable('v', program.INTS)
SIZE = program.length(V)
READ = program.Return(program.at(V, PLACE))


def _loop(start, stop, body, step=1):
  return program.Count(
    PLACE, program.lift(start), program.lift(stop), body, step
  )


def test_variables_that_run_over_places():
  assert rust_places.find([_loop(0, SIZE, [READ])]) == {'i'}
  assert rust_places.find([_loop(2, SIZE - 1, [READ], 2)]) == {'i'}
  assert rust_places.find([_loop(SIZE - 1, -1, [READ], -1)]) == {'i'}


def test_variables_that_are_other_integers():
  # From a number that may be negative, to one that is not a size, backwards
  # from anywhere, changed in the body, or hardly used as a place.
  assert not rust_places.find([_loop(-1, SIZE, [READ])])
  assert not rust_places.find([_loop(0, J, [READ])])
  assert not rust_places.find([_loop(J, -1, [READ], -1)])
  changed = program.Update(PLACE, '+', program.lift(1))
  assert not rust_places.find([_loop(0, SIZE, [READ, changed])])
  used = program.Return(PLACE * PLACE - J)
  assert not rust_places.find([_loop(0, SIZE, [READ, used])])
  assert not rust_places.find([_loop(0, SIZE, [])])


def test_a_place_can_start_at_a_place():
  inner = program.Count(J, PLACE + 1, SIZE, [program.Return(program.at(V, J))])
  assert rust_places.find([_loop(0, SIZE, [inner])]) == {'i', 'j'}
  inner = program.Count(J, PLACE - 1, SIZE, [program.Return(program.at(V, J))])
  assert 'j' not in rust_places.find([_loop(0, SIZE, [READ, inner])])


def test_a_difference_is_plain_only_where_it_cannot_be_negative():
  places = frozenset('i')
  assert rust_places.plain(PLACE + 1, places) == 'i + 1'
  assert rust_places.plain((PLACE + 1) * 2, places) == '(i + 1) * 2'
  assert rust_places.plain(PLACE - 1, places) is None
  assert rust_places.plain(PLACE - 1, places, outermost=True) == 'i - 1'
  assert rust_places.plain(PLACE - 1 + 2, places, outermost=True) is None
  assert rust_places.plain(J, places) is None
  assert rust_places.bound(SIZE - PLACE - 1, places) == (
    'v.len().saturating_sub(i + 1)'
  )


def test_comparisons_without_casts():
  places = frozenset('i')
  assert rust_places.compared(PLACE + 1 < SIZE, places) == 'i + 1 < v.len()'
  assert rust_places.compared(SIZE.equals(0), places) == 'v.is_empty()'
  assert rust_places.compared(SIZE > 0, places) == '!v.is_empty()'
  assert rust_places.compared(PLACE < J, places) is None
  assert rust_places.compared(SIZE > -1, places) is None
  # Always true of a usize, which the compiler warns of.
  assert rust_places.compared(PLACE >= 0, places) is None
