"""Synergy of sources: what an auxiliary source does to a target's loss.

Definition: the gain of auxiliary j on target i is
  (L[i+i] - L[i+j]) / L[i+i],
both at the same N and the same total tokens: L[i+i] of a run on i alone,
L[i+j] of a run on i and j half and half. Positive: j helps i.
(arXiv:2512.13472 Eq. 2 prints the opposite sign; its numbers have this one.)
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math
import os

import numpy as np
import pandas as pd
from scipy import stats

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.laws import results
from codelaw.laws import selection

_SHARE_TOLERANCE = 0.01  # Whole sequences, and padding, move shares a little.
_SIZE_TOLERANCE = 0.02  # Of N and of total tokens that count as equal.


@dataclasses.dataclass(frozen=True)
class Synergy:
  """One entry of the synergy matrix.

  Attributes:
    target: source i, whose loss is looked at.
    auxiliary: source j; equal to `target` on the diagonal, where gain is 0.
    gain: (L[i+i] - L[i+j]) / L[i+i], a fraction.
    low: lower end of its interval; None where the noise is unknown.
    high: upper end.
    loss: L[i+j], a mean over runs.
    baseline_loss: L[i+i], a mean over runs.
    num_cells: pairs of N and total tokens the gain is averaged over.
    noise_from: `seeds` (runs repeated with another seed), `fit residuals`
      (the target's fitted law), or `unknown`.
  """

  target: str
  auxiliary: str
  gain: float
  low: float | None
  high: float | None
  loss: float
  baseline_loss: float
  num_cells: int
  noise_from: str


def matrix(
  table: pd.DataFrame,
  fits: Sequence[results.Fit] = (),
  interval_level: float = 0.9,
) -> list[Synergy]:
  """Synergies of all pairs for which a run table has the runs.

  The logarithm of L[i+j] / L[i+i] is averaged over the cells (N, total
  tokens) that have both. Its standard error is s sqrt(1/n_ij + 1/n_ii) in a
  cell, where the noise s of one run's log loss is pooled over runs repeated
  with other seeds; where none is, it is the residual sd of the target's fit.

  Args:
    table: run table with shares; only final rows are used.
    fits: of the targets, for the noise of runs without repetitions.
    interval_level: of the intervals.

  Returns:
    Entries in order of target and auxiliary, with the diagonal; pairs without
    runs are left out.

  Raises:
    UserError: when no pair has its runs.
  """
  rows = table
  if 'is_final' in table:
    rows = table[table['is_final'].astype(bool)]
  sources = selection.sources(rows)
  noise_of_fit = {
    fit.target: float(fit.diagnostics['residual_log_sd'])
    for fit in reversed(fits)
  }
  entries = []
  for target in sources:
    column = f'loss/{target}'
    if column not in rows:
      continue
    cells = _cells(rows[rows[column].notna()], column, target, sources)
    noise, quantile, noise_from = _noise(
      cells, noise_of_fit.get(column), interval_level
    )
    for auxiliary in sources:
      entry = _entry(target, auxiliary, cells, noise * quantile, noise_from)
      if entry is not None:
        entries.append(entry)
  if all(entry.target == entry.auxiliary for entry in entries):
    raise errors.UserError(
      'The run table has no pair of runs for a synergy: a finished run on one'
      ' source alone and one on that source and another, half and half, with'
      ' equal parameters and total tokens.'
    )
  return entries


def of_losses(
  losses: Mapping[tuple[str, str], float],
) -> list[Synergy]:
  """Synergies of published losses: (target, auxiliary) -> L[target+auxiliary].

  >>> losses = {('python', 'python'): 2.0, ('python', 'java'): 1.5}
  >>> [entry.gain for entry in of_losses(losses)]
  [0.0, 0.25]

  Raises:
    UserError: when a target has no loss with itself.
  """
  entries = []
  for (target, auxiliary), loss in losses.items():
    if (target, target) not in losses:
      raise errors.UserError(
        f'The synergy of {auxiliary} on {target} needs the loss of {target}'
        ' with itself.'
      )
    baseline = losses[target, target]
    gain = (baseline - loss) / baseline
    entries.append(
      Synergy(target, auxiliary, gain, None, None, loss, baseline, 1, 'unknown')
    )
  return entries


def write(path: storage.PathLike, entries: Iterable[Synergy]) -> None:
  """Writes entries as JSON (`{"synergies": [...]}`) or, by suffix, CSV."""
  content = [records.to_json(entry) for entry in entries]
  if os.fspath(path).endswith('.csv'):
    storage.write_text(path, pd.DataFrame(content).to_csv(index=False))
  else:
    storage.write_json(path, {'synergies': content})


def read(path: storage.PathLike) -> list[Synergy]:
  """Reads the JSON that `write` left; `UserError` for anything else."""
  content = storage.read_json(path)
  entries = content.get('synergies') if isinstance(content, dict) else content
  return records.from_json(entries, list[Synergy])


# (N, total tokens) -> auxiliary -> losses of the runs of that cell.
_Cells = dict[tuple[int, int], dict[str, list[float]]]


def _cells(
  rows: pd.DataFrame, column: str, target: str, sources: Sequence[str]
) -> _Cells:
  sizes = [_bins(rows[name]) for name in ('num_params', 'num_tokens')]
  cells: _Cells = {}
  for auxiliary in sources:
    wanted = {target: 0.5, auxiliary: 0.5}
    if auxiliary == target:
      wanted = {target: 1.0}
    match = np.ones(len(rows), dtype=bool)
    for name, share in wanted.items():
      match &= np.abs(rows[f'share/{name}'] - share) <= _SHARE_TOLERANCE
    for at in np.flatnonzero(match):
      cell = cells.setdefault((int(sizes[0][at]), int(sizes[1][at])), {})
      cell.setdefault(auxiliary, []).append(float(rows[column].iloc[at]))
  return cells


def _bins(values: pd.Series) -> np.ndarray:
  """Index of each value's cluster; neighbours within the tolerance share it."""
  logarithms = np.log(values.to_numpy(dtype=np.float64))
  order = np.argsort(logarithms, kind='stable')
  gaps = np.diff(logarithms[order], prepend=logarithms[order][:1])
  bins = np.empty(len(values), dtype=int)
  bins[order] = np.cumsum(gaps > _SIZE_TOLERANCE)
  return bins


def _noise(
  cells: _Cells, noise_of_fit: float | None, level: float
) -> tuple[float, float, str]:
  """(noise of one log loss, quantile for the interval, where it is from)."""
  repeated = [
    np.log(losses)
    for cell in cells.values()
    for losses in cell.values()
    if len(losses) > 1
  ]
  tail = 0.5 * (1 + level)
  if repeated:
    free = sum(len(losses) - 1 for losses in repeated)
    squares = sum(np.sum((losses - losses.mean()) ** 2) for losses in repeated)
    return math.sqrt(squares / free), float(stats.t.ppf(tail, free)), 'seeds'
  if noise_of_fit is not None:
    return noise_of_fit, float(stats.norm.ppf(tail)), 'fit residuals'
  return math.nan, math.nan, 'unknown'


def _entry(
  target: str,
  auxiliary: str,
  cells: _Cells,
  half_width: float,
  noise_from: str,
) -> Synergy | None:
  common = [
    (cell[target], cell[auxiliary])
    for cell in cells.values()
    if target in cell and auxiliary in cell
  ]
  if not common:
    return None
  ratio = np.mean([_mean_log(other) - _mean_log(own) for own, other in common])
  width = (
    half_width
    * math.sqrt(sum(1 / len(own) + 1 / len(other) for own, other in common))
    / len(common)
  )
  if auxiliary == target:
    width = 0.0
  known = math.isfinite(width)
  return Synergy(
    target=target,
    auxiliary=auxiliary,
    gain=float(-np.expm1(ratio)),
    low=float(-np.expm1(ratio + width)) if known else None,
    high=float(-np.expm1(ratio - width)) if known else None,
    loss=float(np.mean([np.mean(other) for _, other in common])),
    baseline_loss=float(np.mean([np.mean(own) for own, _ in common])),
    num_cells=len(common),
    noise_from=noise_from,
  )


def _mean_log(losses: Sequence[float]) -> float:
  return float(np.mean(np.log(losses)))
