"""Documents from tables: Parquet and JSON-lines, as data sets are shared.

Which columns hold what is a matter of configuration; `gin_configs/corpora/`
has it for The Stack, StarCoderData and SlimPajama. A part is a file. Parquet
is read in batches of rows and JSON-lines line by line.
"""

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import json
import posixpath
import re
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from codelaw import errors
from codelaw import records
from codelaw.corpora import documents
from codelaw.corpora import files
from codelaw.corpora import languages
from codelaw.corpora import reading

_PARQUET = '.parquet'
_JSON_LINES = ('.jsonl', '.json', '.ndjson')
_ANY = '*'
_ROWS_PER_BATCH = 64
_BUFFER_BYTES = 1 << 20
# Of JSON-lines, after which a column that no row has is a mistake.
_ROWS_THAT_SHOW_ALL_COLUMNS = 1000


@dataclasses.dataclass(frozen=True)
class Tables:
  """Reads the rows of Parquet files and JSON-lines.

  Columns are named by their path: `meta.url` is the field `url` of the column
  `meta`.

  Attributes:
    paths: files, folders or globs, local or in a bucket: .parquet, or .jsonl,
      .json and .ndjson, these also compressed (.gz, .bz2, .xz, .zst).
    sources: source -> labels of the rows that belong to it; `*` stands for
      every label that no source names. Labels are compared without regard to
      case, and all names of a language (see `languages.from_label`) are one.
    text: column of the documents' text.
    leave_off: regular expression of what is left off the beginning of texts.
    label: column of the label: a language, or the name of a set; '' takes the
      name of the folder that holds the file.
    language: of all documents; '' takes the label's.
    origin: columns that together, joined by slashes, name a document; none
      stands for file and row.
    license: of all documents; '' when unknown.
    license_column: column of a license or a list of them, instead of
      `license`; those of a list are joined by AND.
    keep: column -> values that a row must have one of to be read.
    max_document_bytes: longer documents are left out.
  """

  paths: Sequence[str]
  sources: Mapping[str, Sequence[str]]
  text: str = 'text'
  leave_off: str = ''
  label: str = ''
  language: str = ''
  origin: Sequence[str] = ()
  license: str = ''
  license_column: str = ''
  keep: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=dict)
  max_document_bytes: int = 10_000_000

  def __post_init__(self):
    files.check_paths(self.paths, 'Tables.paths')
    files.check_positive('Tables', max_document_bytes=self.max_document_bytes)
    if not isinstance(self.sources, Mapping) or not self.sources:
      raise errors.UserError(
        'Tables.sources must map sources to labels, like'
        f" {{'code/python': ['Python']}}; got {self.sources!r}."
      )
    for source, labels in self.sources.items():
      records.check_source_name(source)
      if isinstance(labels, str) or not labels:
        raise errors.UserError(
          f'Tables.sources[{source!r}] must be a list of labels, or ["*"] for'
          f' all others; got {labels!r}.'
        )
    named = Counter(
      _same(label) for labels in self.sources.values() for label in labels
    )
    for label, count in named.items():
      if count > 1:
        raise errors.UserError(
          f'Tables.sources gives the label {label!r} to two sources.'
        )
    try:
      re.compile(self.leave_off)
    except re.error as error:
      raise errors.UserError(
        f'Tables.leave_off must be a regular expression, got'
        f' {self.leave_off!r} ({error}).'
      ) from error
    for name in ('origin', 'keep'):
      if isinstance(getattr(self, name), str):
        raise errors.UserError(
          f'Tables.{name} must be a list or mapping of columns, got'
          f' {getattr(self, name)!r}.'
        )
    if not self.text or (self.license and self.license_column):
      raise errors.UserError(
        'Tables.text must name a column, and only one of license and'
        f' license_column can be set; got {self.text!r}, {self.license!r} and'
        f' {self.license_column!r}.'
      )

  def source_names(self) -> tuple[str, ...]:
    """The sources that labels are given to."""
    return tuple(self.sources)

  def parts(self, max_bytes_per_source: int) -> Iterator[files.InputFile]:
    """The files."""
    del max_bytes_per_source
    return files.listed(self.paths, 'Tables.paths', (_PARQUET, *_JSON_LINES))

  def read(
    self, part: files.InputFile, is_full: reading.IsFull
  ) -> Iterator[reading.Item]:
    """The documents of one file.

    Raises:
      UserError: when the file does not have a column that was named.
    """
    # Whose row it would have been is not known without a label.
    unknown = self.source_names()[0]
    source_by_label = {
      _same(label): source
      for source, labels in self.sources.items()
      for label in labels
    }
    folder = posixpath.basename(posixpath.dirname(part.path))
    for origin, row in self.rows(part):
      if all(map(is_full, self.sources)):
        return
      source = unknown
      try:
        if isinstance(row, files.RefusedError):
          raise row
        self._check_kept(row)
        label = self._label(row, folder)
        named = source_by_label.get(_same(label), source_by_label.get(_ANY))
        if named is None:
          raise files.RefusedError('label of no source', damaged=False)
        source = named
        if not is_full(source):
          yield self._document(row, source, label, origin)
      except files.RefusedError as refused:
        yield refused.skipped(source, origin)

  def rows(
    self, part: files.InputFile
  ) -> Iterator[tuple[str, Mapping[str, Any] | files.RefusedError]]:
    """Rows of one file with their names, or why there is none.

    Raises:
      UserError: when the file does not have a column that was named.
    """
    is_parquet = part.path.lower().endswith(_PARQUET)
    return self._parquet_rows(part) if is_parquet else self._json_rows(part)

  def _columns(self) -> tuple[str, ...]:
    """All columns that are read, each once."""
    named = (self.text, self.label, self.license_column, *self.origin)
    return tuple(dict.fromkeys(filter(None, (*named, *self.keep))))

  def _check_kept(self, row: Mapping[str, Any]) -> None:
    for column, values in self.keep.items():
      if field(row, column) not in values:
        raise files.RefusedError(f'{column} is not one to keep', damaged=False)

  def _label(self, row: Mapping[str, Any], folder: str) -> str:
    label = field(row, self.label) if self.label else folder
    if not isinstance(label, str):
      raise files.RefusedError('no label')
    return label

  def _document(
    self, row: Mapping[str, Any], source: str, label: str, origin: str
  ) -> documents.RawDocument:
    content = text(row, self.text)
    if self.leave_off:
      content = re.sub(rf'\A(?:{self.leave_off})', '', content)
    if not content.strip():
      raise files.RefusedError('empty', damaged=False)
    if len(content.encode('utf-8')) > self.max_document_bytes:
      raise files.RefusedError('too large', damaged=False)
    language = self.language or _same(label)
    named = [field(row, column) for column in self.origin]
    if named and all(isinstance(name, (str, int)) for name in named):
      origin = '/'.join(map(str, named))
    license_ = self.license
    if self.license_column:
      license_ = _license(field(row, self.license_column))
    return documents.RawDocument(
      content,
      source,
      files.valid(language),
      files.valid(origin),
      files.valid(license_),
    )

  def _parquet_rows(
    self, part: files.InputFile
  ) -> Iterator[tuple[str, Mapping[str, Any] | files.RefusedError]]:
    """Rows with their names; in the place of a damaged row group, what is so.

    The rows of a group that come before its damage stay.
    """
    try:
      with files.opened(part.path) as stream:
        table = parquet.ParquetFile(
          stream,
          buffer_size=_BUFFER_BYTES,
          pre_buffer=False,
          page_checksum_verification=True,
        )
        paths = [column.path for column in table.schema]
        for column in self._columns():
          if not any(f'{path}.'.startswith(f'{column}.') for path in paths):
            raise _missing(column, part, table.schema_arrow.names)
        start = 0
        for group in range(table.num_row_groups):
          number = start
          try:
            for batch in table.iter_batches(
              _ROWS_PER_BATCH, [group], self._columns()
            ):
              for row in _rows(batch):
                yield f'{part.origin}#{number}', row
                number += 1
          except files.READ_ERRORS as error:
            origin = f'{part.origin}#{number} to the end of row group {group}'
            yield origin, files.broken(error)
          start += table.metadata.row_group(group).num_rows
    except files.RefusedError as refused:
      yield part.origin, refused
    except (*files.READ_ERRORS, UnicodeDecodeError) as error:
      yield part.origin, files.broken(error)

  def _json_rows(
    self, part: files.InputFile
  ) -> Iterator[tuple[str, Mapping[str, Any] | files.RefusedError]]:
    """Rows with their names, or what is wrong with them."""
    # Escapes make at most six bytes of one, beside the other columns.
    max_line_bytes = 8 * self.max_document_bytes
    missing = set(self._columns())
    shown: dict[str, None] = {}
    num_rows = 0
    try:
      with files.opened(part.path) as stream:
        for number, line in enumerate(files.lines(stream, max_line_bytes)):
          origin = f'{part.origin}#{number}'
          try:
            row = _json_row(line)
          except files.RefusedError as refused:
            yield origin, refused
            continue
          if row is None:
            continue
          if missing and num_rows < _ROWS_THAT_SHOW_ALL_COLUMNS:
            missing = {name for name in missing if not _has(row, name)}
            shown.update(dict.fromkeys(row))
            num_rows += 1
            if missing and num_rows == _ROWS_THAT_SHOW_ALL_COLUMNS:
              raise _missing(sorted(missing)[0], part, shown)
          yield origin, row
    except files.RefusedError as refused:
      yield part.origin, refused
    except files.READ_ERRORS as error:
      yield part.origin, files.broken(error)
    if missing and num_rows:
      raise _missing(sorted(missing)[0], part, shown)


def _rows(
  batch: pa.RecordBatch,
) -> Iterator[Mapping[str, Any] | files.RefusedError]:
  """The rows of a batch; a string that is not UTF-8 spoils its row alone."""
  try:
    yield from batch.to_pylist()
  except UnicodeDecodeError:
    for place in range(batch.num_rows):
      try:
        yield from batch.slice(place, 1).to_pylist()
      except UnicodeDecodeError:
        yield files.RefusedError(files.NOT_TEXT)


def _json_row(line: bytes | None) -> Mapping[str, Any] | None:
  """The object of a line; None for an empty line."""
  if line is None:
    raise files.RefusedError('too large', damaged=False)
  if not line.strip():
    return None
  try:
    row = json.loads(line.decode('utf-8-sig'))
  # Nesting without end, and numbers without end.
  except (ValueError, RecursionError) as error:
    raise files.RefusedError('not JSON') from error
  if not isinstance(row, Mapping):
    raise files.RefusedError('not a JSON object')
  return row


def _same(label: str) -> str:
  """One spelling for all of a label."""
  return languages.from_label(label) or label.strip().lower()


def _missing(
  column: str, part: files.InputFile, shown: Any
) -> errors.UserError:
  return errors.UserError(
    f'Tables names the column {column}, which {part.path} does not have; it'
    f' has {", ".join(map(str, shown))}.'
  )


def _has(row: Mapping[str, Any], column: str) -> bool:
  """Whether a row has a column, be it null."""
  if column in row:
    return True
  outer, _, inner = column.partition('.')
  value = row.get(outer)
  return bool(inner) and isinstance(value, Mapping) and _has(value, inner)


def field(row: Mapping[str, Any], column: str) -> Any:
  """The value of a column, None where a row lacks it."""
  if column in row:
    return row[column]
  outer, _, inner = column.partition('.')
  value = row.get(outer)
  return field(value, inner) if isinstance(value, Mapping) and inner else None


def text(row: Mapping[str, Any], column: str) -> str:
  """The text in a column, with plain line ends.

  Raises:
    RefusedError: when it is none.
  """
  value = field(row, column)
  if not isinstance(value, str):
    raise files.RefusedError(f'{column} is not text')
  return files.checked(value)


def _license(value: Any) -> str:
  """An SPDX expression from one license or several that all hold."""
  if isinstance(value, str):
    return value.strip()
  if not isinstance(value, list):
    return ''
  named = dict.fromkeys(
    name.strip() for name in value if isinstance(name, str) and name.strip()
  )
  return ' AND '.join(named)
