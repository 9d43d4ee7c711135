"""Rows of many lengths as padded batches of few shapes.

A program is compiled for every shape that it is given. Lengths are padded to
powers of two from 32 tokens on, but not beyond the multiple of 32 that holds
the longest row that there can be (kernels take tiles of tokens). So is the
number of rows of a batch that is not full. A model of context length C then
compiles about log2(C / 32) programs of full batches. Sorted by length, padding
is at most half of a row of more than 32 tokens.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses

import numpy as np

_SHORTEST = 32


@dataclasses.dataclass(frozen=True)
class Batch:
  """Items that are computed together.

  Attributes:
    items: places of the items in what was asked.
    num_rows: of the batch; those after the items are padding.
    length: of every row.
  """

  items: np.ndarray
  num_rows: int
  length: int


def length(num_tokens: int, longest: int) -> int:
  """The bucket of so many tokens, where no row has more than `longest`.

  >>> [length(n, 90) for n in (1, 32, 33, 65, 90)]
  [32, 32, 64, 96, 96]
  """
  last = -(-longest // _SHORTEST) * _SHORTEST
  return min(max(_SHORTEST, _power_of_two(num_tokens)), last)


def batches(
  lengths: Sequence[int],
  longest: int,
  batch_tokens: int,
  parts: int,
  reserved: int = 0,
) -> Iterator[Batch]:
  """Yields batches that hold every item once, the longest items first.

  >>> for batch in batches([3, 40, 5, 33, 2], 64, 128, 1):
  ...   print(batch.items, batch.num_rows, batch.length)
  [1 3] 2 64
  [2 0 4] 4 32

  Args:
    lengths: of the items, at most `longest`.
    longest: that a row can be.
    batch_tokens: of a batch on each part of the mesh, padding included; a
      row may be longer.
    parts: into which rows are divided.
    reserved: tokens of each row beside its length that count.
  """
  order = np.argsort(-np.asarray(lengths, np.int64), kind='stable')
  done = 0
  while done < len(order):
    bucket = length(int(lengths[order[done]]), longest)
    room = max(1, batch_tokens // (bucket + reserved))
    full = parts * 2 ** (room.bit_length() - 1)  # the power of two below
    items = order[done : done + full]
    rows = parts * _power_of_two(-(-len(items) // parts))
    yield Batch(items, rows, bucket)
    done += full


def _power_of_two(number: int) -> int:
  """The smallest one that is at least `number`."""
  return 1 << max(0, number - 1).bit_length()
