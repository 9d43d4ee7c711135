import dataclasses
import os
import random
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from tensorboard.backend.event_processing import event_accumulator

from codelaw import execution
from codelaw import gin_text
from codelaw import records
from codelaw.train import checkpoint
from codelaw.train import interruption
from codelaw.train import loop
from codelaw.train import mesh as mesh_lib
from codelaw.train import step as step_lib

MESH = mesh_lib.make(execution.AUTOMATIC.mesh)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_wish_and_a_second_one_stops(number):
  before = signal.getsignal(number)
  with interruption.wish_to_stop() as asked:
    assert not asked()
    signal.raise_signal(number)
    assert asked()
    with pytest.raises(interruption.StopAtOnce):
      signal.raise_signal(number)
  assert signal.getsignal(number) is before


def test_a_run_that_is_asked_to_stop_saves_a_checkpoint(make_plan, tmp_path):
  plan = make_plan(checkpoint_every_steps=0, eval_every_steps=0)

  def terminate(report):
    if report.step == 3:
      signal.raise_signal(signal.SIGTERM)

  with pytest.raises(KeyboardInterrupt):
    loop.train(plan, tmp_path, progress=terminate)
  stopped = records.read_run_record(tmp_path)
  assert stopped.status == 'running'
  messages = []
  record = loop.train(
    plan, tmp_path, progress=lambda r: messages.append(r.message)
  )
  assert f'continues from the checkpoint of step {stopped.step}' in messages
  assert record.realised_tokens == record.planned_tokens


def test_what_was_logged_before_the_first_checkpoint_is_told_once(
  make_plan, tmp_path
):
  plan = make_plan(checkpoint_every_steps=0, eval_every_steps=2)

  def kill(report):
    if report.step == 5:
      raise RuntimeError  # what is logged gets on disk, and no checkpoint

  with pytest.raises(RuntimeError):
    loop.train(plan, tmp_path, progress=kill)
  assert not checkpoint.steps(tmp_path / 'checkpoints')
  before = _tensorboard_steps(tmp_path)
  loop.train(plan, tmp_path)
  assert before == list(range(1, len(before) + 1))
  assert len(before) >= 4
  assert _tensorboard_steps(tmp_path) == list(range(1, 13))


def _tensorboard_steps(folder):
  reader = event_accumulator.EventAccumulator(str(folder / 'train')).Reload()
  return [event.step for event in reader.Scalars('train/loss_nats_per_token')]


_STEPS = 40  # with a checkpoint every third: the run is mostly saving


@pytest.fixture(scope='module')
def whole(make_plan, tmp_path_factory):
  """(plan, folder) of a run that was never interrupted."""
  plan = make_plan(
    num_tokens=_STEPS * 64,
    checkpoint_every_steps=3,
    eval_every_steps=7,
    max_epochs=100.0,
  )
  folder = tmp_path_factory.mktemp('whole')
  loop.train(plan, folder)
  return plan, folder


def _start(plan, folder, cache):
  """`codelaw train` in a process of its own; its messages are on stderr."""
  text = gin_text.train_settings(plan, str(folder))
  gin_file = folder.parent / f'{folder.name}.gin'
  gin_file.write_text(text)
  return subprocess.Popen(
    [sys.executable, '-m', 'codelaw', 'train', f'--gin_file={gin_file}'],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
    env=os.environ
    | {
      'JAX_COMPILATION_CACHE_DIR': str(cache),
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
      'JAX_PLATFORMS': 'cpu',
    },
  )


def _wait_for(process, word, times):
  """Reads messages until one with this word has come so often."""
  for line in process.stderr:
    times -= word in line
    if not times:
      return
  raise AssertionError('the process ended before')


def _scalars(folder):
  """Of TensorBoard's own reader: (part, tag) -> {step: value}."""
  values = {}
  for part in ('train', 'eval'):
    reader = event_accumulator.EventAccumulator(
      str(folder / part), size_guidance={event_accumulator.SCALARS: 0}
    )
    for tag in reader.Reload().Tags()['scalars']:
      if not tag.startswith('throughput/'):
        values[part, tag] = {e.step: e.value for e in reader.Scalars(tag)}
  return values


def _kill_and_compare(whole, folder, random, kills):
  plan, reference = whole
  for _ in range(kills):
    before = max(checkpoint.steps(folder / 'checkpoints'), default=0)
    if before + 9 > _STEPS:
      break
    with _start(plan, folder, folder.parent / 'cache') as process:
      _wait_for(process, ', checkpoint\n', random.randint(2, 3))
      time.sleep(random.random() / 20)
      process.kill()
    saved = max(checkpoint.steps(folder / 'checkpoints'))
    record = records.read_run_record(folder)
    assert record.status == 'running'
    assert saved > before  # the first of the two had to be whole
    assert record.step - saved <= plan.checkpoint_every_steps
  messages = []
  record = loop.train(
    plan, folder, progress=lambda r: messages.append(r.message)
  )
  assert f'continues from the checkpoint of step {saved}' in messages
  assert record.realised_tokens == record.planned_tokens
  assert 0 < record.goodput < 1
  assert _scalars(folder) == _scalars(reference)
  state = step_lib.abstract_state(plan.model, plan.optimizer, MESH)
  ours, theirs = (
    checkpoint.restore(f / 'checkpoints', _STEPS, state)
    for f in (folder, reference)
  )
  jax.tree.map(np.testing.assert_array_equal, ours, theirs)
  assert not list((folder / 'checkpoints').glob('*tmp*'))


def test_a_run_killed_while_it_saves_ends_with_the_same_numbers(
  whole, tmp_path
):
  _kill_and_compare(whole, tmp_path / 'run', random.Random(0), 1)


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(1, 4))
def test_runs_killed_often_end_with_the_same_numbers(whole, tmp_path, seed):
  _kill_and_compare(whole, tmp_path / 'run', random.Random(seed), 8)


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_asked_to_stop_saves_and_says_so(
  make_plan, tmp_path, number
):
  folder = tmp_path / 'run'
  plan = make_plan(num_tokens=10**5, max_epochs=1000.0, eval_every_steps=4)
  plan = dataclasses.replace(plan, checkpoint_every_steps=0)
  with _start(plan, folder, tmp_path / 'cache') as process:
    _wait_for(process, 'held-out loss', 1)
    process.send_signal(number)
    said = process.stderr.read()
  assert process.returncode == 130
  (step,) = checkpoint.steps(folder / 'checkpoints')
  assert records.read_run_record(folder).step == step
  assert 'checkpoint' in said
