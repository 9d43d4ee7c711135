"""What a corpus holds: the content of its index file, `corpus.json`.

The index is written last, so a folder without it is not a corpus but the
remains of a build that was stopped. Nothing reads a corpus except through
its index.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any

from codelaw import errors
from codelaw import records
from codelaw import storage

INDEX_NAME = 'corpus.json'
SPLITS = ('train', 'validation')


@dataclasses.dataclass(frozen=True)
class SplitReport:
  """Documents and UTF-8 bytes of one split of one source."""

  documents: int
  bytes: int


@dataclasses.dataclass(frozen=True)
class DroppedReport:
  """Documents and UTF-8 bytes that one reason kept out of a source."""

  documents: int
  bytes: int


@dataclasses.dataclass(frozen=True)
class DamagedItem:
  """A file, row or record that should have been readable and was not.

  Attributes:
    source: that it would have belonged to.
    origin: its path, URL or place in a table.
    reason: in a few words.
  """

  source: str
  origin: str
  reason: str


@dataclasses.dataclass(frozen=True)
class SourceReport:
  """What one source holds and what was dropped on the way.

  Attributes:
    splits: split -> what it holds.
    files: Parquet files, relative to the corpus folder, in reading order.
    documents_read: documents that came from the readers; equals the kept
      plus the dropped ones.
    dropped: filter or kind of duplicate -> what was dropped by it.
    languages: language -> documents kept.
    licenses: license ('' when unknown) -> documents kept.
    skipped: reason -> files, rows or records that gave no document and did
      not have to.
    damaged: reason -> those that should have been readable.
    copies_kept: near-copies of earlier documents among the kept ones.
    largest_cluster: documents of this source in the largest of its clusters,
      which share a split (`clusters`).
  """

  splits: Mapping[str, SplitReport]
  files: tuple[str, ...]
  documents_read: int
  dropped: Mapping[str, DroppedReport]
  languages: Mapping[str, int]
  licenses: Mapping[str, int]
  skipped: Mapping[str, int] = dataclasses.field(default_factory=dict)
  damaged: Mapping[str, int] = dataclasses.field(default_factory=dict)
  copies_kept: int = 0
  largest_cluster: int = 0

  @property
  def documents(self) -> int:
    """Documents of all splits."""
    return sum(split.documents for split in self.splits.values())

  @property
  def bytes(self) -> int:
    """UTF-8 bytes of the text of all splits."""
    return sum(split.bytes for split in self.splits.values())


@dataclasses.dataclass(frozen=True)
class LeftOutReport:
  """What was found for a source that the corpus goes without.

  Attributes:
    reason: in a few words (`small_sources`).
    documents: that passed the filters and are nobody's copy.
    bytes: UTF-8, of their text.
    documents_read: as of a `SourceReport`.
    dropped: filter or kind of duplicate -> documents dropped by it.
    skipped: as of a `SourceReport`.
    damaged: as of a `SourceReport`.
  """

  reason: str
  documents: int
  bytes: int
  documents_read: int
  dropped: Mapping[str, int]
  skipped: Mapping[str, int]
  damaged: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class CorpusReport:
  """The content of `corpus.json`.

  Attributes:
    sources: source -> its report, in the order of the readers.
    plan: the plan's settings as plain JSON values, output folder left out.
    plan_fingerprint: of `plan`.
    fingerprint: of every document's source, split and content, whatever
      their order.
    codelaw_version: that built the corpus.
    damaged: the first 1,000 damaged items by name, in reading order.
    left_out: source of the readers that the corpus goes without -> what was
      found for it.
  """

  sources: Mapping[str, SourceReport]
  plan: Mapping[str, Any]
  plan_fingerprint: str
  fingerprint: str
  codelaw_version: str
  damaged: tuple[DamagedItem, ...] = ()
  left_out: Mapping[str, LeftOutReport] = dataclasses.field(
    default_factory=dict
  )


def exists(corpus_dir: storage.PathLike) -> bool:
  """Whether `corpus_dir` holds a whole corpus."""
  return (storage.path(corpus_dir) / INDEX_NAME).exists()


def read(corpus_dir: storage.PathLike) -> CorpusReport:
  """Reads the index of a corpus.

  Raises:
    UserError: when there is none, or it is not an index of a corpus.
  """
  if not exists(corpus_dir):
    raise errors.UserError(
      f'{storage.path(corpus_dir)} holds no finished corpus (it has no'
      f' {INDEX_NAME}); build one with `codelaw corpus build`.'
    )
  content = storage.read_json(storage.path(corpus_dir) / INDEX_NAME)
  return records.from_json(content, CorpusReport)


def write(corpus_dir: storage.PathLike, content: CorpusReport) -> None:
  """Writes the index, which makes the folder a corpus."""
  storage.write_json(
    storage.path(corpus_dir) / INDEX_NAME, records.to_json(content)
  )
