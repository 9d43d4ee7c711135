"""TFRecords: where the records of a file lie, every checksum verified.

A file is a sequence of records: length (uint64), masked CRC32C of the length,
payload, masked CRC32C of the payload, little-endian. Records are found in
blocks, because a call per record and field would cost more than reading them.
"""

import array
from collections.abc import Iterator
import dataclasses
import struct
from typing import BinaryIO

import google_crc32c
import numpy as np

from codelaw import errors

_HEADER = struct.Struct('<QI')
_FOOTER_SIZE = 4
_LENGTH_SIZE = 8
_BLOCK_SIZE = 1 << 26
_MASK_DELTA = 0xA282EAD8


@dataclasses.dataclass(frozen=True)
class Block:
  """Whole records of a part of a file.

  Attributes:
    content: the bytes of the part.
    offset: of its first byte in the file.
    starts: [n] of the payloads, in `content`.
    ends: [n] behind the payloads.
  """

  content: bytes
  offset: int
  starts: np.ndarray
  ends: np.ndarray

  @property
  def end(self) -> int:
    """Offset in the file behind the last whole record."""
    if not len(self.ends):
      return self.offset
    return self.offset + int(self.ends[-1]) + _FOOTER_SIZE

  def place(self, record: int) -> int:
    """Offset in the file of a record's first byte."""
    return self.offset + int(self.starts[record]) - _HEADER.size


def blocks(
  stream: BinaryIO,
  name: str,
  offset: int,
  end: int,
  block_size: int = _BLOCK_SIZE,
) -> Iterator[Block]:
  """Yields the whole records of a part of a file.

  What follows the last whole record, because the writer still runs or was
  killed, is left out; so are zeros, which some file systems append to files
  that were open when the machine stopped.

  Args:
    stream: the open file.
    name: of the file, for messages.
    offset: where a record begins.
    end: where the part ends; the size of the file.
    block_size: bytes read at once, at the most.

  Raises:
    UserError: for a record whose checksum is wrong, with file and offset.
  """
  stream.seek(offset)
  rest, unread = b'', end - offset
  # A read allocates all that it is asked for.
  while new := stream.read(min(block_size, unread)):
    unread -= len(new)
    block = _block(rest + new, name, offset)
    if len(block.starts):
      yield block
    rest = block.content[block.end - offset :]
    offset = block.end


def _block(content: bytes, name: str, offset: int) -> Block:
  # One loop without calls of Python: what it does per record is most of the
  # time that reading events takes.
  starts, checksums = array.array('q'), array.array('I')
  add_start, add_checksum = starts.append, checksums.append
  checksum = google_crc32c.value
  sizes: dict[bytes, int] = {}  # A file has few headers and many records.
  size_of = sizes.get
  at, end = 0, len(content)
  while True:
    size = size_of(content[at : at + 12])
    if size is None:
      size = _size(content, at, name, offset)
      if not size:
        break
      sizes[content[at : at + 12]] = size
    following = at + size
    if following > end:
      break
    add_start(at)
    add_checksum(checksum(content[at + 12 : following - 4]))
    at = following
  places = np.append(np.frombuffer(starts, np.int64), at)
  block = Block(
    content, offset, places[:-1] + _HEADER.size, places[1:] - _FOOTER_SIZE
  )
  # The four bytes at each place of the content, as numbers.
  words = np.ndarray((max(0, end - 3),), '<u4', content, strides=(1,))
  wrong = _mask(np.frombuffer(checksums, np.uint32)) != words[block.ends]
  if wrong.any():
    raise _corrupt(name, block.place(int(np.argmax(wrong))), 'payload')
  return block


def _size(content: bytes, at: int, name: str, offset: int) -> int:
  """Bytes of the record at a place; 0 if it has no whole header."""
  header = content[at : at + _HEADER.size]
  if len(header) < _HEADER.size:
    return 0
  length, given = _HEADER.unpack(header)
  if masked_crc32c(header[:_LENGTH_SIZE]) == given:
    return length + _HEADER.size + _FOOTER_SIZE
  if not content[at:].strip(b'\0'):
    return 0
  raise _corrupt(name, offset + at, 'length')


def masked_crc32c(content: bytes) -> int:
  """CRC32C, rotated right by 15 bits plus a constant, as TFRecords store it.

  >>> hex(masked_crc32c(b''))
  '0xa282ead8'
  """
  return int(_mask(np.array([google_crc32c.value(content)], np.uint32))[0])


def _mask(checksums: np.ndarray) -> np.ndarray:
  rotated = (checksums >> np.uint32(15)) | (checksums << np.uint32(17))
  return rotated + np.uint32(_MASK_DELTA)


def _corrupt(name: str, offset: int, part: str) -> errors.UserError:
  return errors.UserError(
    f'{name} is corrupt: the {part} of the record at byte {offset} does not'
    ' match its checksum. Restore the file, or move it away to do without it.'
  )
