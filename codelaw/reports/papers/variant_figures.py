"""The figures of paper B's page."""

from collections.abc import Mapping
from collections.abc import Sequence

from matplotlib import figure as figure_lib
from matplotlib import ticker
import numpy as np

from codelaw.laws import response as response_lib
from codelaw.reports import figures
from codelaw.reports.papers import variant_checks


def variants(scores: variant_checks.Scores) -> figure_lib.Figure:
  """Scores of every variant before and after its cooldown."""
  names = list(dict.fromkeys(variant for variant, _ in scores))
  measures = variant_checks.MEASURES
  figure, grid = figures.new(1, len(measures), 1.5 + 0.5 * len(names))
  for axes, (measure, word) in zip(grid[0], measures.items(), strict=True):
    ends = [
      (
        variant_checks.before_cooldown(scores, name)[measure],
        scores[name, 'cooldown'][measure],
      )
      for name in names
    ]
    for place, (before, after) in enumerate(ends):
      axes.plot([before, after], [place] * 2, color=figures.GRID, lw=2.5)
      for value, other in ((before, after), (after, before)):
        axes.annotate(
          f'{value:.1f}',
          (value, place),
          xytext=(0, 7),
          textcoords='offset points',
          ha='right' if value < other else 'left',
          color=figures.INK,
          fontsize=8.5,
        )
    for label, side, colour, marker in (
      ('before the cooldown', 0, figures.ORANGE, 'o'),
      ('after it (8B of 40B tokens are code)', 1, figures.BLUE, 's'),
    ):
      axes.plot(
        [pair[side] for pair in ends],
        range(len(names)),
        marker,
        color=colour,
        ms=7,
        label=label,
      )
    axes.set_yticks(
      range(len(names)),
      [variant_checks.name_of(name) for name in names]
      if axes is grid[0][0]
      else [''] * len(names),
    )
    axes.set_ylim(len(names) - 0.6, -0.6)
    axes.margins(x=0.16)
    axes.set_title(word, color=figures.INK, fontsize=10)
    axes.set_xlabel('score (%)')
    axes.grid(False, axis='y')
  figures.legend(figure, *grid[0][0].get_legend_handles_labels())
  return figure


def responses(
  points: Mapping[str, Sequence[tuple[float, float]]],
  fitted: Mapping[str, response_lib.Response],
  code: Sequence[tuple[float, float]],
) -> figure_lib.Figure:
  """Relative change against the code share, and code scores beside it.

  Args:
    points: measure -> (percent of code, printed percent of change).
    fitted: measure -> its response.
    code: (percent of code, code score) at equal tokens.
  """
  figure, grid = figures.new(1, len(fitted) + 1, 4.2)
  for number, (measure, found) in enumerate(fitted.items()):
    axes = grid[0][number]
    colour = figures.PALETTE[number]
    axes.fill_between(
      found.shares, found.low, found.high, color=colour, alpha=0.2, lw=0
    )
    axes.plot(found.shares, found.middle, color=colour, lw=1.8)
    shares, values = zip(*points[measure], strict=True)
    axes.plot(shares, values, 'o', color=colour, mec=figures.INK, ms=7)
    axes.axhline(0, color=figures.MUTED, lw=1)
    top = max(float(found.high.max()), 0.0)
    room = top - float(found.low.min())
    height = top + 0.1 * room
    axes.plot(
      [found.optimum_low, found.optimum_high],
      [height] * 2,
      color=figures.INK,
      lw=2.2,
    )
    axes.text(
      found.optimum_high + 3 if found.optimum_high < 60 else 0,
      height + (0 if found.optimum_high < 60 else 0.03 * room),
      f'best: {found.optimum_low:.0f}% to {found.optimum_high:.0f}%',
      va='center' if found.optimum_high < 60 else 'bottom',
      color=figures.INK,
      fontsize=9,
    )
    axes.set_ylim(top=height + 0.1 * room)
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(decimals=0))
    axes.set_title(
      variant_checks.MEASURES[measure], color=figures.INK, fontsize=10
    )
    axes.set_ylabel('change against no code' if number == 0 else '')
  axes = grid[0][-1]
  shares, values = zip(*code, strict=True)
  line = np.array([0.0, 100.0])
  slope = values[-1] / shares[-1]
  axes.plot(line, slope * line, color=figures.GREEN, lw=1.4, ls='--')
  axes.plot(shares, values, 'o', color=figures.GREEN, mec=figures.INK, ms=7)
  axes.set_title('code', color=figures.INK, fontsize=10)
  axes.set_ylabel('Pass@1 (%)')
  axes.set_ylim(bottom=0)
  for axes in grid[0]:
    axes.set_xlabel('code in the tokens (%)')
    axes.set_xlim(-4, 104)
    axes.set_xticks([0, 25, 50, 75, 100])
  return figure
