"""TensorBoard event files -> series of scalars, whole and checked.

Every value is read: none is sampled away. Of values that were written several
times, as after a restart from an earlier checkpoint, the last one counts; what
a restart declares void (a session log START, `purge_step` of the PyTorch and
tensorboardX writers) is dropped, as TensorBoard drops it. A file is read from
where it ended the last time, when its earlier state is at hand.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import logging
import os
import re

import numpy as np

from codelaw import storage
from codelaw.runs import event_payloads
from codelaw.runs import tfrecords

Report = Callable[[str], None]
Scalars = dict[str, list[tuple[int, float]]]

warn: Report = logging.getLogger('codelaw').warning

_HEAD_SIZE, _TAIL_SIZE = 64, 16


@dataclasses.dataclass(frozen=True)
class Selection:
  """Which tags are kept.

  Attributes:
    scalars: regular expression of whole tags of scalars.
    texts: the same of texts and hyperparameters.
  """

  scalars: str = '.*'
  texts: str = '(?!)'


@dataclasses.dataclass(frozen=True)
class Found:
  """An event file, as a listing shows it.

  Attributes:
    path: of the file.
    prefix: put before its tags, with a slash; its folder below that of the
      run, or nothing.
    size: in bytes.
    changed: time of the last change in ns; 0 where it is not known.
  """

  path: str
  prefix: str
  size: int
  changed: int


@dataclasses.dataclass(frozen=True)
class FileEvents:
  """What was read of an event file, and where to go on.

  Attributes:
    size: of the file when it was read.
    changed: see `Found`.
    offset: behind the last whole record.
    num_records: before `offset`.
    head: first bytes of the file, to know it again.
    tail: last bytes before `offset`.
    restarts: session starts.
    texts: tag -> text, of those selected.
    points: tag with prefix -> values, of those selected.
  """

  size: int
  changed: int
  offset: int
  num_records: int
  head: bytes
  tail: bytes
  restarts: tuple[event_payloads.Restart, ...]
  texts: Mapping[str, str]
  points: Mapping[str, event_payloads.Points]


@dataclasses.dataclass(frozen=True)
class Series:
  """Values of one tag: [n] rising steps, times of writing, values."""

  steps: np.ndarray
  times: np.ndarray
  values: np.ndarray


def read_scalars(folder: storage.PathLike, report: Report = warn) -> Scalars:
  """All scalars of the event files of a folder, both kinds of value.

  `simple_value` (tensorboardX, PyTorch) and scalar `tensor` (tf.summary, clu)
  are both read.

  Args:
    folder: with files named `*tfevents*`, local or in a bucket; a folder
      that is missing or has none gives no scalars.
    report: called with one sentence per file that ends inside a record, as
      files do whose writer still runs or was killed; what precedes is read.
      And with one about restarts and one about repeated steps.

  Returns:
    tag -> [(step, value), ...] with rising steps.

  Raises:
    UserError: for a record whose checksum is wrong, with file and offset.
  """
  files = list_files(folder)
  contents = [read_file(file, Selection()) for file in files]
  series = merge(os.fspath(folder), files, contents, report)
  return {
    tag: list(zip(one.steps.tolist(), one.values.tolist(), strict=True))
    for tag, one in series.items()
  }


def list_files(folder: storage.PathLike, prefix: str = '') -> list[Found]:
  """The event files right in a folder, by name."""
  path = storage.path(folder)
  if not path.is_dir():
    return []
  files = (file for file in path.iterdir() if 'tfevents' in file.name)
  return [
    _found(os.fspath(file), prefix)
    for file in sorted(files, key=lambda file: file.name)
  ]


def _found(path: str, prefix: str) -> Found:
  if not storage.is_local(path):
    status = storage.path(path).stat()
    return Found(path, prefix, status.length, int(status.mtime or 0))
  local = os.stat(path)
  return Found(path, prefix, local.st_size, local.st_mtime_ns)


def read_file(
  file: Found, selection: Selection, known: FileEvents | None = None
) -> FileEvents:
  """Reads an event file, or what was added to it.

  Args:
    file: which.
    selection: of the tags to keep, with the prefix of the file.
    known: what was read of it before with the same selection.

  Raises:
    UserError: for a record whose checksum is wrong, or that is no event.
  """
  if known and is_unchanged(file, known):
    return known
  scalars, texts = re.compile(selection.scalars), re.compile(selection.texts)
  with storage.path(file.path).open('rb') as stream:
    head = stream.read(_HEAD_SIZE)
    if known and not _goes_on(stream, head, file, known):
      known = None
    offset, first = (known.offset, known.num_records) if known else (0, 0)
    collector = event_payloads.Collector(
      file.path,
      wants=lambda tag: bool(scalars.fullmatch(file.prefix + tag)),
      wants_text=lambda tag: bool(texts.fullmatch(tag)),
      first_record=first,
    )
    tail = known.tail if known else b''
    for block in tfrecords.blocks(stream, file.path, offset, file.size):
      collector.add(block)
      until = block.end - block.offset
      tail = block.content[max(0, until - _TAIL_SIZE) : until]
      offset = block.end
  points = {file.prefix + t: p for t, p in collector.points().items()}
  if known:
    points = {
      tag: _joined([p[tag] for p in (known.points, points) if tag in p])
      for tag in sorted({*known.points, *points})
    }
  return FileEvents(
    size=file.size,
    changed=file.changed,
    offset=offset,
    num_records=collector.num_records,
    head=head[:offset],
    tail=tail,
    restarts=(*(known.restarts if known else ()), *collector.restarts),
    texts={**(known.texts if known else {}), **collector.texts},
    points=points,
  )


def is_unchanged(file: Found, known: FileEvents) -> bool:
  """Whether a file is as it was when it was read."""
  return bool(file.changed) and (
    (file.size, file.changed) == (known.size, known.changed)
  )


def _goes_on(stream, head: bytes, file: Found, known: FileEvents) -> bool:
  """Whether the file begins with what was read of it."""
  if file.size < known.offset or not known.offset:
    return False
  stream.seek(known.offset - len(known.tail))
  same_tail = stream.read(len(known.tail)) == known.tail
  return same_tail and head.startswith(known.head)


def merge(
  where: str,
  files: Sequence[Found],
  contents: Sequence[FileEvents],
  report: Report,
) -> dict[str, Series]:
  """Merges what the event files of one folder hold.

  Args:
    where: the folder, for messages.
    files: by name, as `list_files` gives them.
    contents: of the files.
    report: called with one sentence per file that ends inside a record, one
      about restarts and one about repeated steps.

  Returns:
    tag with prefix -> its values, by step.
  """
  for file, content in zip(files, contents, strict=True):
    if content.offset < file.size:
      report(
        f'{file.path} ends inside the record at byte {content.offset}'
        f' ({file.size} bytes in all): its writer still runs or was killed;'
        ' the records before it were read.'
      )
  restarts = sorted(
    (restart.time, index, restart.record, restart.step)
    for index, content in enumerate(contents)
    for restart in content.restarts
  )
  parts: dict[str, list[tuple[int, event_payloads.Points]]] = {}
  for index, content in enumerate(contents):
    for tag, points in content.points.items():
      parts.setdefault(tag, []).append((index, points))
  repeats = Repeats()
  series = {}
  for tag in sorted(parts):
    points = _joined([part for _, part in parts[tag]])
    kept = np.ones(len(points.steps), bool)
    if restarts:
      ranks = np.repeat(
        [index for index, _ in parts[tag]],
        [len(part.steps) for _, part in parts[tag]],
      )
      kept = _not_void(points, ranks, restarts)
    one = latest(points.steps[kept], points.times[kept], points.values[kept])
    repeats.add(points.steps, kept, one.steps)
    if len(one.steps):
      series[tag] = one
  repeats.tell(where, [step for *_, step in restarts], report)
  return series


def latest(steps: np.ndarray, times: np.ndarray, values: np.ndarray) -> Series:
  """The value of each step that was written last; of ties, the later one."""
  if (steps[1:] > steps[:-1]).all():
    return Series(steps, times, values)
  order = np.lexsort((times, steps))
  steps = steps[order]
  last = np.append(steps[1:] != steps[:-1], np.ones(min(1, len(steps)), bool))
  chosen = order[last]
  return Series(steps[last], times[chosen], values[chosen])


class Repeats:
  """Steps of a folder that were written several times, or are void."""

  def __init__(self):
    self._void: set[int] = set()
    self._kept: set[int] = set()
    self._repeated: set[int] = set()

  def add(
    self, steps: np.ndarray, kept: np.ndarray, unique: np.ndarray
  ) -> None:
    """Takes all steps of a tag, which of them are kept, and those once."""
    if len(unique) == len(steps):
      return
    if not kept.all():
      self._void.update(steps[~kept].tolist())
      self._kept.update(unique.tolist())
    if len(unique) < kept.sum():
      found, counts = np.unique(steps[kept], return_counts=True)
      self._repeated.update(found[counts > 1].tolist())

  def tell(self, where: str, starts: Sequence[int], report: Report) -> None:
    """Reports what was dropped."""
    if self._void:
      gone = self._void - self._kept
      again = (
        f'; {steps_in_words(gone)} had no values again, and none are left'
        if gone
        else ''
      )
      report(
        f'{where}: restarts at {steps_in_words(starts)} make void what was'
        f' written before for {steps_in_words(self._void)}{again}.'
      )
    if self._repeated:
      report(
        f'{where}: {steps_in_words(self._repeated)} were written several'
        ' times, as after a restart from an earlier checkpoint; the last values'
        ' count.'
      )


def steps_in_words(steps: Iterable[int]) -> str:
  """Steps in a few words.

  >>> steps_in_words([3]), steps_in_words([7, 3]), steps_in_words([3, 5, 9])
  ('step 3', 'steps 3 and 7', '3 steps (3 to 9)')
  """
  found = sorted(set(steps))
  if len(found) < 3:
    plural = 's' if len(found) > 1 else ''
    return f'step{plural} {" and ".join(map(str, found))}'
  return f'{len(found)} steps ({found[0]} to {found[-1]})'


def _not_void(
  points: event_payloads.Points,
  ranks: np.ndarray,
  restarts: Sequence[tuple[float, int, int, int]],
) -> np.ndarray:
  kept = np.ones(len(points.steps), bool)
  for time, file, record, step in restarts:
    # Within a file its order counts, between files the time.
    earlier = (points.times < time) | ((points.times == time) & (ranks < file))
    before = np.where(ranks == file, points.records < record, earlier)
    kept &= ~(before & (points.steps >= step))
  return kept


def _joined(
  parts: Sequence[event_payloads.Points],
) -> event_payloads.Points:
  if len(parts) == 1:
    return parts[0]
  return event_payloads.Points(
    *(
      np.concatenate([getattr(part, field.name) for part in parts])
      for field in dataclasses.fields(event_payloads.Points)
    )
  )
