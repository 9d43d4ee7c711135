import hypothesis
from hypothesis import strategies as st
import numpy as np

from codelaw.data import permutation


@hypothesis.given(st.integers(1, 5000), st.integers(0, 2**31))
@hypothesis.settings(deadline=None, max_examples=40)
def test_every_element_comes_once_and_is_found_again(size, seed):
  keys = permutation.keys(seed)
  places = np.arange(size)
  elements = permutation.permute(places, size, keys)
  np.testing.assert_array_equal(np.sort(elements), places)
  np.testing.assert_array_equal(
    permutation.place_of(elements, size, keys), places
  )


def test_any_place_of_a_huge_range_is_read_alone():
  size, keys = 10**12 + 39, permutation.keys('source', 3)
  places = np.array([0, 1, size // 2, size - 1])
  elements = permutation.permute(places, size, keys)
  assert np.all((elements >= 0) & (elements < size))
  np.testing.assert_array_equal(
    permutation.place_of(elements, size, keys), places
  )
  np.testing.assert_array_equal(
    permutation.permute(places[2:3], size, keys), elements[2:3]
  )


def test_all_orders_of_a_small_range_are_about_equally_frequent():
  counts = np.zeros((5, 5))
  for epoch in range(2000):
    keys = permutation.keys(0, 'code/python', epoch)
    elements = permutation.permute(np.arange(5), 5, keys)
    counts[np.arange(5), elements] += 1
  # 400 expected; the standard deviation of a count is below 18.
  assert np.all(np.abs(counts - 400) < 5 * 18)
