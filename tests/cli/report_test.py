"""The verb writes the page and the TensorBoard events."""

import os
import subprocess
import sys

from codelaw.cli import main

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
