import collections
import dataclasses
import math

import numpy as np
import pytest

from codelaw import errors
from codelaw import records
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib
from codelaw.data import sequence_files
from codelaw.data import shards

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
    draw
    for step in range(schedule.num_steps)
    for draw in _step_draws(schedule, step)
  ]


def _step_draws(schedule, step):
  return [
    (schedule.sources[k], int(index))
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
  one, other = (
    dict(zip(schedule.sources, start, strict=True))
    for start, _ in schedule.shares
  )
  shares = [schedule.shares_at(step) for step in (0, 39, 40, 49, 50)]
  assert shares == [one, one, other, other, other]
  assert one != other


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
    match=rf'repeats code/java {epochs:.2f} times \(max_epochs is 1\); lower',
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


def _counted(schedule, manifest, folder):
  """Tokens of every source before each step, counted in the shards."""
  readers = [
    sequence_files.SequenceReader(folder, manifest, source, 'train')
    for source in schedule.sources
  ]
  seen = dict.fromkeys(schedule.sources, 0)
  for step in range(schedule.num_steps):
    yield dict(seen)
    for k, index in zip(*schedule.slots(step), strict=True):
      tokens = readers[k].read([index])
      seen[schedule.sources[k]] += int(np.count_nonzero(tokens))
  yield seen


_RAMP = (
  (0.6, {'code/python': 2, 'commits': 1}, {'code/python': 1, 'code/java': 1}),
  (0.4, {'code/java': 1, 'commits': 3}),
)


@pytest.mark.parametrize('target_tokens', [None, 10**5])
def test_tokens_are_exact_with_padding_anywhere(
  make_plan, padded, target_tokens
):
  manifest, folder = padded
  plan = make_plan(
    _RAMP,
    num_tokens=32 * 7 * 60,
    batch_size=7,
    shards_dir=folder,
    target_tokens=target_tokens,
    max_epochs=1e3,
  )
  schedule = schedule_lib.from_plan(plan, manifest)
  for step, seen in enumerate(_counted(schedule, manifest, folder)):
    assert schedule.tokens_until(step) == seen
  assert schedule.planned_tokens() == seen
  assert {
    source: sum(tokens[source] for tokens in schedule.stage_tokens().values())
    for source in seen
  } == seen
  assert max(schedule.epochs().values()) > 2


@pytest.mark.parametrize('target_tokens', [None, 10**5])
def test_a_run_goes_on_behind_inherited_sequences(
  make_plan, padded, target_tokens
):
  manifest, folder = padded
  one, two = (
    make_plan(
      stages,
      num_tokens=32 * 7 * 60,
      batch_size=7,
      shards_dir=folder,
      target_tokens=target_tokens,
      max_epochs=1e3,
    )
    for stages in (_RAMP, [(1.0, {'code/python': 1, 'commits': 2})])
  )
  before = schedule_lib.from_plan(one, manifest)
  inherited = before.sequences_until(41)
  after = schedule_lib.from_plan(two, manifest, inherited)
  for step, seen in enumerate(_counted(after, manifest, folder)):
    assert after.tokens_until(step) == seen
  assert after.planned_tokens() == after.stage_tokens()['stage0'] == seen
  first = [draw for step in range(41) for draw in _step_draws(before, step)]
  for source in ('code/python', 'commits'):
    alone = dataclasses.replace(
      one,
      schedule=records.Schedule(
        (records.Stage('only', records.MixtureRates({source: 1})),)
      ),
      num_tokens=32 * 7 * 200,
      target_tokens=target_tokens and 10**5 * 200 // 60,
    )
    order = _draws(schedule_lib.from_plan(alone, manifest))
    both = [draw for draw in first + _draws(after) if draw[0] == source]
    assert both == order[: len(both)]
    assert len(both) > inherited[source] > 0
    supply = after.supplies[after.sources.index(source)].sequences
    assert after.epochs()[source] == len(both) / supply


def test_what_was_inherited_counts_against_the_cap(make_plan, manifest):
  size = manifest.split('markup', 'train').sequences
  plan = make_plan(
    [(1.0, {'markup': 1})],
    num_tokens=32 * size,
    batch_size=size,
    max_epochs=2.5,
  )
  assert schedule_lib.from_plan(plan, manifest, {'markup': size}).epochs() == {
    'markup': 2.0
  }
  with pytest.raises(
    errors.UserError,
    match=r'markup 3.00 times .*, with what the earlier run drew; lower',
  ):
    schedule_lib.from_plan(plan, manifest, {'markup': 2 * size})


def test_tokens_are_exact_on_shards_that_were_packed_best_fit(
  make_plan, cache_plan, tmp_path
):
  packed = dataclasses.replace(
    cache_plan,
    shards_dir=str(tmp_path),
    tokenizer_path=f'{cache_plan.shards_dir}/tokenizer.json',
    packing={'code/*': 'best_fit'},
  )
  shards.write(packed)
  manifest = manifest_lib.read(tmp_path)
  assert manifest.split('code/python', 'train').padding_file.sequences > 1
  plan = make_plan(
    _STAGES,
    num_tokens=32 * 10 * 80,
    batch_size=10,
    shards_dir=str(tmp_path),
    max_epochs=1e3,
  )
  schedule = schedule_lib.from_plan(plan, manifest)
  for step, seen in enumerate(_counted(schedule, manifest, str(tmp_path))):
    assert schedule.tokens_until(step) == seen
  assert max(schedule.epochs().values()) > 2


def test_rates_are_shares_of_tokens_where_sequences_are_padded(
  make_plan, padded
):
  manifest, folder = padded
  rates = {'code/java': 0.3, 'code/python': 0.5, 'commits': 0.2}
  plan = make_plan(
    [(1.0, rates)],
    num_tokens=32 * 4 * 20_000,
    shards_dir=folder,
    max_epochs=1e6,
  )
  schedule = schedule_lib.from_plan(plan, manifest)
  fill = manifest.split('commits', 'train').tokens / (57 * 32)
  assert schedule.fills == (1.0, pytest.approx(0.825, abs=0.03), fill)
  tokens = schedule.planned_tokens()
  for source, rate in rates.items():
    # Half an epoch of 130 sequences may be fuller than another.
    assert tokens[source] / sum(tokens.values()) == pytest.approx(
      rate, abs=1e-3
    )


def test_rates_move_in_proportion_to_tokens(make_plan, padded):
  manifest, folder = padded
  plan = make_plan(
    [(1.0, {'commits': 1}, {'code/java': 1})],
    num_tokens=32 * 4 * 20_000,
    shards_dir=folder,
    max_epochs=1e6,
  )
  schedule = schedule_lib.from_plan(plan, manifest)
  total = sum(schedule.planned_tokens().values())
  for step in range(0, 20_001, 2500):
    tokens = schedule.tokens_until(step)
    progress = sum(tokens.values()) / total
    share = schedule.shares_at(step)['code/java']
    assert share == pytest.approx(progress, abs=1e-3)
    assert tokens['code/java'] / total == pytest.approx(
      progress**2 / 2, abs=1e-3
    )


def test_a_moving_stage_keeps_every_prefix_within_one_sequence(
  make_plan, manifest
):
  stages = [
    (0.5, {'code/python': 1.0}),
    (0.5, {'code/python': 1.0}, {'markup': 0.75, 'code/java': 0.25}),
  ]
  schedule = schedule_lib.from_plan(make_plan(stages), manifest)
  counts = collections.Counter()
  for slot, (source, _) in enumerate(_draws(schedule), 1):
    counts[source] += 1
    moved = max(slot - 100, 0) ** 2 / 200
    assert abs(counts['markup'] - 0.75 * moved) < 1
    assert abs(counts['code/java'] - 0.25 * moved) < 1
    assert abs(counts['code/python'] - (slot - moved)) < 1
  assert schedule.shares_at(0)['code/python'] == 1
  assert schedule.shares_at(37) == {
    'code/java': pytest.approx(0.12),
    'code/python': pytest.approx(0.52),
    'markup': pytest.approx(0.36),
  }


def test_simulated_epoching_repeats_a_sample(make_plan, manifest):
  stages = [(1.0, {'code/python': 1.0, 'markup': 1.0})]
  size = manifest.split('markup', 'train').sequences
  plan = make_plan(stages, target_tokens=32 * 4 * 50 * 5)
  schedule = schedule_lib.from_plan(plan, manifest)
  supply = math.ceil(size / 5)
  draws = [index for source, index in _draws(schedule) if source == 'markup']
  assert schedule.epochs()['markup'] == 100 / supply
  assert len(set(draws)) == min(supply, 100)
  for epoch in range(100 // supply):
    part = draws[epoch * supply : (epoch + 1) * supply]
    assert sorted(part) == sorted(set(draws))
  # A fair sample: not the first sequences, and another with another seed.
  assert max(draws) >= size // 2
  other = schedule_lib.from_plan(dataclasses.replace(plan, seed=1), manifest)
  assert {i for s, i in _draws(other) if s == 'markup'} != set(draws)
  # With no longer run to stand for, all sequences are the supply.
  whole = dataclasses.replace(plan, target_tokens=plan.num_tokens)
  plain = dataclasses.replace(plan, target_tokens=None)
  assert _draws(schedule_lib.from_plan(whole, manifest)) == _draws(
    schedule_lib.from_plan(plain, manifest)
  )


def test_every_source_above_its_own_cap_is_named(make_plan, manifest):
  stages = [(1.0, {'code/python': 1, 'markup': 1, 'code/java': 1})]
  plan = make_plan(
    stages,
    max_epochs=100.0,
    source_max_epochs={'markup': 0.25, 'code/java': 0.1, 'code/python': 50},
    num_tokens=32 * 4 * 50,
    target_tokens=32 * 4 * 100,
  )
  epochs = schedule_lib.uncapped(plan, manifest).epochs()
  with pytest.raises(errors.UserError) as caught:
    schedule_lib.from_plan(plan, manifest)
  named = {
    s: f'{s} {epochs[s]:.2f} times (max_epochs is {cap})'
    for s, cap in (('markup', 0.25), ('code/java', 0.1))
  }
  first, second = sorted(
    named, key=lambda s: -epochs[s] / plan.source_max_epochs[s]
  )
  assert str(caught.value).startswith(
    f'The plan repeats {named[first]}, {named[second]}, as a run of 12,800'
    ' tokens would; lower their rates'
  )


def test_a_cap_of_an_unknown_source_is_refused(make_plan, manifest):
  plan = make_plan(_STAGES, source_max_epochs={'markup/html': 2})
  with pytest.raises(
    errors.UserError, match=r'source_max_epochs names .*did you mean markup\?'
  ):
    schedule_lib.from_plan(plan, manifest)
