"""Documents from plain text: a file each, or many to a file."""

from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses

from codelaw import errors
from codelaw import records
from codelaw.corpora import documents
from codelaw.corpora import files
from codelaw.corpora import reading


@dataclasses.dataclass(frozen=True)
class PlainText:
  """Reads text files, one at a time or one document at a time.

  Attributes:
    paths: files, folders or globs, local or in a bucket; .gz, .bz2, .xz and
      .zst are read decompressed.
    source: of all documents.
    language: of all documents.
    license: of all documents; '' when unknown.
    separator: a line that stands between two documents of a file, like
      `<|endoftext|>`; None when a file is one document. Only UTF-8 can be
      separated.
    suffixes: endings of the files to take from folders.
    max_document_bytes: a longer document is left out, never cut.
  """

  paths: Sequence[str]
  source: str = 'text/web'
  language: str = 'text'
  license: str = ''
  separator: str | None = None
  suffixes: Sequence[str] = ('.txt', '.text')
  max_document_bytes: int = 10_000_000

  def __post_init__(self):
    files.check_paths(self.paths, 'PlainText.paths')
    records.check_source_name(self.source)
    files.check_positive(
      'PlainText', max_document_bytes=self.max_document_bytes
    )
    if self.separator is not None and '\n' in self.separator:
      raise errors.UserError(
        f'PlainText.separator must be one line, got {self.separator!r}.'
      )

  def source_names(self) -> tuple[str, ...]:
    """The one source."""
    return (self.source,)

  def parts(self, max_bytes_per_source: int) -> Iterator[files.InputFile]:
    """The files."""
    del max_bytes_per_source
    return files.listed(self.paths, 'PlainText.paths', self.suffixes)

  def read(
    self, part: files.InputFile, is_full: reading.IsFull
  ) -> Iterator[reading.Item]:
    """The documents of one file."""
    try:
      if self.separator is None:
        content = files.read(part.path, self.max_document_bytes)
        yield self._document(content, part.origin)
      else:
        yield from self._separated(part, is_full)
    except files.RefusedError as refused:
      yield refused.skipped(self.source, part.origin)

  def _separated(
    self, part: files.InputFile, is_full: reading.IsFull
  ) -> Iterator[reading.Item]:
    place = 0
    try:
      with files.opened(part.path) as stream:
        for content in self._contents(stream):
          if is_full(self.source):
            return
          origin = f'{part.origin}#{place}'
          place += 1
          try:
            if content is None:
              raise files.RefusedError('too large', damaged=False)
            yield self._document(content, origin)
          except files.RefusedError as refused:
            yield refused.skipped(self.source, origin)
    except files.READ_ERRORS as error:
      raise files.broken(error) from error

  def _contents(self, stream) -> Iterator[bytes | None]:
    """What stands between separators; None where it is too much."""
    separator = (self.separator or '').encode('utf-8')
    held: list[bytes] = []
    size, too_large = 0, False
    for line in files.lines(stream, self.max_document_bytes):
      if line is not None and line.rstrip(b'\r') == separator:
        if size:
          yield None if too_large else b'\n'.join(held)
        held, size, too_large = [], 0, False
        continue
      size += 1 + len(line or b'')
      too_large |= line is None or size > self.max_document_bytes + 1
      if line is not None and not too_large:
        held.append(line)
      else:
        held = []
    if size:
      yield None if too_large else b'\n'.join(held)

  def _document(self, content: bytes, origin: str) -> documents.RawDocument:
    text = files.decode(content)
    if not text.strip():
      raise files.RefusedError('empty', damaged=False)
    return documents.RawDocument(
      text, self.source, self.language, origin, self.license
    )
