"""Builds a corpus: read, filter, deduplicate, split, write.

Documents stream through one at a time, twice: those that stay are staged on
disk, and written with their split when all were read. What is remembered of
them is about 1 kB each (`copies`). The index is written when all is done, so
a build that was stopped leaves no corpus, and the next one starts afresh.

Definitions owned here, for one source:
  read: documents that its readers gave, up to the one that would overfill it.
  dropped: those of them that the corpus does not hold, by the first reason:
    `empty`, `license`, the filters in their order, then duplicates, then
    `other_split` (`RawDocument.only_split`).
  skipped, damaged: what gave the readers no document.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
from typing import Any

import numpy as np

import codelaw
from codelaw import errors
from codelaw import storage
from codelaw.corpora import copies
from codelaw.corpora import damage
from codelaw.corpora import documents
from codelaw.corpora import filters
from codelaw.corpora import licenses
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import reading
from codelaw.corpora import report
from codelaw.corpora import small_sources
from codelaw.corpora import staging

Progress = Callable[[str, float], None]


@dataclasses.dataclass(frozen=True)
class Built:
  """What a way to build hands over for the index.

  Attributes:
    sources: source -> its report, in the order of the readers.
    identities: sum of the documents' `documents.identity`.
    damaged: the first damaged items, in reading order.
    left_out: small sources -> what was found for them, in the same order.
  """

  sources: Mapping[str, report.SourceReport]
  identities: int
  damaged: tuple[report.DamagedItem, ...]
  left_out: Mapping[str, report.LeftOutReport]


# Of the work of a build, about: the rest is writing the final files.
_READING_SHARE = 0.9
_MOST_SHOWN = 4


def in_process(plan: plan_lib.CorpusPlan, tell: Progress) -> Built:
  """Reads and writes the documents of a plan, one after the other."""
  with _Corpus(plan) as corpus:
    corpus.read(tell)
    return corpus.publish(tell)


def build(
  plan: plan_lib.CorpusPlan,
  progress: Progress | None = None,
  way: Callable[[plan_lib.CorpusPlan, Progress], Built] = in_process,
) -> report.CorpusReport:
  """Builds the corpus of a plan, unless its folder already holds it.

  Args:
    plan: what to build.
    progress: called with what is being done and the share that is done.
    way: what reads and writes the documents: `in_process`, or `distributed`
      with many workers. It does not change what the corpus holds.

  Returns:
    What `corpus.json` holds.

  Raises:
    UserError: when the folder holds the corpus of another plan or is in
      use, when the plan refuses small sources and there is one (one that
      ends up with too little text, without documents of one split or with
      too much damage), when all are small, or when the folder cannot be
      written.
  """
  tell = progress or (lambda message, fraction: None)
  settings = plan.settings()
  fingerprint = storage.fingerprint(settings)
  with staging.writing(plan.output_dir):
    storage.path(plan.output_dir).mkdir(parents=True, exist_ok=True)
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
    with staging.writing(plan.output_dir):
      staging.remove_leftovers(plan.output_dir)
    try:
      built = way(plan, tell)
    finally:
      # Once all is written nothing is staged; a build that failed cleans up
      # as far as the disk allows, and the next one removes the rest.
      with contextlib.suppress(OSError):
        staging.remove(plan.output_dir)
    content = report.CorpusReport(
      sources=built.sources,
      plan=settings,
      plan_fingerprint=fingerprint,
      fingerprint=documents.fingerprint(built.identities),
      codelaw_version=codelaw.__version__,
      damaged=built.damaged,
      left_out=built.left_out,
    )
    report.write(plan.output_dir, content)
  tell(f'wrote {plan.output_dir}', 1.0)
  return content


def drop_reason(
  plan: plan_lib.CorpusPlan, raw: documents.RawDocument
) -> str | None:
  """Why a document is dropped, whatever other documents there are; or None."""
  if not raw.text or raw.text.isspace():
    return 'empty'
  if plan.licenses is not None:
    allowed = (
      licenses.allows(plan.licenses, raw.license)
      if raw.license
      else plan.keep_unlicensed
    )
    if not allowed:
      return 'license'
  return filters.first_to_drop(raw, plan.filters)


def measured(item: reading.Item) -> tuple[reading.Item, int]:
  """An item and the UTF-8 bytes of its text; damaged when it has none."""
  if isinstance(item, reading.Skipped):
    return item, 0
  try:
    return item, len(item.text.encode('utf-8'))
  except UnicodeEncodeError:
    reason = 'text with code points that are no characters'
    return reading.Skipped(item.source, item.origin, reason, damaged=True), 0


@contextlib.contextmanager
def reading_from(reader: reading.Reader) -> Iterator[None]:
  """Explains an error of the file system while a reader reads."""
  try:
    yield
  except OSError as error:
    raise errors.UserError(
      f'{type(reader).__name__} cannot read on: {error}. Restore what it'
      ' was reading, or leave it out.'
    ) from error


def _shown(names: Sequence[str]) -> str:
  """The sources of a reader, as many as a line has room for."""
  more = len(names) - _MOST_SHOWN
  shown = ', '.join(names[:_MOST_SHOWN])
  return f'{shown} and {more} more' if more > 0 else shown


class _Corpus:
  """A corpus while it is built: its sources, known documents, damage."""

  def __init__(self, plan: plan_lib.CorpusPlan):
    self._plan = plan
    self._index = copies.Index(plan.deduplication)
    self._sources: dict[str, staging.Source] = {}
    self._damage = damage.Damage(plan.max_damaged_fraction)

  def __enter__(self) -> '_Corpus':
    return self

  def __exit__(self, *_: Any) -> None:
    for source in self._sources.values():
      source.abandon()

  def read(self, tell: Progress) -> None:
    """Takes documents from all readers until sources are full or ended."""
    readers = self._plan.readers
    for place, reader in enumerate(readers):
      names = reader.source_names()
      for name in names:
        if name not in self._sources:
          self._sources[name] = staging.Source(self._plan.output_dir, name)
      self._damage.begin(reader)
      with reading_from(reader):
        for share in self._read(reader, names):
          fraction = _READING_SHARE * (place + share) / len(readers)
          tell(_shown(names), fraction)
      self._damage.check()

  def _read(
    self, reader: reading.Reader, names: Sequence[str]
  ) -> Iterator[float]:
    """Takes documents from one reader; yields the share of it that is done."""
    for part in reader.parts(self._plan.max_bytes_per_source):
      for item in reader.read(part, self._is_full):
        self._take(item)
        if all(map(self._is_full, names)):
          return
      yield sum(map(self._share, names)) / len(names)

  def _is_full(self, name: str) -> bool:
    return self._sources[name].full

  def _share(self, name: str) -> float:
    """The part of what a source can hold that it has."""
    source = self._sources[name]
    if source.full:
      return 1.0
    return source.bytes / self._plan.max_bytes_per_source

  def _take(self, item: reading.Item) -> None:
    """Counts what a reader yielded; stages a document that stays."""
    source = self._sources[item.source]
    if source.full:
      return
    item, size = measured(item)
    if isinstance(item, documents.RawDocument):
      self._take_document(item, size, source)
      return
    if item.damaged:
      source.damaged[item.reason] += 1
      self._damage.add(item)
    else:
      source.skipped[item.reason] += 1

  def _take_document(
    self, raw: documents.RawDocument, size: int, source: staging.Source
  ) -> None:
    """Keeps or drops a document; one that would overfill its source ends it."""
    reason = drop_reason(self._plan, raw)
    if reason is None:
      if source.bytes + size > self._plan.max_bytes_per_source:
        source.full = True
        return
      reason, node = self._index.add(raw)
      is_copy = reason == 'near_duplicate'
      if is_copy and not self._plan.deduplication.drop_near:
        reason = None
    source.documents_read += 1
    self._damage.count_document()
    if reason is None:
      source.keep(raw, node, is_copy)
    else:
      source.drop(reason, size)

  def publish(self, tell: Progress) -> Built:
    """Writes all documents with their splits, but for small sources."""
    splits = {
      name: self._split(source) for name, source in self._sources.items()
    }
    left_out = small_sources.left_out(
      self._plan,
      {
        name: source.found(*splits[name])
        for name, source in self._sources.items()
      },
    )
    kept = [
      source for name, source in self._sources.items() if name not in left_out
    ]
    reports = {}
    identities = 0
    total = sum(source.bytes for source in kept)
    done = 0
    for source in kept:
      share = _READING_SHARE + (1 - _READING_SHARE) * done / total
      tell(f'writing {source.name}', share)
      reports[source.name], of_source = source.publish(*splits[source.name])
      identities += of_source
      done += source.bytes
    return Built(reports, identities, tuple(self._damage.named), left_out)

  def _split(self, source: staging.Source) -> tuple[np.ndarray, int]:
    """Which documents of a source are held out, and its largest cluster."""
    nodes = source.nodes
    held_out = self._index.held_out(nodes, self._plan.validation_fraction)
    sizes = self._index.cluster_sizes(nodes[source.allowed(held_out)])
    return held_out, int(sizes.max(initial=0))
