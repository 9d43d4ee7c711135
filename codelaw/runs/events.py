"""TensorBoard event files -> scalars, whole and checked, without TensorFlow.

An event file is a sequence of TFRecords: length (uint64), masked CRC32C of
the length, payload, masked CRC32C of the payload, little-endian; each payload
is a `tensorboard.Event`. Every value is read: none is sampled away.
"""

from collections.abc import Callable
from collections.abc import Iterator
import logging
import os
import struct
from typing import Any

from etils import epath
from google.protobuf import message
import google_crc32c
from tensorboard.compat.proto import event_pb2
from tensorboard.compat.proto import types_pb2
from tensorboard.util import tensor_util

from codelaw import errors
from codelaw import storage

Report = Callable[[str], None]
Scalars = dict[str, list[tuple[int, float]]]

warn: Report = logging.getLogger('codelaw').warning

_HEADER = struct.Struct('<QI')
_FOOTER = struct.Struct('<I')
_NUMERIC = frozenset(
  (
    types_pb2.DT_FLOAT,
    types_pb2.DT_DOUBLE,
    types_pb2.DT_HALF,
    types_pb2.DT_BFLOAT16,
    types_pb2.DT_INT32,
    types_pb2.DT_INT64,
  )
)


def read_scalars(folder: storage.PathLike, report: Report = warn) -> Scalars:
  """All scalars of the event files of a folder, both kinds of value.

  `simple_value` (tensorboardX, PyTorch) and scalar `tensor` (tf.summary, clu)
  are both read. Where a tag has several values at one step, as after a
  restart, the one written last wins.

  Args:
    folder: with files named `*tfevents*`, local or in a bucket; a folder
      that is missing or has none gives no scalars.
    report: called with one sentence per file that ends inside a record, as
      files do whose writer still runs or was killed; what precedes is read.

  Returns:
    tag -> [(step, value), ...] with rising steps.

  Raises:
    UserError: for a record whose checksum is wrong, with file and offset.
  """
  latest: dict[str, dict[int, tuple[float, float]]] = {}
  for file in _event_files(folder):
    for event in _events(file, report):
      for entry in event.summary.value:
        value = _scalar(entry)
        if value is None:
          continue
        steps = latest.setdefault(entry.tag, {})
        if event.step not in steps or event.wall_time >= steps[event.step][0]:
          steps[event.step] = (event.wall_time, value)
  return {
    tag: [(step, steps[step][1]) for step in sorted(steps)]
    for tag, steps in sorted(latest.items())
  }


def read_records(file: storage.PathLike, report: Report = warn) -> Iterator:
  """Yields (offset, payload) of each TFRecord of a file, checksums verified.

  Raises:
    UserError: for a record whose checksum is wrong, with file and offset.
  """
  name = os.fspath(file)
  content = memoryview(storage.path(file).read_bytes())
  offset = 0
  while offset < len(content):
    start = offset + _HEADER.size
    if start > len(content):
      report(_truncated(name, offset, len(content)))
      return
    length, length_checksum = _HEADER.unpack_from(content, offset)
    if masked_crc32c(bytes(content[offset : offset + 8])) != length_checksum:
      raise _corrupt(name, offset, 'length')
    end = start + length
    if end + _FOOTER.size > len(content):
      report(_truncated(name, offset, len(content)))
      return
    payload = bytes(content[start:end])
    if masked_crc32c(payload) != _FOOTER.unpack_from(content, end)[0]:
      raise _corrupt(name, offset, 'payload')
    yield offset, payload
    offset = end + _FOOTER.size


def masked_crc32c(content: bytes) -> int:
  """CRC32C, rotated right by 15 bits plus a constant, as TFRecords store it.

  >>> hex(masked_crc32c(b''))
  '0xa282ead8'
  """
  checksum = google_crc32c.value(content)
  rotated = (checksum >> 15) | (checksum << 17)
  return (rotated + 0xA282EAD8) & 0xFFFFFFFF


def _event_files(folder: storage.PathLike) -> list[epath.Path]:
  path = storage.path(folder)
  if not path.is_dir():
    return []
  files = (file for file in path.iterdir() if 'tfevents' in file.name)
  return sorted(files, key=lambda file: file.name)


def _events(file: epath.Path, report: Report) -> Iterator[event_pb2.Event]:
  for offset, payload in read_records(file, report):
    try:
      yield event_pb2.Event.FromString(payload)
    except message.DecodeError as error:
      raise errors.UserError(
        f'{file}: the record at byte {offset} is no TensorBoard event; keep'
        ' other TFRecords out of the folder.'
      ) from error


def _scalar(entry: Any) -> float | None:
  kind = entry.WhichOneof('value')
  if kind == 'simple_value':
    return float(entry.simple_value)
  if kind != 'tensor' or entry.tensor.dtype not in _NUMERIC:
    return None
  value = tensor_util.make_ndarray(entry.tensor)
  return float(value) if value.ndim == 0 else None


def _truncated(name: str, offset: int, size: int) -> str:
  return (
    f'{name} ends inside the record at byte {offset} ({size} bytes in all):'
    ' its writer still runs or was killed; the records before it were read.'
  )


def _corrupt(name: str, offset: int, part: str) -> errors.UserError:
  return errors.UserError(
    f'{name} is corrupt: the {part} of the record at byte {offset} does not'
    ' match its checksum. Restore the file, or move it away to do without it.'
  )
