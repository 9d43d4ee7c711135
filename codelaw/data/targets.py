"""How much each source should have had by any time, and what follows from it.

Definitions owned here:
  time: sequences of the run that are done.
  target T_k(t): the sum of source k's shares over the first t sequences.
  window: the m-th sequence of source k is released at the first t with
    T_k(t) >= m - 1 + e and due at the first t with T_k(t) >= m - e. Counts
    that keep to the windows are never further than 1 - e from their targets.

Tijdeman (Discrete Mathematics 32, 1980) proves that windows with
e = 1 / (2n - 2) can always be met by n sources, also when shares change. We
use half that e: the other half is room for rounding, of T_k(t) by about
t * 2^-51 and by `_NUDGE`. It is enough for 10^11 sequences of 1,000 sources.
"""

from collections.abc import Sequence
import math

import numpy as np

# A target that rounding leaves this far below a threshold has reached it.
_NUDGE = 1e-7

# Rates of the sources at a stage's first sequence and after its last.
Span = tuple[tuple[float, ...], tuple[float, ...]]


class Targets:
  """T_k(t) and the windows that follow from it.

  Inside a stage the rate of source k moves from a_k to b_k in proportion to
  the progress u in [0, 1], and u moves as fast as the sum of all rates lets
  it: after u, source k has had N_k(u) = (a_k u + (b_k - a_k) u^2 / 2) c of the
  stage's sequences, where c makes them the whole stage at u = 1. With rates
  that sum to 1 at both ends, u is the share of the stage that is done.
  """

  def __init__(self, spans: Sequence[Span], ends: Sequence[int]):
    """Only the ratios of a stage's rates count.

    Args:
      spans: per stage, the rates of all sources at its start and at its end.
      ends: sequences done when each stage ends, non-decreasing.
    """
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

  def progress(self, stage: int, time: int) -> float:
    """The progress u of a stage of at least one sequence at a time in it."""
    done = float(time - self._times[stage])
    start, end = self._totals[stage]
    return 2 * done / (start + math.sqrt(start**2 + 2 * (end - start) * done))

  def reached(self, k: int, time: int) -> float:
    """T_k at a time in [0, ends[-1]]."""
    stage = int(np.searchsorted(self._times, time, 'left')) - 1
    if stage < 0:
      return 0.0
    progress = self.progress(stage, time)
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
