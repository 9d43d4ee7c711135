import io

import numpy as np
import pytest
from tensorboard.compat.proto import event_pb2
from tensorboard.compat.proto import types_pb2

from codelaw.runs import event_layout
from codelaw.runs import event_payloads
from codelaw.runs import tfrecords
from tests.runs import event_files


def _collected(events, wants=lambda tag: True, block_size=1 << 20):
  content = b''.join(
    event_files.record(event.SerializeToString()) for event in events
  )
  found = event_payloads.Collector('f', wants, lambda tag: False)
  for block in tfrecords.blocks(
    io.BytesIO(content), 'f', 0, len(content), block_size
  ):
    found.add(block)
  return found


def _rows(collector):
  return {
    tag: list(
      zip(
        points.records.tolist(),
        points.steps.tolist(),
        points.times.tolist(),
        points.values.tolist(),
        strict=True,
      )
    )
    for tag, points in collector.points().items()
  }


def _mixed_events(seed):
  """Events of every kind, in no order, with tags of one length and not."""
  random = np.random.default_rng(seed)
  tags = [f'eval/{name}/loss' for name in ('go', 'c', 'js', 'java', 'rust')]
  events = []
  for _ in range(400):
    step = int(random.integers(0, 3) * 10 ** random.integers(0, 7))
    time = float(random.choice([0.0, random.random(), 1e9 + random.random()]))
    tag = str(random.choice(tags))
    number = float(np.float32(random.normal()))
    kind = random.integers(0, 14)
    if kind < 4:
      event = event_files.scalars(step, {tag: number}, time)
    elif kind < 6:
      event = event_files.scalars(step, {t: number for t in tags}, time)
    elif kind < 8:
      event = event_files.tensor(step, tag, np.float32(number), time)
    elif kind == 8:
      event = event_files.tensor(step, tag, np.int64(number * 1e6), time)
    elif kind == 9:
      event = event_files.tensor(step, tag, np.float16(number), time)
    elif kind == 10:
      event = event_files.tensor(step, tag, np.ones(1, np.float32), time)
    elif kind == 11:
      event = event_files.scalars(-step, {tag: number}, time)
    elif kind == 12:
      event = event_pb2.Event(step=step, wall_time=time)
      histogram = event.summary.value.add(tag=tag).histo
      histogram.bucket.extend(random.random(random.integers(0, 9)))
    else:
      event = event_files.tensor(step, tag, 0.0, time)
      tensor = event.summary.value[0].tensor
      tensor.ClearField('tensor_content')
      tensor.dtype = types_pb2.DT_DOUBLE
      tensor.double_val[:] = [number]
    events.append(event)
  return events


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('block_size', [1 << 20, 1000])
def test_columns_equal_protobuf(seed, block_size, monkeypatch):
  events = _mixed_events(seed)
  fast = _rows(_collected(events, block_size=block_size))
  monkeypatch.setattr(event_layout, 'layout', lambda *arguments: None)
  slow = _rows(_collected(events))
  assert len(fast) == 5
  assert fast == slow


def test_usual_events_do_not_need_protobuf(monkeypatch):
  monkeypatch.setattr(
    event_payloads.Collector,
    '_add_by_protobuf',
    lambda self, *arguments: pytest.fail('an event went through protobuf'),
  )
  events = [
    event
    for step in range(50)
    for event in (
      event_files.scalars(step, {'a': 1.0, 'b': 2.0}),
      event_files.tensor(step, 'c', np.float32(step)),
      event_files.tensor(step, 'vector', np.ones(3)),
      event_files.tensor(step, 'words', b'x' * step),
    )
  ]
  assert set(_rows(_collected(events))) == {'a', 'b', 'c'}


def test_few_calls_for_many_events_of_one_layout(monkeypatch):
  calls = []
  layout = event_layout.layout
  monkeypatch.setattr(
    event_layout, 'layout', lambda *args: calls.append(1) or layout(*args)
  )
  events = [
    event_files.scalars(step, {f'loss/{name}': 1.0}, 1e9 + step)
    for step in range(1000)
    for name in 'abcdefgh'
  ]
  assert len(_rows(_collected(events))) == 8
  # Twice per tag and width of the step, and once per length.
  assert len(calls) < 60


def test_only_wanted_tags_are_kept():
  events = [
    event_files.scalars(step, {'a': 1.0, 'b': 2.0}) for step in range(20)
  ]
  events.append(event_files.tensor(3, 'b', np.float16(1)))
  assert set(_rows(_collected(events, lambda tag: tag == 'a'))) == {'a'}


def test_the_last_kind_of_a_value_counts():
  event = event_files.scalars(1, {'a': 1.0})
  other = event_pb2.Event()
  other.summary.value.add().image.height = 3
  # Fields of one value, one after the other: protobuf keeps the last kind.
  value = (
    event.summary.value[0].SerializeToString()
    + other.summary.value[0].SerializeToString()
  )
  event.ClearField('summary')
  payload = event.SerializeToString() + bytes(
    [0x2A, len(value) + 2, 0x0A, len(value)]
  )
  parsed = event_pb2.Event.FromString(payload + value)
  assert parsed.summary.value[0].WhichOneof('value') == 'image'
  collector = event_payloads.Collector('f', lambda t: True, lambda t: False)
  content = event_files.record(payload + value)
  (block,) = tfrecords.blocks(io.BytesIO(content), 'f', 0, len(content))
  collector.add(block)
  assert collector.points() == {}
