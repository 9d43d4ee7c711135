"""Shards of large vocabularies, and of more text than memory should hold."""

import collections
import dataclasses
import itertools
import random
import string
import tracemalloc

import numpy as np
import pytest
from tokenizers import decoders
from tokenizers import models
from tokenizers import pre_tokenizers

from codelaw.corpora import documents
from codelaw.corpora import report
from codelaw.data import part_writer
from codelaw.data import sequence_files
from codelaw.data import shards
from codelaw.data import tokenizer as tokenizer_lib


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
