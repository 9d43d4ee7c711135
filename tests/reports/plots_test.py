"""Figures show the numbers they are given."""

import dataclasses

import numpy as np
import pytest

from codelaw.laws import predict
from codelaw.laws import synergy
from codelaw.reports import plots
from codelaw.reports import predictions
from codelaw.reports import study_folder
from codelaw.reports import svg


@pytest.fixture(scope='module')
def found(study):
  return study_folder.read(study)


def _texts(axes):
  return [text.get_text() for text in axes.texts]


def test_loss_curves_draw_every_run_and_the_law(found):
  figure = plots.loss_curves(found.table, found.fits)
  panels = [axes for axes in figure.axes if axes.get_title()]
  assert [axes.get_title() for axes in panels] == [
    fit.target.removeprefix('loss/') for fit in found.fits
  ]
  for axes, fit in zip(panels, found.fits, strict=True):
    rows = predictions.single_source_rows(found.table, fit.target)
    drawn = sorted(
      (x, y)
      for line in axes.lines
      if line.get_linestyle() == 'None'
      for x, y in zip(*line.get_data(), strict=True)
    )
    assert drawn == sorted(
      zip(rows['num_tokens'], rows[fit.target], strict=True)
    )
    curve = next(
      li
      for li in axes.lines
      if li.get_linestyle() == '-' and len(li.get_xdata())
    )
    point = {'num_params': [20_000.0], 'num_tokens': [curve.get_xdata()[0]]}
    point = predictions.pd.DataFrame(point)
    assert curve.get_ydata()[0] == pytest.approx(predict.at(fit, point)[0][0])


def test_the_heat_map_marks_what_is_known():
  entries = (
    synergy.Synergy('a', 'b', 0.05, 0.01, 0.09, 1.9, 2.0, 1, 'seeds'),
    synergy.Synergy('c', 'b', 0.05, None, None, 1.9, 2.0, 1, 'unknown'),
    synergy.Synergy('b', 'a', -0.02, -0.05, 0.01, 2.04, 2.0, 1, 'seeds'),
  )
  figure = plots.synergy_heat_map(entries)
  assert _texts(figure.axes[0]) == ['+5.0% *', '+5.0%', '-2.0%']


def test_the_bars_are_the_rates(found):
  axes = plots.allocation_bars(found.allocation).axes[0]
  widths = [bar.get_width() for bar in axes.patches]
  expected = [
    *found.allocation.rates.values(),
    *found.allocation.uniform_rates.values(),
  ]
  assert widths == pytest.approx(expected)


def test_confirmation_runs_stand_out(found):
  points = predictions.against_measured(
    found.table, found.mixture_fits, found.purposes
  )
  assert len(points) == 5 * len(found.table)
  axes = plots.predicted_against_measured(points).axes[0]
  filled = [
    len(line.get_xdata())
    for line in axes.lines
    if line.get_markeredgecolor() == plots.INK
  ]
  assert filled == [6] * 5


def test_differences_are_shown_with_their_prediction(found):
  axes = plots.confirmation_differences(found.confirmation).axes[0]
  labels = [label.get_text() for label in axes.get_yticklabels()]
  assert labels[:2] == ['weighted loss, measured', 'weighted loss, predicted']
  dots = {
    line.get_ydata()[0]: line.get_xdata()[0]
    for line in axes.lines
    if line.get_marker() == 'o'
  }
  assert dots[0] == pytest.approx(found.confirmation.difference)
  assert dots[1] == pytest.approx(found.confirmation.predicted_difference)


def test_single_source_rows_leave_mixtures_out(found):
  rows = predictions.single_source_rows(found.table, 'loss/markup')
  assert np.all(rows['share/markup'] == 1)
  assert len(rows) == 11
  assert not len(predictions.single_source_rows(found.table, 'loss/text'))


def test_an_inline_figure_wears_the_pages_ink(found):
  texts = [
    svg.inline(plots.allocation_bars(found.allocation), 'bars', 'a < "b"')
    for _ in range(2)
  ]
  assert texts[0] == texts[1]
  assert texts[0].startswith(
    '<svg role="img" aria-label="a &lt; &quot;b&quot;"'
  )
  assert 'var(--ink)' in texts[0]
  assert plots.INK not in texts[0]
  assert '>code/c_cpp<' in texts[0]


def test_token_bars_show_what_was_trained_on_next_to_the_plan(found):
  runs = [
    dataclasses.replace(
      found.run_records[0],
      planned_tokens={'code/a': 700, 'code/b': 300},
      realised_tokens={'code/a': 700, 'code/b': realised},
    )
    for realised in (300, 290)
  ]
  axes = plots.token_bars(runs).axes[0]
  assert [bar.get_width() for bar in axes.patches] == [1400, 590, 1400, 600]
  assert _texts(axes) == ['1,400\nas planned', '590\n-10 from plan']
