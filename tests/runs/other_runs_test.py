"""Runs of other programs, from their folders to the run table."""

import numpy as np
import pandas as pd
import pytest

from codelaw import errors
from codelaw.runs import collect
from codelaw.runs import folders
from codelaw.runs import table as run_table
from codelaw.runs import tag_columns
from tests.runs import event_files
from tests.runs import run_folders

_FACTS = {
  'small': {'num_params': 100, 'tokens_per_step': 32, 'num_steps': 20},
  'large': {'num_params': 400, 'num_tokens': 640, 'num_steps': 20},
}


def _t5x(folder, losses):
  """What T5X leaves: sums, averages per token and per slot, as tensors."""
  for task, offset in (('web', 0.0), ('code', 0.5)):
    events = []
    for step, loss in losses.items():
      for tag, value in {
        'loss': 1e5 * loss,
        'loss_per_nonpadding_target_token': loss + offset + 0.125,
        'cross_ent_loss_per_all_target_tokens': (loss + offset) * 0.75,
        'non_padding_fraction/loss_weights': 0.75,
        'accuracy': 0.5,
      }.items():
        events.append(event_files.tensor(step, tag, np.float32(value)))
    event_files.write(folder / 'training_eval' / task, events)
  event_files.write(
    folder / 'train', [event_files.tensor(5, 'loss', np.float32(9e5))]
  )


@pytest.fixture
def runs(tmp_path):
  _t5x(tmp_path / 'runs' / 'small', {0: 9.0, 10: 4.0, 20: 3.0})
  _t5x(tmp_path / 'runs' / 'large', {10: 3.5})
  return tmp_path / 'runs'


def _collect(runs, facts=None, **settings):
  notes = []
  table = collect.collect(
    folders.find([str(runs)]),
    notes.append,
    facts=_FACTS if facts is None else facts,
    **settings,
  )
  return table, notes


def test_table_of_t5x_runs(runs, tmp_path):
  table, notes = _collect(runs)
  assert table.columns.tolist() == [
    'run_id', 'num_params', 'num_tokens', 'train_flops', 'step', 'stage',
    'is_final', 'loss/code', 'loss/web',
  ]  # fmt: skip
  assert table['run_id'].tolist() == ['large', 'small', 'small']
  assert table['step'].tolist() == [10, 10, 20]
  assert table['num_tokens'].tolist() == [320, 320, 640]
  assert table['train_flops'].tolist() == [
    6 * 400 * 320,
    6 * 100 * 320,
    6 * 100 * 640,
  ]
  assert table['loss/web'].tolist() == [3.5, 4.0, 3.0]
  assert table['loss/code'].tolist() == [4.0, 4.5, 3.5]
  assert table['is_final'].tolist() == [False, False, True]
  assert len(notes) == 1
  assert 'large' in notes[0]
  assert 'no evaluation at its last step 20 (its last one is at 10)' in notes[0]
  run_table.write(tmp_path / 'runs.csv', table)
  again = run_table.read(tmp_path / 'runs.csv')
  assert run_table.fingerprint(again) == run_table.fingerprint(
    table.assign(stage='')
  )


def test_cache_and_workers_change_no_bit(runs, tmp_path):
  plain, notes = _collect(runs)
  cache = tmp_path / 'cache'
  for settings in (
    {'cache': cache},
    {'cache': cache},
    {'workers': 2},
    {'cache': cache, 'workers': 2},
  ):
    table, again = _collect(runs, **settings)
    pd.testing.assert_frame_equal(table, plain, check_exact=True)
    assert again == notes
  events = [
    event_files.tensor(20, tag, np.float32(value), 2.0)
    for tag, value in (
      ('cross_ent_loss_per_all_target_tokens', 1.5),
      ('non_padding_fraction/loss_weights', 0.75),
    )
  ]
  folder = runs / 'large' / 'training_eval' / 'web'
  path = event_files.write(folder, events, add=True)
  path.write_bytes(path.read_bytes() + b'\1')
  grown, notes = _collect(runs, cache=cache)
  assert grown.loc[grown['run_id'] == 'large', 'loss/web'].tolist() == [3.5, 2]
  assert any('ends inside the record' in note for note in notes)
  plain, again = _collect(runs)
  pd.testing.assert_frame_equal(grown, plain, check_exact=True)
  assert again == notes


def test_gaps_in_the_facts_list_the_runs(runs):
  with pytest.raises(errors.UserError) as caught:
    _collect(runs, facts={'small': {'num_params': 5}, 'huge': {}})
  assert 'num_params of large;' in str(caught.value)
  assert 'num_tokens and num_steps) of large, small.' in str(caught.value)


def test_different_tokens_are_a_fact_that_need_not_be_known(runs):
  facts = {
    'small': {**_FACTS['small'], 'unique_tokens': 400},
    'large': {**_FACTS['large'], 'unique_tokens': '1e9'},
  }
  table, _ = _collect(runs, facts)
  assert table['unique_tokens'].tolist() == [320, 320, 400]


def test_facts_about_other_runs_are_told(runs):
  _, notes = _collect(runs, facts={**_FACTS, 'huge': {}, 'giant': {}})
  assert any('not here: giant, huge' in note for note in notes)


def test_shares_of_some_runs_only(runs):
  facts = {**_FACTS, 'small': {**_FACTS['small'], 'share/web': 1}}
  with pytest.raises(errors.UserError, match='nothing says those of large'):
    _collect(runs, facts=facts)


def test_shares_become_tokens(runs):
  shares = {'share/web': 0.75, 'share/code': 0.25}
  table, _ = _collect(
    runs, facts={r: {**f, **shares} for r, f in _FACTS.items()}
  )
  assert table['share/code'].tolist() == [0.25] * 3
  assert table['tokens/web'].tolist() == [240, 240, 480]


def test_facts_in_the_events_of_maxtext(tmp_path):
  event_files.write(
    tmp_path / 'r' / 'tensorboard' / 'r',
    [
      event_files.text('num_model_parameters', '500'),
      event_files.text('steps', '20'),
      event_files.text('global_batch_size_to_train_on', '4'),
      event_files.text('max_target_length', '8'),
      event_files.text('unused', 'words'),
      *(
        event_files.scalars(
          step, {'eval/avg_loss': 3.0, 'eval/total_loss': 900.0}
        )
        for step in (9, 19)
      ),
    ],
  )
  table, notes = _collect(tmp_path, facts={})
  assert notes == []
  # Steps are counted from 0.
  assert table['step'].tolist() == [10, 20]
  assert table['num_tokens'].tolist() == [320, 640]
  assert table['num_params'].tolist() == [500, 500]
  assert table['is_final'].tolist() == [False, True]


def test_facts_as_hyperparameters_and_logged_tokens(tmp_path):
  event_files.write(
    tmp_path / 'r',
    [
      event_files.hparams({'num_params': 500, 'seed': 3, 'lr': 0.1}),
      event_files.scalars(10, {'val/loss': 3.0, 'tokens': 77}),
      event_files.scalars(15, {'train/loss': 3.5, 'tokens': 99}),
    ],
  )
  table, _ = _collect(tmp_path, facts={})
  row = table.iloc[0]
  assert len(table) == 1
  assert (row['run_id'], row['num_tokens'], row['seed']) == ('r', 77, 3)
  assert row['train_flops'] == 6 * 500 * 77
  assert row['is_final']


def test_training_loss_where_nothing_was_evaluated(tmp_path):
  event_files.write(
    tmp_path / 'r',
    [event_files.scalars(s, {'train/loss': 9.0 / s}) for s in (1, 2, 3)],
  )
  table, _ = _collect(
    tmp_path, facts={'r': {'num_params': 1, 'tokens_per_step': 2}}
  )
  assert table['loss/train'].tolist() == [9.0, 4.5, 3.0]
  assert table['is_final'].tolist() == [False, False, True]


def test_a_loss_that_has_no_name_keeps_its_column(tmp_path):
  event_files.write(tmp_path / 'r', [event_files.scalars(1, {'dev/ce': 3.0})])
  table, _ = _collect(
    tmp_path,
    facts={'r': {'num_params': 1, 'tokens_per_step': 2}},
    mapping=tag_columns.TagMapping(rules=['dev/ce=loss:nats_per_token']),
  )
  assert table['loss'].tolist() == [3.0]


def test_values_that_are_not_finite_are_told(tmp_path):
  event_files.write(
    tmp_path / 'r',
    [
      event_files.scalars(s, {'val/loss': v})
      for s, v in ((1, 2.0), (2, np.nan), (3, np.inf))
    ],
  )
  table, notes = _collect(
    tmp_path, facts={'r': {'num_params': 1, 'tokens_per_step': 2}}
  )
  assert table['loss/val'].tolist() == [2.0]
  assert any('no finite numbers at steps 2 and 3' in note for note in notes)


def test_our_runs_beside_others(runs):
  run_folders.write(
    runs / 'ours', 'ours', {'web': 320}, {10: {'web': 2.0, 'macro': 2.0}}
  )
  shares = {'share/web': 1}
  table, notes = _collect(
    runs, facts={run: {**f, **shares} for run, f in _FACTS.items()}
  )
  assert table['run_id'].tolist() == ['large', 'ours', 'small', 'small']
  assert table['share/web'].tolist() == [1.0] * 4
  assert 'seed' not in table
  assert any('no column seed' in note for note in notes)


def test_runs_of_one_name_in_two_folders(runs, tmp_path):
  _t5x(tmp_path / 'again' / 'small', {10: 3.0})
  with pytest.raises(errors.UserError, match='small occurs twice'):
    collect.collect(
      folders.find([str(runs), str(tmp_path / 'again')]),
      lambda note: None,
      facts=_FACTS,
    )
