"""Byte-level byte-pair encoding (Sennrich et al., 2016; GPT-2's byte form).

Any text comes back exactly: the alphabet is the 256 bytes, so no token for
unknown text is needed. Token 0 pads, token 1 ends a document; no text is ever
encoded as one of them, also not a text that spells their names. A token's
bytes are well defined, so the bytes of a sequence are the sum over its tokens.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import json
import os

import numpy as np
import tokenizers
from tokenizers import decoders
from tokenizers import models
from tokenizers import pre_tokenizers
from tokenizers import trainers

from codelaw import errors
from codelaw import storage
from codelaw.data import packing

# In the order of their ids, packing.PAD_ID and packing.EOS_ID.
SPECIAL_TOKENS = ('<pad>', '<eos>')
MIN_VOCAB_SIZE = 256 + len(SPECIAL_TOKENS)
MAX_VOCAB_SIZE = 2**18
# `type` in a tokenizer.json that only describes a vocabulary of SeqIO.
VOCABULARY_TYPE = 'seqio_vocabulary'

Tokenizer = tokenizers.Tokenizer


def train(texts: Iterable[str], vocab_size: int) -> Tokenizer:
  """Learns a tokenizer; the same texts in the same order give the same one.

  Args:
    texts: sample to learn from, which should be balanced over the sources.
    vocab_size: tokens, the 256 bytes and the 2 special ones included.

  Raises:
    UserError: when `vocab_size` is out of range or the sample too small.
  """
  check_vocab_size(vocab_size)
  tokenizer = Tokenizer(models.BPE())
  tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
  tokenizer.decoder = decoders.ByteLevel()
  trainer = trainers.BpeTrainer(
    vocab_size=vocab_size,
    special_tokens=list(SPECIAL_TOKENS),
    initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    show_progress=False,
  )
  tokenizer.train_from_iterator(texts, trainer)
  learnt = tokenizer.get_vocab_size()
  if learnt < vocab_size:
    raise errors.UserError(
      f'The texts hold only {learnt} different tokens, vocab_size asks for'
      f' {vocab_size}; lower vocab_size, or give a larger corpus or sample.'
    )
  return _text_is_never_special(tokenizer)


def check_vocab_size(vocab_size: int) -> None:
  """Raises `UserError` unless a tokenizer can have that many tokens."""
  if not MIN_VOCAB_SIZE <= vocab_size <= MAX_VOCAB_SIZE:
    raise errors.UserError(
      f'vocab_size must be between {MIN_VOCAB_SIZE} (the bytes and the'
      f' special tokens) and {MAX_VOCAB_SIZE}, got {vocab_size}.'
    )


def save(tokenizer: Tokenizer, file: storage.PathLike) -> None:
  """Writes `tokenizer.json`, readable by Hugging Face's libraries."""
  storage.write_text(file, tokenizer.to_str(pretty=True) + '\n')


def load(file: storage.PathLike) -> Tokenizer:
  """Reads a `tokenizer.json` that `save` or `codelaw export` wrote.

  What the latter adds, a token before each text, is left out again.

  Raises:
    UserError: when the file is missing, is no tokenizer, or is one of another
      kind, which would not return every text exactly.
  """
  storage.read_json(file)  # for its errors
  place = os.fspath(storage.path(file))
  try:
    tokenizer = Tokenizer.from_str(storage.path(file).read_text())
  except Exception as error:  # the library raises bare Exception
    raise errors.UserError(
      f'{place} is not a tokenizer ({error}); give one that `codelaw cache`'
      ' wrote.'
    ) from error
  ids = tuple(tokenizer.token_to_id(name) for name in SPECIAL_TOKENS)
  vocab = tokenizer.get_vocab()
  alphabet = set(pre_tokenizers.ByteLevel.alphabet())
  if (
    ids != (packing.PAD_ID, packing.EOS_ID)
    or not isinstance(tokenizer.decoder, decoders.ByteLevel)
    or not alphabet <= set(vocab)
  ):
    raise errors.UserError(
      f'{place} is not a byte-level tokenizer with {SPECIAL_TOKENS[0]} = 0'
      f' and {SPECIAL_TOKENS[1]} = 1; give one that `codelaw cache` wrote.'
    )
  tokenizer.post_processor = None
  return _text_is_never_special(tokenizer)


def fingerprint(tokenizer: Tokenizer) -> str:
  """Of the file that `save` writes, as `manifest.tokenizer_fingerprint`."""
  return storage.fingerprint(json.loads(tokenizer.to_str()))


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> Iterator[np.ndarray]:
  """Yields the tokens of each text, int64, without end token."""
  for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False):
    yield np.array(encoding.ids, np.int64)


def decode(tokenizer: Tokenizer, tokens: Iterable[int]) -> str:
  """The text of tokens; padding and end tokens have none."""
  return tokenizer.decode(
    [int(token) for token in tokens], skip_special_tokens=True
  )


def token_bytes(tokenizer: Tokenizer) -> np.ndarray:
  """UTF-8 bytes that each token stands for; 0 for the special tokens.

  Returns:
    int32 [vocab_size]; the bytes of a text are the sum over its tokens.
  """
  lengths = np.zeros(tokenizer.get_vocab_size(), np.int32)
  for token, index in tokenizer.get_vocab().items():
    lengths[index] = len(token)  # one character of the alphabet per byte
  lengths[[packing.PAD_ID, packing.EOS_ID]] = 0
  return lengths


def read_token_bytes(file: storage.PathLike) -> np.ndarray | None:
  """Bytes of each token, from the `tokenizer.json` of any shards.

  Returns:
    int32 [vocab_size], as of `token_bytes`; None for a SeqIO vocabulary that
    does not tell.

  Raises:
    UserError: when the file is missing or is no tokenizer.
  """
  if is_seqio_vocabulary(file):
    lengths = storage.read_json(file)['token_bytes']
    return None if lengths is None else np.array(lengths, np.int32)
  return token_bytes(load(file))


def is_seqio_vocabulary(file: storage.PathLike) -> bool:
  """Whether a `tokenizer.json` only describes a vocabulary of SeqIO."""
  content = storage.read_json(file)
  return isinstance(content, dict) and content.get('type') == VOCABULARY_TYPE


def _text_is_never_special(tokenizer: Tokenizer) -> Tokenizer:
  """Has `<pad>` in a document read as five characters; not kept in files."""
  tokenizer.encode_special_tokens = True
  return tokenizer
