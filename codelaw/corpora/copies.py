"""Searches one document after the other for an earlier copy of it.

`Index` remembers of each document what deciding about later ones takes, and
never its text:

  512 B  signature (128 permutations), when it is nobody's exact copy
  168 B  places of its 14 bands, 12 B each
   40 B  its key, its place in the key table, its cluster and its split

Arrays grow by an eighth and tables are sorted in pieces, so that 500,000
documents took 1.0 kB each, and never more than 1.4: 10^7 documents take
about 10 GB. Beyond what one machine holds, many workers make the same
decisions when they join documents by the keys of `deduplication`.
"""

import hashlib
import itertools

import numpy as np

from codelaw.corpora import clusters as clusters_lib
from codelaw.corpora import deduplication
from codelaw.corpora import documents

# Entries that a table collects before it sorts them, and above which two
# sorted blocks are not merged: merging needs about 30 bytes an entry.
_RECENT = 1 << 16
_LARGEST_BLOCK = 1 << 24
# Signatures compared at once: small, because the first near-copy that is
# found usually spares comparing with the rest of its cluster.
_COMPARED_AT_ONCE = 256


class Table:
  """Values by 64-bit keys, several per key: 12 bytes an entry.

  The latest entries are in a dictionary, all others in a few sorted blocks,
  each at least twice as large as the next.
  """

  def __init__(self) -> None:
    self._recent: dict[int, list[int]] = {}
    self._num_recent = 0
    self._blocks: list[tuple[np.ndarray, np.ndarray]] = []

  def add(self, keys: np.ndarray, value: int) -> None:
    """Enters `value` (below 2^31) under every one of `keys`."""
    for key in keys.tolist():
      self._recent.setdefault(key, []).append(value)
    self._num_recent += len(keys)
    if self._num_recent >= _RECENT:
      self._sort_recent()

  def find(self, keys: np.ndarray) -> np.ndarray:
    """The distinct values under any of `keys`, ascending: int32 [n]."""
    recent = {
      value for key in keys.tolist() for value in self._recent.get(key, ())
    }
    found = [np.array(sorted(recent), np.int32)]
    for block, values in self._blocks:
      first = np.searchsorted(block, keys, 'left')
      last = np.searchsorted(block, keys, 'right')
      for place in np.flatnonzero(first < last):
        found.append(values[first[place] : last[place]])
    return found[0] if len(found) == 1 else np.unique(np.concatenate(found))

  def _sort_recent(self) -> None:
    keys = np.fromiter(self._recent, np.uint64, len(self._recent))
    counts = [len(values) for values in self._recent.values()]
    values = np.fromiter(
      itertools.chain.from_iterable(self._recent.values()), np.int32
    )
    self._blocks.append(_sorted(np.repeat(keys, counts), values))
    self._recent, self._num_recent = {}, 0
    while len(self._blocks) > 1:
      larger, smaller = (len(block[0]) for block in self._blocks[-2:])
      if larger >= 2 * smaller or larger + smaller > _LARGEST_BLOCK:
        break
      right, left = self._blocks.pop(), self._blocks.pop()
      self._blocks.append(
        _sorted(*map(np.concatenate, zip(left, right, strict=True)))
      )


def _sorted(
  keys: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  order = np.argsort(keys, kind='stable')
  return keys[order], values[order]


class Index:
  """All documents seen so far: their keys, signatures and clusters."""

  def __init__(self, settings: deduplication.Deduplication):
    self._settings = settings
    self._clusters = clusters_lib.Clusters()
    self._keys = Table()
    self._digests = bytearray()
    self._places = np.zeros(1024, np.uint32)
    self._bands = Table()
    self._signatures = np.zeros((1024, settings.num_permutations), np.uint32)
    self._nodes = np.zeros(1024, np.int32)
    self._num_signatures = 0

  def add(self, raw: documents.RawDocument) -> tuple[str | None, int]:
    """Searches for earlier copies of a document, and remembers it.

    Returns:
      `exact_duplicate`, `near_duplicate`, or None for a document without an
      earlier copy; and its node, which `held_out` takes.
    """
    key = deduplication.content_key(raw.text)
    node, known = self._node(bytes.fromhex(key))
    verdict = None
    if known:
      verdict = 'exact_duplicate'
    else:
      self._places[node] = clusters_lib.split_place(raw, key)
      if self._settings.near_threshold and self._has_near(raw.text, node):
        verdict = 'near_duplicate'
    if raw.group:
      digest = hashlib.sha256(f'group\0{raw.group}'.encode()).digest()
      self._clusters.join(node, self._node(digest)[0])
    return verdict, node

  def held_out(
    self, nodes: np.ndarray, validation_fraction: float
  ) -> np.ndarray:
    """Which documents are for validation, once all were added: bool [n].

    Args:
      nodes: int32 [n], of the documents.
      validation_fraction: of all clusters.
    """
    places = self._places[self._clusters.roots(nodes)]
    return np.asarray(clusters_lib.held_out(places, validation_fraction))

  def cluster_sizes(self, nodes: np.ndarray) -> np.ndarray:
    """Sizes of the clusters of some documents, counting only these.

    Args:
      nodes: int32 [n], of the documents.

    Returns:
      int64 [num_clusters].
    """
    return np.unique(self._clusters.roots(nodes), return_counts=True)[1]

  def _node(self, digest: bytes) -> tuple[int, bool]:
    """The node of a key, and whether it was known; 16 bytes tell keys apart."""
    digest = digest[:16]
    short = np.frombuffer(digest[:8], '<u8')
    for found in self._keys.find(short).tolist():
      if self._digests[16 * found : 16 * found + 16] == digest:
        return found, True
    node = self._clusters.add()
    self._keys.add(short, node)
    self._digests += digest
    self._places = clusters_lib.with_room(self._places, node)
    return node, False

  def _has_near(self, text: str, node: int) -> bool:
    """Joins a new document with its near-copies; whether it has any."""
    signature = deduplication.signature(text, self._settings)
    if signature is None:
      return False
    keys = deduplication.band_keys(signature, self._settings)
    rows = self._bands.find(keys)
    has_near = False
    for start in range(0, len(rows), _COMPARED_AT_ONCE):
      some = rows[start : start + _COMPARED_AT_ONCE]
      # What is in this document's cluster already can change nothing.
      roots = self._clusters.roots(self._nodes[some])
      some = some[roots != self._clusters.root(node)]
      similar = deduplication.are_similar(
        self._signatures[some], signature, self._settings
      )
      for other in self._nodes[some[similar]].tolist():
        self._clusters.join(node, other)
        has_near = True
    row = self._num_signatures
    self._signatures = clusters_lib.with_room(self._signatures, row)
    self._nodes = clusters_lib.with_room(self._nodes, row)
    self._signatures[row], self._nodes[row] = signature, node
    self._bands.add(keys, row)
    self._num_signatures += 1
    return has_near
