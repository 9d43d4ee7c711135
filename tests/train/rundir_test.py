import dataclasses
import json
import shutil

import pytest

from codelaw import errors
from codelaw import execution
from codelaw import records
from codelaw.train import checkpoint
from codelaw.train import loop
from codelaw.train import rundir


class _StoppedError(Exception):
  """The process of a run ended here."""


def _until(plan, folder, step, **changes):
  """Trains until an update was reported, and stops there."""

  def stop(report):
    if report.step == step and not report.message:
      raise _StoppedError

  with pytest.raises(_StoppedError):
    loop.train(plan, folder, progress=stop, **changes)


def _messages(plan, folder, **changes):
  messages = []
  loop.train(
    plan, folder, progress=lambda r: messages.append(r.message), **changes
  )
  return messages


@pytest.fixture
def plan(make_plan):
  return make_plan(num_tokens=6 * 64, eval_sequences=0)


def test_what_is_kept_may_change_between_two_starts(plan, tmp_path):
  plan = dataclasses.replace(plan, checkpoint_every_steps=2)
  _until(plan, tmp_path, 5)
  assert checkpoint.steps(tmp_path / 'checkpoints') == (2, 4)
  other = dataclasses.replace(
    plan,
    checkpoint_every_steps=0,
    checkpoints_kept=1,
    checkpoint_steps_kept=(2, 5),
  )
  assert 'continues from the checkpoint of step 4' in _messages(other, tmp_path)
  assert checkpoint.steps(tmp_path / 'checkpoints') == (2, 5, 6)
  assert records.read_run_record(tmp_path).plan == other


def test_another_way_to_compute_is_said_and_recorded(
  plan, tmp_path, monkeypatch
):
  _until(plan, tmp_path, 5)
  first = records.read_run_record(tmp_path)
  assert first.execution == execution.AUTOMATIC
  monkeypatch.setattr(
    rundir.provenance, 'hardware', lambda: {**first.hardware, 'hosts': '2'}
  )
  way = execution.Execution(remat='full')
  messages = _messages(plan, tmp_path, execution=way)
  said = [m for m in messages if 'up to rounding' in m]
  assert said == [
    "computed in another way than before (remat was 'none', is 'full'; hosts"
    " was '1', is '2'): equal to an uninterrupted run only up to rounding"
  ]
  last = records.read_run_record(tmp_path)
  assert last.execution == way
  assert last.hardware['hosts'] == '2'


def test_the_same_way_is_not_worth_a_word(plan, tmp_path):
  _until(plan, tmp_path, 5)
  messages = _messages(plan, tmp_path)
  assert not [m for m in messages if 'rounding' in m]


def test_checkpoints_that_are_gone_are_not_trained_again(plan, tmp_path):
  _until(plan, tmp_path, 6)
  shutil.rmtree(tmp_path / 'checkpoints')
  with pytest.raises(errors.UserError, match='step 4, but its checkpoints are'):
    loop.train(plan, tmp_path)
  assert not (tmp_path / 'checkpoints').exists()


def test_a_run_killed_before_its_first_checkpoint_starts_again(plan, tmp_path):
  _until(plan, tmp_path, 6)
  shutil.rmtree(tmp_path / 'checkpoints' / '4')
  messages = _messages(plan, tmp_path)
  assert 'was at step 4 without a checkpoint; starts again' in messages


def test_checkpoints_of_an_unknown_run_are_not_continued(plan, tmp_path):
  _until(plan, tmp_path, 6)
  (tmp_path / 'run.json').unlink()
  with pytest.raises(errors.UserError, match='checkpoints, but no run.json'):
    loop.train(plan, tmp_path)


def test_a_record_that_cannot_be_read_is_named(plan, tmp_path):
  loop.train(plan, tmp_path)
  file = tmp_path / 'run.json'
  content = json.loads(file.read_text())
  newer = {**content, 'colour': 'red'}
  newer['package_versions'] = {'codelaw': '99.0'}
  file.write_text(json.dumps(newer))
  for read in (records.read_run_record, lambda d: loop.train(plan, d)):
    with pytest.raises(errors.UserError) as caught:
      read(tmp_path)
    for part in (str(file), 'codelaw 99.0', 'colour'):
      assert part in str(caught.value)
  file.write_text(json.dumps(content)[:-200])
  with pytest.raises(errors.UserError, match=r'run\.json is not valid JSON'):
    loop.train(plan, tmp_path)


def test_a_record_of_before_is_read_and_continued(plan, tmp_path):
  _until(plan, tmp_path, 6)
  file = tmp_path / 'run.json'
  content = json.loads(file.read_text())
  for name in ('execution', 'goodput', 'inherited_tokens'):
    del content[name]
  for name in ('checkpoints_kept', 'checkpoint_steps_kept', 'initial'):
    del content['plan'][name]
  file.write_text(json.dumps(content))
  assert records.read_run_record(tmp_path).goodput is None
  assert 'continues from the checkpoint of step 4' in _messages(plan, tmp_path)
