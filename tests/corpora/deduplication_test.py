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


def test_exact_duplicates_differ_in_white_space_alone():
  index = deduplication.Index(deduplication.Deduplication(near_threshold=0))
  assert index.add('a = 1\nb = 2\n') is None
  assert index.add('a  = 1\n\n b = 2') == 'exact_duplicate'
  assert index.add('a = 1\nb = 3\n') is None


def test_near_duplicates_are_dropped():
  text = _words(range(400))
  near = text.replace('w200', 'changed')  # 5 of 396 shingles differ
  far = _words([*range(150), *range(1000, 1250)])
  assert _exact_jaccard(text, near) > 0.95
  assert _exact_jaccard(text, far) < 0.3
  index = deduplication.Index(deduplication.Deduplication())
  assert index.add(text) is None
  assert index.add(near) == 'near_duplicate'
  assert index.add(far) is None
  # A dropped document is not remembered: what resembles it alone is kept.
  assert index.add('+++ ---') is None
  assert index.add('+++ --- ///') is None


def test_decisions_agree_with_exact_similarities():
  """Far from the threshold no decision is wrong.

  The standard error of an estimate near .7 is .04 with 128 permutations;
  pairs below .5 and above .9 are 5 of them away.
  """
  rng = random.Random(1)
  text = _words(rng.sample(range(10_000), 300))
  for share in (0.001, 0.01, 0.08, 0.3):
    words = text.split()
    for place in range(len(words)):
      if rng.random() < share:
        words[place] = f'new{rng.random()}'
    other = ' '.join(words)
    similarity = _exact_jaccard(text, other)
    index = deduplication.Index(deduplication.Deduplication())
    index.add(text)
    found = index.add(other + ' end')
    if similarity > 0.9:
      assert found == 'near_duplicate'
    elif similarity < 0.5:
      assert found is None


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
