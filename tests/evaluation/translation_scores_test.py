"""Values, averages and standard errors from counts."""

import numpy as np
import pytest

from codelaw.evaluation import translation_scores

RATE = translation_scores.Metric('rate', 2, translation_scores.share)


def _scores(counts, seen=(), names='abc'):
  directions = [f'x-{name}' for name in names[: len(counts)]]
  found = translation_scores.of(RATE, directions, counts, seen)
  return {score.task.removeprefix('translation/'): score for score in found}


def test_sums_come_before_shares():
  """A long translation weighs more than a short one."""
  found = _scores([[(3, 2), (1, 6)]])
  assert found['x-a'].value == 4 / 8
  assert found['x-a'].num_items == 2
  assert found['x-a'].metric == 'rate'
  assert found['x-a'].category == 'translation'


def test_averages_give_directions_the_same_weight():
  found = _scores(
    [[(1, 1), (1, 1)], [(0, 1), None], [(1, 4), (1, 4)]], seen=['x-a', 'y-z']
  )
  assert set(found) == {'x-a', 'x-b', 'x-c', 'seen', 'unseen', 'all'}
  assert found['seen'].value == 1
  assert found['unseen'].value == (0 + 1 / 4) / 2
  assert found['all'].value == pytest.approx((1 + 0 + 1 / 4) / 3, rel=1e-15)
  assert found['all'].num_items == 5
  assert found['unseen'].num_items == 3


def test_directions_without_items_have_no_score():
  found = _scores([[None, None], [(1, 1), (0, 1)]], seen=['x-a'])
  assert set(found) == {'x-b', 'unseen', 'all'}


def test_standard_error_of_a_share():
  rng = np.random.default_rng(0)
  passed = rng.random(400) < 0.3
  found = _scores([[(float(one), 1.0) for one in passed]])
  share = passed.mean()
  # The bootstrap's own error is 1/sqrt(2 * 1000) of it, 2.2%.
  assert found['x-a'].standard_error == pytest.approx(
    (share * (1 - share) / 400) ** 0.5, rel=0.1
  )


def test_directions_share_their_items():
  """Two directions that agree on every item tell no more than one."""
  rng = np.random.default_rng(1)
  row = [(float(one), 1.0) for one in rng.random(100) < 0.5]
  other = [(float(one), 1.0) for one in rng.random(100) < 0.5]
  same = _scores([row, row])
  assert same['all'].standard_error == pytest.approx(
    same['x-a'].standard_error, rel=1e-12
  )
  different = _scores([row, other])
  assert (
    different['all'].standard_error < 0.85 * different['x-a'].standard_error
  )


def test_single_items_have_no_standard_error():
  found = _scores([[(1, 2)]])
  assert found['x-a'].standard_error is None
  assert found['all'].standard_error is None


def test_samples_without_an_item_of_a_direction():
  found = _scores([[(1, 1), (0, 1), (1, 1)], [(1, 1), None, None]])
  assert np.isfinite(found['all'].standard_error)
