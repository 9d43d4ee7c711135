"""Which source each sequence of a run comes from, exact over every prefix.

The chairman assignment problem (Tijdeman, Discrete Mathematics 32, 1980):
states share an office over time, and after every year each state must have
held it as often as its accumulated weight says, within less than one year.
Here states are sources, years are sequences, and the accumulated weight is
the target T_k(t), the sum of source k's shares over the first t sequences.

The m-th sequence of source k is a job of one unit, released at the first t
with T_k(t) >= m - 1 + e and due at the first t with T_k(t) >= m - e. Done
inside these windows, no count is ever further than 1 - e from its target.
Tijdeman proves that windows with e = 1 / (2n - 2) can always be met by n
sources, also when shares change; among jobs of one unit, taking the released
one with the earliest due date meets all windows that can be met (Horn, 1974).
We use half that e: the other half is room for rounding, of T by about
t * 2^-51 and by `_NUDGE`. It is enough for 10^12 sequences of 100 sources.

Where the rule stands after any number of sequences follows without going
through those before (`Assignment.counts`).
"""

from collections.abc import Sequence
import functools
import heapq
import math

import numpy as np

# A target that rounding leaves this far below a threshold has reached it.
_NUDGE = 1e-7
# More than rounding and nudges of all sources add up to.
_MARGIN = 1e-3
_BLOCK = 2**12  # sequences that are assigned together
_KEPT_BLOCKS = 256
# Slots looked back over at once: at first, and at the most.
_FIRST_SCAN = 2**10
_LONGEST_SCAN = 2**18

# Rates of the sources at a stage's first sequence and after its last.
Span = tuple[tuple[float, ...], tuple[float, ...]]


@functools.lru_cache(maxsize=8)
def of(spans: tuple[Span, ...], ends: tuple[int, ...]) -> 'Assignment':
  """The assignment of a run; one object per run, so that blocks are shared."""
  return Assignment(spans, ends)


class Targets:
  """T_k(t) and the windows that follow from it.

  Inside a stage the rate of source k moves from a_k to b_k in proportion to
  the progress u in [0, 1], and u moves as fast as the sum of all rates lets
  it: after u, source k has had N_k(u) = (a_k u + (b_k - a_k) u^2 / 2) c of the
  stage's sequences, where c makes them the whole stage at u = 1. With rates
  that sum to 1 at both ends, u is the share of the stage that is done.
  """

  def __init__(self, spans: Sequence[Span], ends: Sequence[int]):
    """The arguments are those of `Assignment`."""
    lengths = np.diff([0, *ends])
    rates = np.array(spans, float)  # [stages, 2, sources]
    rates *= (lengths / rates.sum((1, 2)) * 2)[:, None, None]
    totals = rates.sum(2)
    self.num_sources = rates.shape[2]
    self.slack = 0.25 / max(1, self.num_sources - 1)
    self._times = np.array([0, *ends], np.int64)
    grown = np.cumsum(rates.mean(1), axis=0)
    self._reached = np.pad(grown, ((1, 0), (0, 0))).T  # [sources, stages + 1]
    self._rates: list[list[list[float]]] = rates.transpose(2, 0, 1).tolist()
    self._totals: list[list[float]] = totals.tolist()

  def reached(self, k: int, time: int) -> float:
    """T_k at a time in [0, ends[-1]]."""
    stage = int(np.searchsorted(self._times, time, 'left')) - 1
    if stage < 0:
      return 0.0
    start, end = self._totals[stage]
    done = float(time - self._times[stage])
    progress = 2 * done / (start + math.sqrt(start**2 + 2 * (end - start) * done))
    start, end = self._rates[k][stage]
    grown = (start + (end - start) * progress / 2) * progress
    return float(self._reached[k][stage]) + grown

  def release(self, k: int, numbers: np.ndarray) -> np.ndarray:
    """When the sequences of source k with these numbers may first be taken.

    Args:
      k: number of the source.
      numbers: of its sequences, ascending, counted from 1.

    Returns:
      Times, int64; past the end for those that the run does not reach.
    """
    return self._first_time(k, numbers - (1 - self.slack))

  def due(self, k: int, numbers: np.ndarray) -> np.ndarray:
    """When they must be taken at the latest; arguments as of `release`."""
    return self._first_time(k, numbers - self.slack)

  def num_released(self, k: int, time: int) -> int:
    """Sequences of source k with a release at `time` or before."""
    sure = max(int(self.reached(k, time)) - 1, 0)
    times = self.release(k, np.arange(sure + 1, sure + 4))
    return sure + int(np.count_nonzero(times <= time))

  def num_due(self, k: int, time: int) -> int:
    """Sequences of source k that are due at `time` or before."""
    sure = max(int(self.reached(k, time)) - 1, 0)
    times = self.due(k, np.arange(sure + 1, sure + 4))
    return sure + int(np.count_nonzero(times <= time))

  def _first_time(self, k: int, thresholds: np.ndarray) -> np.ndarray:
    """The first t with T_k(t) >= threshold; past the end where there is none.

    The same threshold gives the same time to the bit in any array, and a
    higher one no earlier time: everything here rests on that.
    """
    thresholds = thresholds - _NUDGE
    result = np.full(len(thresholds), self._times[-1] + 1)
    reached = self._reached[k]
    if not len(thresholds):
      return result
    first, last = np.searchsorted(reached, thresholds[[0, -1]], 'left')
    borders = np.searchsorted(thresholds, reached, 'right')
    for stage in range(max(first - 1, 0), min(last, len(self._totals))):
      part = slice(borders[stage], borders[stage + 1])
      if part.start == part.stop:
        continue
      start, end = self._rates[k][stage]
      missing = thresholds[part] - reached[stage]
      # The root of N_k(u) = missing that is stable for any two rates.
      root = np.sqrt(np.maximum(start**2 + 2 * (end - start) * missing, 0.0))
      progress = np.minimum(2 * missing / (start + root), 1.0)
      start, end = self._totals[stage]
      after = np.ceil((start + (end - start) * progress / 2) * progress)
      length = self._times[stage + 1] - self._times[stage]
      result[part] = self._times[stage] + np.clip(after, 1, length)
    return result


class Assignment:
  """The source of every sequence of a run, read anywhere at once.

  >>> run = of((((0.5, 0.25, 0.25), (0.5, 0.25, 0.25)),), (8,))
  >>> run.sources(0, 8).tolist()
  [0, 1, 0, 2, 0, 1, 0, 2]
  >>> run.counts(5).tolist()
  [3, 1, 1]
  """

  def __init__(self, spans: Sequence[Span], ends: Sequence[int]):
    """Computes nothing yet.

    Args:
      spans: per stage, the rates of all sources at its start and at its end,
        in sequences per unit of progress (`Targets`); only their ratios count.
      ends: sequences done when each stage ends, non-decreasing.
    """
    self._targets = Targets(spans, ends)
    self._num_slots = int(ends[-1])
    self._blocks: dict[int, tuple[np.ndarray, np.ndarray]] = {}

  def sources(self, start: int, end: int) -> np.ndarray:
    """Numbers of the sources of the sequences in [start, end), int64."""
    first, last = start // _BLOCK, -(-end // _BLOCK)
    parts = [self._block(number)[1] for number in range(first, last)]
    joined = np.concatenate([*parts, np.zeros(0, np.int64)])
    return joined[start - first * _BLOCK : end - first * _BLOCK]

  def counts(self, slot: int) -> np.ndarray:
    """Sequences of each source among the first `slot`, int64 [sources]."""
    number, inside = divmod(slot, _BLOCK)
    block = self._blocks.get(number)
    if block is None:
      return self._state(slot)
    before, taken = block
    return before + np.bincount(
      taken[:inside], minlength=self._targets.num_sources
    )

  def _block(self, number: int) -> tuple[np.ndarray, np.ndarray]:
    """(sequences of each source before a block, sources in the block)."""
    found = self._blocks.get(number)
    if found is not None:
      return found
    start = number * _BLOCK
    previous = self._blocks.get(number - 1)
    if previous is None:
      before = self._state(start)
    else:
      before = previous[0] + np.bincount(
        previous[1], minlength=self._targets.num_sources
      )
    end = min(start + _BLOCK, self._num_slots)
    taken = _earliest_due(self._targets, before, start, end)
    # Threads may both come here; they find the same.
    self._blocks[number] = before, taken
    for old in list(self._blocks)[:-_KEPT_BLOCKS]:
      self._blocks.pop(old, None)
    return before, taken

  def _state(self, time: int) -> np.ndarray:
    """What the rule has taken of each source after `time` sequences.

    All jobs that are due are done, and none that is not released. Each source
    has at most one job between the two: it is open. Let o_1, ..., o_q be the
    open jobs in the order of their due dates. The jobs up to o_i are never
    kept waiting by others, so what they leave over follows from when they are
    released alone (Lindley's recursion): with R(s) jobs released by s in all
    and G_i(s) of them among o_i+1, ..., o_q,

      spare_i = max over s of max(0, G_i(s) - (R(s) - s))

    slots before `time` were left over by the jobs up to o_i, and o_i is done
    if it used one of those that the jobs before it left over. No slot is left
    over by all: R(s) >= s, because R(s) > s - n e.
    """
    targets = self._targets
    num_due, waiting = [], []
    for k in range(targets.num_sources):
      num_due.append(targets.num_due(k, time))
      if targets.num_released(k, time) > num_due[k]:
        job = np.array([num_due[k] + 1])
        due, release = targets.due(k, job)[0], targets.release(k, job)[0]
        waiting.append((int(due), k, int(release)))
    counts = np.array(num_due, np.int64)
    ahead = time - sum(num_due)
    waiting.sort()
    open_sources = np.array([k for _, k, _ in waiting], np.int64)
    if 0 < ahead < len(waiting):
      releases = np.array([release for _, _, release in waiting])
      spare = self._spare(time, ahead, open_sources, releases, counts)
      counts[open_sources] += spare[:-1] - spare[1:]
    elif ahead:
      counts[open_sources] += 1
    return counts

  def _spare(
    self,
    time: int,
    ahead: int,
    open_sources: np.ndarray,
    releases: np.ndarray,
    num_due: np.ndarray,
  ) -> np.ndarray:
    """spare_0, ..., spare_q of `_state`, looking back from `time`.

    The further back, the less the open jobs had come due: G_i(s) - (R(s) - s)
    is below the sum of T_k(s) - m + 1 over the open jobs after o_i that were
    released, plus n e. We stop where this cannot exceed what was found.
    """
    targets, count = self._targets, len(open_sources)
    places = np.arange(count + 1)
    least = np.maximum(ahead - places, 0)
    most = np.minimum(ahead, count - places)
    first, high, size = int(releases.min()), time, _FIRST_SCAN
    while np.any(least < most):
      low = max(first, high - size + 1)
      starts = np.unique(np.maximum(releases[releases <= high], low))
      lead = np.minimum.reduceat(self._lead(low, high), starts - low)
      later = _sums_from(releases <= starts[:, None])
      least = np.maximum(least, np.max(later - lead[:, None], axis=0))
      if low == first:
        break
      high, size = low - 1, min(4 * size, _LONGEST_SCAN)
      grown = [
        max(targets.reached(k, high) - num_due[k], 0.0) if r <= high else 0.0
        for k, r in zip(open_sources.tolist(), releases, strict=True)
      ]
      room = targets.num_sources * targets.slack + _MARGIN
      bound = np.floor(_sums_from(np.array(grown)) + room)
      most = np.minimum(most, np.maximum(least, bound.astype(np.int64)))
    return least

  def _lead(self, low: int, high: int) -> np.ndarray:
    """R(s) - s of `_state` for every s in [low, high]."""
    gained = np.zeros(high - low + 1, np.int64)
    for k in range(self._targets.num_sources):
      before = self._targets.num_released(k, low)
      after = self._targets.num_released(k, high)
      times = self._targets.release(k, np.arange(before + 1, after + 1))
      gained[0] += before
      gained += np.bincount(times - low, minlength=len(gained))
    return np.cumsum(gained) - np.arange(low, high + 1)


def _sums_from(values: np.ndarray) -> np.ndarray:
  """Sums of the values from each place on, and 0, along the last axis."""
  sums = np.flip(np.cumsum(np.flip(values, -1), -1), -1)
  return np.concatenate([sums, np.zeros_like(sums[..., :1])], -1)


def _earliest_due(
  targets: Targets, counts: np.ndarray, start: int, end: int
) -> np.ndarray:
  """Takes, at each time in (start, end], the released job that is due first.

  Args:
    targets: of all sources.
    counts: sequences of each source that the first `start` hold.
    start: sequences done.
    end: sequences to do.

  Returns:
    The source taken at each time, int64.
  """
  numbers = [
    np.arange(done + 1, targets.num_released(k, end) + 1)
    for k, done in enumerate(counts.tolist())
  ]
  release = np.concatenate([targets.release(k, n) for k, n in enumerate(numbers)])
  due = np.concatenate([targets.due(k, n) for k, n in enumerate(numbers)])
  source = np.repeat(np.arange(len(counts)), [len(n) for n in numbers])
  order = np.argsort(release, kind='stable')
  jobs = list(zip(due[order].tolist(), source[order].tolist(), strict=True))
  times = np.arange(start + 1, end + 1)
  released = np.searchsorted(release[order], times, 'right').tolist()
  waiting: list[tuple[int, int]] = []
  taken, seen = [], 0
  for until in released:
    while seen < until:
      heapq.heappush(waiting, jobs[seen])
      seen += 1
    taken.append(heapq.heappop(waiting)[1])
  return np.array(taken, np.int64)
