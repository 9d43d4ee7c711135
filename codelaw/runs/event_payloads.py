"""Payloads of TensorBoard records -> scalars, those of one layout at once.

Events of one tag differ only in the bytes of time, step and value. So one event
is read field by field; all others of its length whose remaining bytes are the
same are read by NumPy, as columns.
"""

from collections.abc import Callable
import dataclasses

from google.protobuf import message
import numpy as np
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util

from codelaw import errors
from codelaw.runs import event_layout
from codelaw.runs import tfrecords

_FEW = 8  # Fewer events than that are cheaper one by one.
_SAME_FROM = 3
_LONG = 4096  # Longer events are cheaper one by one, too.


@dataclasses.dataclass(frozen=True)
class Points:
  """Values of one tag, in the order of the file.

  Attributes:
    steps: [n] int64.
    times: [n] float64, seconds since 1970, when they were written.
    values: [n] float64.
    records: [n] int64, index of their record in the file.
  """

  steps: np.ndarray
  times: np.ndarray
  values: np.ndarray
  records: np.ndarray


@dataclasses.dataclass(frozen=True)
class Restart:
  """A session log START: what was written before, from `step` on, is void."""

  step: int
  time: float
  record: int


class _Remembered(dict):
  """Answers of a function of a string."""

  def __init__(self, function: Callable[[str], bool]):
    super().__init__()
    self._function = function

  def __missing__(self, key: str) -> bool:
    self[key] = self._function(key)
    return self[key]


class Collector:
  """Gathers the scalars of one file.

  Args:
    name: of the file, for messages.
    wants: whether a tag is to be kept; asked once per tag.
    wants_text: the same for tags of texts.
    first_record: index of the first record to come.
  """

  def __init__(
    self,
    name: str,
    wants: Callable[[str], bool],
    wants_text: Callable[[str], bool],
    first_record: int = 0,
  ):
    self._name = name
    self._wants = _Remembered(wants)
    self._wants_text = wants_text
    self.num_records = first_record
    self.restarts: list[Restart] = []
    self.texts: dict[str, str] = {}
    self._parts: dict[str, list[Points]] = {}
    self._single: dict[str, list[tuple[int, float, float, int]]] = {}

  def add(self, block: tfrecords.Block) -> None:
    """Reads the records of a block.

    Raises:
      UserError: for a record that is no event.
    """
    lengths = block.ends - block.starts
    order = np.argsort(lengths, kind='stable')
    borders = np.flatnonzero(np.diff(lengths[order])) + 1
    for records in np.split(order, borders):
      if len(records):
        self._add_of_one_length(block, records, int(lengths[records[0]]))
    self.num_records += len(lengths)

  def points(self) -> dict[str, Points]:
    """Tag -> its values, in the order of the file."""
    found: dict[str, Points] = {}
    for tag in sorted({*self._parts, *self._single}):
      parts = list(self._parts.get(tag, ()))
      if tag in self._single:
        parts.append(_points(*zip(*self._single[tag], strict=True)))
      columns = [
        np.concatenate([getattr(part, field.name) for part in parts])
        for field in dataclasses.fields(Points)
      ]
      order = np.argsort(columns[-1], kind='stable')
      found[tag] = Points(*(column[order] for column in columns))
    return found

  def _layout_of(self, payload: bytes) -> event_layout.Layout | None:
    return event_layout.layout(payload, self._wants, self._wants_text)

  def _add_of_one_length(
    self, block: tfrecords.Block, records: np.ndarray, length: int
  ) -> None:
    content = np.frombuffer(block.content, np.uint8)
    rows = None
    while len(records) >= _FEW and 0 < length <= _LONG:
      first = int(block.starts[records[0]])
      layout = self._layout_of(block.content[first : first + length])
      if layout is None:
        self._add_single(block, records[:1])
        records, rows = records[1:], None
        continue
      if rows is None:
        windows = np.lib.stride_tricks.sliding_window_view(content, length)
        rows = windows[block.starts[records]]
      left = self._add_alike(block, records, rows, layout)
      records, rows = records[left], rows[left]
    self._add_single(block, records)

  def _add_alike(
    self,
    block: tfrecords.Block,
    records: np.ndarray,
    rows: np.ndarray,
    layout: event_layout.Layout,
  ) -> np.ndarray:
    """Reads the rows with the places of a layout; [m] indices of the others."""
    length = rows.shape[1]
    mask = layout.mask(length)
    step = slice(layout.step_at, layout.step_at + layout.step_width)
    ends = (rows[:, step] ^ rows[0, step]) & 0x80
    same = np.flatnonzero(~ends.any(axis=1))
    left = [np.flatnonzero(ends.any(axis=1))]
    masked = rows[same] & mask
    keys = masked.view(f'V{length}').ravel().tolist()
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    group_of = np.fromiter(map(numbers.__getitem__, keys), np.int64, len(keys))
    order = np.argsort(group_of, kind='stable')
    borders = np.cumsum(np.bincount(group_of))[:-1]
    single = []
    for members in np.split(same[order], borders):
      if len(members) < _SAME_FROM and members[0]:
        single.append(members)
        continue
      found = (
        self._layout_of(rows[members[0]].tobytes()) if members[0] else layout
      )
      if found is None or found.places != layout.places:
        left.append(members)
      else:
        self._take(rows, members, records[members], found)
    if single:
      self._add_single(block, records[np.concatenate(single)])
    return np.sort(np.concatenate(left))

  def _take(
    self,
    rows: np.ndarray,
    members: np.ndarray,
    records: np.ndarray,
    layout: event_layout.Layout,
  ) -> None:
    wanted = [
      (slot.tag, slot.at, slot.dtype)
      for slot in layout.slots
      if slot.dtype is not None and self._wants[slot.tag]
    ]
    if not wanted:
      return
    rows = rows[members]
    steps = np.zeros(len(rows), np.int64)
    for byte in range(layout.step_width):
      bits = rows[:, layout.step_at + byte].astype(np.int64) & 0x7F
      steps |= bits << (7 * byte)
    times = np.zeros(len(rows))
    if layout.time_at:
      times = _column(rows, layout.time_at, np.dtype('<f8'))
    for tag, at, dtype in wanted:
      values = _column(rows, at, dtype).astype(np.float64)
      points = Points(steps, times, values, records + self.num_records)
      self._parts.setdefault(tag, []).append(points)

  def _add_single(self, block: tfrecords.Block, records: np.ndarray) -> None:
    for record in records.tolist():
      payload = block.content[block.starts[record] : block.ends[record]]
      layout = self._layout_of(payload)
      if layout is None:
        self._add_by_protobuf(block, record, payload)
      else:
        rows = np.frombuffer(payload, np.uint8)[None]
        self._take(rows, np.array([0]), np.array([record]), layout)

  def _add_by_protobuf(
    self, block: tfrecords.Block, record: int, payload: bytes
  ) -> None:
    try:
      event = event_pb2.Event.FromString(payload)
    except message.DecodeError as error:
      raise errors.UserError(
        f'{self._name}: the record at byte {block.place(record)} is no'
        ' TensorBoard event; keep other TFRecords out of the folder.'
      ) from error
    index = self.num_records + record
    log = event.session_log
    if event.HasField('session_log') and log.status == log.START:
      self.restarts.append(Restart(event.step, event.wall_time, index))
    for value in event.summary.value:
      number = _scalar(value) if self._wants[value.tag] else None
      if number is not None:
        row = (event.step, event.wall_time, number, index)
        self._single.setdefault(value.tag, []).append(row)
      self.texts |= self._texts(value)

  def _texts(self, value) -> dict[str, str]:
    if value.tag == event_layout.HPARAMS:
      return _hparams(value.metadata.plugin_data.content)
    tag = value.tag.removesuffix(event_layout.TEXT_SUFFIX)
    strings = value.tensor.string_val
    if len(strings) == 1 and self._wants_text(tag):
      return {tag: strings[0].decode('utf-8', 'replace')}
    return {}


def _column(rows: np.ndarray, at: int, dtype: np.dtype) -> np.ndarray:
  columns = np.ascontiguousarray(rows[:, at : at + dtype.itemsize])
  return columns.view(dtype).ravel()


def _points(steps, times, values, records) -> Points:
  return Points(
    np.array(steps, np.int64),
    np.array(times, np.float64),
    np.array(values, np.float64),
    np.array(records, np.int64),
  )


def _scalar(entry) -> float | None:
  kind = entry.WhichOneof('value')
  if kind == 'simple_value':
    return float(entry.simple_value)
  if kind != 'tensor' or entry.tensor.dtype not in event_layout.NUMERIC:
    return None
  value = tensor_util.make_ndarray(entry.tensor)
  return float(value) if value.ndim == 0 else None


def _hparams(content: bytes) -> dict[str, str]:
  """Numbers and words of the HParams plugin, as texts by name."""
  data = plugin_data_pb2.HParamsPluginData.FromString(content)
  found = {}
  for name, value in data.session_start_info.hparams.items():
    kind = value.WhichOneof('kind')
    if kind in ('number_value', 'string_value', 'bool_value'):
      found[name] = str(getattr(value, kind))
  return found
