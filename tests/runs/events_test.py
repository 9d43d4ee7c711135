import struct

import numpy as np
import pytest
from tensorboard.compat.proto import event_pb2
from tensorboard.util import tensor_util
import tensorboardX

from codelaw import errors
from codelaw.runs import events
from codelaw.runs import tfrecords


def _write(folder, values, suffix=''):
  writer = tensorboardX.SummaryWriter(str(folder), filename_suffix=suffix)
  for tag, value, step, time in values:
    writer.add_scalar(tag, value, step, walltime=time)
  writer.close()
  return max(folder.iterdir(), key=lambda f: f.name)


def _record(payload):
  head = struct.pack('<Q', len(payload))
  return (
    head
    + struct.pack('<I', tfrecords.masked_crc32c(head))
    + payload
    + struct.pack('<I', tfrecords.masked_crc32c(payload))
  )


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
    _record(event.SerializeToString())
  )
  assert events.read_scalars(tmp_path) == {
    'scalar': [(7, 0.5)],
    'whole': [(7, 2.0**40)],
  }


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
    (block,) = tfrecords.blocks(stream, str(file))
  offsets = [block.place(record) for record in range(len(block.starts))]
  content = bytearray(file.read_bytes())
  content[offsets[1] + (0 if part == 'length' else 14)] ^= 1
  file.write_bytes(bytes(content))
  with pytest.raises(errors.UserError) as caught:
    events.read_scalars(tmp_path)
  assert f'{file.name} is corrupt: the {part}' in str(caught.value)
  assert f'byte {offsets[1]} ' in str(caught.value)


def test_other_tfrecords_are_named(tmp_path):
  (tmp_path / 'x.tfevents').write_bytes(_record(b'\xff\xff\xff'))
  with pytest.raises(errors.UserError, match='byte 0 is no TensorBoard event'):
    events.read_scalars(tmp_path)


def test_checksum_of_a_published_vector():
  # CRC32C of 32 zero bytes, RFC 3720 appendix B.4: 0x8a9136aa.
  crc = 0x8A9136AA
  masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
  assert tfrecords.masked_crc32c(bytes(32)) == masked


def test_missing_folder_has_no_scalars(tmp_path):
  assert events.read_scalars(tmp_path / 'none') == {}
