"""Rows of many lengths as batches of few shapes."""

import math

import numpy as np
import pytest

from codelaw.evaluation import buckets


@pytest.mark.parametrize('parts', [1, 4])
@pytest.mark.parametrize('longest', [20, 512, 1000])
def test_every_item_fits_and_few_shapes_occur(longest, parts):
  generator = np.random.default_rng(0)
  shapes = set()
  for _ in range(20):
    lengths = generator.integers(1, longest + 1, generator.integers(1, 300))
    batches = list(buckets.batches(lengths, longest, 2048, parts, reserved=64))
    items = np.concatenate([batch.items for batch in batches])
    np.testing.assert_array_equal(np.sort(items), np.arange(len(lengths)))
    for batch in batches:
      assert len(batch.items) <= batch.num_rows
      assert batch.num_rows % parts == 0
      assert max(lengths[batch.items]) <= batch.length < longest + 32
      assert batch.length >= longest or batch.length < 2 * max(
        32, max(lengths[batch.items])
      )
      assert batch.num_rows * (batch.length + 64) <= 2048 * parts
    shapes |= {(batch.length, batch.num_rows) for batch in batches[:-1]}
  # All but the last batch are full: one number of rows for each length.
  assert len(shapes) <= 1 + max(0, math.ceil(math.log2(longest / 32)))


def test_a_row_that_is_longer_than_a_batch_is_one_alone():
  batches = list(buckets.batches([100, 100, 3], 128, 64, 1))
  assert [(b.num_rows, b.length) for b in batches] == [
    (1, 128),
    (1, 128),
    (1, 32),
  ]


def test_no_items_are_no_batches():
  assert not list(buckets.batches([], 128, 64, 1))
