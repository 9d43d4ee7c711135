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
