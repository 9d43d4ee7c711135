"""Clusters of documents, and the split that each cluster shares.

A cluster is a connected component over two kinds of edges: being a copy
(`deduplication`) and belonging to one group (`RawDocument.group`). All
documents of a cluster go to one split, decided by a hash of the cluster's
first document, so that no held-out document has a near-copy in training.

Clusters form by chains of copies, and a chain can join documents that are
not alike. The corpus report therefore gives the largest of every source.
"""

import hashlib

import numpy as np

from codelaw.corpora import documents

_PLACES = 2**32


class Clusters:
  """Sets of nodes that were joined, each known by its smallest node.

  Holds 4 bytes a node.
  """

  def __init__(self) -> None:
    self._parents = np.zeros(1024, np.int32)
    self._num_nodes = 0

  def add(self) -> int:
    """A new node, alone in its cluster; nodes count from 0."""
    node = self._num_nodes
    self._parents = with_room(self._parents, node)
    self._parents[node] = node
    self._num_nodes += 1
    return node

  def root(self, node: int) -> int:
    """The smallest node of the cluster that `node` is in."""
    parents = self._parents
    while (parent := int(parents[node])) != node:
      parents[node] = parents[parent]  # Halves the path for the next search.
      node = int(parents[node])
    return node

  def join(self, left: int, right: int) -> None:
    """Makes one cluster of those of two nodes."""
    low, high = sorted((self.root(left), self.root(right)))
    self._parents[high] = low

  def roots(self, nodes: np.ndarray | None = None) -> np.ndarray:
    """The roots of many nodes, or of all of them: int32 [num_nodes]."""
    parents = self._parents
    if nodes is None:
      nodes = np.arange(self._num_nodes)
    found = parents[nodes]
    while not np.array_equal(further := parents[found], found):
      found = further
    return found


def place(key: str) -> int:
  """The place of a key: uniform in [0, 2^32), the same on every machine."""
  return int(hashlib.sha256(key.encode('utf-8')).hexdigest()[:8], 16)


def split_place(raw: documents.RawDocument, content_key: str) -> int:
  """The place that decides the split of a cluster that begins with `raw`.

  Args:
    raw: the first document of the cluster.
    content_key: of its text (`deduplication.content_key`).
  """
  return place(raw.group or content_key)


def held_out(
  place_: int | np.ndarray, validation_fraction: float
) -> bool | np.ndarray:
  """Whether a place, or each of many, is in the validation split.

  Held out is the first part of all places, so that a key that one fraction
  holds out is held out by every larger one.
  """
  return place_ / _PLACES < validation_fraction


def with_room(values: np.ndarray, index: int) -> np.ndarray:
  """The array, grown by an eighth when it has no place `index` yet.

  It grows where it is, without a copy: no view of it may be in use.
  """
  if index >= len(values):
    rows = index + index // 8 + 1024
    values.resize((rows, *values.shape[1:]), refcheck=False)
  return values
