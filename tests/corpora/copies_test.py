import random
import tracemalloc

import hypothesis
from hypothesis import strategies
import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csgraph

from codelaw.corpora import clusters
from codelaw.corpora import copies
from codelaw.corpora import deduplication
from codelaw.corpora import documents

_SETTINGS = deduplication.Deduplication()


def _raw(text, group=''):
  return documents.RawDocument(text, 's', 'python', 'a', group=group)


def _words(numbers):
  return ' '.join(f'w{number}' for number in numbers)


def _index(**settings):
  return copies.Index(deduplication.Deduplication(**settings))


def test_exact_duplicates_differ_in_white_space_alone():
  index = _index(near_threshold=0)
  assert index.add(_raw('a = 1\nb = 2\n')) == (None, 0)
  assert index.add(_raw('a  = 1\n\n b = 2')) == ('exact_duplicate', 0)
  assert index.add(_raw('a = 1\nb = 3\n')) == (None, 1)


def test_near_duplicates_of_any_earlier_document_are_found():
  index = _index()
  chain = [_words(range(start, start + 400)) for start in (0, 50, 100)]
  assert index.add(_raw(chain[0]))[0] is None
  assert index.add(_raw(chain[1]))[0] == 'near_duplicate'
  # Like the second, which is not kept; not like the first.
  assert index.add(_raw(chain[2]))[0] == 'near_duplicate'
  assert index.add(_raw('+++ ---'))[0] is None
  assert index.add(_raw('+++ --- ///'))[0] is None
  assert len(set(_places(index, range(3)))) == 1


def _places(index, nodes):
  """What decides the split of each node, as the fractions that flip it."""
  fractions = np.linspace(0, 1, 5001)[1:]
  nodes = np.array(list(nodes), np.int32)
  held = np.array([index.held_out(nodes, f) for f in fractions])
  return [fractions[column.argmax()] for column in held.T]


def test_a_bridge_joins_clusters_and_the_first_document_decides():
  index = _index()
  first, last = _words(range(400)), _words(range(100, 500))
  between = _words(range(50, 450))
  nodes = [index.add(_raw(text))[1] for text in (first, last)]
  before = _places(index, nodes)
  assert before[0] != before[1]
  assert index.add(_raw(between))[0] == 'near_duplicate'
  assert _places(index, nodes) == [before[0], before[0]]
  key = clusters.place(deduplication.content_key(first)) / 2**32
  assert before[0] == pytest.approx(key, abs=2e-4)
  assert index.cluster_sizes(np.array(nodes)).tolist() == [2]


def test_groups_join_documents_and_their_copies():
  index = _index()
  texts = [_words(range(s, s + 300)) for s in range(0, 9000, 1000)]
  alone = index.add(_raw(texts[0]))[1]
  left = index.add(_raw(texts[1], 'g'))[1]
  right = index.add(_raw(texts[2], 'g'))[1]
  other = index.add(_raw(texts[3], 'h'))[1]
  place = clusters.place('g') / 2**32
  assert _places(index, [left]) == pytest.approx([place], abs=2e-4)
  assert _places(index, [right]) == _places(index, [left])
  assert len(set(_places(index, [alone, left, other]))) == 3
  # A copy of the lone document, though dropped, brings it into the group,
  # and its cluster is now the one with the earliest document.
  before = _places(index, [alone])
  assert index.add(_raw(texts[0], 'g'))[0] == 'exact_duplicate'
  assert _places(index, [left, right]) == before * 2


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(strategies.randoms(use_true_random=False))
def test_decisions_are_those_of_the_pairwise_functions(rng):
  """What many workers would find by comparing every pair."""
  raws = []
  for _ in range(25):
    words = rng.choice(raws).text.split() if raws and rng.random() < 0.7 else []
    words = words or [f'w{rng.randrange(10**6)}' for _ in range(80)]
    for _ in range(rng.choice((0, 1, 2, 4, 30))):
      words[rng.randrange(len(words))] = f'x{rng.randrange(10**6)}'
    group = f'g{rng.randrange(6)}' if rng.random() < 0.2 else ''
    raws.append(_raw(' '.join(words), group))
  index = copies.Index(_SETTINGS)
  found = [index.add(raw) for raw in raws]
  keys = [deduplication.content_key(raw.text) for raw in raws]
  signatures = [deduplication.signature(raw.text, _SETTINGS) for raw in raws]
  edges = []
  for late in range(len(raws)):
    exact = [e for e in range(late) if keys[e] == keys[late]]
    near = [
      early
      for early in range(late)
      if deduplication.near(signatures[early], signatures[late], _SETTINGS)
    ]
    expected = 'near_duplicate' if near else None
    assert found[late][0] == ('exact_duplicate' if exact else expected)
    alike = {
      e
      for e in range(late)
      if raws[late].group and raws[e].group == raws[late].group
    }
    edges += [(early, late) for early in {*exact, *near, *alike}]
  graph = sparse.coo_array(
    (np.ones(len(edges)), np.array(edges or np.empty((0, 2), int)).T),
    (len(raws), len(raws)),
  )
  _, labels = csgraph.connected_components(graph, directed=False)
  roots = [labels.tolist().index(label) for label in labels.tolist()]
  for fraction in (0.2, 0.5, 0.8):
    expected = [
      clusters.held_out(clusters.split_place(raws[root], keys[root]), fraction)
      for root in roots
    ]
    nodes = np.array([node for _, node in found], np.int32)
    held = index.held_out(nodes, fraction)
    assert held.tolist() == expected


@pytest.mark.parametrize('recent', [1, 7, 1000])
def test_tables_find_what_a_dictionary_finds(monkeypatch, recent):
  monkeypatch.setattr(copies, '_RECENT', recent)
  monkeypatch.setattr(copies, '_LARGEST_BLOCK', 300)
  rng = random.Random(0)
  table, expected = copies.Table(), {}
  for value in range(300):
    keys = np.array([rng.randrange(40) << 58 for _ in range(3)], np.uint64)
    found = set().union(*(expected.get(key, ()) for key in keys.tolist()))
    assert table.find(keys).tolist() == sorted(found)
    table.add(keys, value)
    for key in keys.tolist():
      expected.setdefault(key, set()).add(value)


def test_memory_is_about_a_kilobyte_a_document(monkeypatch):
  rng = np.random.default_rng(0)

  def signature(text, settings):
    del text
    return rng.integers(0, 2**32, settings.num_permutations, np.uint32)

  # Signatures of texts that have nothing in common, without the texts.
  monkeypatch.setattr(deduplication, 'signature', signature)
  index, before = copies.Index(_SETTINGS), 0
  tracemalloc.start()  # Not resident memory: other tests' threads free some.
  for number in range(30_000):
    if number == 10_000:
      before = tracemalloc.get_traced_memory()[0]
    index.add(_raw(str(number)))
  used = (tracemalloc.get_traced_memory()[0] - before) / 20_000
  tracemalloc.stop()
  # 720 bytes, the room to grow, and dictionaries of constant size.
  assert used < 1800
