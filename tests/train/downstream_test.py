import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from codelaw import errors
from codelaw import records
from codelaw import scores
from codelaw.train import checkpoint
from codelaw.train import downstream
from codelaw.train import loop
from tests.train import loop_test


@pytest.fixture(scope='module')
def alone(make_plan, tmp_path_factory):
  """A run without downstream tasks: (plan, folder)."""
  plan, folder = make_plan(), tmp_path_factory.mktemp('alone')
  loop.train(plan, folder)
  return plan, folder


def training(folder):
  """Everything that a run logged but its speed."""
  found = loop_test.scalars(folder / 'train')
  return {t: v for t, v in found.items() if not t.startswith('throughput/')}


def same_training(plan, folder, other):
  assert training(folder) == training(other)
  ends = [loop_test.final_state(plan, place) for place in (folder, other)]
  jax.tree.map(np.testing.assert_array_equal, *ends)


def test_it_is_called_when_due_and_changes_no_number(alone, tmp_path):
  plan, folder = alone
  seen = []

  def evaluate(at):
    norm = sum(float(jnp.sum(x**2)) for x in jax.tree.leaves(at.params))
    np.random.seed(0)  # as harnesses do
    seen.append((at.step, at.record.plan == plan))
    assert norm > 0

  loop.train(
    plan, tmp_path, downstream=downstream.Downstream(evaluate, every_steps=5)
  )
  assert seen == [(step, True) for step in (5, 10, 12)]
  assert checkpoint.steps(tmp_path / 'checkpoints') == (10, 12)
  same_training(plan, tmp_path, folder)
  ours, theirs = (loop_test.scalars(f / 'eval') for f in (tmp_path, folder))
  for tag, values in theirs.items():
    assert sorted(values) == [6, 12]
    # Its steps have a held-out loss each, the row of the run table.
    assert sorted(ours[tag]) == [5, 6, 10, 12]
    assert {step: ours[tag][step] for step in values} == values
  ours, theirs = (
    (f / 'operative_config.gin').read_text().replace(str(f), 'folder')
    for f in (tmp_path, folder)
  )
  assert ours == theirs


@pytest.mark.parametrize('stopped_at', [5, 12])
def test_a_run_that_is_stopped_in_it_goes_on_there(alone, tmp_path, stopped_at):
  plan, folder = alone
  calls, hold = [], True

  def evaluate(at):
    calls.append(at.step)
    if hold and at.step == stopped_at:
      raise KeyboardInterrupt

  tasks = downstream.Downstream(evaluate, every_steps=5)
  with pytest.raises(KeyboardInterrupt):
    loop.train(plan, tmp_path, downstream=tasks)
  record = records.read_run_record(tmp_path)
  assert (record.status, record.step) == ('running', stopped_at)
  hold = False
  record = loop.train(plan, tmp_path, downstream=tasks)
  assert record.status == 'finished'
  before = [step for step in (5, 10, 12) if step < stopped_at]
  after = [step for step in (5, 10, 12) if step > stopped_at]
  assert calls == [*before, stopped_at, stopped_at, *after]
  same_training(plan, tmp_path, folder)
  loop.train(plan, tmp_path, downstream=tasks)
  assert calls[-1] == 12
  assert calls.count(12) == (2 if stopped_at == 12 else 1)


def test_the_record_has_the_latest_scores(make_plan, tmp_path):
  plan, during = make_plan(), []

  def evaluate(at):
    score = scores.Score('code/x', 'pass@1', at.step / 100, None, 4)
    scores.write(at.model_dir, at.step, [score])
    during.append(records.read_run_record(at.model_dir).scores_step)

  record = loop.train(
    plan, tmp_path, downstream=downstream.Downstream(evaluate, every_steps=4)
  )
  assert during == [None, 4, 8]
  assert (record.scores_step, record.scores) == (12, {'code/x/pass@1': 0.12})
  assert records.read_run_record(tmp_path) == record


def test_a_damaged_file_of_scores_does_not_end_a_run(make_plan, tmp_path):
  def evaluate(at):
    (at.model_dir / 'downstream').mkdir()
    (at.model_dir / 'downstream' / 'step_12.json').write_text('{')

  record = loop.train(
    make_plan(), tmp_path, downstream=downstream.Downstream(evaluate)
  )
  assert (record.status, record.scores_step) == ('finished', None)
  with pytest.raises(errors.UserError):
    scores.latest(tmp_path)


def test_its_time_is_no_training(make_plan, tmp_path):
  spent, since = [], []

  def evaluate(at):
    time.sleep(0.5)
    since[:] = [time.monotonic()]

  def progress(at):
    if not at.message:
      now = time.monotonic()
      spent.append(now - since[0] if since else 0.0)
      since[:] = [now]

  loop.train(
    make_plan(),
    tmp_path,
    progress=progress,
    downstream=downstream.Downstream(evaluate, every_steps=3),
  )
  kept = checkpoint.Checkpoints(tmp_path / 'checkpoints')
  seconds = kept.notes(12)['training_seconds']
  kept.close()
  # The clock from update to update without the three naps between the first
  # and the last; half of what they take is left for a machine that is busy.
  assert 0 < seconds < sum(spent) + 0.75
