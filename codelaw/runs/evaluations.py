"""Evaluations of a run: columns of values by step -> values of each step."""

from collections.abc import Mapping
import math
from typing import TypeVar

import numpy as np

from codelaw.runs import events

_EVALUATIONS = ('loss', 'bits_per_byte')
_Value = TypeVar('_Value')


def by_step(
  where: str,
  columns: Mapping[str, events.Series],
  report: events.Report,
  first_step: int = 1,
) -> dict[int, dict[str, float]]:
  """Values of each evaluation after the first update.

  Args:
    where: the run is, for messages.
    columns: column -> values by step.
    report: called with one sentence where values are not finite.
    first_step: of the first update, see `writers.Writer`.

  Returns:
    updates done -> column -> value, at steps with a loss.
  """
  steps: set[int] = set()
  for name in losses(columns):
    steps.update(columns[name].steps.tolist())
  steps = {step for step in steps if step >= first_step}
  rows: dict[int, dict[str, float]] = {
    step + 1 - first_step: {} for step in sorted(steps)
  }
  broken = set()
  for name, one in columns.items():
    chosen = np.isin(one.steps, list(steps))
    for step, value in zip(
      (one.steps[chosen] + 1 - first_step).tolist(),
      one.values[chosen].tolist(),
      strict=True,
    ):
      if math.isfinite(value):
        rows[step][name] = value
      else:
        broken.add(step)
  if broken:
    report(
      f'{where} has values that are no finite numbers at'
      f' {events.steps_in_words(broken)}; they are left out.'
    )
  return {step: found for step, found in rows.items() if losses(found)}


def is_evaluation(column: str) -> bool:
  """Whether a column holds losses, or bits per byte."""
  return column.split('/')[0] in _EVALUATIONS


def losses(found: Mapping[str, _Value]) -> dict[str, _Value]:
  """The columns of losses and of bits per byte."""
  return {name: found[name] for name in found if is_evaluation(name)}


def tokens(found: Mapping[str, float]) -> dict[str, float]:
  """Source -> tokens, as the events count them."""
  return {
    name.removeprefix('tokens/'): value
    for name, value in found.items()
    if name.startswith('tokens/')
  }
