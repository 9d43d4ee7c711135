"""Figures of laws of single sources."""

from collections.abc import Sequence
import math

import matplotlib
from matplotlib import axes as axes_lib
from matplotlib import figure as figure_lib
from matplotlib import ticker
import numpy as np
import pandas as pd

from codelaw.laws import forms
from codelaw.laws import predict
from codelaw.laws import results
from codelaw.reports import figures
from codelaw.reports import predictions


def loss_curves(
  table: pd.DataFrame, fits: Sequence[results.Fit]
) -> figure_lib.Figure:
  """Loss against tokens for every source, with its law and band per size.

  Args:
    table: run table; the final rows of single-source runs are drawn.
    fits: laws of single sources in num_params and num_tokens.
  """
  sets = [predictions.single_source_rows(table, fit.target) for fit in fits]
  sizes = sorted({size for rows in sets for size in rows['num_params']})
  shades = matplotlib.colormaps['viridis'](np.linspace(0.3, 0.8, len(sizes)))
  colour = dict(zip(sizes, shades, strict=True))
  columns = 2 if len(fits) in (2, 4) else min(3, len(fits))
  lines = math.ceil(len(fits) / columns)
  figure, grid = figures.new(lines, columns, 0.5 + 2.7 * lines)
  for place, (fit, rows) in enumerate(zip(fits, sets, strict=True)):
    axes = grid[place // columns][place % columns]
    _loss_panel(axes, fit, rows, colour)
    axes.set_title(forms.source_of(fit.target), color=figures.INK)
    if place + columns >= len(fits):
      axes.set_xlabel('training tokens')
    if place % columns == 0:
      axes.set_ylabel('loss (nats per token)')
  for place in range(len(fits), lines * columns):
    grid[place // columns][place % columns].set_axis_off()
  handles = [
    axes_lib.Axes.plot(grid[0][0], [], [], 'o-', color=colour[size], ms=5)[0]
    for size in sizes
  ]
  figures.legend(
    figure, handles, [f'{figures.short(size)} parameters' for size in sizes]
  )
  return figure


def _loss_panel(
  axes: axes_lib.Axes,
  fit: results.Fit,
  rows: pd.DataFrame,
  colour: dict[float, np.ndarray],
) -> None:
  axes.set_xscale('log')
  axes.set_yscale('log')
  if len(rows):
    tokens = np.geomspace(
      rows['num_tokens'].min() * 0.8, rows['num_tokens'].max() * 1.25, 60
    )
    for size, group in rows.groupby('num_params'):
      shade = colour[size]
      losses, low, high = predict.at(
        fit, pd.DataFrame({'num_params': size, 'num_tokens': tokens})
      )
      axes.fill_between(tokens, low, high, color=shade, alpha=0.2, lw=0)
      axes.plot(tokens, losses, color=shade, lw=1.4)
      axes.plot(
        group['num_tokens'], group[fit.target], 'o', color=shade, ms=4.5
      )
  left, right = axes.get_xlim()
  axes.xaxis.set_major_locator(
    ticker.LogLocator(subs=(1, 3) if right < 100 * left else (1,), numticks=8)
  )
  axes.xaxis.set_major_formatter(lambda value, _: figures.short(value))
  axes.xaxis.set_minor_locator(ticker.NullLocator())
  figures.plain_log_ticks(axes.yaxis)
