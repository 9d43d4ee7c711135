"""`codelaw compile` on tiny models; the pods are in tests/tools."""

import json

import pytest

from codelaw.cli import compile as compile_verb
from codelaw.cli import gin_config
from codelaw.cli import main
from codelaw.train import topology

FILES = (
  'models/sequential_14k.gin',
  'mixtures/quickstart_uniform.gin',
  'schedules/wsd.gin',
  'runs/pretrain.gin',
)
BINDINGS = (
  '--gin.MODEL=@sequential_14k/ModelShape()',
  '--gin.TRAIN_TOKENS=1e6',
  '--gin.PEAK_LEARNING_RATE=0.01',
)


def compile_run(*flags):
  files = [f'--gin_file={file}' for file in FILES]
  return main.main(['compile', *files, *BINDINGS, *flags])


def test_a_run_that_fits(tmp_path, capsys):
  pytest.importorskip('libtpu')
  file = tmp_path / 'report.json'
  assert compile_run('--topology=v5e:1x1', f'--out={file}') == 0
  shown = capsys.readouterr().out
  report = json.loads(file.read_text())
  assert 'It fits' in shown
  assert report['fits'] is True
  assert report['nearest_change'] is None
  assert sum(report['params_by_group'].values()) == 14_160
  memory = report['memory']
  assert memory['parameters'] == 4 * 14_160
  assert memory['optimizer_state'] == 8 * 14_160 + 4  # and a counter
  assert memory['batch'] == 5 * 4 * 16 * 128
  assert (
    memory['total']
    == report['used_bytes']
    == (sum(memory.values()) - memory['total'])
  )
  assert report['roofline']['transfers'] == []
  # Splash attention: one forward and two backward kernels of each layer.
  assert sum(report['counts']['kernels'].values()) == 3 * 2
  best, worst = report['all_overlaps'], report['nothing_overlaps']
  assert 0 < best['step_seconds'] < worst['step_seconds']
  assert best['dollars'] == pytest.approx(1.2 * best['chip_hours'])
  assert best['chip_hours'] == pytest.approx(
    best['step_seconds'] * report['num_steps'] / 3600
  )


@pytest.mark.slow
def test_a_run_that_does_not_fit_is_told_what_would(tmp_path, capsys):
  pytest.importorskip('libtpu')
  file = tmp_path / 'report.json'
  # Logits of 2 x 64k x 512 in float32, and scores of XLA's attention.
  code = compile_run(
    '--topology=v5e:1x1',
    '--gin.SEQUENCE_LENGTH=16384',
    '--gin.BATCH_SIZE=64',
    "--gin.Execution.attention='xla'",
    f'--out={file}',
  )
  shown = capsys.readouterr().out
  report = json.loads(file.read_text())
  assert code == 1
  assert report['fits'] is False
  assert 'does not fit' in shown
  assert report['nearest_change'] in shown


@pytest.mark.parametrize(
  ('flags', 'said'),
  [
    (['--topology=v5e:3x3'], 'must be one of v5e:1x1'),
    ([], 'required: --topology'),
    (['--topology=v5e:4x4', '--gin.MeshShape.data=3'], 'does not fit 16'),
    (['--topology=v5e:8x8'], 'multiple of 64'),
  ],
)
def test_mistakes_are_one_sentence(flags, said, capsys):
  pytest.importorskip('libtpu')
  assert compile_run(*flags) == 2
  captured = capsys.readouterr()
  assert said in captured.err
  assert captured.out == ''


def test_without_libtpu(monkeypatch, capsys):
  monkeypatch.setattr(topology, '_installed', lambda: None)
  assert compile_run('--topology=v5e:1x1') == 2
  assert 'pip install' in capsys.readouterr().err


@pytest.mark.slow
def test_the_example_runs_as_printed(capsys):
  pytest.importorskip('libtpu')
  assert main.main(compile_verb.EXAMPLE.split()[1:]) == 0
  shown = capsys.readouterr().out
  assert 'It fits' in shown
  assert 'reduce-scatter' in shown or 'all-reduce' in shown


def test_the_example_names_a_pod_and_its_slice():
  words = compile_verb.EXAMPLE.split()
  file = words[2].removeprefix('--gin_file=')
  assert (gin_config.config_root() / file).exists()
  chips = int(file.removesuffix('.gin').rpartition('_')[2])
  assert topology.num_chips(words[3].removeprefix('--topology=')) == chips
