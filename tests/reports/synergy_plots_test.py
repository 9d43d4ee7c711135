"""Heat maps show the numbers, and which of them mean something."""

import dataclasses

from codelaw.laws import synergy
from codelaw.laws import synergy_patterns
from codelaw.reports import contents
from codelaw.reports import plan_tables
from codelaw.reports import synergy_plots


def _texts(figure):
  return [text.get_text() for text in figure.axes[0].texts]


ENTRIES = (
  synergy.Synergy('a', 'a', 0.0, 0.0, 0.0, 2.0, 2.0, 1, 'seeds'),
  synergy.Synergy(
    'a', 'b', 0.05, 0.01, 0.09, 1.9, 2.0, 1, 'seeds', 0.02, 9, 0.01, 0.02, True
  ),
  synergy.Synergy('c', 'b', 0.05, None, None, 1.9, 2.0, 1, 'unknown'),
  synergy.Synergy(
    'b', 'a', -0.02, -0.03, -0.01, 2.04, 2.0, 1, 'seeds', 0.01, 9, 0.08, 0.2,
    False,
  ),
)  # fmt: skip


def test_the_heat_map_marks_what_is_significant_among_all_pairs():
  figure = synergy_plots.synergy_heat_map(ENTRIES)
  assert _texts(figure) == ['+5.0% *', '+5.0%', '-2.0%']
  weights = [text.get_fontweight() for text in figure.axes[0].texts]
  assert weights == ['bold', 'normal', 'normal']


def test_the_table_says_the_same():
  cells = [row[2:4] for row in plan_tables.synergy(ENTRIES[1:]).rows]
  assert cells == [
    ('+5.00%\n+1.00% to +9.00%', '0.02 *'),
    ('+5.00%', ''),
    ('-2.00%\n-3.00% to -1.00%', '0.2'),
  ]


def test_transfer_in_brackets_is_not_determined():
  entries = (
    synergy_patterns.Transfer('a', 'b', 0.4, 0.3, 0.5, False),
    synergy_patterns.Transfer('b', 'a', 100.0, None, None, True),
  )
  figure = synergy_plots.transfer_heat_map(entries)
  assert _texts(figure) == ['0.4', '(1e+02)']
  weights = [text.get_fontweight() for text in figure.axes[0].texts]
  assert weights == ['bold', 'normal']


def test_a_study_shows_synergy_transfer_and_asymmetry(found):
  section = contents._synergy(found)
  assert [p.name for p in section.pictures] == ['synergy', 'transfer']
  titles = [table.title for table in section.tables]
  assert titles == ['Gains of pairs', 'Asymmetry of pairs']
  largest = section.tables[1].data['difference'].abs()
  assert largest.is_monotonic_decreasing
  bare = dataclasses.replace(found, mixture_fits=())
  assert [p.name for p in contents._synergy(bare).pictures] == ['synergy']
