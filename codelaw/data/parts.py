"""Parts of the shards: documents packed together, written whole or not at all.

Definitions owned here: a part is a share of the documents of one source and
split, chosen by content hash. It depends on the corpus, the plan and the
tokenizer alone, so that parts may be written in any order by any process, and
what a stopped writer has finished can be kept. Inside a part documents are
packed in the order of their content hash: neighbouring files do not stay
neighbours, and the first sequences are a fair sample.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import functools
import os
import pathlib
import shutil
import tempfile

import numpy as np

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.corpora import documents
from codelaw.data import manifest as manifest_lib
from codelaw.data import packing
from codelaw.data import sequence_files
from codelaw.data import tokenizer as tokenizer_lib

_RECORD = 'part.json'  # Written last: a folder without it is no part.
_CHUNK_BYTES = 2_000_000  # of documents tokenized at once
_UNFINISHED = 'unfinished-'  # Begins the names of folders being written.


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


@dataclasses.dataclass(frozen=True)
class Settings:
  """How documents become files; the fields are those of the plan."""

  packing: str
  sequence_length: int
  token_dtype: str
  sequences_per_file: int


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


def write(
  root: pathlib.Path,
  part: Part,
  key: str,
  settings: Settings,
  tokenizer: tokenizer_lib.Tokenizer,
  items: Iterable[documents.Document],
  packed: Callable[[int], None] | None = None,
) -> PartShards:
  """Tokenizes and packs documents into the folder of a part.

  Args:
    root: folder of all parts.
    part: which one this is.
    key: kept with the part, for `recorded`.
    settings: of the packing and the files.
    tokenizer: of the shards.
    items: all documents of the part, in the order of their content hash.
    packed: called with the bytes of documents packed so far.

  Returns:
    What was written.

  Raises:
    UserError: when the disk refuses a file; nothing is left then.
  """
  folder = folder_of(root, part)
  temporary = None
  try:
    root.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=root))
    counts = _Counts(tokenizer, settings, packed or (lambda num_bytes: None))
    files = sequence_files.write(
      temporary,
      part.split,
      counts.sequences(items),
      settings.sequences_per_file,
    )
    written = PartShards(part, key, counts.shards(temporary, part, files))
    storage.write_json(temporary / _RECORD, records.to_json(written))
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Another process may have written the same; both are whole.
    with contextlib.suppress(FileNotFoundError):
      shutil.rmtree(folder)
    os.rename(temporary, folder)
  except (OSError, RuntimeError) as error:
    raise errors.UserError(
      f'Cannot write the shards of {part.source} {part.split} in {root}'
      f' ({error}); free space or choose another folder, then run `codelaw'
      ' cache` again: it keeps what is finished.'
    ) from error
  finally:
    if temporary is not None:
      shutil.rmtree(temporary, ignore_errors=True)
  return written


def recorded(root: pathlib.Path, part: Part, key: str) -> PartShards | None:
  """The part as an earlier writer left it, if all of it is there.

  A part with another key, or with a file that is not what was written, is
  removed.
  """
  folder = folder_of(root, part)
  if not folder.exists():
    return None
  with contextlib.suppress(errors.UserError, OSError):
    found = records.from_json(storage.read_json(folder / _RECORD), PartShards)
    if found.key == key and found.part == part and _is_whole(folder, found):
      return found
  shutil.rmtree(folder)
  return None


def any_recorded(root: pathlib.Path) -> bool:
  """Whether some part below `root` was finished."""
  return any(True for _ in root.rglob(_RECORD))


def remove_unfinished(root: pathlib.Path) -> None:
  """Removes what writers that are no more left unfinished below `root`."""
  for leftover in root.glob(_UNFINISHED + '*'):
    shutil.rmtree(leftover, ignore_errors=True)


def _is_whole(folder: pathlib.Path, found: PartShards) -> bool:
  return all(
    manifest_lib.checksum(folder / file.name) == file.sha256
    for file in found.shards.all_files()
  )


class _Counts:
  """Packs documents and counts what went through."""

  def __init__(
    self,
    tokenizer: tokenizer_lib.Tokenizer,
    settings: Settings,
    packed: Callable[[int], None],
  ):
    self._tokenizer = tokenizer
    self._settings = settings
    self._packed = packed
    self._bytes_seen = 0
    self._documents = 0
    self._bytes = 0
    self._tokens = 0
    self._left_out = 0
    self._truncated = 0
    self._sequences = 0
    self._padded: list[tuple[int, int]] = []

  def sequences(
    self, items: Iterable[documents.Document]
  ) -> Iterator[np.ndarray]:
    """The sequences of all documents."""
    for sequence in packing.pack(
      self._documents_tokens(items),
      self._settings.sequence_length,
      self._settings.packing,
    ):
      padding = int(np.sum(sequence == packing.PAD_ID))
      if padding:
        self._padded.append((self._sequences, padding))
      self._sequences += 1
      yield sequence

  def shards(
    self,
    folder: pathlib.Path,
    part: Part,
    files: tuple[manifest_lib.ShardFile, ...],
  ) -> manifest_lib.SplitShards:
    """What all sequences together hold; writes the padding file."""
    indices, paddings = np.array(self._padded, np.int64).reshape(-1, 2).T
    held = manifest_lib.SplitShards(
      packing=self._settings.packing,
      documents=self._documents,
      bytes=self._bytes,
      tokens=self._tokens,
      sequences=self._sequences,
      padding_tokens=int(paddings.sum()),
      truncated_tokens=self._truncated,
      left_out_documents=self._left_out,
      files=files,
      padding_file=manifest_lib.write_padding(
        folder, part.source, part.split, indices, paddings
      ),
    )
    room = held.sequences * self._settings.sequence_length
    if held.tokens + held.padding_tokens != room:
      raise AssertionError(
        f'{part}: {held.tokens} tokens and {held.padding_tokens} of padding'
        f' do not fill {held.sequences} sequences'
      )
    return held

  def _documents_tokens(
    self, items: Iterable[documents.Document]
  ) -> Iterator[np.ndarray]:
    settings = self._settings
    for chunk in _chunks(items):
      encoded = tokenizer_lib.encode(
        self._tokenizer, [item.text for item in chunk]
      )
      for item, ids in zip(chunk, encoded, strict=True):
        self._bytes_seen += item.bytes
        num_tokens = len(ids) + 1
        if packing.is_left_out(
          num_tokens, settings.sequence_length, settings.packing
        ):
          self._left_out += 1
          self._truncated += num_tokens
          continue
        self._documents += 1
        self._bytes += item.bytes
        self._tokens += num_tokens
        yield ids.astype(settings.token_dtype)
      self._packed(self._bytes_seen)


def _chunks(
  items: Iterable[documents.Document],
) -> Iterator[list[documents.Document]]:
  """Documents by groups that are worth handing to the tokenizer's threads."""
  chunk: list[documents.Document] = []
  size = 0
  for item in items:
    chunk.append(item)
    size += item.bytes
    if size >= _CHUNK_BYTES:
      yield chunk
      chunk, size = [], 0
  if chunk:
    yield chunk


def merged(
  folder: pathlib.Path,
  root: pathlib.Path,
  parts: list[PartShards],
  sequence_length: int,
) -> manifest_lib.SplitShards:
  """Moves the files of all parts of a source and split to their last names.

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


@functools.lru_cache(maxsize=1)
def _load_tokenizer(place: str, changed: int) -> tokenizer_lib.Tokenizer:
  del changed  # another file at the same place is another tokenizer
  return tokenizer_lib.load(place)


def load_tokenizer(file: pathlib.Path) -> tokenizer_lib.Tokenizer:
  """The tokenizer in `file`, kept for the next part of the same process."""
  return _load_tokenizer(os.fspath(file), file.stat().st_mtime_ns)
