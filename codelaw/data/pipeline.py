"""Batches of features from shards, by step: training and validation.

The state of a reader is the number of the next step and nothing else.
"""

from collections.abc import Iterator

import numpy as np

from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib

Batch = dict[str, np.ndarray]


def train_batches(
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
  start_step: int = 0,
  host_index: int = 0,
  num_hosts: int = 1,
) -> Iterator[Batch]:
  """The batches of steps `start_step` to the plan's last.

  Args:
    plan: names the shards, the schedule, the batch and the seed.
    manifest: of `plan.shards_dir`.
    start_step: updates already done.
    host_index: of this process.
    num_hosts: processes; each reads its rows of the same global batch.

  Returns:
    Iterator over {five features int32/float32 [batch / num_hosts, length],
    'source_id': int32 [batch / num_hosts]}; `source_id` indexes
    `MixtureSchedule.sources`.
  """
  raise NotImplementedError


def validation_batches(
  manifest: manifest_lib.Manifest,
  source: str,
  batch_size: int,
  max_sequences: int,
  shards_dir: storage.PathLike,
) -> Iterator[Batch]:
  """The first `max_sequences` held-out sequences of one source.

  Documents were shuffled by content before packing, so the first sequences
  are a fair sample and the same for every run. The last batch is filled up
  with empty rows (weight 0), so every batch has one shape. There is no
  `source_id`.
  """
  raise NotImplementedError
