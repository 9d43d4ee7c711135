"""Documents, and the Parquet files that hold them.

A `RawDocument` is what a reader found; a `Document` is one that passed the
filters and the deduplication and was given a split. A corpus is one folder
of Parquet files per source beside an index (`report`).
"""

from collections.abc import Iterator
import contextlib
import dataclasses
import hashlib
import io
import os
import random
from typing import Any

import pyarrow as pa
from pyarrow import parquet
import pyarrow.compute as pc

from codelaw import errors
from codelaw import storage
from codelaw.corpora import report

# Rows are handed to Parquet in groups of about this much text, which bounds
# the memory of a writer and of a reader.
ROW_GROUP_BYTES = 4_000_000
FILE_BYTES = 256_000_000


@dataclasses.dataclass(frozen=True)
class RawDocument:
  """A document as its reader found it.

  Attributes:
    text: its content, with newlines as a single line feed.
    source: typed stream it belongs to, like `code/python`.
    language: `python`, `c`, `markdown`, ...
    origin: path relative to the root it was read from, or a URL.
    license: SPDX expression where one is known, '' otherwise.
    group: documents of one group go to the same split; '' stands for the
      document alone.
  """

  text: str
  source: str
  language: str
  origin: str
  license: str = ''
  group: str = ''


@dataclasses.dataclass(frozen=True)
class Document:
  """A document of a corpus; the fields are the Parquet columns.

  Attributes:
    text: its content.
    source: typed stream it belongs to, like `code/python`.
    language: `python`, `c`, `markdown`, ...
    origin: path relative to the root it was read from, or a URL.
    license: SPDX expression where one is known, '' otherwise.
    content_sha256: of the UTF-8 text, 64 hexadecimal digits.
    split: `train` or `validation`.
    bytes: length of the UTF-8 text.
  """

  text: str
  source: str
  language: str
  origin: str
  license: str
  content_sha256: str
  split: str
  bytes: int


SCHEMA = pa.schema(
  [
    (field.name, pa.int64() if field.name == 'bytes' else pa.string())
    for field in dataclasses.fields(Document)
  ]
)


def document(raw: RawDocument, split: str) -> Document:
  """The document that `raw` becomes in `split`.

  Raises:
    UnicodeEncodeError: for a text that no UTF-8 file can hold.
  """
  content = raw.text.encode('utf-8')
  return Document(
    text=raw.text,
    source=raw.source,
    language=raw.language,
    origin=readable(raw.origin),
    license=readable(raw.license),
    content_sha256=hashlib.sha256(content).hexdigest(),
    split=split,
    bytes=len(content),
  )


def readable(name: str) -> str:
  r"""A name that can be written as UTF-8: bytes that were none as `\xff`."""
  try:
    content = name.encode('utf-8', 'surrogateescape')
  except UnicodeEncodeError:
    content = name.encode('utf-8', 'backslashreplace')
  return content.decode('utf-8', 'backslashreplace')


def identity(source: str, split: str, content_sha256: str) -> int:
  """A hash of a document's place in a corpus, below 2^256.

  The sum of these over all documents is what `fingerprint` takes: it does
  not depend on their order, and parts of a corpus can be added up.
  """
  line = f'{source} {split} {content_sha256}\n'
  return int.from_bytes(hashlib.sha256(line.encode('utf-8')).digest(), 'big')


def fingerprint(identities: int) -> str:
  """Of the documents whose identities have this sum: 16 hex digits."""
  total = (identities % 2**256).to_bytes(32, 'big')
  return hashlib.sha256(total).hexdigest()[:16]


class SourceWriter:
  """Writes the documents of one source to Parquet files, a part at a time.

  Files are of at most about `FILE_BYTES` of text. Local ones are flushed to
  disk before the next begins.
  """

  def __init__(self, root: storage.PathLike, source: str):
    self._root = storage.path(root)
    self._source = source
    self._files: list[str] = []
    self._rows: list[dict[str, Any]] = []
    self._row_bytes = 0
    self._file_bytes = 0
    self._stream: Any = None
    self._writer: parquet.ParquetWriter | None = None

  def write(self, item: Document) -> None:
    """Adds a document."""
    self._rows.append(vars(item))
    self._row_bytes += item.bytes
    if self._row_bytes >= ROW_GROUP_BYTES:
      self._flush()

  def write_rows(self, rows: pa.Table) -> None:
    """Adds a group of rows that is not too large to be held in memory."""
    writer = self._writer or self._open()
    writer.write_table(rows)
    self._file_bytes += pc.sum(rows['bytes']).as_py() or 0
    if self._file_bytes >= FILE_BYTES:
      self._end_file()

  def close(self) -> tuple[str, ...]:
    """Ends the last file; returns all, relative to the root."""
    self._flush()
    self._end_file()
    return tuple(self._files)

  def abandon(self) -> None:
    """Closes what is open without another word: it will not be read."""
    for opened in (self._writer, self._stream):
      with contextlib.suppress(OSError, pa.ArrowException):
        if opened is not None:
          opened.close()
    self._writer, self._stream = None, None

  def _flush(self) -> None:
    if self._rows:
      rows = pa.Table.from_pylist(self._rows, SCHEMA)
      self._rows, self._row_bytes = [], 0
      self.write_rows(rows)

  def _end_file(self) -> None:
    if self._writer is None:
      return
    self._writer.close()
    self._stream.flush()
    # Streams to a bucket have no descriptor: their objects are whole or absent.
    with contextlib.suppress(AttributeError, io.UnsupportedOperation):
      os.fsync(self._stream.fileno())
    self._stream.close()
    self._writer, self._stream = None, None

  def _open(self) -> parquet.ParquetWriter:
    name = f'{self._source}/documents-{len(self._files):05d}.parquet'
    (self._root / name).parent.mkdir(parents=True, exist_ok=True)
    self._files.append(name)
    self._file_bytes = 0
    self._stream = (self._root / name).open('wb')
    self._writer = parquet.ParquetWriter(
      self._stream, SCHEMA, compression='zstd'
    )
    return self._writer


def sources(corpus_dir: storage.PathLike) -> tuple[str, ...]:
  """The sources of a corpus, in the order they were built."""
  return tuple(report.read(corpus_dir).sources)


def read_documents(
  corpus_dir: storage.PathLike,
  source: str,
  split: str,
  hash_range: tuple[str, str] | None = None,
) -> Iterator[Document]:
  """Yields the documents of one split of one source, in a fixed order.

  Args:
    corpus_dir: folder of a corpus.
    source: one of `sources(corpus_dir)`.
    split: `train` or `validation`.
    hash_range: (first, end): only documents whose `content_sha256`, as text,
      is at least the first and below the end. The others cost no more than
      their decompression.

  Raises:
    UserError: for a folder without a corpus, a source or a split that it
      does not have, or a file of it that is missing or damaged.
  """
  files = _files(corpus_dir, source)
  if split not in report.SPLITS:
    raise errors.UserError(
      f'A corpus has the splits {", ".join(report.SPLITS)}; got {split!r}.'
    )
  chosen = pc.field('split') == split
  if hash_range is not None:
    first, end = hash_range
    chosen &= pc.field('content_sha256') >= first
    chosen &= pc.field('content_sha256') < end
  return _read_files(files, chosen)


def sample(
  corpus_dir: storage.PathLike, source: str, count: int, seed: int
) -> list[Document]:
  """Documents of a source, drawn from both splits, in their order.

  Args:
    corpus_dir: folder of a corpus.
    source: one of `sources(corpus_dir)`.
    count: of documents; all of them when there are fewer.
    seed: of the draw.

  Raises:
    UserError: as `read_documents`.
  """
  files = _files(corpus_dir, source)
  held = report.read(corpus_dir).sources[source].documents
  rng = random.Random(f'{seed} {source}')
  rows = sorted(rng.sample(range(held), min(count, held)))
  found, first = [], 0
  for file in files:
    with _opened(file) as table:
      for group in range(table.num_row_groups):
        end = first + table.metadata.row_group(group).num_rows
        wanted = [row - first for row in rows if first <= row < end]
        if wanted:
          found += table.read_row_group(group).take(wanted).to_pylist()
        first = end
  return [Document(**row) for row in found]


def _files(
  corpus_dir: storage.PathLike, source: str
) -> list[storage.epath.Path]:
  """Where the documents of a source are."""
  index = report.read(corpus_dir)
  if source not in index.sources:
    raise errors.UserError(
      f'The corpus in {storage.path(corpus_dir)} has no source {source!r};'
      f' it has {", ".join(index.sources)}.'
    )
  names = index.sources[source].files
  return [storage.path(corpus_dir) / name for name in names]


def _read_files(
  files: list[storage.epath.Path], chosen: pc.Expression
) -> Iterator[Document]:
  for file in files:
    with _opened(file) as table:
      for group in range(table.num_row_groups):
        rows = table.read_row_group(group)
        for row in rows.filter(chosen).to_pylist():
          yield Document(**row)


@contextlib.contextmanager
def _opened(file: storage.epath.Path) -> Iterator[parquet.ParquetFile]:
  try:
    with file.open('rb') as stream:
      yield parquet.ParquetFile(stream)
  except (OSError, pa.ArrowInvalid) as error:
    raise errors.UserError(
      f'Cannot read {file} of the corpus ({error}); delete the folder and'
      ' build the corpus again.'
    ) from error
