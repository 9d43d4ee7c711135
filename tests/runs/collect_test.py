import dataclasses

import numpy as np
import pandas as pd
import pytest
import tensorboardX

from codelaw import errors
from codelaw import records
from codelaw import scores
from codelaw.runs import collect
from codelaw.runs import table as run_table
from tests.runs import run_folders


@pytest.fixture
def folders(tmp_path):
  run_folders.write(
    tmp_path / 'b',
    'run-b',
    {'code/python': 300, 'markup': 20},
    {
      0: {'code/python': 9.0},
      5: {'code/python': 3.0, 'markup': 2.0, 'macro': 2.5},
      10: {'code/python': 2.0, 'markup': 1.0, 'macro': 1.5},
    },
  )
  run_folders.write(
    tmp_path / 'a', 'run-a', {'code/python': 320}, {10: {'code/python': 1.25}}
  )
  return tmp_path


def test_table_of_literal_runs(folders):
  reports = []
  table = collect.collect([folders / 'b', folders / 'a'], reports.append)
  assert reports == []
  assert table.columns.tolist() == [
    'run_id', 'num_params', 'num_params_no_embed', 'num_tokens',
    'unique_tokens', 'train_flops', 'step', 'stage', 'is_final', 'seed',
    'share/code/python', 'share/markup', 'tokens/code/python', 'tokens/markup',
    'loss/code/python', 'loss/macro', 'loss/markup',
    'bits_per_byte/code/python', 'bits_per_byte/macro', 'bits_per_byte/markup',
  ]  # fmt: skip
  rows = table.set_index(['run_id', 'step'])
  assert rows.index.tolist() == [('run-a', 10), ('run-b', 5), ('run-b', 10)]
  assert rows['is_final'].tolist() == [True, False, True]
  assert rows['stage'].tolist() == ['cooldown', 'main', 'cooldown']
  assert rows['num_tokens'].tolist() == [320, 160, 320]
  assert rows['unique_tokens'].tolist() == [320, 160, 320]
  assert rows['train_flops'].tolist() == [1e6, 5e5, 1e6]
  assert rows['share/markup'].tolist() == [0, 10 / 160, 20 / 320]
  assert rows['tokens/code/python'].tolist() == [320, 150, 300]
  assert rows['loss/code/python'].tolist() == [1.25, 3.0, 2.0]
  assert np.isnan(rows['loss/markup'].iloc[0])
  assert rows['bits_per_byte/markup'].tolist()[1:] == [1.0, 0.5]
  assert (rows['seed'] == 3).all()


def test_scores_are_in_the_row_of_their_step(folders, tmp_path):
  without = collect.collect([folders / 'b', folders / 'a'])
  piqa = scores.Score('reasoning/piqa', 'accuracy', 0.1 + 0.2, 0.05, 25)
  bleu = scores.Score('translation/python-java', 'bleu', 7.5, None, 3)
  scores.write(folders / 'b', 5, [piqa])
  scores.write(folders / 'b', 10, [bleu])
  scores.write(folders / 'b', 7, [piqa])
  scores.write(folders / 'b', 0, [piqa])
  reports = []
  table = collect.collect([folders / 'b', folders / 'a'], reports.append)
  names = [
    'score/reasoning/piqa/accuracy',
    'score/translation/python-java/bleu',
    'score_standard_error/reasoning/piqa/accuracy',
  ]
  assert table.columns.tolist() == [*without.columns, *names]
  pd.testing.assert_frame_equal(table[without.columns], without)
  none = np.nan  # run-a, then steps 5 and 10 of run-b
  np.testing.assert_array_equal(
    table[names].to_numpy(),
    [[none] * 3, [0.1 + 0.2, none, 0.05], [none, 7.5, none]],
  )
  assert len(reports) == 1
  assert 'scores of downstream tasks at steps 0 and 7, but no' in reports[0]
  for name in ('scores.csv', 'scores.parquet'):
    run_table.write(tmp_path / name, table)
    again = run_table.read(tmp_path / name)
    pd.testing.assert_frame_equal(
      again, table, check_exact=True, check_dtype=False
    )


def test_a_damaged_file_of_scores_is_named(folders):
  (folders / 'b' / 'downstream').mkdir()
  (folders / 'b' / 'downstream' / 'step_5.json').write_text('{}')
  with pytest.raises(errors.UserError, match=r'step_5\.json'):
    collect.collect([folders / 'b'])


def test_tokens_that_come_again_are_not_unique(folders):
  """A law of repeated tokens reads them, see `laws.formulas.data_repeated`."""
  tokens, losses = {'markup': 20, 'code/python': 300}, {'markup': 2.0}
  run_folders.write(
    folders / 'c',
    'run-c',
    tokens,
    dict.fromkeys((2, 5, 10), losses),
    supply={'markup': 15, 'code/python': 100, 'unused': 1000},
  )
  table = collect.collect([folders / 'c'])
  # 4 + 60, 10 + 150 and 20 + 300 tokens, of 15 + 100 different ones.
  assert table['unique_tokens'].tolist() == [64, 110, 115]
  assert table['unique_tokens'].dtype == np.int64


def test_unique_tokens_are_in_the_table_where_they_are_known(folders):
  run_folders.write(
    folders / 'c', 'run-c', {'markup': 9}, {10: {'markup': 2.0}}, supply={}
  )
  reports = []
  assert 'unique_tokens' not in collect.collect([folders / 'c'], reports.append)
  assert reports == []
  both = collect.collect([folders / 'a', folders / 'c'], reports.append)
  assert 'unique_tokens' not in both
  assert reports == [
    'The table has no column unique_tokens, because nothing says it for run-c.'
  ]


@pytest.mark.parametrize('goes_on', [False, True])
def test_tokens_and_flops_are_all_that_the_parameters_had(folders, goes_on):
  record = records.read_run_record(folders / 'b')
  start = records.InitialCheckpoint('a', schedule=goes_on)
  records.write_run_record(
    folders / 'b',
    dataclasses.replace(
      record,
      plan=dataclasses.replace(record.plan, initial=start),
      initial_step=4,
      inherited_tokens={'commits': 100, 'markup': 5},
      inherited_flops=7e5,
    ),
  )
  rows = collect.collect([folders / 'b']).set_index('step')
  # The events of a run hold all tokens already; here they have the run's own.
  assert rows['num_tokens'].tolist() == [160, 425]
  assert rows['tokens/commits'].tolist() == [0, 100]
  assert rows['tokens/markup'].tolist() == [10, 25]
  own = [1e6 / 6, 1e6] if goes_on else [5e5, 1e6]
  assert rows['train_flops'].tolist() == [7e5 + n for n in own]


def test_stage_is_that_of_the_last_update(folders):
  losses = {step: {'markup': 2.0} for step in (8, 9)}
  run_folders.write(folders / 'c', 'run-c', {'markup': 320}, losses, step=9)
  table = collect.collect([folders / 'c'], lambda _: None)
  assert table['stage'].tolist() == ['main', 'cooldown']


def test_collected_table_equals_its_file_to_the_last_bit(folders, tmp_path):
  table = collect.collect([folders / 'a', folders / 'b'])
  table['loss/code/python'] *= 1 / 3
  for name in ('runs.csv', 'runs.parquet'):
    run_table.write(tmp_path / name, table)
    again = run_table.read(tmp_path / name)
    pd.testing.assert_frame_equal(
      again, table, check_exact=True, check_dtype=False
    )
    assert run_table.fingerprint(again) == run_table.fingerprint(table)


def test_unfinished_runs_are_reported_and_not_final(folders):
  run_folders.write(
    folders / 'c',
    'run-c',
    {'markup': 320},
    {5: {'markup': 2.0}},
    status='running',
    step=5,
  )
  reports = []
  table = collect.collect(sorted(folders.iterdir()), reports.append)
  assert len(reports) == 1
  assert 'run-c' in reports[0]
  assert 'running at step 5 of 10' in reports[0]
  assert table.loc[table['run_id'] == 'run-c', 'is_final'].tolist() == [False]


def test_finished_run_without_its_last_evaluation_is_reported(folders):
  run_folders.write(
    folders / 'c', 'run-c', {'markup': 320}, {5: {'markup': 2.0}}
  )
  reports = []
  collect.collect([folders / 'c'], reports.append)
  assert 'no evaluation at its last step 10' in reports[0]


def test_folder_without_run_json_is_reported(folders):
  (folders / 'd').mkdir()
  reports = []
  collect.collect(sorted(folders.iterdir()), reports.append)
  assert 'no run.json' in reports[0]


def test_evaluation_without_tokens_is_reported(folders):
  run_folders.write(folders / 'c', 'run-c', {'markup': 320}, {})
  writer = tensorboardX.SummaryWriter(str(folders / 'c' / 'eval'))
  writer.add_scalar('eval/markup/loss_nats_per_token', 2.0, 5)
  writer.close()
  reports = []
  collect.collect([folders / 'a', folders / 'c'], reports.append)
  assert any('no tokens/<source> at step 5' in report for report in reports)


def test_run_id_in_two_folders_is_an_error(folders):
  run_folders.write(
    folders / 'z', 'run-a', {'markup': 320}, {10: {'markup': 2.0}}
  )
  with pytest.raises(errors.UserError, match='run-a occurs twice.*/a and .*/z'):
    collect.collect(sorted(folders.iterdir()))


def test_no_run_at_all_is_an_error(tmp_path):
  with pytest.raises(errors.UserError, match='None of 1 folders holds a run'):
    collect.collect([tmp_path], lambda _: None)
