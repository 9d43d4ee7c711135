"""Sweeps of tiny runs whose processes are killed, refused and interrupted."""

import contextlib
import dataclasses
import multiprocessing
import os
import random
import re
import shutil
import signal
import time

import pytest
from tensorboard.backend.event_processing import event_accumulator

from codelaw import errors
from codelaw import records
from codelaw.studies import execution
from codelaw.studies import experiments
from codelaw.studies import workers as workers_lib
from codelaw.train import checkpoint
from codelaw.train import loop
from tests import example
from tests.studies import sweep_process

LOSS = 'train/loss_nats_per_token'


@pytest.fixture(autouse=True)
def _compiled(tmp_path_factory, monkeypatch):
  """Workers share what they compile, as those of a user do."""
  folder = tmp_path_factory.getbasetemp() / 'compiled'
  monkeypatch.setenv('JAX_ENABLE_COMPILATION_CACHE', 'true')
  monkeypatch.setenv('JAX_COMPILATION_CACHE_DIR', str(folder))
  monkeypatch.setenv('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0')


def _run(folder, name, plan, after=None):
  """A planned run, which may start from another in `folder`."""
  if after is not None:
    initial = records.InitialCheckpoint(str(folder / after))
    plan = dataclasses.replace(plan, initial=initial)
  return experiments.PlannedRun(name, ('single',), plan)


def _silent(*_):
  pass


def _train_events(folder):
  """(steps, losses) as TensorBoard's own reader has them."""
  reader = event_accumulator.EventAccumulator(
    str(folder / 'train'), size_guidance={event_accumulator.SCALARS: 0}
  )
  found = reader.Reload().Scalars(LOSS)
  return [event.step for event in found], [event.value for event in found]


def _check_all_done_once(runs, folder, others=()):
  """Each planned run is finished, with each of its updates once, and no other.

  Returns:
    run id -> losses.
  """
  there = {file.name for file in folder.iterdir() if file.is_dir()}
  assert there == {*others, *(run.run_id for run in runs)}
  losses = {}
  for run in runs:
    record = records.read_run_record(folder / run.run_id)
    assert (record.status, record.run_id) == ('finished', run.run_id)
    assert record.plan == run.plan
    assert record.step == run.plan.num_steps
    assert record.realised_tokens == record.planned_tokens
    assert max(checkpoint.steps(folder / run.run_id / 'checkpoints')) == (
      record.step
    )
    assert not list((folder / run.run_id / 'checkpoints').glob('*tmp*'))
    steps, losses[run.run_id] = _train_events(folder / run.run_id)
    assert steps == list(range(1, record.step + 1)), run.run_id
  return losses


@pytest.fixture
def trained_by(monkeypatch):
  """run id -> process id of the worker that was given it last."""
  found = {}
  train = workers_lib.Worker.train

  def watched(worker, task):
    found[task.run_id] = worker._process.pid
    train(worker, task)

  monkeypatch.setattr(workers_lib.Worker, 'train', watched)
  return found


def test_a_sweep_goes_on_without_the_worker_and_the_run_that_died(
  make_plan, tmp_path, trained_by, caplog
):
  plan = make_plan(eval_sequences=1, eval_every_steps=0, max_epochs=1e6)
  long = dataclasses.replace(
    plan, num_tokens=400 * 64, checkpoint_every_steps=50
  )
  unsaved = dataclasses.replace(
    plan, num_tokens=10**5 * 64, checkpoint_every_steps=0, seed=1
  )
  folder = tmp_path / 'sweep'

  def runs(folder):
    return [
      _run(folder, 'third', plan, 'second'),
      _run(folder, 'behind', plan, 'doomed'),
      _run(folder, 'second', long, 'first'),
      _run(folder, 'first', plan),
      _run(folder, 'doomed', unsaved),
    ]

  others = {*multiprocessing.active_children()}
  kills = []

  def watch(message, fraction, seconds_left):
    name = re.search(r'(\w+): step', message)
    if name and name[1] in {'second', 'doomed'} - {*kills} | {'doomed'}:
      os.kill(trained_by[name[1]], signal.SIGKILL)
      kills.append(name[1])

  with pytest.raises(errors.UserError) as caught:
    execution.execute(
      runs(folder), folder, watch, num_workers=2, max_failures=2
    )
  assert {*multiprocessing.active_children()} <= others
  said = str(caught.value)
  assert 'The run doomed could not be trained' in said
  assert 'SIGKILL' in said
  assert 'the last of 2 in a row' in said
  assert 'behind would have started from there' in said
  assert 'second' not in said
  assert 'The worker process that trained second was killed' in caplog.text
  assert kills.count('second') == 1
  assert not (folder / 'behind').exists()
  assert records.read_run_record(folder / 'doomed').status == 'running'
  done = [r for r in runs(folder) if r.run_id not in ('doomed', 'behind')]
  shutil.rmtree(folder / 'doomed')
  losses = _check_all_done_once(done, folder)
  here = tmp_path / 'here'
  execution.execute(
    [r for r in runs(here) if r.run_id in losses], here, _silent, 1
  )
  assert losses == {name: _train_events(here / name)[1] for name in losses}


def test_a_refused_run_stops_only_what_starts_from_it(
  make_plan, tmp_path, monkeypatch
):
  plan = make_plan(eval_every_steps=0)
  hot = dataclasses.replace(
    plan, optimizer=records.OptimizerSettings(1e30, clip_norm=1e30)
  )
  runs = [
    _run(tmp_path, 'hot', hot),
    _run(tmp_path, 'behind', plan, 'hot'),
    _run(tmp_path, 'far_behind', plan, 'behind'),
    _run(tmp_path, 'first', dataclasses.replace(plan, seed=1)),
    _run(tmp_path, 'second', dataclasses.replace(plan, seed=1), 'first'),
  ]
  with pytest.raises(errors.UserError) as caught:
    execution.execute(runs, tmp_path, _silent, num_workers=1)
  assert 'The run hot could not be trained: ' in str(caught.value)
  assert 'behind, far_behind would have started from there' in str(caught.value)
  assert records.read_run_record(tmp_path / 'hot').status == 'failed'
  _check_all_done_once(runs[:1:-1][:2], tmp_path, others=['hot'])
  # What is left is tried again, and alone.
  tried = []
  train = loop.train

  def watched(plan, model_dir, **settings):
    tried.append(settings['run_id'])
    return train(plan, model_dir, **settings)

  monkeypatch.setattr(loop, 'train', watched)
  with pytest.raises(errors.UserError, match='The run hot could not'):
    execution.execute(runs, tmp_path, _silent, num_workers=1)
  assert tried == ['first', 'second', 'hot']


def test_workers_that_die_before_they_begin_end_the_study(
  make_plan, tmp_path, monkeypatch
):
  others = {*multiprocessing.active_children()}
  started = []

  class Stillborn(workers_lib.Worker):
    def __init__(self):
      super().__init__()
      started.append(self)
      os.kill(self._process.pid, signal.SIGKILL)

  monkeypatch.setattr(workers_lib, 'Worker', Stillborn)
  runs = [_run(tmp_path, name, make_plan()) for name in 'abc']
  with pytest.raises(errors.UserError, match='3 in a row before they had'):
    execution.execute(runs, tmp_path, _silent, num_workers=2, max_failures=3)
  assert {*multiprocessing.active_children()} <= others
  assert len(started) <= 5
  assert not list(tmp_path.iterdir())


def _fifty(folder, make_plan):
  """50 runs of two models: 10 chains of three, 20 alone."""
  found = []
  for layers in (1, 2):
    for seed in range(15):
      plan = make_plan(
        num_tokens=24 * 64, max_epochs=1000.0, seed=seed, eval_sequences=2
      )
      plan = dataclasses.replace(
        plan, model=dataclasses.replace(plan.model, num_layers=layers)
      )
      name = f'{layers}-{seed}'
      found.append(_run(folder, name, plan))
      if seed < 5:
        found.append(_run(folder, f'{name}-b', plan, name))
        found.append(_run(folder, f'{name}-c', plan, f'{name}-b'))
  assert len(found) == 50
  return found


def _state(folder):
  """Changes whenever a run there gets further."""
  return {
    file: file.stat().st_mtime_ns
    for pattern in ('*/run.json', '*/checkpoints/*')
    for file in folder.glob(pattern)
  }


def _wait_for_work(process, folder, generator):
  """Waits for a random moment after a run has got further.

  In one of eight cases for one that may be before that, as new processes start.
  """
  before, deadline = _state(folder), time.monotonic() + 600
  if generator.random() < 7 / 8:
    while _state(folder) == before and process.poll() is None:
      assert time.monotonic() < deadline
      time.sleep(0.02)
  time.sleep(generator.uniform(0, 1))


@pytest.mark.slow
@pytest.mark.parametrize('seed', [0, 1])
def test_fifty_runs_killed_at_random_are_each_done_once(
  make_plan, tmp_path, seed
):
  generator = random.Random(seed)
  cache = tmp_path / 'compiled'
  whole, folder = tmp_path / 'whole', tmp_path / 'killed'
  with sweep_process.start(_fifty(whole, make_plan), whole, cache) as process:
    _, stderr = process.communicate(timeout=1800)
  assert process.returncode == 0, stderr
  expected = _check_all_done_once(_fifty(whole, make_plan), whole)
  runs = _fifty(folder, make_plan)
  studies = workers = 0  # killed
  while True:
    with sweep_process.start(runs, folder, cache, max_failures=1000) as process:
      kills = generator.randint(1, 6) if studies < 4 else 10**6
      while process.poll() is None and workers < 20:
        _wait_for_work(process, folder, generator)
        living = sorted(example.living(process.pid) - {process.pid})
        if not kills:
          process.kill()
          studies += 1
          break
        if living:
          with contextlib.suppress(ProcessLookupError):
            os.kill(generator.choice(living), signal.SIGKILL)
          workers, kills = workers + 1, kills - 1
      _, stderr = process.communicate(timeout=1800)
    assert process.returncode in (0, -signal.SIGKILL), stderr
    assert not example.wait_until_gone(process.pid, 60)
    if process.returncode == 0:
      break
  print(f'killed {studies} studies and {workers} other processes')
  assert studies >= 2
  assert workers >= 10
  assert _check_all_done_once(runs, folder) == expected
