import dataclasses
import json
import os
import pathlib
import shutil
import signal
import time

import jax
from jax._src.clusters import cloud_tpu_cluster as clusters
from jax._src.clusters import cluster
import numpy as np
import pytest

from codelaw import errors
from codelaw import records
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib
from codelaw.train import checkpoint
from codelaw.train import distributed
from codelaw.train import loop
from codelaw.train import rundir
from tests.train import loop_test
from tests.train import pods
from tests.train import processes

_OWN_TASKS = pathlib.Path(__file__).parents[1] / 'cli' / 'own_tasks.py'


@pytest.fixture(scope='module')
def plan(make_plan):
  """36 updates, 3 checkpoints; long enough to be stopped in between."""
  plan = make_plan(
    batch_size=8,
    num_tokens=36 * 8 * 16,
    eval_every_steps=18,
    checkpoint_every_steps=6,
  )
  return dataclasses.replace(
    plan, model=dataclasses.replace(plan.model, num_layers=1)
  )


@pytest.fixture(scope='module')
def whole(plan, tmp_path_factory):
  """Events of the run in this process: ({tag: {step: value}} of both parts)."""
  folder = tmp_path_factory.mktemp('whole')
  loop.train(plan, folder)
  return scalars(folder)


def scalars(folder):
  """{part: {tag: {step: value}}} of all that is not about time."""
  return {
    part: {
      tag: values
      for tag, values in loop_test.scalars(folder / part).items()
      if not tag.startswith('throughput/')
    }
    for part in ('train', 'eval')
  }


def _start(plan, folder, num_processes, num_devices, mesh, folders=None):
  rundir.write_gin(folder, plan)
  return processes.Processes(
    folder / rundir.GIN_FILE, num_processes, num_devices, mesh, folders
  )


def _finish(*arguments):
  with _start(*arguments) as started:
    results = started.wait()
  for code, _, stderr in results:
    assert code == 0, stderr
  # Only the first process says something; Gloo says what it likes.
  for _, stdout, stderr in results[1:]:
    assert stderr == ''
    lines = stdout.splitlines()
    assert all(line.startswith('[Gloo]') for line in lines)


def check(plan, folder, whole, exact=False):
  record = records.read_run_record(folder)
  planned = schedule_lib.from_plan(
    plan, manifest_lib.read(plan.shards_dir)
  ).planned_tokens()
  assert record.status == 'finished'
  assert record.realised_tokens == planned
  ours = scalars(folder)
  assert len(list((folder / 'train').glob('events*'))) <= 2
  for part, tags in whole.items():
    assert ours[part].keys() == tags.keys()
    for tag, values in tags.items():
      assert ours[part][tag].keys() == values.keys()
      np.testing.assert_allclose(
        [ours[part][tag][step] for step in values],
        list(values.values()),
        # Sums in another order, as in mesh_test, through 36 updates.
        rtol=0 if exact else 1e-5,
        err_msg=tag,
      )


def wait_for(file, started):
  end = time.monotonic() + 400
  while not file.exists() and time.monotonic() < end:
    time.sleep(0.05)
  assert file.exists(), started.wait()


@pytest.fixture
def fresh(monkeypatch):
  """This process looks as if it had computed nothing yet."""
  monkeypatch.setattr(
    distributed.xla_bridge, 'backends_are_initialized', lambda: False
  )


@pytest.mark.parametrize(
  ('raised', 'expected', 'said'),
  [
    (
      RuntimeError('Failed to recognize coordinator address host-0.run'),
      errors.TemporaryError,
      r'not found each other within 300 s \(Failed .* host-0.run\)',
    ),
    (
      ConnectionError('http://metadata.google.internal'),
      errors.TemporaryError,
      'metadata.google.internal',
    ),
    (
      ModuleNotFoundError('No module', name='requests'),
      errors.UserError,
      r'JAX needs requests on a TPU VM.*codelaw\[train,tpu\]',
    ),
    (ValueError('process_id must be'), errors.UserError, 'process_id must be'),
  ],
)
def test_processes_that_do_not_meet_end_with_a_sentence(
  monkeypatch, fresh, raised, expected, said
):
  def fail(*_, **__):
    raise raised

  monkeypatch.setattr(jax.distributed, 'initialize', fail)
  with pytest.raises(expected, match=said):
    distributed.initialize()


def test_a_machine_that_is_in_no_cluster_trains_alone(monkeypatch, fresh):
  for name in list(os.environ):
    if name.startswith(('TPU_', 'SLURM_', 'OMPI_', 'KUBERNETES_')):
      monkeypatch.delenv(name)
  distributed.initialize()
  assert distributed.is_alone()


@pytest.mark.parametrize(
  'hostnames', ['TPU_WORKER_HOSTNAMES', 'TPU_PROCESS_ADDRESSES']
)
def test_what_a_host_of_a_slice_is_given_is_what_jax_asks_for(
  monkeypatch, fresh, hostnames
):
  given = {}
  monkeypatch.setattr(clusters, 'running_in_cloud_tpu_vm', True)
  monkeypatch.setattr(clusters, 'get_metadata', lambda key: ('', 404))
  monkeypatch.setattr(
    jax.distributed,
    'initialize',
    lambda *arguments, **settings: given.update(
      zip(
        ('address', 'number', 'id'),
        cluster.ClusterEnv.auto_detect_unset_distributed_params(
          *arguments, None, None, settings['initialization_timeout']
        ),
        strict=False,
      )
    ),
  )
  environment = pods.injected(2, 4)
  environment[hostnames] = environment.pop('TPU_WORKER_HOSTNAMES')
  for name, value in environment.items():
    monkeypatch.setenv(name, value)
  distributed.initialize()
  assert given == {'address': '127.0.0.1:8482', 'number': 4, 'id': 2}


def test_stopped_on_one_of_two_processes_and_continued_on_one(
  plan, whole, tmp_path
):
  with _start(plan, tmp_path, 2, 2, (1, 2, 2)) as started:
    wait_for(tmp_path / 'checkpoints' / '6', started)
    started.send(1, signal.SIGTERM)
    results = started.wait()
  assert [code for code, _, _ in results] == [130, 130], results
  record = records.read_run_record(tmp_path)
  assert 6 <= record.step < plan.num_steps
  assert (tmp_path / 'checkpoints' / str(record.step)).exists()
  _finish(plan, tmp_path, 1, 1, (1, 1, 1))
  check(plan, tmp_path, whole)


@pytest.mark.slow
@pytest.mark.parametrize(
  ('num_processes', 'num_devices', 'mesh'),
  [
    (2, 2, (1, 2, 2)),
    (2, 2, (2, 2, 1)),
    (2, 1, (1, 1, 2)),  # both need all rows
    (4, 1, (1, 4, 1)),
    (4, 2, (2, 2, 2)),
  ],
)
def test_processes_train_as_one_process_does(
  plan, whole, tmp_path, num_processes, num_devices, mesh
):
  several, one = tmp_path / 'several', tmp_path / 'one'
  _finish(plan, several, num_processes, num_devices, mesh)
  check(plan, several, whole)
  _finish(plan, one, 1, num_processes * num_devices, mesh)
  check(plan, several, scalars(one))


@pytest.mark.slow
def test_stopped_on_one_and_continued_on_two_on_four(plan, whole, tmp_path):
  with _start(plan, tmp_path, 1, 1, (1, 1, 1)) as started:
    wait_for(tmp_path / 'checkpoints' / '6', started)
    started.send(0, signal.SIGINT)
    started.wait()
  _finish(plan, tmp_path, 4, 1, (1, 2, 2))
  check(plan, tmp_path, whole)


@pytest.mark.slow
@pytest.mark.parametrize('killed', [0, 1])
def test_a_killed_process_ends_the_other(plan, whole, tmp_path, killed):
  with _start(plan, tmp_path, 2, 1, (1, 2, 1)) as started:
    wait_for(tmp_path / 'checkpoints' / '6', started)
    started.send(killed, signal.SIGKILL)
    before = time.monotonic()
    results = started.wait()
    seconds = time.monotonic() - before
  code, _, stderr = results[1 - killed]
  if killed:
    assert code == errors.TemporaryError.EXIT_CODE
    assert 'Another process of this run has ended without a word' in stderr
  else:  # the coordinator was in it, so JAX itself aborts
    assert code in (errors.TemporaryError.EXIT_CODE, -signal.SIGABRT)
  assert seconds < 30  # heartbeats of 10 s, and a busy machine
  _finish(plan, tmp_path, 2, 1, (1, 2, 1))
  check(plan, tmp_path, whole)


@pytest.mark.slow
def test_all_agree_that_a_checkpoint_is_damaged(plan, whole, tmp_path):
  with _start(plan, tmp_path, 2, 1, (1, 2, 1)) as started:
    wait_for(tmp_path / 'checkpoints' / '12', started)
    started.send(1, signal.SIGTERM)
    started.wait()
  last = max(checkpoint.steps(tmp_path / 'checkpoints'))
  # What only one of them reads.
  damaged = tmp_path / 'checkpoints' / str(last) / 'default'
  shutil.rmtree(damaged / 'ocdbt.process_1')
  # Here the second process prints, too, what Orbax leaves unread.
  with _start(plan, tmp_path, 2, 1, (1, 2, 1)) as started:
    assert [code for code, _, _ in started.wait()] == [0, 0]
  check(plan, tmp_path, whole)
  (aside,) = (tmp_path / 'checkpoints_damaged').iterdir()
  assert aside.name.startswith(f'{last}-')


@pytest.mark.slow
def test_an_error_of_one_process_ends_the_other(plan, tmp_path):
  folders = [tmp_path / 'machine0', tmp_path / 'machine1']
  for folder in folders:
    shutil.copytree(plan.shards_dir, folder / 'shards')
  for shard in (folders[1] / 'shards').rglob('train-*'):
    shard.write_bytes(bytes(shard.stat().st_size))
  plan = dataclasses.replace(plan, shards_dir='shards')
  with _start(plan, tmp_path / 'run', 2, 1, (1, 2, 1), folders) as started:
    results = started.wait()
  assert [code for code, _, _ in results] == [2, 2], results
  assert 'Cannot read shard' in results[1][2]
  assert 'Process 1 of this run has ended: Cannot read' in results[0][2]


_TASKS = """
import own_tasks
Everything.prompts = ['def while', 'return', 'print ( value )']
Evaluation.tasks = [@Everything()]
"""


def _answers(folder, step):
  samples = folder / 'downstream' / 'samples' / f'step_{step}'
  (answers,) = map(
    json.loads, (samples / 'everything.jsonl').read_text().splitlines()
  )
  return answers


def _check_answers(ours, theirs):
  for name in ('greedy', 'drawn', 'nothing', 'refused'):
    assert ours[name] == theirs[name]
  for name in ('rolling', 'nats'):
    # Sums in another order, as in run_language_model_test.
    np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5)
  assert theirs['refused']
  assert len(set(theirs['nats'])) == 3


@pytest.mark.slow
def test_processes_are_given_tasks_as_one_process_is(plan, tmp_path):
  tasks = tmp_path / 'tasks'
  tasks.mkdir()
  shutil.copy(_OWN_TASKS, tasks)
  (tasks / 'tasks.gin').write_text(_TASKS)
  several, one = tmp_path / 'several', tmp_path / 'one'
  for folder, number in ((several, 2), (one, 1)):
    text = rundir.write_gin(folder, plan) + _TASKS
    text += 'TrainSettings.downstream = @Evaluation()\n'
    text += 'Evaluation.every_steps = 18\n'
    run = tasks / f'{folder.name}.gin'
    run.write_text(text)
    with processes.Processes(run, number, 1, (1, number, 1)) as started:
      results = started.wait()
    assert [code for code, _, _ in results] == [0] * number, results
  for step in (18, 36):
    _check_answers(_answers(several, step), _answers(one, step))
  shutil.rmtree(one / 'downstream')
  with processes.Processes(
    *(tasks / 'tasks.gin', 2, 2, (2, 2, 1)),
    verb=('evaluate', f'--model_dir={one}', '--every_checkpoint'),
    entry='Evaluation',
  ) as started:
    results = started.wait()
  assert [code for code, _, _ in results] == [0, 0], results
  assert _answers(one, 30)
  _check_answers(_answers(one, 36), _answers(several, 36))


@pytest.mark.slow
def test_a_stop_in_a_task_stops_all_processes(plan, tmp_path):
  shutil.copy(_OWN_TASKS, tmp_path)
  text = rundir.write_gin(tmp_path / 'run', plan) + _TASKS
  text += 'TrainSettings.downstream = @Evaluation()\n'
  text += "Everything.wait_for = 'asked'\n"
  run = tmp_path / 'run.gin'
  run.write_text(text)
  folders = [tmp_path, tmp_path]
  with processes.Processes(run, 2, 1, (1, 2, 1), folders) as started:
    wait_for(tmp_path / 'waits', started)
    started.send(0)
    time.sleep(0.5)
    (tmp_path / 'asked').touch()
    results = started.wait()
  assert [code for code, _, _ in results] == [130, 130], results
  assert not (tmp_path / 'run/downstream/samples').exists()
