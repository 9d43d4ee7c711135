import io

import pytest

from codelaw import errors
from codelaw.runs import tfrecords
from tests.runs import event_files

_PAYLOADS = [b'a' * n for n in (5, 5, 0, 300, 5, 70)]
_CONTENT = b''.join(map(event_files.record, _PAYLOADS))


def _read(content, block_size, offset=0):
  found = []
  for block in tfrecords.blocks(
    io.BytesIO(content), 'f', offset, len(content), block_size
  ):
    for start, end in zip(block.starts, block.ends, strict=True):
      found.append(block.content[start:end])
      last = block.end
  return found, last


@pytest.mark.parametrize('block_size', [1, 7, 64, 330, 10**6])
def test_records_do_not_depend_on_blocks(block_size):
  assert _read(_CONTENT, block_size) == (_PAYLOADS, len(_CONTENT))


def test_reading_goes_on_where_it_ended():
  _, end = _read(_CONTENT[:-1], 50)
  assert end == len(_CONTENT) - 86
  assert _read(_CONTENT, 50, end) == (_PAYLOADS[-1:], len(_CONTENT))


def test_zeros_at_the_end_are_no_record():
  assert _read(_CONTENT + bytes(100), 50) == (_PAYLOADS, len(_CONTENT))
  with pytest.raises(errors.UserError, match=f'byte {len(_CONTENT)} '):
    _read(_CONTENT + bytes(100) + b'x', 10**6)


@pytest.mark.parametrize('block_size', [50, 10**6])
@pytest.mark.parametrize(
  ('at', 'part', 'offset'), [(12, 'payload', 0), (25, 'length', 21)]
)
def test_damage_is_named(block_size, at, part, offset):
  content = bytearray(_CONTENT)
  content[at] ^= 1
  with pytest.raises(errors.UserError, match=f'{part} .*byte {offset} '):
    _read(bytes(content), block_size)
