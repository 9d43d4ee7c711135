"""A seeded permutation of range(n) that is read at any place at once.

A Feistel network of six rounds over the smallest even number of bits that
holds n (Luby and Rackoff, 1988), walked until it falls below n (Black and
Rogaway, 2002). Nothing of size n is stored, so an epoch of a source can be
entered anywhere.
"""

import hashlib

import numpy as np

_ROUNDS = 6


def keys(*labels: object) -> np.ndarray:
  """Round keys, uint64, that follow from the labels (seed, source, epoch)."""
  digest = hashlib.sha512(repr(labels).encode('utf-8')).digest()
  return np.frombuffer(digest, '<u8', count=_ROUNDS)


def permute(
  places: np.ndarray, size: int, round_keys: np.ndarray
) -> np.ndarray:
  """The element at each place.

  >>> permute(np.arange(5), 5, keys(0, 'code/python', 0)).tolist()
  [1, 0, 3, 2, 4]

  Args:
    places: int64, each in [0, size).
    size: of the permuted range, at least 1.
    round_keys: of `keys`.

  Returns:
    Elements, int64, of the shape of `places`.
  """
  return _walk(places, size, round_keys, _encrypt)


def place_of(
  elements: np.ndarray, size: int, round_keys: np.ndarray
) -> np.ndarray:
  """The inverse of `permute`."""
  return _walk(elements, size, round_keys, _decrypt)


def _walk(values: np.ndarray, size: int, round_keys: np.ndarray, network):
  half = max(1, -(-(size - 1).bit_length() // 2))
  result = network(np.asarray(values, np.uint64), half, round_keys)
  outside = result >= size
  while outside.any():  # the domain is below 4 x size, so this ends soon
    result[outside] = network(result[outside], half, round_keys)
    outside = result >= size
  return result.astype(np.int64)


def _encrypt(values, half: int, round_keys):
  mask = np.uint64((1 << half) - 1)
  left, right = values >> np.uint64(half), values & mask
  for key in round_keys:
    left, right = right, left ^ (_mix(right, key) & mask)
  return (left << np.uint64(half)) | right


def _decrypt(values, half: int, round_keys):
  mask = np.uint64((1 << half) - 1)
  left, right = values >> np.uint64(half), values & mask
  for key in round_keys[::-1]:
    left, right = right ^ (_mix(left, key) & mask), left
  return (left << np.uint64(half)) | right


def _mix(values, key):
  """SplitMix64's finaliser (Steele, Lea and Flood, 2014)."""
  mixed = values ^ key
  mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
  mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
  return mixed ^ (mixed >> np.uint64(31))
