import dataclasses

import hypothesis
from hypothesis import strategies
import numpy as np

from codelaw.corpora import clusters
from codelaw.corpora import documents

_EDGES = strategies.lists(
  strategies.tuples(strategies.integers(0, 19), strategies.integers(0, 19)),
  max_size=30,
)


@hypothesis.given(_EDGES)
def test_components_are_those_that_a_search_finds(edges):
  expected = list(range(20))
  for _ in range(20):  # Labels travel along edges until none is lower.
    for left, right in edges:
      expected[left] = expected[right] = min(expected[left], expected[right])
  found = clusters.Clusters()
  for _ in range(20):
    found.add()
  for left, right in edges:
    found.join(left, right)
  assert found.roots().tolist() == expected


def test_nodes_can_be_added_while_others_are_joined():
  found = clusters.Clusters()
  for node in range(5000):
    assert found.add() == node
    if node >= 2:
      found.join(node, node - 2)
  assert set(found.roots().tolist()) == {0, 1}
  assert found.roots(np.array([4999, 7, 4])).tolist() == [1, 1, 0]
  assert found.root(4998) == 0


def test_splits_are_about_the_fraction_and_nested():
  keys = [f'key {number}' for number in range(4000)]
  held = [
    {k for k in keys if clusters.held_out(clusters.place(k), f)}
    for f in (0.1, 0.3)
  ]
  assert held[0] < held[1]
  for found, fraction in zip(held, (0.1, 0.3), strict=True):
    # 4 standard errors of a binomial share.
    error = (fraction * (1 - fraction) / 4000) ** 0.5
    assert abs(len(found) / 4000 - fraction) < 4 * error


def test_places_are_the_first_bits_of_sha256():
  assert clusters.place('') == 0xE3B0C442
  places = np.array([0, 2**31 - 1, 2**31, 2**32 - 1], np.uint32)
  assert clusters.held_out(places, 0.5).tolist() == [True, True, False, False]


def test_a_split_is_decided_by_the_group_or_the_content():
  raw = documents.RawDocument('a  b', 's', 'python', '', group='g')
  assert clusters.split_place(raw, 'key') == clusters.place('g')
  alone = dataclasses.replace(raw, group='')
  assert clusters.split_place(alone, 'key') == clusters.place('key')
