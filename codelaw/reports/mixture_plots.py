"""Figures of mixtures: synergy, and laws against what was measured."""

from collections.abc import Sequence

from matplotlib import colors
from matplotlib import figure as figure_lib
from matplotlib import ticker
import numpy as np
import pandas as pd

from codelaw.laws import forms
from codelaw.laws import synergy as synergy_lib
from codelaw.reports import figures


def synergy_heat_map(
  entries: Sequence[synergy_lib.Synergy],
) -> figure_lib.Figure:
  """Gain of every target (row) from every auxiliary (column), in percent.

  A cell in bold with a star has an interval that excludes 0.
  """
  targets = sorted({entry.target for entry in entries})
  auxiliaries = sorted({entry.auxiliary for entry in entries})
  values = np.full((len(targets), len(auxiliaries)), np.nan)
  marks = {}
  for entry in entries:
    place = targets.index(entry.target), auxiliaries.index(entry.auxiliary)
    values[place] = 100 * entry.gain
    marks[place] = _excludes_zero(entry)
  figure, grid = figures.new(1, 1, 1.6 + 0.5 * len(targets))
  axes = grid[0][0]
  most = float(np.nanmax(np.abs(values))) or 1.0
  # Orange and blue with a pale middle: apart for colour-blind readers.
  shades = colors.LinearSegmentedColormap.from_list(
    'synergy', [figures.VERMILION, '#f6f6f4', figures.BLUE]
  )
  scale = colors.Normalize(-most, most)
  axes.pcolormesh(
    np.arange(len(auxiliaries) + 1) - 0.5,
    np.arange(len(targets) + 1) - 0.5,
    np.ma.masked_invalid(values),
    cmap=shades,
    norm=scale,
    edgecolors=figures.GRID,
    linewidth=1,
  )
  for place, marked in marks.items():
    red, green, blue, _ = shades(scale(values[place]))
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.45
    axes.text(
      place[1],
      place[0],
      f'{values[place]:+.1f}%' + (' *' if marked else ''),
      ha='center',
      va='center',
      fontsize=9,
      fontweight='bold' if marked else 'normal',
      color='#ffffff' if dark else '#1b1f23',
    )
  axes.set_xticks(range(len(auxiliaries)), auxiliaries)
  axes.set_yticks(range(len(targets)), targets)
  axes.set_xlabel('auxiliary source (half of the tokens)')
  axes.set_ylabel('target source')
  axes.invert_yaxis()
  axes.grid(False)
  axes.tick_params(length=0)
  for spine in axes.spines.values():
    spine.set_visible(False)
  return figure


def _excludes_zero(entry: synergy_lib.Synergy) -> bool:
  if entry.low is None or entry.high is None:
    return False
  return entry.low > 0 or entry.high < 0


def predicted_against_measured(points: pd.DataFrame) -> figure_lib.Figure:
  """Predicted against measured loss, and the relative error beside it.

  Filled marks are confirmation runs.

  Args:
    points: of `predictions.against_measured`, at least one row.
  """
  figure, grid = figures.new(1, 2, 4.4)
  losses, errors = grid[0]
  for place, (target, rows) in enumerate(points.groupby('target')):
    style = {
      'color': figures.PALETTE[place % len(figures.PALETTE)],
      'marker': figures.MARKERS[place % len(figures.MARKERS)],
      'linestyle': '',
    }
    for chosen, look in (
      (rows[rows['purpose'] != 'confirm'], {'ms': 5, 'mfc': 'none'}),
      (rows[rows['purpose'] == 'confirm'], {'ms': 8, 'mec': figures.INK}),
    ):
      measured, predicted = chosen['measured'], chosen['predicted']
      losses.plot(measured, predicted, **style, **look)
      errors.plot(measured, predicted / measured - 1, **style, **look)
    losses.plot([], [], label=forms.source_of(str(target)), **style)
  ends = [points['measured'].min() * 0.97, points['measured'].max() * 1.03]
  losses.plot(ends, ends, color=figures.MUTED, lw=1, zorder=0)
  errors.axhline(0, color=figures.MUTED, lw=1, zorder=0)
  losses.set_xscale('log')
  losses.set_yscale('log')
  errors.set_xscale('log')
  for axis in (losses.xaxis, losses.yaxis, errors.xaxis):
    figures.plain_log_ticks(axis)
  errors.yaxis.set_major_formatter(ticker.PercentFormatter(1))
  losses.set_ylabel('predicted loss (nats per token)')
  errors.set_ylabel('predicted / measured - 1')
  for axes in (losses, errors):
    axes.set_xlabel('measured loss (nats per token)')
  figures.legend(figure, *losses.get_legend_handles_labels())
  return figure
