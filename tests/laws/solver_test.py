import numpy as np
import pytest
from scipy import optimize

from codelaw.laws import descent
from codelaw.laws import solver
from tests.laws import simulated

DELTA = 1e-3


def _problem(noise=0.01):
  law, table = simulated.runs('chinchilla', noise=noise)
  columns = table[list(law.columns)].to_numpy().T
  losses = table[simulated.TARGET].to_numpy()
  return solver.problem(law, columns, losses)


@pytest.mark.parametrize('weight', [0.0, 0.3, 30.0])
def test_penalty_agrees_with_scipy(weight):
  """Squares of residuals and of a pull on beta - alpha and on log E."""
  task = _problem()
  names = task.law.parameters
  matrix = np.zeros((2, len(names)))
  matrix[0, [names.index('beta'), names.index('alpha')]] = weight, -weight
  matrix[1, names.index('E')] = weight
  target = weight * np.array([0.5, -0.9])
  starts = solver.draw_starts(task.law, 32, 0)
  found = solver.solve(
    task,
    starts,
    'least_squares',
    DELTA,
    precise=True,
    penalty=(matrix, target),
  )
  best = found.objectives.argmin()

  def residuals(at):
    r = solver.residuals(task, at, 'least_squares')
    return np.concatenate([r, matrix @ at - target])

  low, high = solver.bounds(task.law)
  other = optimize.least_squares(
    residuals,
    found.coordinates[best] + 0.1,
    bounds=(low, high),
    xtol=1e-14,
    ftol=1e-14,
    gtol=1e-14,
  )
  assert found.objectives[best] == pytest.approx(other.cost, rel=1e-8)
  # Finite differences limit SciPy, weak curvature both.
  np.testing.assert_allclose(found.coordinates[best], other.x, atol=1e-3)


def test_lanes_have_targets_of_their_own():
  task = _problem()
  starts = solver.draw_starts(task.law, 6, 0)
  matrix = 1e4 * np.eye(5)[2:4]
  wanted = np.linspace(-1, -0.2, 12).reshape(6, 2)
  found = solver.solve(
    task, starts, 'log_huber', DELTA, penalty=(matrix, 1e4 * wanted)
  )
  np.testing.assert_allclose(found.coordinates[:, 2:4], wanted, atol=1e-6)


@pytest.mark.parametrize('objective', solver.OBJECTIVES)
def test_fixed_coordinates_stay_and_the_rest_is_optimal(objective):
  task = _problem()
  optimum = solver.solve(
    task, solver.draw_starts(task.law, 32, 0), objective, DELTA, precise=True
  )
  best = optimum.coordinates[optimum.objectives.argmin()]
  starts = np.tile(best, (3, 1))
  starts[1:, 3] += 0.2
  fixed = np.zeros((3, 5), dtype=bool)
  fixed[0], fixed[1, 3] = True, True
  found = solver.solve(
    task, starts, objective, DELTA, precise=True, fixed=fixed
  )
  np.testing.assert_array_equal(found.coordinates[0], best)
  assert found.coordinates[1, 3] == starts[1, 3]
  lowest = optimum.objectives.min()
  assert found.objectives[2] == pytest.approx(lowest, rel=1e-6)
  assert found.objectives[1] > lowest
  again = starts[1:2].copy()
  again[:, :3] += 0.1
  for_all = solver.solve(
    task, again, objective, DELTA, precise=True, fixed=fixed[1]
  )
  assert for_all.objectives[0] == pytest.approx(found.objectives[1], rel=1e-6)


@pytest.mark.parametrize('objective', solver.OBJECTIVES)
def test_a_lane_is_solved_alike_in_any_company(objective):
  """In one call, in several on several threads, and on its own."""
  task = _problem()
  starts = solver.draw_starts(task.law, 3 * solver.LANES + 7, 0)
  together = solver.solve(task, starts, objective, DELTA)
  some = np.array([0, 5, 130, 390])
  alone = solver.solve(task, starts[some], objective, DELTA)
  np.testing.assert_allclose(
    alone.objectives, together.objectives[some], rtol=1e-12
  )
  np.testing.assert_array_equal(alone.codes, together.codes[some])


def test_points_in_several_blocks_give_the_same_solution(monkeypatch):
  task = _problem()
  starts = solver.draw_starts(task.law, 8, 0)
  whole = solver.solve(task, starts, 'least_squares', DELTA, precise=True)
  monkeypatch.setattr(descent, 'POINTS', 12)
  parts = solver.solve(task, starts, 'least_squares', DELTA, precise=True)
  # Sums in another order: the optimum's value is known to 1e-16 of 1, and
  # the coordinates to its square root.
  np.testing.assert_allclose(parts.objectives, whole.objectives, rtol=1e-10)
  np.testing.assert_allclose(parts.coordinates, whole.coordinates, atol=1e-5)


def test_exact_fits_say_so():
  task = _problem(noise=0.0)
  starts = solver.draw_starts(task.law, 8, 0)
  found = solver.solve(task, starts, 'least_squares', DELTA, precise=True)
  best = found.objectives.argmin()
  assert descent.Termination(found.codes[best]) is descent.Termination.EXACT
  assert solver.TERMINATIONS[found.codes[best]] == 'exact'
