"""Compute-optimal sizes and tokens as tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from codelaw.laws import frontier as frontier_lib
from codelaw.reports import figures
from codelaw.reports import predictions
from codelaw.reports import tables

_MOST_BUDGETS = 5


def frontiers(
  laws: Sequence[predictions.Fitted],
  found: Sequence[frontier_lib.Frontier],
) -> tables.Table:
  """Optimal sizes and tokens of every law at a few budgets."""
  shown = []
  for law, frontier in zip(laws, found, strict=True):
    count = frontier.compute.size
    for place in np.linspace(0, count - 1, _MOST_BUDGETS).astype(int):
      size, tokens, loss = (
        values[:, place]
        for values in (frontier.num_params, frontier.num_tokens, frontier.loss)
      )
      beyond = frontier.compute[place] > law.compute[1] * 1.001
      shown.append(
        (
          law.label,
          figures.plain_power(frontier.compute[place])
          + (' (beyond the runs)' if beyond else ''),
          _counts(size),
          _counts(tokens),
          tables.number(tokens[0] / size[0], '.3g'),
          tables.band(loss[0], tuple(loss[1:]), '.4f'),
          tables.band(
            frontier.exponent[0], tuple(frontier.exponent[1:]), '.3f'
          ),
        )
      )
  return tables.Table(
    'Compute-optimal sizes and tokens',
    'For budgets C = 6 N D in the units of the table; a is the exponent of'
    ' N_opt ~ C^a, so that D_opt ~ C^(1 - a). Empty where the least loss lies'
    ' outside the sizes searched.',
    ('law', 'C', 'N_opt', 'D_opt', 'D / N', 'loss', 'a'),
    tuple(shown),
    rows(laws, found),
  )


def _counts(values: np.ndarray) -> str:
  if np.isnan(values[0]):
    return ''
  text = figures.short(values[0])
  if np.isnan(values[1:]).any():
    return text
  return f'{text}\n{figures.short(values[1])} to {figures.short(values[2])}'


def rows(
  laws: Sequence[predictions.Fitted],
  frontiers: Sequence[frontier_lib.Frontier],
) -> pd.DataFrame:
  """The frontiers as one table: law, compute, and each value with its band."""
  parts = []
  for law, found in zip(laws, frontiers, strict=True):
    part = {'law': law.label, 'compute': found.compute}
    for name in ('num_params', 'num_tokens', 'loss'):
      values = getattr(found, name)
      part |= {
        name: values[0],
        f'{name}_low': values[1],
        f'{name}_high': values[2],
      }
    part['beyond_the_runs'] = found.compute > law.compute[1] * 1.001
    parts.append(pd.DataFrame(part))
  return pd.concat(parts, ignore_index=True)
