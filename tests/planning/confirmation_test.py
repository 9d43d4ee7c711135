"""Paired comparison of two arms: the t interval and the verdict."""

import json

import numpy as np
import pytest

from codelaw import errors
from codelaw.planning import confirmation


def _arm(objectives, first_seed=0):
  return [
    confirmation.ArmRun(
      run_id=f'run-{seed}',
      seed=seed,
      objective=objective,
      losses={'loss/code/python': objective},
    )
    for seed, objective in enumerate(objectives, first_seed)
  ]


def _compare(uniform, allocated, **rest):
  return confirmation.paired_difference(
    uniform, allocated, num_params=1000, num_tokens=2000, **rest
  )


def test_the_interval_is_students():
  # Differences -0.1, -0.2, -0.3: s = 0.1, t_{0.975, 2} = 4.302653.
  result = _compare(_arm([2.0, 3.0, 4.0]), _arm([1.9, 2.8, 3.7]))
  assert result.difference == pytest.approx(-0.2)
  half = 4.302652729911275 * 0.1 / np.sqrt(3)
  assert result.low == pytest.approx(-0.2 - half)
  assert result.high == pytest.approx(-0.2 + half)


@pytest.mark.parametrize(
  ('allocated', 'verdict'),
  [
    ([1.90, 2.91, 3.90], confirmation.ALLOCATED_BETTER),
    ([2.10, 3.09, 4.10], confirmation.UNIFORM_BETTER),
    ([1.90, 3.10, 4.01], confirmation.UNDECIDED),
  ],
)
def test_the_verdict_says_who_won(allocated, verdict):
  result = _compare(_arm([2.0, 3.0, 4.0]), _arm(allocated))
  assert result.verdict.startswith(verdict)


def test_runs_are_paired_by_seed_not_by_order():
  uniform, allocated = _arm([2.0, 3.0]), _arm([1.9, 2.9])
  expected = _compare(uniform, allocated)
  assert _compare(uniform, allocated[::-1]) == expected
  assert _compare(uniform[::-1], allocated) == expected


def test_one_pair_decides_nothing():
  result = _compare(_arm([2.0]), _arm([1.0]))
  assert (result.low, result.high) == (None, None)
  assert result.verdict.startswith(confirmation.UNDECIDED)


@pytest.mark.parametrize(
  ('uniform', 'allocated', 'message'),
  [
    ([], [], 'same seeds'),
    (_arm([1.0, 2.0]), _arm([1.0]), 'same seeds'),
    (_arm([1.0]), _arm([1.0], first_seed=5), 'same seeds'),
    (_arm([1.0]) * 2, _arm([1.0]) * 2, 'twice'),
    (_arm([float('nan')]), _arm([1.0]), 'finite'),
  ],
)
def test_arms_that_do_not_pair_are_refused(uniform, allocated, message):
  with pytest.raises(errors.UserError, match=message):
    _compare(uniform, allocated)


def test_json_comes_back_equal():
  result = _compare(
    _arm([2.0, 3.0]),
    _arm([1.9, 2.8]),
    predicted_difference=-0.1,
    predicted_interval=(-0.2, -0.05),
  )
  content = json.loads(json.dumps(confirmation.to_json(result)))
  assert confirmation.from_json(content) == result
  assert set(content['arms']) == {'uniform', 'allocated'}
