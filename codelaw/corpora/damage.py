"""Damaged files, rows and records: counted, named, and when to stop.

A corpus of what is left of a broken disk or a cut download is worse than
none. So a build stops, or leaves a source out (`small_sources`), when too
large a part of what one reader finds for the source cannot be read; below
that, damage is named in the corpus report.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from codelaw import errors
from codelaw.corpora import documents
from codelaw.corpora import reading
from codelaw.corpora import report

MOST_NAMED = 1000
# Items of a source before their damaged fraction says something.
_FEWEST_ITEMS = 100
_NAMED_IN_ERROR = 3


class TooMuch(NamedTuple):
  """That too much of a source is damaged, in a few words and in a sentence."""

  reason: str
  complaint: str


class Damage:
  """Counts of one reader at a time, and the names of all that is damaged.

  Attributes:
    named: the first `MOST_NAMED` damaged items of all readers.
    too_much: sources of which too much was damaged at the end of a reader.
  """

  def __init__(self, max_fraction: float, stops: bool):
    """No damage yet.

    Args:
      max_fraction: of the items of a source that may be damaged.
      stops: whether more raises `UserError`, as soon as that is plain.
    """
    self.named: list[report.DamagedItem] = []
    self.too_much: dict[str, TooMuch] = {}
    self._max_fraction = max_fraction
    self._stops = stops
    self._reader = ''
    self._documents: Counter[str] = Counter()
    self._damaged: Counter[str] = Counter()
    self._first: dict[str, list[report.DamagedItem]] = {}

  def begin(self, reader: Any) -> None:
    """Starts the counts of a reader."""
    self._reader = type(reader).__name__
    self._documents.clear()
    self._damaged.clear()
    self._first.clear()

  def count_document(self, source: str) -> None:
    """Counts a document of a source."""
    self._documents[source] += 1

  def add(self, item: reading.Skipped) -> None:
    """Counts and names a damaged item.

    Raises:
      UserError: when too many of the items met so far are damaged, and that
        stops.
    """
    source = item.source
    if len(self.named) < MOST_NAMED:
      self.named.append(named(item))
    first = self._first.setdefault(source, [])
    if len(first) < _NAMED_IN_ERROR:
      first.append(named(item))
    self._damaged[source] += 1
    num_items = self._documents[source] + self._damaged[source]
    if self._stops and num_items >= _FEWEST_ITEMS:
      self._check_source(source)

  def check(self) -> None:
    """Checks all sources of a reader that came to its end.

    Raises:
      UserError: when too many of the items of one are damaged, and that
        stops.
    """
    for source in self._damaged:
      self._check_source(source)

  def _check_source(self, source: str) -> None:
    damaged = self._damaged[source]
    found = too_much(
      self._reader,
      source,
      damaged,
      self._documents[source] + damaged,
      self._first[source],
      self._max_fraction,
    )
    if found is None:
      return
    if self._stops:
      raise errors.UserError(found.complaint)
    self.too_much.setdefault(source, found)


def too_much(
  reader: str,
  source: str,
  num_damaged: int,
  num_items: int,
  first: Sequence[report.DamagedItem],
  max_fraction: float,
) -> TooMuch | None:
  """Says so when too many items of a source are damaged.

  Args:
    reader: class that found them.
    source: that they belong to.
    num_damaged: items of it, so far.
    num_items: documents and damaged items of it, so far.
    first: some of the damaged items, to be named.
    max_fraction: of the items that may be damaged.
  """
  if num_damaged <= max_fraction * num_items:
    return None
  names = ', '.join(
    f'{one_line(item.origin)} ({one_line(item.reason)})'
    for item in first[:_NAMED_IN_ERROR]
  )
  more = ', ...' if num_damaged > _NAMED_IN_ERROR else ''
  return TooMuch(
    f'{num_damaged:,} of {num_items:,} items damaged',
    f'{num_damaged:,} of the first {num_items:,} items that {reader} found for'
    f' {source} are damaged, more than CorpusPlan.max_damaged_fraction ='
    f' {max_fraction}: {names}{more}; restore them, leave them out, or'
    ' raise that fraction.',
  )


def named(item: reading.Skipped) -> report.DamagedItem:
  """A damaged item as the index names it."""
  return report.DamagedItem(
    item.source,
    documents.readable(item.origin),
    documents.readable(item.reason),
  )


def one_line(name: str) -> str:
  """A name as it can be printed: quoted when it would upset a line."""
  return name if name.isprintable() else repr(name)
