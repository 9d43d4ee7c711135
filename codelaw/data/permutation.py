"""A seeded permutation of range(n) that is read at any place at once.

A Feistel network of six rounds over pairs below ceil(sqrt(n)) (Luby and
Rackoff, 1988; Black and Rogaway, 2002, for other ranges than powers of two),
walked until it falls below n. Nothing of size n is stored, so an epoch of a
source can be entered anywhere.
"""

from collections.abc import Callable
import functools
import hashlib

import numpy as np

_ROUNDS = 6
_Network = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@functools.lru_cache(maxsize=4096)
def keys(*labels: int | str) -> np.ndarray:
  """Round keys, uint64 [rounds], of the labels (seed, source, epoch)."""
  digest = hashlib.sha512(repr(labels).encode('utf-8')).digest()
  return np.frombuffer(digest, '<u8', count=_ROUNDS)


def permute(
  places: np.ndarray, sizes: np.ndarray | int, round_keys: np.ndarray
) -> np.ndarray:
  """The element at each place of its permutation.

  >>> permute(np.arange(5), 5, keys(0, 'code/python', 0)).tolist()
  [2, 1, 3, 0, 4]

  Args:
    places: [n] whole numbers, each in [0, size).
    sizes: of the permuted ranges, one or [n]; at least 1.
    round_keys: of `keys`, [rounds] or [n, rounds].

  Returns:
    Elements, int64 [n].
  """
  return _walk(places, sizes, round_keys, _encrypt)


def place_of(
  elements: np.ndarray, sizes: np.ndarray | int, round_keys: np.ndarray
) -> np.ndarray:
  """The inverse of `permute`."""
  return _walk(elements, sizes, round_keys, _decrypt)


def _walk(
  values: np.ndarray,
  sizes: np.ndarray | int,
  round_keys: np.ndarray,
  network: _Network,
) -> np.ndarray:
  result = np.asarray(values).astype(np.uint64)
  sizes = np.broadcast_to(np.asarray(sizes, np.uint64), result.shape)
  round_keys = np.broadcast_to(round_keys, (*result.shape, _ROUNDS))
  bases = np.ceil(np.sqrt(sizes)).astype(np.uint64)
  outside = np.ones(result.shape, bool)
  while outside.any():  # few are outside: bases**2 is hardly above the size
    result[outside] = network(
      result[outside], bases[outside], round_keys[outside]
    )
    outside = result >= sizes
  return result.astype(np.int64)


def _encrypt(
  values: np.ndarray, bases: np.ndarray, round_keys: np.ndarray
) -> np.ndarray:
  left, right = np.divmod(values, bases)
  for key in round_keys.T:
    left, right = right, (left + _mix(right, key) % bases) % bases
  return left * bases + right


def _decrypt(
  values: np.ndarray, bases: np.ndarray, round_keys: np.ndarray
) -> np.ndarray:
  left, right = np.divmod(values, bases)
  for key in round_keys.T[::-1]:
    left, right = (right + bases - _mix(left, key) % bases) % bases, left
  return left * bases + right


def _mix(values: np.ndarray, key: np.ndarray) -> np.ndarray:
  """SplitMix64's finaliser (Steele, Lea and Flood, 2014)."""
  mixed = values ^ key
  mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
  mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
  return mixed ^ (mixed >> np.uint64(31))
