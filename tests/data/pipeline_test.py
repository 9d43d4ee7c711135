import subprocess
import sys
import time

import grain
import numpy as np
import pytest

from codelaw import errors
from codelaw.data import assignment
from codelaw.data import packing
from codelaw.data import pipeline
from codelaw.data import schedule as schedule_lib
from codelaw.data import sequence_files
from codelaw.data import tokenizer as tokenizer_lib
from tests.data import padded_shards

_RATES = {'code/python': 0.5, 'code/java': 0.2, 'markup': 0.3}


@pytest.fixture
def plan(make_plan):
  return make_plan([(1.0, _RATES)], num_tokens=32 * 6 * 20, batch_size=6)


def _equal(some, others):
  some, others = list(some), list(others)
  assert len(some) == len(others)
  for batch, other in zip(some, others, strict=True):
    assert list(batch) == list(other)
    for name, values in batch.items():
      np.testing.assert_array_equal(values, other[name])
      assert values.dtype == other[name].dtype


def test_a_batch_holds_the_sequences_of_its_slots(plan, manifest):
  schedule = schedule_lib.from_plan(plan, manifest)
  batches = list(pipeline.train_batches(plan, manifest))
  assert len(batches) == 20
  for step, batch in enumerate(batches):
    assert list(batch) == [*packing.FEATURE_NAMES, 'source_id']
    source_ids, indices = schedule.slots(step)
    np.testing.assert_array_equal(batch['source_id'], source_ids)
    for row, (k, index) in enumerate(zip(source_ids, indices, strict=True)):
      reader = sequence_files.SequenceReader(
        plan.shards_dir, manifest, schedule.sources[k], 'train'
      )
      np.testing.assert_array_equal(
        batch['decoder_target_tokens'][row], reader.read([index])[0]
      )


def test_realised_tokens_are_the_planned_ones(plan, manifest):
  schedule = schedule_lib.from_plan(plan, manifest)
  tokens = dict.fromkeys(schedule.sources, 0)
  for batch in pipeline.train_batches(plan, manifest):
    weights = batch['decoder_loss_weights'].sum(axis=1)
    for k, weight in zip(batch['source_id'], weights, strict=True):
      tokens[schedule.sources[k]] += int(weight)
  assert tokens == schedule.planned_tokens()


@pytest.mark.parametrize('start', [0, 1, 7, 19, 20])
def test_resuming_gives_the_whole_remainder(plan, manifest, start):
  everything = list(pipeline.train_batches(plan, manifest))
  _equal(pipeline.train_batches(plan, manifest, start), everything[start:])


@pytest.mark.parametrize('prefetch_batches', [1, 2])
def test_reading_ahead_changes_nothing(plan, manifest, prefetch_batches):
  _equal(
    pipeline.train_batches(
      plan, manifest, 3, prefetch_batches=prefetch_batches
    ),
    pipeline.train_batches(plan, manifest, 3, prefetch_batches=0),
  )


def test_large_batches_are_read_ahead(plan, manifest, monkeypatch):
  threads = []
  options = grain.ReadOptions
  monkeypatch.setattr(
    grain,
    'ReadOptions',
    lambda **given: threads.append(given['num_threads']) or options(**given),
  )
  pipeline.train_batches(plan, manifest)
  monkeypatch.setattr(pipeline, '_PREFETCH_TOKENS', 32 * 3)
  pipeline.train_batches(plan, manifest, rows=np.arange(3))
  pipeline.train_batches(plan, manifest, rows=np.arange(2))
  assert threads == [0, 1, 0]


def _joined(plan, manifest, start, num_hosts):
  """The global batches of all hosts' rows."""
  parts = np.split(np.arange(plan.batch_size), num_hosts)
  hosts = [
    pipeline.train_batches(plan, manifest, start, rows) for rows in parts
  ]
  for batches in zip(*hosts, strict=True):
    joined = dict(batches[0])  # `source_id` is that of the global batch
    for name in packing.FEATURE_NAMES:
      joined[name] = np.concatenate([batch[name] for batch in batches])
    yield joined


@pytest.mark.parametrize('num_hosts', [1, 2, 7, 16, 32, 64])
def test_up_to_64_hosts_on_padded_shards_while_rates_move(
  make_plan, padded, num_hosts
):
  manifest, folder = padded
  plan = make_plan(
    [
      (1, {'code/java': 1, 'commits': 2}, {'code/python': 1}),
      (2, {'code/python': 3, 'commits': 1}),
    ],
    num_tokens=32 * 448 * 4,
    batch_size=448,  # 64 x 7
    shards_dir=folder,
    target_tokens=32 * 448 * 9,
    max_epochs=1e3,
  )
  everything = list(pipeline.train_batches(plan, manifest))
  _equal(_joined(plan, manifest, 0, num_hosts), everything)
  # On another number of hosts it goes on with exactly what remains.
  _equal(_joined(plan, manifest, 2, num_hosts), everything[2:])


def test_long_sequences_and_a_large_vocabulary(make_plan, tmp_path):
  length, vocab_size = 8192, 2**18
  tokens = padded_shards.random_tokens(12, length, vocab_size, 0)
  tokens[:, 100] = packing.EOS_ID
  tokens[3, 17] = vocab_size - 1
  manifest = padded_shards.write(
    tmp_path, vocab_size, {'code/python': ('best_fit', tokens)}
  )
  assert manifest.token_dtype == 'uint32'
  plan = make_plan(
    [(1.0, {'code/python': 1})],
    num_tokens=length * 4 * 3,
    sequence_length=length,
    batch_size=4,
    shards_dir=str(tmp_path),
  )
  batches = list(pipeline.train_batches(plan, manifest))
  read = np.concatenate([b['decoder_target_tokens'] for b in batches])
  np.testing.assert_array_equal(
    np.unique(read, axis=0), np.unique(tokens, axis=0)
  )
  assert read.max() == vocab_size - 1
  schedule = schedule_lib.from_plan(plan, manifest)
  assert schedule.planned_tokens() == {
    'code/python': int(sum(b['decoder_loss_weights'].sum() for b in batches))
  }


@pytest.mark.parametrize('num_stages', [1, 3])
def test_the_first_batch_at_step_a_million_comes_at_once(
  make_plan, tmp_path, num_stages
):
  names = [f'code/language-{i}' for i in range(10)]
  generator = np.random.default_rng(num_stages)
  manifest = padded_shards.write(
    tmp_path,
    300,
    {
      name: ('concatenate', padded_shards.random_tokens(90, 32, 300, i, 0.0))
      for i, name in enumerate(names)
    },
  )
  # The second of three stages moves to rates without half of the sources.
  first = dict(zip(names, generator.random(10).tolist(), strict=True))
  last = dict(zip(names[:5], generator.random(5).tolist(), strict=True))
  stages = [(1, first), (1, first, last), (9, last)][:num_stages]
  seconds = np.inf
  for seed in range(3):  # fresh each time; the machine may be busy
    plan = make_plan(
      stages,
      num_tokens=32 * 512 * 2_000_000,
      batch_size=512,
      shards_dir=str(tmp_path),
      max_epochs=1e9,
      seed=seed,
    )
    assignment.of.cache_clear()
    start = time.perf_counter()
    batches = pipeline.train_batches(plan, manifest, start_step=1_000_000)
    assert next(batches)['source_id'].shape == (512,)
    seconds = min(seconds, time.perf_counter() - start)
  assert seconds < 0.5  # 0.02 to 0.04 s on an idle core; the aim is 0.1 s


@pytest.mark.parametrize('num_hosts', [2, 3, 6])
def test_hosts_share_the_same_global_batch(plan, manifest, num_hosts):
  _equal(
    _joined(plan, manifest, 5, num_hosts),
    pipeline.train_batches(plan, manifest, 5),
  )


def test_any_rows_may_be_read(plan, manifest):
  rows = np.array([0, 3, 4])
  some = pipeline.train_batches(plan, manifest, 5, rows)
  for ours, whole in zip(
    some, pipeline.train_batches(plan, manifest, 5), strict=True
  ):
    for name in packing.FEATURE_NAMES:
      np.testing.assert_array_equal(ours[name], whole[name][rows])
    np.testing.assert_array_equal(ours['source_id'], whole['source_id'])


def test_validation_counts_every_byte_of_the_held_out_documents(
  cache_plan, manifest
):
  tokenizer = tokenizer_lib.load(f'{cache_plan.shards_dir}/tokenizer.json')
  token_bytes = tokenizer_lib.token_bytes(tokenizer)
  for source in manifest.sources:
    counts = manifest.split(source, 'validation')
    batches = list(
      pipeline.validation_batches(
        manifest, source, 7, 10**6, cache_plan.shards_dir
      )
    )
    assert len(batches) == -(-counts.sequences // 7)
    targets = np.concatenate([b['decoder_target_tokens'] for b in batches])
    weights = np.concatenate([b['decoder_loss_weights'] for b in batches])
    assert targets.shape == (7 * len(batches), 32)
    assert token_bytes[targets].sum() == counts.bytes
    assert weights.sum() == counts.tokens


def test_validation_stops_at_the_limit(cache_plan, manifest):
  batches = list(
    pipeline.validation_batches(
      manifest, 'code/python', 4, 6, cache_plan.shards_dir
    )
  )
  rows = np.concatenate([b['decoder_segment_ids'] for b in batches])
  assert rows.any(axis=1).tolist() == [True] * 6 + [False] * 2
  reader = sequence_files.SequenceReader(
    cache_plan.shards_dir, manifest, 'code/python', 'validation'
  )
  targets = np.concatenate([b['decoder_target_tokens'] for b in batches])
  np.testing.assert_array_equal(targets[:6], reader.read(np.arange(6)))


def test_validation_of_some_rows(cache_plan, manifest):
  rows = np.array([1, 3])
  arguments = (manifest, 'code/python', 4, 6, cache_plan.shards_dir)
  whole = list(pipeline.validation_batches(*arguments))
  some = list(pipeline.validation_batches(*arguments, rows))
  assert len(whole) == len(some) == 2  # the last has none of these rows
  for ours, theirs in zip(some, whole, strict=True):
    for name in packing.FEATURE_NAMES:
      np.testing.assert_array_equal(ours[name], theirs[name][rows])


@pytest.mark.parametrize('prefetch_batches', [0, 2])
def test_a_damaged_shard_is_named_when_it_is_read(
  make_plan, manifest, shards_copy, prefetch_batches
):
  for shard in shards_copy.glob('markup/train-*'):
    shard.write_bytes(bytes(shard.stat().st_size))
  plan = make_plan([(1.0, {'markup': 1})], shards_dir=str(shards_copy))
  with pytest.raises(errors.UserError, match='Cannot read shard .*markup/tr'):
    next(
      pipeline.train_batches(plan, manifest, prefetch_batches=prefetch_batches)
    )


def test_training_reads_without_tensorflow():
  code = (
    'import sys\n'
    'from codelaw.data import pipeline, seqio_tasks, shards\n'
    'loaded = {"tensorflow", "seqio", "gin"} & set(sys.modules)\n'
    'sys.exit(", ".join(loaded) or 0)\n'
  )
  result = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=False
  )
  assert result.returncode == 0, result.stderr
