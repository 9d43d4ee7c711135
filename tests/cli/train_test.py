import argparse
import pathlib
import re
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

MODELS_DIR = gin_config.config_root() / 'models'
MODELS = sorted(MODELS_DIR.glob('*.gin'))
NUMBER = re.compile(r'[0-9][0-9,]+')
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


# What the papers print, and whether it is without the embedding, as their
# sizes are best explained (see the files).
PRINTED = {
  'sequential_94m': (0.0944e9, True),
  'sequential_201m': (0.2014e9, True),
  'sequential_367m': (0.3671e9, True),
  'sequential_604m': (0.6041e9, True),
  'sequential_1b1': (1.074e9, True),
  'sequential_1b3': (1.342e9, True),
  'sequential_1b6': (1.611e9, True),
  'sequential_2b': (2.039e9, True),
  'sequential_2b4': (2.378e9, True),
  'sequential_3b': (3.058e9, True),
  'parallel_470m': (470e6, False),
  'parallel_2b8': (2.8e9, False),
}


def test_the_ladder_is_there():
  names = {file.stem for file in MODELS}
  assert names >= {*PRINTED, 'sequential_7b', 'sequential_14b'}
  assert names >= {f'sequential_{size}' for size in ('14k', '1m', '10m')}


@pytest.mark.parametrize('name', PRINTED)
def test_a_size_of_a_paper_is_met_to_half_a_percent(name):
  printed, is_without_embedding = PRINTED[name]
  counts = (MODELS_DIR / f'{name}.gin').read_text().splitlines()[0]
  total, inner = (int(n.replace(',', '')) for n in NUMBER.findall(counts))
  size = inner if is_without_embedding else total
  assert size == pytest.approx(printed, rel=0.005)


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


def test_long_chains_name_the_folders_of_their_runs():
  few = ['b/x', 'a', 'b/y']
  assert train._places(few) == few
  assert train._places([*few, 'b/z', 'c/d/x']) == ['.', 'b', 'c/d']
