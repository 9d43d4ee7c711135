"""Parts of the shards: documents packed together, written whole or not at all.

Definitions owned here: a part is a share of the documents of one source and
split, chosen by content hash. It depends on the corpus, the plan and the
tokenizer alone, so that parts may be written in any order by any process, and
what a stopped writer has finished can be kept. Inside a part documents are
packed in the order of their content hash: neighbouring files do not stay
neighbours, and the first sequences are a fair sample.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import os
import pathlib
import shutil

import numpy as np

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.corpora import documents
from codelaw.data import manifest as manifest_lib

RECORD_NAME = 'part.json'  # Written last: a folder without it is no part.
UNFINISHED = 'unfinished-'  # Begins the names of folders being written.


@dataclasses.dataclass(frozen=True)
class Part:
  """One part, as it is handed to whoever writes it.

  Attributes:
    source: name of the source.
    split: `train` or `validation`.
    number: of this part, from 0.
    num_parts: of the source and split.
  """

  source: str
  split: str
  number: int
  num_parts: int

  def hash_range(self) -> tuple[str, str]:
    """First content hash, and the one behind the last, as text."""

    def border(number: int) -> str:
      if number == self.num_parts:
        return 'g'  # behind every hexadecimal number
      return f'{-(-number * 2**32 // self.num_parts):08x}'

    return border(self.number), border(self.number + 1)


@dataclasses.dataclass(frozen=True)
class PartShards:
  """What a written part holds.

  Attributes:
    part: which one it is.
    key: of everything that decides its content.
    shards: its counts and files; the names are relative to its folder.
  """

  part: Part
  key: str
  shards: manifest_lib.SplitShards


def read_documents(
  corpus_dir: storage.PathLike, part: Part
) -> list[documents.Document]:
  """The documents of a part, in the order of their content hash."""
  return sorted(
    documents.read_documents(
      corpus_dir, part.source, part.split, part.hash_range()
    ),
    key=lambda document: document.content_sha256,
  )


def sample(
  corpus_dir: storage.PathLike, parts: Sequence[Part], num_bytes: int
) -> Iterator[str]:
  """Text with as many bytes of each source (all of a smaller source).

  Args:
    corpus_dir: folder of the corpus.
    parts: of the sources and the split to take it from, in order.
    num_bytes: of the whole sample.
  """
  sources = {part.source for part in parts}
  left = dict.fromkeys(sources, num_bytes // len(sources))
  for part in parts:
    if left[part.source] <= 0:
      continue
    for item in read_documents(corpus_dir, part):
      # A cut inside a character drops the character.
      yield item.text.encode()[: left[part.source]].decode(errors='ignore')
      left[part.source] -= item.bytes
      if left[part.source] <= 0:
        break


def folder_of(root: pathlib.Path, part: Part) -> pathlib.Path:
  """Where a part lies below `root` until all parts are there."""
  return root / part.source / f'{part.split}-{part.number:05d}'


def recorded(root: pathlib.Path, part: Part, key: str) -> PartShards | None:
  """The part as an earlier writer left it, if all of it is there.

  A part with another key, or with a file that is not what was written, is
  removed.
  """
  folder = folder_of(root, part)
  if not folder.exists():
    return None
  with contextlib.suppress(errors.UserError, OSError):
    found = records.from_json(
      storage.read_json(folder / RECORD_NAME), PartShards
    )
    if found.key == key and found.part == part and _is_whole(folder, found):
      return found
  shutil.rmtree(folder)
  return None


def any_recorded(root: pathlib.Path) -> bool:
  """Whether some part below `root` was finished."""
  return any(True for _ in root.rglob(RECORD_NAME))


def remove_unfinished(root: pathlib.Path) -> None:
  """Removes what writers that are no more left unfinished below `root`."""
  for leftover in root.glob(UNFINISHED + '*'):
    shutil.rmtree(leftover, ignore_errors=True)


def _is_whole(folder: pathlib.Path, found: PartShards) -> bool:
  return all(
    manifest_lib.checksum(folder / file.name) == file.sha256
    for file in found.shards.all_files()
  )


def merged(
  folder: pathlib.Path,
  root: pathlib.Path,
  parts: list[PartShards],
  sequence_length: int,
) -> manifest_lib.SplitShards:
  """Moves the files of all parts of a source and split to their last names.

  What is moved is no part any more: a writer stopped here packs it again.

  Args:
    folder: of the shards.
    root: of the parts.
    parts: of one source and split, in order.
    sequence_length: of the shards.
  """
  source, split = parts[0].part.source, parts[0].part.split
  total = sum(len(written.shards.files) for written in parts)
  files: list[manifest_lib.ShardFile] = []
  padded: list[tuple[np.ndarray, np.ndarray]] = []
  before = 0
  for written in parts:
    place = folder_of(root, written.part)
    indices, paddings = manifest_lib.read_padding(
      place, written.shards, sequence_length
    )
    padded.append((indices + before, paddings))
    before += written.shards.sequences
    for file in written.shards.files:
      name = f'{source}/{split}-{len(files):05d}-of-{total:05d}.array_record'
      (folder / name).parent.mkdir(parents=True, exist_ok=True)
      os.replace(place / file.name, folder / name)
      files.append(dataclasses.replace(file, name=name))
  sums = {
    field: sum(getattr(written.shards, field) for written in parts)
    for field in (
      'documents',
      'bytes',
      'tokens',
      'sequences',
      'padding_tokens',
      'truncated_tokens',
      'left_out_documents',
    )
  }
  return manifest_lib.SplitShards(
    packing=parts[0].shards.packing,
    files=tuple(files),
    padding_file=manifest_lib.write_padding(
      folder, source, split, *map(np.concatenate, zip(*padded, strict=True))
    ),
    **sums,
  )


def check_documents(
  root: pathlib.Path, parts: Sequence[PartShards], listed: int, corpus_dir: str
) -> None:
  """Raises `UserError` unless parts hold as many documents as are listed.

  Everything below `root` is removed then: the tokenizer and every part may
  come from files that were damaged, and are made again when they are mended.
  """
  found = sum(
    written.shards.documents + written.shards.left_out_documents
    for written in parts
  )
  if found != listed:
    shutil.rmtree(root)
    part = parts[0].part
    raise errors.UserError(
      f'{corpus_dir} lists {listed} {part.split} documents of {part.source},'
      f' its files hold {found}; delete the folder and run `codelaw corpus'
      ' build` again.'
    )
