"""Figures of mixtures show what is known and what is not."""

from codelaw.reports import figures
from codelaw.reports import mixture_plots
from codelaw.reports import predictions


def test_confirmation_runs_stand_out(found):
  points = predictions.against_measured(
    found.table, found.mixture_fits, found.purposes
  )
  assert len(points) == 5 * len(found.table)
  axes = mixture_plots.predicted_against_measured(points).axes[0]
  filled = [
    len(line.get_xdata())
    for line in axes.lines
    if line.get_markeredgecolor() == figures.INK
  ]
  assert filled == [6] * 5
