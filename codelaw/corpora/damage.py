"""Damaged files, rows and records: counted, named, and when to stop.

A corpus of what is left of a broken disk or a cut download is worse than
none. So a build stops when too large a part of what one reader finds cannot
be read; below that, damage is named in the corpus report.
"""

from collections.abc import Sequence
from typing import Any

from codelaw import errors
from codelaw.corpora import documents
from codelaw.corpora import reading
from codelaw.corpora import report

MOST_NAMED = 1000
# Items of a reader before their damaged fraction says something.
_FEWEST_ITEMS = 100
_NAMED_IN_ERROR = 3


class Damage:
  """Counts of one reader at a time, and the names of all that is damaged.

  Attributes:
    named: the first `MOST_NAMED` damaged items of all readers.
  """

  def __init__(self, max_fraction: float):
    """No damage yet.

    Args:
      max_fraction: of the items of a reader that may be damaged.
    """
    self.named: list[report.DamagedItem] = []
    self._max_fraction = max_fraction
    self._reader = ''
    self._num_documents = 0
    self._num_damaged = 0
    self._first: list[report.DamagedItem] = []

  def begin(self, reader: Any) -> None:
    """Starts the counts of a reader."""
    self._reader = type(reader).__name__
    self._num_documents = self._num_damaged = 0
    self._first = []

  def count_document(self) -> None:
    """Counts a document."""
    self._num_documents += 1

  def add(self, item: reading.Skipped) -> None:
    """Counts and names a damaged item.

    Raises:
      UserError: when too many of the items met so far are damaged.
    """
    if len(self.named) < MOST_NAMED:
      self.named.append(named(item))
    if len(self._first) < _NAMED_IN_ERROR:
      self._first.append(named(item))
    self._num_damaged += 1
    if self._num_documents + self._num_damaged >= _FEWEST_ITEMS:
      self.check()

  def check(self) -> None:
    """Checks what the reader found so far.

    Raises:
      UserError: when too many of its items are damaged.
    """
    check(
      self._reader,
      self._num_damaged,
      self._num_documents + self._num_damaged,
      self._first,
      self._max_fraction,
    )


def check(
  reader: str,
  num_damaged: int,
  num_items: int,
  first: Sequence[report.DamagedItem],
  max_fraction: float,
) -> None:
  """Refuses what a reader found when too many items of it are damaged.

  Args:
    reader: class that found them.
    num_damaged: items, so far.
    num_items: documents and damaged items, so far.
    first: some of the damaged items, to be named.
    max_fraction: of the items that may be damaged.

  Raises:
    UserError: naming the first damaged items.
  """
  if num_damaged <= max_fraction * num_items:
    return
  names = ', '.join(
    f'{one_line(item.origin)} ({one_line(item.reason)})'
    for item in first[:_NAMED_IN_ERROR]
  )
  more = ', ...' if num_damaged > _NAMED_IN_ERROR else ''
  raise errors.UserError(
    f'{num_damaged:,} of the first {num_items:,} items that {reader} found are'
    ' damaged, more than CorpusPlan.max_damaged_fraction ='
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
