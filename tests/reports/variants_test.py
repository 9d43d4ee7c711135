"""The comparison of variants: grouping, changes, intervals, the page."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from codelaw import errors
from codelaw.laws import relative_change
from codelaw.reports import html
from codelaw.reports import layout
from codelaw.reports import variant_groups
from codelaw.reports import variant_scores
from codelaw.reports import variants as variants_lib
from codelaw.reports.papers import paper_b
from codelaw.reports.papers import published

REASONING = 'score/reasoning/average/accuracy'
CODE = 'score/code/average/pass@1'
NORMAL = stats.norm.ppf(0.95)


def _error(column):
  return column.replace('score/', 'score_standard_error/', 1)


def _table(scores, column=REASONING, error=0.01):
  """Run id -> score, as a run table."""
  return pd.DataFrame(
    {
      'run_id': list(scores),
      'step': 100,
      column: list(scores.values()),
      _error(column): error,
    }
  )


def _page(table, baseline='base', **settings):
  report = variants_lib.VariantReport('runs.csv', baseline, **settings)
  return variants_lib.page(report, table)


def _tables(page):
  return {t.title: t for section in page.sections for t in section.tables}


def _changes(page):
  data = json.loads(dict(page.files)['variants.json'])['changes']
  return {(row['variant'], row['category']): row for row in data}


def _paper_b():
  """The published scores as runs, before and after the cooldown."""
  raw = published.table('code_in_pretraining_scores')
  stages = {
    name: rows['stage'].tolist() for name, rows in raw.groupby('variant')
  }
  keep = [
    row['stage'] == 'cooldown' or row['stage'] == stages[row['variant']][-2]
    for row in raw.to_dict('records')
  ]
  raw = raw[keep]
  reasoning, knowledge, code = (
    raw[name].to_numpy() / 100
    for name in ('nl_reasoning', 'world_knowledge', 'code_pass_at_1')
  )
  return pd.DataFrame(
    {
      'run_id': raw['variant'] + '-' + raw['stage'],
      'variant': raw['variant'],
      'phase': np.where(raw['stage'] == 'cooldown', 'cooldown', 'before'),
      REASONING: reasoning,
      'score/knowledge/average/exact_match': knowledge,
      'score/natural_language/average/score': (reasoning + knowledge) / 2,
      CODE: code,
      'score/total/average/score': (reasoning + knowledge + code) / 3,
    }
  )


@pytest.mark.parametrize(
  ('phase', 'suffixes'),
  [('before', ('pretrain', 'continue')), ('cooldown', ('cooldown',))],
)
def test_the_published_scores_give_the_changes_of_the_paper_s_page(
  phase, suffixes
):
  table = _paper_b()
  page = _page(table[table['phase'] == phase], 'text_only', column='variant')
  ours = {
    row[0]: [cell.partition('\n')[0] for cell in row[1:]]
    for row in _tables(page)['Relative changes against text_only'].rows
  }
  (section,) = [
    s for s in paper_b.PaperB(noises=(2.0,)).page().sections
    if s.title == 'Variants and stages'
  ]  # fmt: skip
  theirs = {row[0]: row[2:5] for row in section.tables[0].rows}
  assert len(ours) == 3
  for name, cells in ours.items():
    labels = [f'{name.replace("_", " ")}, {suffix}' for suffix in suffixes]
    (row,) = [theirs[label] for label in labels if label in theirs]
    expected = [cell.partition('\n')[2] for cell in row]
    assert [cells[0], cells[1], cells[3]] == expected
  if phase == 'before':
    assert ours['balanced_to_text'][::3] == ['+8.2%', '12 times']
  assert any('No error over items is known' in w for w in page.warnings)


def test_intervals_of_one_seed_by_hand():
  scores = {'base': 0.40, 'better': 0.50}
  page = _page(_table(scores, error=0.02))
  change = _changes(page)['better', 'reasoning']
  # Fieller: the ratios r with (.5 - .4 r)^2 = q^2 .02^2 (1 + r^2).
  a = 0.16 - (NORMAL * 0.02) ** 2
  c = 0.25 - (NORMAL * 0.02) ** 2
  low, high = np.roots([a, -0.4, c])[::-1]
  assert change['change_percent'] == pytest.approx(25.0)
  assert change['low'] == pytest.approx(100 * (low - 1))
  assert change['high'] == pytest.approx(100 * (high - 1))
  p_value = 2 * stats.norm.sf(0.1 / (0.02 * math.sqrt(2)))
  assert change['p_value'] == pytest.approx(p_value)
  assert '+25.0% *' in _tables(page)['Relative changes against base'].rows[0][1]
  (row,) = [r for r in _tables(page)['Scores'].rows if r[0] == 'better']
  low, high = 0.5 - NORMAL * 0.02, 0.5 + NORMAL * 0.02
  assert row[1] == f'0.5\n{low:.4g} to {high:.4g}'


def test_seeds_add_to_items_and_lower_only_themselves():
  scores = {
    **{f'base-seed{i}': v for i, v in enumerate([0.38, 0.40, 0.42])},
    **{f'better-seed{i}': v for i, v in enumerate([0.49, 0.50, 0.51])},
    'once-seed0': 0.5,
  }
  table = _table(scores, error=0.02)
  variants = variant_groups.grouped(
    table, 'base', {}, '', variants_lib.VariantReport('', '').pattern
  )
  cells = variant_scores.cells(variants, {'reasoning': (REASONING,)})
  row = cells['reasoning']
  assert list(row) == ['base', 'better', 'once']
  assert row['base'].value == pytest.approx(0.4)
  assert row['base'].items == pytest.approx(0.02)
  # Variances by those of one answer, 0.4 * 0.6 and 0.5 * 0.5, are pooled.
  ratio = (2 * 0.02**2 / 0.24 + 2 * 0.01**2 / 0.25) / 4
  for name, runs, room in (
    ('base', 3, 0.24),
    ('better', 3, 0.25),
    ('once', 1, 0.25),
  ):
    assert row[name].seeds == pytest.approx(math.sqrt(ratio * room / runs))
    assert row[name].seeds_freedom == 4
  change = variant_scores.change(row['better'], row['base'], 0.9)
  seeds = ratio * np.array([0.24, 0.25]) / 3
  variance = 2 * 0.02**2 + seeds.sum()
  assert change.standard_error == pytest.approx(math.sqrt(variance))
  freedom = variance**2 / np.sum(seeds**2 / 4)
  expected = 2 * stats.t.sf(0.1 / math.sqrt(variance), freedom)
  assert change.p_value == pytest.approx(expected)


def test_paired_seeds_keep_what_they_share():
  lucky = np.array([-0.05, 0.0, 0.05])
  scores = {
    **{f'base-seed{i}': 0.4 + x for i, x in enumerate(lucky)},
    **{f'better-seed{i}': 0.45 + x for i, x in enumerate(lucky)},
  }
  table = _table(scores, error=np.nan)
  table['seed'] = [0, 1, 2] * 2
  apart, paired = (
    _changes(_page(table, paired=p))['better', 'reasoning']
    for p in (False, True)
  )
  assert paired['standard_error'] == pytest.approx(0, abs=1e-9)
  # What is pooled is in units of p (1 - p), .24 and .2475: 1e-4 apart here.
  assert apart['standard_error'] == pytest.approx(
    0.05 * math.sqrt(2 / 3), rel=1e-3
  )
  assert paired['high'] - paired['low'] < 0.5 * (apart['high'] - apart['low'])
  table['seed'] = [0, 1, 2, 3, 4, 5]
  with pytest.raises(errors.UserError, match='got 3, 4, 5 and 0, 1, 2'):
    _page(table, paired=True)


@pytest.mark.parametrize(('error', 'is_open'), [(0.001, False), (0.0025, True)])
def test_a_small_baseline_leaves_a_change_open(error, is_open):
  """The paper's 0.4 -> 4.8: 12 times, whatever that is worth."""
  low, high = relative_change.interval(
    0.048, 0.004, (0.0001**2, error**2, 0.0), NORMAL
  )
  # 1.6 standard errors above 0 set no upper end, 4 do.
  assert math.isinf(high) == is_open
  assert low < 1100 < high
  # By definition: at an end the difference is `NORMAL` standard errors.
  for end in (low,) if is_open else (low, high):
    ratio = end / 100 + 1
    off = abs(0.048 - ratio * 0.004)
    assert off == pytest.approx(NORMAL * math.hypot(0.0001, ratio * error))


def test_fieller_covers_the_true_ratio():
  rng = np.random.default_rng(0)
  inside = []
  for _ in range(2000):
    a, b = rng.normal(0.06, 0.01), rng.normal(0.03, 0.01)
    low, high = relative_change.interval(
      max(a, 0), max(b, 0), (1e-4, 1e-4, 0.0), NORMAL
    )
    inside.append(low <= 100 <= high)
  # Two standard errors of 2000 draws are 1.3%.
  assert np.mean(inside) == pytest.approx(0.9, abs=0.014)


def test_warnings_come_first_and_name_what_is_fragile():
  table = _table({'base': 0.004, 'better': 0.048}, CODE, [0.003, 0.017])
  words = ' '.join(_page(table).warnings)
  assert 'code: the baseline, 0.004, is 1.3 standard errors above 0' in words
  assert 'like 12 times, is fragile' in words
  assert 'Every variant was trained once' in words
  table = _table({'base': 0.0, 'better': 0.05}, CODE, [0.0, 0.03])
  page = _page(table)
  assert 'the baseline solves nothing' in ' '.join(page.warnings)
  assert 'Few items, by their errors: code (53)' in ' '.join(page.warnings)
  assert 'from 0' in _tables(page)['Relative changes against base'].rows[0][1]
  change = _changes(page)['better', 'code']
  # 0 of 53 right is no certainty: half an item stands for its error.
  items = 0.05 * 0.95 / 0.03**2
  at_zero = math.sqrt(0.5 / items * (1 - 0.5 / items) / items)
  assert change['standard_error'] == pytest.approx(math.hypot(0.03, at_zero))
  table = _table({'base': 0.26, 'better': 0.3}, error=0.02)
  words = ' '.join(_page(table, chance={'reasoning': 0.25}).warnings)
  assert '0.5 standard errors above guessing, 0.25' in words
  table = _table({'base': 0.5, 'better': 0.6})
  sizes = table.assign(num_params=[1e6, 2e6], num_tokens=[1e9, 1.001e9])
  words = ' '.join(_page(sizes).warnings)
  assert 'differ in sizes: the baseline has 1,000,000, better (2,000' in words
  assert 'differ in tokens' not in words
  assert 'fragile' not in words


def test_missing_categories_are_left_out_and_said():
  table = _table({'base': 0.4, 'a': 0.5, 'b': 0.6})
  table[CODE] = [0.1, np.nan, 0.2]
  page = _page(table)
  rows = {r[0]: r for r in _tables(page)['Relative changes against base'].rows}
  assert _tables(page)['Scores'].headings == ('variant', 'reasoning', 'code')
  assert rows['a'][2] == ''
  assert rows['b'][2] == '2 times' or rows['b'][2].startswith('+100.0%')
  assert any('a has no score of code.' in w for w in page.warnings)
  table[CODE] = [np.nan, 0.1, 0.2]
  page = _page(table)
  assert any('the baseline among them' in w for w in page.warnings)
  assert 'code' not in _tables(page)['Relative changes against base'].headings
  with pytest.raises(errors.UserError, match='no columns score/'):
    _page(table[['run_id', 'step']])


def test_other_categories_are_means_of_their_tasks():
  table = _table({'base': 0.4, 'a': 0.5}, 'score/code/mbpp-python/pass@1', 0.03)
  other = 'score/code/humaneval-go/pass@1'
  table[other] = [0.2, 0.3]
  table[_error(other)] = 0.04
  table['score/judge/base/win_rate'] = [0.5, 0.6]
  table['score/translation/python-go/bleu'] = [10.0, 20.0]
  found = variant_groups.categories_of(table, {})
  assert found == {
    'code': (other, 'score/code/mbpp-python/pass@1'),
    'judge': ('score/judge/base/win_rate',),
  }
  variants = {'base': table[:1], 'a': table[1:]}
  cells = variant_scores.cells(variants, found)
  assert cells['code']['a'].value == pytest.approx(0.4)
  assert cells['code']['a'].items == pytest.approx(0.025)


@pytest.mark.parametrize(
  ('settings', 'expected'),
  [
    ({}, {'base': ['base-seed1', 'base_seed2'], 'x': ['x']}),
    ({'column': 'kind'}, {'base': ['base-seed1', 'x'], 'q': ['base_seed2']}),
    ({'pattern': r'(base).+|x'}, None),
    (
      {'variants': {'base': ('x',), 'new': ('base-seed1',)}},
      {'base': ['x'], 'new': ['base-seed1']},
    ),
    ({'variants': {'base': ('y',)}}, None),
    ({'variants': {'base': ('x',), 'new': ('x',)}}, None),
    ({'column': 'absent'}, None),
    ({'pattern': 'base'}, None),
  ],
)
def test_runs_are_grouped(settings, expected):
  table = _table({'base-seed1': 0.1, 'base_seed2': 0.2, 'x': 0.3})
  table['kind'] = ['base', 'q', 'base']
  report = variants_lib.VariantReport('', 'base', **settings)
  arguments = 'base', report.variants, report.column, report.pattern
  if expected is None:
    with pytest.raises(errors.UserError, match='VariantReport|baseline'):
      variant_groups.grouped(table, *arguments)
  else:
    found = variant_groups.grouped(table, *arguments)
    assert {n: list(rows['run_id']) for n, rows in found.items()} == expected


def test_the_last_evaluated_checkpoint_counts():
  table = pd.concat(
    [_table({'base': 0.1, 'a': 0.2}), _table({'base': 0.4, 'a': 0.5})],
    ignore_index=True,
  )
  table['step'] = [100, 100, 200, 200]
  table = table.sort_values('step', ascending=False)
  late = table.iloc[:1].assign(step=300, **{REASONING: np.nan})
  rows = variant_groups.last_rows(pd.concat([table, late], ignore_index=True))
  assert sorted(rows[REASONING]) == [0.4, 0.5]


def test_many_comparisons_are_corrected():
  rng = np.random.default_rng(0)
  scores = {'base': 0.5} | {f'v{i}': x for i, x in enumerate(
    0.5 + 0.02 * np.sqrt(2) * rng.standard_normal(40))}  # fmt: skip
  page = _page(_table(scores, error=0.02))
  changes = _changes(page)
  plain = sum(row['p_value'] < 0.1 for row in changes.values())
  sure = sum(row['adjusted_p_value'] < 0.1 for row in changes.values())
  assert plain > sure
  assert page.answer.title.startswith('None of 40 changes')


def test_the_page_shows_downloads_and_draws_open_ends():
  table = _table({'base': 0.5, 'a': 0.6, 'b': 0.45})
  table[CODE] = [0.004, 0.048, 0.0]
  table[_error(CODE)] = [0.003, 0.017, 0.0]
  page = _page(table)
  text = html.render(page)
  assert text.count('<figure>') == 1
  assert 'download="variants.json"' in text
  assert text.count('.csv"') >= 3
  assert 'to open' in text
  assert '>nan' not in text
  assert 'inf%' not in text
  (picture,) = page.sections[0].pictures
  reasoning, code = picture.figure.axes
  dots = [
    float(line.get_xdata()[0])
    for line in reasoning.lines
    if line.get_marker() == 'o'
  ]
  assert dots == pytest.approx([20.0, -10.0])
  assert [line.get_marker() for line in code.lines].count('>') >= 1
  assert isinstance(page.sections[0], layout.Section)
