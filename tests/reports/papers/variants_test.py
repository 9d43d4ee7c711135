"""Paper B: claims against the table, the code share, and the page."""

import dataclasses

import pytest

from codelaw.reports import html
from codelaw.reports.papers import checks
from codelaw.reports.papers import paper_b
from codelaw.reports.papers import published
from codelaw.reports.papers import variant_checks

SCORES = variant_checks.scores_of(published.table('code_in_pretraining_scores'))
CLAIM = {
  'measure': 'nl_reasoning',
  'variant': 'b',
  'variant_stage': 'continue',
  'baseline': 'a',
  'baseline_stage': 'pretrain',
}


def _scores(**values):
  """(variant, stage) -> the same score for all measures."""
  measures = variant_checks.MEASURES
  sides = {
    'a': ('a', 'pretrain'), 'a_after': ('a', 'cooldown'),
    'b': ('b', 'continue'), 'b_after': ('b', 'cooldown'),
  }  # fmt: skip
  return {
    side: dict.fromkeys(measures, values[name]) for name, side in sides.items()
  }


@pytest.mark.parametrize(
  ('printed', 'outcome', 'words'),
  [
    ('25', checks.HOLDS, 'The table gives +25.0%.'),
    ('25.1', checks.HOLDS, '+25.0%'),
    ('26', checks.FAILS, 'no other reading'),
    ('20', checks.FAILS, 'the drop from 50.0 to 40.0, not the gain over 40.0'),
    ('50', checks.FAILS, '60.0 (b, cooldown) against 40.0 (a, pretrain)'),
    ('33.3', checks.FAILS, '60.0 (b, cooldown) against 45.0 (a, cooldown)'),
  ],
)
def test_a_claim_and_what_else_it_may_be(printed, outcome, words):
  scores = _scores(a=40.0, a_after=45.0, b=50.0, b_after=60.0)
  found = variant_checks.claim(scores, {**CLAIM, 'printed_percent': printed})
  assert found.outcome == outcome
  assert words in found.verdict


def test_rounded_scores_leave_a_range():
  low, high = variant_checks.change_range(0.5, 0.4)
  assert low == pytest.approx(100 * (0.45 / 0.45 - 1))
  assert high == pytest.approx(100 * (0.55 / 0.35 - 1))


def test_the_contradictions_of_the_paper_are_flagged():
  found = {check.name: check for check in variant_checks.every(SCORES)}
  failing = {
    name: check.verdict
    for name, check in found.items()
    if check.outcome == checks.FAILS
  }
  expected = {
    'Reasoning, balanced only over text only': 'gives +5.7%, the text 3.2%; no',
    'Knowledge, balanced to text over code to text': '+4.2%, the text 21%; no',
    'Code, balanced only over balanced to text': 'gives +87.5%, the text 46.7%,'
    ' which is the drop from 9.0 to 4.8',
    'Code, balanced only over code to text': 'gives +119.5%, the text 54.5%,'
    ' which is the drop from 9.0 to 4.1',
    'Code, balanced only over code to text, after the cooldown': 'gives +12.0%,'
    ' the text 20%, which is 9.0 (balanced only, pretrain)',
    'Code, balanced only over balanced to text, after the cooldown': '+44.8%,'
    ' the text 55%, which is 9.0 (balanced only, pretrain)',
    'Gains after the cooldown': 'reasoning from +8.2% to +1.5%; knowledge from'
    ' +4.2% to -1.8%; code from 12 times to +31.8%',
    'Reasoning without code': '54.6 to 54.8, above text alone',
    'Knowledge without code': '10.0 to 11.5, above text alone',
  }
  assert failing.keys() == expected.keys()
  for name, words in expected.items():
    assert words in failing[name]
  assert len(found) == 17


def test_what_holds_is_not_flagged():
  kept = {**SCORES, ('text_only', 'cooldown'): SCORES['text_only', 'pretrain']}
  assert variant_checks.survives_cooldown(kept).outcome == checks.HOLDS
  sweep = published.table('code_share_claims', as_text=True)
  small = sweep.assign(printed_percent='-8.8')
  one, other = variant_checks.sweep_meets_table(SCORES, small)
  assert one.outcome == other.outcome == checks.HOLDS
  shares = published.table('code_source_shares')
  assert variant_checks.shares_sum(shares).outcome == checks.HOLDS
  assert variant_checks.shares_sum(shares[1:]).outcome == checks.FAILS
  assert variant_checks.code_is_linear(SCORES).outcome == checks.HOLDS
  bent = {**SCORES, ('balanced_to_text', 'init'): {'code_pass_at_1': 9.0}}
  assert variant_checks.code_is_linear(bent).outcome == checks.FAILS


@pytest.fixture(scope='module')
def page():
  return dataclasses.replace(paper_b.PaperB(), noises=(2.0,)).page()


def test_the_page_answers_warns_and_shows(page):
  assert page.answer.title == (
    'Code before text: reasoning +8.2% before the cooldown, +1.5% after it.'
  )
  assert 'Of 17 statements' in page.answer.sentences[-1]
  words = ' '.join(page.warnings)
  assert 'Every model was trained once' in words
  # 3.4% of lead over 1.645 sqrt(2): half of all pairs of seeds and then some.
  assert 'another seed changes a score by less than about 1.5%' in words
  names = [p.name for section in page.sections for p in section.pictures]
  assert names == ['variants', 'responses', 'kinds', 'languages']
  text = html.render(page)
  assert text.count('<figure>') == 4
  assert '>nan' not in text
  assert 'nan%' not in text


def test_tables_show_relative_changes(page):
  tables = {t.title: t for section in page.sections for t in section.tables}
  rows = {row[0]: row for row in tables['Variants'].rows}
  assert rows['balanced to text, continue'][2:5] == (
    '53.0\n+8.2%', '9.9\n+4.2%', '4.8\n12 times'
  )  # fmt: skip
  # Against text only after its own cooldown.
  assert rows['balanced to text, cooldown'][2].endswith('+1.5%')
  stages = {row[0]: row for row in tables['What a stage changes'].rows}
  assert len(stages) == 6
  assert stages['balanced to text: continue to cooldown'][1] == (
    '+3.6%\n+3.4% to +3.8%'
  )
  best = {row[0]: row for row in tables['Best code share'].rows}
  assert best['reasoning'][3] == '0% to 100%'
  assert best['knowledge'][3] == '0% to 25%'


def test_figures_show_the_scores(page):
  pictures = {p.name: p for s in page.sections for p in s.pictures}
  reasoning = pictures['variants'].figure.axes[0]
  dots = {
    line.get_label(): [float(x) for x in line.get_xdata()]
    for line in reasoning.lines
    if line.get_linestyle() == 'None'
  }
  assert dots['before the cooldown'] == [49.0, 51.8, 53.0, 53.3]
  code = pictures['responses'].figure.axes[-1]
  assert [float(x) for x in code.lines[-1].get_ydata()] == [7.8, 15.5]
  kinds = pictures['kinds'].figure.axes
  assert [bar.get_width() for bar in kinds[1].patches] == [-15.7, -9.4, 44.9]
  assert [text.get_text() for text in kinds[0].texts] == [
    '+2.8',
    '+6.3',
    '+9.0',
  ]
