"""The numbers a law is fitted to: taken from a run table, checked, in order."""

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from codelaw import errors
from codelaw import storage
from codelaw.laws import forms
from codelaw.laws import selection

_LEAST_VARIATION = 1e-9  # Relative; anything less is rounding.
_LEAST_DISTINCT = 3
# Range of log D around its line in log N; smaller ones are the rounding of D
# to whole batches or sizes that miss a round number.
_LEAST_APART = 0.1
_LEAST_SINGULAR = 1e-9  # Of the shares, relative; anything less is rounding.


@dataclasses.dataclass(frozen=True)
class Points:
  """The numbers a law is fitted to, in an order their values determine.

  Attributes:
    columns: [C, n] of the law.
    losses: [n].
    run_ids: [n] names of the runs.
    runs: [n] index of the run, from 0 in order of first occurrence.
    mixtures: [n] index of the mixture, from 0; 0 everywhere without shares.
      Mixtures that one run passed through count as one.
    compute: [n] training FLOPs, or N * D, or ones.
    fingerprint: of these numbers.
  """

  columns: np.ndarray
  losses: np.ndarray
  run_ids: tuple[str, ...]
  runs: np.ndarray
  mixtures: np.ndarray
  compute: np.ndarray
  fingerprint: str

  @property
  def num_runs(self) -> int:
    """Runs behind the points; a run may have been evaluated several times."""
    return int(self.runs.max()) + 1


def read(law: forms.Law, rows: pd.DataFrame, target: str) -> Points:
  """Takes the columns of a law and its target from rows of a run table.

  Points are sorted by their values, so that the order of rows is irrelevant;
  laws of different columns find the rows of one table in the same order.

  Raises:
    UserError: when a column is missing or has a value that cannot be fitted.
  """
  missing = [n for n in (*law.columns, target) if n not in rows]
  if missing:
    raise errors.UserError(
      f'The law {law.name} needs the column {", ".join(missing)}; the table'
      f' has {", ".join(map(str, rows.columns))}.'
    )
  columns = np.stack([_numbers(rows, name) for name in law.columns])
  losses = _numbers(rows, target)
  if 'run_id' in rows:
    ids = rows['run_id'].astype(str).to_numpy()
  else:
    ids = np.array([f'row {i + 1}' for i in range(len(rows))])
  # What the law does not read only orders the points.
  others = {
    name: pd.to_numeric(rows[name], errors='coerce').fillna(0).to_numpy()
    for name in sorted(map(str, rows.columns))
    if name.startswith('share/') or name in ('num_params', 'num_tokens')
  }
  order = np.lexsort(
    (ids, losses, *columns[::-1], *reversed(list(others.values())))
  )
  columns, losses, ids = columns[:, order], losses[order], ids[order]
  runs = _index(ids)
  shares = [
    values[order] for n, values in others.items() if n.startswith('share/')
  ]
  mixtures = np.zeros_like(runs)
  if shares:
    rounded = np.round(np.stack(shares, axis=1), 6)
    mixtures = _joined(_index(map(tuple, rounded)), runs)
  if 'train_flops' in rows:
    compute = _numbers(rows, 'train_flops')[order]
  elif {'num_params', 'num_tokens'} <= others.keys():
    compute = (others['num_params'] * others['num_tokens'])[order]
  else:
    compute = np.ones(losses.size)
  return Points(
    columns,
    losses,
    tuple(map(str, ids)),
    runs,
    mixtures,
    compute,
    storage.fingerprint(
      [[*law.columns, target], columns.tolist(), losses.tolist()]
    ),
  )


def check_design(law: forms.Law, points: Points, target: str) -> None:
  """Raises `UserError` when points cannot determine a law's parameters.

  There must be more points than parameters; at least three values of N and of
  D, because two determine a difference, not an exponent and a limit; N and D
  that vary apart, because along one line through them (fixed tokens per
  parameter, one compute budget) any split between the two terms fits; and
  shares that vary apart.
  """
  head = f'The law {law.name} of {target}'
  count, needed = points.losses.size, len(law.parameters) + 1
  if count < needed:
    raise errors.UserError(
      f'{head} has {needed - 1} parameters and needs at least {needed} points;'
      f' got {count}. Add runs, or choose a smaller law.'
    )
  if points.losses.max() <= points.losses.min() * (1 + _LEAST_VARIATION):
    raise errors.UserError(
      f'{target} is {points.losses[0]:g} in all {count} points: there is'
      ' nothing to fit.'
    )
  values = dict(zip(law.columns, points.columns, strict=True))
  for name, numbers in values.items():
    if name.startswith('share/'):
      if numbers.min() == numbers.max():
        raise errors.UserError(
          f'{head} needs runs with different {name}; it is {numbers[0]:g} in'
          f' all {count} points.'
        )
    elif name in law.sizes and selection.distinct(numbers) < _LEAST_DISTINCT:
      raise errors.UserError(
        f'{head} needs at least {_LEAST_DISTINCT} values of {name} that differ'
        f' by more than 1%; the {count} points have'
        f' {selection.distinct(numbers)}. Add runs at other values of {name}.'
      )
  if {'num_params', 'num_tokens'} <= values.keys():
    _check_separate(head, values['num_params'], values['num_tokens'])
  shares = {n: v for n, v in values.items() if n.startswith('share/')}
  if shares:
    _check_shares(head, shares)


def _check_separate(head: str, params: np.ndarray, tokens: np.ndarray) -> None:
  """Refuses runs on one line in (log N, log D)."""
  x, y = np.log(params), np.log(tokens)
  slope, at_zero = np.polyfit(x, y, 1)
  apart = np.ptp(y - slope * x - at_zero)
  if apart < _LEAST_APART:
    kind = (
      'tokens per parameter are the same'
      if abs(slope - 1) < 0.05
      else f'num_tokens follows num_params^{slope:.2g}'
    )
    raise errors.UserError(
      f'{head} cannot tell the effect of size from that of tokens: {kind} in'
      f' all {params.size} points. Add runs of several num_tokens at one'
      ' num_params.'
    )


def _check_shares(head: str, shares: Mapping[str, np.ndarray]) -> None:
  """Refuses shares of which one follows from others."""
  design = np.stack(list(shares.values()), axis=1)
  names = list(shares)
  design = design / np.linalg.norm(design, axis=0)
  _, singular, directions = np.linalg.svd(design, full_matrices=True)
  rank = int(np.sum(singular > _LEAST_SINGULAR * singular[0]))
  if rank < design.shape[1]:
    tied = np.any(np.abs(directions[rank:]) > 0.01, axis=0)
    which = [n for n, t in zip(names, tied, strict=True) if t]
    raise errors.UserError(
      f'{head} cannot tell {" and ".join(which)} apart: they vary only'
      f' together in all {len(design)} points, as {rank} mixtures would. Add'
      ' runs on mixtures that vary each of them alone.'
    )


def _numbers(rows: pd.DataFrame, name: str) -> np.ndarray:
  try:
    numbers = rows[name].to_numpy(dtype=np.float64)
  except (ValueError, TypeError) as error:
    raise errors.UserError(
      f'The column {name} must hold numbers ({error}).'
    ) from error
  share = name.startswith('share/')
  wrong = ~np.isfinite(numbers) | (numbers < 0 if share else numbers <= 0)
  if wrong.any():
    at = int(np.argmax(wrong))
    run = rows['run_id'].iloc[at] if 'run_id' in rows else f'row {at + 1}'
    raise errors.UserError(
      f'The column {name} must hold'
      f' {"shares" if share else "positive numbers"}; run {run} has'
      f' {numbers[at]}.'
    )
  return numbers


def _index(labels: Iterable[Any]) -> np.ndarray:
  first: dict[Any, int] = {}
  return np.array([first.setdefault(label, len(first)) for label in labels])


def _joined(mixtures: np.ndarray, runs: np.ndarray) -> np.ndarray:
  """Groups of points that share a mixture or a run, from 0."""
  groups = mixtures
  while True:
    joined = groups
    for labels in (runs, mixtures):
      least = np.full(labels.max() + 1, joined.size)
      np.minimum.at(least, labels, joined)
      joined = least[labels]
    if np.array_equal(joined, groups):
      return _index(groups)
    groups = joined
