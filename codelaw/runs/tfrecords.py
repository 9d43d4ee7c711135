"""TFRecords: where the records of a file lie, every checksum verified.

A file is a sequence of records: length (uint64), masked CRC32C of the length,
payload, masked CRC32C of the payload, little-endian. Records are found in
blocks, because a call per record and field would cost more than reading them.
"""

from collections.abc import Iterator
import dataclasses
import itertools
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
  starts, end = _records(content, name, offset)
  # Slices of bytes and a loop without calls: a third faster than unpacking
  # each header.
  checksum = google_crc32c.value
  checksums = [
    checksum(content[start + _HEADER.size : following - _FOOTER_SIZE])
    for start, following in itertools.pairwise([*starts, end])
  ]
  places = np.array([*starts, end], np.int64)
  block = Block(
    content, offset, places[:-1] + _HEADER.size, places[1:] - _FOOTER_SIZE
  )
  wrong = _mask(np.array(checksums, np.uint32)) != _footers(block)
  if wrong.any():
    raise _corrupt(name, block.place(int(np.argmax(wrong))), 'payload')
  return block


def _records(content: bytes, name: str, offset: int) -> tuple[list[int], int]:
  """(first bytes of the whole records, the byte behind the last one)."""
  starts: list[int] = []
  sizes: dict[bytes, int] = {}  # A file has few headers and many records.
  at, size = 0, len(content)
  while True:
    header = content[at : at + _HEADER.size]
    following = at + sizes.get(header, 0)
    if following == at:
      if len(header) < _HEADER.size:
        return starts, at
      length, given = _HEADER.unpack(header)
      if masked_crc32c(header[:_LENGTH_SIZE]) != given:
        if not content[at:].strip(b'\0'):
          return starts, at
        raise _corrupt(name, offset + at, 'length')
      sizes[header] = length + _HEADER.size + _FOOTER_SIZE
      following = at + sizes[header]
    if following > size:
      return starts, at
    starts.append(at)
    at = following


def _footers(block: Block) -> np.ndarray:
  if not len(block.ends):
    return np.zeros(0, np.uint32)
  places = block.ends[:, None] + np.arange(_FOOTER_SIZE)
  found = np.frombuffer(block.content, np.uint8)[places]
  return np.ascontiguousarray(found).view('<u4').ravel()


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
