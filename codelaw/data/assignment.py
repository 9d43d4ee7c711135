"""Which source each sequence of a run comes from, exact over every prefix.

The chairman assignment problem (Tijdeman, Discrete Mathematics 32, 1980):
states share an office over time, and after every year each state must have
held it as often as its accumulated weight says, within less than one year.
Here states are sources, years are sequences, and the accumulated weight is
the target T_k(t), the sum of source k's shares over the first t sequences.
"""

import fractions
import functools
import heapq
import math

import numpy as np

# Windows of this many sequences are computed at once; bounds the memory.
_BLOCK = 2**17
# Shares that are multiples of 1 / period repeat themselves; longer periods are
# not looked for.
_LONGEST_PERIOD = 100_000
# A target that rounding leaves this far below a threshold has reached it.
_NUDGE = 1e-7


@functools.lru_cache(maxsize=4)
def assign(
  shares: tuple[tuple[float, ...], ...], ends: tuple[int, ...]
) -> np.ndarray:
  """The source of every sequence.

  The m-th sequence of source k is released at the first t with
  T_k(t) >= m - 1 + e and due at the first t with T_k(t) >= m - e. Placed inside
  these windows, no count is ever further than 1 - e from its target. Tijdeman
  proves that windows with e = 1 / (2n - 2) can always be met by n sources,
  also when shares change; among jobs of one unit, taking the released one with
  the earliest due date meets all windows that can be met (Horn, 1974). We use
  half that e: the other half is room for rounding, which stays below 2e-7 up to
  10^8 sequences.

  The state of the rule is the count of each source. Where shares are multiples
  of 1/q, it comes back after q sequences, and the assignment is copied instead
  of computed. Other shares cost about 1 second per 10^6 sequences, once per
  process; reading them anywhere at once would need the counts stored at the
  borders of blocks.

  >>> assign(((0.5, 0.25, 0.25),), (8,)).tolist()
  [0, 1, 0, 2, 0, 1, 0, 2]

  Args:
    shares: [stages][sources], each stage with sum 1.
    ends: sequences done when each stage ends, non-decreasing.

  Returns:
    Source numbers, unsigned integers [ends[-1]]; read-only.
  """
  num_sources = len(shares[0])
  targets = _Targets(shares, ends)
  result = np.empty(ends[-1], np.min_scalar_type(num_sources - 1))
  counts = np.zeros(num_sources, np.int64)
  time = 0
  for stage, end in zip(shares, ends, strict=True):
    period = _period(stage)
    while time < end:
      until = min(end, time + (period or _BLOCK))
      part = result[time:until]
      part[:] = _earliest_due(targets, counts, time, until)
      gained = np.bincount(part, minlength=num_sources)
      counts, time = counts + gained, until
      if period is None or np.any(
        gained != np.rint(np.multiply(stage, period))
      ):
        continue
      # The counts are where they were, a period on. So are the windows, as
      # long as they end inside the stage.
      longest = math.ceil(1 / min(share for share in stage if share > 0)) + 1
      copies = max(0, (end - longest - time) // period)
      result[time : time + copies * period] = np.tile(part, copies)
      counts, time = counts + copies * gained, time + copies * period
      period = None
  result.flags.writeable = False
  return result


class _Targets:
  """T_k(t) and the windows that follow from it."""

  def __init__(
    self, shares: tuple[tuple[float, ...], ...], ends: tuple[int, ...]
  ):
    self._rates = np.array(shares).T  # [sources, stages]
    self._times = np.array([0, *ends], np.int64)
    grown = np.cumsum(self._rates * np.diff(self._times), axis=1)
    self._reached = np.pad(grown, ((0, 0), (1, 0)))
    self._slack = 0.25 / max(1, len(self._rates) - 1)

  def windows(
    self, k: int, done: int, until: int
  ) -> tuple[np.ndarray, np.ndarray]:
    """Release and due times of source k's sequences after the `done`-th.

    Only those released at `until` or before; int64.
    """
    target = np.interp(until, self._times, self._reached[k])
    numbers = np.arange(done, max(done, int(target)) + 1)
    release = self._first_time(k, numbers + self._slack)
    numbers, release = numbers[release <= until], release[release <= until]
    return release, self._first_time(k, numbers + 1 - self._slack)

  def _first_time(self, k: int, thresholds: np.ndarray) -> np.ndarray:
    """The first t with T_k(t) >= threshold; past the end where there is none.

    Args:
      k: number of the source.
      thresholds: positive.
    """
    thresholds = thresholds - _NUDGE
    stage = np.searchsorted(self._reached[k], thresholds, 'left') - 1
    never = stage == len(self._rates[k])
    stage[never] = 0
    # A stage that crosses a threshold has a positive rate.
    rate = np.where(never, 1.0, self._rates[k][stage])
    after = np.ceil((thresholds - self._reached[k][stage]) / rate)
    length = self._times[stage + 1] - self._times[stage]
    time = self._times[stage] + np.clip(after, 1, length).astype(np.int64)
    return np.where(never, self._times[-1] + 1, time)


def _earliest_due(
  targets: _Targets, counts: np.ndarray, start: int, end: int
) -> list[int]:
  """Takes, at each time in (start, end], the released job that is due first.

  Args:
    targets: of all sources.
    counts: sequences of each source that the first `start` hold.
    start: sequences done.
    end: sequences to do.

  Returns:
    The source taken at each time.
  """
  windows = [
    targets.windows(k, int(done), end) for k, done in enumerate(counts)
  ]
  release = np.concatenate([release for release, _ in windows])
  due = np.concatenate([due for _, due in windows])
  source = np.repeat(np.arange(len(counts)), [len(r) for r, _ in windows])
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
  return taken


def _period(shares: tuple[float, ...]) -> int | None:
  """The least q for which all shares are multiples of 1/q, if it is small."""
  exact = [
    fractions.Fraction(share).limit_denominator(_LONGEST_PERIOD)
    for share in shares
  ]
  if any(
    abs(float(fraction) - share) > 1e-15
    for fraction, share in zip(exact, shares, strict=True)
  ):
    return None
  period = math.lcm(*(fraction.denominator for fraction in exact))
  return period if period <= _LONGEST_PERIOD else None
