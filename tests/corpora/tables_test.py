import gzip
import json
import re

import pyarrow as pa
from pyarrow import parquet
import pytest

from codelaw import errors
from codelaw.corpora import documents
from codelaw.corpora import reading
from codelaw.corpora import tables
from tests.corpora import collected

_STACK = {
  'text': 'content',
  'label': 'lang',
  'origin': ['repo', 'path'],
  'license_column': 'licenses',
  'sources': {'code/python': ['python'], 'code/cpp': ['C', 'cpp']},
}
_ROWS = [
  {
    'content': f'x = {i}\r\n',
    'lang': ('Python', 'C++', 'c', 'Java')[i % 4],
    'repo': 'o/r',
    'path': f'{i}.py',
    'licenses': ['MIT', 'BSD-3-Clause'] if i % 2 else [],
  }
  for i in range(8)
]


def _read(path, **settings):
  return list(collected.items(tables.Tables([str(path)], **settings)))


def _parquet(path, rows, **settings):
  parquet.write_table(pa.Table.from_pylist(rows), path, **settings)
  return path


def _shown(items):
  return [
    (item.source, item.origin, getattr(item, 'text', None) or item.reason)
    for item in items
  ]


def test_parquet_rows_become_documents(tmp_path):
  path = _parquet(tmp_path / 'a.parquet', _ROWS, row_group_size=3)
  found = _read(path, **_STACK)
  assert _shown(found[:4]) == [
    ('code/python', 'o/r/0.py', 'x = 0\n'),
    ('code/cpp', 'o/r/1.py', 'x = 1\n'),
    ('code/cpp', 'o/r/2.py', 'x = 2\n'),
    ('code/python', 'a.parquet#3', 'label of no source'),
  ]
  assert [item.language for item in found[:3]] == ['python', 'c++', 'c']
  assert [item.license for item in found[:3]] == [
    '',
    'MIT AND BSD-3-Clause',
    '',
  ]
  assert not found[3].damaged
  assert [item.origin for item in found[4:]] == [
    'o/r/4.py',
    'o/r/5.py',
    'o/r/6.py',
    'a.parquet#7',
  ]


def _json_lines(rows):
  return ''.join(f'{json.dumps(row)}\n' for row in rows).encode()


def _zstd(content):
  return pa.Codec('zstd').compress(content, asbytes=True)


@pytest.mark.parametrize(
  ('name', 'compress'),
  [('a.jsonl', bytes), ('a.json.gz', gzip.compress), ('a.jsonl.zst', _zstd)],
)
def test_json_lines_give_the_same_as_parquet(tmp_path, name, compress):
  (tmp_path / name).write_bytes(compress(_json_lines(_ROWS)))
  found = _read(tmp_path, **_STACK)
  expected = _read(_parquet(tmp_path / 'b.parquet', _ROWS), **_STACK)
  kept = [item for item in found if isinstance(item, documents.RawDocument)]
  assert kept == [item for item in expected if item in kept]
  assert len(kept) == 6
  assert len(found) == 8


def test_nested_columns_and_sets_of_slimpajama(tmp_path):
  rows = [
    {'text': f't{i}', 'meta': {'redpajama_set_name': name, 'n': i}}
    for i, name in enumerate(('RedPajamaC4', 'RedPajamaGithub', 'redpajamac4'))
  ]
  settings = {
    'label': 'meta.redpajama_set_name',
    'language': 'english',
    'sources': {'text/web': ['RedPajamaC4']},
  }
  (tmp_path / 'a.jsonl.zst').write_bytes(_zstd(_json_lines(rows)))
  _parquet(tmp_path / 'b.parquet', rows)
  for name in ('a.jsonl.zst', 'b.parquet'):
    assert _shown(_read(tmp_path / name, **settings)) == [
      ('text/web', f'{name}#0', 't0'),
      ('text/web', f'{name}#1', 'label of no source'),
      ('text/web', f'{name}#2', 't2'),
    ]
  kept = _read(tmp_path, **settings, keep={'meta.n': [2]})
  assert [getattr(item, 'text', None) for item in kept] == [
    *(None, None, 't2'),
    *(None, None, 't2'),
  ]


def test_the_folder_is_the_label_of_what_has_none(tmp_path):
  rows = [{'content': '<reponame>o/r<gh_stars>1-10\nx = 1\n'}]
  for name in ('python', 'c-sharp'):
    (tmp_path / name).mkdir()
    _parquet(tmp_path / name / 'train-0.parquet', rows)
  found = _read(
    tmp_path,
    text='content',
    leave_off=r'(?:<reponame>[^<\n]*)?(?:<gh_stars>[^<\n]*\n)?',
    sources={'code/other': ['*'], 'code/python': ['python']},
  )
  assert [(item.source, item.language, item.text) for item in found] == [
    ('code/other', 'c#', 'x = 1\n'),
    ('code/python', 'python', 'x = 1\n'),
  ]


_TEXT = {'sources': {'text/web': ['*']}}


def test_rows_without_text_are_named(tmp_path):
  rows = ['a', None, 7, ['b'], '', '\ud800', 'c\0', 'x' * 50, 'last']
  (tmp_path / 'a.jsonl').write_bytes(
    _json_lines({'text': text} for text in rows)
    + b'\n{"text": "cut\n[1]\n\xff\n{"text": '
    + b'[' * 100_000
    + b'\n{"text": "'
    + b'y' * 600
    + b'"}\n{"other": 1}\n{"text": "end"}'
  )
  found = _read(tmp_path / 'a.jsonl', max_document_bytes=40, **_TEXT)
  assert [
    (item.origin.partition('#')[2], getattr(item, 'text', None) or item.reason)
    for item in found
  ] == [
    ('0', 'a'),
    ('1', 'text is not text'),
    ('2', 'text is not text'),
    ('3', 'text is not text'),
    ('4', 'empty'),
    ('5', 'not UTF-8 text'),
    ('6', 'not UTF-8 text'),
    ('7', 'too large'),
    ('8', 'last'),
    ('10', 'not JSON'),
    ('11', 'not a JSON object'),
    ('12', 'not JSON'),
    ('13', 'too large'),
    ('14', 'too large'),
    ('15', 'text is not text'),
    ('16', 'end'),
  ]
  assert [
    item.reason
    for item in found
    if isinstance(item, reading.Skipped) and not item.damaged
  ] == ['empty', 'too large', 'too large', 'too large']


def test_a_damaged_row_group_is_named_and_the_others_are_read(tmp_path):
  rows = [{'text': f'{i:05d}' * 40} for i in range(300)]
  path = _parquet(
    tmp_path / 'a.parquet',
    rows,
    row_group_size=100,
    use_dictionary=False,
    write_page_checksum=True,
  )
  content = path.read_bytes()
  column = parquet.ParquetFile(path).metadata.row_group(1).column(0)
  middle = column.data_page_offset + column.total_compressed_size // 2
  path.write_bytes(
    content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
  )
  found = _read(path, **_TEXT)
  kept = [item for item in found if isinstance(item, documents.RawDocument)]
  assert [item.text for item in kept[:100]] == [r['text'] for r in rows[:100]]
  assert [item.text for item in kept[-100:]] == [r['text'] for r in rows[200:]]
  (broken,) = (item for item in found if isinstance(item, reading.Skipped))
  assert re.match(r'a.parquet#1\d\d to the end of row group 1', broken.origin)
  assert broken.damaged
  # The rows that follow keep their names.
  assert kept[-1].origin == 'a.parquet#299'


def test_text_that_is_not_utf_8_spoils_its_row_alone(tmp_path):
  text = pa.array([b'a', b'\xff', b'c']).cast(pa.string(), safe=False)
  parquet.write_table(pa.table({'text': text}), tmp_path / 'a.parquet')
  assert [item[2] for item in _shown(_read(tmp_path, **_TEXT))] == [
    'a',
    'not UTF-8 text',
    'c',
  ]


@pytest.mark.parametrize('content', [b'', b'PAR1', b'PAR1junkjunkPAR1'])
def test_a_file_that_is_no_parquet_is_named(tmp_path, content):
  (tmp_path / 'a.parquet').write_bytes(content)
  (found,) = _read(tmp_path, **_TEXT)
  assert (found.origin.partition('/')[2], found.damaged) == ('a.parquet', True)


@pytest.mark.parametrize('name', ['a.parquet', 'a.jsonl'])
@pytest.mark.parametrize(
  'settings', [{'text': 'body'}, {'license_column': 'x'}, {'label': 'text.a'}]
)
def test_a_missing_column_is_one_sentence(tmp_path, name, settings):
  rows = [{'text': 'a', 'meta': {'b': 1}}]
  (tmp_path / 'a.jsonl').write_bytes(_json_lines(rows))
  _parquet(tmp_path / 'a.parquet', rows)
  (column,) = settings.values()
  with pytest.raises(
    errors.UserError, match=f'column {column}.*{name}.* it has text, meta'
  ):
    _read(tmp_path / name, **_TEXT, **settings)


@pytest.mark.parametrize(
  ('settings', 'message'),
  [
    ({'sources': {}}, 'must map sources to labels'),
    ({'sources': {'a': 'b'}}, 'must be a list of labels'),
    ({'sources': {'a': ['C++'], 'b': ['cpp']}}, "'c\\+\\+' to two sources"),
    ({'leave_off': '('}, 'regular expression'),
    ({'text': ''}, 'must name a column'),
    ({'license': 'MIT', 'license_column': 'l'}, 'only one of'),
    ({'origin': 'path'}, 'must be a list'),
    ({'max_document_bytes': 0}, 'above 0'),
    ({'paths': 'x.parquet'}, 'list of files'),
  ],
)
def test_mistakes_are_explained(settings, message):
  with pytest.raises(errors.UserError, match=message):
    tables.Tables(**{'paths': ['x'], 'sources': {'a': ['*']}, **settings})


def test_it_stops_when_all_its_sources_are_full(tmp_path):
  path = _parquet(tmp_path / 'a.parquet', _ROWS)
  reader = tables.Tables([str(path)], **_STACK)
  (part,) = reader.parts(1)
  assert not list(reader.read(part, lambda source: True))
  only = list(reader.read(part, lambda source: source == 'code/cpp'))
  assert {item.source for item in only} == {'code/python'}
