"""Batches of features from shards, by step: training and validation.

The state of a reader is the number of the next step and nothing else, so a
run resumes at any step, at once, on any number of hosts.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import types

import grain
import numpy as np

from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import packing
from codelaw.data import schedule as schedule_lib
from codelaw.data import sequence_files

Batch = dict[str, np.ndarray]
# A host's batch of 2^16 tokens takes 2.5 ms to read, one of 2^22 tokens (512 x
# 8192) 60 ms; a thread hides 9 tenths of it behind the update. Much smaller
# ones take a few tenths of a millisecond, which the thread only moves about.
_PREFETCH_TOKENS = 2**15
_PREFETCH_BATCHES = 2
# One request to the shards for many records costs a fraction of many requests.
_READ_SEQUENCES = 256  # of consecutive batches; at the least one batch


class StepSource:
  """A Grain source whose elements are some rows of each global batch.

  An element is a whole batch, not a sequence: Grain's cost per element would
  otherwise be ten times that of reading a short sequence. Consecutive batches
  are read together and the rest of them is kept for the next calls; any step
  may be asked for at any time.
  """

  def __init__(
    self,
    schedule: schedule_lib.MixtureSchedule,
    manifest: manifest_lib.Manifest,
    shards_dir: storage.PathLike,
    rows: np.ndarray | None = None,
  ):
    """Opens no file yet; the arguments are those of `train_batches`."""
    self._rows = np.arange(schedule.batch_size) if rows is None else rows
    self._schedule = schedule
    self._readers = [
      sequence_files.SequenceReader(shards_dir, manifest, source, 'train')
      for source in schedule.sources
    ]
    self._length = manifest.sequence_length
    self._fingerprint = manifest.fingerprint
    self._dtype = manifest.token_dtype
    self._steps_at_once = max(1, _READ_SEQUENCES // len(self._rows))
    self._kept: tuple[int, np.ndarray, np.ndarray] | None = None

  def __len__(self) -> int:
    return self._schedule.num_steps

  def __repr__(self) -> str:
    return f'StepSource(shards {self._fingerprint}, {len(self)} steps)'

  def __getitem__(self, step: int) -> Batch:
    first = int(step) - int(step) % self._steps_at_once
    kept = self._kept
    if kept is None or kept[0] != first:
      kept = self._kept = (first, *self._read(first))
    _, source_ids, tokens = kept
    place = int(step) - first
    return {**packing.features(tokens[place]), 'source_id': source_ids[place]}

  def _read(self, first: int) -> tuple[np.ndarray, np.ndarray]:
    """(source_ids [steps, batch], tokens [steps, rows, length])."""
    steps = min(self._steps_at_once, len(self) - first)
    source_ids, indices = (
      values.reshape(steps, -1) for values in self._schedule.slots(first, steps)
    )
    sources, indices = source_ids[:, self._rows], indices[:, self._rows]
    tokens = np.empty((*sources.shape, self._length), self._dtype)
    for source_id in np.unique(sources):
      mine = sources == source_id
      tokens[mine] = self._readers[source_id].read(indices[mine])
    return source_ids, tokens


def train_batches(
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
  start_step: int = 0,
  rows: np.ndarray | None = None,
  prefetch_batches: int | None = None,
  inherited: Mapping[str, int] = types.MappingProxyType({}),
) -> Iterator[Batch]:
  """The batches of steps `start_step` to the plan's last.

  Args:
    plan: names the shards, the schedule, the batch and the seed.
    manifest: of `plan.shards_dir`.
    start_step: updates already done.
    rows: of each global batch that this process reads, ascending; None reads
      all. Processes may have rows in common.
    prefetch_batches: read ahead by a thread; 0 reads each when it is asked
      for. None decides by the number of tokens that are read.
    inherited: source -> sequences drawn before this run.

  Returns:
    A Grain iterator over {five features of `packing.features`, int32 and
    float32 [rows, length]; 'source_id', int32 [batch]}; `source_id` indexes
    `MixtureSchedule.sources`, and is of the whole global batch.

  Raises:
    UserError: when the plan does not fit the shards, or (while reading) a shard
      is damaged.
  """
  schedule = schedule_lib.from_plan(plan, manifest, inherited)
  source = StepSource(schedule, manifest, plan.shards_dir, rows)
  if prefetch_batches is None:
    num_rows = plan.batch_size if rows is None else len(rows)
    tokens = num_rows * plan.sequence_length
    prefetch_batches = _PREFETCH_BATCHES if tokens >= _PREFETCH_TOKENS else 0
  options = grain.ReadOptions(
    num_threads=min(prefetch_batches, 1),
    prefetch_buffer_size=prefetch_batches,
  )
  dataset = grain.MapDataset.source(source)[start_step:]
  return iter(dataset.to_iter_dataset(options))


def validation_batches(
  manifest: manifest_lib.Manifest,
  source: str,
  batch_size: int,
  max_sequences: int,
  shards_dir: storage.PathLike,
  rows: np.ndarray | None = None,
) -> Iterator[Batch]:
  """The first `max_sequences` held-out sequences of one source.

  Documents are packed in the order of their content hash, so the first
  sequences are a fair sample, the same for every run. The last batch is filled
  up with empty rows (weight 0), so that all batches have one shape. The bytes
  for bits per byte are the sum of `tokenizer.token_bytes` over the targets.

  Args:
    manifest: of the shards.
    source: whose sequences are read.
    batch_size: sequences of a batch.
    max_sequences: at the most; there may be fewer.
    shards_dir: where the shards are.
    rows: of each batch that this process reads, ascending; None reads all.

  Returns:
    Iterator over the five features of `packing.features` [rows, length]; there
    is no `source_id`.

  Raises:
    UserError: when there is no such source, or a shard is damaged.
  """
  reader = sequence_files.SequenceReader(
    shards_dir, manifest, source, 'validation'
  )
  total = min(max_sequences, len(reader))
  rows = np.arange(batch_size) if rows is None else rows
  for start in range(0, total, batch_size):
    tokens = np.zeros(
      (len(rows), manifest.sequence_length), manifest.token_dtype
    )
    there = start + rows < total
    if there.any():
      tokens[there] = reader.read(start + rows[there])
    yield packing.features(tokens)
