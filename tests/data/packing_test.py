import collections

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest

from codelaw.data import packing

_documents = st.lists(
  st.lists(st.integers(2, 99), max_size=12).map(
    lambda ids: np.array(ids, np.uint16)
  ),
  max_size=12,
)


@hypothesis.given(_documents, st.integers(2, 9))
@hypothesis.settings(deadline=None, max_examples=60)
def test_packing_loses_nothing_and_pads_only_the_last_sequence(
  documents, length
):
  sequences = list(packing.pack(documents, length))
  expected = [token for d in documents for token in [*d.tolist(), 1]]
  stored = [token for s in sequences for token in s.tolist()]
  assert stored[: len(expected)] == expected
  assert set(stored[len(expected) :]) <= {0}
  assert len(stored) - len(expected) < length
  assert all(len(s) == length and s.dtype == np.uint16 for s in sequences)


def _pieces(sequences):
  """Documents and parts of documents, as a bag; padding is left out."""
  found = collections.Counter()
  for sequence in sequences:
    tokens = sequence[sequence != 0]
    ends = np.flatnonzero(tokens == 1) + 1
    for piece in np.split(tokens, ends):
      if len(piece):
        found[tuple(piece.tolist())] += 1
  return found


def _expected_pieces(documents, length):
  """Cut only where a document is longer than a sequence, from its start."""
  found = collections.Counter()
  for document in documents:
    closed = [*document.tolist(), 1]
    for start in range(0, len(closed), length):
      found[tuple(closed[start : start + length])] += 1
  return found


@pytest.mark.parametrize('window', [1, 3, 4096])
@hypothesis.given(_documents, st.integers(2, 9), st.integers(0, 3))
@hypothesis.settings(
  deadline=None,
  max_examples=60,
  suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_best_fit_loses_nothing_and_cuts_only_long_documents(
  monkeypatch, window, documents, length, max_open
):
  monkeypatch.setattr(packing, '_WINDOW_SEQUENCES', window)
  monkeypatch.setattr(packing, '_MAX_OPEN', max_open)
  sequences = list(packing.pack(documents, length, 'best_fit'))
  assert _pieces(sequences) == _expected_pieces(documents, length)
  for sequence in sequences:
    assert len(sequence) == length
    assert sequence.dtype == np.uint16
    assert sequence[0] != 0
    assert np.all(np.diff((sequence == 0).astype(int)) >= 0)
  again = list(packing.pack(iter(documents), length, 'best_fit'))
  assert np.array_equal(sequences, again)


@hypothesis.given(_documents, st.integers(2, 9))
@hypothesis.settings(deadline=None, max_examples=60)
def test_whole_is_best_fit_of_the_documents_that_fit(documents, length):
  kept = [d for d in documents if len(d) < length]
  sequences = list(packing.pack(documents, length, 'whole'))
  assert _pieces(sequences) == collections.Counter(
    (*document.tolist(), 1) for document in kept
  )
  assert np.array_equal(sequences, list(packing.pack(kept, length, 'best_fit')))
  for document in documents:
    assert packing.is_left_out(len(document) + 1, length, 'whole') == (
      len(document) >= length
    )
    assert not packing.is_left_out(len(document) + 1, length, 'best_fit')
    assert not packing.is_left_out(len(document) + 1, length, 'concatenate')


def test_a_piece_goes_where_it_leaves_the_least_room():
  # Of 6 + 5 + 4 + 3 + 1 + 1 (end tokens included): 4 into neither 10 - 6 = 4
  # nor 10 - 5 = 5 by order of bins, but into the tighter; 3 into the 5.
  documents = [np.full(n - 1, n, np.uint16) for n in (1, 4, 6, 3, 5, 1)]
  sequences = np.stack(list(packing.pack(documents, 10, 'best_fit')))
  expected = [
    [6, 6, 6, 6, 6, 1, 4, 4, 4, 1],
    [5, 5, 5, 5, 1, 3, 3, 1, 1, 1],
  ]
  np.testing.assert_array_equal(sequences, expected)


def _first_fit_sequences(lengths, sequence_length):
  rooms = []
  for length in lengths:
    for place, room in enumerate(rooms):
      if room >= length:
        rooms[place] -= length
        break
    else:
      rooms.append(sequence_length - length)
  return len(rooms)


def test_best_fit_pads_little_of_documents_like_real_ones():
  generator = np.random.default_rng(0)
  # Lengths of source files are about log-normal.
  lengths = np.minimum(generator.lognormal(5.0, 1.4, 3000), 5000).astype(int)
  documents = [np.full(n, 2, np.uint16) for n in lengths]
  sequences = list(packing.pack(documents, 512, 'best_fit'))
  tokens = int(lengths.sum()) + len(lengths)
  assert 1 - tokens / (512 * len(sequences)) < 0.002
  pieces = [min(512, n + 1 - s) for n in lengths for s in range(0, n + 1, 512)]
  assert len(sequences) < _first_fit_sequences(pieces, 512)


@pytest.mark.parametrize('name', ['best_fit', 'whole'])
def test_sequences_leave_best_fit_in_no_order_of_length(name):
  generator = np.random.default_rng(0)
  documents = [
    np.full(n, 2, np.uint16) for n in generator.integers(1, 300, 4000)
  ]
  sequences = list(packing.pack(documents, 256, name))
  segments = np.array([np.sum(s == 1) for s in sequences], float)
  places = np.arange(len(segments))
  # Of independent draws, below 0.06 in absolute value 99% of the time.
  assert abs(np.corrcoef(places, segments)[0, 1]) < 0.06


def test_memory_of_best_fit_is_bounded(monkeypatch):
  monkeypatch.setattr(packing, '_WINDOW_SEQUENCES', 8)
  monkeypatch.setattr(packing, '_MAX_OPEN', 4)
  given = 0

  def documents():
    nonlocal given
    for _ in range(1000):
      given += 1
      yield np.full(59, 2, np.uint16)

  # Sequences of 100 hold one document of 60 each: none is ever filled.
  for left, _ in enumerate(packing.pack(documents(), 100, 'best_fit')):
    assert given - left <= 2 * 8 * 100 / 60 + 4


def test_features_of_literal_sequences():
  # A document that continues from the sequence before, an empty document,
  # a document that is cut at the end, and padding.
  tokens = np.array([[7, 1, 1, 8, 9], [5, 1, 0, 0, 0], [0, 0, 0, 0, 0]])
  features = packing.features(tokens)
  assert list(features) == list(packing.FEATURE_NAMES)
  expected = {
    'decoder_input_tokens': [[0, 7, 0, 0, 8], [0, 5, 0, 0, 0], [0] * 5],
    'decoder_target_tokens': tokens.tolist(),
    'decoder_loss_weights': [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0] * 5],
    'decoder_segment_ids': [[1, 1, 2, 3, 3], [1, 1, 0, 0, 0], [0] * 5],
    'decoder_positions': [[0, 1, 0, 0, 1], [0, 1, 0, 0, 0], [0] * 5],
  }
  for name, values in expected.items():
    np.testing.assert_array_equal(features[name], values, err_msg=name)
    kind = np.float32 if name == 'decoder_loss_weights' else np.int32
    assert features[name].dtype == kind


@hypothesis.given(_documents, st.integers(2, 9))
@hypothesis.settings(deadline=None, max_examples=60)
def test_features_follow_the_documents(documents, length):
  """Each place knows its document; its input is the token before in it."""
  sequences = list(packing.pack(documents, length))
  if not sequences:
    return
  features = packing.features(np.stack(sequences))
  owners = np.repeat(np.arange(len(documents)), [len(d) + 1 for d in documents])
  owners = np.append(owners, [-1] * (len(sequences) * length - len(owners)))
  for row, owner in enumerate(owners.reshape(-1, length)):
    segment, previous = 0, None
    for place in range(length):
      if owner[place] == -1:
        for name in packing.FEATURE_NAMES:
          assert features[name][row, place] == 0
        continue
      if owner[place] != previous:
        segment, position, previous = segment + 1, 0, owner[place]
        expected_input = 0
      else:
        position += 1
        expected_input = sequences[row][place - 1]
      assert features['decoder_segment_ids'][row, place] == segment
      assert features['decoder_positions'][row, place] == position
      assert features['decoder_input_tokens'][row, place] == expected_input
      assert features['decoder_loss_weights'][row, place] == 1


@pytest.mark.parametrize('dtype', [np.uint16, np.uint32])
def test_features_accept_stored_tokens(dtype):
  tokens = np.array([[65_535, 1]], dtype)
  assert packing.features(tokens)['decoder_target_tokens'][0, 0] == 65_535
