"""Parallel pairs from a table of aligned programs (see `pairing`)."""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from typing import Any

from codelaw import errors
from codelaw import storage
from codelaw.corpora import files
from codelaw.corpora import pairing
from codelaw.corpora import reading
from codelaw.corpora import tables


@dataclasses.dataclass(frozen=True)
class AlignedTable:
  """Rows that hold one program in several languages.

  Attributes:
    paths: Parquet files or JSON-lines, as of `Tables`.
    columns: language -> column of its programs.
  """

  paths: Sequence[str]
  columns: Mapping[str, str]

  def __post_init__(self):
    if not isinstance(self.columns, Mapping) or len(self.columns) < 2:
      raise errors.UserError(
        'The columns of aligned programs must map two or more languages to'
        " columns, like {'python': 'py', 'java': 'java'}; got"
        f' {self.columns!r}.'
      )
    self._table()

  def _table(self) -> tables.Tables:
    """What reads the rows; it reads the columns that name an origin along."""
    first, *rest = dict.fromkeys(self.columns.values())
    return tables.Tables(
      self.paths, {'parallel/rows': ['*']}, text=first, origin=rest
    )

  def parts(self, max_bytes_per_source: int) -> Iterator[files.InputFile]:
    """The files."""
    return self._table().parts(max_bytes_per_source)

  def rows(
    self, part: files.InputFile
  ) -> Iterator[tuple[str, dict[str, str] | files.RefusedError]]:
    """Names of rows, with their programs by language or what is wrong.

    Raises:
      UserError: when the file does not have a column that was named.
    """
    for origin, row in self._table().rows(part):
      try:
        if isinstance(row, files.RefusedError):
          raise row
        yield origin, self._programs(row)
      except files.RefusedError as refused:
        yield origin, refused

  def _programs(self, row: Mapping[str, Any]) -> dict[str, str]:
    """The programs that a row has, by language."""
    found = {}
    for language, column in self.columns.items():
      if tables.field(row, column) is None:
        continue
      text = tables.text(row, column)
      if text.strip():
        found[language] = text
    return found


@dataclasses.dataclass(frozen=True)
class ParallelTable:
  """Reads rows that hold one program in several languages.

  A row may lack languages; it is written in directions between those it has.

  Attributes:
    paths: Parquet files or JSON-lines, as of `Tables`.
    columns: language -> column of its programs.
    pairing: directions and strategy.
    license: SPDX expression of all programs; '' when unknown.
  """

  paths: Sequence[str]
  columns: Mapping[str, str]
  pairing: pairing.Pairing
  license: str = ''

  def __post_init__(self):
    self._table()
    pairing.check(
      'ParallelTable', self.pairing, self.columns, 'there are columns for'
    )

  def _table(self) -> AlignedTable:
    return AlignedTable(self.paths, self.columns)

  def source_names(self) -> tuple[str, ...]:
    """A source per direction."""
    return self.pairing.source_names()

  def parts(self, max_bytes_per_source: int) -> Iterator[files.InputFile]:
    """The files."""
    return self._table().parts(max_bytes_per_source)

  def read(
    self, part: files.InputFile, is_full: reading.IsFull
  ) -> Iterator[reading.Item]:
    """The pairs of one file.

    Raises:
      UserError: when the file does not have a column that was named.
    """
    # Which directions a row would have had is not known if it is damaged.
    unknown = self.source_names()[0]
    for origin, programs in self._table().rows(part):
      if all(map(is_full, self.source_names())):
        return
      if isinstance(programs, files.RefusedError):
        yield programs.skipped(unknown, origin)
        continue
      key = storage.fingerprint(programs)
      directions = list(self.pairing.chosen(key, programs))
      if not directions:
        yield reading.Skipped(unknown, origin, 'too few languages')
      for direction in directions:
        yield from self.pairing.pair(
          direction, programs, origin, self.license, key
        )
