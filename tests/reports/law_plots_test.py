"""Figures of laws show the runs and the law."""

import numpy as np
import pandas as pd
import pytest

from codelaw.laws import predict
from codelaw.reports import figures
from codelaw.reports import law_plots
from codelaw.reports import predictions


@pytest.fixture(scope='module')
def laws(found):
  return predictions.fitted(found.fits, found.table)


def test_loss_curves_draw_every_run_and_the_law(laws):
  figure = law_plots.loss_curves(laws)
  panels = [axes for axes in figure.axes if axes.get_title()]
  assert [axes.get_title() for axes in panels] == [law.label for law in laws]
  lines = law_plots.curves(laws)
  for axes, law in zip(panels, laws, strict=True):
    dots = axes.collections[-1].get_offsets()
    np.testing.assert_array_equal(
      dots, law.points[['num_tokens', 'observed']].to_numpy()
    )
    drawn = [line.get_xydata() for line in axes.lines if len(line.get_xdata())]
    expected = lines[lines['law'] == law.label]
    assert len(drawn) == expected['num_params'].nunique() == 3
    np.testing.assert_array_equal(
      np.concatenate(drawn), expected[['num_tokens', 'loss']].to_numpy()
    )
    point = pd.DataFrame(expected.iloc[:1])
    assert point['loss'].item() == predict.at(law.fit, point)[0].item()
    assert point['loss_low'].item() < point['loss'].item()
    assert point['num_params'].item() == 20_000


def test_many_sizes_get_a_colour_bar_and_few_curves(laws):
  points = (
    laws[0].points.iloc[[0] * 30].assign(num_params=np.geomspace(1e4, 1e6, 30))
  )
  law = predictions.Fitted('x', laws[0].fit, points)
  sizes = law_plots.curves([law])['num_params'].unique()
  assert sizes.size == 6
  assert sizes[[0, -1]] == pytest.approx([1e4, 1e6])
  figure = law_plots.loss_curves([law])
  assert [axes.get_xlabel() for axes in figure.axes][-1] == 'parameters'
  assert not figure.legends


def test_errors_are_drawn_against_size_tokens_and_prediction(laws):
  figure = law_plots.residuals(laws)
  assert [axes.get_xlabel() for axes in figure.axes] == [
    'parameters',
    'training tokens',
    'predicted loss (nats per token)',
  ]
  dots = [
    line.get_xydata()
    for line in figure.axes[1].lines
    if line.get_linestyle() == 'None'
  ]
  assert len(dots) == 5
  for drawn, law in zip(dots, laws, strict=True):
    points = law.points
    errors = points['predicted'] / points['observed'] - 1
    np.testing.assert_array_equal(drawn[:, 0], points['num_tokens'])
    np.testing.assert_allclose(drawn[:, 1], errors, rtol=1e-12)


def test_short_lines_are_the_mean_errors(laws):
  rows = law_plots.residual_rows(laws)
  axes = law_plots.residuals(laws).axes[0]
  means = [
    line.get_ydata()[0]
    for line in axes.lines
    if line.get_color() == figures.INK and len(line.get_xdata()) == 2
  ]
  expected = rows.groupby('num_params')['relative_error'].mean()
  assert means == pytest.approx(list(expected))


def test_many_values_are_averaged_in_twelve_bins():
  values = pd.Series(np.geomspace(1, 100, 240))
  errors = pd.Series(np.linspace(-1, 1, 240))
  bins = law_plots._bins(values, errors)
  assert len(bins) == 12
  # Twenty points each: the first mean is that of the first twenty errors.
  assert bins[0][2] == pytest.approx(errors[:20].mean())
  assert bins[0][1] < bins[1][0] * 1.2
