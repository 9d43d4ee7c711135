"""The figures of paper A's page."""

from collections.abc import Sequence

from matplotlib import figure as figure_lib
from matplotlib import ticker
import numpy as np
import pandas as pd

from codelaw.reports import figures
from codelaw.reports.papers import code_allocation
from codelaw.reports.papers import code_laws
from codelaw.reports.papers import published

_PANELS = (
  ('alpha', 'alpha_n', 'exponent of N'),
  ('beta', 'alpha_d', 'exponent of D'),
  ('E', 'l_inf', 'limit of the loss (nats)'),
)


def way_name(way: code_laws.Way) -> str:
  """How a law was fitted, in a few words.

  >>> way_name(('log_huber', 4e9))
  'log-Huber, D >= 4B'
  """
  objective, least = way
  name = objective.replace('_', '-').replace('huber', 'Huber')
  return f'{name}, D >= {least / published.BILLION:g}B'.replace(
    'least-squares', 'least squares'
  )


def printed_and_fitted(
  study: code_laws.Study,
  printed: pd.DataFrame,
  ways: Sequence[code_laws.Way],
) -> figure_lib.Figure:
  """Exponents and limits: printed labels beside fits, one row a language.

  Args:
    study: the fits.
    printed: `law_parameters.csv`.
    ways: of fitting, at most one per colour; the first is that of the paper.
  """
  names = list(study.languages)
  table = printed.set_index('language')
  lowest = study.runs.groupby('language')['loss'].min()
  figure, grid = figures.new(1, 3, 1.5 + 0.5 * len(names))
  places = np.arange(len(names))
  step = 0.7 / max(1, len(ways))
  for axes, (ours, theirs, title) in zip(grid[0], _PANELS, strict=True):
    for number, way in enumerate(ways):
      colour = figures.PALETTE[number]
      rows = places + step * (number - (len(ways) - 1) / 2)
      laws = [study.laws[way][name] for name in names]
      for place, law in zip(rows, laws, strict=True):
        if ours in law.intervals:
          axes.plot(law.intervals[ours], [place] * 2, color=colour, lw=1.6)
      axes.plot(
        [law.estimates[ours] for law in laws],
        rows,
        figures.MARKERS[number],
        color=colour,
        ms=4.5,
        label=way_name(way),
      )
    axes.plot(
      table.loc[names, f'printed_{theirs}'],
      places,
      '|',
      color=figures.INK,
      ms=20,
      mew=2,
      label='printed',
    )
    if ours == 'E':
      axes.plot(
        lowest[names],
        places,
        'x',
        color=figures.MUTED,
        ms=7,
        mew=1.8,
        label='lowest observed loss',
      )
    axes.set_title(title, color=figures.INK, fontsize=10)
    axes.set_yticks(places, names if axes is grid[0][0] else [''] * len(names))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(left=0)
  figures.legend(figure, *grid[0][2].get_legend_handles_labels())
  return figure


def allocations(
  found: code_allocation.Comparison, names: Sequence[str], billions: float
) -> figure_lib.Figure:
  """Tokens per language: published and ours, with bands, and equal shares.

  Args:
    found: the allocations.
    names: of the languages, in order.
    billions: of tokens there are.
  """
  places = np.arange(len(names))
  figure, grid = figures.new(1, 1, 1.3 + 0.62 * len(names))
  axes = grid[0][0]
  bars: list[tuple[str, str, list[float], list]] = [
    ('published', figures.ORANGE, [found.published[n] for n in names], [])
  ]
  for number, (strength, ours) in enumerate(found.allocations.items()):
    shares = [ours.sources[name] for name in names]
    bars.append(
      (
        f'ours, {code_allocation.strength_name(strength)}',
        (figures.BLUE, figures.SKY)[number],
        [share.rate for share in shares],
        [(share.low, share.high) for share in shares],
      )
    )
  height = 0.78 / len(bars)
  for number, (label, colour, rates, bands) in enumerate(bars):
    rows = places + height * (number - (len(bars) - 1) / 2)
    axes.barh(
      rows,
      [billions * rate for rate in rates],
      height * 0.92,
      color=colour,
      label=label,
    )
    for place, band in zip(rows, bands, strict=False):
      if None not in band:
        axes.plot(
          [billions * end for end in band],
          [place] * 2,
          color=figures.INK,
          lw=1.5,
        )
  axes.axvline(
    billions / len(names),
    color=figures.MUTED,
    lw=1.2,
    ls='--',
    label='equal shares',
  )
  axes.set_yticks(places, names)
  axes.set_ylim(len(names) - 0.45, -0.55)
  axes.set_xlabel('tokens (billions)')
  axes.grid(False, axis='y')
  figures.legend(figure, *axes.get_legend_handles_labels())
  return figure


def path_of_transfer(
  found: code_allocation.Comparison, names: Sequence[str]
) -> figure_lib.Figure:
  """Our rates against the strength of transfer; dots are the published ones.

  Args:
    found: the allocations.
    names: of the languages, in order.
  """
  figure, grid = figures.new(1, 1, 4.4)
  axes = grid[0][0]
  colours = (*figures.PALETTE, figures.MUTED)
  for number, name in enumerate(names):
    colour = colours[number % len(colours)]
    axes.plot(
      found.paths['strength'],
      found.paths[name],
      color=colour,
      lw=1.8,
      label=name,
    )
    axes.plot([found.closest], [found.published[name]], 'o', color=colour, ms=6)
  axes.plot(
    [], [], 'o', color=figures.INK, ms=6, label='published, where nearest'
  )
  axes.xaxis.set_major_formatter(ticker.PercentFormatter(1))
  axes.yaxis.set_major_formatter(ticker.PercentFormatter(1))
  axes.set_ylim(bottom=0)
  axes.set_xlabel("strength of the transfer (100%: Table 1's, at most 1)")
  axes.set_ylabel('our share of the tokens')
  figures.legend(figure, *axes.get_legend_handles_labels())
  return figure
