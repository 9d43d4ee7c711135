"""Damaged files, rows and records: counted, named, and when to stop.

A corpus of what is left of a broken disk or a cut download is worse than
none. So a build stops when too large a part of what one reader finds for one
source cannot be read; below that, damage is named in the corpus report.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from codelaw import errors
from codelaw.corpora import documents
from codelaw.corpora import reading
from codelaw.corpora import report

MOST_NAMED = 1000
# Items of a source before their damaged fraction says something.
_FEWEST_ITEMS = 100
_NAMED_IN_ERROR = 3


class Damage:
  """Counts of one reader at a time, and the names of all that is damaged.

  Attributes:
    named: the first `MOST_NAMED` damaged items of all readers.
  """

  def __init__(self, max_fraction: float):
    self.named: list[report.DamagedItem] = []
    self._max_fraction = max_fraction
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
      UserError: when too many of the items met so far are damaged.
    """
    source = item.source
    if len(self.named) < MOST_NAMED:
      self.named.append(named(item))
    first = self._first.setdefault(source, [])
    if len(first) < _NAMED_IN_ERROR:
      first.append(named(item))
    self._damaged[source] += 1
    if self._documents[source] + self._damaged[source] >= _FEWEST_ITEMS:
      self._check_source(source)

  def check(self) -> None:
    """Checks all sources of a reader that came to its end.

    Raises:
      UserError: when too many of the items of one are damaged.
    """
    for source in self._damaged:
      self._check_source(source)

  def _check_source(self, source: str) -> None:
    damaged = self._damaged[source]
    check(
      self._reader,
      source,
      damaged,
      self._documents[source] + damaged,
      self._first[source],
      self._max_fraction,
    )


def check(
  reader: str,
  source: str,
  num_damaged: int,
  num_items: int,
  first: Sequence[report.DamagedItem],
  max_fraction: float,
) -> None:
  """Raises `UserError` when too many items of a source are damaged.

  Args:
    reader: class that found them.
    source: that they belong to.
    num_damaged: items of it, so far.
    num_items: documents and damaged items of it, so far.
    first: some of the damaged items, to be named.
    max_fraction: of the items that may be damaged.
  """
  if num_damaged <= max_fraction * num_items:
    return
  names = ', '.join(
    f'{one_line(item.origin)} ({one_line(item.reason)})'
    for item in first[:_NAMED_IN_ERROR]
  )
  more = ', ...' if num_damaged > _NAMED_IN_ERROR else ''
  raise errors.UserError(
    f'{num_damaged:,} of the first {num_items:,} items that {reader} found for'
    f' {source} are damaged, more than CorpusPlan.max_damaged_fraction ='
    f' {max_fraction}: {names}{more}; restore them, leave them out, or'
    ' raise that fraction.'
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
