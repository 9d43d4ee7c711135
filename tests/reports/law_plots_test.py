"""Figures of single laws show the runs and the law."""

import pandas as pd
import pytest

from codelaw.laws import predict
from codelaw.reports import law_plots
from codelaw.reports import predictions


def test_loss_curves_draw_every_run_and_the_law(found):
  figure = law_plots.loss_curves(found.table, found.fits)
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
    point = pd.DataFrame(point)
    assert curve.get_ydata()[0] == pytest.approx(predict.at(fit, point)[0][0])
