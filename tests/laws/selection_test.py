import pandas as pd
import pytest

from codelaw import errors
from codelaw.laws import comparison
from codelaw.laws import fitting
from codelaw.laws import selection
from tests.laws import simulated

TABLE = pd.DataFrame(
  {
    'run_id': ['one', 'mixed', 'other', 'unfinished'],
    'num_params': [1.0, 2.0, 3.0, 4.0],
    'num_tokens': [1.0, 1.0, 1.0, 1.0],
    'is_final': [True, True, True, False],
    'seed': [0, 1, 0, 0],
    'stage': ['main', 'main', 'cooldown', 'main'],
    'share/a': [1.0, 0.5, 0.0, 1.0],
    'share/b': [0.0, 0.5, 1.0, 0.0],
    'share/unused': [0.0, 0.0, 0.0, 0.0],
    'loss/a': [1.0, 1.1, None, 1.3],
    'loss/macro': [1.0, 1.0, 1.0, 1.0],
  }
)


def test_laws_of_one_stream_take_single_source_runs():
  law, rows = selection.select('chinchilla', TABLE, 'loss/a')
  assert law.name == 'chinchilla'
  assert rows['run_id'].tolist() == ['one']
  _, rows = selection.select('chinchilla', TABLE, 'loss/a', only_final=False)
  assert rows['run_id'].tolist() == ['one', 'unfinished']


def test_mixture_laws_take_all_runs_and_the_sources_in_use():
  law, rows = selection.select('transfer', TABLE, 'loss/a')
  assert rows['run_id'].tolist() == ['one', 'mixed']
  assert law.columns[2:] == ('share/a', 'share/b')


def test_targets_leave_out_averages():
  assert selection.targets(TABLE) == ['loss/a']


def test_filters():
  kept = selection.keep(TABLE, ['seed=0', 'num_params<4', 'stage!=cooldown'])
  assert kept['run_id'].tolist() == ['one']
  assert len(selection.keep(TABLE, ['is_final=false'])) == 1


@pytest.mark.parametrize(
  ('condition', 'words'),
  [
    ('nonsense', 'COLUMN=VALUE'),
    ('width=3', 'COLUMN=VALUE'),
    ('seed=zero', 'compares numbers'),
    ('seed=7', 'leaves no row'),
  ],
)
def test_filters_that_cannot_work(condition, words):
  with pytest.raises(errors.UserError, match=words):
    selection.keep(TABLE, [condition])


def test_mistakes_are_named():
  with pytest.raises(errors.UserError, match='no column loss/z.*loss/a'):
    selection.select('chinchilla', TABLE, 'loss/z')
  with pytest.raises(errors.UserError, match='trained on a alone'):
    selection.select('chinchilla', TABLE[1:3], 'loss/a')
  with pytest.raises(errors.UserError, match='trained on macro alone'):
    selection.select('chinchilla', TABLE, 'loss/macro')


def test_distinct_values_differ_by_one_percent():
  assert selection.distinct([1.0, 1.005, 2.0, 2.1]) == 3


def test_comparison_orders_by_held_out_error():
  _, table = simulated.runs('transfer', 4, 8, noise=0.005)
  reports = []
  settings = fitting.FitSettings(
    num_starts=64, num_bootstraps=0, profile_intervals=False, influence=False
  )
  fits = comparison.compare(
    table, simulated.TARGET, settings, report=reports.append
  )
  assert [fit.law for fit in fits][0] == 'transfer'
  assert {fit.law for fit in fits} == {
    'transfer', 'additive', 'joint', 'paper_a', 'chinchilla', 'kaplan'
  }  # fmt: skip
  held_out = [f.diagnostics['held_out_mean_relative_error'] for f in fits]
  assert held_out == sorted(held_out)
  # The same rows: without shares, with the own share first, with all sorted.
  assert len({fit.table_fingerprint for fit in fits}) == 3


def test_exponential_law_refuses_several_sizes():
  with pytest.raises(
    errors.UserError, match='one num_params and one num_tokens'
  ):
    selection.select('exponential', TABLE, 'loss/a')


def test_one_size_and_budget_leaves_the_exponential_law():
  _, table = simulated.runs('exponential')
  assert selection.applicable(table, simulated.TARGET) == ['exponential']


def test_one_size_leaves_laws_of_tokens_and_shares():
  _, table = simulated.runs('bimix')
  assert selection.applicable(table, simulated.TARGET) == ['bimix']
  table.loc[0, f'share/{simulated.SOURCES[1]}'] = 0.0
  assert selection.applicable(table, simulated.TARGET) == []
  with pytest.raises(
    errors.UserError, match='no finite loss .*--filter="share'
  ):
    selection.select('bimix', table, simulated.TARGET)


def test_repeats_make_laws_of_unique_tokens_applicable():
  _, table = simulated.runs('data_constrained')
  of_one_stream = ['chinchilla', 'kaplan']
  repeats = ['data_repeated', 'data_constrained']
  found = selection.applicable(table, simulated.TARGET)
  assert found == of_one_stream + repeats
  once = table.assign(unique_tokens=table['num_tokens'])
  assert selection.applicable(once, simulated.TARGET) == of_one_stream


def test_laws_of_all_shares_take_any_target():
  """A column of losses need not be about a source of the table."""
  _, table = simulated.runs('additive')
  table = table.rename(columns={simulated.TARGET: 'loss/arc'})
  any_target = ['chinchilla', 'kaplan', 'additive', 'joint', 'paper_a']
  assert selection.applicable(table, 'loss/arc') == any_target
  table = table.rename(columns={'loss/arc': 'loss'})
  assert selection.applicable(table, 'loss') == any_target
  law, rows = selection.select('joint', table, 'loss')
  assert law.shares == tuple(f'share/{s}' for s in simulated.SOURCES)
  assert len(rows) == len(table)


def test_source_nobody_trained_on_has_no_law():
  table = TABLE.assign(**{'loss/unused': [1.0, 2.0, 3.0, 4.0]})
  assert selection.applicable(table, 'loss/unused') == []
