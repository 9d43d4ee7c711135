"""Which source each sequence of a run comes from, exact over every prefix.

The chairman assignment problem (Tijdeman, Discrete Mathematics 32, 1980):
states share an office over time, and after every year each state must have
held it as often as its accumulated weight says, within less than one year.
Here states are sources, years are sequences, and each sequence of a source is
a job of one unit with a window (`targets`). Among jobs of one unit, taking the
released one with the earliest due date meets all windows that can be met
(Horn, 1974).

Where this rule stands after any number of sequences is computed from the
windows around it, without going through those before, with one addition to
the rule: when a stage begins, sources that it pauses get what they could
still get during the pause (`_Entry`).
"""

from collections.abc import Sequence
import dataclasses
import functools
import heapq
import math

import numpy as np

from codelaw.data import targets as targets_lib

# More than rounding and nudges of all targets add up to.
_MARGIN = 1e-3
_BLOCK = 2**12  # sequences that are assigned together
_KEPT_BLOCKS = 256
# Slots looked back over at once: at first, and at the most.
_FIRST_SCAN = 2**10
_LONGEST_SCAN = 2**18


@functools.lru_cache(maxsize=8)
def of(
  spans: tuple[targets_lib.Span, ...], ends: tuple[int, ...]
) -> 'Assignment':
  """The assignment of a run; one object per run, so that blocks are shared."""
  return Assignment(spans, ends)


@dataclasses.dataclass(frozen=True)
class _Entry:
  """Where a stage begins.

  A source without rate in a stage may have a job that was released before and
  is due after it. Left to its due date, it would be done in the first slot
  that no other job wants, and when that comes depends on the whole pause. So
  as many of these jobs as could ever come to their turn in the pause, those
  due first, are due shortly after it begins.

  Why all windows can still be met: let n_a sources not pause, and Y be what
  the paused ones have had beyond their targets. In the pause, the released
  jobs of the others run out only where their sum of R_k - T_k, which is
  above -n_a e, is at -Y - 1; we do jobs until this cannot be, which leaves
  Y < n_a e. The jobs then due by any later time u are fewer than u - Y +
  2 n e < u + 1. Before `settled`, nothing is asked that was not before.

  Attributes:
    time: sequences done.
    counts: sequences of each source among them, int64 [sources].
    paused: whether the stage gives a source nothing, bool [sources].
    hastened: paused sources whose next job is due at `settled`.
    settled: when all jobs are due that were open at `time`, but paused ones.
  """

  time: int
  counts: np.ndarray
  paused: np.ndarray
  hastened: frozenset[int]
  settled: int


class Assignment:
  """The source of every sequence of a run, read anywhere at once.

  Attributes:
    targets: that the counts keep to.

  >>> run = of((((0.5, 0.25, 0.25), (0.5, 0.25, 0.25)),), (8,))
  >>> run.sources(0, 8).tolist()
  [0, 1, 0, 2, 0, 1, 0, 2]
  >>> run.counts(5).tolist()
  [3, 1, 1]
  """

  def __init__(self, spans: Sequence[targets_lib.Span], ends: Sequence[int]):
    """Computes nothing yet; the arguments are those of `targets.Targets`."""
    self.targets = targets_lib.Targets(spans, ends)
    self._spans = tuple(spans)
    self._ends = tuple(int(end) for end in ends)
    self._entries: dict[int, _Entry] = {}
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
    return before + self._count(taken[:inside])

  def _count(self, taken: np.ndarray) -> np.ndarray:
    return np.bincount(taken, minlength=self.targets.num_sources)

  def _block(self, number: int) -> tuple[np.ndarray, np.ndarray]:
    """(sequences of each source before a block, sources in the block)."""
    found = self._blocks.get(number)
    if found is not None:
      return found
    start = number * _BLOCK
    end = min(start + _BLOCK, self._ends[-1])
    previous = self._blocks.get(number - 1)
    if previous is None:
      before = self._state(start)
    else:
      before = previous[0] + self._count(previous[1])
    parts, counts = [], before
    for stage, stage_end in enumerate(self._ends):
      until = min(end, stage_end)
      if until > start:
        entry = self._entry(stage)
        parts.append(_earliest_due(self.targets, entry, counts, start, until))
        counts, start = counts + self._count(parts[-1]), until
    block = before, np.concatenate(parts)
    # Two threads may come here at once; they find the same.
    self._blocks[number] = block
    for old in list(self._blocks)[:-_KEPT_BLOCKS]:
      self._blocks.pop(old, None)
    return block

  def _entry(self, stage: int) -> _Entry:
    """Where a stage of at least one sequence begins."""
    if stage in self._entries:
      return self._entries[stage]
    targets = self.targets
    time = self._ends[stage - 1] if stage else 0
    counts = self._state(time)
    paused = ~np.any(np.array(self._spans[stage]) > 0, axis=0)
    settled, waiting, beyond = time, [], 0.0
    for k, count in enumerate(counts.tolist()):
      due = int(targets.due(k, np.array([targets.num_due(k, time) + 1]))[0])
      if not paused[k]:
        settled = max(settled, due)
        continue
      beyond += count - targets.reached(k, time)
      if targets.num_released(k, time) > count:
        waiting.append((due, k))
    hastened: frozenset[int] = frozenset()
    if settled < self._ends[stage]:
      room = np.count_nonzero(~paused) * targets.slack + 2 * _MARGIN
      number = max(math.ceil(room - beyond) - 1, 0)
      hastened = frozenset(k for _, k in sorted(waiting)[:number])
    entry = _Entry(time, counts, paused, hastened, settled)
    self._entries[stage] = entry
    return entry

  def _state(self, time: int) -> np.ndarray:
    """What the rule has taken of each source after `time` sequences.

    All jobs that are due are done, and none that is not released. Each source
    has at most one job between the two: it is open. Let o_1, ..., o_q be the
    open jobs in the order of their due dates. The jobs up to o_i are never
    kept waiting by others, so what they leave over follows from when they are
    released alone (Lindley's recursion): with R(s) jobs released by s in all
    and G_i(s) of them among o_i+1, ..., o_q,

      spare_i = max over s of max(0, G_i(s) - (R(s) - s))

    slots since the stage began were left over by the jobs up to o_i, and o_i
    is done if it used one of those that the jobs before it left over. No slot
    is left over by all: R(s) >= s, because R(s) > s - n e.
    """
    if not time:
      return np.zeros(self.targets.num_sources, np.int64)
    entry = self._entry(int(np.searchsorted(self._ends, time, 'left')))
    targets, counts, waiting = self.targets, entry.counts.copy(), []
    for k, before in enumerate(entry.counts.tolist()):
      hastened = k in entry.hastened
      sure = before + (hastened and entry.settled <= time)
      counts[k] = max(targets.num_due(k, time), sure)
      if targets.num_released(k, time) > counts[k]:
        job = np.array([counts[k] + 1])
        due = entry.settled if hastened else int(targets.due(k, job)[0])
        waiting.append((due, k, int(targets.release(k, job)[0])))
    ahead = time - int(counts.sum())
    waiting.sort()
    sources = np.array([k for _, k, _ in waiting], np.int64)
    if 0 < ahead < len(waiting):
      releases = np.array([release for _, _, release in waiting])
      spare = self._spare(entry, time, ahead, sources, releases, counts)
      counts[sources] += spare[:-1] - spare[1:]
    elif ahead:
      counts[sources] += 1
    return counts

  def _spare(
    self,
    entry: _Entry,
    time: int,
    ahead: int,
    sources: np.ndarray,
    releases: np.ndarray,
    counts: np.ndarray,
  ) -> np.ndarray:
    """spare_0, ..., spare_q of `_state`, looking back from `time`.

    The further back, the less the open jobs had come due: G_i(s) - (R(s) - s)
    is the sum of what the sources were short of their targets if all jobs up
    to o_i that were released had been done, which is below e for a source
    that does not pause and has no job after o_i. We stop where this sum
    cannot exceed what was found.

    Args:
      entry: of the stage that `time` is in.
      time: sequences done.
      ahead: how many of the open jobs are done.
      sources: of the open jobs, in the order of their due dates, int64 [q].
      releases: of the open jobs, int64 [q].
      counts: sequences of each source before its open job, int64 [sources].

    Returns:
      int64 [q + 1]
    """
    targets = self.targets
    places = np.arange(len(sources) + 1)
    least = np.maximum(ahead - places, 0)
    most = np.minimum(ahead, places[::-1])
    first = max(int(releases.min()), entry.time + 1)
    high, size = time, _FIRST_SCAN
    while np.any(least < most):
      low = max(first, high - size + 1)
      starts = np.unique(np.maximum(releases[releases <= high], low))
      lead = np.minimum.reduceat(self._lead(low, high), starts - low)
      later = _sums_from(releases <= starts[:, None])
      least = np.maximum(least, np.max(later - lead[:, None], axis=0))
      if low == first:
        break
      high, size = low - 1, min(4 * size, _LONGEST_SCAN)
      reached = [targets.reached(k, high) for k in range(len(counts))]
      short = np.array(reached) - counts
      paused = entry.paused[sources]
      grown = np.where(
        paused, 1.0, np.where(releases <= high, short[sources], 0).clip(0)
      )
      room = np.count_nonzero(~entry.paused) * targets.slack + _MARGIN
      room += float(np.sum(short[entry.paused])) - np.count_nonzero(paused)
      bound = np.floor(_sums_from(grown) + room).astype(np.int64)
      most = np.minimum(most, np.maximum(least, bound))
    return least

  def _lead(self, low: int, high: int) -> np.ndarray:
    """R(s) - s of `_state` for every s in [low, high]."""
    gained = np.zeros(high - low + 1, np.int64)
    for k in range(self.targets.num_sources):
      before = self.targets.num_released(k, low)
      after = self.targets.num_released(k, high)
      times = self.targets.release(k, np.arange(before + 1, after + 1))
      gained[0] += before
      gained += np.bincount(times - low, minlength=len(gained))
    return np.cumsum(gained) - np.arange(low, high + 1)


def _sums_from(values: np.ndarray) -> np.ndarray:
  """Sums of the values from each place on, and 0, along the last axis."""
  sums = np.flip(np.cumsum(np.flip(values, -1), -1), -1)
  return np.concatenate([sums, np.zeros_like(sums[..., :1])], -1)


def _earliest_due(
  targets: targets_lib.Targets,
  entry: _Entry,
  counts: np.ndarray,
  start: int,
  end: int,
) -> np.ndarray:
  """Takes, at each time in (start, end], the released job that is due first.

  Args:
    targets: of all sources.
    entry: of the stage that all these times are in.
    counts: sequences of each source that the first `start` hold.
    start: sequences done.
    end: sequences to do.

  Returns:
    The source taken at each time, int64.
  """
  releases, dues = [], []
  for k, done in enumerate(counts.tolist()):
    numbers = np.arange(done + 1, targets.num_released(k, end) + 1)
    releases.append(targets.release(k, numbers))
    dues.append(targets.due(k, numbers))
    if k in entry.hastened:
      dues[k][numbers == entry.counts[k] + 1] = entry.settled
  release, due = np.concatenate(releases), np.concatenate(dues)
  source = np.repeat(np.arange(len(counts)), [len(r) for r in releases])
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
