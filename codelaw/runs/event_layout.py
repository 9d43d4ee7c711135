"""The wire format of TensorBoard events, as far as scalars need it.

A payload is a `tensorboard.Event` (tensorflow/core/util/event.proto): time,
step, and a summary of values, each a tag with a `simple_value` (tensorboardX,
PyTorch) or a `tensor` (tf.summary, clu), or an image, a histogram, ... Only
fields on the way to a scalar are looked at, so large ones cost nothing; what
lies in others counts as bytes that change.
Whatever is unusual is left to protobuf.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses

import numpy as np
from tensorboard.compat.proto import types_pb2

# Keys of fields: number * 8 + wire type, of event.proto, summary.proto and
# tensor.proto.
_TIME, _STEP, _SUMMARY, _SESSION_LOG = 0x09, 0x10, 0x2A, 0x3A
_VALUE = 0x0A
_TAG, _SIMPLE_VALUE, _TENSOR = 0x0A, 0x15, 0x42
_KINDS = frozenset((_SIMPLE_VALUE, _TENSOR, 0x1A, 0x22, 0x2A, 0x32))
_DTYPE, _SHAPE, _CONTENT = 0x08, 0x12, 0x22
_DIMENSION = 0x12
_TYPES: dict[int, np.dtype] = {
  types_pb2.DT_FLOAT: np.dtype('<f4'),
  types_pb2.DT_DOUBLE: np.dtype('<f8'),
  types_pb2.DT_INT32: np.dtype('<i4'),
  types_pb2.DT_INT64: np.dtype('<i8'),
}
# dtype -> keys of its values one by one and packed, both fixed-width.
_LISTED = {
  types_pb2.DT_FLOAT: (0x2D, 0x2A),
  types_pb2.DT_DOUBLE: (0x31, 0x32),
}
NUMERIC = frozenset((*_TYPES, types_pb2.DT_HALF, types_pb2.DT_BFLOAT16))
HPARAMS = '_hparams_/session_start_info'
TEXT_SUFFIX = '/text_summary'  # Added by torch.utils.tensorboard.


@dataclasses.dataclass(frozen=True)
class Slot:
  """Changing bytes of an event: a scalar, or something to skip.

  Attributes:
    tag: of the scalar.
    dtype: of the scalar; None skips the bytes.
    at: first byte in the payload.
    size: in bytes.
  """

  tag: str
  dtype: np.dtype | None
  at: int
  size: int


@dataclasses.dataclass(frozen=True)
class Layout:
  """Where the changing bytes of an event lie."""

  time_at: int
  step_at: int
  step_width: int
  slots: tuple[Slot, ...]

  @property
  def places(self) -> tuple:
    """Equal for layouts with the same changing bytes."""
    return (
      self.time_at,
      self.step_at,
      self.step_width,
      *((slot.at, slot.size, slot.dtype) for slot in self.slots),
    )

  def mask(self, length: int) -> np.ndarray:
    """[length] uint8: the bits that equal layouts have in common."""
    kept = np.full(length, 0xFF, np.uint8)
    if self.time_at:
      kept[self.time_at : self.time_at + 8] = 0
    kept[self.step_at : self.step_at + self.step_width] = 0x80
    for slot in self.slots:
      kept[slot.at : slot.at + slot.size] = 0
    return kept


class _UnusualError(Exception):
  """The event is left to protobuf."""


def layout(
  payload: bytes, wants: Mapping[str, bool], wants_text: Callable[[str], bool]
) -> Layout | None:
  """Where the scalars of an event lie; None leaves the event to protobuf.

  Args:
    payload: of a record.
    wants: tag -> whether it is to be kept.
    wants_text: whether the text of a tag is to be kept.
  """
  try:
    return _usual(payload, wants, wants_text)
  except (_UnusualError, IndexError, UnicodeDecodeError):
    return None


def _usual(
  payload: bytes, wants: Mapping[str, bool], wants_text: Callable[[str], bool]
) -> Layout:
  time_at, step_at, step_width = 0, 0, 0
  slots = []
  for key, start, end in _fields(payload, 0, len(payload)):
    if key == _TIME:
      time_at = start
    elif key == _STEP:
      step_at, step_width = start, end - start
      if step_width > 9:  # A negative number.
        raise _UnusualError
    elif key == _SUMMARY:
      for inner, first, last in _fields(payload, start, end):
        if inner == _VALUE:
          slots += _slots(payload, first, last, wants, wants_text)
    elif key == _SESSION_LOG:
      raise _UnusualError
  return Layout(time_at, step_at, step_width, tuple(slots))


def _slots(
  payload: bytes,
  start: int,
  end: int,
  wants: Mapping[str, bool],
  wants_text: Callable[[str], bool],
) -> list[Slot]:
  """Changing bytes of one value of a summary."""
  fields = {key: (a, b) for key, a, b in _fields(payload, start, end)}
  first, last = fields.get(_TAG, (start, start))
  tag = payload[first:last].decode('utf-8')
  kinds = _KINDS & set(fields)
  if tag == HPARAMS or len(kinds) > 1:  # Of several, the last would count.
    raise _UnusualError
  if _SIMPLE_VALUE in kinds:
    at, end = fields[_SIMPLE_VALUE]
    return [Slot(tag, _TYPES[types_pb2.DT_FLOAT], at, end - at)]
  if _TENSOR not in kinds:
    return [Slot(tag, None, *_extent(fields[kind])) for kind in kinds]
  tensor = list(_fields(payload, *fields[_TENSOR]))
  places = {key: (a, b) for key, a, b in tensor}
  dtype = payload[places[_DTYPE][0]] if _DTYPE in places else 0
  if dtype == types_pb2.DT_STRING and wants_text(tag.removesuffix(TEXT_SUFFIX)):
    raise _UnusualError
  shape = {key for key, _, _ in _fields(payload, *places.get(_SHAPE, (0, 0)))}
  rest = [(a, b) for key, a, b in tensor if key not in (_DTYPE, _SHAPE)]
  if dtype in NUMERIC and _DIMENSION not in shape:
    values = [places[key] for key in _values_of(dtype) if key in places]
    size = _TYPES[dtype].itemsize if dtype in _TYPES else 0
    if not shape and values == rest and rest[0][1] - rest[0][0] == size:
      return [Slot(tag, _TYPES[dtype], rest[0][0], size)]
    if wants[tag]:
      raise _UnusualError
  return [Slot(tag, None, *_extent(place)) for place in rest]


def _values_of(dtype: int) -> tuple[int, ...]:
  return (_CONTENT, *_LISTED.get(dtype, ()))


def _extent(place: tuple[int, int]) -> tuple[int, int]:
  return place[0], place[1] - place[0]


def _fields(buffer: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
  """Yields (key, start, end) of the fields of a message."""
  while at < end:
    key = buffer[at]
    at += 1
    if key >= 0x80:
      key, at = _varint(buffer, at - 1)
    wire = key & 7
    start = at
    if wire == 2:
      size = buffer[at]
      start = at + 1
      if size >= 0x80:
        size, start = _varint(buffer, at)
      at = start + size
    elif wire == 5:
      at += 4
    elif wire == 1:
      at += 8
    elif wire == 0:
      _, at = _varint(buffer, at)
    else:
      raise _UnusualError
    if at > end:
      raise _UnusualError
    yield key, start, at


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
  byte = buffer[at]
  if byte < 0x80:
    return byte, at + 1
  number, shift = byte & 0x7F, 7
  while True:
    at += 1
    byte = buffer[at]
    number |= (byte & 0x7F) << shift
    if byte < 0x80:
      return number, at + 1
    shift += 7
    if shift > 63:
      raise _UnusualError
