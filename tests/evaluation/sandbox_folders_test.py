import os

import pytest

from codelaw.evaluation import sandbox_folders


def test_a_tree_deeper_than_a_path_is_removed(tmp_path):
  here = os.getcwd()
  top = tmp_path / 'top'
  top.mkdir()
  try:
    os.chdir(top)
    # 60 kB of path; the system's longest is 4,096 bytes.
    for _ in range(300):
      os.mkdir('d' * 200)
      os.mkdir('e')
      os.chdir('d' * 200)
      with open('file', 'w') as file:
        file.write('x')
  finally:
    os.chdir(here)
  sandbox_folders.remove(os.fspath(top))
  assert os.listdir(tmp_path) == []


def test_links_are_removed_and_not_followed(tmp_path):
  outside, top = tmp_path / 'outside', tmp_path / 'top'
  (outside / 'folder').mkdir(parents=True)
  (outside / 'file').write_text('x')
  top.mkdir()
  for place in (top, top / 'inner'):
    place.mkdir(exist_ok=True)
    (place / 'folder').symlink_to(outside)
    (place / 'file').symlink_to(outside / 'file')
    (place / 'loop').symlink_to(top)
    os.mkfifo(place / 'pipe')
  for path in (top / 'inner', top):
    path.chmod(0)
  sandbox_folders.remove(os.fspath(top))
  assert not top.exists()
  assert sorted(os.listdir(outside)) == ['file', 'folder']


def test_a_link_in_place_of_a_folder_is_refused(tmp_path):
  (tmp_path / 'real').mkdir()
  (tmp_path / 'link').symlink_to(tmp_path / 'real')
  with pytest.raises(OSError, match='Not a directory|symbolic links'):
    sandbox_folders.remove(os.fspath(tmp_path / 'link'))
  assert (tmp_path / 'real').exists()


@pytest.mark.skipif(os.geteuid() != 0, reason='only root gives files away')
def test_a_folder_is_given_with_what_is_in_it_and_no_more(tmp_path):
  outside, top = tmp_path / 'outside', tmp_path / 'top'
  outside.write_text('x')
  (top / 'inner').mkdir(parents=True)
  (top / 'inner' / 'file').write_text('x')
  (top / 'inner' / 'link').symlink_to(outside)
  sandbox_folders.give(os.fspath(top), 60999)
  for path in (top, *top.rglob('*')):
    assert path.lstat().st_uid == path.lstat().st_gid == 60999
  assert outside.stat().st_uid == tmp_path.stat().st_uid == 0
