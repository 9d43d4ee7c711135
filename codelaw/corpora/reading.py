"""What a reader of documents is, and what it yields.

A reader is a frozen dataclass, so that plans compare and gin can build it. It
names its sources, divides its work into parts, and reads one part at a time.
Parts are small and can be pickled: one process reads them in order, or many
workers read them at once. A corpus has the order of its readers, of their
parts, and of the documents inside a part.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
import dataclasses
from typing import Any
from typing import Protocol

from codelaw.corpora import documents

IsFull = Callable[[str], bool]


@dataclasses.dataclass(frozen=True)
class Skipped:
  """A file, row or record that gave no document.

  Attributes:
    source: that it would have belonged to.
    origin: as of a document: a path, a URL, a row of a table.
    reason: in a few words, the same for all that were skipped alike.
    damaged: whether it should have been readable; a build stops when there
      are too many of these.
  """

  source: str
  origin: str
  reason: str
  damaged: bool = False


Item = documents.RawDocument | Skipped


class Reader(Protocol):
  """Where documents come from."""

  def source_names(self) -> tuple[str, ...]:
    """Every source it may yield documents of."""

  def parts(self, max_bytes_per_source: int) -> Iterable[Any]:
    """Pieces of work in reading order, each readable alone.

    Args:
      max_bytes_per_source: text that the corpus takes of a source, at the
        most; a reader that shares a source out among owners needs it.

    Raises:
      UserError: when there is nothing at the paths it was given.
    """

  def read(self, part: Any, is_full: IsFull) -> Iterator[Item]:
    """The documents of one of `parts`, and what gave none.

    Args:
      part: one of `parts`.
      is_full: whether a source takes no more; what is yielded for one that
        does not is left out, so a reader may save itself the work.
    """
