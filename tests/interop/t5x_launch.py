"""T5X and `codelaw train`, launched alike by their command lines."""

from concurrent import futures
import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

import codelaw

ROOT = pathlib.Path(codelaw.__file__).parent.parent
NUM_STEPS = 12
# Both launchers take the same ones.
BINDINGS = (
  f'TRAIN_TOKENS={NUM_STEPS * 4 * 16}',
  'SEQUENCE_LENGTH=16',
  'BATCH_SIZE=4',
  'sequential_108k/ModelShape.num_heads=2',
  "MixtureRates.rates={'code/python': 2, 'markup': 1}",
  'OptimizerSettings.z_loss=0.01',
  'RunPlan.eval_sequences=6',
)
T5X_BINDINGS = (
  'SaveCheckpointConfig.period=4',
  'train.eval_period=4',
  'train.stats_period=1',
)


def skip_without_t5x() -> None:
  for package in ('t5x', 'airio', 'jestimator'):
    if importlib.util.find_spec(package) is None:
      pytest.skip(f'{package} is not installed')


def start(module, arguments, bindings, devices=1):
  """Starts `python -m module`."""
  return subprocess.Popen(
    [
      sys.executable,
      '-m',
      module,
      *arguments,
      *(f'--gin.{binding}' for binding in bindings),
    ],
    env={
      **os.environ,
      'JAX_PLATFORMS': 'cpu',
      'XLA_FLAGS': f'--xla_force_host_platform_device_count={devices}',
      'PYTHONPATH': os.pathsep.join(
        [str(ROOT), os.environ.get('PYTHONPATH', '')]
      ),
    },
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
  )


def finish(process):
  """(exit status, what it said) at its end."""
  _, said = process.communicate()
  return process.returncode, said


def codelaw_train(folder, shards_dir):
  """The leaf's run by `codelaw train`."""
  status, said = finish(
    start(
      'codelaw',
      ['train', '--gin_file=runs/quickstart_uniform.gin'],
      [
        *BINDINGS,
        f"SHARDS_DIR='{shards_dir}'",
        f"MODEL_DIR='{folder}'",
        'RunPlan.eval_every_steps=4',
      ],
    )
  )
  assert not status, said


def t5x_train(folder, shards_dir, *bindings, devices=1, flags=()):
  """Starts the leaf's run by T5X."""
  return start(
    't5x.train',
    [
      f'--gin_search_paths={ROOT / "gin_configs"}',
      '--gin_file=t5x/quickstart_uniform.gin',
      *flags,
    ],
    [
      *BINDINGS,
      *T5X_BINDINGS,
      f"SHARDS_DIR='{shards_dir}'",
      f"MODEL_DIR='{folder}'",
      *bindings,
    ],
    devices,
  )


def assert_finished(*processes):
  """Waits for processes, all of which must end well."""
  # At once: none may wait until what it says is read.
  with futures.ThreadPoolExecutor() as pool:
    for status, said in pool.map(finish, processes):
      assert not status, said
