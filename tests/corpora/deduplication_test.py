import random

import hypothesis
from hypothesis import strategies
import numpy as np
import pytest

from codelaw import errors
from codelaw.corpora import deduplication


def _words(numbers):
  return ' '.join(f'w{number}' for number in numbers)


def _exact_jaccard(left, right):
  sets = []
  for text in (left, right):
    words = text.split()
    sets.append({tuple(words[i : i + 5]) for i in range(len(words) - 4)})
  return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_shingles_are_the_distinct_runs_of_five_words():
  assert len(deduplication.shingle_hashes(_words(range(12)))) == 8
  assert len(deduplication.shingle_hashes('a ' * 50)) == 1
  assert len(deduplication.shingle_hashes('only three words')) == 1
  assert len(deduplication.shingle_hashes('+++ ---')) == 0
  assert len(deduplication.shingle_hashes('één — два три 四 五 六')) == 3
  forth = deduplication.shingle_hashes('a b c d e')
  back = deduplication.shingle_hashes('e d c b a')
  assert not np.array_equal(forth, back)


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(
  strategies.lists(strategies.integers(0, 3), min_size=5, max_size=60)
)
def test_shingle_hashes_count_like_sets_of_tuples(numbers):
  words = _words(numbers).split()
  expected = {tuple(words[i : i + 5]) for i in range(len(words) - 4)}
  found = deduplication.shingle_hashes(' '.join(words))
  assert len(found) == len(expected)


def test_keys_differ_unless_white_space_alone_does():
  key = deduplication.content_key('a = 1\nb = 2\n')
  assert deduplication.content_key('a  = 1\n\n b = 2') == key
  assert deduplication.content_key('a = 1\nb = 3\n') != key


_SETTINGS = deduplication.Deduplication()


def _signature(text):
  return deduplication.signature(text, _SETTINGS)


def test_a_signature_is_the_least_of_each_permutation():
  """Of the union it is the least of both signatures (Broder 1997)."""
  left, right = _words(range(3000)), _words(range(2000, 6000))
  both = left + ' ' + right
  seam = _words([*range(2996, 3000), *range(2000, 2004)])
  parts = [_signature(text) for text in (left, right, seam)]
  np.testing.assert_array_equal(_signature(both), np.minimum.reduce(parts))
  assert _signature(left).dtype == np.uint32
  assert _signature('+++ ---') is None


def test_bands_divide_the_signature():
  assert deduplication.bands(_SETTINGS) == (14, 9)
  signature = np.arange(128, dtype=np.uint32)
  keys = deduplication.band_keys(signature, _SETTINGS)
  assert keys.shape == (14,)
  for place in range(128):
    other = signature.copy()
    other[place] += 1
    changed = deduplication.band_keys(other, _SETTINGS) != keys
    # The last two rows are in no band.
    expected = [place // 9] if place < 126 else []
    assert np.flatnonzero(changed).tolist() == expected
  # Equal rows in different bands, and rows in another order, differ.
  alike = deduplication.band_keys(np.full(128, 7, np.uint32), _SETTINGS)
  assert len(set(alike.tolist())) == 14
  back = signature.reshape(-1)[:9][::-1]
  swapped = np.concatenate([back, signature[9:]])
  assert deduplication.band_keys(swapped, _SETTINGS)[0] != keys[0]


def test_near_needs_both_a_band_and_the_similarity():
  base = np.arange(128, dtype=np.uint32)
  alike = base.copy()
  alike[90:] += 1  # 90 of 128 equal: .703; ten whole bands.
  assert deduplication.near(base, alike, _SETTINGS)
  alike[89] += 1  # 89: .695, nine bands.
  assert not deduplication.near(base, alike, _SETTINGS)
  spread = base.copy()
  spread[4::9] += 1  # 114 equal, but no band whole.
  assert not deduplication.near(base, spread, _SETTINGS)


def test_decisions_agree_with_exact_similarities():
  """Far from the threshold no decision is wrong.

  The standard error of an estimate near .7 is .04 with 128 permutations;
  pairs below .5 and above .9 are 5 of them away.
  """
  rng = random.Random(1)
  text = _words(rng.sample(range(10_000), 300))
  decided = set()
  for share in (0.001, 0.003, 0.01, 0.08, 0.3):
    words = text.split()
    for place in range(len(words)):
      if rng.random() < share:
        words[place] = f'new{rng.random()}'
    other = ' '.join(words)
    similarity = _exact_jaccard(text, other)
    found = deduplication.near(_signature(text), _signature(other), _SETTINGS)
    if similarity > 0.9 or similarity < 0.5:
      assert found is (similarity > 0.9)
      decided.add(found)
  assert decided == {True, False}


@pytest.mark.parametrize(
  ('settings', 'message'),
  [
    ({'near_threshold': 1.0}, 'below 1'),
    ({'num_permutations': 4}, 'at least 16'),
  ],
)
def test_mistakes_are_explained(settings, message):
  with pytest.raises(errors.UserError, match=message):
    deduplication.Deduplication(**settings)
