"""Tables as a report shows them: text cells, and the numbers behind them."""

from collections.abc import Sequence
import dataclasses
import math
from typing import Any

import pandas as pd

_LARGE = 200.0  # Percent of change from which factors are easier to read.


@dataclasses.dataclass(frozen=True)
class Table:
  """Headings and rows of text; the first column names the row.

  Attributes:
    title: of the table.
    caption: one sentence on how to read it.
    headings: one per column.
    rows: cells, as many as headings; an interval is a second line.
    data: the same numbers unrounded, to download; None where the cells are
      all there is.
  """

  title: str
  caption: str
  headings: tuple[str, ...]
  rows: tuple[tuple[str, ...], ...]
  data: pd.DataFrame | None = None

  @property
  def numbers(self) -> pd.DataFrame:
    """What a download holds: `data`, or the cells on single lines."""
    if self.data is not None:
      return self.data
    cells = [[' '.join(cell.split()) for cell in row] for row in self.rows]
    return pd.DataFrame(cells, columns=list(self.headings))


def band(
  value: float | None, ends: Sequence[float | None] | None, form: str
) -> str:
  r"""A value, and its interval on a second line; open ends are dots.

  >>> band(0.5, (0.25, None), '.2f')
  '0.50\n0.25 to ...'
  """
  text = number(value, form)
  if not text or not ends or all(pd.isna(end) for end in ends):
    return text
  low, high = (number(end, form) or '...' for end in ends)
  return f'{text}\n{low} to {high}'


def number(value: Any, form: str) -> str:
  """A number in a format; nothing where there is none."""
  return '' if value is None or pd.isna(value) else format(value, form)


def change_text(percent: float) -> str:
  """A relative change in words: a percentage, or a factor when it is large.

  >>> change_text(8.16), change_text(1100.0), change_text(float('inf'))
  ('+8.2%', '12 times', 'from 0')
  """
  if math.isinf(percent):
    return 'from 0'
  if math.isnan(percent):
    return '0 both'
  if percent >= _LARGE:
    return f'{1 + percent / 100:.2g} times'
  return f'{percent:+.1f}%'
