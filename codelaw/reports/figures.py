"""What all figures of a report share: colours, frame, legend, ticks.

Owns the colours: the Okabe-Ito palette, which stays apart for colour-blind
readers, and three neutral inks that `svg.inline` turns into the page's own,
so that one figure serves light and dark pages and TensorBoard.
"""

from matplotlib import axes as axes_lib
from matplotlib import axis as axis_lib
from matplotlib import figure as figure_lib
from matplotlib import ticker
import numpy as np

INK = '#24292f'
MUTED = '#6a737d'
GRID = '#d8dee4'
BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION = (
  '#0072b2',
  '#e69f00',
  '#009e73',
  '#cc79a7',
  '#56b4e9',
  '#d55e00',
)
# Of Okabe and Ito, "Color universal design" (2008), without yellow and black.
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
MARKERS = 'os^Dvp'
_WIDTH = 9.0  # inches; the page is 900 CSS pixels wide
_LETTERS_PER_INCH = 13  # of 9 points
_HANDLE_LETTERS = 7  # the room of a legend's line and margins


def short(count: float) -> str:
  """A count in a few characters.

  >>> short(2_100_000), short(950)
  ('2.1M', '950')
  """
  for scale, unit in ((1e12, 'T'), (1e9, 'B'), (1e6, 'M'), (1e3, 'k')):
    if count >= scale:
      return f'{count / scale:.3g}{unit}'
  return f'{count:.3g}'


def new(
  lines: int, columns: int, height: float, width: float = _WIDTH
) -> tuple[figure_lib.Figure, np.ndarray]:
  """A figure in the report's style and its axes [lines, columns].

  Args:
    lines: of axes.
    columns: of axes.
    height: of the figure in inches, legend included.
    width: in inches; all of a report have the page's.
  """
  figure = figure_lib.Figure(figsize=(width, height), layout='constrained')
  grid = figure.subplots(lines, columns, squeeze=False)
  for axes in grid.flat:
    axes.set_axisbelow(True)
    axes.set_facecolor('none')
    axes.grid(True, color=GRID, lw=0.8)
    axes.tick_params(colors=INK, labelsize=9, color=GRID)
    axes.xaxis.label.set(color=INK, fontsize=10)
    axes.yaxis.label.set(color=INK, fontsize=10)
    for side, spine in axes.spines.items():
      spine.set_visible(side in ('left', 'bottom'))
      spine.set_color(GRID)
  return figure, grid


def legend(figure: figure_lib.Figure, handles: list, labels: list) -> None:
  """A legend below all axes, in as many columns as its texts have room for."""
  room = figure.get_figwidth() * _LETTERS_PER_INCH
  longest = max((len(label) for label in labels), default=0)
  columns = int(room // (longest + _HANDLE_LETTERS))
  figure.legend(
    handles,
    labels,
    loc='outside lower center',
    ncols=max(1, min(columns, len(labels))),
    frameon=False,
    labelcolor=INK,
    fontsize=9,
  )


def plain_log_ticks(axis: axis_lib.Axis) -> None:
  """Round numbers on a logarithmic axis that may span less than a decade."""
  low, high = axis.get_view_interval()
  axis.set_major_locator(
    ticker.LogLocator(subs=(1, 2, 5), numticks=8)
    if high > 4 * low
    else ticker.MaxNLocator(6, steps=[1, 2, 2.5, 5, 10])
  )
  axis.set_major_formatter(lambda value, _: f'{value:.4g}')
  axis.set_minor_locator(ticker.NullLocator())


def interval(
  axes: axes_lib.Axes,
  place: int,
  middle: float,
  ends: tuple[float, float] | None,
  colour: str,
) -> None:
  """A dot at `middle` and a line between `ends` (low, high), if known."""
  if ends is not None:
    axes.plot(ends, [place] * 2, color=colour, lw=2)
  axes.plot([middle], [place], 'o', color=colour, ms=7)
