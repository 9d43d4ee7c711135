"""Damaged files, rows and records: counted, named, and when to stop.

A corpus of what is left of a broken disk or a cut download is worse than
none. So a build stops when too large a part of what one reader finds for one
source cannot be read; below that, damage is named in the corpus report.
"""

from collections import Counter
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
    named = report.DamagedItem(
      source, documents.readable(item.origin), documents.readable(item.reason)
    )
    if len(self.named) < MOST_NAMED:
      self.named.append(named)
    first = self._first.setdefault(source, [])
    if len(first) < _NAMED_IN_ERROR:
      first.append(named)
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
    items = self._documents[source] + damaged
    if damaged <= self._max_fraction * items:
      return
    names = ', '.join(
      f'{one_line(item.origin)} ({one_line(item.reason)})'
      for item in self._first[source]
    )
    more = ', ...' if damaged > _NAMED_IN_ERROR else ''
    raise errors.UserError(
      f'{damaged:,} of the first {items:,} items that {self._reader} found for'
      f' {source} are damaged, more than CorpusPlan.max_damaged_fraction ='
      f' {self._max_fraction}: {names}{more}; restore them, leave them out, or'
      ' raise that fraction.'
    )


def one_line(name: str) -> str:
  """A name as it can be printed: quoted when it would upset a line."""
  return name if name.isprintable() else repr(name)
