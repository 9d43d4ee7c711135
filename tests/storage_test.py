import multiprocessing
import os

import pytest

from codelaw import errors
from codelaw import storage


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
  tmp_path, monkeypatch
):
  target = tmp_path / 'a' / 'table.csv'
  storage.write_text(target, 'old')

  def fail(_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'fsync', fail)
  with pytest.raises(errors.UserError, match='No space left'):
    storage.write_text(target, 'new')
  assert target.read_text() == 'old'
  assert [p.name for p in target.parent.iterdir()] == ['table.csv']


def test_json_is_canonical_for_fingerprints(tmp_path):
  assert storage.fingerprint({'a': 1, 'b': [2.0]}) == storage.fingerprint(
    {'b': [2.0], 'a': 1}
  )
  assert storage.fingerprint({'a': 1}) != storage.fingerprint({'a': 2})
  with pytest.raises(ValueError, match='not JSON compliant'):
    storage.write_json(tmp_path / 'x.json', {'loss': float('nan')})
  assert not (tmp_path / 'x.json').exists()


def test_missing_and_broken_json_are_named(tmp_path):
  with pytest.raises(errors.UserError, match='found none'):
    storage.read_json(tmp_path / 'none.json')
  (tmp_path / 'cut.json').write_text('{"a": ')
  with pytest.raises(errors.UserError, match='cut.json is not valid JSON'):
    storage.read_json(tmp_path / 'cut.json')


def _try_to_hold(folder, queue):
  try:
    with storage.exclusive(folder):
      queue.put('held')
  except storage.InUseError as error:
    queue.put(str(error))


def test_a_folder_has_one_writer_at_a_time(tmp_path):
  context = multiprocessing.get_context('spawn')
  queue = context.Queue()
  with storage.exclusive(tmp_path):
    process = context.Process(target=_try_to_hold, args=(tmp_path, queue))
    process.start()
    assert 'in use by another process' in queue.get(timeout=30)
    process.join()
  with storage.exclusive(tmp_path):
    pass
