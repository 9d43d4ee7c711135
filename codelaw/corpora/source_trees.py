"""Documents from trees of source files, typed by language.

`SourceTree` reads folders of this machine. The pieces below it are shared
with `environment`: what a readable source file is, and in which order files
are taken when a source holds less than all of them.
"""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import hashlib
import itertools
import os
import pathlib

from codelaw import errors
from codelaw import records
from codelaw.corpora import documents
from codelaw.corpora import languages
from codelaw.corpora import reading

_FILES_PER_PART = 50


@dataclasses.dataclass(frozen=True)
class SourceFile:
  """A file that may become a document.

  Attributes:
    path: where it is on this machine.
    origin: how documents name it, on every machine alike.
    owner: the distribution or folder it came with, for `sample_order`.
    license: of the owner, '' when unknown.
  """

  path: str
  origin: str
  owner: str
  license: str = ''


@dataclasses.dataclass(frozen=True)
class FilesOfSource:
  """Files that may hold documents of one source: a part of a reader's work."""

  source: str
  files: tuple[SourceFile, ...]


@dataclasses.dataclass(frozen=True)
class SourceTree:
  """Reads the source files below local folders.

  Attributes:
    folders: whose files are read; a document's origin starts with the
      folder's own name. Hidden folders and files are left out.
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

  def source_names(self) -> tuple[str, ...]:
    """The sources that were asked for."""
    return tuple(self.sources)

  def parts(self, max_bytes_per_source: int) -> Iterator[FilesOfSource]:
    """Groups of files, source by source.

    Raises:
      UserError: when a folder does not exist.
    """
    del max_bytes_per_source  # One owner: nothing to share out.
    files = list(self._files())
    for source, wanted in self.sources.items():
      ordered = sample_order(
        files, wanted, self.seed, self.min_file_bytes, self.max_file_bytes
      )
      yield from grouped(ordered, source)

  def read(
    self, part: FilesOfSource, is_full: reading.IsFull
  ) -> Iterator[reading.Item]:
    """The documents of a group of files."""
    return read_files(part, self.sources[part.source], is_full)

  def _files(self) -> Iterator[SourceFile]:
    for folder in self.folders:
      root = pathlib.Path(folder).expanduser()
      if not root.is_dir():
        raise errors.UserError(
          f'SourceTree.folders names {folder}, which is not a folder here.'
        )
      name = root.resolve().name
      for path, relative in walk(root):
        yield SourceFile(path, f'{name}/{relative}', name, self.license)


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


def walk(
  root: pathlib.Path, leave_out: Iterable[str] = ()
) -> Iterator[tuple[str, str]]:
  """Yields (path, path relative to `root` with slashes) of files below it.

  Hidden entries, links, caches, the packages that npm installed, and folders
  named in `leave_out` are left out.
  """
  skipped = {'__pycache__', 'node_modules', *leave_out}
  for folder, folders, names in os.walk(root):
    folders[:] = [
      name
      for name in folders
      if name not in skipped and not name.startswith('.')
    ]
    for name in names:
      path = os.path.join(folder, name)
      if not name.startswith('.') and not os.path.islink(path):
        yield path, pathlib.Path(path).relative_to(root).as_posix()


def sample_order(
  files: Iterable[SourceFile],
  wanted: Sequence[str],
  seed: int,
  min_file_bytes: int,
  max_file_bytes: int,
  max_bytes_per_owner: float = float('inf'),
) -> Iterator[SourceFile]:
  """Yields the files that may hold `wanted` languages, in a seeded order.

  The order is that of a hash of seed and origin: a source that is cut at a
  number of bytes is then a sample of all files, whatever order the file
  system lists them in. Once an owner has given `max_bytes_per_owner`, the
  rest of its files come after those of all other owners, so that a large
  package dominates a source only when there is nothing else to read.
  """
  given: Counter[str] = Counter()
  deferred = []
  candidates = [
    file for file in files if languages.could_be(file.origin, wanted)
  ]
  for file in sorted(candidates, key=lambda file: _order_key(file, seed)):
    try:
      size = os.path.getsize(file.path)
    except OSError:  # Gone since it was listed: not a document.
      continue
    if not min_file_bytes <= size <= max_file_bytes:
      continue
    if given[file.owner] + size > max_bytes_per_owner:
      deferred.append(file)
      continue
    given[file.owner] += size
    yield file
  yield from deferred


def _order_key(file: SourceFile, seed: int) -> tuple[bytes, str]:
  # The path decides between folders of one name, whose origins may be equal.
  return hashlib.sha256(f'{seed}:{file.origin}'.encode()).digest(), file.path


def grouped(
  files: Iterable[SourceFile], source: str
) -> Iterator[FilesOfSource]:
  """Files in groups that are worth a piece of work."""
  remaining = iter(files)
  while group := tuple(itertools.islice(remaining, _FILES_PER_PART)):
    yield FilesOfSource(source, group)


def read_files(
  part: FilesOfSource, wanted: Sequence[str], is_full: reading.IsFull
) -> Iterator[reading.Item]:
  """Yields the documents of one source among files.

  Files that are not UTF-8 text, or whose content shows another language
  than those wanted, are passed over.
  """
  for file in part.files:
    if is_full(part.source):
      return
    text = _read_text(file.path)
    if text is None:
      continue
    language = languages.detect(file.origin, text)
    if language is not None and language in wanted:
      yield documents.RawDocument(
        text, part.source, language, file.origin, file.license
      )


def _read_text(path: str) -> str | None:
  """The text of a file with plain newlines; None when it is not text."""
  try:
    content = pathlib.Path(path).read_bytes()
    if b'\0' in content:
      return None
    text = content.decode('utf-8-sig')
  except (OSError, UnicodeDecodeError):
    return None
  return text.replace('\r\n', '\n').replace('\r', '\n')
