import argparse
import dataclasses
import io

import numpy as np
import pytest
from rich import console

from codelaw.cli import gin_config
from codelaw.cli import main
from codelaw.cli import mixture_view
from codelaw.cli import train
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib

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


def _shown(capsys, heading):
  """Rows of the table that begins with a heading: [first cell, ...]."""
  lines = capsys.readouterr().out.splitlines()
  (start,) = [i for i, line in enumerate(lines) if line.startswith(heading)]
  return [line.split() for line in lines[start + 1 :]]


def _sources(capsys):
  """Part -> source -> cells, of the table of sources."""
  parts, part = {}, None
  for cells in _shown(capsys, 'Sources'):
    name = ' '.join(cells)
    if name in ('main', 'cooldown', 'whole run'):
      part = parts.setdefault(name, {})
    elif part is not None and cells and cells[0] in (*_SOURCES, 'all'):
      part[cells[0]] = cells[1:]
  return parts


def test_it_shows_exact_numbers_from_a_leaf_of_codelaw_train(
  leaf, shards_dir, capsys
):
  assert main.main(['mixture', leaf, f'--shards={shards_dir}']) == 0
  main_row, cooldown = _shown(capsys, 'Stages')[3:5]
  assert main_row[:3] == ['main', '200', '800']
  assert main_row[4:] == ['constant', '0.002']
  assert cooldown[:3] == ['cooldown', '250', '200']
  assert cooldown[4:] == ['linear', '0.002', 'to', '0']
  tokens = [int(row[3].replace(',', '')) for row in (main_row, cooldown)]
  assert sum(tokens) == 1000 * 64 - 5 * 2 * 10  # two epochs of five sources
  main.main(['mixture', leaf, f'--shards={shards_dir}'])
  parts = _sources(capsys)
  assert list(parts) == ['main', 'cooldown', 'whole run']
  for source in _SOURCES:
    whole = ['20.00%', '200', '12,780', '2.000', '400', 'kB', '2']
    assert parts['whole run'][source] == whole
    assert parts['main'][source][:2] == ['20.00%', '160']
    assert parts['main'][source][3] == '1.600'
  assert parts['whole run']['all'] == ['1,000', '63,900', '2.00', 'MB', '10']


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
  parts = _sources(capsys)
  assert parts['cooldown']['markup'][:2] == ['100.00%', '200']
  assert list(parts['cooldown']) == ['markup', 'all']
  assert parts['main']['markup'][:2] == ['20.00%', '160']


def test_moving_rates_are_shown_from_start_to_end(tmp_path, shards_dir, capsys):
  file = tmp_path / 'leaf.gin'
  file.write_text(_LEAF.format(schedule='wsd_ramp'))
  args = [f'--gin_file={file}', f'--shards={shards_dir}']
  assert main.main(['mixture', *args]) == 0
  cooldown = _sources(capsys)['cooldown']
  assert cooldown['code/python'][:4] == ['20.00', '->', '50.00%', '70']
  assert cooldown['markup'][:4] == ['20.00', '->', '0.00%', '20']


def test_what_the_cap_refuses_is_shown_and_refused(leaf, shards_dir, capsys):
  code = main.main(
    [
      'mixture',
      leaf,
      f'--shards={shards_dir}',
      '--gin.TRAIN_TOKENS=144000',
      "--gin.RunPlan.source_max_epochs={'markup': 5}",
    ]
  )
  assert code == 2
  captured = capsys.readouterr()
  assert captured.out.count(' > 4 ') == 4
  assert 'A source may be repeated 4 times, but markup 5.' in captured.out
  assert captured.err.count(' times (max_epochs is 4)') == 4
  assert 'markup' not in captured.err


def test_what_is_unused_and_what_is_simulated_is_said(leaf, shards_dir, capsys):
  code = main.main(
    [
      'mixture',
      leaf,
      f'--shards={shards_dir}',
      "--gin.MixtureRates.rates={'code/python': 3, 'markup': 1}",
      '--gin.TRAIN_TOKENS=12800',
      '--gin.RunPlan.target_tokens=12800_0',
    ]
  )
  assert code == 2
  captured = capsys.readouterr()
  text = ' '.join(captured.out.split())
  assert 'stands for one of 128,000 tokens' in text
  assert 'only 10.000% of its sequences' in text
  assert (
    'not used by any stage: code/c_cpp, code/javascript, synthetic/python.'
    in text
  )
  # 150 sequences from a supply of 10.
  assert 'code/python 15.00 times' in captured.err


@pytest.mark.parametrize('width', [80, 120])
def test_a_terminal_shows_every_digit(leaf, shards_dir, width):
  args = argparse.Namespace(
    gin_file=[leaf.partition('=')[2]],
    gin_search_paths=[],
    gin_bindings=["MODEL_DIR = 'a'", f"SHARDS_DIR = '{shards_dir}'"],
  )
  plan = gin_config.load(args, train.TrainSettings, train.PARTS).plan
  plan = dataclasses.replace(plan, num_tokens=64 * 4 * 10**9, max_epochs=1e12)
  manifest = manifest_lib.read(shards_dir)
  out = console.Console(file=io.StringIO(), width=width)
  schedule = schedule_lib.uncapped(plan, manifest)
  mixture_view.show(plan, mixture_view.Shown(manifest, schedule), out)
  text = out.file.getvalue()
  assert max(map(len, text.splitlines())) <= width
  assert '…' not in text
  for number in ('4,000,000,000', '51,120,000,000', '800,000,000', '1.60 TB'):
    assert number in text
  assert text.count('Sources (') == (2 if width == 80 else 1)


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


def test_the_schedule_with_a_ramp(tmp_path):
  main_stage, cooldown = _load(tmp_path, 'wsd_ramp').stages
  assert main_stage.end_mixture is None
  assert cooldown.mixture == main_stage.mixture
  assert cooldown.end_mixture.shares() == {
    'code/python': 0.5,
    'code/c_cpp': 0.25,
    'code/javascript': 0.25,
  }
  changed = _load(
    tmp_path,
    'wsd_ramp',
    "cooldown/end_mixture/MixtureRates.rates = {'commits': 1}",
  )
  assert changed.sources == tuple(sorted((*_SOURCES, 'commits')))
  assert changed.stages[1].mixture == cooldown.mixture


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
