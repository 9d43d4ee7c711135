"""What a folder of packed shards holds: `manifest.json`, read and checked.

Definitions owned here:
  tokens: stored tokens, the end-of-document tokens included, padding not.
  bytes: UTF-8 bytes of the documents, which bits per byte divide by.
  padding: tokens 0 on the right of a sequence. Any sequence may have some;
    which ones do, and how many, is kept in one file per source and split.
The manifest is the last file `codelaw cache` writes: a folder without it is
not a folder of shards.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import functools
import hashlib
import io
import os
from typing import Any

import numpy as np

from codelaw import errors
from codelaw import records
from codelaw import storage

FILE_NAME = 'manifest.json'
TOKENIZER_NAME = 'tokenizer.json'
SPLITS = ('train', 'validation')
_FORMAT = 2  # Of the manifest; another one cannot be read.
# (what is done now, fraction of the work that is done)
Progress = Callable[[str, float], None]


@dataclasses.dataclass(frozen=True)
class ShardFile:
  """One file of the shards.

  Attributes:
    name: relative to the folder of shards.
    sequences: that it holds, or (a padding file) tells of.
    bytes: size of the file.
    sha256: of its content, in hexadecimal.
  """

  name: str
  sequences: int
  bytes: int
  sha256: str


@dataclasses.dataclass(frozen=True)
class SplitShards:
  """The shards of one source and split.

  Attributes:
    packing: how documents were packed, one of `packing.PACKINGS`.
    documents: packed.
    bytes: UTF-8 bytes of those documents.
    tokens: stored, one end token per document included, padding excluded.
    sequences: of `Manifest.sequence_length` tokens.
    padding_tokens: of all sequences together.
    truncated_tokens: of documents that were left out.
    left_out_documents: longer than a sequence, where none may be cut.
    files: ArrayRecord files, in reading order.
    padding_file: which sequences are padded; None when there are none.
  """

  packing: str
  documents: int
  bytes: int
  tokens: int
  sequences: int
  padding_tokens: int
  truncated_tokens: int
  left_out_documents: int
  files: tuple[ShardFile, ...]
  padding_file: ShardFile | None

  def all_files(self) -> tuple[ShardFile, ...]:
    """The ArrayRecord files and, where there is one, the padding file."""
    return (*self.files, *filter(None, [self.padding_file]))


@dataclasses.dataclass(frozen=True)
class Manifest:
  """What a folder of shards holds.

  Attributes:
    vocab_size: token ids are below it.
    sequence_length: tokens per sequence.
    token_dtype: `uint16` or `uint32`, little-endian.
    tokenizer_fingerprint: of `tokenizer.json`.
    corpus_fingerprint: of the corpus that was packed.
    plan_fingerprint: of everything that decides what the shards hold.
    sources: source -> split -> its shards.
  """

  vocab_size: int
  sequence_length: int
  token_dtype: str
  tokenizer_fingerprint: str
  corpus_fingerprint: str
  plan_fingerprint: str
  sources: Mapping[str, Mapping[str, SplitShards]]

  @functools.cached_property
  def fingerprint(self) -> str:
    """Of all the above; two equal fingerprints mean equal shards."""
    return storage.fingerprint(records.to_json(self))

  def split(self, source: str, split: str) -> SplitShards:
    """The shards of one source and split.

    Raises:
      UserError: when there are none.
    """
    if source not in self.sources:
      raise errors.UserError(
        f'There is no source {source!r} in the shards; there are'
        f' {", ".join(sorted(self.sources))}.'
      )
    if split not in self.sources[source]:
      raise errors.UserError(
        f'Source {source} has no {split} shards; it has'
        f' {", ".join(sorted(self.sources[source])) or "none"}.'
      )
    return self.sources[source][split]

  def files(self) -> tuple[ShardFile, ...]:
    """Every file of every source and split, padding files included."""
    return tuple(
      file
      for splits in self.sources.values()
      for shards in splits.values()
      for file in shards.all_files()
    )


def exists(shards_dir: storage.PathLike) -> bool:
  """Whether the folder holds finished shards."""
  return (storage.path(shards_dir) / FILE_NAME).exists()


def write(shards_dir: storage.PathLike, manifest: Manifest) -> None:
  """Writes `manifest.json`; must come after every other file."""
  content: dict[str, Any] = {
    'format': _FORMAT,
    'fingerprint': manifest.fingerprint,
  }
  content.update(records.to_json(manifest))
  storage.write_json(storage.path(shards_dir) / FILE_NAME, content)


def read(shards_dir: storage.PathLike) -> Manifest:
  """Reads `manifest.json` and checks that its files are there.

  Sizes and the tokenizer are checked here, contents by `verify`.

  Raises:
    UserError: when the folder has no manifest, the manifest was cut or
      changed, a shard is missing or has another size, or the tokenizer is
      not the one the shards were made with.
  """
  folder = storage.path(shards_dir)
  if not exists(folder):
    raise errors.UserError(
      f'{os.fspath(folder)} has no {FILE_NAME}, so it holds no finished'
      ' shards; write them with `codelaw cache`, or check shards_dir.'
    )
  content = storage.read_json(folder / FILE_NAME)
  if not isinstance(content, dict) or 'fingerprint' not in content:
    raise errors.UserError(
      f'{os.fspath(folder / FILE_NAME)} is not a manifest of shards; check'
      ' shards_dir, or write the shards again with `codelaw cache`.'
    )
  claimed = content.pop('fingerprint')
  if content.pop('format', None) != _FORMAT:
    raise errors.UserError(
      f'{os.fspath(folder / FILE_NAME)} was written by another version of'
      ' codelaw, whose shards this one does not read; delete the folder and'
      ' run `codelaw cache` again.'
    )
  manifest = records.from_json(content, Manifest)
  if claimed != manifest.fingerprint:
    raise errors.UserError(
      f'{os.fspath(folder / FILE_NAME)} was changed after it was written'
      f' (fingerprint {manifest.fingerprint}, expected {claimed}); delete'
      ' the folder and run `codelaw cache` again.'
    )
  for file in manifest.files():
    _check_size(folder, file)
  found = tokenizer_fingerprint(folder / TOKENIZER_NAME)
  if found != manifest.tokenizer_fingerprint:
    raise errors.UserError(
      f'{os.fspath(folder / TOKENIZER_NAME)} is not the tokenizer of these'
      f' shards (fingerprint {found}, expected'
      f' {manifest.tokenizer_fingerprint}); restore it, or delete the folder'
      ' and run `codelaw cache` again.'
    )
  return manifest


def write_padding(
  shards_dir: storage.PathLike,
  source: str,
  split: str,
  indices: np.ndarray,
  paddings: np.ndarray,
) -> ShardFile | None:
  """Writes which sequences of one source and split are padded.

  Args:
    shards_dir: folder of the shards.
    source: name of the source.
    split: `train` or `validation`.
    indices: of the padded sequences, ascending, int64 [p].
    paddings: tokens of padding of each, at least 1, int64 [p].

  Returns:
    The file for `SplitShards.padding_file`; None when no sequence is padded.

  Raises:
    UserError: when the disk refuses the file.
  """
  if not len(indices):
    return None
  buffer = io.BytesIO()
  np.save(buffer, np.stack([indices, paddings]).astype('<i8'))
  content = buffer.getvalue()
  name = f'{source}/{split}.padding.npy'
  storage.write_bytes(storage.path(shards_dir) / name, content)
  digest = hashlib.sha256(content).hexdigest()
  return ShardFile(name, len(indices), len(content), digest)


def padded_sequences(
  shards_dir: storage.PathLike, manifest: Manifest, source: str, split: str
) -> tuple[np.ndarray, np.ndarray]:
  """Which sequences of one source and split are padded, and by how much.

  Args:
    shards_dir: folder of the shards.
    manifest: of that folder.
    source: name of the source.
    split: `train` or `validation`.

  Returns:
    indices, int64 [p], ascending: the sequences with padding, all of them;
    paddings, int64 [p]: tokens of padding of each, at least 1.

  Raises:
    UserError: when there are no such shards, or the file is missing, damaged
      or disagrees with the manifest.
  """
  return read_padding(
    storage.path(shards_dir),
    manifest.split(source, split),
    manifest.sequence_length,
  )


def read_padding(
  folder: storage.PathLike, shards: SplitShards, sequence_length: int
) -> tuple[np.ndarray, np.ndarray]:
  """`padded_sequences` of shards whose names are relative to `folder`."""
  table = np.zeros((2, 0), np.int64)
  place = os.fspath(storage.path(folder))
  if shards.padding_file is not None:
    place = os.fspath(storage.path(folder) / shards.padding_file.name)
    _check_size(storage.path(folder), shards.padding_file)
    content = storage.path(place).read_bytes()
    _check_content(
      place, shards.padding_file, hashlib.sha256(content).hexdigest()
    )
    table = np.load(io.BytesIO(content), allow_pickle=False).astype(np.int64)
  indices, paddings = table
  inside = np.all((paddings > 0) & (paddings < sequence_length))
  ascending = np.all(np.diff(indices, prepend=-1) > 0)
  if (
    not (inside and ascending and np.all(indices < shards.sequences))
    or paddings.sum() != shards.padding_tokens
  ):
    raise errors.UserError(
      f'{place} tells of {paddings.sum():,} tokens of padding in'
      f' {len(indices):,} of {shards.sequences:,} sequences, the manifest of'
      f' {shards.padding_tokens:,}; delete the folder and run `codelaw cache`'
      ' again.'
    )
  return indices, paddings


def verify(
  shards_dir: storage.PathLike,
  manifest: Manifest,
  progress: Progress | None = None,
) -> None:
  """Reads every shard and compares its checksum.

  Raises:
    UserError: when a file's content is not what was written.
  """
  folder = storage.path(shards_dir)
  tell = progress or (lambda message, fraction: None)
  files = manifest.files()
  total, done = sum(file.bytes for file in files), 0
  for file in files:
    tell(file.name, done / total)
    _check_size(folder, file)
    place = folder / file.name
    _check_content(os.fspath(place), file, checksum(place))
    done += file.bytes
  tell(f'{len(files)} files, sha256 as written', 1.0)


def checksum(file: storage.PathLike) -> str:
  """SHA-256 of a file's content, in hexadecimal."""
  with storage.path(file).open('rb') as stream:
    return hashlib.file_digest(stream, 'sha256').hexdigest()


def tokenizer_fingerprint(file: storage.PathLike) -> str:
  """Of the content of a `tokenizer.json`, however it is laid out."""
  return storage.fingerprint(storage.read_json(file))


def _check_size(folder: storage.epath.Path, file: ShardFile) -> None:
  place = folder / file.name
  if not place.exists():
    raise errors.UserError(
      f'Shard {os.fspath(place)} is missing though {FILE_NAME} lists it;'
      ' restore it, or delete the folder and run `codelaw cache` again.'
    )
  size = place.stat().length
  if size != file.bytes:
    raise errors.UserError(
      f'Shard {os.fspath(place)} has {size:,} bytes, expected'
      f' {file.bytes:,}; restore it, or delete the folder and run `codelaw'
      ' cache` again.'
    )


def _check_content(place: str, file: ShardFile, sha256: str) -> None:
  if sha256 != file.sha256:
    raise errors.UserError(
      f'Shard {place} is damaged (sha256 {sha256[:12]}..., expected'
      f' {file.sha256[:12]}...); restore it, or delete the folder and run'
      ' `codelaw cache` again.'
    )
