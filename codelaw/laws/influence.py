"""Which runs an estimate hangs on: refits without each level and each run.

Definitions owned here:
  level: all points at one N, one D or of one mixture.
  change: what an estimate does when a level or a run is left out, in its
    standard errors (`uncertainty.standard_errors`).
"""

from collections.abc import Mapping
import dataclasses

import numpy as np

from codelaw.laws import objectives
from codelaw.laws import refits
from codelaw.laws import solver
from codelaw.laws import uncertainty

_MAX_REFITS = solver.LANES  # One batch; with more groups, the likeliest.
_MAX_RECORDED = 100
_SAME_LEVEL = 0.01  # Relative difference below which two values are one.


@dataclasses.dataclass(frozen=True)
class Change:
  """An estimate without some points; the fields are those of `fit.json`.

  Attributes:
    left_out: the points, like `num_tokens = 2e+09` or `run abc`.
    num_points: how many they are.
    parameter: whose estimate changes.
    estimate: without them.
    standard_errors: the change, in standard errors of the full fit.
    expected: standard deviation, in the same unit, of the changes that noise
      alone would make if the law were right.
  """

  left_out: str
  num_points: int
  parameter: str
  estimate: float
  standard_errors: float
  expected: float


def changes(optimum: refits.Optimum) -> list[Change]:
  """What every estimate becomes without each level and each run.

  Levels and runs without which the law is not determined are left out of the
  list, and so are, where there are more of them than one batch of the solver
  takes, those that move the parameters least to first order.

  Returns:
    The largest changes, at most 100, by size in standard errors.
  """
  names, marks = _groups(optimum)
  order = np.argsort(-_first_order(optimum, marks), kind='stable')
  chosen = np.sort(order[:_MAX_REFITS])
  chosen = chosen[refits.determined(optimum, ~marks[chosen])]
  if not chosen.size:
    return []
  names, marks = [names[i] for i in chosen], marks[chosen]
  refitted = refits.without(optimum, marks, num_others=0)
  law = optimum.task.law
  before = np.stack(solver.estimates(optimum.task, optimum.coordinates))
  after = np.stack(solver.estimates(optimum.task, refitted), axis=-1)
  errors, expected = _spreads(optimum, marks, refitted)
  with np.errstate(divide='ignore', invalid='ignore'):
    moved = (after - before) / errors
  found = [
    Change(
      left_out=names[row],
      num_points=int(marks[row].sum()),
      parameter=law.parameters[index],
      estimate=float(after[row, index]),
      standard_errors=float(moved[row, index]),
      expected=float(expected[row, index] / errors[index]),
    )
    for row, index in np.argwhere(np.isfinite(moved))
  ]
  found.sort(key=lambda change: -abs(change.standard_errors))
  return found[:_MAX_RECORDED]


def _spreads(
  optimum: refits.Optimum, marks: np.ndarray, refitted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Standard errors [P], and the sd of changes [M, P] that noise alone makes.

  An estimate is, to first order, a sum over the points' noise, with or without
  the points marked; their difference is one too. The noise behind a change is
  that of the refit: points that the law misses do not excuse themselves.
  """
  raw = uncertainty.raw_derivatives(optimum.task, optimum.coordinates)
  jacobian = optimum.jacobian()
  every = np.linalg.pinv(jacobian)

  def spread(weights: np.ndarray, left_out: np.ndarray, at: np.ndarray):
    by_run = np.zeros((optimum.data.num_runs, raw.shape[0]))
    np.add.at(by_run, optimum.data.runs, (raw @ weights).T)
    noise = uncertainty.noise(
      optimum.task,
      at,
      optimum.data.runs,
      optimum.objective_name,
      optimum.delta,
      left_out,
    )
    return np.sqrt(noise.variance * np.sum(by_run**2, axis=0))

  changes = []
  for mark, at in zip(marks, refitted, strict=True):
    weights = np.zeros_like(every)
    weights[:, ~mark] = np.linalg.pinv(jacobian[~mark])
    changes.append(spread(weights - every, mark, at))
  none = np.zeros(len(jacobian), dtype=bool)
  return spread(every, none, optimum.coordinates), np.array(changes)


def _groups(optimum: refits.Optimum) -> tuple[list[str], np.ndarray]:
  """Names and marks [M, n] of all levels and runs; none is everything."""
  data, law = optimum.data, optimum.task.law
  found: dict[str, np.ndarray] = {}
  for name, values in zip(law.columns, data.columns, strict=True):
    if name in ('num_params', 'num_tokens'):
      for level in _levels(values):
        found[f'{name} = {np.median(values[level]):.4g}'] = level
  shares = {
    name.removeprefix('share/'): values
    for name, values in zip(law.columns, data.columns, strict=True)
    if name.startswith('share/')
  }
  if shares:
    for label in range(int(data.mixtures.max()) + 1):
      mark = data.mixtures == label
      found[f'mixture {_mixture(shares, mark)}'] = mark
  for label in range(data.num_runs):
    mark = data.runs == label
    name = data.run_ids[int(mark.argmax())]
    found[name if name.startswith('row ') else f'run {name}'] = mark
  kept = {name: mark for name, mark in found.items() if not mark.all()}
  marks = np.array(list(kept.values())).reshape(-1, data.losses.size)
  return list(kept), marks.astype(bool)


def _levels(values: np.ndarray) -> list[np.ndarray]:
  ordered = np.unique(values)
  steps = np.diff(np.log(ordered)) > _SAME_LEVEL
  label_of = np.concatenate([[0], np.cumsum(steps)])
  labels = label_of[np.searchsorted(ordered, values)]
  return [labels == label for label in range(int(labels.max()) + 1)]


def _mixture(shares: Mapping[str, np.ndarray], mark: np.ndarray) -> str:
  parts = [
    f'{values[mark].mean():.3g} {name}'
    for name, values in shares.items()
    if values[mark].mean() > 0
  ]
  return ' + '.join(parts) or 'of none of the sources'


def _first_order(optimum: refits.Optimum, marks: np.ndarray) -> np.ndarray:
  """[M] the largest change of a coordinate when the law is taken as linear.

  Without the points S least squares moves by (J'J - J_S' J_S)^-1 J_S' r_S.
  """
  jacobian = optimum.jacobian()
  residuals = optimum.residuals()
  if optimum.objective_name in objectives.OF_LOGARITHMS:
    residuals = np.clip(residuals, -optimum.delta, optimum.delta)
  lengths = np.maximum(np.linalg.norm(jacobian, axis=0), 1e-300)
  jacobian = jacobian / lengths
  products = jacobian[:, :, None] * jacobian[:, None, :]
  count = optimum.num_parameters
  ridge = 1e-9 * np.eye(count)
  weights = marks.astype(np.float64)
  gone = (weights @ products.reshape(-1, count**2)).reshape(-1, count, count)
  slopes = weights @ (jacobian * residuals[:, None])
  moves = np.linalg.solve(
    products.sum(axis=0) - gone + ridge, slopes[:, :, None]
  )
  inverse = np.linalg.pinv(jacobian.T @ jacobian)
  scale = np.sqrt(np.maximum(np.diag(inverse), 1e-300))
  return np.abs(moves[:, :, 0] / scale).max(axis=1)
