import collections
import dataclasses
import os
import pickle

import numpy as np
import pytest

from codelaw import errors
from codelaw.corpora import documents
from codelaw.corpora import report
from codelaw.data import manifest as manifest_lib
from codelaw.data import packing as packing_lib
from codelaw.data import parts as parts_lib
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


def test_parts_are_packed_alone_and_hold_every_document_once(
  parts_plan, parts_manifest
):
  tokenizer = tokenizer_lib.load(f'{parts_plan.shards_dir}/tokenizer.json')
  corpus = report.read(parts_plan.corpus_dir)
  todo = shards.parts(parts_plan, corpus)
  assert len(todo) > 20
  for source, packing in (
    ('code/python', 'concatenate'),
    ('markup', 'best_fit'),
    ('code/java', 'whole'),
  ):
    for split in manifest_lib.SPLITS:
      held = parts_manifest.split(source, split)
      assert held.packing == packing
      expected, given, left_out = [], [], []
      for part in todo:
        if (part.source, part.split) == (source, split):
          items = parts_lib.read_documents(parts_plan.corpus_dir, part)
          given += items
          tokens = list(
            tokenizer_lib.encode(tokenizer, [item.text for item in items])
          )
          expected += packing_lib.pack(tokens, 32, packing)
          left_out += [
            (item, ids)
            for item, ids in zip(items, tokens, strict=True)
            if packing == 'whole' and len(ids) + 1 > 32
          ]
      assert collections.Counter(item.text for item in given) == (
        collections.Counter(
          item.text
          for item in documents.read_documents(
            parts_plan.corpus_dir, source, split
          )
        )
      )
      reader = sequence_files.SequenceReader(
        parts_plan.shards_dir, parts_manifest, source, split
      )
      stored = reader.read(np.arange(len(reader)))
      np.testing.assert_array_equal(stored, np.array(expected).reshape(-1, 32))
      assert held.left_out_documents == len(left_out)
      assert held.truncated_tokens == sum(len(ids) + 1 for _, ids in left_out)
      assert held.documents == len(given) - len(left_out)
      assert held.bytes == sum(item.bytes for item in given) - sum(
        item.bytes for item, _ in left_out
      )
      padding = np.sum(stored == 0, axis=1)
      assert held.tokens == np.sum(stored != 0)
      indices, paddings = manifest_lib.padded_sequences(
        parts_plan.shards_dir, parts_manifest, source, split
      )
      np.testing.assert_array_equal(indices, np.flatnonzero(padding))
      np.testing.assert_array_equal(paddings, padding[padding > 0])
  whole = parts_manifest.split('code/java', 'train')
  assert whole.left_out_documents > 0
  assert whole.documents > 0


def test_one_part_stays_what_it_was(cache_plan, manifest):
  """Concatenated, a small source is one stream in the order of its hashes."""
  items = sorted(
    documents.read_documents(cache_plan.corpus_dir, 'markup', 'train'),
    key=lambda item: item.content_sha256,
  )
  tokenizer = tokenizer_lib.load(f'{cache_plan.shards_dir}/tokenizer.json')
  stream = []
  for ids in tokenizer_lib.encode(tokenizer, [item.text for item in items]):
    stream += [*ids.tolist(), 1]
  reader = sequence_files.SequenceReader(
    cache_plan.shards_dir, manifest, 'markup', 'train'
  )
  stored = reader.read(np.arange(len(reader))).reshape(-1)
  stream += [0] * (len(stored) - len(stream))
  assert stored.tolist() == stream


@pytest.mark.parametrize('num_workers', [2])
def test_the_shards_do_not_depend_on_the_workers(
  parts_plan, parts_manifest, tmp_path, num_workers
):
  plan = dataclasses.replace(parts_plan, shards_dir=str(tmp_path))
  messages = []
  written = shards.write(
    plan, lambda message, _: messages.append(message), num_workers
  )
  assert written == parts_manifest
  manifest_lib.verify(tmp_path, written)
  assert any(message.startswith('1 of ') for message in messages)


def test_parts_in_any_order_give_the_same_shards(
  parts_plan, parts_manifest, tmp_path
):
  """As a cluster writes them: picklable parts, documents from elsewhere."""
  plan = dataclasses.replace(parts_plan, shards_dir=str(tmp_path))
  shards.prepare(plan)
  todo = shards.parts(plan, report.read(plan.corpus_dir))
  written = []
  for part in todo[::-1]:
    given = pickle.loads(pickle.dumps((plan, part)))
    items = parts_lib.read_documents(plan.corpus_dir, part)
    done = shards.write_part(*given, items=items)
    written.append(pickle.loads(pickle.dumps(done)))
  with pytest.raises(ValueError, match='missing'):
    shards.finish(plan, written[1:])
  assert not manifest_lib.exists(tmp_path)
  assert shards.finish(plan, written) == parts_manifest
  manifest_lib.verify(tmp_path, manifest_lib.read(tmp_path))
  assert sorted(os.listdir(tmp_path)) == [
    'code',
    'manifest.json',
    'markup',
    'tokenizer.json',
  ]


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


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'vocab_size': 10}, 'CachePlan.vocab_size must be'),
    ({'sequence_length': 1}, 'CachePlan.sequence_length must be'),
    ({'shards_dir': ''}, 'CachePlan.shards_dir must be'),
    ({'part_bytes': 0}, 'CachePlan.part_bytes must be'),
    ({'packing': 'whole'}, 'CachePlan.packing must map'),
    ({'packing': {'code/*': 'hole'}}, "packing\\['code/\\*'\\] must be one"),
    ({'shards_dir': 'gs://bucket/shards'}, 'mount the bucket'),
  ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(
  cache_plan, change, message
):
  with pytest.raises(errors.UserError, match=message):
    dataclasses.replace(cache_plan, **change)


def test_a_packing_of_no_source_is_refused(cache_plan):
  plan = dataclasses.replace(cache_plan, packing={'cod/*': 'best_fit'})
  with pytest.raises(errors.UserError, match="'cod/\\*', which fits no source"):
    shards.parts(plan, report.read(plan.corpus_dir))


def test_the_first_pattern_that_fits_decides(cache_plan):
  plan = dataclasses.replace(
    cache_plan, packing={'code/java': 'whole', 'code/*': 'best_fit'}
  )
  assert plan.packing_of('code/java') == 'whole'
  assert plan.packing_of('code/javascript') == 'best_fit'
  assert plan.packing_of('commits') == 'concatenate'
  assert cache_plan.packing_of('parallel/python-java') == 'whole'
