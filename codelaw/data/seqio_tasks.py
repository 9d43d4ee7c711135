"""The same shards for SeqIO and T5X: one Task per source, Mixtures of them.

Definitions owned here: a task is called `PREFIX.SOURCE`, with `_` for every
character of the source that SeqIO does not allow in a name.

SeqIO rates count examples, which are packed sequences here, and codelaw's rates
count tokens without padding. So a SeqIO rate is the share of tokens divided by
the source's fill (defined in `schedule`).
SeqIO draws the source of each example at random, so its counts are near the
shares, where `schedule` keeps them exact.

TensorFlow is imported when a function here is called, not before.
"""

from collections.abc import Mapping
import dataclasses
import functools
import re
from typing import Any

import numpy as np

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import packing
from codelaw.data import schedule
from codelaw.data import sequence_files

_READ_SEQUENCES = 256  # read and converted at once


@dataclasses.dataclass(frozen=True)
class Origin:
  """Where a task of ours reads.

  Attributes:
    source: in the shards.
    manifest_fingerprint: of the shards.
    fill: of the source, as defined in `schedule`.
  """

  source: str
  manifest_fingerprint: str
  fill: float


_DTYPES = {
  name: 'float32' if name == 'decoder_loss_weights' else 'int32'
  for name in ('targets', *packing.FEATURE_NAMES)
}


def register(shards_dir: storage.PathLike, prefix: str) -> dict[str, str]:
  """Registers one SeqIO Task per source of the shards.

  A task gives `targets`, the stored tokens, and the five features that
  `seqio.PrePackedLMFeatureConverter` expects, so that no other packing is
  done and documents stay apart:

    seqio.get_dataset(
      name, {'targets': 128}, seqio.PrePackedLMFeatureConverter(),
      dataset_split='train')

  Args:
    shards_dir: folder that `codelaw cache` wrote.
    prefix: of the tasks' names.

  Returns:
    Source -> name of its task.

  Raises:
    UserError: when the shards cannot be read, or a name is taken.
  """
  import seqio
  import tensorflow as tf

  manifest = manifest_lib.read(shards_dir)
  vocabulary = seqio.PassThroughVocabulary(manifest.vocab_size, packing.EOS_ID)
  # A mixture keeps only output features, so all of them are.
  output_features = {
    name: seqio.Feature(vocabulary, add_eos=False, dtype=tf.as_dtype(dtype))
    for name, dtype in _DTYPES.items()
  }
  names = {}
  for source in sorted(manifest.sources):
    name = f'{prefix}.{_seqio_name(source)}'
    if name in seqio.TaskRegistry.names():
      raise errors.UserError(
        f'SeqIO already has a task {name}; give another prefix.'
      )
    seqio.TaskRegistry.add(
      name,
      source=_data_source_class()(shards_dir, manifest, source),
      preprocessors=[],
      output_features=output_features,
    )
    names[source] = name
  return names


def mixture(
  name: str, mixture_rates: records.MixtureRates, tasks: Mapping[str, str]
) -> str:
  """Registers a SeqIO Mixture with codelaw's rates.

  Args:
    name: of the mixture.
    mixture_rates: shares of tokens.
    tasks: source -> name of its task, as `register` returns.

  Returns:
    `name`.

  Raises:
    UserError: for a source without a task of ours, or a name that is taken.
  """
  import seqio

  shares = mixture_rates.shares()
  unknown = sorted(set(shares) - set(tasks))
  if unknown:
    raise errors.UserError(
      f'There is no SeqIO task for {", ".join(unknown)}; there are tasks for'
      f' {", ".join(sorted(tasks))}.'
    )
  if name in seqio.MixtureRegistry.names():
    raise errors.UserError(
      f'SeqIO already has a mixture {name}; give another name.'
    )
  rates = []
  for source, share in shares.items():
    reads = origin(seqio.TaskRegistry.get(tasks[source]))
    if reads is None:
      raise errors.UserError(
        f'SeqIO task {tasks[source]} does not read shards of codelaw; give the'
        ' tasks that seqio_tasks.register returned.'
      )
    rates.append((tasks[source], share / reads.fill))
  seqio.MixtureRegistry.add(name, rates)
  return name


def origin(task: Any) -> Origin | None:
  """Where a task reads, or None for a task that `register` did not make."""
  return getattr(task.source, 'origin', None)


def _seqio_name(source: str) -> str:
  return re.sub(r'\W', '_', source)


@functools.cache
def _data_source_class() -> Any:
  """A seqio.DataSource; a function, because its base class needs TensorFlow."""
  import seqio
  import tensorflow as tf

  class PackedSequences(seqio.DataSource):
    """The packed sequences of one source, shuffled as a whole by the seed."""

    def __init__(
      self,
      shards_dir: storage.PathLike,
      manifest: manifest_lib.Manifest,
      source: str,
    ):
      self._readers = {
        split: sequence_files.SequenceReader(
          shards_dir, manifest, source, split
        )
        for split in manifest.sources[source]
      }
      self._length = manifest.sequence_length
      train = manifest.split(source, 'train')
      self.origin = Origin(
        source,
        manifest.fingerprint,
        schedule.fill(train, self._length) if train.sequences else 1.0,
      )
      super().__init__(
        splits=tuple(self._readers),
        num_input_examples={s: len(r) for s, r in self._readers.items()},
        caching_permitted=False,
      )

    @property
    def supports_arbitrary_sharding(self) -> bool:
      return True

    def list_shards(self, split: str) -> list[str]:
      return [split]

    def get_dataset(
      self, split='train', shuffle=True, seed=None, shard_info=None, **unused
    ):
      reader = self._readers[split]
      indices = np.arange(len(reader))
      if shuffle:
        indices = np.random.default_rng(seed).permutation(indices)
      if shard_info is not None:
        indices = indices[shard_info.index :: shard_info.num_shards]

      def read(indices: np.ndarray) -> list[np.ndarray]:
        tokens = reader.read(indices).astype(np.int32)
        return [tokens, *packing.features(tokens).values()]

      def examples(indices):
        values = tf.numpy_function(read, [indices], tuple(_DTYPES.values()))
        return {
          name: tf.ensure_shape(value, [None, self._length])
          for name, value in zip(_DTYPES, values, strict=True)
        }

      dataset = tf.data.Dataset.from_tensor_slices(indices)
      return dataset.batch(_READ_SEQUENCES).map(examples).unbatch()

  return PackedSequences
