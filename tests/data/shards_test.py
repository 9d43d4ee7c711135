import collections
import dataclasses
import os

import numpy as np
import pytest

from codelaw import errors
from codelaw import storage
from codelaw.corpora import documents
from codelaw.data import manifest as manifest_lib
from codelaw.data import sequence_files
from codelaw.data import shards
from codelaw.data import tokenizer as tokenizer_lib


def _texts(cache_plan, manifest, tokenizer, source, split):
  """The documents that the shards hold, in order."""
  reader = sequence_files.SequenceReader(
    cache_plan.shards_dir, manifest, source, split
  )
  stream = reader.read(np.arange(len(reader))).reshape(-1)
  stream = stream[stream != 0]
  ends = np.flatnonzero(stream == 1)
  assert ends[-1] == len(stream) - 1
  return [
    tokenizer_lib.decode(tokenizer, part)
    for part in np.split(stream, ends[:-1] + 1)
  ]


@pytest.mark.parametrize('source', ['code/python', 'code/java', 'markup'])
@pytest.mark.parametrize('split', ['train', 'validation'])
def test_the_shards_hold_every_document_once(
  cache_plan, manifest, source, split
):
  tokenizer = tokenizer_lib.load(f'{cache_plan.shards_dir}/tokenizer.json')
  given = list(documents.read_documents(cache_plan.corpus_dir, source, split))
  texts = _texts(cache_plan, manifest, tokenizer, source, split)
  assert collections.Counter(texts) == collections.Counter(
    item.text for item in given
  )
  hashes = {item.text: item.content_sha256 for item in given}
  assert [hashes[text] for text in texts] == sorted(hashes.values())
  counts = manifest.split(source, split)
  lengths = [len(ids) for ids in tokenizer_lib.encode(tokenizer, texts)]
  assert counts.documents == len(given)
  assert counts.bytes == sum(item.bytes for item in given)
  assert counts.tokens == sum(lengths) + len(given)
  assert counts.tokens + counts.padding_tokens == counts.sequences * 32
  assert 0 <= counts.padding_tokens < 32
  assert counts.truncated_tokens == 0


def test_files_are_filled_in_turn(cache_plan, manifest):
  counts = manifest.split('code/python', 'train')
  assert [file.sequences for file in counts.files][:-1] == [50] * (
    len(counts.files) - 1
  )
  assert len(counts.files) > 2
  assert counts.files[0].name == (
    f'code/python/train-00000-of-{len(counts.files):05d}.array_record'
  )
  assert manifest.token_dtype == 'uint16'
  assert not os.path.exists(f'{cache_plan.shards_dir}/.partial')


def test_the_same_plan_is_not_written_again(cache_plan, manifest):
  file = f'{cache_plan.shards_dir}/manifest.json'
  before = os.stat(file).st_mtime_ns
  messages = []
  assert shards.write(cache_plan, lambda m, _: messages.append(m)) == manifest
  assert os.stat(file).st_mtime_ns == before
  assert messages == [
    f'{cache_plan.shards_dir}: already there, nothing written'
  ]


def test_written_elsewhere_the_same_plan_gives_the_same_shards(
  cache_plan, manifest, tmp_path
):
  plan = dataclasses.replace(cache_plan, shards_dir=str(tmp_path))
  assert shards.write(plan).fingerprint == manifest.fingerprint


def test_documents_are_ordered_in_several_passes_alike(
  cache_plan, manifest, tmp_path, monkeypatch
):
  monkeypatch.setattr(shards, '_PASS_BYTES', 2000)
  monkeypatch.setattr(shards, '_CHUNK_BYTES', 500)
  plan = dataclasses.replace(cache_plan, shards_dir=str(tmp_path))
  assert shards.write(plan).fingerprint == manifest.fingerprint


def test_large_vocabularies_are_stored_in_four_bytes():
  plan = shards.CachePlan('corpus', 'shards', 2**16, 32)
  assert shards.token_dtype(plan) == 'uint16'
  plan = dataclasses.replace(plan, vocab_size=2**16 + 1)
  assert shards.token_dtype(plan) == 'uint32'


def test_a_tokenizer_can_be_given(cache_plan, manifest, tmp_path):
  plan = dataclasses.replace(
    cache_plan,
    shards_dir=str(tmp_path),
    sequence_length=48,
    tokenizer_path=f'{cache_plan.shards_dir}/tokenizer.json',
  )
  written = shards.write(plan)
  assert written.tokenizer_fingerprint == manifest.tokenizer_fingerprint
  with pytest.raises(errors.UserError, match='has 320 tokens'):
    shards.write(
      dataclasses.replace(
        plan, vocab_size=321, shards_dir=str(tmp_path / 'other')
      )
    )


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'sequence_length': 64}, 'another plan .* has 320 and 64'),
    ({'sequences_per_file': 51}, 'shards of another plan'),
  ],
)
def test_other_shards_in_the_folder_are_kept(cache_plan, change, message):
  plan = dataclasses.replace(cache_plan, **change)
  with pytest.raises(errors.UserError, match=message):
    shards.write(plan)


def test_a_killed_writer_leaves_no_manifest_and_nothing_in_the_way(
  cache_plan, manifest, tmp_path, monkeypatch
):
  plan = dataclasses.replace(cache_plan, shards_dir=str(tmp_path))
  write = sequence_files.write

  def killed(folder, stem, sequences, sequences_per_file):
    if stem == 'markup/train':
      next(iter(sequences))
      raise KeyboardInterrupt
    return write(folder, stem, sequences, sequences_per_file)

  monkeypatch.setattr(sequence_files, 'write', killed)
  with pytest.raises(KeyboardInterrupt):
    shards.write(plan)
  assert not manifest_lib.exists(tmp_path)
  with pytest.raises(errors.UserError, match='no finished shards'):
    manifest_lib.read(tmp_path)
  monkeypatch.undo()
  assert shards.write(plan).fingerprint == manifest.fingerprint
  manifest_lib.verify(tmp_path, manifest_lib.read(tmp_path))


def test_two_writers_do_not_share_a_folder(cache_plan, tmp_path):
  plan = dataclasses.replace(cache_plan, shards_dir=str(tmp_path))
  with (
    storage.exclusive(tmp_path),
    pytest.raises(errors.UserError, match='in use by another process'),
  ):
    shards.write(plan)


def test_a_disk_that_refuses_is_one_sentence(cache_plan, tmp_path):
  (tmp_path / 'markup').write_text('a file where a folder must be')
  plan = dataclasses.replace(cache_plan, shards_dir=str(tmp_path))
  with pytest.raises(errors.UserError, match='Cannot write the shards of mark'):
    shards.write(plan)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'vocab_size': 10}, 'CachePlan.vocab_size must be'),
    ({'sequence_length': 1}, 'CachePlan.sequence_length must be'),
    ({'shards_dir': ''}, 'CachePlan.shards_dir must be'),
    ({'shards_dir': 'gs://bucket/shards'}, 'mount the bucket'),
  ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(
  cache_plan, change, message
):
  with pytest.raises(errors.UserError, match=message):
    dataclasses.replace(cache_plan, **change)


def test_the_sample_holds_as_many_bytes_of_each_source(cache_plan):
  plan = dataclasses.replace(
    cache_plan, vocab_size=300, sample_bytes_per_token=10
  )
  texts = list(shards.tokenizer_sample(plan))
  lengths = dict.fromkeys(('code/java', 'code/python', 'markup'), 0)
  for text in texts:
    source = next(
      s
      for s in lengths
      for item in documents.read_documents(plan.corpus_dir, s, 'train')
      if item.text.startswith(text)
    )
    lengths[source] += len(text.encode())
  assert all(995 < length <= 1000 for length in lengths.values())
