"""Isoloss contours and frontiers show what the law says."""

import dataclasses

import numpy as np
import pytest

from codelaw.reports import contents
from codelaw.reports import frontier_plots
from codelaw.reports import frontier_tables
from codelaw.reports import predictions
from codelaw.reports import study_folder


@pytest.fixture(scope='module')
def laws(found):
  return predictions.fitted(found.fits, found.table)[:2]


@pytest.fixture(scope='module')
def frontiers(laws):
  return [predictions.frontier_of(law) for law in laws]


def test_contours_have_dots_and_the_frontier(laws, frontiers):
  figure = frontier_plots.isoloss(laws, frontiers, [{}, {}])
  panels = [axes for axes in figure.axes if axes.get_title()]
  for axes, law, found in zip(panels, laws, frontiers, strict=True):
    dots, inside, beyond = (line.get_xydata() for line in axes.lines[:3])
    runs = law.points[['num_params', 'num_tokens']].to_numpy().tolist()
    assert sorted(dots.tolist()) == sorted(map(list, set(map(tuple, runs))))
    line = np.stack([found.num_params[0], found.num_tokens[0]], axis=-1)
    np.testing.assert_array_equal(np.concatenate([inside, beyond[1:]]), line)
    most = 6 * (law.points['num_params'] * law.points['num_tokens']).max()
    assert found.compute[len(inside) - 1] <= most * 1.001
    assert found.compute[len(inside)] > most
    assert len(axes.texts) >= 3  # labels of contours


def test_labels_of_contours_are_what_the_law_predicts(laws, frontiers):
  figure = frontier_plots.isoloss(laws, frontiers, [{}, {}])
  estimates = laws[0].fit.estimates
  for text in figure.axes[0].texts:
    size, tokens = text.get_position()
    loss = (
      estimates['E']
      + estimates['A'] / size ** estimates['alpha']
      + estimates['B'] / tokens ** estimates['beta']
    )
    # Contours are straight lines between the points of a grid.
    assert float(text.get_text()) == pytest.approx(loss, rel=0.01)


def test_optimal_sizes_and_their_table_agree(laws, frontiers):
  figure = frontier_plots.optimal_sizes(laws, frontiers)
  sizes, tokens = figure.axes
  rows = frontier_tables.rows(laws, frontiers)
  for axes, name in ((sizes, 'num_params'), (tokens, 'num_tokens')):
    drawn = axes.lines[0].get_xydata()
    expected = rows[rows['law'] == laws[0].label][['compute', name]]
    np.testing.assert_array_equal(drawn, expected.to_numpy()[: len(drawn)])
  assert not rows['beyond_the_runs'].iloc[0]
  assert rows['beyond_the_runs'].iloc[24]
  assert rows['compute'].iloc[24] == pytest.approx(100 * laws[0].compute[1])


def test_the_table_shows_bands_and_the_exponent(laws, frontiers):
  table = frontier_tables.frontiers(laws, frontiers)
  assert len(table.rows) == 2 * 5
  first, last = table.rows[0], table.rows[4]
  assert first[0] == laws[0].label
  assert '(beyond the runs)' not in first[1]
  assert last[1].endswith('(beyond the runs)')
  assert ' to ' in first[2]
  # beta / (alpha + beta), which the planted laws share.
  assert first[6].startswith(f'{0.4 / 0.75:.3f}')


def test_no_optimum_leaves_cells_empty(laws, frontiers):
  found = frontiers[0]
  none = np.full_like(found.num_params, np.nan)
  gone = type(found)(found.compute, none, none, none, np.full(3, np.nan))
  table = frontier_tables.frontiers(laws[:1], [gone])
  assert table.rows[0][2:] == ('',) * 5
  frontier_plots.isoloss(laws[:1], [gone], [{}])


def test_laws_without_any_optimum_have_no_figure_of_it(study, monkeypatch):
  whole = predictions.frontier_of

  def gone(law, shares):
    found = whole(law, shares)
    nothing = np.full_like(found.num_params, np.nan)
    return dataclasses.replace(
      found, num_params=nothing, num_tokens=nothing, loss=nothing
    )

  monkeypatch.setattr(predictions, 'frontier_of', gone)
  found = study_folder.read(study)
  alone = dataclasses.replace(found, fits=found.fits[:1], mixture_fits=())
  page = contents.of_study(alone)
  pictures = [p for section in page.sections for p in section.pictures]
  names = [picture.name for picture in pictures]
  assert 'isoloss' in names
  assert 'optimal_sizes' not in names
  for picture in pictures:
    picture.figure.canvas.draw()
