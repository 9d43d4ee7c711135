import fractions
import time

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest

from codelaw.data import assignment
from codelaw.data import targets as targets_lib


def _still(*shares):
  """Spans of stages whose rates do not move."""
  return tuple((tuple(share), tuple(share)) for share in shares)


@st.composite
def _mixtures(draw, max_sources=6, max_length=120):
  """Rates of sources, also 0 and tiny, over 1-4 stages, still and moving."""
  num_sources = draw(st.integers(1, max_sources))
  weight = st.one_of(
    st.just(0.0),
    st.floats(1e-9, 1e-3),
    st.floats(0.01, 1.0),
    st.sampled_from([1.0, 1 / 3, 0.1]),
  )

  def side():
    weights = draw(st.lists(weight, min_size=num_sources, max_size=num_sources))
    if not sum(weights):
      weights[draw(st.integers(0, num_sources - 1))] = 1.0
    return tuple(w / sum(weights) for w in weights)

  spans, ends = [], [0]
  for _ in range(draw(st.integers(1, 4))):
    start = side()
    spans.append((start, side() if draw(st.booleans()) else start))
    ends.append(ends[-1] + draw(st.integers(0, max_length)))
  ends[-1] += 1
  return tuple(spans), tuple(ends[1:])


def _deviations(assigned, spans, ends):
  """Exact |count - target| after every sequence, as fractions."""
  num_sources = len(spans[0][0])
  counts, before = [0] * num_sources, [fractions.Fraction(0)] * num_sources
  stage, start = 0, 0
  for t, source in enumerate(assigned.tolist()):
    while t >= ends[stage]:
      for k in range(num_sources):
        first, last = (fractions.Fraction(side[k]) for side in spans[stage])
        before[k] += (first + last) / 2 * (ends[stage] - start)
      start, stage = ends[stage], stage + 1
    counts[source] += 1
    done, length = t + 1 - start, ends[stage] - start
    for k in range(num_sources):
      first, last = (fractions.Fraction(side[k]) for side in spans[stage])
      moved = (last - first) * fractions.Fraction(done * done, 2 * length)
      yield abs(counts[k] - before[k] - first * done - moved)


def _simulated(spans, ends):
  """The rule job by job from the first sequence on, and its windows met."""
  targets = targets_lib.Targets(spans, ends)
  sources = range(targets.num_sources)
  counts, taken, now = [0] * targets.num_sources, [], 0

  def window(k, number):
    job = np.array([number])
    return int(targets.release(k, job)[0]), int(targets.due(k, job)[0])

  for (start, last), end in zip(spans, ends, strict=True):
    if end == now:
      continue
    paused = [k for k in sources if not start[k] + last[k]]
    active = [k for k in sources if start[k] + last[k]]
    hastened = {}
    settled = max(window(k, targets.num_due(k, now) + 1)[1] for k in active)
    if settled < end:
      waiting = [(window(k, counts[k] + 1), k) for k in paused]
      beyond = sum(counts[k] - targets.reached(k, now) for k in paused)
      for _, k in sorted((due, k) for (r, due), k in waiting if r <= now):
        if beyond + 1 < len(active) * targets.slack + 2e-3:
          hastened[k, counts[k] + 1] = settled
          beyond += 1
    windows = [window(k, counts[k] + 1) for k in sources]
    while now < end:
      now += 1
      due, k = min(
        (hastened.get((k, counts[k] + 1), windows[k][1]), k)
        for k in sources
        if windows[k][0] <= now
      )
      assert now <= due
      taken.append(k)
      counts[k] += 1
      windows[k] = window(k, counts[k] + 1)
  assert all(w[1] > now for w in windows)
  return np.array(taken)


@hypothesis.given(_mixtures())
@hypothesis.settings(deadline=None, max_examples=80)
def test_no_prefix_is_a_whole_sequence_off(mixture):
  spans, ends = mixture
  assigned = assignment.Assignment(spans, ends).sources(0, ends[-1])
  assert len(assigned) == ends[-1]
  worst = max(_deviations(assigned, spans, ends))
  assert worst < 1
  # What the docstring promises, with room for rounding.
  assert worst <= 1 - 0.25 / max(1, len(spans[0][0]) - 1) + 1e-6


@hypothesis.given(_mixtures(), st.data())
@hypothesis.settings(deadline=None, max_examples=80)
def test_any_place_is_what_the_rule_comes_to_from_the_start(mixture, data):
  spans, ends = mixture
  expected = _simulated(spans, ends)
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(assignment, '_BLOCK', data.draw(st.sampled_from([7, 4096])))
    patch.setattr(assignment, '_FIRST_SCAN', 4)
    run = assignment.Assignment(spans, ends)
    for place in data.draw(st.lists(st.integers(0, ends[-1]), max_size=8)):
      counts = np.bincount(expected[:place], minlength=len(spans[0][0]))
      fresh = assignment.Assignment(spans, ends)
      np.testing.assert_array_equal(fresh.counts(place), counts)
      start = data.draw(st.integers(0, place))
      np.testing.assert_array_equal(
        run.sources(start, place), expected[start:place]
      )
      np.testing.assert_array_equal(run.counts(place), counts)


@pytest.mark.parametrize('num_sources', [1, 2, 9, 40])
@pytest.mark.parametrize('tiny', [False, True])
def test_many_and_tiny_sources_in_any_order_of_blocks(
  num_sources, tiny, monkeypatch
):
  generator = np.random.default_rng(num_sources)
  sides = generator.pareto(1.0, (4, 2, num_sources)) + 1e-9
  if tiny:
    sides[..., : num_sources // 2] *= 1e-4
  sides[1:3, :, : num_sources // 3] = 0.0  # paused over two stages
  sides[1, 1] = sides[1, 0]
  sides /= sides.sum(-1, keepdims=True)
  spans = tuple(tuple(map(tuple, span)) for span in sides.tolist())
  ends = (300, 700, 900, 1200)
  expected = _simulated(spans, ends)
  monkeypatch.setattr(assignment, '_BLOCK', 256)
  monkeypatch.setattr(assignment, '_KEPT_BLOCKS', 3)
  monkeypatch.setattr(assignment, '_FIRST_SCAN', 16)
  run = assignment.Assignment(spans, ends)
  for start in generator.permutation(range(0, 1200, 100)).tolist():
    np.testing.assert_array_equal(
      run.sources(start, start + 100), expected[start : start + 100]
    )
    np.testing.assert_array_equal(
      assignment.Assignment(spans, ends).counts(start),
      np.bincount(expected[:start], minlength=num_sources),
    )


def test_a_source_without_share_never_comes():
  spans = _still((0.5, 0.0, 0.5), (0.0, 1.0, 0.0), (0.5, 0.0, 0.5))
  assigned = assignment.of(spans, (10, 15, 31)).sources(0, 31)
  np.testing.assert_array_equal(
    assigned == 1, [10 <= t < 15 for t in range(31)]
  )


def test_whole_targets_are_met_on_the_sequence():
  run = assignment.of(_still((0.7, 0.2, 0.1)), (1000,))
  for end in range(10, 1001, 10):
    np.testing.assert_array_equal(
      run.counts(end), np.array([7, 2, 1]) * end // 10
    )


def test_a_stage_border_needs_no_fresh_start():
  """Fractions that a stage leaves over are carried into the next."""
  spans = _still((1 / 3, 1 / 3, 1 / 3)) * 90
  ends = tuple(range(1, 91))  # a stage of one sequence each
  assert assignment.of(spans, ends).counts(90).tolist() == [30, 30, 30]


def test_a_ramp_by_hand():
  """From all of one source to all of the other: 8 - x^2/16 and x^2/16."""
  run = assignment.of((((1.0, 0.0), (0.0, 1.0)),), (8,))
  # Source 1: released at x^2/16 >= m - 3/4, so at 2, 5, 6, 8; due where it is
  # m - 1/4, at 4, 6, 7, 8. Source 0: released at 1, 2, 3, 5; due at 1, 2, 4, 6.
  assert run.sources(0, 8).tolist() == [0, 0, 0, 1, 0, 1, 1, 1]


def _counts_and_seconds(spans, ends, place):
  fastest = np.inf
  for _ in range(3):  # the machine may be busy
    run = assignment.Assignment(spans, ends)
    start = time.perf_counter()
    counts = run.counts(place)
    run.sources(place, place + 512)
    fastest = min(fastest, time.perf_counter() - start)
  return counts, fastest


@pytest.mark.parametrize('moving', [False, True])
@pytest.mark.parametrize('num_sources', [10, 40])
def test_far_places_are_read_at_once(num_sources, moving):
  generator = np.random.default_rng(num_sources)
  start, end = generator.dirichlet(np.ones(num_sources), 2).tolist()
  spans = ((tuple(start), tuple(end if moving else start)),)
  place = 512 * 10**6 + 77
  counts, seconds = _counts_and_seconds(spans, (10**9,), place)
  assert counts.sum() == place
  progress = fractions.Fraction(place, 10**9)
  for k, count in enumerate(counts.tolist()):
    first = fractions.Fraction(start[k])
    moved = (fractions.Fraction(spans[0][1][k]) - first) * progress / 2
    assert abs(count - (first + moved) * place) < 1
  assert seconds < 1  # 0.01 s on an idle core


def test_a_long_pause_is_not_gone_through():
  generator = np.random.default_rng(0)
  first = generator.dirichlet(np.ones(12)).tolist()
  later = [0.0] * 6 + generator.dirichlet(np.ones(6)).tolist()
  spans, ends = _still(first, later, first), (10**8 + 3, 9 * 10**8, 10**9)
  for place in (5 * 10**8, 9 * 10**8, 10**9 - 1000):
    counts, seconds = _counts_and_seconds(spans, ends, place)
    assert counts.sum() == place
    assert seconds < 1  # 0.02 s on an idle core; 10 s if it were
