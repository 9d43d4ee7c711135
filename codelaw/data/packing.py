"""Documents' tokens to fixed-length sequences, and sequences to features.

Definitions owned here: token 0 is padding, token 1 ends a document; a
segment is the part of one document inside one sequence. Nothing but tokens is
stored: segments, positions and weights follow from where the end tokens are.
"""

from collections.abc import Iterable
from collections.abc import Iterator

import numpy as np

PAD_ID = 0
EOS_ID = 1
# Names of seqio.PackedLMFeatureConverter-like converters for decoders.
FEATURE_NAMES = (
  'decoder_input_tokens',
  'decoder_target_tokens',
  'decoder_loss_weights',
  'decoder_segment_ids',
  'decoder_positions',
)


def pack(
  documents: Iterable[np.ndarray], sequence_length: int
) -> Iterator[np.ndarray]:
  """Concatenates documents, each closed by token 1, and cuts the stream.

  Every token is stored once; only the last sequence is padded.

  >>> documents = [np.array([5, 6, 7]), np.array([8]), np.array([9, 9])]
  >>> for sequence in pack(documents, 4):
  ...   print(sequence)
  [5 6 7 1]
  [8 1 9 9]
  [1 0 0 0]

  Args:
    documents: token arrays without end token, integers of at least 2.
    sequence_length: of the sequences, at least 1.

  Yields:
    Sequences of `sequence_length` tokens, in the documents' dtype.
  """
  waiting: list[np.ndarray] = []
  num_waiting = 0
  for document in documents:
    waiting += [document, np.array([EOS_ID], document.dtype)]
    num_waiting += len(document) + 1
    if num_waiting >= sequence_length:
      stream = np.concatenate(waiting)
      whole = num_waiting - num_waiting % sequence_length
      yield from stream[:whole].reshape(-1, sequence_length)
      waiting, num_waiting = [stream[whole:]], num_waiting - whole
  if num_waiting:
    last = np.concatenate(waiting)
    yield np.pad(
      last, (0, sequence_length - num_waiting), constant_values=PAD_ID
    )


def features(tokens: np.ndarray) -> dict[str, np.ndarray]:
  """What a packed decoder-only model reads, in SeqIO's names.

  Targets are the stored tokens. Inputs are the targets one place to the
  right inside each segment, with 0 at a segment's first place. Segments count
  from 1 in each sequence, positions from 0 in each segment. Every stored token
  is a target with weight 1; padding has weight, segment and position 0.

  >>> for name, value in features(np.array([[5, 6, 1, 7, 1, 0]])).items():
  ...   print(f'{name:22}', value[0].tolist())
  decoder_input_tokens   [0, 5, 6, 0, 7, 0]
  decoder_target_tokens  [5, 6, 1, 7, 1, 0]
  decoder_loss_weights   [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]
  decoder_segment_ids    [1, 1, 1, 2, 2, 0]
  decoder_positions      [0, 1, 2, 0, 1, 0]

  Args:
    tokens: integers [batch, length], padded with 0 on the right only.

  Returns:
    The five features, int32 (the weights float32) [batch, length].
  """
  batch, length = tokens.shape
  stream = tokens.reshape(-1)
  stored = stream != PAD_ID
  is_last = stream == EOS_ID  # of a segment; what follows one is filled below
  is_last[length - 1 :: length] = True
  lasts = np.flatnonzero(is_last)
  firsts = np.roll(lasts, 1) + 1
  firsts[:1] = 0
  lengths = lasts - firsts + 1
  rows = firsts // length
  before = np.searchsorted(rows, np.arange(batch))  # segments of earlier rows
  numbers = np.arange(1, len(firsts) + 1) - before[rows]
  segments = np.repeat(numbers.astype(np.int32), lengths)
  positions = np.arange(len(stream), dtype=np.int32)
  positions -= np.repeat(firsts.astype(np.int32), lengths)
  targets = stream.astype(np.int32)
  inputs = np.zeros_like(targets)
  inputs[1:] = targets[:-1]
  inputs[firsts] = 0
  for values in (inputs, segments, positions):
    values *= stored
  features = (inputs, targets, stored.astype(np.float32), segments, positions)
  return {
    name: values.reshape(tokens.shape)
    for name, values in zip(FEATURE_NAMES, features, strict=True)
  }
