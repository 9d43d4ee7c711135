"""Figures of an allocation, its confirmation, and tokens per source."""

from collections.abc import Sequence

from matplotlib import figure as figure_lib
from matplotlib import ticker
import numpy as np

from codelaw import records
from codelaw.laws import forms
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import confirmation as confirmation_lib
from codelaw.reports import figures


def allocation_bars(
  allocation: allocation_lib.Allocation,
) -> figure_lib.Figure:
  """Allocated rates with their bands next to the uniform rates."""
  names = list(allocation.sources)
  shares = list(allocation.sources.values())
  figure, grid = figures.new(1, 1, 1.1 + 0.55 * len(names))
  axes = grid[0][0]
  places = np.arange(len(names))
  axes.barh(
    places - 0.19,
    [share.rate for share in shares],
    0.36,
    color=figures.BLUE,
    label='allocated',
  )
  axes.barh(
    places + 0.19,
    [share.uniform_rate for share in shares],
    0.36,
    color=figures.GRID,
    label='uniform',
  )
  end = max(share.high or share.rate for share in shares)
  end = max(end, *(share.uniform_rate for share in shares))
  for place, share in zip(places, shares, strict=True):
    if share.low is not None and share.high is not None:
      axes.plot(
        [share.low, share.high], [place - 0.19] * 2, color=figures.INK, lw=1.6
      )
      for edge in (share.low, share.high):
        axes.plot(
          [edge] * 2, [place - 0.28, place - 0.10], color=figures.INK, lw=1.6
        )
    axes.text(
      end * 1.03,
      place - 0.19,
      f'{share.rate:.1%}',
      va='center',
      color=figures.INK,
    )
  axes.set_yticks(places, names)
  axes.set_xlim(0, end * 1.14)
  axes.invert_yaxis()
  axes.xaxis.set_major_formatter(ticker.PercentFormatter(1, decimals=0))
  axes.set_xlabel('share of training tokens')
  axes.grid(False, axis='y')
  figures.legend(figure, *axes.get_legend_handles_labels())
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
  figure, grid = figures.new(1, 1, 1.1 + 0.55 * len(names))
  axes = grid[0][0]
  places = np.arange(len(names))
  for place, (label, colour) in enumerate(
    (('realised', figures.BLUE), ('planned', figures.GRID))
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
      color=figures.INK,
      fontsize=9,
    )
  axes.set_yticks(places, names)
  axes.set_xlim(0, end * 1.2)
  axes.invert_yaxis()
  axes.xaxis.set_major_formatter(
    ticker.FuncFormatter(lambda x, _: figures.short(x))
  )
  axes.set_xlabel('training tokens, all runs')
  axes.grid(False, axis='y')
  figures.legend(figure, *axes.get_legend_handles_labels())
  return figure


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
  rows = [('weighted loss, measured', objective, figures.INK)]
  for target in pairs[0][0].losses:
    values = [a.losses[target] - b.losses[target] for b, a in pairs]
    rows.append((forms.source_of(target), values, figures.BLUE))
  extra = confirmation.predicted_difference is not None
  figure, grid = figures.new(1, 1, 1.2 + 0.42 * (len(rows) + extra))
  axes = grid[0][0]
  labels: list[str] = []
  for name, values, colour in rows:
    place = len(labels)
    labels.append(name)
    figures.interval(
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
      figures.interval(
        axes,
        1,
        confirmation.predicted_difference,
        None if low is None or high is None else (low, high),
        figures.ORANGE,
      )
  axes.axvline(0, color=figures.MUTED, lw=1)
  axes.set_yticks(range(len(labels)), labels)
  axes.set_ylim(len(labels) - 0.4, -0.6)
  axes.set_xlabel(
    'allocated - uniform (nats per token); left of 0 the allocated rates win'
  )
  axes.grid(False, axis='y')
  return figure
