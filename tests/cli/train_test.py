import argparse
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw.cli import gin_config
from codelaw.cli import train
from codelaw.models import transformer
from codelaw.train import rundir

MODELS = sorted((gin_config.config_root() / 'models').glob('*.gin'))
LEAF = 'runs/quickstart_uniform.gin'
OTHER_PARTS = (
  'mixtures/python_only.gin',
  'schedules/cosine.gin',
  'runs/pretrain.gin',
)


def load(*files, bindings=()):
  args = argparse.Namespace(
    gin_file=[str(file) for file in files],
    gin_search_paths=[],
    gin_bindings=list(bindings),
  )
  return gin_config.load(args, train.TrainSettings, train.PARTS)


def test_the_ladder_is_there():
  assert len(MODELS) >= 6


@pytest.mark.parametrize('file', MODELS, ids=lambda file: file.stem)
def test_a_model_file_says_its_exact_size(file):
  macros = {
    'MODEL': f'@{file.stem}/ModelShape()',
    'SHARDS_DIR': "'shards'",
    'MODEL_DIR': "'run'",
    'TRAIN_TOKENS': '2e6',
    'PEAK_LEARNING_RATE': '0.01',
  }
  bindings = [f'{name} = {value}' for name, value in macros.items()]
  shape = load(file, *OTHER_PARTS, bindings=bindings).plan.model
  model, tokens = transformer.Transformer(shape), np.zeros((1, 2), np.int32)
  tree = jax.eval_shape(
    lambda: model.init(jax.random.key(0), tokens, tokens, tokens)
  )
  total = sum(leaf.size for leaf in jax.tree.leaves(tree))
  assert total == accounting.num_params(shape)
  inner = accounting.num_params_no_embed(shape)
  assert file.read_text().splitlines()[0] == (
    f'# {total:,} parameters ({inner:,} without the embedding).'
  )


def test_other_rates_change_the_mixture_and_nothing_else():
  before = load(LEAF).plan
  after = load(LEAF, bindings=["MixtureRates.rates = {'code/python': 1}"]).plan
  assert after.schedule.sources == ('code/python',)
  ours, theirs = records.to_json(before), records.to_json(after)
  for content in (ours, theirs):
    for stage in content['schedule']['stages']:
      del stage['mixture']
  assert ours == theirs


def test_what_a_run_needs_is_said_when_missing():
  with pytest.raises(errors.UserError, match='MODEL.* must be set'):
    load('runs/pretrain.gin')


@pytest.mark.parametrize(
  'binding', ['sequential_132/ModelShape.width = 8', 'BATCHSIZE = 4']
)
def test_a_misspelled_binding_is_refused(binding):
  with pytest.raises(errors.UserError, match='Nothing uses'):
    load(LEAF, bindings=[binding])


def test_the_operative_config_builds_an_equal_plan(tmp_path):
  settings = load(LEAF)
  rundir.write_gin(tmp_path, settings.plan)
  again = load(tmp_path / rundir.GIN_FILE)
  assert again.plan == settings.plan
  assert again.model_dir == str(tmp_path)


def test_missing_shards_end_with_one_sentence(tmp_path):
  process = subprocess.run(
    [
      *(sys.executable, '-m', 'codelaw', 'train', f'--gin_file={LEAF}'),
      f'--gin.SHARDS_DIR={str(tmp_path)!r}',
    ],
    capture_output=True,
    text=True,
    cwd=pathlib.Path(gin_config.config_root()).parent,
  )
  assert process.returncode == 2
  assert process.stderr.startswith('codelaw train: ')
  assert 'holds no finished shards' in process.stderr
  assert 'Traceback' not in process.stderr
