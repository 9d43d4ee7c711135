"""Figures of rates, tokens and differences show the numbers they are given."""

import dataclasses

import pytest

from codelaw.reports import allocation_plots


def _texts(axes):
  return [text.get_text() for text in axes.texts]


def test_the_bars_are_the_rates(found):
  axes = allocation_plots.allocation_bars(found.allocation).axes[0]
  widths = [bar.get_width() for bar in axes.patches]
  expected = [
    *found.allocation.rates.values(),
    *found.allocation.uniform_rates.values(),
  ]
  assert widths == pytest.approx(expected)


def test_differences_are_shown_with_their_prediction(found):
  axes = allocation_plots.confirmation_differences(found.confirmation).axes[0]
  labels = [label.get_text() for label in axes.get_yticklabels()]
  assert labels[:2] == ['weighted loss, measured', 'weighted loss, predicted']
  dots = {
    line.get_ydata()[0]: line.get_xdata()[0]
    for line in axes.lines
    if line.get_marker() == 'o'
  }
  assert dots[0] == pytest.approx(found.confirmation.difference)
  assert dots[1] == pytest.approx(found.confirmation.predicted_difference)


def test_token_bars_show_what_was_trained_on_next_to_the_plan(found):
  runs = [
    dataclasses.replace(
      found.run_records[0],
      planned_tokens={'code/a': 700, 'code/b': 300},
      realised_tokens={'code/a': 700, 'code/b': realised},
    )
    for realised in (300, 290)
  ]
  axes = allocation_plots.token_bars(runs).axes[0]
  assert [bar.get_width() for bar in axes.patches] == [1400, 590, 1400, 600]
  assert _texts(axes) == ['1,400\nas planned', '590\n-10 from plan']
