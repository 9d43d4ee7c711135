"""Duplicates, exact and near, over all sources of a corpus.

A document is compared with those kept before it, whatever their source:

*exact*: equal after white space is normalised.

*near*: the estimated Jaccard similarity of the two sets of 5-word shingles
reaches a threshold. The estimate is by MinHash (Broder 1997); candidates
come from locality-sensitive hashing, both by `datasketch`. Words of letters,
digits and underscores and a threshold of .7 are what the corpora behind
StarCoder used (arXiv:2211.15533).

So no two kept documents are near-copies (but for the error of the estimate),
and a split by a hash of each document's own content cannot put near-copies
on both sides of it. The dropped ones need no split.
"""

import dataclasses
import hashlib
import re
import zlib

import datasketch
import numpy as np

from codelaw import errors

# Letters beyond ASCII are bytes from 0x80 on.
_WORD = re.compile(rb'[\w\x80-\xff]+')
_WORDS_PER_SHINGLE = 5
# An odd multiplier (MurmurHash3's) makes the rolling combination of word
# hashes depend on their order; datasketch mixes the result further.
_MULTIPLIER = np.uint32(0xCC9E2D51)


@dataclasses.dataclass(frozen=True)
class Deduplication:
  """Settings of the search for duplicates.

  Attributes:
    near_threshold: Jaccard similarity from which two documents are
      near-copies; 0 looks for exact duplicates only.
    num_permutations: of a MinHash; the standard error of an estimate s is
      sqrt(s (1 - s) / num_permutations).
  """

  near_threshold: float = 0.7
  num_permutations: int = 128

  def __post_init__(self):
    if not 0 <= self.near_threshold < 1:
      raise errors.UserError(
        'Deduplication.near_threshold must be at least 0 and below 1, got'
        f' {self.near_threshold!r}.'
      )
    if self.num_permutations < 16:
      raise errors.UserError(
        'Deduplication.num_permutations must be at least 16, got'
        f' {self.num_permutations!r}.'
      )


def content_key(text: str) -> str:
  """SHA-256 of the text with every run of white space as one space."""
  return hashlib.sha256(' '.join(text.split()).encode('utf-8')).hexdigest()


def shingle_hashes(text: str) -> np.ndarray:
  """Hashes of the distinct 5-word shingles: sorted uint32 [num_shingles].

  A text of fewer words is one shingle; one without words has none.
  """
  words = _WORD.findall(text.encode('utf-8'))
  hashes = np.fromiter(map(zlib.crc32, words), np.uint32, len(words))
  width = min(_WORDS_PER_SHINGLE, len(hashes))
  count = len(hashes) - width + 1 if width else 0
  shingles = np.zeros(count, np.uint32)
  for offset in range(width):
    shingles = shingles * _MULTIPLIER + hashes[offset : offset + count]
  return np.unique(shingles)


class Index:
  """The documents kept so far, as keys and MinHash signatures.

  Holds about 1 kB a document, never a text.
  """

  def __init__(self, settings: Deduplication):
    self._settings = settings
    self._keys: set[str] = set()
    self._signatures: list[datasketch.MinHash] = []
    if settings.near_threshold:
      self._empty = datasketch.MinHash(
        settings.num_permutations, hashfunc=int, scheme='affine32'
      )
      self._lsh = datasketch.MinHashLSH(
        settings.near_threshold, settings.num_permutations
      )

  def add(self, text: str) -> str | None:
    """Keeps `text` unless it is a duplicate.

    Returns:
      None when kept, else `exact_duplicate` or `near_duplicate`.
    """
    key = content_key(text)
    if key in self._keys:
      return 'exact_duplicate'
    if self._settings.near_threshold and self._is_near_duplicate(text):
      return 'near_duplicate'
    self._keys.add(key)
    return None

  def _is_near_duplicate(self, text: str) -> bool:
    """Also remembers the signature of a text that is none."""
    signature = self._empty.copy()
    signature.update_batch(shingle_hashes(text).tolist())
    if signature.is_empty():
      return False
    if any(
      self._signatures[other].jaccard(signature)
      >= self._settings.near_threshold
      for other in self._lsh.query(signature)
    ):
      return True
    self._lsh.insert(len(self._signatures), signature, check_duplication=False)
    self._signatures.append(signature)
    return False
