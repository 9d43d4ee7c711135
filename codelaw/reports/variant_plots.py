"""Relative changes of variants against a baseline, one panel per category."""

from collections.abc import Mapping
import math

from matplotlib import figure as figure_lib
from matplotlib import ticker

from codelaw.reports import figures
from codelaw.reports import variant_scores

_MOST_COLUMNS = 3
_ROOM = 0.08  # of the panel's range, beyond what is drawn


def changes(
  found: Mapping[str, Mapping[str, variant_scores.Change]],
  level: float,
  better: int = 1,
) -> figure_lib.Figure:
  """A dot and an interval for every variant that has a change.

  Args:
    found: category -> variant -> change.
    level: of the intervals; 1 - level is the false discovery rate below which
      a dot is filled.
    better: sign of the changes for the better: 1 of scores, -1 of losses.
  """
  names = list(dict.fromkeys(name for row in found.values() for name in row))
  columns = min(_MOST_COLUMNS, len(found))
  lines = math.ceil(len(found) / columns)
  figure, grid = figures.new(lines, columns, lines * (1.0 + 0.36 * len(names)))
  for place, (axes, (category, row)) in enumerate(
    zip(grid.flat, found.items(), strict=False)
  ):
    low, high = _range(row)
    for number, name in enumerate(names):
      change = row.get(name)
      if change is None or not math.isfinite(change.percent):
        words = 'no score' if change is None else 'from 0'
        axes.text(low, number, words, va='center', color=figures.MUTED)
        continue
      good = better * change.difference >= 0
      colour = figures.BLUE if good else figures.VERMILION
      if change.low is not None and change.high is not None:
        _interval(axes, number, change.low, change.high, (low, high), colour)
      axes.plot(
        [change.percent],
        [number],
        'o',
        ms=7,
        color=colour,
        mfc=colour if change.is_sure(level) else 'none',
      )
    axes.axvline(0, color=figures.MUTED, lw=1)
    axes.set_xlim(low, high)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(
      range(len(names)), names if place % columns == 0 else [''] * len(names)
    )
    axes.set_title(category, color=figures.INK, fontsize=10)
    axes.grid(False, axis='y')
    axes.xaxis.set_major_locator(ticker.MaxNLocator(4))
    axes.xaxis.set_major_formatter(ticker.PercentFormatter(decimals=None))
    if place + columns >= len(found):
      axes.set_xlabel('relative change')
  for axes in list(grid.flat)[len(found) :]:
    axes.set_axis_off()
  return figure


def _range(
  row: Mapping[str, variant_scores.Change],
) -> tuple[float, float]:
  """Ends of a panel: all ends that are finite, or thrice a dot beyond."""
  dots = [c.percent for c in row.values() if math.isfinite(c.percent)]
  ends = [
    end
    for c in row.values()
    for end in (c.low, c.high)
    if end is not None and math.isfinite(end)
  ]
  reach = 3 * max((abs(dot) for dot in dots), default=1.0) or 1.0
  values = [0.0, *dots, *(min(max(e, -100.0), reach) for e in ends)]
  low, high = min(values), max(values)
  room = _ROOM * ((high - low) or 1.0)
  return low - room, high + room


def _interval(axes, place, low, high, limits, colour) -> None:
  inside = max(low, limits[0]), min(high, limits[1])
  axes.plot(inside, [place] * 2, color=colour, lw=2, solid_capstyle='butt')
  if high > limits[1]:
    axes.plot([inside[1]], [place], '>', color=colour, ms=6, clip_on=False)
