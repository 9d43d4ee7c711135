"""The verb: files in, gin and JSON out, mistakes in one sentence."""

import json
import os
import subprocess
import sys

import pytest

from codelaw.cli import main
from codelaw.laws import results
from codelaw.planning import allocation

_BLOCKED = (
  'flax optax orbax grain seqio tensorflow array_record tokenizers datasketch'
)


@pytest.fixture
def fit_file(tmp_path, make_fit):
  fits = [
    make_fit(
      f'loss/{source}',
      {'E': 1.0, 'A': 9.0, 'B': B, 'alpha': 0.4, 'beta': 0.3, tau: 0.1},
      spread=0.02,
    )
    for source, B, tau in (
      ('code/c', 300.0, 'tau/code/java'),
      ('code/java', 900.0, 'tau/code/c'),
    )
  ]
  file = tmp_path / 'fit.json'
  results.write(file, fits)
  (tmp_path / 'runs.csv').write_text(
    'run_id,num_params,num_tokens\na,1e4,1e6\nb,1e5,1e9\n'
  )
  return file


def _allocate(fit_file, *flags):
  out = fit_file.parent / 'best.gin'
  return main.main(['allocate', f'--fit={fit_file}', f'--out={out}', *flags])


def test_the_answer_is_printed_and_written(fit_file, capsys):
  code = _allocate(
    fit_file,
    '--num_params=1e6',
    '--num_tokens=1e8',
    '--floor=code/c=0.1',
    f'--runs={fit_file.parent / "runs.csv"}',
  )
  assert code == 0
  printed = capsys.readouterr().out
  assert 'code/java' in printed
  assert 'extrapolates' in printed
  gin_text = (fit_file.parent / 'best.gin').read_text()
  assert '--floor=code/c=0.1' in gin_text
  content = json.loads((fit_file.parent / 'best.json').read_text())
  found = allocation.from_json(content)
  assert found.sources['code/c'].floor == 0.1
  assert f"'code/c': {round(found.rates['code/c'], 4)}" in gin_text


def test_a_budget_chooses_the_size(fit_file):
  assert _allocate(fit_file, '--flop_budget=1e15') == 0
  content = json.loads((fit_file.parent / 'best.json').read_text())
  assert content['num_params'] * content['num_tokens'] * 6 == pytest.approx(
    1e15, rel=1e-4
  )


def test_a_budget_chooses_among_models(fit_file, capsys):
  flags = (
    '--flop_budget=1e12',
    '--models=models/sequential_14k.gin,models/sequential_108k.gin',
    '--sequence_length=128',
  )
  assert _allocate(fit_file, *flags) == 0
  content = json.loads((fit_file.parent / 'best.json').read_text())
  assert content['num_params'] in (14_160, 107_760)
  assert content['num_params_low'] >= 14_160
  assert 'The best size has the 90% band' in capsys.readouterr().out
  assert '--sequence_length=128' in (fit_file.parent / 'best.gin').read_text()


def test_stages_objective_and_natural_shares_are_flags(fit_file, capsys):
  flags = (
    '--num_params=1e6',
    '--num_tokens=1e8',
    '--objective=worst_excess',
    '--natural=code/c=3,code/java=1',
    '--stages=main=9,cooldown=1',
    '--stage_floor=cooldown:code/c=0.9',
    '--stage_ceiling=main:code/c=0.5',
    '--recency=cooldown=2',
  )
  assert _allocate(fit_file, *flags) == 0
  content = json.loads((fit_file.parent / 'best.json').read_text())
  assert content['objective_name'] == 'worst_excess'
  cooldown = content['stages']['cooldown']
  assert cooldown['token_share'] == pytest.approx(0.1)
  assert cooldown['recency'] == 2
  assert cooldown['rates']['code/c'] >= 0.9 - 1e-9
  assert content['stages']['main']['rates']['code/c'] <= 0.5
  gin_text = (fit_file.parent / 'best.gin').read_text()
  assert 'Schedule.stages = [@main/Stage(), @cooldown/Stage()]' in gin_text
  assert 'gain over natural shares' in gin_text
  printed = capsys.readouterr().out
  assert 'Rates by stage' in printed
  assert 'natural' in printed


def test_settings_come_from_gin_and_flags_win(fit_file):
  size = ('--num_params=1e6', '--num_tokens=1e8')
  bindings = (
    "--gin.AllocationSettings.floors={'code/c': 0.6}",
    "--gin.AllocationSettings.ceilings={'code/c': 0.7}",
  )
  assert _allocate(fit_file, *size, *bindings, '--floor=code/c=0.65') == 0
  content = json.loads((fit_file.parent / 'best.json').read_text())
  assert content['sources']['code/c']['floor'] == 0.65
  assert content['sources']['code/c']['ceiling'] == 0.7


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (['--num_params=1e6'], 'either --num_params and --num_tokens'),
    (['--num_params=1e6', '--num_tokens=1', '--flop_budget=1'], 'either'),
    (['--flop_budget=1e15', '--floor=code/c'], 'SOURCE=VALUE'),
    (['--flop_budget=1e15', '--floor=code/c=1,code/c=0'], 'twice'),
    (['--flop_budget=1e15', '--weights=code/rust=1'], 'code/rust'),
    (['--flop_budget=1e15', '--runs=nowhere.csv'], 'nowhere.csv'),
    (['--flop_budget=1e15', '--fit=nowhere.json'], 'nowhere.json'),
    (['--flop_budget=1e15', '--out=best.txt'], 'ends in .gin'),
    (['--flop_budget=1e15', '--models=models/sequential_14k.gin'], 'need a'),
    (['--flop_budget=1e15', '--objective=best'], 'There is no objective'),
    (['--flop_budget=1e15', '--recency=cooldown=2'], '--stages names nothing'),
    (
      ['--flop_budget=1e15', '--stages=main=1', '--stage_floor=end:code/c=1'],
      'limits or a recency of end',
    ),
  ],
)
def test_mistakes_end_in_one_sentence(fit_file, capsys, flags, message):
  assert _allocate(fit_file, *flags) == 2
  error = capsys.readouterr().err
  assert message in error
  assert 'Traceback' not in error


def test_it_works_without_the_training_half(fit_file):
  script = (
    'import sys\n'
    f'for name in {_BLOCKED.split()!r}: sys.modules[name] = None\n'
    'from codelaw.cli import main\n'
    'sys.exit(main.main(sys.argv[1:]))'
  )
  out = fit_file.parent / 'best.gin'
  subprocess.run(
    [
      sys.executable,
      '-c',
      script,
      'allocate',
      f'--fit={fit_file}',
      '--num_params=1e6',
      '--num_tokens=1e8',
      f'--out={out}',
    ],
    check=True,
    capture_output=True,
    env=dict(os.environ),
  )
  assert out.exists()
