"""Writes one part of the shards: tokens, sequences, files, and its record."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
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
from codelaw.data import parts
from codelaw.data import sequence_files
from codelaw.data import tokenizer as tokenizer_lib

_CHUNK_BYTES = 2_000_000  # of documents tokenized at once


@dataclasses.dataclass(frozen=True)
class Settings:
  """How documents become files; the fields are those of the plan."""

  packing: str
  sequence_length: int
  token_dtype: str
  sequences_per_file: int


def write(
  root: pathlib.Path,
  part: parts.Part,
  key: str,
  settings: Settings,
  tokenizer: tokenizer_lib.Tokenizer,
  items: Iterable[documents.Document],
  packed: Callable[[int], None] | None = None,
) -> parts.PartShards:
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
  folder = parts.folder_of(root, part)
  temporary = None
  try:
    root.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(
      tempfile.mkdtemp(prefix=parts.UNFINISHED, dir=root)
    )
    counts = _Counts(tokenizer, settings, packed or (lambda num_bytes: None))
    files = sequence_files.write(
      temporary,
      part.split,
      counts.sequences(items),
      settings.sequences_per_file,
    )
    written = parts.PartShards(part, key, counts.shards(temporary, part, files))
    storage.write_json(temporary / parts.RECORD_NAME, records.to_json(written))
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


@functools.lru_cache(maxsize=1)
def _load_tokenizer(place: str, changed: int) -> tokenizer_lib.Tokenizer:
  del changed  # another file at the same place is another tokenizer
  return tokenizer_lib.load(place)


def load_tokenizer(file: pathlib.Path) -> tokenizer_lib.Tokenizer:
  """The tokenizer in `file`, kept for the next part of the same process."""
  return _load_tokenizer(os.fspath(file), file.stat().st_mtime_ns)


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
    part: parts.Part,
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
