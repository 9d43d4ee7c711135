"""Errors of a law on runs that it was fitted without.

Definitions owned here:
  extrapolation error: the mean relative error on the largest fifth of the
    points by compute, by N (`num_params`) or by D (`num_tokens`), of the law
    fitted without them.
  held-out error of mixtures: the same on whole mixtures (or runs, where there
    are fewer than five mixtures), left out fold by fold.
  held-out error: the mean of the error of mixtures and of the mean of the
    three extrapolation errors, so far as the points allow them.

Several evaluations of one run are left out together. Only where the points
would then not determine the law (all runs reach the largest D) are the
largest evaluations left out alone: the law then extrapolates runs it has seen.
A test after which the points no longer determine the law has no value: started
from the optimum of all points, its refit would keep what those points said.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

import numpy as np
from scipy import stats

from codelaw.laws import points as points_lib
from codelaw.laws import refits
from codelaw.laws import solver

MIXTURES = 'mixtures'
EXTRAPOLATIONS = ('num_params', 'num_tokens', 'compute')
KINDS = (MIXTURES, *EXTRAPOLATIONS)
_LARGEST_FRACTION = 0.2
_NUM_FOLDS = 10
_FEWEST_MIXTURES = 5


@dataclasses.dataclass(frozen=True)
class Test:
  """One refit of the law: what it is fitted without, what it is tested on.

  Attributes:
    kind: `MIXTURES` or one of `EXTRAPOLATIONS`.
    left_out: [n] True for points the law is fitted without.
    scored: [n] True for those of them that count.
  """

  kind: str
  left_out: np.ndarray
  scored: np.ndarray


@dataclasses.dataclass(frozen=True)
class Difference:
  """Of the held-out errors of two laws, with a t interval.

  Attributes:
    mean: of the other law's error minus the first one's.
    low: end of the interval.
    high: end of the interval.
  """

  mean: float
  low: float
  high: float


def largest(values: np.ndarray) -> np.ndarray:
  """Marks the largest values [n]: up to a fifth of them, at least one level.

  Equal values stay together; none is marked where all are equal.

  >>> largest(np.array([1.0, 2.0, 3.0, 3.0])).tolist()
  [False, False, True, True]
  """
  levels, counts = np.unique(values, return_counts=True)
  if levels.size == 1:
    return np.zeros(values.size, dtype=bool)
  from_top = np.cumsum(counts[::-1])
  number = max(1, int(np.sum(from_top <= _LARGEST_FRACTION * values.size)))
  return values >= levels[-number]


def groups(data: points_lib.Points) -> np.ndarray:
  """[n] index of what folds keep together: the mixture, or the run."""
  mixtures = int(data.mixtures.max()) + 1
  return data.mixtures if mixtures >= _FEWEST_MIXTURES else data.runs


def folds(labels: np.ndarray, seed: int) -> list[np.ndarray]:
  """Divides points [n] by whole groups into folds; marks each fold's points.

  Args:
    labels: [n] index of each point's group, from 0.
    seed: of the division.
  """
  count = int(labels.max()) + 1
  order = np.random.default_rng([seed, 2]).permutation(count)
  fold_of_group = np.empty(count, dtype=int)
  fold_of_group[order] = np.arange(count) % min(_NUM_FOLDS, count)
  return [fold_of_group[labels] == k for k in range(min(_NUM_FOLDS, count))]


def extrapolation_tests(optimum: refits.Optimum) -> list[Test]:
  """Tests on the largest N, D and compute, so far as the points allow."""
  data = optimum.data
  values = dict(zip(optimum.task.law.columns, data.columns, strict=True))
  values['compute'] = data.compute
  tests = []
  for kind in EXTRAPOLATIONS:
    if kind not in values:
      continue
    scored = largest(values[kind])
    if not scored.any():
      continue
    choices = np.stack([np.isin(data.runs, data.runs[scored]), scored])
    able = refits.determined(optimum, ~choices)
    if able.any():
      tests.append(Test(kind, choices[able.argmax()], scored))
  return tests


def fold_tests(optimum: refits.Optimum) -> list[Test]:
  """Tests on whole mixtures or runs, fold by fold."""
  marks = np.stack(folds(groups(optimum.data), optimum.seed))
  able = refits.determined(optimum, ~marks)
  return [Test(MIXTURES, mark, mark) for mark in marks[able]]


def errors(
  optimum: refits.Optimum, tests: Sequence[Test]
) -> dict[str, np.ndarray]:
  """|predicted / observed - 1| of each kind's points [n]; NaN for others.

  Every test is a refit; all are solved in one batch.
  """
  task = optimum.task
  found: dict[str, np.ndarray] = {}
  if not tests:
    return found
  left_out = np.stack([test.left_out for test in tests])
  for test, at in zip(tests, refits.without(optimum, left_out), strict=True):
    values = found.setdefault(test.kind, np.full(task.num_points, np.nan))
    predicted = solver.predict(task, at)
    relative = np.abs(predicted / task.losses[: task.num_points] - 1)
    values[test.scored] = relative[test.scored]
  return found


def means(by_kind: Mapping[str, np.ndarray]) -> dict[str, float]:
  """Mean error of each kind that has one."""
  return {
    kind: float(np.nanmean(values))
    for kind, values in by_kind.items()
    if np.isfinite(values).any()
  }


def extrapolation(optimum: refits.Optimum) -> dict[str, float | None]:
  """Mean extrapolation error by kind; None where it has no value."""
  found = means(errors(optimum, extrapolation_tests(optimum)))
  return {kind: found.get(kind) for kind in EXTRAPOLATIONS}


def shares_of_kinds(kinds: Sequence[str]) -> dict[str, float]:
  """How much each kind counts in the held-out error.

  >>> shares_of_kinds(['mixtures', 'num_params', 'compute'])
  {'mixtures': 0.5, 'num_params': 0.25, 'compute': 0.25}
  """
  beyond = [kind for kind in kinds if kind != MIXTURES]
  half = 1.0 if len(beyond) in (0, len(kinds)) else 0.5
  return {k: half if k == MIXTURES else half / len(beyond) for k in kinds}


def overall(by_kind: Mapping[str, float]) -> float:
  """The held-out error from the errors of its kinds."""
  parts = shares_of_kinds(list(by_kind))
  return sum(parts[kind] * by_kind[kind] for kind in by_kind)


def in_common(
  tested: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, dict[str, np.ndarray]]:
  """Errors of several laws on the points that all of them were tested on.

  Args:
    tested: law -> kind -> errors [n], on the same points in the same order.

  Returns:
    The same, NaN for other points; as given where no point is common.
  """
  common = {}
  for kind in KINDS:
    found = [by_kind[kind] for by_kind in tested.values() if kind in by_kind]
    if len(found) == len(tested):
      known = np.isfinite(found).all(axis=0)
      if known.any():
        common[kind] = known
  if not common:
    return {name: dict(by_kind) for name, by_kind in tested.items()}
  return {
    name: {
      kind: np.where(known, by_kind[kind], np.nan)
      for kind, known in common.items()
    }
    for name, by_kind in tested.items()
  }


def difference(
  first: Mapping[str, np.ndarray],
  other: Mapping[str, np.ndarray],
  labels: np.ndarray,
  level: float,
) -> Difference | None:
  """Interval of a difference of held-out errors, paired point by point.

  A t interval over held-out groups (mixtures, or runs), whose points vary
  together. The laws of one kind's refits were fitted to overlapping points,
  which a plain paired t ignores; the spread of a kind is widened by the factor
  of Nadeau and Bengio (2003, doi:10.1023/A:1024068626366): 1 + J n_test /
  n_train on the variance, for J refits.

  Args:
    first: errors by kind [n], NaN where a point was not tested.
    other: of the other law.
    labels: [n] group of each point, from 0.
    level: of the interval.

  Returns:
    The difference, or None where fewer than two groups were tested by both.
  """
  apart = {
    kind: other[kind] - first[kind]
    for kind in first
    if kind in other and np.isfinite(other[kind] - first[kind]).any()
  }
  parts = shares_of_kinds(list(apart))
  by_group = np.zeros(int(labels.max()) + 1)
  tested = np.zeros(by_group.size, dtype=bool)
  mean = 0.0
  for kind, values in apart.items():
    known = np.isfinite(values)
    count = int(known.sum())
    refit = min(_NUM_FOLDS, by_group.size) if kind == MIXTURES else 1
    test_size = count / refit
    widening = 1 + count / max(values.size - test_size, 1)
    mean += parts[kind] * float(values[known].mean())
    spread = (values[known] - values[known].mean()) / count
    np.add.at(by_group, labels[known], parts[kind] * np.sqrt(widening) * spread)
    tested[labels[known]] = True
  number = int(tested.sum())
  if number < 2:
    return None
  error = np.sqrt(np.sum(by_group**2) * number / (number - 1))
  reach = stats.t.ppf(0.5 + level / 2, number - 1) * error
  return Difference(mean, float(mean - reach), float(mean + reach))
