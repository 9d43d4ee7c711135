import pandas as pd
import pytest

from codelaw import errors
from codelaw.runs import table


def _write(tmp_path, text, name='runs.csv'):
  (tmp_path / name).write_text(text)
  return tmp_path / name


def test_short_names_are_read(tmp_path):
  file = _write(tmp_path, 'C,N,D,loss\n6e12,1e6,1e6,3.5\n12e12,2e6,1e6,3.25\n')
  found = table.read(file)
  assert found.columns.tolist() == [
    'run_id', 'train_flops', 'num_params', 'num_tokens', 'loss'
  ]  # fmt: skip
  assert found['run_id'].tolist() == ['row-1', 'row-2']
  assert found['train_flops'].tolist() == [6e12, 1.2e13]
  assert found['loss'].tolist() == [3.5, 3.25]


def test_columns_are_mapped_with_their_units(tmp_path):
  file = _write(tmp_path, 'language,params,nats\nGo,0.5,1.25\nC#,2,1.5\n')
  columns = table.parse_columns('num_params:params*1e9,loss:nats')
  found = table.read(file, columns)
  assert found['num_params'].tolist() == [5e8, 2e9]
  assert found['loss'].tolist() == [1.25, 1.5]
  assert found['language'].tolist() == ['Go', 'C#']


def test_a_table_of_many_columns_takes_one_more_without_a_warning(tmp_path):
  names = [f'score/{number}' for number in range(200)]
  text = ','.join(names) + '\n' + ','.join('1' for _ in names) + '\n'
  found = table.read(_write(tmp_path, text))
  assert found.assign(purpose='x').shape == (1, 202)


@pytest.mark.parametrize('text', ['a', 'a:b*', 'a:b*x', ':b', 'a:b*inf'])
def test_mapping_that_cannot_be_read(text):
  with pytest.raises(errors.UserError, match='WANTED:GIVEN'):
    table.parse_columns(text)


def test_mapping_of_a_missing_column(tmp_path):
  file = _write(tmp_path, 'a,b\n1,2\n')
  with pytest.raises(errors.UserError, match="no column 'c'.*num_params"):
    table.read(file, {'num_params': ('c', 1.0)})


@pytest.mark.parametrize(
  ('row', 'words'),
  [
    ('r,many,1,0.5,1,True', "row 2, column num_params: .* got 'many'"),
    ('r,,1,0.5,1,True', 'row 2, column num_params: .* got nothing'),
    ('r,0,1,0.5,1,True', 'column num_params: expected a positive number'),
    ('r,nan,1,0.5,1,True', 'row 2, column num_params'),
    ('r,1,1,1.5,1,True', 'column share/a: expected a share from 0 to 1'),
    ('r,1,1,0.5,low,True', 'row 2, column loss/a'),
    ('r,1,1,0.5,1,maybe', 'run r, column is_final: expected True or False'),
    ('r,1,1,0.5,1', 'line 3: expected 6 values, got 5'),
    ('q,1,1,0.5,1,True', 'several rows for q'),
  ],
)
def test_bad_values_are_named(tmp_path, row, words):
  header = 'run_id,num_params,num_tokens,share/a,loss/a,is_final'
  file = _write(tmp_path, f'{header}\nq,1,1,0.5,1,True\n{row}\n')
  with pytest.raises(errors.UserError, match=words):
    table.read(file)


def test_missing_loss_is_no_value(tmp_path):
  file = _write(tmp_path, 'run_id,loss/a\nx,\ny,1.5\n')
  found = table.read(file)
  assert pd.isna(found['loss/a'][0])
  assert found['loss/a'][1] == 1.5


def test_scores_are_numbers_or_missing(tmp_path):
  head = 'run_id,score/code/x/pass@1,score_standard_error/code/x/pass@1'
  found = table.read(_write(tmp_path, f'{head}\nx,,\ny,0.25,\n'))
  assert found.iloc[1, 1] == 0.25
  assert found.iloc[:, 2].isna().all()
  with pytest.raises(errors.UserError, match="column score/code/x.* 'high'"):
    table.read(_write(tmp_path, f'{head}\nx,high,\n'))


@pytest.mark.parametrize(
  ('content', 'words'),
  [
    ('', 'is empty'),
    ('a,b\n', 'has no rows'),
    ('a,a\n1,2\n', 'two columns of one name'),
  ],
)
def test_files_without_a_table(tmp_path, content, words):
  with pytest.raises(errors.UserError, match=words):
    table.read(_write(tmp_path, content))


def test_unreadable_files(tmp_path):
  with pytest.raises(errors.UserError, match='Cannot read the table'):
    table.read(tmp_path / 'none.csv')
  (tmp_path / 'bad.parquet').write_bytes(b'PAR')
  with pytest.raises(errors.UserError, match='cannot be read as a table'):
    table.read(tmp_path / 'bad.parquet')
  (tmp_path / 'bad.csv').write_bytes(b'a\n\xff\xfe\n')
  with pytest.raises(errors.UserError, match='cannot be read as a table'):
    table.read(tmp_path / 'bad.csv')


def _pair(tmp_path, ratios, metrics):
  _write(tmp_path, ratios, 'ratios.csv')
  _write(tmp_path, metrics, 'metrics.csv')
  return f'{tmp_path}/ratios.csv,{tmp_path}/metrics.csv'


def test_ratios_and_metrics_are_joined_by_run(tmp_path):
  pair = _pair(
    tmp_path,
    'run,name,a,b\nr1,first,0.25,0.75\nr2,second,1,0\n',
    'run,name,a,b,N\nr2,second,1.5,2.5,1e6\nr1,first,3.5,4.5,1e6\n',
  )
  found = table.read(pair).set_index('run_id')
  assert found.loc['r1', 'share/b'] == 0.75
  assert found.loc['r1', 'loss/b'] == 4.5
  assert found.loc['r2', 'loss/a'] == 1.5
  assert found.loc['r2', 'num_params'] == 1e6
  assert found.loc['r2', 'name'] == 'second'


@pytest.mark.parametrize(
  ('ratios', 'metrics', 'words'),
  [
    (
      'run,a\nr1,1\nr2,1\n',
      'run,a\nr2,1\nr3,1\n',
      'without metrics: r1; without ratios: r3',
    ),
    ('run,a\nr1,1\nr1,1\n', 'run,a\nr1,1\n', 'several rows for r1'),
    ('name,a\nr1,1\n', 'run,a\nr1,1\n', 'ratios has no column `run`'),
    ('run,a,b\nr1,.5,.4\n', 'run,a\nr1,1\n', 'sum to 1.* r1'),
    ('run,a\nr1,x\n', 'run,a\nr1,1\n', 'row 1, column share/a'),
  ],
)
def test_pairs_that_do_not_match(tmp_path, ratios, metrics, words):
  with pytest.raises(errors.UserError, match=words):
    table.read(_pair(tmp_path, ratios, metrics))


_PLAIN = 'C,N,D,loss\n6e12,1e6,1e6,3.5\n7e12,2e6,1e6,3.25\n'


@pytest.mark.parametrize(
  'text',
  [
    ',C,N,D,loss\n0,6e12,1e6,1e6,3.5\n1,7e12,2e6,1e6,3.25\n',
    'Unnamed: 0.1,Unnamed: 0,C,N,D,loss\n'
    '0,0,6e12,1e6,1e6,3.5\n1,1,7e12,2e6,1e6,3.25\n',
    'C,N,D,loss,\n6e12,1e6,1e6,3.5,\n7e12,2e6,1e6,3.25,\n',
    ' C, N, D, loss\r\n 6e12, 1e6, 1e6, 3.5 \r\n\r\n7e12,2e6,1e6,3.25\r\n\r\n',
    _PLAIN.replace(',', ';'),
    _PLAIN.replace(',', '\t'),
    '\ufeff' + _PLAIN,
    'D,loss,C,N\n1e6,3.5,6e12,1e6\n1e6,3.25,7e12,2e6\n',
  ],
)
def test_what_programs_leave_around_a_table(tmp_path, text):
  plain = table.read(_write(tmp_path, _PLAIN))
  found = table.read(_write(tmp_path, text))
  pd.testing.assert_frame_equal(found[plain.columns], plain, check_exact=True)
  assert set(found.columns) == set(plain.columns)


def test_index_of_a_parquet_file(tmp_path):
  frame = pd.DataFrame({'run': ['b', 'a'], 'loss': [2.0, 1.0]})
  frame.set_index('run').to_parquet(tmp_path / 'runs.parquet')
  found = table.read(tmp_path / 'runs.parquet')
  assert found['run_id'].tolist() == ['b', 'a']


def test_pairs_with_indices_labels_and_sizes(tmp_path):
  pair = _pair(
    tmp_path,
    ',run,name,index,N,a,b\n0,1,x,0,5,.25,.75\n1,2,y,1,6,.5,.5\n',
    'Unnamed: 0,run,index,group,a,b\n1,2.0,1,web,1.5,\n0,1.0,0,web,1.0,2.0\n',
  )
  found = table.read(pair)
  assert found['run_id'].tolist() == ['1', '2']
  assert found['share/b'].tolist() == [0.75, 0.5]
  assert found['num_params'].tolist() == [5.0, 6.0]
  assert found['loss/a'].tolist() == [1.0, 1.5]
  assert found['loss/b'].isna().tolist() == [False, True]
  assert found['group'].tolist() == ['web', 'web']
  assert [name for name in found if name.startswith(('loss', 'share'))] == [
    'share/a', 'share/b', 'loss/a', 'loss/b'
  ]  # fmt: skip


@pytest.mark.parametrize(
  ('ratios', 'metrics', 'words'),
  [
    ('run,a\n,1\nr,1\n,1\n', 'run,a\nr,1\n', 'no run id in rows 1, 3;'),
    (
      'run,a,b\nq,.5,.5\nr,1,\n',
      'run,a\nq,1\nr,1\n',
      'row 2, column share/b: .* nothing for the run r',
    ),
    (
      'run,a\nq,1\nr,1\n',
      'run,a\nr,low\nq,1\n',
      "column loss/a: .*'low' for the run r",
    ),
  ],
)
def test_gaps_name_their_runs(tmp_path, ratios, metrics, words):
  with pytest.raises(errors.UserError, match=words):
    table.read(_pair(tmp_path, ratios, metrics))


def test_fingerprint_ignores_the_order_of_rows_only():
  one = pd.DataFrame({'run_id': ['a', 'b'], 'loss': [1.0, 2.0]})
  assert table.fingerprint(one) == table.fingerprint(one[::-1])
  other = one.assign(loss=[1.0, 2.0 + 4.5e-16])
  assert table.fingerprint(one) != table.fingerprint(other)
