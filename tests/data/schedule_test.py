import collections
import dataclasses
import math

import numpy as np
import pytest

from codelaw import errors
from codelaw.data import schedule as schedule_lib
from codelaw.data import sequence_files

_STAGES = (
  (0.8, {'code/python': 0.5, 'markup': 0.3, 'code/java': 0.2}),
  (0.2, {'code/python': 1.0, 'markup': 0.0}),
)


@pytest.fixture
def plan(make_plan):
  return make_plan(_STAGES)


@pytest.fixture
def schedule(plan, manifest):
  return schedule_lib.from_plan(plan, manifest)


def _draws(schedule):
  """(source, index of the sequence) of every slot, in order."""
  return [
    (schedule.sources[k], int(index))
    for step in range(schedule.num_steps)
    for k, index in zip(*schedule.slots(step), strict=True)
  ]


def test_every_prefix_is_within_one_sequence_of_the_plan(schedule):
  shares = {'code/python': 0.5, 'markup': 0.3, 'code/java': 0.2}
  counts, targets = collections.Counter(), collections.Counter()
  for slot, (source, _) in enumerate(_draws(schedule)):
    counts[source] += 1
    for name, share in shares.items():
      # 80% of 200 sequences are the first stage; then there is only Python.
      targets[name] += share if slot < 160 else float(name == 'code/python')
    assert all(abs(counts[s] - targets[s]) < 1 for s in shares)
  assert schedule.planned_sequences() == {
    'stage0': {'code/java': 32, 'code/python': 80, 'markup': 48},
    'stage1': {'code/java': 0, 'code/python': 40, 'markup': 0},
  }


def test_tokens_are_those_that_the_shards_hold(make_plan, manifest, cache_plan):
  # Long enough for several epochs, so padded sequences are repeated too.
  plan = make_plan(_STAGES, num_tokens=32 * 4 * 400)
  schedule = schedule_lib.from_plan(plan, manifest)
  readers = {
    source: sequence_files.SequenceReader(
      cache_plan.shards_dir, manifest, source, 'train'
    )
    for source in schedule.sources
  }
  seen = dict.fromkeys(schedule.sources, 0)
  for step in range(schedule.num_steps):
    assert schedule.tokens_until(step) == seen
    for k, index in zip(*schedule.slots(step), strict=True):
      source = schedule.sources[k]
      seen[source] += int(np.count_nonzero(readers[source].read([index])))
  assert schedule.planned_tokens() == seen
  by_stage = schedule.stage_tokens()
  assert {
    source: sum(tokens[source] for tokens in by_stage.values())
    for source in seen
  } == seen
  assert max(schedule.epochs().values()) > 2


def test_an_epoch_holds_every_sequence_once_in_its_own_order(
  make_plan, manifest
):
  size = manifest.split('markup', 'train').sequences
  plan = make_plan(
    [(1.0, {'markup': 1.0})], num_tokens=32 * size * 3, batch_size=size
  )
  schedule = schedule_lib.from_plan(plan, manifest)
  orders = [schedule.slots(step)[1].tolist() for step in range(3)]
  for order in orders:
    assert sorted(order) == list(range(size))
  assert orders[0] != orders[1] != orders[2] != list(range(size))
  assert schedule.epochs() == {'markup': 3.0}
  other = schedule_lib.from_plan(dataclasses.replace(plan, seed=1), manifest)
  assert other.slots(0)[1].tolist() != orders[0]


def test_stages_by_step(schedule):
  assert schedule.stage_end_steps == {'stage0': 40.0, 'stage1': 50.0}
  stages = [schedule.stage_of(step) for step in (0, 39, 40, 49, 50)]
  assert stages == ['stage0', 'stage0', 'stage1', 'stage1', 'stage1']


@pytest.mark.parametrize('step', [-1, 50])
def test_a_step_outside_the_run_is_refused(schedule, step):
  with pytest.raises(errors.UserError, match='has 50 steps'):
    schedule.slots(step)


def test_sources_are_sorted_and_only_those_with_a_rate(make_plan, manifest):
  plan = make_plan([(1.0, {'markup': 1, 'code/java': 1, 'code/python': 0})])
  schedule = schedule_lib.from_plan(plan, manifest)
  assert schedule.sources == ('code/java', 'markup')
  assert schedule.slots(0)[0].dtype == np.int32
  assert schedule.slots(0)[1].dtype == np.int64


def test_repeating_a_source_too_often_is_refused(make_plan, manifest):
  plan = make_plan([(1.0, {'code/java': 1.0})], max_epochs=1.0)
  size = manifest.split('code/java', 'train').sequences
  epochs = 200 / size
  assert epochs > 1
  with pytest.raises(
    errors.UserError,
    match=rf'repeats code/java {epochs:.2f} times, max_epochs is 1; lower',
  ):
    schedule_lib.from_plan(plan, manifest)
  # Exactly the cap is allowed.
  schedule_lib.from_plan(dataclasses.replace(plan, max_epochs=epochs), manifest)
  uncapped = schedule_lib.uncapped(plan, manifest)
  assert math.isclose(uncapped.over_cap()['code/java'], epochs)


def test_an_unknown_source_is_refused_with_the_nearest(make_plan, manifest):
  plan = make_plan([(1.0, {'code/pyton': 1.0})])
  with pytest.raises(
    errors.UserError,
    match='have code/java, code/python, markup; did you mean code/python',
  ):
    schedule_lib.from_plan(plan, manifest)


def test_another_sequence_length_is_refused(make_plan, manifest):
  plan = make_plan(_STAGES, sequence_length=64)
  with pytest.raises(errors.UserError, match='have 32 tokens per sequence'):
    schedule_lib.from_plan(plan, manifest)


def test_a_source_without_sequences_is_refused(make_plan, manifest):
  empty = dataclasses.replace(
    manifest.split('markup', 'train'), documents=0, sequences=0
  )
  sources = {**manifest.sources, 'markup': {'train': empty}}
  manifest = dataclasses.replace(manifest, sources=sources)
  with pytest.raises(errors.UserError, match='no training sequences'):
    schedule_lib.from_plan(make_plan(_STAGES), manifest)
