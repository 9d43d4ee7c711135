"""The exact mixture schedule as what T5X's train loop reads.

T5X asks for a `clu` iterator of training batches and for one re-iterable per
held-out set, both with the rows of one of its data shards only. Training
batches follow from the step alone, so nothing of an iterator is ever saved.
"""

from collections.abc import Iterator
from collections.abc import Mapping

from clu.data import dataset_iterator
import numpy as np

from codelaw import errors
from codelaw import records
from codelaw.data import manifest as manifest_lib
from codelaw.data import pipeline
from codelaw.train import evaluate
from codelaw.train import step as step_lib

Spec = dict[str, dataset_iterator.ArraySpec]


class TrainBatches(dataset_iterator.DatasetIterator):
  """The rows of one data shard of the batches of steps `first_step` and on."""

  def __init__(
    self,
    plan: records.RunPlan,
    first_step: int,
    shard_id: int,
    num_shards: int,
  ):
    """Reads nothing yet.

    Args:
      plan: names the shards, the schedule, the batch and the seed.
      first_step: updates already done.
      shard_id: of this process; processes with the same rows share one.
      num_shards: into which the rows of a batch are divided.

    Raises:
      UserError: when the plan does not fit the shards, or the batch cannot be
        divided into that many.
    """
    self._plan = plan
    self._first_step = first_step
    self._rows = _rows(plan, shard_id, num_shards)
    self.reset()

  def __next__(self) -> dict[str, np.ndarray]:
    return step_lib.features(next(self._batches))

  def reset(self) -> None:
    """Goes back to the batch of `first_step`."""
    self._batches = pipeline.train_batches(
      self._plan,
      manifest_lib.read(self._plan.shards_dir),
      self._first_step,
      self._rows,
    )

  @property
  def element_spec(self) -> Spec:
    """Shapes and dtypes of the rows of this shard."""
    return _spec(self._plan, self._rows)

  def save(self, filename) -> None:
    """Refuses: T5X may have one batch more in hand than it has trained on.

    Raises:
      UserError: always.
    """
    raise errors.UserError(
      'The place in the data follows from the step, so T5X need not save it'
      f' (it tried to, to {filename}); leave SaveCheckpointConfig.save_dataset'
      ' False.'
    )


class HeldOutBatches:
  """Held-out batches of one source, from the first, each time it is iterated.

  The same sequences as `codelaw train` evaluates on. The last batch is filled
  up with rows of weight 0.
  """

  def __init__(
    self,
    plan: records.RunPlan,
    manifest: manifest_lib.Manifest,
    source: str,
    rows: np.ndarray,
  ):
    """Reads nothing yet.

    Args:
      plan: names the shards, the batch and `eval_sequences`.
      manifest: of the shards.
      source: with held-out text.
      rows: of each batch that this process reads.
    """
    self._plan = plan
    self._manifest = manifest
    self._source = source
    self._rows = rows

  def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
    for batch in pipeline.validation_batches(
      self._manifest,
      self._source,
      self._plan.batch_size,
      self._plan.eval_sequences,
      self._plan.shards_dir,
      self._rows,
    ):
      yield step_lib.features(batch)

  @property
  def element_spec(self) -> Spec:
    """Shapes and dtypes of the rows of this shard."""
    return _spec(self._plan, self._rows)


def held_out(
  plan: records.RunPlan, shard_id: int, num_shards: int
) -> Mapping[str, HeldOutBatches]:
  """Source -> its held-out batches, of every source with held-out text.

  Args:
    plan: names the shards, the batch and `eval_sequences`.
    shard_id: of this process.
    num_shards: into which the rows of a batch are divided.

  Raises:
    UserError: when there are no shards, or the batch cannot be divided into
      that many.
  """
  manifest = manifest_lib.read(plan.shards_dir)
  rows = _rows(plan, shard_id, num_shards)
  return {
    source: HeldOutBatches(plan, manifest, source, rows)
    for source in evaluate.sources(plan, manifest)
  }


def _rows(plan: records.RunPlan, shard_id: int, num_shards: int) -> np.ndarray:
  """Of a global batch: those of one shard, in T5X's order of shards."""
  if plan.batch_size % num_shards:
    raise errors.UserError(
      f'A global batch of {plan.batch_size} sequences cannot be divided into'
      f' {num_shards} data shards of T5X; make BATCH_SIZE a multiple of that.'
    )
  return np.split(np.arange(plan.batch_size), num_shards)[shard_id]


def _spec(plan: records.RunPlan, rows: np.ndarray) -> Spec:
  shape = (len(rows), plan.sequence_length)
  return {
    name: dataset_iterator.ArraySpec(
      np.dtype('float32' if name == 'decoder_loss_weights' else 'int32'), shape
    )
    for name in step_lib.FEATURES
  }
