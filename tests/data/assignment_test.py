import fractions
import time

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest

from codelaw.data import assignment


@st.composite
def _mixtures(draw):
  """Shares of 1-6 sources, also 0 and tiny, over 1-4 stages, also empty."""
  num_sources = draw(st.integers(1, 6))
  weight = st.one_of(
    st.just(0.0),
    st.floats(1e-9, 1e-3),
    st.floats(0.01, 1.0),
    st.sampled_from([1.0, 1 / 3, 0.1]),
  )
  shares, ends = [], [0]
  for _ in range(draw(st.integers(1, 4))):
    weights = draw(st.lists(weight, min_size=num_sources, max_size=num_sources))
    if not sum(weights):
      weights[draw(st.integers(0, num_sources - 1))] = 1.0
    shares.append(tuple(w / sum(weights) for w in weights))
    ends.append(ends[-1] + draw(st.integers(0, 120)))
  ends[-1] += 1
  return tuple(shares), tuple(ends[1:])


def _errors(assigned, shares, ends):
  """Exact |count - target| over every prefix and source."""
  num_sources = len(shares[0])
  targets = [fractions.Fraction(0)] * num_sources
  counts, errors, stage = [0] * num_sources, [], 0
  for t, source in enumerate(assigned.tolist()):
    while t >= ends[stage]:
      stage += 1
    for k in range(num_sources):
      targets[k] += fractions.Fraction(shares[stage][k])
    counts[source] += 1
    errors.append([abs(counts[k] - targets[k]) for k in range(num_sources)])
  return errors


@hypothesis.given(_mixtures())
@hypothesis.settings(deadline=None, max_examples=80)
def test_no_prefix_is_a_whole_sequence_off(mixture):
  shares, ends = mixture
  assigned = assignment.assign(shares, ends)
  assert len(assigned) == ends[-1]
  worst = max(max(row) for row in _errors(assigned, shares, ends))
  assert worst < 1
  # What the docstring promises, with room for rounding.
  assert worst <= 1 - 0.25 / max(1, len(shares[0]) - 1) + 1e-9


def test_a_source_without_share_never_comes():
  shares = ((0.5, 0.0, 0.5), (0.0, 1.0, 0.0), (0.5, 0.0, 0.5))
  assigned = assignment.assign(shares, (10, 15, 31))
  np.testing.assert_array_equal(
    assigned == 1, [10 <= t < 15 for t in range(31)]
  )


def test_whole_targets_are_met_on_the_sequence():
  assigned = assignment.assign(((0.7, 0.2, 0.1),), (1000,))
  for end in range(10, 1001, 10):
    counts = np.bincount(assigned[:end], minlength=3)
    np.testing.assert_array_equal(counts, np.array([7, 2, 1]) * end // 10)


def test_a_stage_border_needs_no_fresh_start():
  """Fractions that a stage leaves over are carried into the next."""
  ends = tuple(range(1, 91))  # a stage of one sequence each
  assigned = assignment.assign(((1 / 3, 1 / 3, 1 / 3),) * 90, ends)
  np.testing.assert_array_equal(np.bincount(assigned), [30, 30, 30])


@pytest.mark.parametrize('num_sources', [2, 50, 300])
def test_many_sources(num_sources):
  generator = np.random.default_rng(num_sources)
  weights = generator.pareto(1.0, num_sources)
  shares = tuple((weights / weights.sum()).tolist())
  assigned = assignment.assign((shares,), (3000,))
  counts = np.cumsum(np.eye(num_sources)[assigned], axis=0)
  targets = np.outer(np.arange(1, 3001), shares)
  assert np.abs(counts - targets).max() < 1


def _plainly(shares, ends):
  """The rule itself: one block, no copies of periods."""
  targets = assignment._Targets(shares, ends)
  counts = np.zeros(len(shares[0]), np.int64)
  return assignment._earliest_due(targets, counts, 0, ends[-1])


@st.composite
def _periodic_mixtures(draw):
  num_sources = draw(st.integers(1, 4))
  shares, ends = [], [0]
  for _ in range(draw(st.integers(1, 3))):
    weights = draw(
      st.lists(
        st.integers(0, 5), min_size=num_sources, max_size=num_sources
      ).filter(any)
    )
    shares.append(tuple(w / sum(weights) for w in weights))
    ends.append(ends[-1] + draw(st.integers(0, 300)))
  ends[-1] += 1
  return tuple(shares), tuple(ends[1:])


@hypothesis.given(_periodic_mixtures())
@hypothesis.settings(deadline=None, max_examples=80)
def test_copied_periods_are_what_the_rule_gives(mixture):
  shares, ends = mixture
  expected = _plainly(shares, ends)
  assert assignment.assign(shares, ends).tolist() == expected
  worst = max(max(row) for row in _errors(np.array(expected), shares, ends))
  assert worst < 1


@hypothesis.given(_mixtures())
@hypothesis.settings(deadline=None, max_examples=30)
def test_blocks_are_joined_without_a_trace(mixture):
  shares, ends = mixture
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(assignment, '_BLOCK', 7)
    assigned = assignment.assign.__wrapped__(shares, ends)
  assert assigned.tolist() == _plainly(shares, ends)


def test_large_runs_are_assigned_fast():
  start = time.perf_counter()
  assignment.assign(((0.31415, 0.27182, 0.16181, 0.25222),), (300_000,))
  assert time.perf_counter() - start < 10  # 0.3 s on an idle core
  start = time.perf_counter()
  assigned = assignment.assign(((0.3, 0.5, 0.2), (0, 0, 1)), (10**7, 10**7 + 5))
  assert np.bincount(assigned[: 10**7]).tolist() == [
    3 * 10**6,
    5 * 10**6,
    2 * 10**6,
  ]
  assert time.perf_counter() - start < 5  # 0.05 s on an idle core
