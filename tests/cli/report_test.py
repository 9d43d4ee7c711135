"""The verb writes the page and the TensorBoard events."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from codelaw.cli import gin_config
from codelaw.cli import main
from codelaw.laws import results
from tests.laws import simulated

_BLOCKED = (
  'flax optax orbax grain seqio tensorflow array_record tokenizers datasketch'
)


def test_page_and_events_are_written(study, tmp_path, capsys):
  out, logdir = tmp_path / 'page.html', tmp_path / 'events'
  code = main.main(
    ['report', f'--study={study}', f'--out={out}', f'--logdir={logdir}']
  )
  assert code == 0
  assert str(out) in capsys.readouterr().out
  assert out.read_text().startswith('<!doctype html>')
  assert list(logdir.iterdir())


def test_a_folder_without_a_study_is_one_sentence(tmp_path, capsys):
  assert main.main(['report', f'--study={tmp_path}']) == 2
  assert 'nothing to report' in capsys.readouterr().err


def test_laws_without_a_study_get_a_page(tmp_path, capsys, make_fit):
  _, table = simulated.runs('chinchilla', 4, 4, noise=0.01)
  table['language'] = np.where(np.arange(16) < 8, 'x', 'y')
  table = table.rename(columns={simulated.TARGET: 'score'})
  table.to_csv(tmp_path / 'runs.csv', index=False)
  fit = make_fit('loss', simulated.CHINCHILLA, law='chinchilla')
  fits = [dataclasses.replace(fit, group=name) for name in 'xy']
  results.write(tmp_path / 'fit.json', fits)
  command = ['report', f'--fit={tmp_path}/fit.json']
  assert main.main(command) == 0
  page = (tmp_path / 'report.html').read_text()
  assert '2 laws, without a warning.' in page
  assert '<figure>' not in page  # Nothing says which points were fitted.
  command += [f'--runs={tmp_path}/runs.csv', '--columns=loss:score']
  command += ['--group_by=language', f'--out={tmp_path}/page.html']
  assert main.main(command) == 0
  assert str(tmp_path / 'page.html') in capsys.readouterr().out
  page = (tmp_path / 'page.html').read_text()
  assert page.count('<figure>') == 4
  assert 'download="fit.json"' in page


def test_a_gin_file_names_a_page(tmp_path, capsys):
  out, logdir = tmp_path / 'page.html', tmp_path / 'events'
  code = main.main(
    [
      'report',
      '--gin_file=papers/paper_b.gin',
      '--gin.PaperB.noises=(2.0,)',
      f'--gin_search_paths={gin_config.config_root()}',
      f'--out={out}',
      f'--logdir={logdir}',
    ]
  )
  assert code == 0, capsys.readouterr().err
  assert 'To Code, or Not To Code?' in out.read_text()
  assert list(logdir.iterdir())


@pytest.mark.parametrize(
  ('flags', 'words'),
  [
    ([], 'got neither'),
    (
      ['--study=x', '--gin_file=papers/paper_b.gin'],
      'got --study and --gin_file',
    ),
    (['--study=x', '--fit=y'], 'got --study and --fit'),
    (['--study=x', '--runs=y'], '--runs belongs to laws alone'),
    (['--gin_file=papers/paper_b.gin'], 'needs --out=FILE.html'),
    (['--study=x', '--gin.PaperB.seed=1'], 'no gin settings'),
    (
      ['--gin_file=papers/paper_b.gin', '--out=x', '--gin.PaperB.seeds=1'],
      'PaperB',
    ),
  ],
)
def test_mistakes_are_one_sentence(flags, words, capsys):
  assert main.main(['report', *flags]) == 2
  assert words in capsys.readouterr().err


def test_it_works_without_the_training_half(study, tmp_path):
  script = (
    'import sys\n'
    f'for name in {_BLOCKED.split()!r}: sys.modules[name] = None\n'
    'from codelaw.cli import main\n'
    'sys.exit(main.main(sys.argv[1:]))'
  )
  out, logdir = tmp_path / 'page.html', tmp_path / 'events'
  subprocess.run(
    [
      sys.executable,
      '-c',
      script,
      'report',
      f'--study={study}',
      f'--out={out}',
      f'--logdir={logdir}',
    ],
    check=True,
    env=dict(os.environ),
  )
  assert out.exists()
