"""ArrayRecord files of packed sequences: written whole, read at any index.

One record is one sequence: its tokens, little-endian, nothing else.
"""

from collections.abc import Iterable
from collections.abc import Sequence
import itertools
import os
import pathlib
import threading

from array_record.python import array_record_module
import numpy as np

from codelaw import errors
from codelaw import storage
from codelaw.data import manifest as manifest_lib

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
  """Writes `STEM-00000.array_record` and so on in `folder`.

  Args:
    folder: that is there, and that nothing else writes to.
    stem: of the names, like `train`.
    sequences: arrays of one length and dtype.
    sequences_per_file: at the most.

  Raises:
    OSError or RuntimeError: when the disk refuses a file.
  """
  files: list[manifest_lib.ShardFile] = []
  remaining = iter(sequences)
  while first := list(itertools.islice(remaining, 1)):
    file = folder / f'{stem}-{len(files):05d}.array_record'
    count = _write_file(
      file,
      itertools.chain(
        first, itertools.islice(remaining, sequences_per_file - 1)
      ),
    )
    size, sha256 = file.stat().st_size, manifest_lib.checksum(file)
    files.append(manifest_lib.ShardFile(file.name, count, size, sha256))
  return tuple(files)


def _write_file(file: pathlib.Path, sequences: Iterable[np.ndarray]) -> int:
  """Writes one file and opens it again: (sequences in it).

  On a full disk `write` goes on in silence and `close` raises; what arrived
  is counted all the same.
  """
  writer = array_record_module.ArrayRecordWriter(str(file), _WRITER_OPTIONS)
  count = 0
  for sequence in sequences:
    count += 1
    writer.write(
      sequence.astype(sequence.dtype.newbyteorder('<'), copy=False).tobytes()
    )
  writer.close()
  with open(file, 'rb') as stream:
    os.fsync(stream.fileno())
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
