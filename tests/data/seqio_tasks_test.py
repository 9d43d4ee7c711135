import collections

import numpy as np
import pytest

from codelaw import errors
from codelaw import records
from codelaw.data import packing
from codelaw.data import pipeline
from codelaw.data import seqio_tasks
from codelaw.data import sequence_files

# TensorFlow's own warnings at import are not ours to mend.
pytestmark = pytest.mark.filterwarnings('ignore')


@pytest.fixture(scope='module')
def seqio():
  return pytest.importorskip('seqio')


@pytest.fixture(scope='module')
def tasks(seqio, cache_plan):
  return seqio_tasks.register(cache_plan.shards_dir, 'tiny')


def _stack(dataset):
  rows = list(dataset.as_numpy_iterator())
  return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def test_a_task_gives_our_sequences_and_features(
  seqio, tasks, cache_plan, manifest
):
  assert tasks['code/python'] == 'tiny.code_python'
  for source, name in tasks.items():
    dataset = seqio.get_mixture_or_task(name).get_dataset(
      sequence_length={'targets': 32}, split='validation', shuffle=False
    )
    (ours,) = pipeline.validation_batches(
      manifest,
      source,
      manifest.split(source, 'validation').sequences,
      10**6,
      cache_plan.shards_dir,
    )
    theirs = _stack(dataset)
    for feature in packing.FEATURE_NAMES:
      np.testing.assert_array_equal(theirs[feature], ours[feature])
    np.testing.assert_array_equal(
      theirs['targets'], ours['decoder_target_tokens']
    )


def test_shuffled_shards_of_a_task_hold_every_sequence_once(
  seqio, tasks, cache_plan, manifest
):
  reader = sequence_files.SequenceReader(
    cache_plan.shards_dir, manifest, 'markup', 'train'
  )
  expected = reader.read(np.arange(len(reader)))
  parts = [
    _stack(
      seqio.get_mixture_or_task(tasks['markup']).get_dataset(
        sequence_length={'targets': 32},
        split='train',
        shuffle=True,
        seed=3,
        shard_info=seqio.ShardInfo(index, 2),
      )
    )['targets']
    for index in range(2)
  ]
  assert abs(len(parts[0]) - len(parts[1])) <= 1
  found = np.concatenate(parts)
  assert not np.array_equal(found, expected)
  assert collections.Counter(map(bytes, found.astype(np.uint16))) == (
    collections.Counter(map(bytes, expected))
  )


def test_a_mixture_has_our_rates_and_needs_no_other_packing(seqio, tasks):
  rates = records.MixtureRates({'code/python': 3, 'markup': 1, 'code/java': 0})
  name = seqio_tasks.mixture('tiny.mixture', rates, tasks)
  mixture = seqio.get_mixture_or_task(name)
  assert {task.name: mixture.get_rate(task) for task in mixture.tasks} == {
    'tiny.code_python': 0.75,
    'tiny.markup': 0.25,
  }
  dataset = seqio.get_dataset(
    name,
    {'targets': 32},
    seqio.PrePackedLMFeatureConverter(),
    dataset_split='train',
    shuffle=False,
  )
  batch = next(dataset.batch(4).as_numpy_iterator())
  assert sorted(batch) == sorted(packing.FEATURE_NAMES)
  expected = packing.features(batch['decoder_target_tokens'])
  for feature, values in batch.items():
    np.testing.assert_array_equal(values, expected[feature])


def test_taken_names_and_unknown_sources_are_refused(tasks, cache_plan):
  with pytest.raises(errors.UserError, match='already has a task tiny.code'):
    seqio_tasks.register(cache_plan.shards_dir, 'tiny')
  with pytest.raises(errors.UserError, match='no SeqIO task for code/rust'):
    seqio_tasks.mixture('other', records.MixtureRates({'code/rust': 1}), tasks)
  rates = records.MixtureRates({'markup': 1})
  seqio_tasks.mixture('taken', rates, tasks)
  with pytest.raises(errors.UserError, match='already has a mixture taken'):
    seqio_tasks.mixture('taken', rates, tasks)
