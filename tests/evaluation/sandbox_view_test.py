import os
import pathlib

import pytest

from codelaw import errors
from codelaw.evaluation import sandbox_view


def _binds(found):
  return {
    target: (source, writable)
    for kind, source, target, writable in (e for e in found if e[0] == 'bind')
  }


def test_only_the_folder_can_be_written(tmp_path):
  found = sandbox_view.entries(tmp_path, [], 1000)
  writable = [target for target, (_, w) in _binds(found).items() if w]
  assert writable == [os.fspath(tmp_path)]
  sizes = {entry[1]: entry[2] for entry in found if entry[0] == 'tmpfs'}
  assert sizes == {'/tmp': 1000, '/dev/shm': 1000}


def test_personal_places_are_not_there(tmp_path):
  targets = {entry[-1] for entry in sandbox_view.entries(tmp_path, [], 1000)}
  targets |= set(_binds(sandbox_view.entries(tmp_path, [], 1000)))
  for path in ('/', '/etc', '/home', '/root', '/var', '/run', '/sys', '/boot'):
    assert path not in targets


def test_what_lies_deeper_comes_later(tmp_path):
  folder, inner, outer = (
    tmp_path / 'a' / 'b',
    tmp_path / 'a' / 'b' / 'c',
    tmp_path,
  )
  inner.mkdir(parents=True)
  found = sandbox_view.entries(folder, [inner, outer], 1000)
  order = [entry[2] for entry in found if entry[0] == 'bind']
  places = [order.index(os.fspath(path)) for path in (outer, folder, inner)]
  assert places == sorted(places)
  assert _binds(found)[os.fspath(folder)] == (os.fspath(folder), True)
  assert found.index(('proc', '/proc')) < found.index(
    ('bind', os.fspath(outer), os.fspath(outer), False)
  )


def test_links_are_found_by_both_names(tmp_path):
  (tmp_path / 'real').mkdir()
  (tmp_path / 'link').symlink_to('real')
  found = _binds(sandbox_view.entries(tmp_path, [tmp_path / 'link'], 1000))
  real = os.fspath(tmp_path / 'real')
  assert found[real] == found[os.fspath(tmp_path / 'link')] == (real, False)


@pytest.mark.parametrize('path', ['/', '/proc', '/usr', '/etc', '/missing'])
def test_paths_of_the_system_are_refused(path, tmp_path):
  for folder, read_only in ((pathlib.Path(path), []), (tmp_path, [path])):
    with pytest.raises(errors.UserError, match=f'got {path}'):
      sandbox_view.entries(folder, [pathlib.Path(p) for p in read_only], 1000)
