import numpy as np
import pandas as pd
import pytest
from scipy import stats

from codelaw.reports import study_folder
from codelaw.reports import variant_losses

SEEDS = np.array([0.0, 0.02, -0.01])


def _comparison(names=('base', 'other', 'third'), seeds=3):
  return study_folder.Comparison(
    'ways',
    'base',
    {name: tuple(f'{name}-{seed}' for seed in range(seeds)) for name in names},
  )


def _table(comparison, **losses):
  """Run table of `source=[variant, seed]` losses."""
  ids = [run for runs in comparison.variants.values() for run in runs]
  rows = pd.DataFrame({'run_id': ids, 'is_final': True, 'loss/macro': 1.0})
  for source, values in losses.items():
    rows[f'loss/{source}'] = np.concatenate(values)
  earlier = rows.assign(is_final=False)
  earlier.loc[:, [f'loss/{source}' for source in losses]] += 1
  return pd.concat([earlier, rows], ignore_index=True)


def _found(comparison, level=0.9, **losses):
  found = variant_losses.losses(_table(comparison, **losses), comparison)
  return found, variant_losses.changes(found, comparison.baseline, level)


def test_losses_are_the_last_ones_by_source_and_variant():
  values = [2 + SEEDS, 1.9 + SEEDS, 2.2 + SEEDS]
  found, _ = _found(_comparison(), code=values, text=values[::-1])
  assert list(found) == ['code', 'text']  # no averages
  assert list(found['code']) == ['base', 'other', 'third']
  np.testing.assert_array_equal(found['code']['other'], values[1])
  np.testing.assert_array_equal(found['text']['base'], values[2])


def test_two_variants_are_compared_like_pairs():
  generator = np.random.default_rng(0)
  base, other = 2 + SEEDS, 1.98 + SEEDS + 0.01 * generator.standard_normal(3)
  comparison = _comparison(('base', 'other'))
  _, changes = _found(comparison, code=[base, other])
  change = changes['code']['other']
  expected = stats.ttest_rel(other, base)
  # The same sums in another order.
  assert change.p_value == pytest.approx(expected.pvalue, rel=1e-9)
  ends = expected.confidence_interval(0.9)
  mean = base.mean()
  assert change.low == pytest.approx(100 * ends.low / mean, rel=1e-9)
  assert change.high == pytest.approx(100 * ends.high / mean, rel=1e-9)
  assert change.percent == pytest.approx(100 * (other - base).mean() / mean)


def test_more_variants_share_what_they_know_of_the_noise():
  generator = np.random.default_rng(1)
  values = [
    mean + SEEDS + 0.01 * generator.standard_normal(3)
    for mean in (2, 1.95, 2.1)
  ]
  _, changes = _found(_comparison(), code=values)
  # Two-way analysis of variance without interaction, by least squares.
  rows, design = np.concatenate(values), np.zeros((9, 5))
  for place in range(9):
    design[place, place // 3] = 1
    if place % 3:
      design[place, 2 + place % 3] = 1
  _, squares, rank, _ = np.linalg.lstsq(design, rows)
  variance = squares[0] / (9 - rank)
  change = changes['code']['third']
  assert change.standard_error == pytest.approx(np.sqrt(2 * variance / 3))
  half = stats.t.ppf(0.95, 9 - rank) * change.standard_error
  assert change.high - change.low == pytest.approx(
    200 * half / values[0].mean()
  )


def test_intervals_cover_as_often_as_they_say():
  generator = np.random.default_rng(2)
  comparison, hits, number = _comparison(), 0, 400
  for _ in range(number):
    seeds = 0.05 * generator.standard_normal(3)
    values = [
      mean + seeds + 0.02 * generator.standard_normal(3) for mean in (2, 1.9, 2)
    ]
    found = {'code': dict(zip(comparison.variants, values, strict=True))}
    change = variant_losses.changes(found, 'base', 0.9)['code']['other']
    truth = -0.1 / values[0].mean() * 100
    hits += change.low <= truth <= change.high
  # 0.9 within three standard errors, sqrt(.09 / 400) = .015.
  assert 0.855 < hits / number < 0.945


def test_one_seed_has_differences_without_intervals():
  comparison = _comparison(seeds=1)
  found, changes = _found(
    comparison, code=[np.array([2.0]), np.array([1.9]), np.array([2.1])]
  )
  change = changes['code']['other']
  assert change.percent == pytest.approx(-5)
  assert change.low is change.high is change.p_value is change.adjusted is None
  table = variant_losses.table('Losses', found, changes, 'base', 0.9)
  assert 'trained once' in table.caption
  assert table.rows[1] == ('other', '1.9000\n-5.00%')


def test_p_values_are_adjusted_over_all_sources():
  generator = np.random.default_rng(3)
  losses = {
    f's{number}': [
      2 + SEEDS + 0.01 * generator.standard_normal(3) for _ in range(3)
    ]
    for number in range(5)
  }
  _, changes = _found(_comparison(), **losses)
  every = [change for row in changes.values() for change in row.values()]
  expected = stats.false_discovery_control([c.p_value for c in every])
  assert [c.adjusted for c in every] == pytest.approx(list(expected))


def test_variants_that_lack_a_run_are_left_out():
  values = [2 + SEEDS, 1.9 + SEEDS, 2.2 + SEEDS]
  comparison = _comparison()
  table = _table(comparison, code=values)
  table.loc[table['run_id'] == 'third-1', 'loss/code'] = np.nan
  assert list(variant_losses.losses(table, comparison)['code']) == [
    *('base', 'other')
  ]
  table.loc[table['run_id'] == 'base-1', 'loss/code'] = np.nan
  assert variant_losses.losses(table, comparison) == {}


def test_the_table_has_change_interval_and_a_star_where_it_is_sure():
  tiny = np.array([0.0, 1e-6, -1e-6])
  found, changes = _found(
    _comparison(), code=[2 + SEEDS, 1.9 + SEEDS + tiny, 2 + SEEDS - tiny]
  )
  table = variant_losses.table('Losses', found, changes, 'base', 0.9)
  assert table.headings == ('variant', 'code')
  mean = 2 + SEEDS.mean()
  assert table.rows[0] == ('base', f'{mean:.4f}')
  text = table.rows[1][1]
  assert text.startswith(f'{mean - 0.1:.4f}\n{-10 / mean:+.2f}% * (')
  assert '*' not in table.rows[2][1]
  data = table.numbers.set_index('variant')
  assert data.at['other', 'difference'] == pytest.approx(-0.1)
  assert data.at['other', 'runs'] == 3
