"""The figures of a report, as pure functions that return a Figure.

Owns the colours: the Okabe-Ito palette, which stays apart for colour-blind
readers, and three neutral inks that `svg.inline` turns into the page's own,
so that one figure serves light and dark pages and TensorBoard.
"""

from collections.abc import Sequence
import math

import matplotlib
from matplotlib import axes as axes_lib
from matplotlib import axis as axis_lib
from matplotlib import colors
from matplotlib import figure as figure_lib
from matplotlib import ticker
import numpy as np
import pandas as pd

from codelaw import records
from codelaw.laws import forms
from codelaw.laws import predict
from codelaw.laws import results
from codelaw.laws import synergy as synergy_lib
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import confirmation as confirmation_lib
from codelaw.reports import predictions

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
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
_MARKERS = 'os^Dvp'
_WIDTH = 9.0  # inches; the page is 900 CSS pixels wide


def short(count: float) -> str:
  """A count in a few characters.

  >>> short(2_100_000), short(950)
  ('2.1M', '950')
  """
  for scale, unit in ((1e12, 'T'), (1e9, 'B'), (1e6, 'M'), (1e3, 'k')):
    if count >= scale:
      return f'{count / scale:.3g}{unit}'
  return f'{count:.3g}'


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
  figure, grid = _figure(lines, columns, 0.5 + 2.7 * lines)
  for place, (fit, rows) in enumerate(zip(fits, sets, strict=True)):
    axes = grid[place // columns][place % columns]
    _loss_panel(axes, fit, rows, colour)
    axes.set_title(forms.source_of(fit.target), color=INK)
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
  _legend(figure, handles, [f'{short(size)} parameters' for size in sizes])
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
  axes.xaxis.set_major_formatter(lambda value, _: short(value))
  axes.xaxis.set_minor_locator(ticker.NullLocator())
  _plain_log_ticks(axes.yaxis)


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
  figure, grid = _figure(1, 1, 1.6 + 0.5 * len(targets))
  axes = grid[0][0]
  most = float(np.nanmax(np.abs(values))) or 1.0
  # Orange and blue with a pale middle: apart for colour-blind readers.
  shades = colors.LinearSegmentedColormap.from_list(
    'synergy', [VERMILION, '#f6f6f4', BLUE]
  )
  scale = colors.Normalize(-most, most)
  axes.pcolormesh(
    np.arange(len(auxiliaries) + 1) - 0.5,
    np.arange(len(targets) + 1) - 0.5,
    np.ma.masked_invalid(values),
    cmap=shades,
    norm=scale,
    edgecolors=GRID,
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


def allocation_bars(
  allocation: allocation_lib.Allocation,
) -> figure_lib.Figure:
  """Allocated rates with their bands next to the uniform rates."""
  names = list(allocation.sources)
  shares = list(allocation.sources.values())
  figure, grid = _figure(1, 1, 1.1 + 0.55 * len(names))
  axes = grid[0][0]
  places = np.arange(len(names))
  axes.barh(
    places - 0.19,
    [share.rate for share in shares],
    0.36,
    color=BLUE,
    label='allocated',
  )
  axes.barh(
    places + 0.19,
    [share.uniform_rate for share in shares],
    0.36,
    color=GRID,
    label='uniform',
  )
  end = max(share.high or share.rate for share in shares)
  end = max(end, *(share.uniform_rate for share in shares))
  for place, share in zip(places, shares, strict=True):
    if share.low is not None and share.high is not None:
      axes.plot([share.low, share.high], [place - 0.19] * 2, color=INK, lw=1.6)
      for edge in (share.low, share.high):
        axes.plot([edge] * 2, [place - 0.28, place - 0.10], color=INK, lw=1.6)
    axes.text(
      end * 1.03, place - 0.19, f'{share.rate:.1%}', va='center', color=INK
    )
  axes.set_yticks(places, names)
  axes.set_xlim(0, end * 1.14)
  axes.invert_yaxis()
  axes.xaxis.set_major_formatter(ticker.PercentFormatter(1, decimals=0))
  axes.set_xlabel('share of training tokens')
  axes.grid(False, axis='y')
  _legend(figure, *axes.get_legend_handles_labels())
  return figure


def token_bars(run_records: Sequence[records.RunRecord]) -> figure_lib.Figure:
  """Tokens of every source over all runs, realised next to planned."""
  totals: dict[str, list[int]] = {}
  for record in run_records:
    for place, counts in enumerate(
      (record.realised_tokens, record.planned_tokens)
    ):
      for source, count in counts.items():
        totals.setdefault(source, [0, 0])[place] += count
  names = sorted(totals)
  figure, grid = _figure(1, 1, 1.1 + 0.55 * len(names))
  axes = grid[0][0]
  places = np.arange(len(names))
  for place, (label, colour) in enumerate(
    (('realised', BLUE), ('planned', GRID))
  ):
    axes.barh(
      places + (-0.19, 0.19)[place],
      [totals[name][place] for name in names],
      0.36,
      color=colour,
      label=label,
    )
  end = max(max(pair) for pair in totals.values())
  for at, name in zip(places, names, strict=True):
    realised, planned = totals[name]
    axes.text(
      end * 1.01,
      at,
      f'{realised:,}\n{realised - planned:+,} from plan'
      if realised != planned
      else f'{realised:,}\nas planned',
      va='center',
      color=INK,
      fontsize=9,
    )
  axes.set_yticks(places, names)
  axes.set_xlim(0, end * 1.2)
  axes.invert_yaxis()
  axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: short(x)))
  axes.set_xlabel('training tokens, all runs')
  axes.grid(False, axis='y')
  _legend(figure, *axes.get_legend_handles_labels())
  return figure


def predicted_against_measured(points: pd.DataFrame) -> figure_lib.Figure:
  """Predicted against measured loss, and the relative error beside it.

  Filled marks are confirmation runs.

  Args:
    points: of `predictions.against_measured`, at least one row.
  """
  figure, grid = _figure(1, 2, 4.4)
  losses, errors = grid[0]
  for place, (target, rows) in enumerate(points.groupby('target')):
    style = {
      'color': PALETTE[place % len(PALETTE)],
      'marker': _MARKERS[place % len(_MARKERS)],
      'linestyle': '',
    }
    for chosen, look in (
      (rows[rows['purpose'] != 'confirm'], {'ms': 5, 'mfc': 'none'}),
      (rows[rows['purpose'] == 'confirm'], {'ms': 8, 'mec': INK}),
    ):
      measured, predicted = chosen['measured'], chosen['predicted']
      losses.plot(measured, predicted, **style, **look)
      errors.plot(measured, predicted / measured - 1, **style, **look)
    losses.plot([], [], label=forms.source_of(str(target)), **style)
  ends = [points['measured'].min() * 0.97, points['measured'].max() * 1.03]
  losses.plot(ends, ends, color=MUTED, lw=1, zorder=0)
  errors.axhline(0, color=MUTED, lw=1, zorder=0)
  losses.set_xscale('log')
  losses.set_yscale('log')
  errors.set_xscale('log')
  for axis in (losses.xaxis, losses.yaxis, errors.xaxis):
    _plain_log_ticks(axis)
  errors.yaxis.set_major_formatter(ticker.PercentFormatter(1))
  losses.set_ylabel('predicted loss (nats per token)')
  errors.set_ylabel('predicted / measured - 1')
  for axes in (losses, errors):
    axes.set_xlabel('measured loss (nats per token)')
  _legend(figure, *losses.get_legend_handles_labels())
  return figure


def _plain_log_ticks(axis: axis_lib.Axis) -> None:
  """Round numbers on a logarithmic axis that may span less than a decade."""
  low, high = axis.get_view_interval()
  axis.set_major_locator(
    ticker.LogLocator(subs=(1, 2, 5), numticks=8)
    if high > 4 * low
    else ticker.MaxNLocator(6, steps=[1, 2, 2.5, 5, 10])
  )
  axis.set_major_formatter(lambda value, _: f'{value:.4g}')
  axis.set_minor_locator(ticker.NullLocator())


def confirmation_differences(
  confirmation: confirmation_lib.Confirmation,
) -> figure_lib.Figure:
  """Paired differences, allocated - uniform, with intervals.

  The first row is the objective, the second what the laws predicted for it,
  the others the single targets.
  """
  pairs = list(
    zip(
      confirmation.arms['uniform'],
      confirmation.arms['allocated'],
      strict=True,
    )
  )
  level = confirmation.interval_level
  objective = [after.objective - before.objective for before, after in pairs]
  rows = [('weighted loss, measured', objective, INK)]
  for target in pairs[0][0].losses:
    values = [a.losses[target] - b.losses[target] for b, a in pairs]
    rows.append((forms.source_of(target), values, BLUE))
  extra = confirmation.predicted_difference is not None
  figure, grid = _figure(1, 1, 1.2 + 0.42 * (len(rows) + extra))
  axes = grid[0][0]
  labels: list[str] = []
  for name, values, colour in rows:
    place = len(labels)
    labels.append(name)
    _interval(
      axes,
      place,
      float(np.mean(values)),
      confirmation_lib.t_interval(values, level),
      colour,
    )
    axes.plot(values, [place] * len(values), '|', color=colour, ms=9, alpha=0.9)
    if place == 0 and confirmation.predicted_difference is not None:
      low, high = confirmation.predicted_low, confirmation.predicted_high
      labels.append('weighted loss, predicted')
      _interval(
        axes,
        1,
        confirmation.predicted_difference,
        None if low is None or high is None else (low, high),
        ORANGE,
      )
  axes.axvline(0, color=MUTED, lw=1)
  axes.set_yticks(range(len(labels)), labels)
  axes.set_ylim(len(labels) - 0.4, -0.6)
  axes.set_xlabel(
    'allocated - uniform (nats per token); left of 0 the allocated rates win'
  )
  axes.grid(False, axis='y')
  return figure


def _interval(
  axes: axes_lib.Axes,
  place: int,
  middle: float,
  ends: tuple[float, float] | None,
  colour: str,
) -> None:
  if ends is not None:
    axes.plot(ends, [place] * 2, color=colour, lw=2)
  axes.plot([middle], [place], 'o', color=colour, ms=7)


def _figure(
  lines: int, columns: int, height: float, width: float = _WIDTH
) -> tuple[figure_lib.Figure, np.ndarray]:
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


def _legend(figure: figure_lib.Figure, handles: list, labels: list) -> None:
  figure.legend(
    handles,
    labels,
    loc='outside lower center',
    ncols=min(5, max(1, len(labels))),
    frameon=False,
    labelcolor=INK,
    fontsize=9,
  )
