"""Which source each sequence of a run comes from, exact over every prefix.

The chairman assignment problem (Tijdeman, Discrete Mathematics 32, 1980):
states share an office over time, and after every year each state must have
held it as often as its accumulated weight says, within less than one year.
Here states are sources, years are sequences, and the accumulated weight is
the target T_k(t), the sum of source k's shares over the first t sequences.
"""

from collections.abc import Sequence
import functools
import heapq

import numpy as np


@functools.lru_cache(maxsize=32)
def assign(
  shares: tuple[tuple[float, ...], ...], ends: tuple[int, ...]
) -> np.ndarray:
  """The source of every sequence.

  The m-th sequence of source k is released at the first t with
  T_k(t) >= m - 1 + e and due at the first t with T_k(t) > m - e. Placed inside
  these windows, no count is ever further than 1 - e from its target. Tijdeman
  proves that windows with e = 1 / (2n - 2) can always be met by n sources,
  also when shares change; among jobs of one unit, taking the released one with
  the earliest due date meets all windows that can be met (Horn, 1974). We use
  half that e: the other half is room for rounding, which stays below 1e-7 up to
  10^8 sequences.

  The state of the rule after t sequences is the count of each source. To enter
  it anywhere without this array (one byte or two per sequence), store those
  counts every few thousand sequences and run the rule from there.

  >>> assign(((0.5, 0.25, 0.25),), (8,)).tolist()
  [0, 1, 0, 2, 0, 1, 0, 2]

  Args:
    shares: [stages][sources], each stage with sum 1.
    ends: sequences done when each stage ends, non-decreasing.

  Returns:
    Source numbers, unsigned integers [ends[-1]]; read-only.
  """
  total, num_sources = ends[-1], len(shares[0])
  slack = 0.25 / max(1, num_sources - 1)
  releases, dues, sources = [], [], []
  for k in range(num_sources):
    rates = [stage[k] for stage in shares]
    release = _first_time(rates, ends, slack)
    due = _first_time(rates, ends, 1 - slack)
    # A last sequence whose due date lies beyond the run may come or not.
    due = np.append(due, [total + 1] * (len(release) - len(due)))
    releases.append(release)
    dues.append(due)
    sources.append(np.full(len(release), k))
  release = np.concatenate(releases)
  order = np.argsort(release, kind='stable')
  jobs = list(
    zip(
      np.concatenate(dues)[order].tolist(),
      np.concatenate(sources)[order].tolist(),
      strict=True,
    )
  )
  released = np.searchsorted(release[order], np.arange(1, total + 1), 'right')
  result = _earliest_due(jobs, released.tolist())
  assignment = np.array(result, np.min_scalar_type(num_sources - 1))
  assignment.flags.writeable = False
  return assignment


def _first_time(
  rates: Sequence[float], ends: Sequence[int], offset: float
) -> np.ndarray:
  """The first t with T(t) >= offset, 1 + offset, 2 + offset, ...

  T grows by rates[s] per sequence of stage s.
  """
  times = []
  start, target, done = 0, 0.0, 0
  for rate, end in zip(rates, ends, strict=True):
    reached = target + rate * (end - start)
    # Jobs `done` to `until - 1` have their threshold in (target, reached].
    until = max(done, int(np.floor(reached - offset)) + 1)
    if until > done:
      thresholds = np.arange(done, until) + offset
      after = np.ceil((thresholds - target) / rate).astype(np.int64)
      times.append(start + np.clip(after, 1, end - start))
    start, target, done = end, reached, until
  return np.concatenate([np.zeros(0, np.int64), *times])


def _earliest_due(
  jobs: list[tuple[int, int]], released: list[int]
) -> list[int]:
  """Takes, at each time, the released job with the earliest due date.

  Args:
    jobs: (due, source) by release time.
    released: how many of them are released at each time.

  Returns:
    The source taken at each time.
  """
  waiting: list[tuple[int, int]] = []
  taken, seen = [], 0
  for until in released:
    while seen < until:
      heapq.heappush(waiting, jobs[seen])
      seen += 1
    taken.append(heapq.heappop(waiting)[1])
  return taken
