import collections

import numpy as np
import pytest

from codelaw import errors
from codelaw import records
from codelaw.corpora import documents
from codelaw.data import packing
from codelaw.data import pipeline
from codelaw.data import seqio_tasks
from codelaw.data import sequence_files
from codelaw.data import tokenizer as tokenizer_lib

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


def _rows(batches, names):
  """How often each sequence occurs, by its bytes."""
  return collections.Counter(
    b''.join(np.int32(batch[name][row]).tobytes() for name in names)
    for batch in batches
    for row in range(len(batch[names[0]]))
  )


@pytest.fixture(scope='module')
def packed_tasks(seqio, packed):
  return seqio_tasks.register(packed, 'packed')


def test_an_epoch_holds_the_sequences_that_training_reads(
  seqio, packed_tasks, packed, packed_manifest, make_plan
):
  """Tokens, inputs, weights, segments and positions, of every packing."""
  packings = set()
  for source, name in packed_tasks.items():
    split = packed_manifest.split(source, 'train')
    packings.add(split.packing)
    plan = make_plan(
      [(1, {source: 1})],
      shards_dir=packed,
      sequence_length=128,
      batch_size=1,
      num_tokens=split.sequences * 128,
      max_epochs=1.0,
    )
    ours = pipeline.train_batches(plan, packed_manifest)
    theirs = seqio.get_dataset(
      name,
      {'targets': 128},
      seqio.PrePackedLMFeatureConverter(),
      dataset_split='train',
      shuffle=True,
      seed=1,
    )
    names = packing.FEATURE_NAMES
    expected = _rows(ours, names)
    assert sum(expected.values()) == split.sequences
    assert _rows(theirs.batch(7).as_numpy_iterator(), names) == expected
  assert packings == {'concatenate', 'best_fit', 'whole'}


def test_parts_of_a_mixture_are_disjoint_and_hold_all(
  seqio, packed_tasks, packed_manifest
):
  rates = records.MixtureRates(dict.fromkeys(packed_tasks, 1))
  name = seqio_tasks.mixture('packed.parts', rates, packed_tasks)

  def rows(source, **settings):
    dataset = seqio.get_dataset(
      source,
      {'targets': 128},
      seqio.PrePackedLMFeatureConverter(),
      dataset_split='validation',
      shuffle=False,
      **settings,
    )
    batches = list(dataset.batch(5).as_numpy_iterator())
    return _rows(batches, packing.FEATURE_NAMES)

  for task in packed_tasks.values():
    parts = [rows(task, shard_info=seqio.ShardInfo(i, 3)) for i in range(3)]
    assert sum(parts, collections.Counter()) == rows(task)
    sizes = [sum(part.values()) for part in parts]
    assert max(sizes) - min(sizes) <= 1
  assert not rows(name, shard_info=seqio.ShardInfo(0, 2)) - sum(
    map(rows, packed_tasks.values()), collections.Counter()
  )


def test_a_mixture_has_our_shares_of_tokens(
  seqio, packed_tasks, packed_manifest
):
  rates = records.MixtureRates({'code/java': 2, 'code/python': 1, 'markup': 2})
  name = seqio_tasks.mixture('packed.mixture', rates, packed_tasks)
  mixture = seqio.get_mixture_or_task(name)
  of_source = {task: source for source, task in packed_tasks.items()}
  tokens = {}
  for task in mixture.tasks:
    split = packed_manifest.split(of_source[task.name], 'train')
    # The padding of the last concatenated sequence is not counted.
    fill = (
      1.0
      if split.packing == 'concatenate'
      else split.tokens / (split.sequences * 128)
    )
    assert fill < 1 or split.packing == 'concatenate'
    tokens[of_source[task.name]] = mixture.get_rate(task) * fill
  assert records.MixtureRates(tokens).shares() == pytest.approx(
    rates.shares(), rel=1e-12
  )
  drawn = collections.Counter()
  dataset = mixture.get_dataset(
    {'targets': 128}, split='train', shuffle=False, num_epochs=None
  )
  known = {
    row.tobytes(): source
    for source, task in packed_tasks.items()
    for row in _stack(
      seqio.get_mixture_or_task(task).get_dataset(
        {'targets': 128}, split='train', shuffle=False
      )
    )['targets']
  }
  count = 3000
  for row in dataset.take(count).as_numpy_iterator():
    targets = row['targets']
    drawn[known[targets.tobytes()]] += int(np.count_nonzero(targets))
  shares = records.MixtureRates(drawn).shares()
  for source, share in rates.shares().items():
    # Four standard deviations of a share of independent draws.
    assert abs(shares[source] - share) < 4 * (0.25 / count) ** 0.5


def test_every_token_comes_back_as_text(
  seqio, packed_tasks, packed, packed_manifest, corpus_dir
):
  tokenizer = tokenizer_lib.load(f'{packed}/tokenizer.json')
  for source, name in packed_tasks.items():
    split = packed_manifest.split(source, 'train')
    dataset = seqio.get_mixture_or_task(name).get_dataset(
      {'targets': 128}, split='train', shuffle=False
    )
    stream = _stack(dataset)['targets'].reshape(-1)
    stream = stream[stream != packing.PAD_ID]
    pieces = np.split(stream, np.flatnonzero(stream == packing.EOS_ID) + 1)
    found = collections.Counter(
      tokenizer_lib.decode(tokenizer, piece) for piece in pieces[:-1]
    )
    texts = collections.Counter(
      document.text
      for document in documents.read_documents(corpus_dir, source, 'train')
    )
    if split.packing == 'concatenate':
      assert found == texts
    elif split.packing == 'whole':
      assert found <= texts
      assert sum((texts - found).values()) == split.left_out_documents > 0
    else:  # Long documents are in pieces; no byte is lost.
      joined = [''.join(sorted(''.join(x.elements()))) for x in (found, texts)]
      assert joined[0] == joined[1]


def test_taken_names_and_unknown_sources_are_refused(seqio, tasks, cache_plan):
  with pytest.raises(errors.UserError, match='already has a task tiny.code'):
    seqio_tasks.register(cache_plan.shards_dir, 'tiny')
  with pytest.raises(errors.UserError, match='no SeqIO task for code/rust'):
    seqio_tasks.mixture('other', records.MixtureRates({'code/rust': 1}), tasks)
  rates = records.MixtureRates({'markup': 1})
  seqio_tasks.mixture('taken', rates, tasks)
  with pytest.raises(errors.UserError, match='already has a mixture taken'):
    seqio_tasks.mixture('taken', rates, tasks)
  source = seqio.FunctionDataSource(
    lambda split, shuffle_files: None, splits=('train',)
  )
  seqio.TaskRegistry.add('not_ours', source=source, output_features={})
  with pytest.raises(errors.UserError, match='not_ours does not read shards'):
    seqio_tasks.mixture('other', rates, {'markup': 'not_ours'})
