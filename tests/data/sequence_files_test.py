import contextlib
import dataclasses

import numpy as np
import pytest

from codelaw import errors
from codelaw.data import manifest as manifest_lib
from codelaw.data import sequence_files


def _reader(folder, files, length, dtype):
  held = manifest_lib.SplitShards(
    packing='concatenate',
    documents=1,
    bytes=1,
    tokens=1,
    sequences=sum(file.sequences for file in files),
    padding_tokens=0,
    truncated_tokens=0,
    left_out_documents=0,
    files=files,
    padding_file=None,
  )
  manifest = manifest_lib.Manifest(
    2**18, length, dtype, 'tokenizer', 'corpus', 'plan', {'s': {'train': held}}
  )
  return sequence_files.SequenceReader(folder, manifest, 's', 'train')


@pytest.mark.parametrize('dtype', ['uint16', 'uint32'])
@pytest.mark.parametrize('length', [2, 8192])
def test_sequences_come_back_in_any_order(tmp_path, dtype, length):
  top = min(2**18, 2 ** (16 if dtype == 'uint16' else 32)) - 1
  generator = np.random.default_rng(0)
  sequences = generator.integers(2, top + 1, (7, length)).astype(dtype)
  sequences[0, 0] = top
  files = sequence_files.write(tmp_path, 'train', sequences, 3)
  assert [file.sequences for file in files] == [3, 3, 1]
  assert [file.name for file in files] == [
    f'train-0000{n}.array_record' for n in range(3)
  ]
  reader = _reader(tmp_path, files, length, dtype)
  wanted = [6, 0, 3, 0, 5]
  read = reader.read(wanted)
  np.testing.assert_array_equal(read, sequences[wanted])
  assert read.dtype == dtype
  assert len(reader) == 7


def test_no_sequences_are_no_files(tmp_path):
  assert sequence_files.write(tmp_path, 'train', [], 3) == ()


def test_no_damage_is_read_as_tokens(tmp_path):
  """Each flipped byte and each cut is an error, or changes no token."""
  generator = np.random.default_rng(0)
  sequences = generator.integers(2, 2**16, (3, 64)).astype(np.uint16)
  (file,) = sequence_files.write(tmp_path, 'train', sequences, 10)
  place = tmp_path / file.name
  whole = place.read_bytes()
  harmless = 0
  places = [*range(0, len(whole), max(1, len(whole) // 300))]
  damaged = [
    *(whole[:n] + bytes([whole[n] ^ 1]) + whole[n + 1 :] for n in places),
    *(whole[:n] for n in places),
  ]
  for content in damaged:
    place.write_bytes(content)
    reader = _reader(tmp_path, (file,), 64, 'uint16')
    with contextlib.suppress(errors.UserError):
      read = reader.read([2, 0, 1])
      harmless += 1
      np.testing.assert_array_equal(read, sequences[[2, 0, 1]])
  # Most of this small file is the room between its blocks.
  assert len(damaged) - harmless > 100


def test_an_index_outside_the_file_is_an_error(tmp_path):
  sequences = np.full((3, 4), 5, np.uint16)
  (file,) = sequence_files.write(tmp_path, 'train', sequences, 10)
  wrong = dataclasses.replace(file, sequences=4)
  with pytest.raises(errors.UserError, match='Cannot read shard'):
    _reader(tmp_path, (wrong,), 4, 'uint16').read([3])


def test_files_of_another_length_are_an_error(tmp_path):
  sequences = np.full((3, 4), 5, np.uint16)
  files = sequence_files.write(tmp_path, 'train', sequences, 10)
  with pytest.raises(errors.UserError, match='Cannot read shard'):
    _reader(tmp_path, files, 8, 'uint16').read([0, 1])
