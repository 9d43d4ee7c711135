"""One source of a corpus while it is built: its counts, and its files.

Whether a document is held out depends on its cluster, which any later
document may join to another. So documents are staged first, in a hidden
folder of the corpus; when everything was read the splits are known, and the
staged documents move to the files that a corpus is read from.
"""

from collections import Counter
from collections.abc import Iterator
import contextlib
import itertools

import numpy as np
import pyarrow as pa
from pyarrow import parquet
import pyarrow.compute as pc

from codelaw import errors
from codelaw import storage
from codelaw.corpora import clusters
from codelaw.corpora import documents
from codelaw.corpora import report
from codelaw.corpora import small_sources

FOLDER = '.staging'
# What a document may say of its only split; staged ones are known by places
# in this.
_ONLY_SPLITS = ('', *report.SPLITS)
_TRAIN, _VALIDATION = map(_ONLY_SPLITS.index, ('train', 'validation'))


class Source:
  """Counts of what readers gave for a source, and the files of what is kept.

  Holds six bytes a document. Attributes are counts so far; `bytes` is UTF-8
  text that is kept.
  """

  def __init__(self, corpus_dir: str, name: str):
    self.name = name
    self.full = False
    self.documents_read = 0
    self.bytes = 0
    self.skipped: Counter[str] = Counter()
    self.damaged: Counter[str] = Counter()
    self._root = storage.path(corpus_dir)
    self._writer = documents.SourceWriter(self._root / FOLDER, name)
    self._nodes = np.zeros(1024, np.int32)
    self._only = np.zeros(1024, np.int8)
    self._is_copy = np.zeros(1024, np.bool_)
    self._num_kept = 0
    self._dropped: Counter[str] = Counter()
    self._dropped_bytes: Counter[str] = Counter()
    self._languages: Counter[str] = Counter()
    self._licenses: Counter[str] = Counter()

  @property
  def nodes(self) -> np.ndarray:
    """Nodes of the kept documents, in their order: int32 [num_kept]."""
    return self._nodes[: self._num_kept].copy()

  def allowed(self, held_out: np.ndarray) -> np.ndarray:
    """Which kept documents may be in the split that they were given.

    Args:
      held_out: which of them are for validation: bool [num_kept].
    """
    only = self._only[: self._num_kept]
    return only != np.where(held_out, _TRAIN, _VALIDATION)

  def found(
    self, held_out: np.ndarray, largest_cluster: int
  ) -> small_sources.Found:
    """What was found, once all was read.

    Args:
      held_out: which of the kept documents are for validation.
      largest_cluster: documents of this source in one cluster, at the most.
    """
    only = {_ONLY_SPLITS[code] for code in self._only[: self._num_kept]}
    allowed = self.allowed(held_out)
    return small_sources.Found(
      documents=self._num_kept,
      bytes=self.bytes,
      documents_read=self.documents_read,
      dropped=dict(self._dropped),
      skipped=dict(self.skipped),
      damaged=dict(self.damaged),
      splits={
        split: int((allowed & (held_out == (split == 'validation'))).sum())
        for split in small_sources.needed_splits(only)
      },
      largest_cluster=largest_cluster,
    )

  def drop(self, reason: str, size: int) -> None:
    """Counts a document of `size` bytes that is not kept."""
    self._dropped[reason] += 1
    self._dropped_bytes[reason] += size

  def keep(self, raw: documents.RawDocument, node: int, is_copy: bool) -> None:
    """Stages a document.

    Args:
      raw: the document.
      node: what its cluster knows it by.
      is_copy: whether it is a near-copy of an earlier one.
    """
    # Until its own split is known, the column has the only one it may have.
    item = documents.document(raw, raw.only_split)
    with writing(self._root):
      self._writer.write(item)
    self._nodes = clusters.with_room(self._nodes, self._num_kept)
    self._nodes[self._num_kept] = node
    self._only = clusters.with_room(self._only, self._num_kept)
    self._only[self._num_kept] = _ONLY_SPLITS.index(raw.only_split)
    self._is_copy = clusters.with_room(self._is_copy, self._num_kept)
    self._is_copy[self._num_kept] = is_copy
    self._num_kept += 1
    self.bytes += item.bytes
    self._languages[item.language] += 1
    self._licenses[item.license] += 1

  def abandon(self) -> None:
    """Closes the open file; what was staged will not be read."""
    self._writer.abandon()

  def publish(
    self, held_out: np.ndarray, largest_cluster: int
  ) -> tuple[report.SourceReport, int]:
    """Writes the files of the corpus, each document with its split.

    Args:
      held_out: which of the kept documents are for validation.
      largest_cluster: documents of this source in one cluster, at the most.

    Returns:
      The report of this source, and the sum of its documents' identities.
    """
    may_be_kept = self.allowed(held_out)
    splits = iter(np.where(held_out, 'validation', 'train').tolist())
    allowed = iter(may_be_kept.tolist())
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    identities = 0
    final = documents.SourceWriter(self._root, self.name)
    try:
      with writing(self._root):
        for rows in self._staged():
          given = pa.array(list(itertools.islice(splits, len(rows))))
          may_stay = pa.array(list(itertools.islice(allowed, len(rows))))
          column = rows.schema.get_field_index('split')
          rows = rows.set_column(column, 'split', given)
          for left_out in rows.filter(pc.invert(may_stay)).to_pylist():
            self.drop('other_split', left_out['bytes'])
            self._languages[left_out['language']] -= 1
            self._licenses[left_out['license']] -= 1
          rows = rows.filter(may_stay)
          final.write_rows(rows)
          for split, sha256, size in zip(
            rows['split'].to_pylist(),
            rows['content_sha256'].to_pylist(),
            rows['bytes'].to_pylist(),
            strict=True,
          ):
            counts[split] += 1
            sizes[split] += size
            identities += documents.identity(self.name, split, sha256)
        files = final.close()
    finally:
      final.abandon()
    return (
      report.SourceReport(
        splits={
          split: report.SplitReport(counts[split], sizes[split])
          for split in report.SPLITS
        },
        files=files,
        documents_read=self.documents_read,
        dropped={
          reason: report.DroppedReport(number, self._dropped_bytes[reason])
          for reason, number in self._dropped.most_common()
        },
        languages=dict((+self._languages).most_common()),
        licenses=dict((+self._licenses).most_common()),
        skipped=dict(self.skipped.most_common()),
        damaged=dict(self.damaged.most_common()),
        copies_kept=int(self._is_copy[: self._num_kept][may_be_kept].sum()),
        largest_cluster=largest_cluster,
      ),
      identities,
    )

  def _staged(self) -> Iterator[pa.Table]:
    """The staged documents in groups; their files go as they were read."""
    for name in self._writer.close():
      file = self._root / FOLDER / name
      with file.open('rb') as stream:
        table = parquet.ParquetFile(stream)
        for group in range(table.num_row_groups):
          yield table.read_row_group(group)
      file.unlink()


@contextlib.contextmanager
def writing(folder: storage.PathLike) -> Iterator[None]:
  """Explains an error of the file system while the corpus is written."""
  try:
    yield
  except OSError as error:
    raise errors.UserError(
      f'Cannot write the corpus to {storage.path(folder)}:'
      f' {error.strerror or error}. Free space or choose another folder, then'
      ' run `codelaw corpus build` again; nothing there is taken for a'
      ' corpus.'
    ) from error


def remove(corpus_dir: storage.PathLike) -> None:
  """Removes what was staged."""
  (storage.path(corpus_dir) / FOLDER).rmtree(missing_ok=True)


def remove_leftovers(corpus_dir: storage.PathLike) -> None:
  """Removes all documents of a build that was stopped.

  What is not in the index is never read; this only frees the space. Paths in
  buckets know no recursive pattern, so the usual depths are named.
  """
  remove(corpus_dir)
  for pattern in ('*/documents-*.parquet', '*/*/documents-*.parquet'):
    for file in storage.path(corpus_dir).glob(pattern):
      file.unlink()
