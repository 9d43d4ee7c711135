"""Sources that a corpus is better without, and what becomes of them.

Whoever reads a tree of unknown files cannot say beforehand which languages it
holds. A source is small, and `CorpusPlan.small_sources` says whether that
stops the build or the corpus goes without it, when

  too large a part of what a reader found for it is damaged (`damage`), or
  it has less text than `min_bytes_per_source`, or
  it has no document of a split that its documents can be in.

Documents of a source that is left out stay what they were to others: a later
copy of one is dropped, and the groups it joined share a split.
"""

from collections import Counter
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses

from codelaw import errors
from codelaw.corpora import damage
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
  damaged: Mapping[str, damage.TooMuch],
) -> dict[str, report.LeftOutReport]:
  """The small sources, and what was found for them.

  Args:
    plan: says what is small.
    found: source -> what was found for it.
    damaged: sources with too much damage.

  Raises:
    UserError: when there is one and the plan refuses it, or no other.
  """
  reasons: dict[str, str] = {}
  for source, reason, complaint in _complaints(plan, found, damaged):
    if plan.small_sources == 'refuse':
      raise errors.UserError(complaint)
    reasons.setdefault(source, reason)
  if len(reasons) == len(found):
    raise errors.UserError(_nothing_left(found, reasons))
  return {
    source: report.LeftOutReport(
      reason=reasons[source],
      documents=of_source.documents,
      bytes=of_source.bytes,
      documents_read=of_source.documents_read,
      dropped=of_source.dropped,
      skipped=of_source.skipped,
      damaged=of_source.damaged,
    )
    for source, of_source in found.items()
    if source in reasons
  }


def _complaints(
  plan: plan_lib.CorpusPlan,
  found: Mapping[str, Found],
  damaged: Mapping[str, damage.TooMuch],
) -> Iterator[tuple[str, str, str]]:
  """(source, why it is small in a few words, in a sentence with a way out)."""
  for name, too_much in damaged.items():
    yield name, too_much.reason, too_much.complaint
  least = plan.min_bytes_per_source
  for name, source in found.items():
    if source.bytes < least:
      yield (
        name,
        f'fewer than {least:,} bytes',
        f'Source {name} has {_described(source)}, fewer than'
        f' CorpusPlan.min_bytes_per_source = {least:,}. Give its reader more'
        ' to read, drop fewer documents, lower the minimum, or leave the'
        " source out (CorpusPlan.small_sources = 'leave_out').",
      )
  for name, source in found.items():
    total = sum(source.splits.values())
    for split, number in source.splits.items():
      if not number:
        yield (
          name,
          f'no {split} document',
          f'Source {name} has no {split} document among its'
          f' {total:,}, of which the largest cluster of near-copies and'
          f' groups, which share a split, holds {source.largest_cluster:,};'
          ' change CorpusPlan.validation_fraction'
          f' ({plan.validation_fraction}), raise'
          ' Deduplication.near_threshold, or give it more documents.',
        )


def _described(source: Found) -> str:
  """What was found, for a message about a source."""
  lost: Counter[str] = Counter()
  for counts in (source.dropped, source.skipped, source.damaged):
    lost.update(counts)
  ordered = sorted(lost.items(), key=lambda entry: (-entry[1], entry[0]))
  reasons = ', '.join(f'{number:,} {why}' for why, number in ordered[:5])
  return (
    f'{source.bytes:,} bytes in {source.documents:,} documents (read'
    f' {source.documents_read:,}; dropped or skipped: {reasons or "none"})'
  )


def _nothing_left(
  found: Mapping[str, Found], reasons: Mapping[str, str]
) -> str:
  largest = sorted(found, key=lambda source: -found[source].bytes)
  named = '; '.join(
    f'{source} has {_described(found[source])}: {reasons[source]}'
    for source in largest[:_NAMED_IN_ERROR]
  )
  more = '; ...' if len(found) > _NAMED_IN_ERROR else ''
  return (
    'No source is left for the corpus, CorpusPlan.small_sources = '
    f"'leave_out' left out all: {named}{more}. Give the readers more to read,"
    ' or lower CorpusPlan.min_bytes_per_source.'
  )
