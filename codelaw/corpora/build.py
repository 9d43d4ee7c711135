"""Builds a corpus: read, filter, deduplicate, split, write.

Documents stream through one at a time; what is remembered of them is one
key and one signature each. The index is written when all is done, so a
build that was stopped leaves no corpus, and the next one starts afresh.
"""

from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import hashlib
from typing import Any

import codelaw
from codelaw import errors
from codelaw import storage
from codelaw.corpora import deduplication
from codelaw.corpora import documents
from codelaw.corpora import filters
from codelaw.corpora import reading
from codelaw.corpora import report

Progress = Callable[[str, float], None]


@dataclasses.dataclass(frozen=True)
class CorpusPlan:
  """What a corpus is meant to hold.

  Attributes:
    readers: where documents come from. Earlier readers win: a duplicate of
      a document that was kept is dropped.
    output_dir: folder of the corpus.
    deduplication: settings of the search for duplicates.
    filters: names of filters (see `filters.FILTERS`), applied in order.
    validation_fraction: of the documents (or groups of documents), chosen
      by a hash of their content alone: no corpus trains on what another one
      with the same or a smaller fraction holds out.
    max_bytes_per_source: of UTF-8 text; a source is cut there.
    min_bytes_per_source: a source with less text is a mistake.
  """

  readers: Sequence[reading.Reader]
  output_dir: str
  deduplication: deduplication.Deduplication
  filters: Sequence[str] = ()
  validation_fraction: float = 0.1
  max_bytes_per_source: int = 1_000_000_000
  min_bytes_per_source: int = 100_000

  def __post_init__(self):
    if not isinstance(self.readers, (list, tuple)) or not all(
      hasattr(reader, 'source_names') for reader in self.readers
    ):
      raise errors.UserError(
        'CorpusPlan.readers must be a list of readers, like'
        f' [@PythonEnvironment()]; got {self.readers!r}.'
      )
    object.__setattr__(self, 'readers', tuple(self.readers))
    if not self.readers:
      raise errors.UserError('CorpusPlan.readers must name at least one.')
    if not self.output_dir or not isinstance(self.output_dir, str):
      raise errors.UserError(
        'CorpusPlan.output_dir must be the folder to write, got'
        f' {self.output_dir!r}.'
      )
    if isinstance(self.filters, str):
      raise errors.UserError(
        f'CorpusPlan.filters must be a list of names, got {self.filters!r}.'
      )
    filters.check(self.filters, 'CorpusPlan.filters')
    if not isinstance(self.deduplication, deduplication.Deduplication):
      raise errors.UserError(
        'CorpusPlan.deduplication must be @Deduplication(), got'
        f' {self.deduplication!r}.'
      )
    if not 0 < self.validation_fraction < 1:
      raise errors.UserError(
        'CorpusPlan.validation_fraction must be between 0 and 1, got'
        f' {self.validation_fraction!r}.'
      )
    if not 0 < self.min_bytes_per_source <= self.max_bytes_per_source:
      raise errors.UserError(
        'CorpusPlan.min_bytes_per_source must be positive and at most'
        f' max_bytes_per_source, got {self.min_bytes_per_source!r} and'
        f' {self.max_bytes_per_source!r}.'
      )

  def settings(self) -> dict[str, Any]:
    """Everything but the output folder, as plain JSON values."""
    return {
      'readers': [
        {'reader': type(reader).__name__, **_plain(reader)}
        for reader in self.readers
      ],
      'filters': list(self.filters),
      'deduplication': _plain(self.deduplication),
      'validation_fraction': self.validation_fraction,
      'max_bytes_per_source': self.max_bytes_per_source,
      'min_bytes_per_source': self.min_bytes_per_source,
    }


def build(
  plan: CorpusPlan, progress: Progress | None = None
) -> report.CorpusReport:
  """Builds the corpus of a plan, unless its folder already holds it.

  Args:
    plan: what to build.
    progress: called with what is being done and the share that is done.

  Returns:
    What `corpus.json` holds.

  Raises:
    UserError: when the folder holds the corpus of another plan or is in
      use, when a source ends up with too little text, or when the folder
      cannot be written.
  """
  tell = progress or (lambda message, fraction: None)
  settings = plan.settings()
  fingerprint = storage.fingerprint(settings)
  with storage.exclusive(plan.output_dir):
    if report.exists(plan.output_dir):
      found = report.read(plan.output_dir)
      if found.plan_fingerprint != fingerprint:
        raise errors.UserError(
          f'{plan.output_dir} holds a corpus of another plan'
          f' ({found.plan_fingerprint}, this one is {fingerprint}); give this'
          ' one another folder, or delete that folder first.'
        )
      tell(f'{plan.output_dir} already holds this corpus', 1.0)
      return found
    try:
      _remove_leftovers(plan.output_dir)
      with _Corpus(plan) as corpus:
        corpus.read(tell)
        content = corpus.finish(settings, fingerprint)
    except OSError as error:
      raise errors.UserError(
        f'Cannot write the corpus to {plan.output_dir}:'
        f' {error.strerror or error}. Free space or choose another folder.'
      ) from error
    report.write(plan.output_dir, content)
  tell(f'wrote {plan.output_dir}', 1.0)
  return content


def _remove_leftovers(output_dir: str) -> None:
  """Removes the documents of a build that was stopped.

  What is not in the index is never read; this only frees the space. Paths in
  buckets know no recursive pattern, so the usual depths are named.
  """
  for pattern in ('*/documents-*.parquet', '*/*/documents-*.parquet'):
    for file in storage.path(output_dir).glob(pattern):
      file.unlink()


def split_of(raw: documents.RawDocument, validation_fraction: float) -> str:
  """The split of a document: a hash of its group, or of its own content.

  No kept document is a near-copy of another, so that its own content can
  decide. A group holds together what is related in another way, like the
  translations of one program.
  """
  key = raw.group or deduplication.content_key(raw.text)
  place = int(hashlib.sha256(key.encode('utf-8')).hexdigest()[:8], 16) / 2**32
  return 'validation' if place < validation_fraction else 'train'


class _Source:
  """The files and counts of one source while a corpus is built."""

  def __init__(self, output_dir: str, name: str):
    self.writer = documents.SourceWriter(output_dir, name)
    self.full = False
    self.documents_read = 0
    self.bytes = 0
    self.documents: Counter[str] = Counter()
    self.split_bytes: Counter[str] = Counter()
    self.dropped: Counter[str] = Counter()
    self.languages: Counter[str] = Counter()
    self.licenses: Counter[str] = Counter()

  def add(self, item: documents.Document) -> None:
    self.writer.write(item)
    self.bytes += item.bytes
    self.documents[item.split] += 1
    self.split_bytes[item.split] += item.bytes
    self.languages[item.language] += 1
    self.licenses[item.license] += 1

  def finish(self) -> report.SourceReport:
    return report.SourceReport(
      splits={
        split: report.SplitReport(
          self.documents[split], self.split_bytes[split]
        )
        for split in report.SPLITS
      },
      files=self.writer.close(),
      documents_read=self.documents_read,
      dropped=dict(self.dropped.most_common()),
      languages=dict(self.languages.most_common()),
      licenses=dict(self.licenses.most_common()),
    )


class _Corpus:
  """A corpus while it is built: open files, counts, known documents."""

  def __init__(self, plan: CorpusPlan):
    self._plan = plan
    self._index = deduplication.Index(plan.deduplication)
    self._sources: dict[str, _Source] = {}
    self._digest = hashlib.sha256()

  def __enter__(self) -> '_Corpus':
    return self

  def __exit__(self, *_: Any) -> None:
    for source in self._sources.values():
      source.writer.abandon()

  def read(self, tell: Progress) -> None:
    """Takes documents from all readers until sources are full or ended."""
    readers = self._plan.readers
    for place, reader in enumerate(readers):
      names = reader.source_names()
      for name in names:
        self._sources.setdefault(name, _Source(self._plan.output_dir, name))
      for part in reader.parts(self._plan.max_bytes_per_source):
        for item in reader.read(part, self._is_full):
          if isinstance(item, documents.RawDocument):
            self._take(item, self._sources[item.source])
          if all(map(self._is_full, names)):
            break
        if all(map(self._is_full, names)):
          break
        share = sum(map(self._share, names)) / len(names)
        tell(', '.join(names), (place + share) / len(readers))
    for name, source in self._sources.items():
      self._check(name, source)

  def _is_full(self, name: str) -> bool:
    return self._sources[name].full

  def _share(self, name: str) -> float:
    """The part of what a source can hold that it has."""
    source = self._sources[name]
    if source.full:
      return 1.0
    return source.bytes / self._plan.max_bytes_per_source

  def _take(self, raw: documents.RawDocument, source: _Source) -> None:
    """Keeps or drops a document; one that would overfill its source ends it."""
    if source.full:
      return
    dropped = filters.first_to_drop(raw, self._plan.filters)
    if dropped is None:
      item = documents.document(
        raw, split_of(raw, self._plan.validation_fraction)
      )
      if source.bytes + item.bytes > self._plan.max_bytes_per_source:
        source.full = True
        return
      dropped = self._index.add(raw.text)
    source.documents_read += 1
    if dropped is not None:
      source.dropped[dropped] += 1
      return
    source.add(item)
    line = f'{item.source} {item.split} {item.content_sha256}\n'
    self._digest.update(line.encode('utf-8'))

  def _check(self, name: str, source: _Source) -> None:
    least = self._plan.min_bytes_per_source
    if source.bytes < least:
      dropped = ', '.join(f'{n} {why}' for why, n in source.dropped.items())
      raise errors.UserError(
        f'Source {name} has {source.bytes:,} bytes in'
        f' {source.documents.total():,} documents (read'
        f' {source.documents_read:,}; dropped {dropped or "none"}), fewer than'
        f' CorpusPlan.min_bytes_per_source = {least:,}. Give its reader more'
        ' to read, drop fewer documents, lower the minimum, or leave the'
        ' source out.'
      )
    for split in report.SPLITS:
      if not source.documents[split]:
        raise errors.UserError(
          f'Source {name} has no {split} document among its'
          f' {source.documents.total():,}; change'
          ' CorpusPlan.validation_fraction'
          f' ({self._plan.validation_fraction}) or give it more documents.'
        )

  def finish(
    self, settings: Mapping[str, Any], fingerprint: str
  ) -> report.CorpusReport:
    """Ends all files and returns the content of the index."""
    return report.CorpusReport(
      sources={name: s.finish() for name, s in self._sources.items()},
      plan=settings,
      plan_fingerprint=fingerprint,
      fingerprint=self._digest.hexdigest()[:16],
      codelaw_version=codelaw.__version__,
    )


def _plain(record: Any) -> dict[str, Any]:
  """The fields of a flat dataclass as plain JSON values."""
  return {
    field.name: _value(getattr(record, field.name))
    for field in dataclasses.fields(record)
  }


def _value(value: Any) -> Any:
  if isinstance(value, Mapping):
    return {key: _value(entry) for key, entry in value.items()}
  if isinstance(value, (tuple, list)):
    return [_value(entry) for entry in value]
  return value
