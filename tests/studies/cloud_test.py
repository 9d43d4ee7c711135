"""A study on machines that are taken away, by a submitter that is killed."""

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

import pytest

from codelaw import records
from codelaw.cli import gin_config
from codelaw.cli import main
from codelaw.cli import study as study_verb
from codelaw.runs import events
from codelaw.studies import attempts
from codelaw.studies import sweep
from codelaw.studies import units as units_lib
from tests.launch import fake_cloud
from tests.launch.fakes import cloud as cloud_lib

STUDY = pathlib.Path(__file__).with_name('cloud.gin')


def _study(folder):
  macros = {
    'STUDY_DIR': f'{folder}/study',
    'GENERATED_DIR': f'{folder}/generated',
    'CORPUS_DIR': f'{folder}/corpus',
    'SHARDS_DIR': f'{folder}/shards',
  }
  return [
    f'--gin_file={STUDY}',
    *(f'--gin.{name}={value!r}' for name, value in macros.items()),
  ]


def _start(folder, *flags):
  """The command that a person gives, in a process of its own."""
  return subprocess.Popen(
    [*(sys.executable, '-m', 'codelaw', 'study'), *_study(folder), *flags],
    cwd=folder,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
    start_new_session=True,
  )


def _engine(folder):
  macros = {
    'PROJECT': 'project',
    'ZONE': 'us-west4-a',
    'BUCKET': 'gs://bucket',
    'PACKAGE': f'{folder}/codelaw.whl',
    'CONSTRAINTS': f'{folder}/constraints.txt',
    'FOLDER': str(folder),
    'CAPACITY': 'spot',
  }
  return [
    '--gin_file=launch/queued_resources.gin',
    *(f'--gin.{name}={value!r}' for name, value in macros.items()),
    '--gin.QueuedResources.max_restarts=0',
  ]


def _finish(process):
  said, _ = process.communicate(timeout=900)
  assert process.returncode == 0, said
  return said


@pytest.fixture
def environment(tmp_path, monkeypatch):
  """Machines and the local study compute alike, and compile once."""
  for name, value in {
    'PYTHONPATH': str(fake_cloud.ROOT),
    'JAX_PLATFORMS': 'cpu',
    'JAX_ENABLE_COMPILATION_CACHE': 'true',
    'JAX_COMPILATION_CACHE_DIR': str(tmp_path / 'compiled'),
    'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0.1',
  }.items():
    monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
  ('name', 'macros'),
  [
    ('queued_resources', {'CAPACITY': 'spot'}),
    ('jobset', {'CONTEXT': 'context', 'IMAGE': 'image'}),
    ('xpk', {'CLUSTER': 'cluster', 'IMAGE': 'image', 'STORAGE': 'bucket'}),
    (None, {}),
  ],
)
def test_a_file_of_launch_is_all_that_a_study_needs(tmp_path, name, macros):
  flags = [f'--gin.{macro}={value!r}' for macro, value in macros.items()]
  if name is not None:
    flags += [
      f'--gin_file=launch/{name}.gin',
      *(flag for flag in _engine(tmp_path) if 'BUCKET' in flag),
      f"--gin.FOLDER='{tmp_path}'",
    ]
  if name in ('queued_resources', 'xpk'):
    flags += ["--gin.PROJECT='project'", "--gin.ZONE='zone'"]
  if name == 'queued_resources':
    flags += [
      *(flag for flag in _engine(tmp_path) if 'PACKAGE' in flag),
      f"--gin.CONSTRAINTS='{tmp_path}/constraints.txt'",
    ]
  others, bindings = gin_config.split_bindings([*_study(tmp_path), *flags])
  args = main.build_parser('study').parse_args(others)
  args.gin_bindings = bindings
  study = study_verb.load(args)
  if name is None:
    assert study.engine is None
  else:
    assert study.engine.mount.folder == str(tmp_path)
    first, *_ = units_lib.of_runs(study, sweep.planned_runs(study), 'runs')
    job, _ = units_lib.job_of(study, first)
    assert job.topology == 'v5e:1x1'


def _losses(model_dir):
  scalars = events.read_scalars(model_dir / 'train')
  return scalars['train/loss_nats_per_token']


@pytest.mark.slow
@pytest.mark.parametrize('seed', [0])
def test_it_ends_like_the_local_study_bit_for_bit(
  tmp_path, monkeypatch, environment, seed
):
  here, there = tmp_path / 'here', tmp_path / 'there'
  here.mkdir()
  there.mkdir()
  _finish(_start(here))
  cloud = fake_cloud.install(tmp_path, monkeypatch, 'gcloud')
  train = [sys.executable, '-m', 'codelaw']
  cloud.behave(cloud_lib.Behaviour(train=train, preempt=0.03, seed=seed))
  generator = random.Random(seed)
  flags = _engine(there)
  taken = set()
  try:
    for _ in range(3):  # killed submitters
      process = _start(there, *flags)
      calls = len(cloud.calls())
      more = generator.randint(8, 20)
      while process.poll() is None and len(cloud.calls()) < calls + more:
        _take_away(cloud, there, taken)
        time.sleep(0.05)
      process.kill()
      said, _ = process.communicate()
      assert process.returncode in (0, -signal.SIGKILL), said
    process = _start(there, *flags)
    while process.poll() is None:
      _take_away(cloud, there, taken)
      time.sleep(0.05)
    said = _finish(process)
  finally:
    fake_cloud.clear(cloud)
  assert any(name.endswith('_tasks') for name in taken)
  assert not all(name.endswith('_tasks') for name in taken)
  assert '4 of 4 runs done; 4 of 4 evaluated' in said
  table = (there / 'study' / 'runs.csv').read_bytes()
  assert table == (here / 'study' / 'runs.csv').read_bytes()
  assert (there / 'study' / 'report.html').exists()
  histories = attempts.read(there / 'study' / attempts.FILE)
  runs = sorted(os.listdir(here / 'study' / 'runs'))
  assert runs == sorted(os.listdir(there / 'study/runs'))
  assert len(runs) == 4
  assert {*histories} == {*runs, *(f'{run_id}_tasks' for run_id in runs)}
  for history in histories.values():
    assert history.count('finished') == 1
    assert history.count('failed') == 0
  for run_id in runs:
    record = records.read_run_record(there / 'study' / 'runs' / run_id)
    losses = _losses(there / 'study' / 'runs' / run_id)
    assert [step for step, _ in losses] == list(range(1, record.step + 1))
    assert losses == _losses(here / 'study' / 'runs' / run_id)
    assert _answers(there, run_id) == _answers(here, run_id)
  assert cloud.names() == []
  preempted = sum(call[0] == 'preempted' for call in cloud.calls())
  # One that has just finished may lose its machine too.
  assert preempted >= sum(h.count('preempted') for h in histories.values()) > 0
  outputs = [
    file.read_text()
    for file in (cloud.folder / 'machines').glob('*/root/job.log')
  ]
  assert any('continues from the checkpoint' in text for text in outputs)
  said = _finish(_start(there, *flags, '--status'))
  assert re.search(r'4 runs: 4 finished', said)
  assert re.search(r'4 evaluations: 4 finished', said)


def _answers(folder, run_id):
  """What a run answered, and its scores."""
  downstream = folder / 'study' / 'runs' / run_id / 'downstream'
  samples = sorted(downstream.glob('samples/*/*.jsonl'))
  assert [file.stem for file in samples] == ['drawn', 'short']
  lines = [line for f in samples for line in f.read_text().splitlines()]
  found = [json.loads(line) for line in lines]
  assert len(found) == 3 * 4 + 3
  assert len({sample['completion'] for sample in found}) > 5
  (scores,) = downstream.glob('*.json')
  kept = ('problem', 'completion', 'outcome')
  return [[sample[k] for k in kept] for sample in found], scores.read_text()


def _take_away(cloud, folder, taken):
  """Takes the machines of two runs with a checkpoint, and of one evaluation."""
  runs = folder / 'study' / 'runs'
  started = {
    file.parents[1].name: file.parents[1]
    for file in runs.glob('*/checkpoints/20')
  } | {
    f'{file.parents[3].name}_tasks': file.parents[3]
    for file in runs.glob('*/downstream/tasks/*/short.json')
  }
  for unit, model_dir in started.items():
    is_task = unit.endswith('_tasks')
    alike = [name for name in taken if name.endswith('_tasks') == is_task]
    histories = attempts.read(folder / 'study' / attempts.FILE)
    if unit in taken or len(alike) == 2 - is_task or unit not in histories:
      continue
    name = histories[unit].job
    with cloud.held():
      if name not in cloud.names() or 'pid' not in cloud.read(name):
        continue
      resource = cloud.read(name)
      cloud.stop(resource, signal.SIGKILL)
      resource['shown']['state']['state'] = 'SUSPENDED'
      cloud.write(name, resource)
      cloud.log(['preempted', name])
    (tasks,) = model_dir.glob('downstream/tasks/*') if is_task else (None,)
    if is_task:
      is_open = not (tasks / 'drawn.json').exists()
    else:
      is_open = records.read_run_record(model_dir).status == 'running'
    if is_open:
      taken.add(unit)
