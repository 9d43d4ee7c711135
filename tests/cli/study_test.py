"""`codelaw study --dry_run`; whole studies are in tests/studies."""

import csv
import os
import subprocess
import sys

import pytest

from codelaw.cli import gin_config
from codelaw.cli import main
from codelaw.cli import train
from codelaw.studies import compiled_steps
from codelaw.train import topology

TINY = ('study', '--gin_file=studies/tiny.gin', '--dry_run')
SUPPLY = (
  "--gin.StudyPlan.supply={{'code/python': {}, 'code/c_cpp': 1e6,"
  " 'synthetic/python': 1e6}}"
)
SLICE = """
StudyPlan.slices = [@Slice()]
Slice.model = @width_12/ModelShape()
Slice.topology = 'v5e:1x1'
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  return tmp_path


def test_a_dry_run_writes_nothing_but_what_it_is_asked_for(here, capsys):
  assert main.main([*TINY, '--out=runs.csv']) == 0
  shown = capsys.readouterr().out
  assert 'tiny: 27 runs.' in shown
  assert 'Supply: not known' in shown
  assert os.listdir(here) == ['runs.csv']
  with open('runs.csv', newline='') as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == 27
  assert sum(row['purposes'] == 'confirm' for row in rows) == 4


def test_what_cannot_be_supplied_is_shown_and_then_refused(here, capsys):
  assert main.main([*TINY, SUPPLY.format(3000), '--out=runs.csv']) == 2
  captured = capsys.readouterr()
  assert 'code/python' in captured.out
  assert 'Totals' in captured.out
  assert 'The corpus cannot supply ' in captured.err
  assert os.listdir(here) == ['runs.csv']
  assert main.main([*TINY, SUPPLY.format(1e6)]) == 0


def test_a_dry_run_asks_for_no_device(here):
  done = subprocess.run(
    [sys.executable, '-m', 'codelaw', *TINY],
    env={**os.environ, 'JAX_PLATFORMS': 'no_such_platform'},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert 'all, each run once' in done.stdout


@pytest.mark.parametrize('flag', ['--out=runs.csv', '--compile'])
def test_flags_of_a_dry_run_need_it(here, capsys, flag):
  assert main.main([*TINY[:2], flag]) == 2
  assert 'add --dry_run' in capsys.readouterr().err
  assert not os.listdir(here)


def test_a_dry_run_is_no_status(here, capsys):
  assert main.main([*TINY, '--status']) == 2
  assert 'give one of them' in capsys.readouterr().err


@pytest.mark.parametrize(
  ('binding', 'words'),
  [
    ('supply=[1]', 'must be like'),
    ("supply={'code/python': -1}", 'at least 0, got -1'),
    ('dollars_per_chip_hour=True', 'at least 0, got True'),
  ],
)
def test_wrong_settings_of_a_dry_run_are_refused(here, capsys, binding, words):
  assert main.main([*TINY, f'--gin.StudyPlan.{binding}']) == 2
  assert words in capsys.readouterr().err


def test_runs_may_start_from_a_checkpoint_that_is_there(here, capsys):
  start = [
    '--gin.RunPlan.initial=@InitialCheckpoint()',
    "--gin.InitialCheckpoint.model_dir='nowhere'",
  ]
  assert main.main([*TINY, *start]) == 2
  assert 'nowhere, which holds no run' in capsys.readouterr().err


def test_steps_that_are_not_known_are_compiled_and_kept(here, capsys):
  pytest.importorskip('libtpu')
  (here / 'slices.gin').write_text(SLICE)
  command = [*TINY, '--gin_file=slices.gin']
  assert main.main(command) == 0
  assert 'runs have no compiled step' in capsys.readouterr().out
  assert main.main([*command, '--compile']) == 0
  shown = capsys.readouterr().out
  assert 'have no compiled step' not in shown
  file = here / 'results' / 'tiny' / compiled_steps.FILE_NAME
  (step,) = compiled_steps.read(file)
  assert (step.model.width, step.batch_size) == (12, 2)
  assert 0 < step.best_seconds < step.worst_seconds
  before = file.stat().st_mtime_ns
  assert main.main([*command, '--compile']) == 0  # nothing is left to compile
  assert file.stat().st_mtime_ns == before
  assert capsys.readouterr().out == shown


def test_steps_of_the_pod_files_are_known():
  """Those that `tools/bench compile --write` was run for."""
  pods = gin_config.config_root() / 'pods'
  known = compiled_steps.read(pods / compiled_steps.FILE_NAME)
  slices = {topology.num_chips(name): name for name in topology.TOPOLOGIES}
  found = []
  for file in sorted(pods.glob('*_v5e_*.gin')):
    args = main.build_parser('train').parse_args([f'--gin_file={file}'])
    args.gin_bindings = ["SHARDS_DIR = 's'", "MODEL_DIR = 'm'"]
    (run,) = train.load(args)
    where = slices[int(file.stem.rpartition('_')[2])]
    step = compiled_steps.find(known, run.plan, run.execution, where)
    if step is not None:
      assert step.batch_size == run.plan.batch_size, file.stem
      assert step.best_seconds < step.worst_seconds
      assert step.hbm_gib < 16
      found.append(step)
  # Each row is of a pod file: a changed one must be compiled again.
  assert set(found) == set(known)
  assert len(known) >= 16
