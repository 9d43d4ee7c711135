import dataclasses
import json

import numpy as np
import pytest

from codelaw import errors
from codelaw.data import manifest as manifest_lib
from codelaw.data import sequence_files


def _shard(folder):
  return next(folder.glob('markup/train-*.array_record'))


def test_it_comes_back_as_it_was_written(manifest, tmp_path, shards_copy):
  assert manifest_lib.read(shards_copy) == manifest
  assert manifest_lib.read(shards_copy).fingerprint == manifest.fingerprint
  manifest_lib.verify(shards_copy, manifest)


def test_a_missing_shard_is_named(shards_copy):
  _shard(shards_copy).unlink()
  with pytest.raises(
    errors.UserError, match=r'markup/train-.*array_record is missing'
  ):
    manifest_lib.read(shards_copy)


def test_a_shard_of_another_size_is_named(shards_copy):
  shard = _shard(shards_copy)
  shard.write_bytes(shard.read_bytes()[:-1])
  with pytest.raises(
    errors.UserError, match=r'markup/train-.* has .* expected'
  ):
    manifest_lib.read(shards_copy)


def test_a_changed_shard_is_found_by_its_checksum(shards_copy):
  shard = _shard(shards_copy)
  content = bytearray(shard.read_bytes())
  content[100] ^= 1
  shard.write_bytes(content)
  manifest = manifest_lib.read(shards_copy)  # sizes alone are as they were
  with pytest.raises(errors.UserError, match=r'markup/train-.* is damaged'):
    manifest_lib.verify(shards_copy, manifest)


def test_a_cut_manifest_is_refused(shards_copy):
  file = shards_copy / 'manifest.json'
  file.write_text(file.read_text()[:-40])
  with pytest.raises(errors.UserError, match='manifest.json is not valid JSON'):
    manifest_lib.read(shards_copy)


def test_an_edited_manifest_is_refused(shards_copy):
  file = shards_copy / 'manifest.json'
  content = json.loads(file.read_text())
  content['sources']['markup']['train']['bytes'] += 1
  file.write_text(json.dumps(content))
  with pytest.raises(errors.UserError, match='was changed after it was'):
    manifest_lib.read(shards_copy)


@pytest.mark.parametrize('text', ['[]', '{}', '{"fingerprint": "x"}'])
def test_other_json_is_refused(shards_copy, text):
  (shards_copy / 'manifest.json').write_text(text)
  with pytest.raises(errors.UserError, match='[Mm]anifest'):
    manifest_lib.read(shards_copy)


def test_a_changed_tokenizer_is_refused(shards_copy):
  file = shards_copy / 'tokenizer.json'
  content = json.loads(file.read_text())
  content['model']['merges'].pop()
  file.write_text(json.dumps(content))
  with pytest.raises(errors.UserError, match='is not the tokenizer of these'):
    manifest_lib.read(shards_copy)
  file.unlink()
  with pytest.raises(errors.UserError, match='tokenizer.json, found none'):
    manifest_lib.read(shards_copy)


def test_a_manifest_of_another_version_is_refused(shards_copy):
  file = shards_copy / 'manifest.json'
  content = json.loads(file.read_text())
  del content['format']
  file.write_text(json.dumps(content))
  with pytest.raises(errors.UserError, match='by another version of codelaw'):
    manifest_lib.read(shards_copy)


@pytest.mark.parametrize('source', ['code/python', 'code/java', 'markup'])
@pytest.mark.parametrize('split', manifest_lib.SPLITS)
def test_padded_sequences_are_those_with_padding(
  shards_copy, manifest, source, split
):
  reader = sequence_files.SequenceReader(shards_copy, manifest, source, split)
  held = np.sum(reader.read(np.arange(len(reader))) == 0, axis=1)
  indices, paddings = manifest_lib.padded_sequences(
    shards_copy, manifest, source, split
  )
  assert indices.dtype == paddings.dtype == np.int64
  np.testing.assert_array_equal(indices, np.flatnonzero(held))
  np.testing.assert_array_equal(paddings, held[held > 0])


def test_a_changed_padding_file_is_refused(shards_copy, manifest):
  file = shards_copy / 'markup/train.padding.npy'
  content = bytearray(file.read_bytes())
  content[-1] ^= 1
  file.write_bytes(content)
  with pytest.raises(errors.UserError, match='train.padding.npy is damaged'):
    manifest_lib.padded_sequences(shards_copy, manifest, 'markup', 'train')
  with pytest.raises(errors.UserError, match='train.padding.npy is damaged'):
    manifest_lib.verify(shards_copy, manifest)
  file.unlink()
  with pytest.raises(errors.UserError, match='train.padding.npy is missing'):
    manifest_lib.padded_sequences(shards_copy, manifest, 'markup', 'train')
  with pytest.raises(errors.UserError, match='train.padding.npy is missing'):
    manifest_lib.read(shards_copy)


@pytest.mark.parametrize(
  ('indices', 'paddings'),
  [([], []), ([0], [6]), ([0, 9], [2, 3]), ([4, 2], [2, 3]), ([1, 3], [5, 0])],
)
def test_padding_that_disagrees_with_the_manifest_is_refused(
  tmp_path, manifest, indices, paddings
):
  file = manifest_lib.write_padding(
    tmp_path, 's', 'train', np.array(indices), np.array(paddings)
  )
  shards = dataclasses.replace(
    manifest.split('markup', 'train'),
    sequences=5,
    padding_tokens=5,
    padding_file=file,
  )
  wrong = dataclasses.replace(manifest, sources={'s': {'train': shards}})
  with pytest.raises(errors.UserError, match='tokens of padding in'):
    manifest_lib.padded_sequences(tmp_path, wrong, 's', 'train')


def test_a_folder_without_manifest_is_refused(tmp_path):
  with pytest.raises(errors.UserError, match='write them with `codelaw cache`'):
    manifest_lib.read(tmp_path)


def test_unknown_sources_and_splits_are_refused(manifest):
  with pytest.raises(errors.UserError, match="no source 'rust'"):
    manifest.split('rust', 'train')
  with pytest.raises(errors.UserError, match='has no test shards'):
    manifest.split('markup', 'test')
