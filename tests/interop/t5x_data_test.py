import dataclasses

import numpy as np
import pytest

from codelaw import errors
from codelaw.data import manifest as manifest_lib
from codelaw.data import pipeline
from codelaw.train import step as step_lib

pytest.importorskip('clu.data.dataset_iterator')
t5x_data = pytest.importorskip('codelaw.interop.t5x_data')


def expected(plan, first_step):
  manifest = manifest_lib.read(plan.shards_dir)
  return [
    step_lib.features(batch)
    for batch in pipeline.train_batches(plan, manifest, first_step)
  ]


def joined(*shards):
  """The global batch of the rows of all data shards."""
  return {k: np.concatenate([s[k] for s in shards]) for k in shards[0]}


def assert_equal(found, wanted):
  assert len(found) == len(wanted)
  for one, other in zip(found, wanted, strict=True):
    assert sorted(one) == sorted(other)
    for name, values in one.items():
      np.testing.assert_array_equal(values, other[name])


@pytest.mark.parametrize('first_step', [0, 5])
@pytest.mark.parametrize('num_shards', [1, 2, 4])
def test_shards_hold_the_rows_of_the_schedule(
  make_plan, first_step, num_shards
):
  plan = make_plan()
  parts = [
    t5x_data.TrainBatches(plan, first_step, shard, num_shards)
    for shard in range(num_shards)
  ]
  found = [joined(*shards) for shards in zip(*parts, strict=True)]
  assert len(found) == plan.num_steps - first_step
  assert_equal(found, expected(plan, first_step))


def test_reset_goes_back_to_the_first_step(make_plan):
  plan = make_plan()
  batches = t5x_data.TrainBatches(plan, 3, 0, 1)
  for _ in range(2):
    next(batches)
  batches.reset()
  assert_equal(list(batches), expected(plan, 3))


@pytest.mark.parametrize('num_shards', [1, 2])
def test_the_spec_is_that_of_the_batches(make_plan, num_shards):
  plan = make_plan()
  train = t5x_data.TrainBatches(plan, 0, 0, num_shards)
  held_out = t5x_data.held_out(plan, 0, num_shards)['markup']
  for batches in (train, held_out):
    spec, batch = batches.element_spec, next(iter(batches))
    assert {k: (v.shape, v.dtype) for k, v in spec.items()} == {
      k: (v.shape, v.dtype) for k, v in batch.items()
    }


@pytest.mark.parametrize('num_shards', [1, 2])
def test_held_out_sequences_are_those_of_codelaw_train(make_plan, num_shards):
  plan = make_plan()  # 6 sequences in batches of 4
  parts = [
    t5x_data.held_out(plan, shard, num_shards) for shard in range(num_shards)
  ]
  # Also a source that the plan does not train on.
  assert list(parts[0]) == ['code/java', 'code/python', 'markup']
  for source in parts[0]:
    wanted = [
      step_lib.features(batch)
      for batch in pipeline.validation_batches(
        manifest_lib.read(plan.shards_dir),
        source,
        plan.batch_size,
        plan.eval_sequences,
        plan.shards_dir,
      )
    ]
    for _ in range(2):  # every evaluation begins at the first again
      shards = zip(*(part[source] for part in parts), strict=True)
      assert_equal([joined(*rows) for rows in shards], wanted)


def test_without_held_out_sequences_there_is_no_evaluation(make_plan):
  assert not t5x_data.held_out(make_plan(eval_sequences=0), 0, 1)


def test_a_batch_that_cannot_be_divided_is_refused(make_plan):
  with pytest.raises(errors.UserError, match='BATCH_SIZE'):
    t5x_data.TrainBatches(make_plan(), 0, 0, 3)
  with pytest.raises(errors.UserError, match='BATCH_SIZE'):
    t5x_data.held_out(make_plan(), 0, 3)


def test_nothing_is_saved(make_plan, tmp_path):
  batches = t5x_data.TrainBatches(make_plan(), 0, 0, 1)
  with pytest.raises(errors.UserError, match='save_dataset'):
    batches.save(tmp_path / 'train_ds')


def test_rates_that_are_swapped_are_seen(make_plan):
  one = make_plan()
  stages = one.schedule.stages[1:]
  other = make_plan(schedule=dataclasses.replace(one.schedule, stages=stages))
  first, second = (
    next(t5x_data.TrainBatches(p, 0, 0, 1)) for p in (one, other)
  )
  name = 'decoder_target_tokens'
  assert not np.array_equal(first[name], second[name])
