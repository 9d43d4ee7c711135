import pytest

from codelaw import errors
from codelaw.runs import folders
from tests.runs import event_files


def _events(folder):
  return event_files.write(folder, [event_files.event(1, a=1.0)])


def _record(folder):
  folder.mkdir(parents=True)
  (folder / 'run.json').write_text('{}')


def _names(found, root):
  return {path.removeprefix(f'{root}/'): name for path, name in found.items()}


def test_runs_below_a_folder(tmp_path):
  _record(tmp_path / 'ours' / 'b')
  _record(tmp_path / 'ours' / 'a')
  _events(tmp_path / 't5x' / 'big' / 'training_eval' / 'web')
  _events(tmp_path / 't5x' / 'big' / 'train')
  _events(tmp_path / 'torch' / 'lightning_logs' / 'version_0')
  _events(tmp_path / 'hf' / 'runs' / 'monday')
  _events(tmp_path / 'hf' / 'runs' / 'tuesday')
  (tmp_path / 'hf' / 'checkpoint-500').mkdir()
  (tmp_path / 'notes').mkdir()
  assert _names(folders.find([str(tmp_path)]), tmp_path) == {
    'hf': 'hf',
    'ours/a': 'ours/a',
    'ours/b': 'ours/b',
    't5x/big': 't5x/big',
    'torch/lightning_logs/version_0': 'torch/lightning_logs/version_0',
    # Beside a run: it is reported as left out.
    'notes': 'notes',
  }
  assert _names(folders.find([f'{tmp_path}/t5x/*']), tmp_path) == {
    't5x/big': 'big'
  }
  assert _names(folders.find([f'{tmp_path}/t5x/big']), tmp_path) == {
    't5x/big': 'big'
  }
  assert _names(folders.find([f'{tmp_path}/*/big']), tmp_path) == {
    't5x/big': 't5x/big'
  }
  prefixes = [
    file.prefix for file in folders.event_files(tmp_path / 't5x' / 'big')
  ]
  assert prefixes == ['train/', 'training_eval/web/']
  assert [f.prefix for f in folders.event_files(tmp_path / 'hf')] == [
    'runs/monday/',
    'runs/tuesday/',
  ]


def test_runs_by_folder_pattern_and_name(tmp_path):
  for number in range(3):
    _record(tmp_path / 'runs' / f'r{number}')
  (tmp_path / 'runs' / 'file').write_text('')
  every = folders.find([f'{tmp_path}/runs'])
  assert list(every.values()) == ['r0', 'r1', 'r2']
  assert folders.find([f'{tmp_path}/runs/*']) == every
  first = next(iter(every))
  assert folders.find([first, first]) == {first: 'r0'}


def test_the_folder_one_stands_in(tmp_path, monkeypatch):
  _record(tmp_path / 'here')
  monkeypatch.chdir(tmp_path / 'here')
  assert folders.find(['.']) == {'.': 'here'}


def test_checkpoints_are_not_searched(tmp_path):
  _events(tmp_path / 'r' / 'train')
  _events(tmp_path / 'r' / 'checkpoints' / 'x')
  _events(tmp_path / 'r' / '.hidden')
  assert [f.prefix for f in folders.event_files(tmp_path / 'r')] == ['train/']


def test_no_folder(tmp_path):
  with pytest.raises(errors.UserError, match='names no folder'):
    folders.find([f'{tmp_path}/none*'])
