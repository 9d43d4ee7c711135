"""Shards of random sequences with padding anywhere, for tests."""

import dataclasses

import numpy as np

from codelaw.data import manifest as manifest_lib
from codelaw.data import sequence_files


def write(folder, vocab_size, sources, tokenizer_text='{}'):
  """Shards of given sequences: {source: (packing, tokens [n, length])}."""
  tokenizer = folder / 'tokenizer.json'
  tokenizer.write_text(tokenizer_text)
  dtype = np.dtype('uint16' if vocab_size <= 2**16 else 'uint32')
  splits = {}
  for source, (packing, tokens) in sources.items():
    paddings = np.sum(tokens == 0, axis=1)
    (padded,) = np.nonzero(paddings)
    (folder / source).mkdir(parents=True)
    files = sequence_files.write(
      folder / source, 'train', iter(tokens.astype(dtype)), 40
    )
    splits[source] = {
      'train': manifest_lib.SplitShards(
        packing=packing,
        documents=len(tokens),
        bytes=4 * int(np.sum(tokens != 0)),
        tokens=int(np.sum(tokens != 0)),
        sequences=len(tokens),
        padding_tokens=int(paddings.sum()),
        truncated_tokens=0,
        left_out_documents=0,
        files=tuple(
          dataclasses.replace(file, name=f'{source}/{file.name}')
          for file in files
        ),
        padding_file=manifest_lib.write_padding(
          folder, source, 'train', padded, paddings[padded]
        ),
      )
    }
  manifest_lib.write(
    folder,
    manifest_lib.Manifest(
      vocab_size=vocab_size,
      sequence_length=tokens.shape[1],
      token_dtype=dtype.name,
      tokenizer_fingerprint=manifest_lib.tokenizer_fingerprint(tokenizer),
      corpus_fingerprint='corpus',
      plan_fingerprint='plan',
      sources=splits,
    ),
  )
  return manifest_lib.read(folder)


def random_tokens(num_sequences, length, vocab_size, seed, padded_share=0.7):
  """Random sequences, the last and many others with padding on the right."""
  generator = np.random.default_rng(seed)
  tokens = generator.integers(2, vocab_size, (num_sequences, length))
  kept = generator.integers(length // 2, length + 1, num_sequences)
  kept[:-1][generator.random(num_sequences - 1) >= padded_share] = length
  tokens[np.arange(length) >= kept[:, None]] = 0
  return tokens
