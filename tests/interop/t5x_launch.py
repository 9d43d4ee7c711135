"""T5X and `codelaw train`, launched alike by their command lines."""

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


def run(module, arguments, bindings, devices=1):
  """Runs `python -m module` to its end; returns what it says."""
  return subprocess.run(
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
    capture_output=True,
    text=True,
  )


def codelaw_train(folder, shards_dir):
  """The leaf's run by `codelaw train`."""
  done = run(
    'codelaw',
    ['train', '--gin_file=runs/quickstart_uniform.gin'],
    [
      *BINDINGS,
      f"SHARDS_DIR='{shards_dir}'",
      f"MODEL_DIR='{folder}'",
      'RunPlan.eval_every_steps=4',
    ],
  )
  assert not done.returncode, done.stderr


def t5x_train(folder, shards_dir, *bindings, devices=1):
  """The leaf's run by T5X."""
  return run(
    't5x.train',
    [
      f'--gin_search_paths={ROOT / "gin_configs"}',
      '--gin_file=t5x/quickstart_uniform.gin',
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
