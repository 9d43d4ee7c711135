import numpy as np
import pytest
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.compat.proto import event_pb2
from tensorboard.util import tensor_util
import tensorboardX

from codelaw import errors
from codelaw.runs import events
from codelaw.runs import tfrecords
from tests.runs import event_files


def _write(folder, values, suffix=''):
  writer = tensorboardX.SummaryWriter(str(folder), filename_suffix=suffix)
  for tag, value, step, time in values:
    writer.add_scalar(tag, value, step, walltime=time)
  writer.close()
  return max(folder.iterdir(), key=lambda f: f.name)


def test_reads_every_value_and_sorts_steps(tmp_path):
  _write(tmp_path, [('a', step / 4, step, 1.0) for step in range(199, -1, -1)])
  scalars = events.read_scalars(tmp_path)
  assert scalars == {'a': [(step, step / 4) for step in range(200)]}


def test_reads_tensor_values_and_skips_other_kinds(tmp_path):
  event = event_pb2.Event(step=7, wall_time=1.0)
  for tag, array in (
    ('scalar', np.float32(0.5)),
    ('whole', np.int64(2**40)),
    ('vector', np.ones(3, np.float32)),
    ('text', np.array(b'words', dtype=object)),
  ):
    event.summary.value.add(
      tag=tag, tensor=tensor_util.make_tensor_proto(array)
    )
  (tmp_path / 'events.out.tfevents.1').write_bytes(
    event_files.record(event.SerializeToString())
  )
  assert events.read_scalars(tmp_path) == {
    'scalar': [(7, 0.5)],
    'whole': [(7, 2.0**40)],
  }


def _read(folder):
  reports = []
  return events.read_scalars(folder, reports.append), reports


def test_value_written_last_wins_across_files(tmp_path):
  _write(tmp_path, [('a', 1.0, 10, 100.0), ('a', 2.0, 20, 110.0)], '.b')
  _write(tmp_path, [('a', 3.0, 20, 200.0), ('a', 4.0, 30, 210.0)], '.a')
  assert events.read_scalars(tmp_path)['a'] == [(10, 1.0), (20, 3.0), (30, 4.0)]


@pytest.mark.parametrize('cut', [1, 5, 20])
def test_truncated_tail_is_read_up_to_and_reported(tmp_path, cut):
  file = _write(tmp_path, [('a', 1.0, 1, 1.0), ('a', 2.0, 2, 2.0)])
  file.write_bytes(file.read_bytes()[:-cut])
  reports = []
  assert events.read_scalars(tmp_path, reports.append) == {'a': [(1, 1.0)]}
  assert len(reports) == 1
  assert file.name in reports[0]


def test_truncated_header_is_reported(tmp_path):
  file = _write(tmp_path, [('a', 1.0, 1, 1.0)])
  file.write_bytes(file.read_bytes() + b'\x01\x02')
  reports = []
  assert events.read_scalars(tmp_path, reports.append) == {'a': [(1, 1.0)]}
  assert len(reports) == 1


@pytest.mark.parametrize('part', ['length', 'payload'])
def test_corruption_names_file_and_offset(tmp_path, part):
  file = _write(tmp_path, [('a', 1.0, 1, 1.0), ('a', 2.0, 2, 2.0)])
  with file.open('rb') as stream:
    (block,) = tfrecords.blocks(stream, str(file), 0, file.stat().st_size)
  offsets = [block.place(record) for record in range(len(block.starts))]
  content = bytearray(file.read_bytes())
  content[offsets[1] + (0 if part == 'length' else 14)] ^= 1
  file.write_bytes(bytes(content))
  with pytest.raises(errors.UserError) as caught:
    events.read_scalars(tmp_path)
  assert f'{file.name} is corrupt: the {part}' in str(caught.value)
  assert f'byte {offsets[1]} ' in str(caught.value)


def test_other_tfrecords_are_named(tmp_path):
  (tmp_path / 'x.tfevents').write_bytes(event_files.record(b'\xff\xff\xff'))
  with pytest.raises(errors.UserError, match='byte 0 is no TensorBoard event'):
    events.read_scalars(tmp_path)


def test_checksum_of_a_published_vector():
  # CRC32C of 32 zero bytes, RFC 3720 appendix B.4: 0x8a9136aa.
  crc = 0x8A9136AA
  masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
  assert tfrecords.masked_crc32c(bytes(32)) == masked


def test_missing_folder_has_no_scalars(tmp_path):
  assert events.read_scalars(tmp_path / 'none') == {}


def _accumulated(folder):
  """What TensorBoard's own reader keeps: tag -> [(step, value)]."""
  accumulator = event_accumulator.EventAccumulator(
    str(folder), size_guidance={'scalars': 0, 'tensors': 0}
  )
  accumulator.Reload()
  return {
    tag: [(event.step, event.value) for event in accumulator.Scalars(tag)]
    for tag in accumulator.Tags()['scalars']
  }


def test_restart_makes_void_what_was_not_done_again(tmp_path):
  lost = [event_files.event(step, 10.0, a=1.0) for step in (2, 4, 6, 8)]
  event_files.write(tmp_path, lost, '1')
  again = [event_files.start(5, 20.0), event_files.event(6, 21.0, a=2.0)]
  event_files.write(tmp_path, again, '2')
  scalars, reports = _read(tmp_path)
  assert scalars == {'a': [(2, 1.0), (4, 1.0), (6, 2.0)]}
  assert scalars == _accumulated(tmp_path)
  assert reports == [
    f'{tmp_path}: restarts at step 5 make void what was written before for'
    ' steps 6 and 8; step 8 had no values again, and none are left.'
  ]


def test_restarts_within_a_file_and_twice(tmp_path):
  events_ = [
    event_files.event(step, 10.0, a=step, b=step) for step in range(1, 10)
  ]
  events_ += [event_files.start(4, 10.0), event_files.event(4, 10.0, a=-4)]
  events_ += [event_files.event(5, 10.0, b=-5), event_files.start(5, 10.0)]
  event_files.write(tmp_path, events_)
  scalars, reports = _read(tmp_path)
  assert scalars == {
    'a': [(1, 1), (2, 2), (3, 3), (4, -4)],
    'b': [(1, 1), (2, 2), (3, 3)],
  }
  assert scalars == _accumulated(tmp_path)
  assert len(reports) == 1


def test_first_start_makes_nothing_void(tmp_path):
  event_files.write(
    tmp_path, [event_files.start(0), event_files.event(0, a=1.0)]
  )
  assert _read(tmp_path) == ({'a': [(0, 1.0)]}, [])


def test_repeated_steps_without_a_restart_record_are_told(tmp_path):
  event_files.write(
    tmp_path,
    [event_files.event(step, 10.0, a=1.0, b=1.0) for step in (1, 2, 3)],
    '1',
  )
  event_files.write(
    tmp_path, [event_files.event(s, 20.0, a=2.0) for s in (2, 3, 4)], '2'
  )
  scalars, reports = _read(tmp_path)
  assert scalars['a'] == [(1, 1.0), (2, 2.0), (3, 2.0), (4, 2.0)]
  assert len(reports) == 1
  assert 'steps 2 and 3 were written several times' in reports[0]


def _file(folder):
  (file,) = events.list_files(folder)
  return file


def test_grown_file_is_read_from_where_it_ended(tmp_path, monkeypatch):
  first = [event_files.event(step, a=step) for step in range(20)]
  path = event_files.write(tmp_path, first)
  known = events.read_file(_file(tmp_path), events.Selection())
  later = [event_files.start(15), event_files.event(30, a=7.0, c=1.0)]
  event_files.write(tmp_path, later, add=True)
  whole = events.read_file(_file(tmp_path), events.Selection())
  offsets = []
  blocks = tfrecords.blocks
  monkeypatch.setattr(
    tfrecords,
    'blocks',
    lambda stream, name, offset, end: (
      offsets.append(offset) or blocks(stream, name, offset, end)
    ),
  )
  grown = events.read_file(_file(tmp_path), events.Selection(), known)
  assert offsets == [known.offset]
  assert grown.restarts == whole.restarts
  assert (grown.offset, grown.num_records) == (whole.offset, 23)
  for tag in ('a', 'c'):
    for column in ('steps', 'times', 'values', 'records'):
      assert np.array_equal(
        getattr(grown.points[tag], column), getattr(whole.points[tag], column)
      )
  # Another file of that name is read from its beginning.
  path.unlink()
  event_files.write(
    tmp_path, [event_files.event(1, time=float(t), a=t) for t in range(99)]
  )
  other = events.read_file(_file(tmp_path), events.Selection(), known)
  assert offsets[1:] == [0]
  assert len(other.points['a'].steps) == 99


def test_unchanged_file_is_not_opened(tmp_path):
  path = event_files.write(tmp_path, [event_files.event(1, a=1.0)])
  file = _file(tmp_path)
  known = events.read_file(file, events.Selection())
  path.unlink()
  assert events.read_file(file, events.Selection(), known) is known
