"""What a corpus is meant to hold, and how it is built: `CorpusPlan`."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from typing import Any

from codelaw import errors
from codelaw.corpora import deduplication
from codelaw.corpora import filters
from codelaw.corpora import licenses
from codelaw.corpora import reading

SMALL_SOURCES = ('refuse', 'leave_out')


@dataclasses.dataclass(frozen=True)
class CorpusPlan:
  """What a corpus is meant to hold.

  Attributes:
    readers: where documents come from. Earlier readers win: a duplicate of
      a document that was kept is dropped.
    output_dir: folder of the corpus.
    deduplication: settings of the search for duplicates.
    filters: names of filters (see `filters.FILTERS`), applied in order.
    licenses: SPDX identifiers that a document's licence must be satisfied by
      (`licenses.allows`); None allows all.
    keep_unlicensed: with `licenses`, whether documents stay whose licence is
      not known.
    validation_fraction: of the clusters of documents (`clusters`), chosen by
      a hash of their content alone: no corpus trains on what another one
      with the same documents and a smaller fraction holds out.
    max_bytes_per_source: of UTF-8 text; a source is cut there.
    min_bytes_per_source: a source with less text is too small.
    max_damaged_fraction: of what one reader finds, documents and damaged
      items counted alike.
    small_sources: what becomes of a source that is too small or lacks one of
      the splits: `refuse` stops the build, `leave_out` leaves the small ones
      out of the corpus and takes the others as they are (`small_sources`).
  """

  readers: Sequence[reading.Reader]
  output_dir: str
  deduplication: deduplication.Deduplication
  filters: Sequence[str] = ()
  licenses: Sequence[str] | None = None
  keep_unlicensed: bool = False
  validation_fraction: float = 0.1
  max_bytes_per_source: int = 1_000_000_000
  min_bytes_per_source: int = 100_000
  max_damaged_fraction: float = 0.2
  small_sources: str = 'refuse'

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
    if self.licenses is not None:
      licenses.check(self.licenses, 'CorpusPlan.licenses')
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
    if not 0 <= self.max_damaged_fraction <= 1:
      raise errors.UserError(
        'CorpusPlan.max_damaged_fraction must be from 0 to 1, got'
        f' {self.max_damaged_fraction!r}.'
      )
    if self.small_sources not in SMALL_SOURCES:
      raise errors.UserError(
        f'CorpusPlan.small_sources must be {" or ".join(SMALL_SOURCES)}, got'
        f' {self.small_sources!r}.'
      )
    if not 0 < self.min_bytes_per_source <= self.max_bytes_per_source:
      raise errors.UserError(
        'CorpusPlan.min_bytes_per_source must be positive and at most'
        f' max_bytes_per_source, got {self.min_bytes_per_source!r} and'
        f' {self.max_bytes_per_source!r}.'
      )

  def settings(self) -> dict[str, Any]:
    """Everything but the output folder, as plain JSON values."""
    settings = _plain(self)
    del settings['output_dir']
    settings['readers'] = [
      {'reader': type(reader).__name__, **_plain(reader)}
      for reader in self.readers
    ]
    settings['deduplication'] = _plain(self.deduplication)
    return settings


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
  if dataclasses.is_dataclass(value):
    return _plain(value)
  return value
