"""Heat maps with the number in every cell, in any page's colours."""

from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence

from matplotlib import axes as axes_lib
from matplotlib import colors
from matplotlib import patches
import numpy as np

from codelaw.reports import figures

PALE = '#f6f6f4'  # Middle of a scale that has two sides.
_DARK_INK, _LIGHT_INK = '#1b1f23', '#ffffff'  # On cells, in any page.
# (row, column) -> (value that colours the cell, its text, whether bold).
Cells = Mapping[tuple[str, str], tuple[float, str, bool]]


def draw(
  axes: axes_lib.Axes,
  cells: Cells,
  rows: Sequence[str],
  columns: Sequence[str],
  shades: colors.Colormap,
  scale: colors.Normalize,
  framed: Collection[tuple[str, str]] = (),
  letters: float = 9,
) -> None:
  """Draws cells into axes, rows from the top; cells may be missing.

  Args:
    axes: to draw into.
    cells: of rows and columns.
    rows: names, from the top.
    columns: names, from the left.
    shades: colours of `scale`.
    scale: from values to shades.
    framed: cells to draw a frame around.
    letters: their size in points.
  """
  values = np.full((len(rows), len(columns)), np.nan)
  for (row, column), (value, _, _) in cells.items():
    values[rows.index(row), columns.index(column)] = value
  axes.pcolormesh(
    np.arange(len(columns) + 1) - 0.5,
    np.arange(len(rows) + 1) - 0.5,
    np.ma.masked_invalid(values),
    cmap=shades,
    norm=scale,
    edgecolors=figures.GRID,
    linewidth=1,
  )
  for (row, column), (value, text, bold) in cells.items():
    red, green, blue, _ = shades(scale(value))
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.45
    axes.text(
      columns.index(column),
      rows.index(row),
      text,
      ha='center',
      va='center',
      fontsize=letters,
      fontweight='bold' if bold else 'normal',
      color=_LIGHT_INK if dark else _DARK_INK,
    )
  for row, column in framed:
    corner = columns.index(column) - 0.46, rows.index(row) - 0.46
    axes.add_patch(
      patches.Rectangle(
        corner, 0.92, 0.92, fill=False, edgecolor=figures.INK, lw=1.6
      )
    )
  axes.set_xticks(range(len(columns)), columns)
  axes.set_yticks(range(len(rows)), rows)
  axes.invert_yaxis()
  axes.grid(False)
  axes.tick_params(length=0, labelsize=letters)
  for spine in axes.spines.values():
    spine.set_visible(False)
