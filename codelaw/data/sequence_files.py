"""ArrayRecord files of packed sequences: written whole, read at any index.

One record is one sequence: its tokens, little-endian, nothing else.
"""

from collections.abc import Iterable
from collections.abc import Sequence
import itertools
import os
import pathlib
import shutil
import threading

from array_record.python import array_record_module
import numpy as np

from codelaw import errors
from codelaw import storage
from codelaw.data import manifest as manifest_lib

PARTIAL = '.partial'  # Folder of files that are not finished.
# One record per group: reading one sequence decodes no other.
_WRITER_OPTIONS = 'group_size:1'
# No read-ahead: records are read in random order.
_READER_OPTIONS = 'readahead_buffer_size:0,max_parallelism:0'
_READER_BUFFER_BYTES = 32_768


def write(
  folder: pathlib.Path,
  stem: str,
  sequences: Iterable[np.ndarray],
  sequences_per_file: int,
) -> tuple[manifest_lib.ShardFile, ...]:
  """Writes `STEM-00000-of-00002.array_record` and so on below `folder`.

  Args:
    folder: of the shards.
    stem: of the names, like `code/python/train`.
    sequences: arrays of one length and dtype.
    sequences_per_file: at the most.

  Raises:
    UserError: when the disk refuses a file.
  """
  partial = folder / PARTIAL
  partial.mkdir(parents=True, exist_ok=True)
  written: list[tuple[pathlib.Path, int]] = []
  remaining = iter(sequences)
  try:
    while part := list(itertools.islice(remaining, 1)):
      file = partial / f'{len(written):05d}'
      part_sequences = itertools.chain(
        part, itertools.islice(remaining, sequences_per_file - 1)
      )
      written.append((file, _write_file(file, part_sequences)))
    files = []
    for number, (file, count) in enumerate(written):
      name = f'{stem}-{number:05d}-of-{len(written):05d}.array_record'
      size, sha256 = file.stat().st_size, manifest_lib.checksum(file)
      files.append(manifest_lib.ShardFile(name, count, size, sha256))
      (folder / name).parent.mkdir(parents=True, exist_ok=True)
      os.replace(file, folder / name)
  except (OSError, RuntimeError) as error:
    raise errors.UserError(
      f'Cannot write the shards of {stem} in {folder} ({error}); free space'
      ' or choose another folder, then run `codelaw cache` again.'
    ) from error
  return tuple(files)


def remove_partial(folder: pathlib.Path) -> None:
  """Removes the folder of unfinished files, also a stopped writer's."""
  shutil.rmtree(folder / PARTIAL, ignore_errors=True)


def _write_file(file: pathlib.Path, sequences: Iterable[np.ndarray]) -> int:
  """Writes one file and opens it again: (sequences in it)."""
  writer = array_record_module.ArrayRecordWriter(str(file), _WRITER_OPTIONS)
  count = 0
  for sequence in sequences:
    count += 1
    writer.write(
      sequence.astype(sequence.dtype.newbyteorder('<'), copy=False).tobytes()
    )
  writer.close()
  reader = array_record_module.ArrayRecordReader(str(file), _READER_OPTIONS)
  found = reader.num_records()
  reader.close()
  if found != count:
    raise OSError(f'{found} of {count} sequences arrived on disk')
  return count


class SequenceReader:
  """Random access to the sequences of one source and split.

  Grain's own ArrayRecord source starts a pool of threads for each batch of
  records, which costs more than reading records this small. This reads one
  record after the other in the calling thread; several threads may share it.
  """

  def __init__(
    self,
    shards_dir: storage.PathLike,
    manifest: manifest_lib.Manifest,
    source: str,
    split: str,
  ):
    """Opens no file yet.

    Args:
      shards_dir: folder of the shards.
      manifest: of that folder.
      source: name of the source.
      split: `train` or `validation`.
    """
    files = manifest.split(source, split).files
    folder = storage.path(shards_dir)
    self._paths = [os.fspath(folder / file.name) for file in files]
    self._ends = np.cumsum([file.sequences for file in files], dtype=np.int64)
    self._readers: dict[int, array_record_module.ArrayRecordReader] = {}
    self._lock = threading.Lock()
    self._dtype = np.dtype(manifest.token_dtype).newbyteorder('<')
    self._length = manifest.sequence_length

  def __len__(self) -> int:
    return int(self._ends[-1]) if len(self._ends) else 0

  def read(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
    """The sequences at `indices`.

    Args:
      indices: each in [0, len(self)).

    Returns:
      Tokens, uint16 or uint32 [len(indices), sequence_length].

    Raises:
      UserError: when a file cannot be read.
    """
    wanted = np.asarray(indices, np.int64)
    tokens = np.empty((len(wanted), self._length), self._dtype)
    file_ids = np.searchsorted(self._ends, wanted, 'right')
    for file_id in np.unique(file_ids):
      mine = file_ids == file_id
      first = self._ends[file_id - 1] if file_id else 0
      tokens[mine] = self._read_file(int(file_id), wanted[mine] - first)
    return tokens

  def _read_file(self, file_id: int, indices: np.ndarray) -> np.ndarray:
    path = self._paths[file_id]
    content = []
    try:
      with self._lock:
        if file_id not in self._readers:
          self._readers[file_id] = array_record_module.ArrayRecordReader(
            path, _READER_OPTIONS, file_reader_buffer_size=_READER_BUFFER_BYTES
          )
        reader = self._readers[file_id]
        for index in indices.tolist():
          reader.seek(index)
          content.append(reader.read())
      return np.frombuffer(b''.join(content), self._dtype).reshape(
        len(indices), self._length
      )
    except (OSError, RuntimeError, ValueError, IndexError) as error:
      raise errors.UserError(
        f'Cannot read shard {path} ({error}); check it with `codelaw cache'
        ' --verify`, restore it, or write the shards again.'
      ) from error
