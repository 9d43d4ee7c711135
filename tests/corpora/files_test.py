import bz2
import gzip
import io
import lzma
import os
import re

import hypothesis
from hypothesis import strategies as st
import pyarrow as pa
import pytest

from codelaw import errors
from codelaw.corpora import files
from tests.corpora import stand_ins


def _origins(paths, suffixes=()):
  return [file.origin for file in files.listed(paths, 'R.paths', suffixes)]


def test_folders_globs_and_files_are_listed_in_order_of_names(tmp_path):
  root = tmp_path / 'data'
  names = ('b/2.txt', 'b/1.txt', 'a.txt', 'a/z.txt.gz', 'a/z.md', 'c.txt')
  stand_ins.write(root, dict.fromkeys(names, 'x'))
  stand_ins.write(root, {'.hidden.txt': 'x', 'b/.git/x.txt': 'x'})
  (root / 'link.txt').symlink_to(root / 'c.txt')
  (root / 'loop').symlink_to(root)
  os.mkfifo(root / 'pipe.txt')
  expected = ['a.txt', 'c.txt', 'a/z.txt.gz', 'b/1.txt', 'b/2.txt']
  expected = [f'data/{name}' for name in expected]
  assert _origins([str(root)], ['.txt']) == expected
  assert _origins([f'{root}/'], ['.txt']) == expected
  assert _origins([f'{root}/b/*.txt', f'{root}/c.txt']) == [
    'b/1.txt',
    'b/2.txt',
    'c.txt',
  ]
  # A glob may match folders; what it names may end in anything.
  assert _origins([f'{root}/[ab]'], ['.txt']) == [
    'data/a/z.txt.gz',
    'data/b/1.txt',
    'data/b/2.txt',
  ]
  assert _origins([f'{root}/a/z.m?'], ['.txt']) == ['a/z.md']


def test_a_path_with_the_signs_of_a_glob_may_exist(tmp_path):
  stand_ins.write(tmp_path, {'[a]/x*.txt': 'x'})
  assert _origins([str(tmp_path / '[a]')]) == ['[a]/x*.txt']


@pytest.mark.parametrize('name', ['gone', '*.none', 'empty', 'a.md/x'])
def test_a_path_that_names_nothing_is_a_mistake(tmp_path, name):
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'a.md').write_text('x')
  with pytest.raises(errors.UserError, match=re.escape(name)):
    _origins([str(tmp_path / name)], ['.txt'])


def test_a_recursive_glob_is_explained(tmp_path):
  with pytest.raises(errors.UserError, match='name the folder'):
    _origins([f'{tmp_path}/**/x'])


def test_a_bucket_is_listed_and_read_like_a_folder(tmp_path, monkeypatch):
  content = gzip.compress(b'two\n')
  names = {'in/data/b/1.txt': 'one\n', 'in/data/a.txt.gz': content}
  stand_ins.write(tmp_path, {**names, 'in/data/.h/x.txt': '', 'in/o.txt': ''})
  stand_ins.bucket(tmp_path, monkeypatch)
  found = list(files.listed(['s3://in/data'], 'R.paths', ['.txt']))
  assert found == [
    files.InputFile('s3://in/data/a.txt.gz', 'data/a.txt.gz'),
    files.InputFile('s3://in/data/b/1.txt', 'data/b/1.txt'),
  ]
  assert [files.read(file.path, 9) for file in found] == [b'two\n', b'one\n']
  starred = list(files.listed(['s3://in/data/*/*.txt'], 'R.paths'))
  assert starred == [files.InputFile('s3://in/data/b/1.txt', 'data/b/1.txt')]
  with pytest.raises(errors.UserError, match='s3://in/gone'):
    list(files.listed(['s3://in/gone'], 'R.paths'))


def test_an_unreadable_folder_is_listed_as_a_file_that_cannot_be_read(
  tmp_path, monkeypatch
):
  stand_ins.write(tmp_path / 'data', {'a/x.txt': 'x', 'b/y.txt': 'x'})
  scan = os.scandir

  def refuse(path):
    if str(path).endswith('/a'):
      raise PermissionError(13, 'Permission denied')
    return scan(path)

  monkeypatch.setattr(os, 'scandir', refuse)
  found = list(files.listed([str(tmp_path / 'data')], 'R.paths', ['.txt']))
  assert [file.origin for file in found] == ['data/a/', 'data/b/y.txt']
  with pytest.raises(files.RefusedError, match='cannot be read'):
    files.read(found[0].path, 9)


_COMPRESS = {
  '.gz': gzip.compress,
  '.bz2': bz2.compress,
  '.xz': lzma.compress,
  '.zst': lambda content: pa.Codec('zstd').compress(content, asbytes=True),
}


@pytest.mark.parametrize('ending', files.COMPRESSIONS)
def test_compressed_files_are_read_also_when_joined(tmp_path, ending):
  once = _COMPRESS[ending](b'one\ntwo\n')
  path = tmp_path / f'x{ending}'
  path.write_bytes(once + once)
  assert files.read(str(path), 99) == b'one\ntwo\n' * 2
  with files.opened(str(path)) as stream:
    assert list(files.lines(stream, 99)) == [b'one', b'two'] * 2


@pytest.mark.parametrize('ending', files.COMPRESSIONS)
@pytest.mark.parametrize('damage', ['cut', 'junk', 'flip'])
def test_damaged_compression_is_refused(tmp_path, ending, damage):
  content = _COMPRESS[ending](os.urandom(5000))
  path = tmp_path / f'x{ending}'
  path.write_bytes(
    {
      'cut': content[:-1000],
      'junk': b'junk' * 10,
      'flip': content[:4] + bytes([content[4] ^ 255]) + content[5:-9],
    }[damage]
  )
  with pytest.raises(files.RefusedError, match='cannot be read') as caught:
    files.read(str(path), 9999)
  assert caught.value.damaged


def test_a_decompression_bomb_is_not_unpacked(tmp_path):
  path = tmp_path / 'x.gz'
  path.write_bytes(gzip.compress(bytes(50_000_000)))
  with pytest.raises(files.RefusedError, match='too large') as caught:
    files.read(str(path), 1000)
  assert not caught.value.damaged


def test_a_pipe_is_refused_at_once(tmp_path):
  os.mkfifo(tmp_path / 'pipe')
  with pytest.raises(files.RefusedError, match='not a file'):
    files.read(str(tmp_path / 'pipe'), 9)


@pytest.mark.parametrize(
  ('content', 'text'),
  [
    (b'a\r\nb\rc\n', 'a\nb\nc\n'),
    ('\ufeffé'.encode(), 'é'),
    ('é\r\n'.encode('utf-16'), 'é\n'),
    ('\ufeffé'.encode('utf-16-be'), 'é'),
    (b'', ''),
  ],
)
def test_text(content, text):
  assert files.decode(content) == text


@pytest.mark.parametrize(
  'content',
  [b'\xe9', b'a\0b', b'\xff\xfea', 'é'.encode('utf-32'), b'\xed\xa0\x80'],
)
def test_not_text(content):
  with pytest.raises(files.RefusedError, match='not UTF-8 text') as caught:
    files.decode(content)
  assert caught.value.damaged


@hypothesis.given(
  content=st.binary(max_size=200).map(lambda raw: raw.replace(b'\x00', b'\n')),
  block=st.integers(1, 50),
  most=st.integers(0, 30),
)
def test_lines_are_those_of_the_whole_content(content, block, most):
  class Blocks(io.BytesIO):
    def read(self, size=-1):
      return super().read(min(size, block))

  expected = content.split(b'\n')
  if not expected[-1]:
    expected.pop()
  assert list(files.lines(Blocks(content), most)) == [
    line if len(line) <= most else None for line in expected
  ]
