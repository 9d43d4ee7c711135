"""Synergy of sources: what an auxiliary source does to a target's loss.

Definition: the gain of auxiliary j on target i is
  (L[i+i] - L[i+j]) / L[i+i],
both at the same N and the same total tokens: L[i+i] of a run on i alone,
L[i+j] of a run on i and j half and half. Positive: j helps i.
(arXiv:2512.13472 Eq. 2 prints the opposite sign; its numbers have this one.)
Where source i holds fewer tokens than the run, L[i+i] sees them repeatedly;
the gain then holds also what fresh tokens are worth against repeated ones.

The noise of a run is one of, in this order of trust: `seeds`, repetitions of
a run with other seeds; `fit residuals`, the scatter about the target's law,
which holds the law's misfit too; or `unknown`, and then there is no interval.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math
import os

import numpy as np
import pandas as pd

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.laws import results
from codelaw.laws import selection
from codelaw.laws import significance

_SHARE_TOLERANCE = 0.01  # Whole sequences, and padding, move shares a little.
_SIZE_TOLERANCE = 0.02  # Of N and of total tokens that count as equal.


@dataclasses.dataclass(frozen=True)
class Noise:
  """Noise of the log loss of one run.

  Attributes:
    log_sd: its standard deviation.
    degrees_of_freedom: behind that estimate; infinite where it is known.
    source: where it is from, in words; see the module.
  """

  log_sd: float
  degrees_of_freedom: float
  source: str


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
      (the target's fitted law), or `unknown`; see the module.
    standard_error: of the log of L[i+j] / L[i+i]; None where the noise is
      unknown, 0 on the diagonal.
    degrees_of_freedom: of the noise; None where it is unknown.
    p_value: two-sided, of no gain; None on the diagonal or without noise.
    adjusted_p_value: after Benjamini and Hochberg over all pairs of the
      matrix, see `significance.adjusted`.
    significant: whether adjusted_p_value is at most 1 - interval level, so
      that of the pairs called so that share is false on average; None where
      it cannot be said.
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
  standard_error: float | None = None
  degrees_of_freedom: float | None = None
  p_value: float | None = None
  adjusted_p_value: float | None = None
  significant: bool | None = None


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
    runs are left out. Intervals are of single pairs; significance is corrected
    for the number of pairs.

  Raises:
    UserError: when no pair has its runs.
  """
  rows = table
  if 'is_final' in table:
    rows = table[table['is_final'].astype(bool)]
  sources = selection.sources(rows)
  noise_of_fit = {
    fit.target: Noise(
      float(fit.diagnostics['residual_log_sd']),
      fit.num_points - len(fit.estimates),
      'fit residuals',
    )
    for fit in reversed(fits)
  }
  entries = []
  for target in sources:
    column = f'loss/{target}'
    if column not in rows:
      continue
    cells = _cells(rows[rows[column].notna()], column, target, sources)
    noise = _noise(cells, noise_of_fit.get(column))
    for auxiliary in sources:
      entry = _entry(target, auxiliary, cells, noise, interval_level)
      if entry is not None:
        entries.append(entry)
  if all(entry.target == entry.auxiliary for entry in entries):
    raise errors.UserError(
      'The run table has no pair of runs for a synergy: a finished run on one'
      ' source alone and one on that source and another, half and half, with'
      ' equal parameters and total tokens.'
    )
  return _with_significance(entries, interval_level)


def of_losses(
  losses: Mapping[tuple[str, str], float],
  noise: Mapping[str, Noise] | None = None,
  interval_level: float = 0.9,
) -> list[Synergy]:
  """Synergies of published losses, of one run each.

  >>> losses = {('python', 'python'): 2.0, ('python', 'java'): 1.5}
  >>> [round(entry.gain, 6) for entry in of_losses(losses)]
  [0.0, 0.25]

  Args:
    losses: (target, auxiliary) -> L[target+auxiliary].
    noise: of the runs, by target; unknown where absent.
    interval_level: of the intervals.

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
    cell = {target: [losses[target, target]], auxiliary: [loss]}
    entry = _entry(
      target,
      auxiliary,
      {(0, 0): cell},
      (noise or {}).get(target),
      interval_level,
    )
    assert entry is not None  # The only cell has both.
    entries.append(entry)
  return _with_significance(entries, interval_level)


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


def _noise(cells: _Cells, noise_of_fit: Noise | None) -> Noise | None:
  repeated = [
    np.log(losses)
    for cell in cells.values()
    for losses in cell.values()
    if len(losses) > 1
  ]
  if repeated:
    free = sum(len(losses) - 1 for losses in repeated)
    squares = sum(np.sum((losses - losses.mean()) ** 2) for losses in repeated)
    return Noise(math.sqrt(squares / free), free, 'seeds')
  return noise_of_fit


def _entry(
  target: str,
  auxiliary: str,
  cells: _Cells,
  noise: Noise | None,
  interval_level: float,
) -> Synergy | None:
  common = [
    (cell[target], cell[auxiliary])
    for cell in cells.values()
    if target in cell and auxiliary in cell
  ]
  if not common:
    return None
  ratio = np.mean([_mean_log(other) - _mean_log(own) for own, other in common])
  entry = Synergy(
    target=target,
    auxiliary=auxiliary,
    gain=float(0.0 - np.expm1(ratio)),  # Never -0.
    low=None,
    high=None,
    loss=float(np.mean([np.mean(other) for _, other in common])),
    baseline_loss=float(np.mean([np.mean(own) for own, _ in common])),
    num_cells=len(common),
    noise_from='unknown' if noise is None else noise.source,
  )
  if auxiliary == target:
    return dataclasses.replace(entry, low=0.0, high=0.0, standard_error=0.0)
  if noise is None:
    return entry
  error = (
    noise.log_sd
    * math.sqrt(sum(1 / len(own) + 1 / len(other) for own, other in common))
    / len(common)
  )
  free = noise.degrees_of_freedom
  width = error * significance.quantile(interval_level, free)
  return dataclasses.replace(
    entry,
    low=float(-np.expm1(ratio + width)),
    high=float(-np.expm1(ratio - width)),
    standard_error=error,
    degrees_of_freedom=free,
    p_value=significance.p_value(float(ratio), error, free),
  )


def _with_significance(
  entries: Sequence[Synergy], interval_level: float
) -> list[Synergy]:
  """Entries with their p-values corrected for the number of pairs."""
  tested = [entry for entry in entries if entry.p_value is not None]
  adjusted = iter(
    significance.adjusted([e.p_value for e in tested if e.p_value is not None])
  )
  result = []
  for entry in entries:
    if entry.p_value is not None:
      value = next(adjusted)
      entry = dataclasses.replace(
        entry,
        adjusted_p_value=value,
        significant=value <= 1 - interval_level,
      )
    result.append(entry)
  return result


def _mean_log(losses: Sequence[float]) -> float:
  return float(np.mean(np.log(losses)))
