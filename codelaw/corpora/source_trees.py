"""Documents from trees of source files, typed by language.

`SourceTree` reads folders of this machine or of a bucket. The pieces below
it are shared with `environment`: what a readable source file is, and the
order in which files are taken when a source holds less than all of them.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import hashlib
import itertools
import os
import posixpath

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.corpora import documents
from codelaw.corpora import files
from codelaw.corpora import languages
from codelaw.corpora import reading

_FILES_PER_PART = 50
_KEY_BYTES = 8
_FOLDER_BYTES = 2


@dataclasses.dataclass(frozen=True)
class SourceFile:
  """A file that may become a document.

  Attributes:
    path: where it is.
    origin: how documents name it, on every machine alike.
    owner: the distribution or folder it came with.
    license: of the owner, '' when unknown.
  """

  path: str
  origin: str
  owner: str
  license: str = ''


@dataclasses.dataclass(frozen=True)
class SourceFiles:
  """Files that may hold documents of some sources: a part of the work."""

  sources: tuple[str, ...]
  files: tuple[SourceFile, ...]


@dataclasses.dataclass(frozen=True)
class SourceTree:
  """Reads the source files below folders.

  All files of the wanted languages are listed before the first is read,
  because they are taken in a random order; a listed file takes about 60 bytes
  and its path below the folder (some 120 MB for a million files).

  Attributes:
    folders: whose files are read, local or in a bucket; a document's origin
      starts with the folder's own name. Hidden folders and files are left
      out, as are links.
    sources: source -> languages that belong to it.
    license: of everything in the folders; '' when unknown.
    min_file_bytes: smaller files are not documents.
    max_file_bytes: larger files are data more often than code.
    seed: of the order in which files are taken.
  """

  folders: Sequence[str]
  sources: Mapping[str, Sequence[str]]
  license: str = ''
  min_file_bytes: int = 100
  max_file_bytes: int = 100_000
  seed: int = 0

  def __post_init__(self):
    if isinstance(self.folders, str) or not self.folders:
      raise errors.UserError(
        f'SourceTree.folders must be a list of folders, got {self.folders!r}.'
      )
    check_sources(self.sources, 'SourceTree')
    check_sizes(self.min_file_bytes, self.max_file_bytes, 'SourceTree')

  def source_names(self) -> tuple[str, ...]:
    """The sources that were asked for."""
    return tuple(self.sources)

  def parts(self, max_bytes_per_source: int) -> Iterator[SourceFiles]:
    """Groups of files of all sources, so that none is read twice.

    Raises:
      UserError: when a folder does not exist.
    """
    del max_bytes_per_source  # One owner: nothing to share out.
    roots = [os.path.expanduser(folder) for folder in self.folders]
    for folder, root in zip(self.folders, roots, strict=True):
      if not storage.path(root).is_dir():
        raise errors.UserError(
          f'SourceTree.folders names {folder}, which is not a folder here.'
        )
    names = [_name(root) for root in roots]
    keys = self._keys(roots, names)
    keys.sort()
    found = (self._file(key, roots, names) for key in keys)
    yield from grouped(found, tuple(self.sources))

  def read(
    self, part: SourceFiles, is_full: reading.IsFull
  ) -> Iterator[reading.Item]:
    """The documents of a group of files."""
    return read_files(
      part,
      self.sources,
      self.min_file_bytes,
      self.max_file_bytes,
      is_full,
    )

  def _keys(self, roots: Sequence[str], names: Sequence[str]) -> list[bytes]:
    """Each file as its place in the order, its folder and its path."""
    wanted = frozenset(itertools.chain(*self.sources.values()))
    keys = []
    for place, (root, name) in enumerate(zip(roots, names, strict=True)):
      for _, relative in files.walk(root):
        # A slash is at the end of a folder that cannot be listed.
        if languages.could_be(relative, wanted) or relative.endswith('/'):
          parts = (
            order_key(files.valid(f'{name}/{relative}'), self.seed),
            place.to_bytes(_FOLDER_BYTES, 'big'),
            os.fsencode(relative),
          )
          keys.append(b''.join(parts))
    return keys

  def _file(
    self, key: bytes, roots: Sequence[str], names: Sequence[str]
  ) -> SourceFile:
    end = _KEY_BYTES + _FOLDER_BYTES
    place = int.from_bytes(key[_KEY_BYTES:end], 'big')
    relative, name = os.fsdecode(key[end:]), names[place]
    return SourceFile(
      posixpath.join(roots[place], relative),
      files.valid(f'{name}/{relative}'),
      name,
      self.license,
    )


def _name(root: str) -> str:
  """The folder's own name, whatever way its path is written."""
  if '://' not in root:
    root = os.path.realpath(root)
  return posixpath.basename(root.rstrip('/'))


def check_sources(sources: Mapping[str, Sequence[str]], reader: str) -> None:
  """Raises `UserError` unless `sources` maps sources to known languages."""
  if not isinstance(sources, Mapping) or not sources:
    raise errors.UserError(
      f'{reader}.sources must map sources to languages, like'
      f" {{'code/python': ['python']}}; got {sources!r}."
    )
  for source, wanted in sources.items():
    records.check_source_name(source)
    if isinstance(wanted, str) or not wanted:
      raise errors.UserError(
        f'{reader}.sources[{source!r}] must be a list of languages, got'
        f' {wanted!r}.'
      )
    languages.check(wanted, f'{reader}.sources[{source!r}]')


def check_sizes(min_file_bytes: int, max_file_bytes: int, reader: str) -> None:
  """Raises `UserError` unless some file can have an accepted size."""
  if not 0 <= min_file_bytes <= max_file_bytes:
    raise errors.UserError(
      f'{reader}.min_file_bytes must be at least 0 and at most'
      f' max_file_bytes, got {min_file_bytes!r} and {max_file_bytes!r}.'
    )


def order_key(origin: str, seed: int) -> bytes:
  """The place of a file in the order in which files are taken.

  It is a hash: a source that is cut at a number of bytes is then a sample of
  all files, whatever order the file system lists them in.
  """
  return hashlib.sha256(f'{seed}:{origin}'.encode()).digest()[:_KEY_BYTES]


def grouped(
  found: Iterable[SourceFile], sources: tuple[str, ...]
) -> Iterator[SourceFiles]:
  """Files in groups that are worth a piece of work."""
  remaining = iter(found)
  while group := tuple(itertools.islice(remaining, _FILES_PER_PART)):
    yield SourceFiles(sources, group)


def read_files(
  part: SourceFiles,
  languages_by_source: Mapping[str, Sequence[str]],
  min_file_bytes: int,
  max_file_bytes: int,
  is_full: reading.IsFull,
) -> Iterator[reading.Item]:
  """Yields the documents of files, and what gave none.

  What cannot be read or is not text is damaged; but a file without extension
  that holds a NUL is a program, and one that is not text and does not begin
  as a script is no source file. Files that are too small or too large, or
  whose content shows another language than those wanted, are passed over. A
  file that several sources might want is counted for the first of them.
  """
  for file in part.files:
    open_sources = [
      source
      for source in part.sources
      if not is_full(source)
      and (
        languages.could_be(file.origin, languages_by_source[source])
        or file.origin.endswith('/')
      )
    ]
    if not open_sources:
      continue
    try:
      text = _text(file, min_file_bytes, max_file_bytes)
    except files.RefusedError as refused:
      yield refused.skipped(open_sources[0], file.origin)
      continue
    language = languages.detect(file.origin, text)
    found = [
      source
      for source in open_sources
      if language in languages_by_source[source]
    ]
    if language is None or not found:
      yield reading.Skipped(open_sources[0], file.origin, 'another language')
      continue
    for source in found:
      yield documents.RawDocument(
        text, source, language, file.origin, file.license
      )


def _text(file: SourceFile, min_file_bytes: int, max_file_bytes: int) -> str:
  content = files.read(file.path, max_file_bytes)
  if len(content) < min_file_bytes:
    raise files.RefusedError('too small', damaged=False)
  # Programs, and archives that begin with a script.
  if not posixpath.splitext(file.origin)[1] and b'\0' in content:
    raise files.RefusedError('another language', damaged=False)
  try:
    return files.decode(content)
  except files.RefusedError as refused:
    if content.startswith(b'#!') or not languages.needs_first_line(file.origin):
      raise
    raise files.RefusedError('another language', damaged=False) from refused
