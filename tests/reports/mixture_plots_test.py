"""Figures of mixtures show what is known and what is not."""

from codelaw.laws import synergy
from codelaw.reports import figures
from codelaw.reports import mixture_plots
from codelaw.reports import predictions


def _texts(axes):
  return [text.get_text() for text in axes.texts]


def test_the_heat_map_marks_what_is_known():
  entries = (
    synergy.Synergy('a', 'b', 0.05, 0.01, 0.09, 1.9, 2.0, 1, 'seeds'),
    synergy.Synergy('c', 'b', 0.05, None, None, 1.9, 2.0, 1, 'unknown'),
    synergy.Synergy('b', 'a', -0.02, -0.05, 0.01, 2.04, 2.0, 1, 'seeds'),
  )
  figure = mixture_plots.synergy_heat_map(entries)
  assert _texts(figure.axes[0]) == ['+5.0% *', '+5.0%', '-2.0%']


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
