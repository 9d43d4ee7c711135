import argparse

import numpy as np
import pytest

from codelaw.cli import gin_config
from codelaw.cli import main
from codelaw.cli import train
from codelaw.data import manifest as manifest_lib

_LEAF = """
include 'mixtures/quickstart_uniform.gin'
include 'schedules/{schedule}.gin'
TrainSettings.plan = @RunPlan()
TrainSettings.model_dir = %MODEL_DIR
MODEL_DIR = %gin.REQUIRED
SHARDS_DIR = %gin.REQUIRED
TRAIN_TOKENS = 64000
RunPlan.model = @ModelShape()
RunPlan.schedule = @Schedule()
RunPlan.optimizer = @OptimizerSettings()
RunPlan.shards_dir = %SHARDS_DIR
RunPlan.num_tokens = %TRAIN_TOKENS
RunPlan.sequence_length = 64
RunPlan.batch_size = 4
OptimizerSettings.peak_learning_rate = 0.002
ModelShape.vocab_size = 300
ModelShape.width = 8
ModelShape.num_layers = 1
ModelShape.num_heads = 1
ModelShape.head_dim = 8
ModelShape.mlp_width = 8
"""
_SOURCES = (
  'code/c_cpp',
  'code/javascript',
  'code/python',
  'markup',
  'synthetic/python',
)


@pytest.fixture
def shards_dir(tmp_path):
  """A manifest without files: all that planning needs."""
  tokenizer = tmp_path / 'tokenizer.json'
  tokenizer.write_text('{}')
  train_shards = manifest_lib.SplitShards(
    packing='concatenate',
    documents=1,
    bytes=200_000,
    tokens=100 * 64 - 10,
    sequences=100,
    padding_tokens=10,
    truncated_tokens=0,
    left_out_documents=0,
    files=(),
    padding_file=manifest_lib.write_padding(
      tmp_path, 'code/python', 'train', np.array([99]), np.array([10])
    ),
  )
  manifest_lib.write(
    tmp_path,
    manifest_lib.Manifest(
      vocab_size=300,
      sequence_length=64,
      token_dtype='uint16',
      tokenizer_fingerprint=manifest_lib.tokenizer_fingerprint(tokenizer),
      corpus_fingerprint='corpus',
      plan_fingerprint='plan',
      sources={source: {'train': train_shards} for source in _SOURCES},
    ),
  )
  return tmp_path


@pytest.fixture
def leaf(tmp_path):
  file = tmp_path / 'leaf.gin'
  file.write_text(_LEAF.format(schedule='wsd'))
  return f'--gin_file={file}'


def _load(tmp_path, schedule, *bindings):
  file = tmp_path / f'{schedule}.gin'
  file.write_text(_LEAF.format(schedule=schedule))
  args = argparse.Namespace(
    gin_file=[str(file)],
    gin_search_paths=[],
    gin_bindings=["MODEL_DIR = 'a'", "SHARDS_DIR = 'b'", *bindings],
  )
  return gin_config.load(args, train.TrainSettings, train.PARTS).plan.schedule


def test_it_shows_exact_numbers_from_a_leaf_of_codelaw_train(
  leaf, shards_dir, capsys
):
  assert main.main(['mixture', leaf, f'--shards={shards_dir}']) == 0
  lines = [line.split() for line in capsys.readouterr().out.splitlines()]
  (main_row,) = [line for line in lines if line[:1] == ['main']][:1]
  (cooldown,) = [line for line in lines if line[:1] == ['cooldown']][:1]
  assert main_row[1:3] == ['200', '800']
  assert main_row[4:] == ['constant', '0.002']
  assert cooldown[1:3] == ['250', '200']
  assert cooldown[4:] == ['linear', '0.002', 'to', '0']
  tokens = [int(row[3].replace(',', '')) for row in (main_row, cooldown)]
  assert sum(tokens) == 1000 * 64 - 5 * 2 * 10  # two epochs of five sources
  for source in _SOURCES:
    whole = ['whole', 'run', source, '0.2000', '200', '12,780', '2.000']
    assert whole in lines


def test_a_stage_can_have_rates_of_its_own(leaf, shards_dir, capsys):
  code = main.main(
    [
      'mixture',
      leaf,
      f'--shards={shards_dir}',
      "--gin.cooldown/MixtureRates.rates={'markup': 1}",
    ]
  )
  assert code == 0
  lines = [line.split() for line in capsys.readouterr().out.splitlines()]
  rows = {tuple(line[:2]): line[2:4] for line in lines if len(line) == 6}
  assert rows['cooldown', 'markup'] == ['1.0000', '200']
  assert rows['cooldown', 'code/python'] == ['0.0000', '0']
  assert rows['main', 'markup'] == ['0.2000', '160']


def test_what_the_cap_refuses_is_shown_and_refused(leaf, shards_dir, capsys):
  code = main.main(
    ['mixture', leaf, f'--shards={shards_dir}', '--gin.TRAIN_TOKENS=144000']
  )
  assert code == 2
  captured = capsys.readouterr()
  assert captured.out.count('> cap') == 5
  assert 'max_epochs is 4' in captured.err


def test_the_wsd_schedule(tmp_path):
  schedule = _load(tmp_path, 'wsd')
  main_stage, cooldown = schedule.stages
  assert (main_stage.name, main_stage.token_weight) == ('main', 0.8)
  assert main_stage.learning_rate_shape == 'constant'
  assert (cooldown.name, cooldown.token_weight) == ('cooldown', 0.2)
  assert cooldown.learning_rate_shape == 'linear'
  assert (cooldown.start_factor, cooldown.end_factor) == (1.0, 0.0)
  assert schedule.warmup_fraction == 0.05
  assert main_stage.mixture == cooldown.mixture
  assert sorted(main_stage.mixture.rates) == sorted(_SOURCES)
  changed = _load(
    tmp_path, 'wsd', "cooldown/MixtureRates.rates = {'code/python': 1}"
  )
  assert changed.stages[0] == main_stage
  assert changed.stages[1].mixture.rates == {'code/python': 1.0}


def test_the_cosine_schedule(tmp_path):
  (stage,) = _load(tmp_path, 'cosine').stages
  assert stage.learning_rate_shape == 'cosine'
  assert (stage.start_factor, stage.end_factor) == (1.0, 0.1)


def test_the_python_only_mixture_can_replace_the_uniform_one(tmp_path):
  text = _LEAF.format(schedule='cosine').replace(
    'mixtures/quickstart_uniform.gin', 'mixtures/python_only.gin'
  )
  (tmp_path / 'leaf.gin').write_text(text)
  args = argparse.Namespace(
    gin_file=[str(tmp_path / 'leaf.gin')],
    gin_search_paths=[],
    gin_bindings=["MODEL_DIR = 'a'", "SHARDS_DIR = 'b'"],
  )
  settings = gin_config.load(args, train.TrainSettings, train.PARTS)
  assert settings.plan.schedule.sources == ('code/python',)
