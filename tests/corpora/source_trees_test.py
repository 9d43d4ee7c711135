import pytest

from codelaw import errors
from codelaw.corpora import source_trees
from tests.corpora import collected

_SOURCES = {'code/python': ['python'], 'code/c': ['c']}


def _write(root, files):
  for name, content in files.items():
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
      content if isinstance(content, bytes) else content.encode()
    )


def _read(root, **settings):
  settings = {'min_file_bytes': 1, **settings}
  return collected.by_source(
    source_trees.SourceTree([str(root)], _SOURCES, **settings)
  )


def test_files_become_typed_documents_with_relative_origins(tmp_path):
  root = tmp_path / 'tree'
  _write(
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


def test_what_is_not_source_text_is_passed_over(tmp_path):
  root = tmp_path / 'tree'
  _write(
    root,
    {
      'good.py': 'x = 1\n',
      'binary.py': b'x\0y',
      'latin.py': 'é'.encode('latin-1'),
      'large.py': 'x' * 200,
      'empty.py': '',
      '.hidden.py': 'x = 1\n',
      '.git/config.py': 'x = 1\n',
      '__pycache__/cached.py': 'x = 1\n',
    },
  )
  (root / 'link.py').symlink_to(root / 'good.py')
  found = _read(root, max_file_bytes=100)
  assert [item.origin for item in found['code/python']] == ['tree/good.py']


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ({'folders': 'src'}, 'must be a list of folders'),
    ({'sources': {}}, 'must map sources to languages'),
    ({'sources': {'code/x': ['klingon']}}, 'klingon'),
    ({'sources': {'code/x': 'python'}}, 'must be a list of languages'),
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
