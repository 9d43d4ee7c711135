"""Documents' tokens to fixed-length sequences, and sequences to features.

Definitions owned here: token 0 is padding, token 1 ends a document; a
segment is the part of one document inside one sequence. Nothing but tokens is
stored: segments, positions and weights follow from where the end tokens are.

A packing is one of
  concatenate: the documents end to end, cut every `sequence_length` tokens;
    only the last sequence is padded.
  best_fit: documents longer than a sequence are cut into full sequences and
    a remainder; remainders and all other documents stay in one piece and go,
    the longest first, where they leave the least room (best-fit packing,
    Ding et al., 2024, arXiv:2404.10830). Nothing is lost.
  whole: best_fit without the documents longer than a sequence, which are
    left out. No document is cut.
"""

import bisect
from collections.abc import Iterable
from collections.abc import Iterator
import dataclasses

import numpy as np

PAD_ID = 0
EOS_ID = 1
PACKINGS = ('concatenate', 'best_fit', 'whole')
# Best fit sorts this many sequences' worth of documents at once, and keeps
# at most this many unfilled sequences for the documents that come after.
_WINDOW_SEQUENCES = 4096
_MAX_OPEN = 1024
# Names of seqio.PackedLMFeatureConverter-like converters for decoders.
FEATURE_NAMES = (
  'decoder_input_tokens',
  'decoder_target_tokens',
  'decoder_loss_weights',
  'decoder_segment_ids',
  'decoder_positions',
)


def pack(
  documents: Iterable[np.ndarray],
  sequence_length: int,
  packing: str = 'concatenate',
) -> Iterator[np.ndarray]:
  """Packs documents, each closed by token 1, into sequences.

  The same documents in the same order give the same sequences. Memory is
  bounded: by the documents that fill a sequence (concatenate), or by about
  5,000 sequences and the longest document (best_fit and whole).

  >>> documents = [np.array([5, 6, 7]), np.array([8]), np.array([9, 9])]
  >>> np.stack(list(pack(documents, 4)))
  array([[5, 6, 7, 1],
         [8, 1, 9, 9],
         [1, 0, 0, 0]])
  >>> np.stack(list(pack(documents, 5, 'best_fit')))
  array([[5, 6, 7, 1, 0],
         [9, 9, 1, 8, 1]])

  Args:
    documents: token arrays without end token, integers of at least 2.
    sequence_length: of the sequences, at least 1.
    packing: one of `PACKINGS`.

  Returns:
    Iterator over sequences of `sequence_length` tokens, in the documents'
    dtype, padded with 0 on the right only.
  """
  if packing == 'concatenate':
    return _concatenate(documents, sequence_length)
  kept = (
    document
    for document in documents
    if not is_left_out(len(document) + 1, sequence_length, packing)
  )
  return _best_fit(kept, sequence_length)


def is_left_out(num_tokens: int, sequence_length: int, packing: str) -> bool:
  """Whether a document of so many tokens, end token included, is not stored."""
  return packing == 'whole' and num_tokens > sequence_length


def _concatenate(
  documents: Iterable[np.ndarray], sequence_length: int
) -> Iterator[np.ndarray]:
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
    yield _padded(waiting, sequence_length)


@dataclasses.dataclass
class _Bin:
  """A sequence being filled.

  Attributes:
    place: in the stream, of the first piece that was put in.
    room: tokens that are free.
    pieces: documents and ends of documents, in the order they were put in.
  """

  place: int
  room: int
  pieces: list[np.ndarray]


class _OpenBins:
  """Bins that are not full; finds the one with the least sufficient room."""

  def __init__(self) -> None:
    self._rooms: list[int] = []  # that some bin has, ascending
    self._bins: dict[int, list[_Bin]] = {}

  def add(self, item: _Bin) -> None:
    if item.room not in self._bins:
      bisect.insort(self._rooms, item.room)
      self._bins[item.room] = []
    self._bins[item.room].append(item)

  def take(self, num_tokens: int) -> _Bin | None:
    """Takes out the fullest bin that has room for so many tokens."""
    place = bisect.bisect_left(self._rooms, num_tokens)
    if place == len(self._rooms):
      return None
    room = self._rooms[place]
    item = self._bins[room].pop()
    if not self._bins[room]:
      del self._rooms[place], self._bins[room]
    return item

  def take_all_but(self, count: int) -> list[_Bin]:
    """Takes out all but the `count` emptiest bins."""
    ordered = [b for room in self._rooms[::-1] for b in self._bins[room]]
    self._rooms, self._bins = [], {}
    for item in ordered[:count]:
      self.add(item)
    return ordered[count:]


def _best_fit(
  documents: Iterable[np.ndarray], sequence_length: int
) -> Iterator[np.ndarray]:
  """Best-fit-decreasing over one window of documents after another.

  Sequences leave a window in the order of the first piece that each was
  given, which says nothing about how long its documents are.
  """
  opened = _OpenBins()
  full: list[_Bin] = []
  window: list[tuple[int, np.ndarray]] = []
  num_waiting = 0

  def fill() -> None:
    for place, piece in sorted(window, key=lambda item: -len(item[1])):
      target = opened.take(len(piece)) or _Bin(place, sequence_length, [])
      target.pieces.append(piece)
      target.room -= len(piece)
      if target.room:
        opened.add(target)
      else:
        full.append(target)
    window.clear()

  def leave(keep: int) -> Iterator[np.ndarray]:
    leaving = full + opened.take_all_but(keep)
    full.clear()
    for item in sorted(leaving, key=lambda item: item.place):
      yield _padded(item.pieces, sequence_length)

  for place, document in enumerate(documents):
    closed = np.append(document, np.array(EOS_ID, document.dtype))
    for start in range(0, len(closed), sequence_length):
      piece = closed[start : start + sequence_length]
      # A copy, so that a remainder does not keep all of its document.
      window.append((place, piece.copy() if start else piece))
    num_waiting += len(closed)
    if num_waiting >= _WINDOW_SEQUENCES * sequence_length:
      fill()
      num_waiting = 0
      yield from leave(_MAX_OPEN)
  fill()
  yield from leave(0)


def _padded(pieces: list[np.ndarray], sequence_length: int) -> np.ndarray:
  tokens = np.concatenate(pieces)
  missing = sequence_length - len(tokens)
  if not missing:
    return tokens
  return np.pad(tokens, (0, missing), constant_values=PAD_ID)


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
