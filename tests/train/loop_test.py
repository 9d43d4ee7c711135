import dataclasses
import json
import struct

import jax
import numpy as np
import pytest
from tensorboardX.proto import event_pb2

from codelaw import accounting
from codelaw import errors
from codelaw import execution
from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib
from codelaw.train import bookkeeping
from codelaw.train import checkpoint
from codelaw.train import loop
from codelaw.train import mesh as mesh_lib
from codelaw.train import step as step_lib

MESH = mesh_lib.make(execution.AUTOMATIC.mesh)


def events(folder):
  """The events of a folder, in the order they were written."""
  for file in sorted(folder.glob('events*')):
    content, place = file.read_bytes(), 0
    while place < len(content):  # TFRecord: length, CRC, data, CRC
      (length,) = struct.unpack_from('<Q', content, place)
      start = place + 12
      yield event_pb2.Event.FromString(content[start : start + length])
      place = start + length + 4


def scalars(folder):
  """tag -> {step: last value}."""
  values = {}
  for event in events(folder):
    for value in event.summary.value:
      if value.HasField('simple_value'):
        values.setdefault(value.tag, {})[event.step] = value.simple_value
  return values


def final_state(plan, model_dir):
  checkpoints = checkpoint.Checkpoints(model_dir / 'checkpoints')
  like = step_lib.init_state(plan.model, plan.optimizer, 0, MESH)
  restored = checkpoints.restore_last(like)
  checkpoints.close()
  return restored


@pytest.fixture(scope='module')
def finished(make_plan, tmp_path_factory):
  """A run that was never interrupted: (plan, folder, record, reports)."""
  plan, folder, reports = make_plan(), tmp_path_factory.mktemp('run'), []
  record = loop.train(plan, folder, run_id='whole', progress=reports.append)
  return plan, folder, record, reports


def test_realised_tokens_are_the_planned_ones(finished):
  plan, folder, record, reports = finished
  planned = schedule_lib.from_plan(
    plan, manifest_lib.read(plan.shards_dir)
  ).planned_tokens()
  assert record.realised_tokens == record.planned_tokens == planned
  assert record.status == 'finished'
  assert record.step == plan.num_steps == 12
  assert record.run_id == 'whole'
  assert records.read_run_record(folder) == record
  assert [r.step for r in reports if not r.message] == list(range(1, 13))


def test_events_hold_what_a_run_table_needs(finished):
  plan, folder, record, _ = finished
  train = scalars(folder / 'train')
  assert sorted(train['train/loss_nats_per_token']) == list(range(1, 13))
  shares = train['schedule/share/code/python']
  assert [shares[8], shares[9]] == pytest.approx([2 / 3, 1.0])
  assert train['tokens/total'][12] == sum(record.realised_tokens.values())
  evaluation = scalars(folder / 'eval')
  assert sorted(evaluation['eval/macro/bits_per_byte']) == [6, 12]
  # Also a source that the run does not train on.
  assert sorted(evaluation['eval/code/java/loss_nats_per_token']) == [6, 12]
  for source, tokens in record.realised_tokens.items():
    assert evaluation[f'tokens/{source}'][12] == tokens


@pytest.mark.parametrize('kill_at', [2, 5, 8])
def test_a_killed_run_ends_like_one_that_was_not(finished, tmp_path, kill_at):
  plan, whole, record, _ = finished

  def kill(report):
    if report.step == kill_at:
      raise RuntimeError('killed')

  with pytest.raises(RuntimeError, match='killed'):
    loop.train(plan, tmp_path, progress=kill)
  assert records.read_run_record(tmp_path).status == 'running'
  messages = []
  resumed = loop.train(
    plan, tmp_path, progress=lambda r: messages.append(r.message)
  )
  kept = (kill_at - 1) // 4 * 4
  continued = f'continues from the checkpoint of step {kept}'
  assert (continued in messages) == (kept > 0)
  assert resumed.realised_tokens == record.realised_tokens
  step, state = final_state(plan, tmp_path)
  step_2, state_2 = final_state(plan, whole)
  assert step == step_2 == 12
  jax.tree.map(np.testing.assert_array_equal, state, state_2)
  for part in ('train', 'eval'):
    ours, theirs = (scalars(f / part) for f in (tmp_path, whole))
    for values in (ours, theirs):
      for tag in ('tokens_per_second', 'goodput'):
        values.pop(f'throughput/{tag}', None)
    assert ours == theirs


def test_runs_of_one_shape_share_the_compiled_step(finished, tmp_path):
  plan = finished[0]
  compiled = step_lib.train_step(
    plan.model, plan.optimizer, execution.AUTOMATIC, MESH
  )
  rates = records.MixtureRates({'code/java': 1})
  other = dataclasses.replace(
    plan,
    schedule=records.Schedule((records.Stage('only', rates),)),
    optimizer=dataclasses.replace(plan.optimizer, peak_learning_rate=0.002),
    num_tokens=5 * 64,
    seed=4,
    eval_every_steps=0,
  )
  record = loop.train(other, tmp_path)
  # One for all the tests here, continued runs included.
  assert compiled._cache_size() == 1
  assert record.realised_tokens == {'code/java': 5 * 64}


def test_a_finished_run_is_not_trained_again(finished):
  plan, folder, record, _ = finished
  reports = []
  assert loop.train(plan, folder, progress=reports.append) == record
  assert [r.message.endswith('finished; skipped') for r in reports] == [True]


def test_another_plan_in_the_folder_is_refused(finished):
  plan, folder, _, _ = finished
  other = dataclasses.replace(
    plan, seed=3, optimizer=records.OptimizerSettings(0.5)
  )
  with pytest.raises(errors.UserError) as caught:
    loop.train(other, folder)
  assert (
    'holds a run of another plan: optimizer.peak_learning_rate is 0.01 there,'
    ' 0.5 here; seed is 0 there, 3 here.' in str(caught.value)
  )


def test_a_folder_in_use_is_refused(make_plan, tmp_path):
  with (
    storage.exclusive(tmp_path),
    pytest.raises(errors.UserError, match='in use by another process'),
  ):
    loop.train(make_plan(), tmp_path)


def test_plans_that_do_not_fit_are_refused_before_work(make_plan, tmp_path):
  shape = make_plan().model
  unknown = records.Stage('main', records.MixtureRates({'code/perl': 1}))
  for changes, message in (
    ({'model': dataclasses.replace(shape, vocab_size=256)}, '300 tokens'),
    ({'schedule': records.Schedule((unknown,))}, 'code/perl'),
    ({'sequence_length': 32}, 'sequence_length is 32'),
    ({'shards_dir': str(tmp_path)}, 'no finished shards'),
  ):
    with pytest.raises(errors.UserError, match=message):
      loop.train(make_plan(**changes), tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_divergence_names_step_and_source(make_plan, tmp_path):
  plan = make_plan(
    optimizer=records.OptimizerSettings(1e38), checkpoint_every_steps=1
  )
  with pytest.raises(bookkeeping.DivergedError) as caught:
    loop.train(plan, tmp_path)
  record = records.read_run_record(tmp_path)
  assert record.status == 'failed'
  assert record.message == str(caught.value)
  assert 'not a finite number at step 2' in record.message
  assert 'code/python, markup' in record.message
  step, state = final_state(plan, tmp_path)
  assert step == 1
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(state))


def test_operative_config_and_record_are_plain_files(finished):
  plan, folder, record, _ = finished
  content = json.loads((folder / 'run.json').read_text())
  assert content['num_params'] == accounting.num_params(plan.model)
  assert content['train_flops'] == record.train_flops > 0
  assert content['code_revision']
  assert content['hardware']['platform'] == jax.default_backend()
  text = (folder / 'operative_config.gin').read_text()
  assert 'TrainSettings.plan = @RunPlan()' in text
