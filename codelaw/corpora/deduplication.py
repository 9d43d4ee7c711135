"""When two documents are copies of each other: keys, signatures, bands.

*exact*: equal after white space is normalised.

*near*: the estimated Jaccard similarity of the two sets of 5-word shingles
reaches a threshold, and locality-sensitive hashing proposes the pair: their
MinHash signatures (Broder 1997, by `datasketch`) agree on all of some band of
rows. Words of letters, digits and underscores and a threshold of .7 are what
the corpora behind StarCoder used (arXiv:2211.15533).

Everything here is a pure function of texts and settings. `copies` searches
with them in one process; many workers can join documents by `content_key`
and by each of `band_keys`, and ask `near` of every pair that meets.
"""

import dataclasses
import functools
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
# Of 64 bits: the golden ratio, and the two of splitmix64's finaliser.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
# Shingles hashed at once: their 128 permutations stay in a core's cache.
_SHINGLES_AT_ONCE = 2048


@dataclasses.dataclass(frozen=True)
class Deduplication:
  """Settings of the search for duplicates.

  Attributes:
    near_threshold: Jaccard similarity from which two documents are
      near-copies; 0 looks for exact duplicates only.
    num_permutations: of a MinHash; the standard error of an estimate s is
      sqrt(s (1 - s) / num_permutations).
    drop_near: whether near-copies of earlier documents leave the corpus.
      Those that stay share the split of what they resemble.
  """

  near_threshold: float = 0.7
  num_permutations: int = 128
  drop_near: bool = True

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


def signature(text: str, settings: Deduplication) -> np.ndarray | None:
  """The MinHash of a text: uint32 [num_permutations].

  None for a text without words: it has no near-copies, only exact ones.
  """
  shingles = shingle_hashes(text)
  if not len(shingles):
    return None
  found = _empty_minhash(settings.num_permutations).copy()
  for start in range(0, len(shingles), _SHINGLES_AT_ONCE):
    found.update_batch(shingles[start : start + _SHINGLES_AT_ONCE].tolist())
  return found.hashvalues


@functools.lru_cache
def _empty_minhash(num_permutations: int) -> datasketch.MinHash:
  return datasketch.MinHash(num_permutations, hashfunc=int, scheme='affine32')


@functools.lru_cache
def bands(settings: Deduplication) -> tuple[int, int]:
  """Bands, and rows of a signature in each.

  The division of the signature for which pairs below the threshold that are
  proposed and pairs above it that are missed are fewest.
  """
  search = datasketch.MinHashLSH(
    settings.near_threshold, settings.num_permutations
  )
  return search.b, search.r


def band_keys(signature_: np.ndarray, settings: Deduplication) -> np.ndarray:
  """Hashes of a signature's bands: uint64 [num_bands].

  Two documents are proposed as a pair when they have a key in common; keys
  of different bands differ.
  """
  num_bands, rows = bands(settings)
  table = signature_[: num_bands * rows].reshape(num_bands, rows)
  powers = np.multiply.accumulate(np.full(rows + 1, _GOLDEN))
  keys = table @ powers[1:] + np.arange(num_bands, dtype=np.uint64) * _GOLDEN
  for multiplier in _MIX:
    keys = (keys ^ (keys >> np.uint64(29))) * multiplier
  return keys ^ (keys >> np.uint64(32))


def are_similar(
  signatures: np.ndarray, signature_: np.ndarray, settings: Deduplication
) -> np.ndarray:
  """Whether each of many signatures is at least as similar as the threshold.

  Args:
    signatures: uint32 [n, num_permutations].
    signature_: uint32 [num_permutations].
    settings: hold the threshold.

  Returns:
    bool [n].
  """
  agreeing = np.count_nonzero(signatures == signature_, axis=1)
  return agreeing / settings.num_permutations >= settings.near_threshold


def near(left: np.ndarray, right: np.ndarray, settings: Deduplication) -> bool:
  """Whether the documents of two signatures are near-copies.

  They are when they have a band key in common and their estimated Jaccard
  similarity, the share of equal entries, reaches the threshold.
  """
  if not (band_keys(left, settings) == band_keys(right, settings)).any():
    return False
  return bool(are_similar(left[None], right, settings)[0])
