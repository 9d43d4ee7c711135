"""Exact projections: feasible, optimal, and empty sets seen as such."""

import numpy as np
import pytest

from codelaw.planning import polytope


def _random(generator, size):
  """A polytope that is sure to hold `inside`."""
  inside = generator.dirichlet(np.ones(size))
  extra = generator.normal(size=(2, size))
  return inside, polytope.Polytope(
    np.ones((1, size)),
    np.ones(1),
    np.concatenate([np.eye(size), extra]),
    np.concatenate([np.zeros(size), extra @ inside - 0.02]),
  )


@pytest.mark.parametrize('seed', range(20))
def test_the_nearest_point_is_feasible_and_no_feasible_one_is_nearer(seed):
  generator = np.random.default_rng(seed)
  size = int(generator.integers(2, 8))
  inside, space = _random(generator, size)
  point = generator.normal(size=size) * 10.0 ** generator.integers(-1, 4)
  found = space.nearest(point)
  assert found.sum() == pytest.approx(1, abs=1e-9)
  assert (space.G @ found >= space.h - 1e-9).all()
  # A convex set: the way from the nearest point to any other leads away.
  others = [inside]
  for _ in range(50):
    draw = space.nearest(generator.normal(size=size))
    others.append(draw)
  for other in others:
    step = (other - found) @ (point - found)
    assert step <= 1e-7 * max(1, np.linalg.norm(point))


def test_a_point_of_the_polytope_stays_where_it_is():
  inside, space = _random(np.random.default_rng(0), 5)
  assert space.nearest(inside) == pytest.approx(inside, abs=1e-12)


def test_an_empty_polytope_has_no_nearest_point():
  square = np.concatenate([np.eye(2), -np.eye(2)])
  apart = polytope.Polytope(
    np.ones((1, 2)), np.ones(1), square, np.array([0.6, 0.6, -1, -1])
  )
  assert apart.nearest(np.array([0.5, 0.5])) is None
  never = polytope.Polytope(
    np.array([[1.0, 1.0], [1.0, 1.0]]),
    np.array([1.0, 2.0]),
    square,
    -square[:, 0],
  )
  assert never.nearest(np.zeros(2)) is None


def test_a_single_point_is_found_although_rounding_may_call_it_empty():
  third = 1 / 3
  square = np.concatenate([np.eye(3), -np.eye(3)])
  space = polytope.Polytope(
    np.ones((1, 3)),
    np.ones(1),
    square,
    np.array([third, third, third, -third, -third, -third]),
  )
  assert space.nearest(np.array([5.0, -1.0, 0.0])) == pytest.approx(
    [third] * 3, abs=1e-9
  )
