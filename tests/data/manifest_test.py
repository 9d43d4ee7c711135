import json

import pytest

from codelaw import errors
from codelaw.data import manifest as manifest_lib


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


def test_a_folder_without_manifest_is_refused(tmp_path):
  with pytest.raises(errors.UserError, match='write them with `codelaw cache`'):
    manifest_lib.read(tmp_path)


def test_unknown_sources_and_splits_are_refused(manifest):
  with pytest.raises(errors.UserError, match="no source 'rust'"):
    manifest.split('rust', 'train')
  with pytest.raises(errors.UserError, match='has no test shards'):
    manifest.split('markup', 'test')
