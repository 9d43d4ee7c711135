import gzip

import pytest

from codelaw import errors
from codelaw.corpora import plain_text
from codelaw.corpora import reading
from tests.corpora import collected
from tests.corpora import stand_ins


def _read(root, **settings):
  return list(collected.items(plain_text.PlainText([str(root)], **settings)))


def test_a_file_is_a_document(tmp_path):
  root = tmp_path / 'texts'
  stand_ins.write(
    root,
    {
      'a.txt': 'one\r\ntwo',
      'b.txt': b'\xe9',
      'c.txt.gz': gzip.compress(b'three\n'),
      'd.txt': ' \n',
      'e.txt': 'x' * 100,
      'f.md': 'not a text file',
    },
  )
  found = _read(root, max_document_bytes=50, license='CC0-1.0')
  assert [(item.origin, getattr(item, 'text', None)) for item in found] == [
    ('texts/a.txt', 'one\ntwo'),
    ('texts/b.txt', None),
    ('texts/c.txt.gz', 'three\n'),
    ('texts/d.txt', None),
    ('texts/e.txt', None),
  ]
  assert found[0].license == 'CC0-1.0'
  assert [
    (item.reason, item.damaged)
    for item in found
    if isinstance(item, reading.Skipped)
  ] == [('not UTF-8 text', True), ('empty', False), ('too large', False)]


def test_a_separator_stands_between_documents(tmp_path):
  stand_ins.write(
    tmp_path,
    {
      'a.txt': b'one\r\n--\n--\nt\nwo\n--\n\xe9\n--\n'
      + b'x' * 99
      + b'\n--\n'
      + b'x\n' * 30
      + b'--\nlast'
    },
  )
  found = _read(tmp_path / 'a.txt', separator='--', max_document_bytes=20)
  assert [getattr(item, 'text', item.origin) for item in found] == [
    'one\n',
    't\nwo',
    'a.txt#2',
    'a.txt#3',
    'a.txt#4',
    'last',
  ]
  assert [item.damaged for item in found[2:5]] == [True, False, False]


def test_what_comes_before_a_damage_stays(tmp_path):
  content = gzip.compress(b'one\n--\ntwo\n--\nthree\n')
  (tmp_path / 'a.txt.gz').write_bytes(content[:-8])
  *kept, last = _read(tmp_path / 'a.txt.gz', separator='--')
  assert [item.text for item in kept] == ['one', 'two']
  assert (last.origin, last.damaged) == ('a.txt.gz', True)


def test_mistakes_are_explained():
  with pytest.raises(errors.UserError, match='list of files'):
    plain_text.PlainText('a.txt')
  with pytest.raises(errors.UserError, match='must be one line'):
    plain_text.PlainText(['a.txt'], separator='\n')
