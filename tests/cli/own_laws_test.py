"""A law of the user's own, through the command line."""

import json
import pathlib
import re
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

from codelaw.cli import main
from codelaw.laws import forms
from codelaw.laws import results

_EXAMPLE = pathlib.Path(__file__).parent / 'own_laws.py'
_TRUTH = {
  'E': 1.1, 'A': 60.0, 'B': 400.0, 'alpha': 0.33, 'beta': 0.41, 'G': 900.0
}  # fmt: skip
_FEW = (
  '--gin.FitSettings.num_starts=64',
  '--gin.FitSettings.num_bootstraps=10',
  '--gin.FitSettings.profile_intervals=False',
  '--gin.FitSettings.influence=False',
)


def _forget():
  forms._registered.clear()
  for name in ('own_laws', 'broken_laws'):
    sys.modules.pop(name, None)


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """A working folder with the example, a gin file and a run table."""
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(sys, 'path', [*sys.path])
  monkeypatch.setattr(forms, '_registered', {})
  monkeypatch.setattr(sys, 'dont_write_bytecode', True)
  shutil.copy(_EXAMPLE, tmp_path)
  (tmp_path / 'own.gin').write_text('import own_laws\n')
  N, D, size = (
    grid.ravel()
    for grid in np.meshgrid(
      np.geomspace(1e5, 1e7, 4), np.geomspace(1e6, 1e8, 4), [32.0, 512.0]
    )
  )
  E, A, B, alpha, beta, G = _TRUTH.values()
  loss = E + A / N**alpha + B / D**beta + G * size / D
  table = {'num_params': N, 'num_tokens': D, 'batch_size': size, 'loss': loss}
  pd.DataFrame(table).to_csv(tmp_path / 'runs.csv', index=False)
  _forget()
  yield tmp_path
  _forget()


def _fit(*arguments):
  command = ['fit', '--runs=runs.csv', '--law=critical_batch', '--out=fits']
  return main.main([*command, *_FEW, *arguments])


def test_fit_and_predict_with_a_law_of_ones_own(folder, monkeypatch, capsys):
  assert _fit('--gin_file=own.gin') == 0, capsys.readouterr().err
  [fit] = results.read('fits/fit.json')
  for name, truth in _TRUTH.items():
    assert fit.estimates[name] == pytest.approx(truth, rel=1e-6)
  assert (fit.law, fit.law_module) == ('critical_batch', 'own_laws')

  # Another process knows neither the law nor the gin file, only fit.json.
  _forget()
  predict = ['predict', '--fit=fits/fit.json', '--points=runs.csv']
  assert main.main([*predict, '--out=predicted.csv']) == 0
  table = pd.read_csv('predicted.csv')
  np.testing.assert_allclose(
    table['predicted/loss'],
    table['loss'],
    rtol=1e-9,  # Losses without noise, fitted to rounding errors.
  )

  # Elsewhere its folder must be named.
  _forget()
  elsewhere = folder / 'elsewhere'
  elsewhere.mkdir()
  monkeypatch.chdir(elsewhere)
  monkeypatch.setattr(
    sys, 'path', [p for p in sys.path if p != str(folder) and p != '']
  )
  predict = ['predict', '--fit=../fits/fit.json', '--points=../runs.csv']
  capsys.readouterr()
  assert main.main([*predict, '--out=predicted.csv']) == 2
  said = capsys.readouterr().err
  assert 'module own_laws, which cannot be imported' in said
  assert '--gin_search_paths' in said
  found = [*predict, '--out=predicted.csv', f'--gin_search_paths={folder}']
  assert main.main(found) == 0


@pytest.mark.parametrize(
  ('arguments', 'words'),
  [
    ([], "no law 'critical_batch'; .*`import MODULE` in a --gin_file"),
    (['--gin_file=broken.gin'], 'does not build: .*no_such_module'),
    (['--gin_file=taken.gin'], "the law 'chinchilla', which codelaw has"),
    (['--gin_file=wrong.gin'], 'must return a forms.Law of that name'),
    (['--gin_file=unit.gin'], "unit 'loss \\* width' .*mentions width"),
  ],
)
def test_mistakes_end_with_code_2(folder, capsys, arguments, words):
  (folder / 'broken.gin').write_text('import no_such_module\n')
  text = _EXAMPLE.read_text()
  for name, old, new in (
    ('taken', "register('critical_batch')", "register('chinchilla')"),
    ('wrong', "forms.Law(\n    'critical_batch'", "forms.Law(\n    'other'"),
    ('unit', "'loss * num_tokens')", "'loss * width')"),
  ):
    assert old in text
    (folder / f'{name}_laws.py').write_text(text.replace(old, new))
    (folder / f'{name}.gin').write_text(f'import {name}_laws\n')
  code = _fit('--target=loss', *arguments)
  for name in ('taken', 'wrong', 'unit'):
    sys.modules.pop(f'{name}_laws', None)
  assert code == 2
  said = ' '.join(capsys.readouterr().err.split())
  assert re.search(words, said), said


def test_a_fit_of_an_older_version_is_read(folder):
  assert _fit('--gin_file=own.gin') == 0
  content = json.loads(pathlib.Path('fits/fit.json').read_text())
  for name in ('sources', 'law_module'):
    del content['fits'][0][name]
  pathlib.Path('fits/fit.json').write_text(json.dumps(content))
  [fit] = results.read('fits/fit.json')
  assert (fit.sources, fit.law_module) == ((), '')
