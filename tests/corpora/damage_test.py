"""What no reader may do, whatever the bytes it is given.

Arbitrary files and damaged ones give documents and `Skipped`, or one
`UserError`; reading ends; the memory it takes does not grow with the file.
"""

import gzip
import itertools
import json
import pickle
import tracemalloc

import hypothesis
from hypothesis import strategies as st
import pyarrow as pa
from pyarrow import parquet
import pytest

from codelaw import errors
from codelaw.corpora import documents
from codelaw.corpora import notebooks
from codelaw.corpora import plain_text
from codelaw.corpora import reading
from codelaw.corpora import source_trees
from codelaw.corpora import stack_exchange
from codelaw.corpora import tables
from tests.corpora import collected

_ANY = {'text/web': ['*']}
# Name of the file -> its reader.
_READERS = {
  'a.txt': lambda path: plain_text.PlainText([path]),
  'b.txt': lambda path: plain_text.PlainText([path], separator='--'),
  'a.ipynb': lambda path: notebooks.Notebooks([path], max_output_chars=99),
  'Posts.xml': lambda path: stack_exchange.StackExchangeDump([path]),
  'a.jsonl': lambda path: tables.Tables([path], _ANY, license_column='l'),
  'a.parquet': lambda path: tables.Tables([path], _ANY, license_column='l'),
}
_ENDINGS = ('', '.gz', '.bz2', '.xz', '.zst')


def _parquet():
  sink = pa.BufferOutputStream()
  rows = [{'text': f'text {i} ' * 9, 'l': ['MIT']} for i in range(20)]
  parquet.write_table(pa.Table.from_pylist(rows), sink, row_group_size=7)
  return sink.getvalue().to_pybytes()


def _posts():
  rows = ''.join(
    f'<row Id="{i}" PostTypeId="1" Score="1" Body="&lt;p&gt;q&lt;/p&gt;"/>'
    f'<row Id="9{i}" PostTypeId="2" ParentId="{i}" Body="&lt;b&gt;a"/>'
    for i in range(1, 9)
  )
  return f'<?xml version="1.0"?><posts>{rows}</posts>'.encode()


# What each reader takes for good.
_GOOD = {
  'a.txt': 'é text\n'.encode() * 9,
  'b.txt': b'one\n--\ntwo\n--\n',
  'a.ipynb': json.dumps(
    {
      'cells': [
        {'cell_type': 'markdown', 'source': ['# T\n']},
        {'cell_type': 'code', 'source': 'x', 'outputs': [{'text': 'y'}]},
      ],
      'metadata': {'kernelspec': {'language': 'R'}},
    }
  ).encode(),
  'Posts.xml': _posts(),
  'a.jsonl': b'{"text": "one", "l": ["MIT"]}\n' * 5,
  'a.parquet': _parquet(),
}


def _check(reader):
  """Reads everything as a corpus would; returns what was yielded."""
  found = []
  try:
    for part in reader.parts(10**6):
      assert pickle.loads(pickle.dumps(part)) == part
      for item in reader.read(part, lambda _: False):
        if isinstance(item, documents.RawDocument):
          documents.document(item, 'train')
          assert '\r' not in item.text
          assert '\0' not in item.text
        else:
          assert isinstance(item, reading.Skipped)
        for name in ('origin', 'source'):
          getattr(item, name).encode('utf-8')
        assert item.source in reader.source_names()
        found.append(item)
  except errors.UserError:
    pass
  return found


@pytest.mark.parametrize('name', _GOOD)
def test_the_good_files_are_good(tmp_path, name):
  path = tmp_path / name
  path.write_bytes(_GOOD[name])
  found = _check(_READERS[name](str(path)))
  assert found
  assert all(isinstance(item, documents.RawDocument) for item in found)


@pytest.mark.parametrize('name', _READERS)
@hypothesis.given(
  content=st.one_of(
    st.binary(max_size=300),
    st.text(max_size=100).map(lambda text: text.encode('utf-16')),
    st.recursive(
      st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
      lambda inner: (
        st.lists(inner)
        | st.dictionaries(
          st.sampled_from(
            ['text', 'l', 'cells', 'cell_type', 'source', 'metadata']
          ),
          inner,
        )
      ),
      max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
  ),
  ending=st.sampled_from(_ENDINGS),
)
@hypothesis.settings(max_examples=60, deadline=5000)
def test_arbitrary_bytes(tmp_path_factory, name, content, ending):
  path = tmp_path_factory.mktemp('any') / f'{name}{ending}'
  path.write_bytes(content)
  _check(_READERS[name](str(path)))


@pytest.mark.parametrize('name', _READERS)
@hypothesis.given(data=st.data())
@hypothesis.settings(max_examples=60, deadline=5000)
def test_damaged_files(tmp_path_factory, name, data):
  content = bytearray(_GOOD[name])
  places = st.integers(0, len(content) - 1)
  for place in data.draw(st.lists(places, max_size=4)):
    content[place] = data.draw(st.integers(0, 255))
  start, end = sorted((data.draw(places), data.draw(places)))
  changed = data.draw(
    st.sampled_from(
      [
        bytes(content),
        bytes(content[:end]),
        bytes(content[:start] + content[end:]),
        bytes(content[:end] + content[start:]),
      ]
    )
  )
  path = tmp_path_factory.mktemp('damaged') / name
  path.write_bytes(changed)
  _check(_READERS[name](str(path)))


@hypothesis.given(
  files=st.dictionaries(
    st.sampled_from(
      ['a.py', 'b.h', 'c.html', 'd.json', 'Makefile', 'run', 'e.vue', 'f.php']
    ),
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: text.encode('utf-8')),
  )
)
@hypothesis.settings(max_examples=60, deadline=5000)
def test_arbitrary_source_trees(tmp_path_factory, files):
  root = tmp_path_factory.mktemp('tree')
  for name, content in files.items():
    (root / name).write_bytes(content)
  sources = {
    'code/x': ['python', 'c', 'c++', 'php', 'shell', 'makefile', 'vue'],
    'markup/x': ['html', 'json'],
  }
  _check(source_trees.SourceTree([str(root)], sources, min_file_bytes=0))


def _large(name, megabytes):
  """Blocks of a file whose documents are small."""
  line = 'x' * 1000
  for place in range(megabytes * 1000):
    if name == 'a.jsonl':
      yield f'{{"text": "{place} {line}", "l": ["MIT"]}}\n'
    elif name == 'b.txt':
      yield f'{place} {line}\n--\n'
    else:
      yield (
        f'<row Id="{place + 1}" PostTypeId="{1 + place % 2}"'
        f' ParentId="{place}" Body="{line}"/>'
      )


@pytest.mark.parametrize('name', ['a.jsonl', 'b.txt', 'Posts.xml'])
def test_memory_does_not_grow_with_the_file(tmp_path, name):
  peaks = []
  for megabytes in (3, 10):
    path = tmp_path / f'{name}.gz'
    with gzip.open(path, 'wt', compresslevel=1) as stream:
      stream.write('<posts>' if name == 'Posts.xml' else '')
      for block in _large(name, megabytes):
        stream.write(block)
      stream.write('</posts>' if name == 'Posts.xml' else '')
    reader = _READERS[name](str(path))
    tracemalloc.start()
    count = sum(1 for _ in collected.items(reader))
    peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert count == megabytes * (500 if name == 'Posts.xml' else 1000)
  assert peaks[1] < peaks[0] + 500_000
  assert peaks[1] < 3_000_000


def test_memory_of_parquet_does_not_grow_with_its_row_groups(tmp_path):
  peaks = []
  for num_rows in (5_000, 20_000):
    path = tmp_path / 'a.parquet'
    rows = [f'{place} {"x" * 1000}' for place in range(num_rows)]
    table = pa.table({'text': rows, 'l': [['MIT']] * num_rows})
    parquet.write_table(
      table, path, row_group_size=num_rows, use_dictionary=False
    )
    del table, rows
    reader = _READERS['a.parquet'](str(path))
    held = pa.total_allocated_bytes()
    pool = pa.default_memory_pool()
    peak = 0
    for place, _ in enumerate(collected.items(reader)):
      if not place % 100:
        peak = max(peak, pool.bytes_allocated() - held)
    assert place == num_rows - 1
    peaks.append(peak)
  assert peaks[1] < peaks[0] + 2_000_000
  assert peaks[1] < 8_000_000


def test_a_line_without_end_is_not_held(tmp_path):
  path = tmp_path / 'a.jsonl.gz'
  with gzip.open(path, 'wb', compresslevel=1) as stream:
    stream.write(b'{"text": "one", "l": ""}\n{"text": "')
    for _ in range(40):
      stream.write(b'x' * 1_000_000)
    stream.write(b'"}\n{"text": "two", "l": ""}\n')
  reader = tables.Tables(
    [str(path)], _ANY, license_column='l', max_document_bytes=100_000
  )
  tracemalloc.start()
  found = list(itertools.islice(collected.items(reader), 9))
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert [getattr(item, 'text', None) for item in found] == ['one', None, 'two']
  assert peak < 3_000_000
