import numpy as np
import pytest

from codelaw.runs import event_cache
from codelaw.runs import events
from codelaw.runs import reading
from tests.runs import event_files


@pytest.fixture
def files(tmp_path):
  for name in 'ab':
    event_files.write(
      tmp_path / name,
      [
        event_files.event(step, 1 / 3 + step, x=step / 7, y=np.nan)
        for step in range(30)
      ]
      + [event_files.start(25), event_files.text('num_params', '7')],
    )
  return [file for name in 'ab' for file in events.list_files(tmp_path / name)]


_SELECTION = events.Selection(texts='num_params')


def _same(one, other):
  assert one.keys() == other.keys()
  for path, file in one.items():
    for name in ('size', 'changed', 'offset', 'head', 'tail', 'restarts'):
      assert getattr(file, name) == getattr(other[path], name)
    assert file.texts == other[path].texts == {'num_params': '7'}
    assert file.points.keys() == other[path].points.keys() == {'x', 'y'}
    for tag, points in file.points.items():
      for column in ('steps', 'times', 'values', 'records'):
        ours = getattr(points, column)
        theirs = getattr(other[path].points[tag], column)
        assert ours.dtype == theirs.dtype
        assert ours.tobytes() == theirs.tobytes()


def test_cache_keeps_every_bit(files, tmp_path, monkeypatch):
  cache, notes = tmp_path / 'cache', []
  plain = reading.read(files, _SELECTION)
  _same(
    reading.read(files, _SELECTION, cache=cache, report=notes.append), plain
  )
  monkeypatch.setattr(
    events, 'read_file', lambda *a: pytest.fail('a file was read again')
  )
  _same(
    reading.read(files, _SELECTION, cache=cache, report=notes.append), plain
  )
  assert notes == []


@pytest.mark.parametrize('workers', [1, 2])
def test_workers_change_nothing(files, workers):
  _same(
    reading.read(files, _SELECTION, workers=workers),
    {file.path: events.read_file(file, _SELECTION) for file in files},
  )


@pytest.mark.parametrize(
  ('damage', 'words'),
  [
    (lambda c: c[:-1], 'it is damaged'),
    (lambda c: c[:-1] + bytes([c[-1] ^ 1]), 'it is damaged'),
    (lambda c: c[:60] + bytes([c[60] ^ 1]) + c[61:], 'it is damaged'),
    (lambda c: b'', 'it has another format'),
    (lambda c: c.replace(b'cache 1', b'cache 0'), 'it has another format'),
  ],
)
def test_damaged_cache_is_rebuilt_with_a_note(files, tmp_path, damage, words):
  cache, notes = tmp_path / 'cache', []
  plain = reading.read(files, _SELECTION, cache=cache)
  whole = cache.read_bytes()
  cache.write_bytes(damage(whole))
  _same(
    reading.read(files, _SELECTION, cache=cache, report=notes.append), plain
  )
  assert len(notes) == 1
  assert words in notes[0]
  assert cache.read_bytes() == whole


def test_other_tags_need_another_cache(files, tmp_path):
  cache, notes = tmp_path / 'cache', []
  reading.read(files, _SELECTION, cache=cache)
  other = events.Selection(scalars='y')
  found = reading.read(files, other, cache=cache, report=notes.append)
  assert len(notes) == 1
  assert 'it holds other tags' in notes[0]
  assert all(set(file.points) == {'y'} for file in found.values())


def test_cache_keeps_other_folders_and_forgets_lost_files(files, tmp_path):
  cache = tmp_path / 'cache'
  reading.read(files[:1], _SELECTION, cache=cache)
  reading.read(files[1:], _SELECTION, cache=cache)
  known = event_cache.read(cache, _SELECTION, pytest.fail)
  assert set(known) == {file.path for file in files}
  path = event_files.write(tmp_path / 'a', [event_files.event(1, x=1.0)], '2')
  (tmp_path / 'a' / 'events.out.tfevents.1').unlink()
  reading.read(events.list_files(tmp_path / 'a'), _SELECTION, cache=cache)
  known = event_cache.read(cache, _SELECTION, pytest.fail)
  assert set(known) == {str(path), files[1].path}


def test_progress_ends_at_one(files):
  said = []
  reading.read(
    files, _SELECTION, progress=lambda words, part: said.append((words, part))
  )
  assert said[-1] == ('read 2 of 2 files', 1.0)
  assert [part for _, part in said] == sorted(part for _, part in said)
