import os
import tracemalloc

import pytest

from codelaw import errors
from codelaw.corpora import reading
from codelaw.corpora import source_trees
from tests.corpora import collected
from tests.corpora import stand_ins

_SOURCES = {'code/python': ['python'], 'code/c': ['c']}


def _read(root, **settings):
  settings = {'min_file_bytes': 1, **settings}
  return collected.by_source(
    source_trees.SourceTree([str(root)], _SOURCES, **settings)
  )


def test_files_become_typed_documents_with_relative_origins(tmp_path):
  root = tmp_path / 'tree'
  stand_ins.write(
    root,
    {
      'a.py': '\ufeffx = 1\r\ny = 2\r',
      'sub/b.h': 'int f(void);\n',
      'sub/c.h': 'namespace n {}\n',
      'data.json': '{}',
    },
  )
  found = _read(root, license='MIT')
  (python,) = found['code/python']
  assert python.text == 'x = 1\ny = 2\n'
  assert python.origin == 'tree/a.py'
  assert python.license == 'MIT'
  assert [item.origin for item in found['code/c']] == ['tree/sub/b.h']


def test_what_gives_no_document_is_named(tmp_path):
  root = tmp_path / 'tree'
  stand_ins.write(
    root,
    {
      'good.py': 'x = 1\n',
      'binary.py': b'x\0y',
      'latin.py': 'éé'.encode('latin-1'),
      'large.py': 'x' * 200,
      'small.py': 'x',
      'cplusplus.h': 'namespace n {}\n',
      'program': b'\x7fELF\0\0',
      'script': '#!/usr/bin/env python3\n',
      'broken-script': b'#!/usr/bin/env python3\n\xff',
      'archive': b'#!/bin/sh\n\0',
      'notes': 'text',
      'letter': 'éé'.encode('latin-1'),
      'Makefile': 'é:'.encode('latin-1'),
      'image.png': b'\0',
      '.hidden.py': 'x = 1\n',
      '.git/config.py': 'x = 1\n',
      '__pycache__/cached.py': 'x = 1\n',
      os.fsdecode(b'\xff.py'): 'x = 2\n',
    },
  )
  (root / 'link.py').symlink_to(root / 'good.py')
  (root / 'loop').symlink_to(root)
  os.mkfifo(root / 'pipe.py')
  reader = source_trees.SourceTree(
    [str(root)], _SOURCES, min_file_bytes=2, max_file_bytes=100
  )
  found = {
    item.origin.removeprefix('tree/'): (
      (item.reason, item.damaged)
      if isinstance(item, reading.Skipped)
      else item.language
    )
    for item in collected.items(reader)
  }
  assert found == {
    'good.py': 'python',
    'script': 'python',
    '\\udcff.py': 'python',
    'binary.py': ('not UTF-8 text', True),
    'latin.py': ('not UTF-8 text', True),
    'broken-script': ('not UTF-8 text', True),
    'large.py': ('too large', False),
    'small.py': ('too small', False),
    'cplusplus.h': ('another language', False),
    'program': ('another language', False),
    'archive': ('another language', False),
    'notes': ('another language', False),
    'letter': ('another language', False),
  }


def test_files_that_cannot_be_read_and_folders_that_cannot_be_listed(
  tmp_path, monkeypatch
):
  root = tmp_path / 'tree'
  stand_ins.write(root, {'a.py': 'x\n', 'gone.py': 'x\n', 'secret/b.py': 'x\n'})
  scan = os.scandir

  def refuse(path):
    if str(path).endswith('secret'):
      raise PermissionError(13, 'Permission denied')
    return scan(path)

  monkeypatch.setattr(os, 'scandir', refuse)
  reader = source_trees.SourceTree([str(root)], _SOURCES, min_file_bytes=1)
  parts = list(reader.parts(1))
  (root / 'gone.py').unlink()
  found = [
    item for part in parts for item in reader.read(part, lambda _: False)
  ]
  skipped = {
    item.origin: item.reason
    for item in found
    if isinstance(item, reading.Skipped) and item.damaged
  }
  assert skipped == {
    'tree/gone.py': 'cannot be read (No such file or directory)',
    'tree/secret/': 'cannot be read (not a file)',
  }
  assert len(found) == 3


def test_folders_of_a_bucket_give_the_same(tmp_path, monkeypatch):
  root = tmp_path / 'in/tree'
  stand_ins.write(
    root, {'a.py': 'x = 1\n', 'b/c.py': 'y = 2\n', '.git/d.py': 'z = 3\n'}
  )
  local = _read(root, license='MIT')
  stand_ins.bucket(tmp_path, monkeypatch)
  reader = source_trees.SourceTree(
    ['s3://in/tree'], _SOURCES, min_file_bytes=1, license='MIT'
  )
  assert collected.by_source(reader) == local
  assert len(local['code/python']) == 2


def test_the_order_is_a_sample_that_the_seed_decides(tmp_path):
  root = tmp_path / 'tree'
  stand_ins.write(root, {f'{i:02d}.py': 'x\n' for i in range(30)})

  def order(seed):
    found = _read(root, seed=seed)['code/python']
    return [item.origin for item in found]

  assert order(1) == order(1) != order(2)
  assert sorted(order(1)) == sorted(order(2)) != order(1)


def test_a_file_is_read_once_for_all_sources(tmp_path, monkeypatch):
  root = tmp_path / 'tree'
  stand_ins.write(
    root, {'a.h': 'int f(void);\n', 'b.h': b'\xff\n', 'c.h': 'namespace n {}\n'}
  )
  read = []
  original = source_trees.files.read
  monkeypatch.setattr(
    source_trees.files,
    'read',
    lambda path, most: read.append(path) or original(path, most),
  )
  reader = source_trees.SourceTree(
    [str(root)],
    {'code/c': ['c'], 'code/cpp': ['c++'], 'code/all': ['c', 'c++']},
    min_file_bytes=1,
  )
  found = sorted((i.origin, i.source) for i in collected.items(reader))
  assert found == [
    ('tree/a.h', 'code/all'),
    ('tree/a.h', 'code/c'),
    ('tree/b.h', 'code/c'),
    ('tree/c.h', 'code/all'),
    ('tree/c.h', 'code/cpp'),
  ]
  assert len(read) == 3
  # What is full is not read at all.
  (part,) = reader.parts(1)
  only = list(reader.read(part, lambda source: source != 'code/cpp'))
  assert {item.source for item in only} == {'code/cpp'}
  assert not list(reader.read(part, lambda source: True))
  assert len(read) == 6


def test_folders_of_one_name_are_both_read(tmp_path):
  for name in ('a/src', 'b/src'):
    stand_ins.write(tmp_path / name, {'x.py': f'{name}\n'})
  reader = source_trees.SourceTree(
    [str(tmp_path / 'a/src'), str(tmp_path / 'b/src')],
    _SOURCES,
    min_file_bytes=1,
  )
  found = collected.by_source(reader)['code/python']
  assert [item.text for item in found] == ['a/src\n', 'b/src\n']


def test_a_listed_file_takes_little_memory(tmp_path, monkeypatch):
  count = 20_000
  names = [(f'/r/f/{i:030d}.py', f'f/{i:030d}.py') for i in range(count)]
  monkeypatch.setattr(source_trees.files, 'walk', lambda root: iter(names))
  reader = source_trees.SourceTree([str(tmp_path)], _SOURCES)
  tracemalloc.start()
  parts = reader.parts(1)
  first = next(parts)
  held, _ = tracemalloc.get_traced_memory()
  tracemalloc.stop()
  assert len(first.files) == 50
  # A place in a list, and a key: 33 bytes of object, 10 of place, 35 of path.
  assert held / count < 100


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ({'folders': 'src'}, 'must be a list of folders'),
    ({'sources': {}}, 'must map sources to languages'),
    ({'sources': {'code/x': ['klingon']}}, 'klingon'),
    ({'sources': {'code/x': 'python'}}, 'must be a list of languages'),
    ({'min_file_bytes': 200_000}, 'at most max_file_bytes'),
    ({'sources': {'Code X': ['python']}}, 'lower case'),
  ],
)
def test_mistakes_are_explained(arguments, message):
  settings = {'folders': ['.'], 'sources': _SOURCES, **arguments}
  with pytest.raises(errors.UserError, match=message):
    source_trees.SourceTree(**settings)


def test_missing_folder_is_named(tmp_path):
  tree = source_trees.SourceTree([str(tmp_path / 'gone')], _SOURCES)
  with pytest.raises(errors.UserError, match='gone, which is not a folder'):
    list(tree.parts(1))
