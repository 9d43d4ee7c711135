"""Which documents are copies of earlier ones, or belong together, on workers.

Documents are known by their keys here. What they share (a band of the
signature, a group) brings them to one worker, which tells the pairs; one
worker joins all pairs.
"""

from collections.abc import Iterable
from collections.abc import Iterator
import itertools
from typing import Any

import numpy as np

from codelaw.corpora import beam_reading
from codelaw.corpora import clusters as clusters_lib
from codelaw.corpora import deduplication

# Signatures compared at once: see `copies`.
_COMPARED_AT_ONCE = 256


def by_band(
  item: tuple[bytes, beam_reading.Found], settings: deduplication.Deduplication
) -> Iterator[tuple[bytes, bytes]]:
  """Yields (band, key) for every band of a document's signature."""
  key, found = item
  if found.signature:
    signature = np.frombuffer(found.signature, np.uint32)
    for band in deduplication.band_keys(signature, settings):
      yield band.tobytes(), key


def of_several(
  item: tuple[bytes, Iterable[bytes]],
) -> Iterator[tuple[bytes, bytes]]:
  """Yields (key, band) for the documents of a band with more than one."""
  band, keys = item
  if len(list(itertools.islice(keys, 2))) > 1:
    for key in keys:
      yield key, band


def with_signature(
  item: tuple[bytes, Any],
) -> Iterator[tuple[bytes, tuple[Any, bytes, bytes]]]:
  """Yields (band, (place, key, signature)) of one document."""
  key, joined = item
  (found,) = joined['found']
  for band in joined['band']:
    yield band, (found.place, key, found.signature)


def compare(
  item: tuple[bytes, Iterable[tuple[Any, bytes, bytes]]],
  settings: deduplication.Deduplication,
) -> Iterator[beam_reading.Tagged]:
  """Pairs of near-copies in a band, and which have an earlier one.

  Of the pairs only those that join clusters are needed.
  """
  members = sorted(item[1])
  if len(members) < 2:
    return
  signatures = np.stack([np.frombuffer(m[2], np.uint32) for m in members])
  clusters = clusters_lib.Clusters()
  for node, (_, key, _) in enumerate(members):
    clusters.add()
    has_near = False
    for start in range(0, node, _COMPARED_AT_ONCE):
      others = np.arange(start, min(node, start + _COMPARED_AT_ONCE))
      others = others[clusters.roots(others) != clusters.root(node)]
      similar = deduplication.are_similar(
        signatures[others], signatures[node], settings
      )
      for other in others[similar].tolist():
        if clusters.root(other) != clusters.root(node):
          clusters.join(other, node)
          yield 'pair', (members[other][1], key)
        has_near = True
    if has_near:
      yield 'near', (key, None)


def join_group(
  item: tuple[bytes, Iterable[bytes]],
) -> Iterator[tuple[bytes, bytes]]:
  """Joins every document of a group with one of them."""
  first = min(item[1])
  for other in item[1]:
    if other != first:
      yield first, other


def components(
  item: tuple[None, Iterable[tuple[bytes, bytes]]],
) -> Iterator[tuple[bytes, bytes]]:
  """Yields (key, key that stands for its component) of all in `pairs`."""
  nodes: dict[bytes, int] = {}
  clusters = clusters_lib.Clusters()
  for pair in item[1]:
    for key in pair:
      if key not in nodes:
        nodes[key] = clusters.add()
    clusters.join(*map(nodes.__getitem__, pair))
  keys = list(nodes)
  for key, root in zip(keys, clusters.roots().tolist(), strict=True):
    yield key, keys[root]
