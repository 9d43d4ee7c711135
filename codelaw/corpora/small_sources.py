"""Sources that a corpus is better without, and what becomes of them.

Whoever reads a tree of unknown files cannot say beforehand which languages it
holds. A source with less text than `CorpusPlan.min_bytes_per_source` is
small, and `CorpusPlan.small_sources` says whether that stops the build or the
corpus goes without it. A source without documents of a split that they can be
in stops a build that refuses small sources; else it stays as it is, because it
can be trained on or evaluated on, if not both.

Documents of a source that is left out stay what they were to others: a later
copy of one is dropped, and the groups it joined share a split.
"""

from collections import Counter
from collections.abc import Collection
from collections.abc import Mapping
import dataclasses

from codelaw import errors
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import report

_NAMED_IN_ERROR = 3


@dataclasses.dataclass(frozen=True)
class Found:
  """What a build found for one source.

  Attributes:
    documents: that were kept before any was dropped as `other_split`.
    bytes: of their text.
    documents_read: that its readers gave.
    dropped: reason, but for `other_split` -> documents.
    skipped: reason -> what gave no document and did not have to.
    damaged: reason -> what should have been readable.
    splits: split that its documents can be in -> documents in it.
    largest_cluster: as of a `report.SourceReport`.
  """

  documents: int
  bytes: int
  documents_read: int
  dropped: Mapping[str, int]
  skipped: Mapping[str, int]
  damaged: Mapping[str, int]
  splits: Mapping[str, int]
  largest_cluster: int


def needed_splits(only_splits: Collection[str]) -> tuple[str, ...]:
  """The splits that documents with these `RawDocument.only_split` can be in.

  >>> needed_splits(['validation']), needed_splits(['validation', ''])
  (('validation',), ('train', 'validation'))
  """
  return tuple(
    split
    for split in report.SPLITS
    if '' in only_splits or split in only_splits
  )


def left_out(
  plan: plan_lib.CorpusPlan,
  found: Mapping[str, Found],
) -> dict[str, report.LeftOutReport]:
  """The small sources, and what was found for them.

  Args:
    plan: says what is small.
    found: source -> what was found for it.

  Raises:
    UserError: when there is one and the plan refuses it, or no other.
  """
  if plan.small_sources == 'refuse':
    _refuse(plan, found)
  least = plan.min_bytes_per_source
  small = {name for name, source in found.items() if source.bytes < least}
  if len(small) == len(found):
    raise errors.UserError(_nothing_left(found, least))
  return {
    source: report.LeftOutReport(
      reason=f'fewer than {least:,} bytes',
      documents=of_source.documents,
      bytes=of_source.bytes,
      documents_read=of_source.documents_read,
      dropped=of_source.dropped,
      skipped=of_source.skipped,
      damaged=of_source.damaged,
    )
    for source, of_source in found.items()
    if source in small
  }


def _refuse(plan: plan_lib.CorpusPlan, found: Mapping[str, Found]) -> None:
  """Raises `UserError` for a small source, or one without a split."""
  least = plan.min_bytes_per_source
  for name, source in found.items():
    if source.bytes < least:
      raise errors.UserError(
        f'Source {name} has {_described(source)}, fewer than'
        f' CorpusPlan.min_bytes_per_source = {least:,}. Give its reader more'
        ' to read, drop fewer documents, lower the minimum, or leave the'
        " source out (CorpusPlan.small_sources = 'leave_out')."
      )
  for name, source in found.items():
    total = sum(source.splits.values())
    for split, number in source.splits.items():
      if not number:
        raise errors.UserError(
          f'Source {name} has no {split} document among its'
          f' {total:,}, of which the largest cluster of near-copies and'
          f' groups, which share a split, holds {source.largest_cluster:,};'
          ' change CorpusPlan.validation_fraction'
          f' ({plan.validation_fraction}), raise'
          ' Deduplication.near_threshold, or give it more documents.'
        )


def _described(source: Found) -> str:
  """What was found, for a message about a source."""
  lost = _lost(source).items()
  ordered = sorted(lost, key=lambda entry: (-entry[1], entry[0]))
  reasons = ', '.join(f'{number:,} {why}' for why, number in ordered[:5])
  return (
    f'{source.bytes:,} bytes in {source.documents:,} documents (read'
    f' {source.documents_read:,}; dropped or skipped: {reasons or "none"})'
  )


def _lost(source: Found) -> Counter[str]:
  """Reason -> what gave no document, or one that was dropped."""
  lost: Counter[str] = Counter()
  for counts in (source.dropped, source.skipped, source.damaged):
    lost.update(counts)
  return lost


def _weight(source: Found) -> tuple[int, int]:
  """Bytes that were kept, and how much gave none."""
  return source.bytes, sum(_lost(source).values())


def _nothing_left(found: Mapping[str, Found], least: int) -> str:
  largest = sorted(found, key=lambda name: _weight(found[name]), reverse=True)
  named = '; '.join(
    f'{source} has {_described(found[source])}'
    for source in largest[:_NAMED_IN_ERROR]
  )
  more = '; ...' if len(found) > _NAMED_IN_ERROR else ''
  return (
    f'No source has CorpusPlan.min_bytes_per_source = {least:,} bytes:'
    f' {named}{more}. Give the readers more to read, or lower that minimum.'
  )
