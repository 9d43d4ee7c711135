import fractions

import numpy as np
import pytest

from codelaw.data import targets as targets_lib


def _exact(spans, ends, k, time):
  """T_k(time) of rates that sum to 1, in fractions."""
  total, start = fractions.Fraction(0), 0
  for (first, last), end in zip(spans, ends, strict=True):
    done = max(0, min(time, end) - start)
    if done:
      slope = (fractions.Fraction(last[k]) - fractions.Fraction(first[k])) / (
        end - start
      )
      total += done * fractions.Fraction(first[k]) + slope * done**2 / 2
    start = end
  return total


def _first(targets, k, threshold, end):
  """By search: the first time at which T_k is at a threshold."""
  times = (t for t in range(1, end + 1) if targets.reached(k, t) >= threshold)
  return next(times, end + 1)


_SPANS = (
  ((0.5, 0.25, 0.25), (0.5, 0.25, 0.25)),
  ((0.5, 0.5, 0.0), (0.0, 0.5, 0.5)),
  ((0.0, 1.0, 0.0), (0.0, 1.0, 0.0)),
  ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0)),
)
_ENDS = (8, 28, 28, 70)


def test_targets_are_the_integrals_of_the_rates():
  targets = targets_lib.Targets(_SPANS, _ENDS)
  for time in range(71):
    for k in range(3):
      exact = float(_exact(_SPANS, _ENDS, k, time))
      assert targets.reached(k, time) == pytest.approx(exact, abs=1e-12)
  assert targets.progress(1, 18) == pytest.approx(0.5)


def test_windows_open_and_close_where_targets_reach_their_thresholds():
  targets = targets_lib.Targets(_SPANS, _ENDS)
  numbers = np.arange(1, 40)
  e = targets.slack
  assert e == 0.125
  for k in range(3):
    release, due = targets.release(k, numbers), targets.due(k, numbers)
    for m, opened, closed in zip(numbers, release, due, strict=True):
      assert opened == _first(targets, k, m - 1 + e - 1e-7, 70)
      assert closed == _first(targets, k, m - e - 1e-7, 70)
    for time in range(71):
      assert targets.num_released(k, time) == np.count_nonzero(release <= time)
      assert targets.num_due(k, time) == np.count_nonzero(due <= time)


def test_a_threshold_has_one_time_in_any_array():
  targets = targets_lib.Targets(_SPANS, _ENDS)
  numbers = np.arange(1, 40)
  for k in range(3):
    alone = [int(targets.due(k, numbers[i : i + 1])[0]) for i in range(39)]
    assert alone == targets.due(k, numbers).tolist()
    assert alone == sorted(alone)


def test_unequal_sums_of_rates_only_bend_the_progress():
  """Sequences of a half-full source count double, tokens move linearly."""
  spans = (((1.0, 0.0), (0.0, 2.0)),)  # shares (1, 0) to (0, 1), fill (1, 1/2)
  targets = targets_lib.Targets(spans, (3000,))
  middle = next(t for t in range(3001) if targets.progress(0, t) >= 0.5)
  # By u = 1/2: u - u^2/2 = 3/8 of tokens 1; u^2 = 1/4 sequences of source 2,
  # out of 1/2 and 1 in all.
  assert targets.reached(0, middle) == pytest.approx(750, abs=1)
  assert targets.reached(1, middle) == pytest.approx(500, abs=1)
  assert targets.reached(0, 3000) == pytest.approx(1000)
  assert targets.reached(1, 3000) == pytest.approx(2000)


@pytest.mark.parametrize('num_sources', [2, 1000])
def test_rounding_stays_far_inside_the_slack_at_10_to_the_9(num_sources):
  generator = np.random.default_rng(num_sources)
  sides = generator.pareto(1.0, (2, 2, num_sources)) + 1e-9
  sides[1, 1, 0] = 0.0  # a rate that falls to nothing
  sides /= sides.sum(-1, keepdims=True)
  spans = tuple(tuple(map(tuple, span)) for span in sides.tolist())
  ends = (4 * 10**8, 10**9)
  targets = targets_lib.Targets(spans, ends)
  for k in range(min(num_sources, 20)):
    released = targets.num_released(k, 10**9)
    numbers = np.unique(np.linspace(1, released, 9).astype(np.int64))
    times = targets.release(k, numbers)
    for m, time in zip(numbers.tolist(), times.tolist(), strict=True):
      room = targets.slack / 2
      threshold = m - 1 + targets.slack
      assert _exact(spans, ends, k, time) >= threshold - room
      assert _exact(spans, ends, k, time - 1) < threshold + room
