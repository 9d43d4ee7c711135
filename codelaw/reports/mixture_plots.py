"""Figures of mixtures: laws against what was measured."""

from matplotlib import figure as figure_lib
from matplotlib import ticker
import pandas as pd

from codelaw.laws import forms
from codelaw.reports import figures


def predicted_against_measured(points: pd.DataFrame) -> figure_lib.Figure:
  """Predicted against measured loss, and the relative error beside it.

  Filled marks are confirmation runs.

  Args:
    points: of `predictions.against_measured`, at least one row.
  """
  figure, grid = figures.new(1, 2, 4.4)
  losses, errors = grid[0]
  for place, (target, rows) in enumerate(points.groupby('target')):
    style = {**figures.style(place), 'linestyle': ''}
    for chosen, look in (
      (
        rows[rows['purpose'] != 'confirm'],
        {'ms': 5 if len(points) < 500 else 3, 'mfc': 'none'},
      ),
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
