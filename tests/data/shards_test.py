import collections
import dataclasses
import itertools
import multiprocessing
import os
import pathlib
import pickle
import random
import shutil
import string
import tracemalloc

import numpy as np
from pyarrow import parquet
import pytest
from tokenizers import decoders
from tokenizers import models
from tokenizers import pre_tokenizers

from codelaw import errors
from codelaw import storage
from codelaw.corpora import documents
from codelaw.corpora import report
from codelaw.data import manifest as manifest_lib
from codelaw.data import packing as packing_lib
from codelaw.data import part_writer
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


@pytest.fixture(scope='session')
def parts_plan(cache_plan, tmp_path_factory):
  """Of the same corpus, in parts so small that every source has several."""
  return dataclasses.replace(
    cache_plan,
    shards_dir=str(tmp_path_factory.mktemp('parts')),
    part_bytes=1500,
    packing={'markup': 'best_fit', 'code/*a': 'whole'},
  )


@pytest.fixture(scope='session')
def parts_manifest(parts_plan):
  return shards.write(parts_plan)


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


def test_workers_end_with_a_write_that_is_stopped(parts_plan, tmp_path):
  others = multiprocessing.active_children()  # of other tests
  plan = dataclasses.replace(parts_plan, shards_dir=str(tmp_path))

  def stop(message, fraction):
    if message.startswith('1 of '):
      raise KeyboardInterrupt

  # The traceback that `raises` keeps holds the frames, and with them
  # generators that nobody closed: their workers would live on.
  with pytest.raises(KeyboardInterrupt) as held:
    shards.write(plan, stop, 2)
  assert not set(multiprocessing.active_children()) - set(others)
  del held


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


def test_large_vocabularies_are_stored_in_four_bytes():
  plan = shards.CachePlan('corpus', 'shards', 2**16, 32)
  assert shards.token_dtype(plan) == 'uint16'
  plan = dataclasses.replace(plan, vocab_size=2**16 + 1)
  assert shards.token_dtype(plan) == 'uint32'


def _tokenizer_of_pairs_and_triples(file, vocab_size):
  """Every pair of bytes is a token, and as many triples as there is room."""
  alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
  pairs = itertools.product(alphabet, alphabet)
  triples = itertools.product(string.ascii_letters + string.digits, repeat=3)
  merges = [(a, b) for a, b in pairs] + [(a + b, c) for a, b, c in triples]
  merges = merges[: vocab_size - 258]
  tokens = ['<pad>', '<eos>', *alphabet, *(a + b for a, b in merges)]
  tokenizer = tokenizer_lib.Tokenizer(
    models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges)
  )
  tokenizer.add_special_tokens(['<pad>', '<eos>'])
  tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
  tokenizer.decoder = decoders.ByteLevel()
  tokenizer_lib.save(tokenizer, file)
  return str(file)


@pytest.mark.slow
def test_large_vocabularies_and_long_sequences_are_stored(corpus_dir, tmp_path):
  plan = shards.CachePlan(
    corpus_dir=corpus_dir,
    shards_dir=str(tmp_path / 'shards'),
    vocab_size=2**18,
    sequence_length=8192,
    tokenizer_path=_tokenizer_of_pairs_and_triples(
      tmp_path / 'given.json', 2**18
    ),
    packing={'*': 'best_fit'},
  )
  manifest = shards.write(plan)
  assert manifest.token_dtype == 'uint32'
  tokenizer = tokenizer_lib.load(plan.tokenizer_path)
  reader = sequence_files.SequenceReader(
    plan.shards_dir, manifest, 'code/python', 'train'
  )
  stored = reader.read(np.arange(len(reader)))
  assert stored.shape[1] == 8192
  assert 2**16 < stored.max() < 2**18
  tokens = stored[stored != 0]
  texts = collections.Counter(
    tokenizer_lib.decode(tokenizer, part)
    for part in np.split(tokens, np.flatnonzero(tokens == 1) + 1)[:-1]
  )
  assert texts == collections.Counter(
    item.text
    for item in documents.read_documents(corpus_dir, 'code/python', 'train')
  )


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


def _write_corpus_of(folder, num_documents):
  """Documents of 10 kB of text that tells a tokenizer little."""
  generator = random.Random(0)
  writer = documents.SourceWriter(folder, 'code/python')
  splits = {}
  for split, number in (('train', num_documents), ('validation', 1)):
    for _ in range(number):
      text = generator.randbytes(5000).hex()
      raw = documents.RawDocument(text, 'code/python', 'python', 'x.py')
      writer.write(documents.document(raw, split))
    splits[split] = report.SplitReport(number, 10_000 * number)
  held = report.SourceReport(
    splits, writer.close(), num_documents + 1, {}, {}, {}
  )
  report.write(
    folder,
    report.CorpusReport({'code/python': held}, {}, 'plan', 'corpus', '0'),
  )
  return str(folder)


@pytest.mark.slow
def test_memory_is_bounded_by_the_part(tmp_path, monkeypatch):
  """Four times the text in parts of one size takes no more memory."""
  monkeypatch.setattr(part_writer, '_CHUNK_BYTES', 50_000)
  peaks = []
  for number in (100, 400):
    plan = shards.CachePlan(
      corpus_dir=_write_corpus_of(tmp_path / f'{number}', number),
      shards_dir=str(tmp_path / f'{number} shards'),
      vocab_size=300,
      sample_bytes_per_token=100,
      sequence_length=2048,
      part_bytes=500_000,
    )
    tracemalloc.start()
    shards.write(plan)
    peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
  # Parts differ by chance; one part of everything takes 4 MB more.
  assert peaks[1] < peaks[0] + 2_000_000


def _write_counting(plan, monkeypatch):
  """Writes the shards: (manifest, parts that were packed for it)."""
  packed = []
  write = part_writer.write

  def counting(root, part, *arguments):
    packed.append(part)
    return write(root, part, *arguments)

  with monkeypatch.context() as patch:
    patch.setattr(part_writer, 'write', counting)
    return shards.write(plan), packed


@pytest.fixture
def stopped(parts_plan, tmp_path, monkeypatch):
  """A plan whose writer was stopped in its fifth part, and its parts."""
  plan = dataclasses.replace(parts_plan, shards_dir=str(tmp_path))
  write = sequence_files.write
  calls = []

  def killed(folder, stem, sequences, sequences_per_file):
    calls.append(stem)
    if len(calls) == 5:
      next(iter(sequences))
      raise KeyboardInterrupt
    return write(folder, stem, sequences, sequences_per_file)

  with monkeypatch.context() as patch:
    patch.setattr(sequence_files, 'write', killed)
    with pytest.raises(KeyboardInterrupt):
      shards.write(plan)
  assert not manifest_lib.exists(tmp_path)
  with pytest.raises(errors.UserError, match='no finished shards'):
    manifest_lib.read(tmp_path)
  return plan, shards.parts(plan, report.read(plan.corpus_dir))


def test_what_a_stopped_writer_finished_is_kept(
  stopped, parts_manifest, monkeypatch
):
  plan, todo = stopped
  written, packed = _write_counting(plan, monkeypatch)
  assert packed == list(todo[4:])
  assert written == parts_manifest
  manifest_lib.verify(plan.shards_dir, written)


@pytest.mark.parametrize(
  'damage', ['flipped', 'cut', 'gone', 'record cut', 'padding', 'tokenizer']
)
def test_a_damaged_part_is_packed_again(
  stopped, parts_manifest, monkeypatch, damage
):
  plan, todo = stopped
  partial = pathlib.Path(plan.shards_dir) / '.partial'
  folder = parts_lib.folder_of(partial, todo[1])
  (shard,) = folder.glob('*.array_record')
  again = list(todo[4:])
  if damage == 'tokenizer':
    # Not that of the parts, so that none of them can be kept.
    (partial / 'tokenizer.json').unlink()
    tokenizer = tokenizer_lib.train(['abc ' * 9], 259)
    tokenizer_lib.save(tokenizer, partial / 'tokenizer.json')
    again = list(todo)
  else:
    again.insert(0, todo[1])
  if damage == 'flipped':
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
  elif damage == 'cut':
    shard.write_bytes(shard.read_bytes()[:-1])
  elif damage == 'gone':
    shard.unlink()
  elif damage == 'record cut':
    record = folder / 'part.json'
    record.write_text(record.read_text()[:-10])
  elif damage == 'padding':
    (padding,) = folder.rglob('*.npy')
    padding.write_bytes(b'')
  written, packed = _write_counting(plan, monkeypatch)
  assert packed == again
  assert (written == parts_manifest) == (damage != 'tokenizer')


def test_a_corpus_that_lost_documents_is_refused_until_it_is_mended(
  parts_plan, parts_manifest, tmp_path
):
  corpus = shutil.copytree(parts_plan.corpus_dir, tmp_path / 'corpus')
  (file,) = corpus.glob('markup/*.parquet')
  whole = parquet.read_table(file)
  parquet.write_table(whole.slice(1), file)
  plan = dataclasses.replace(
    parts_plan, corpus_dir=str(corpus), shards_dir=str(tmp_path / 'shards')
  )
  with pytest.raises(
    errors.UserError, match='lists 35 train documents of mark'
  ):
    shards.write(plan)
  assert not manifest_lib.exists(plan.shards_dir)
  parquet.write_table(whole, file)
  assert shards.write(plan) == parts_manifest


def test_parts_of_another_plan_are_neither_used_nor_removed(stopped):
  plan, _ = stopped
  for change in ({'sequence_length': 64}, {'packing': {}}, {'part_bytes': 99}):
    with pytest.raises(errors.UserError, match='unfinished shards of another'):
      shards.write(dataclasses.replace(plan, **change))
  assert parts_lib.any_recorded(pathlib.Path(plan.shards_dir))


def test_what_stopped_writers_left_unfinished_is_removed(
  cache_plan, manifest, tmp_path
):
  leftover = tmp_path / '.partial' / 'unfinished-abc'
  leftover.mkdir(parents=True)
  (leftover / 'train-00000.array_record').write_text('half')
  (tmp_path / '.partial' / 'plan.json').write_text('"another"')
  plan = dataclasses.replace(cache_plan, shards_dir=str(tmp_path))
  shards.prepare(plan)
  assert not leftover.exists()
  leftover.mkdir(parents=True)
  shards.prepare(plan)
  assert not leftover.exists()
  assert shards.write(plan) == manifest


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
  with pytest.raises(errors.UserError, match='Cannot give the shards'):
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
