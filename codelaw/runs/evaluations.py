"""Evaluations of a run: series by step -> columns of one length.

Columns are arrays with one value per evaluation; NaN stands for no value.
"""

from collections.abc import Mapping
import dataclasses
from typing import TypeVar

import numpy as np

from codelaw.runs import events

_EVALUATIONS = ('loss', 'bits_per_byte')
_TOKENS = 'tokens/'
_Value = TypeVar('_Value')


@dataclasses.dataclass(frozen=True)
class Evaluations:
  """What a run logged when it evaluated.

  Attributes:
    steps: [n] int64, rising: updates done.
    columns: column -> [n] float64, finite or NaN.
  """

  steps: np.ndarray
  columns: Mapping[str, np.ndarray]

  def rows(self, chosen: np.ndarray) -> 'Evaluations':
    """Those that `chosen`, [n] bool, names."""
    if chosen.all():
      return self
    return Evaluations(
      self.steps[chosen], {n: c[chosen] for n, c in self.columns.items()}
    )


def of_run(
  where: str,
  columns: Mapping[str, events.Series],
  report: events.Report,
  first_step: int = 1,
) -> Evaluations:
  """The evaluations after the first update.

  Args:
    where: the run is, for messages.
    columns: column -> values by step.
    report: called with one sentence where values are not finite.
    first_step: of the first update, see `writers.Writer`.

  Returns:
    The columns at the steps that have a loss.
  """
  at = [columns[name].steps for name in losses(columns)]
  steps = np.unique(np.concatenate([np.zeros(0, np.int64), *at]))
  steps = steps[steps >= first_step]
  broken: set[int] = set()
  found = {}
  for name, one in columns.items():
    if np.array_equal(one.steps, steps) and np.isfinite(one.values).all():
      found[name] = one.values
      continue
    values = np.full(len(steps), np.nan)
    places = np.searchsorted(steps, one.steps)
    inside = places < len(steps)
    inside[inside] = steps[places[inside]] == one.steps[inside]
    values[places[inside]] = one.values[inside]
    finite = np.isfinite(one.values) | ~inside
    if not finite.all():
      broken.update((one.steps[~finite] + 1 - first_step).tolist())
      values[~np.isfinite(values)] = np.nan
    found[name] = values
  if broken:
    report(
      f'{where} has values that are no finite numbers at'
      f' {events.steps_in_words(broken)}; they are left out.'
    )
  everything = Evaluations(steps + 1 - first_step, found)
  some = [~np.isnan(values) for values in losses(found).values()]
  return everything.rows(np.any([np.zeros(len(steps), bool), *some], axis=0))


def is_loss(column: str) -> bool:
  """Whether a column holds losses, or bits per byte."""
  return column.split('/')[0] in _EVALUATIONS


def losses(columns: Mapping[str, _Value]) -> dict[str, _Value]:
  """The columns of losses and of bits per byte."""
  return {name: columns[name] for name in columns if is_loss(name)}


def tokens(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Source -> [n] tokens as the events count them, 0 where they do not."""
  return {
    name.removeprefix(_TOKENS): np.nan_to_num(values)
    for name, values in columns.items()
    if name.startswith(_TOKENS)
  }


def token_columns(
  by_source: Mapping[str, np.ndarray], totals: np.ndarray
) -> dict[str, np.ndarray]:
  """`share/<source>` and `tokens/<source>` of the run table.

  Args:
    by_source: source -> [n] tokens.
    totals: [n] their sums, positive.
  """
  shares = {f'share/{s}': n / totals for s, n in by_source.items()}
  return shares | {f'{_TOKENS}{s}': np.rint(n) for s, n in by_source.items()}
