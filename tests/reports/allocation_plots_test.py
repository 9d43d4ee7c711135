"""Figures of rates, tokens and differences show the numbers they are given."""

import dataclasses

import pytest

from codelaw.planning import allocation
from codelaw.reports import allocation_plots
from codelaw.reports import plan_tables


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


def test_natural_shares_are_marked_where_all_are_known(found):
  sources = {
    name: dataclasses.replace(share, natural_rate=0.1 * place)
    for place, (name, share) in enumerate(found.allocation.sources.items())
  }
  natural = dataclasses.replace(found.allocation, sources=sources)
  axes = allocation_plots.allocation_bars(natural).axes[0]
  [marks] = [line for line in axes.lines if line.get_label() == 'natural']
  assert list(marks.get_xdata()) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
  axes = allocation_plots.allocation_bars(found.allocation).axes[0]
  assert 'natural' not in [line.get_label() for line in axes.lines]


def test_stages_have_bars_and_columns_of_their_own(found):
  rates = found.allocation.rates
  stage = allocation.StageShare(
    token_share=0.8,
    recency=1.0,
    rates=rates,
    low={name: rate / 2 for name, rate in rates.items()},
    high={name: rate * 2 for name, rate in rates.items()},
    floors={},
    ceilings={},
  )
  last = dataclasses.replace(stage, token_share=0.2, low={}, high={})
  staged = dataclasses.replace(
    found.allocation, stages={'main': stage, 'cooldown': last}
  )
  axes = allocation_plots.stage_rates(staged).axes[0]
  widths = [bar.get_width() for bar in axes.patches]
  assert widths == pytest.approx([*rates.values()] * 2)
  assert len(axes.lines) == len(rates)
  table = plan_tables.stage_rates(staged)
  assert table.headings == ('source', 'main', 'cooldown')
  first = next(iter(rates.values()))
  assert table.rows[0][1] == f'{first:.4f}\n{first / 2:.4f} to {first * 2:.4f}'
  assert table.rows[0][2] == f'{first:.4f}'
  assert table.data['token_share'].tolist() == [0.8] * 5 + [0.2] * 5
