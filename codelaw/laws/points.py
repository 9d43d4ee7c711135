"""The numbers a law is fitted to: taken from a run table, checked, in order."""

from collections.abc import Iterable
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


@dataclasses.dataclass(frozen=True)
class Points:
  """The numbers a law is fitted to, in an order their values determine.

  Attributes:
    columns: [C, n] of the law.
    losses: [n].
    runs: [n] index of the run, from 0 in order of first occurrence.
    mixtures: [n] index of the mixture, or of the run where mixtures are few.
    compute: [n] training FLOPs, or N * D, or ones.
    fingerprint: of these numbers.
  """

  columns: np.ndarray
  losses: np.ndarray
  runs: np.ndarray
  mixtures: np.ndarray
  compute: np.ndarray
  fingerprint: str


def read(law: forms.Law, rows: pd.DataFrame, target: str) -> Points:
  """Takes the columns of a law and its target from rows of a run table.

  Points are sorted by their values, so that the order of rows is irrelevant.

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
  order = np.lexsort((losses, *reversed(columns)))
  columns, losses = columns[:, order], losses[order]
  shares = columns[[c.startswith('share/') for c in law.columns]]
  ids = rows['run_id'].to_numpy() if 'run_id' in rows else np.arange(len(rows))
  runs = _index(ids[order])
  mixtures = _index([tuple(np.round(point, 6)) for point in shares.T])
  if 'train_flops' in rows:
    compute = _numbers(rows, 'train_flops')[order]
  elif {'num_params', 'num_tokens'} <= set(rows.columns):
    compute = _numbers(rows, 'num_params') * _numbers(rows, 'num_tokens')
    compute = compute[order]
  else:
    compute = np.ones(losses.size)
  return Points(
    columns,
    losses,
    runs,
    mixtures if mixtures.max() >= 4 else runs,
    compute,
    storage.fingerprint(
      [[*law.columns, target], columns.tolist(), losses.tolist()]
    ),
  )


def check_design(law: forms.Law, points: Points, target: str) -> None:
  """Raises `UserError` when points cannot determine a law's parameters.

  There must be more points than parameters, and at least three values of N
  and of D: two determine a difference, not an exponent and a limit.
  """
  count, needed = points.losses.size, len(law.parameters) + 1
  if count < needed:
    raise errors.UserError(
      f'The law {law.name} of {target} has {needed - 1} parameters and needs'
      f' at least {needed} points; got {count}. Add runs, or choose a smaller'
      ' law.'
    )
  if points.losses.max() <= points.losses.min() * (1 + _LEAST_VARIATION):
    raise errors.UserError(
      f'{target} is {points.losses[0]:g} in all {count} points: there is'
      ' nothing to fit.'
    )
  for name, values in zip(law.columns, points.columns, strict=True):
    if name.startswith('share/'):
      if values.min() == values.max():
        raise errors.UserError(
          f'The law {law.name} of {target} needs runs with different'
          f' {name}; it is {values[0]:g} in all {count} points.'
        )
    elif name in law.sizes and selection.distinct(values) < _LEAST_DISTINCT:
      raise errors.UserError(
        f'The law {law.name} of {target} needs at least {_LEAST_DISTINCT}'
        f' values of {name} that differ by more than 1%; the {count} points'
        f' have {selection.distinct(values)}.'
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
