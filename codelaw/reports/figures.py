"""What all figures of a report share: colours, frame, legend, ticks.

Owns the colours: the Okabe-Ito palette, which stays apart for colour-blind
readers, and three neutral inks that `svg.inline` turns into the page's own,
so that one figure serves light and dark pages and TensorBoard.
"""

from collections.abc import Sequence
import math

import matplotlib
from matplotlib import axes as axes_lib
from matplotlib import axis as axis_lib
from matplotlib import cm
from matplotlib import colors
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
_SERIES = (*PALETTE, INK)
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


def panels(
  titles: Sequence[str], across: str, up: str
) -> tuple[figure_lib.Figure, list[axes_lib.Axes]]:
  """One panel per title, at most three in a line, sharing names of axes."""
  columns = 2 if len(titles) in (2, 4) else min(3, len(titles))
  lines = math.ceil(len(titles) / columns)
  figure, grid = new(lines, columns, 0.5 + 2.7 * lines)
  every = list(grid.flat)
  for place, (axes, title) in enumerate(zip(every, titles, strict=False)):
    axes.set_title(title, color=INK, fontsize=11)
    if place + columns >= len(titles):
      axes.set_xlabel(across)
    if place % columns == 0:
      axes.set_ylabel(up)
  for axes in every[len(titles) :]:
    axes.set_axis_off()
  return figure, every[: len(titles)]


def shades() -> colors.Colormap:
  """Viridis without its ends, which vanish on dark or on light pages."""
  return colors.ListedColormap(
    matplotlib.colormaps['viridis'](np.linspace(0.3, 0.85, 256))
  )


def colour_bar(
  figure: figure_lib.Figure,
  beside: Sequence[axes_lib.Axes],
  scale: colors.Normalize,
  words: str,
) -> None:
  """What the shades of counts mean, in a bar below the axes."""
  bar = figure.colorbar(
    cm.ScalarMappable(scale, shades()),
    ax=beside,
    location='bottom',
    fraction=0.04,
    aspect=50,
  )
  bar.set_label(words, color=INK, fontsize=10)
  bar.outline.set_visible(False)
  bar.ax.tick_params(colors=INK, labelsize=9)
  count_ticks(bar.ax.xaxis)


def legend(figure: figure_lib.Figure, handles: list, labels: list) -> None:
  """A legend below all axes, in as many columns as its texts have room for."""
  room = figure.get_figwidth() * _LETTERS_PER_INCH
  longest = max((len(label) for label in labels), default=0)
  most = max(1, int(room // (longest + _HANDLE_LETTERS)))
  lines = math.ceil(len(labels) / most)
  figure.legend(
    handles,
    labels,
    loc='outside lower center',
    ncols=math.ceil(len(labels) / max(1, lines)),  # full lines
    frameon=False,
    labelcolor=INK,
    fontsize=9,
  )


def style(place: int) -> dict[str, str]:
  """Colour and marker of a series, one of 42 that differ without colour."""
  return {
    'color': _SERIES[place % len(_SERIES)],
    'marker': MARKERS[place % len(MARKERS)],
  }


def count_ticks(axis: axis_lib.Axis) -> None:
  """A logarithmic axis of parameters or tokens: 1M, 3M, 10M.

  Its limits must be set.
  """
  low, high = axis.get_view_interval()
  if high > 1e4 * low:
    axis.set_major_locator(ticker.LogLocator(subs=(1,), numticks=6))
  elif high > 6 * low:
    steps = (1, 3) if high > 50 * low else (1, 2, 5)
    axis.set_major_locator(ticker.LogLocator(subs=steps, numticks=8))
  else:
    axis.set_major_locator(ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))
  axis.set_major_formatter(lambda value, _: short(value))
  axis.set_minor_locator(ticker.NullLocator())


def plain_power(value: float) -> str:
  """A number of compute in a few characters.

  >>> plain_power(3e21), plain_power(30.0)
  ('3e21', '30')
  """
  if 0.01 <= value < 1e4:
    return f'{value:.4g}'
  digits, _, power = f'{value:.2e}'.partition('e')
  return f'{float(digits):g}e{int(power)}'


def power_ticks(axis: axis_lib.Axis) -> None:
  """A logarithmic axis of compute: 1e18, 1e19; its limits must be set."""
  low, high = axis.get_view_interval()
  decades = math.log10(high / low)
  axis.set_major_locator(
    ticker.LogLocator(
      subs=(1,) if decades > 2 else (1, 3), numticks=max(4, round(decades))
    )
  )
  axis.set_major_formatter(lambda value, _: plain_power(value))
  axis.set_minor_locator(ticker.NullLocator())


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
  place: float,
  middle: float,
  ends: tuple[float, float] | None,
  colour: str,
) -> None:
  """A dot at `middle` and a line between `ends` (low, high), if known."""
  if ends is not None:
    axes.plot(ends, [place] * 2, color=colour, lw=2)
  axes.plot([middle], [place], 'o', color=colour, ms=7)
