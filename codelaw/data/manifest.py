"""What a folder of packed shards holds: `manifest.json`, read and checked.

Definitions owned here:
  tokens: stored tokens, the end-of-document tokens included, padding not.
  bytes: UTF-8 bytes of the documents, which bits per byte divide by.
The manifest is the last file `codelaw cache` writes: a folder without it is
not a folder of shards.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import functools
import hashlib
import os
from typing import Any

from codelaw import errors
from codelaw import records
from codelaw import storage

FILE_NAME = 'manifest.json'
TOKENIZER_NAME = 'tokenizer.json'
SPLITS = ('train', 'validation')
# (what is done now, fraction of the work that is done)
Progress = Callable[[str, float], None]


@dataclasses.dataclass(frozen=True)
class ShardFile:
  """One ArrayRecord file.

  Attributes:
    name: relative to the folder of shards.
    sequences: records in the file.
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
    documents: packed.
    bytes: UTF-8 bytes of those documents.
    tokens: stored, one end token per document included, padding excluded.
    sequences: of `Manifest.sequence_length` tokens.
    padding_tokens: at the end of the last sequence; nowhere else.
    truncated_tokens: tokens of documents that were not stored; always 0.
    files: in reading order.
  """

  documents: int
  bytes: int
  tokens: int
  sequences: int
  padding_tokens: int
  truncated_tokens: int
  files: tuple[ShardFile, ...]


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
    """Every file of every source and split."""
    return tuple(
      file
      for splits in self.sources.values()
      for shards in splits.values()
      for file in shards.files
    )


def exists(shards_dir: storage.PathLike) -> bool:
  """Whether the folder holds finished shards."""
  return (storage.path(shards_dir) / FILE_NAME).exists()


def write(shards_dir: storage.PathLike, manifest: Manifest) -> None:
  """Writes `manifest.json`; must come after every other file."""
  content: dict[str, Any] = {'fingerprint': manifest.fingerprint}
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
    found = checksum(folder / file.name)
    if found != file.sha256:
      raise errors.UserError(
        f'Shard {os.fspath(folder / file.name)} is damaged (sha256'
        f' {found[:12]}..., expected {file.sha256[:12]}...); restore it, or'
        ' delete the folder and run `codelaw cache` again.'
      )
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
