import dataclasses
import shutil
import types

import jax
import numpy as np
import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import execution
from codelaw import records
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib
from codelaw.runs import collect
from codelaw.train import checkpoint
from codelaw.train import initial
from codelaw.train import loop
from codelaw.train import mesh as mesh_lib
from codelaw.train import step as step_lib

BOTH = records.MixtureRates({'code/python': 2, 'markup': 1})
PYTHON = records.MixtureRates({'code/python': 1})
TOKENS = 4 * 16  # of an update


def state(plan, folder, step):
  mesh = mesh_lib.make(execution.AUTOMATIC.mesh)
  abstract = step_lib.abstract_state(plan.model, plan.optimizer, mesh)
  return checkpoint.restore(folder / 'checkpoints', step, abstract)


def assert_equal(one, other):
  jax.tree.map(np.testing.assert_array_equal, one, other)


def schedule(*stages):
  """Two and a half updates of warm-up."""
  return records.Schedule(stages, warmup_tokens=TOKENS * 5 // 2)


def wsd(main_steps, cooldown_steps):
  cooldown = records.Stage(
    'cooldown', PYTHON, cooldown_steps, 'linear', 1.0, 1e-3
  )
  return schedule(records.Stage('main', BOTH, main_steps), cooldown)


@pytest.fixture(scope='module')
def make(make_plan):
  def build(num_steps, model_schedule, start=None, **changes):
    return make_plan(
      schedule=model_schedule,
      num_tokens=num_steps * TOKENS,
      initial=start,
      eval_every_steps=0,
      checkpoint_every_steps=0,
      **changes,
    )

  return build


@pytest.fixture(scope='module')
def trunk(make, tmp_path_factory):
  """(plan, folder, record) of 9 updates at a constant rate, 4 and 7 kept."""
  plan = make(
    9, schedule(records.Stage('main', BOTH)), checkpoint_steps_kept=(4, 7)
  )
  folder = tmp_path_factory.mktemp('trunk')
  return plan, folder, loop.train(plan, folder, run_id='trunk')


def branch_of(make, trunk, step, cooldown_steps, **changes):
  start = records.InitialCheckpoint(str(trunk[1]), step, schedule=True)
  return make(
    step + cooldown_steps, wsd(step, cooldown_steps), start, **changes
  )


def drawn(plan, inherited=types.MappingProxyType({})):
  manifest = manifest_lib.read(plan.shards_dir)
  return schedule_lib.from_plan(plan, manifest, inherited)


@pytest.mark.parametrize(('step', 'cooldown_steps'), [(4, 3), (7, 2), (9, 5)])
def test_a_branch_ends_like_a_run_from_scratch(
  make, trunk, tmp_path, step, cooldown_steps
):
  plan = branch_of(make, trunk, step, cooldown_steps)
  whole = dataclasses.replace(plan, initial=None)
  branch = loop.train(plan, tmp_path / 'branch')
  scratch = loop.train(whole, tmp_path / 'scratch')
  assert_equal(
    *(state(plan, tmp_path / n, plan.num_steps) for n in ('branch', 'scratch'))
  )
  assert branch.first_step == branch.initial_step == step
  assert branch.step == plan.num_steps
  seen = branch.tokens_seen(branch.realised_tokens)
  assert seen == scratch.realised_tokens
  own = drawn(whole).tokens_between(step, plan.num_steps)
  assert branch.realised_tokens == branch.planned_tokens == own
  table = collect.collect([tmp_path / n for n in ('branch', 'scratch')])
  one, other = table.drop(columns='run_id').to_dict('records')
  assert one.pop('train_flops') == pytest.approx(
    other.pop('train_flops'),
    rel=1e-12,  # two sums of the same numbers
  )
  assert one == other


def test_one_trunk_gives_many_points(make, trunk, tmp_path):
  plans = [branch_of(make, trunk, step, 2) for step in (4, 7)]
  for plan in plans:
    loop.train(plan, tmp_path / str(plan.num_steps))
  table = collect.collect([tmp_path / '6', tmp_path / '9'])
  points = [sum(drawn(plan).planned_tokens().values()) for plan in plans]
  assert table['num_tokens'].tolist() == points
  # At the most, the one padded sequence of the source is among them.
  assert points == pytest.approx([6 * TOKENS, 9 * TOKENS], abs=16)


def stage(name, mixture, factor=1.0):
  return records.Schedule(
    (records.Stage(name, mixture, 1, 'constant', factor, factor),)
  )


@pytest.mark.parametrize('optimizer_state', [True, False])
def test_a_run_goes_on_with_a_schedule_of_its_own(
  make, trunk, tmp_path, optimizer_state
):
  plan, folder, before = trunk
  start = records.InitialCheckpoint(
    str(folder), optimizer_state=optimizer_state
  )
  after = make(3, stage('next', PYTHON, 0.5), start)
  copy = tmp_path / 'next'

  def kill(report):
    if report.step == 2 and not report.message:
      raise RuntimeError('killed')

  with pytest.raises(RuntimeError, match='killed'):
    loop.train(after, copy, progress=kill)
  first = state(plan, copy, 0)
  last = state(plan, folder, 9)
  assert_equal(first.params, last.params)
  if optimizer_state:
    assert_equal(first, last)
  else:
    assert all(not np.any(x) for x in jax.tree.leaves(first.optimizer_state))
  record = loop.train(after, copy)
  assert record.first_step == 0
  assert record.initial_step == 9
  assert record.inherited_tokens == before.realised_tokens
  used = drawn(plan).sequences_until(9)
  assert record.inherited_sequences == used
  own = drawn(after, used).planned_tokens()
  assert record.realised_tokens == record.planned_tokens == own
  seen = {
    'code/python': before.realised_tokens['code/python'] + own['code/python'],
    'markup': before.realised_tokens['markup'],
  }
  assert record.tokens_seen(record.realised_tokens) == seen
  per_token = accounting.train_flops_per_token(plan.model, 16)
  row = collect.collect([copy]).iloc[0]
  assert row['num_tokens'] == sum(seen.values())
  assert row['train_flops'] == pytest.approx(per_token * sum(seen.values()))


def test_a_run_with_a_checkpoint_needs_the_earlier_one_no_more(
  make, trunk, tmp_path
):
  shutil.copytree(trunk[1], tmp_path / 'trunk')
  start = records.InitialCheckpoint(str(tmp_path / 'trunk'))
  plan = make(4, stage('next', PYTHON), start)
  whole = loop.train(plan, tmp_path / 'whole')

  def kill(report):
    if report.step == 3:
      raise RuntimeError('killed')

  with pytest.raises(RuntimeError, match='killed'):
    loop.train(plan, tmp_path / 'killed', progress=kill)
  shutil.rmtree(tmp_path / 'trunk')
  again = loop.train(plan, tmp_path / 'killed')
  assert_equal(*(state(plan, tmp_path / n, 4) for n in ('whole', 'killed')))
  assert again.inherited_tokens == whole.inherited_tokens
  assert again.inherited_sequences == whole.inherited_sequences
  assert loop.train(plan, tmp_path / 'whole') == whole


def test_the_earlier_run_may_lie_elsewhere_but_not_be_another(
  make, trunk, tmp_path
):
  shutil.copytree(trunk[1], tmp_path / 'trunk')

  def plan(folder):
    start = records.InitialCheckpoint(str(folder))
    return make(2, stage('next', PYTHON), start)

  whole = loop.train(plan(tmp_path / 'trunk'), tmp_path / 'run')
  moved = loop.train(plan(tmp_path / 'mounted' / 'trunk'), tmp_path / 'run')
  assert moved.wall_seconds == whole.wall_seconds  # it was finished
  with pytest.raises(errors.UserError, match='plan.initial.model_dir|initial'):
    loop.train(plan(tmp_path / 'mounted' / 'other'), tmp_path / 'run')


def test_a_third_run_inherits_from_both(make, trunk, tmp_path):
  plan, folder, _ = trunk
  second = make(
    3, stage('next', PYTHON), records.InitialCheckpoint(str(folder), 4)
  )
  loop.train(second, tmp_path / 'second')
  third = make(
    2, stage('last', BOTH), records.InitialCheckpoint(str(tmp_path / 'second'))
  )
  record = loop.train(third, tmp_path / 'third')
  sequences, tokens = (
    drawn(plan).sequences_until(4),
    drawn(plan).tokens_until(4),
  )
  own = drawn(second, sequences).planned_tokens()
  sequences['code/python'] += 3 * 4
  tokens['code/python'] += own['code/python']
  assert record.inherited_sequences == sequences
  assert record.inherited_tokens == tokens
  assert record.planned_tokens == drawn(third, sequences).planned_tokens()


def test_a_branch_of_a_run_that_goes_on_keeps_its_offsets(
  make, trunk, tmp_path
):
  start = records.InitialCheckpoint(str(trunk[1]), 4)
  long = make(6, schedule(records.Stage('main', BOTH)), start)
  long = dataclasses.replace(long, checkpoint_steps_kept=(3,))
  second = loop.train(long, tmp_path / 'long')
  plan = branch_of(make, (long, tmp_path / 'long'), 3, 2)
  branch = loop.train(plan, tmp_path / 'branch')
  scratch = loop.train(
    dataclasses.replace(plan, initial=start), tmp_path / 'scratch'
  )
  assert_equal(*(state(plan, tmp_path / n, 5) for n in ('branch', 'scratch')))
  assert branch.inherited_sequences == second.inherited_sequences
  assert branch.tokens_seen(branch.realised_tokens) == scratch.tokens_seen(
    scratch.realised_tokens
  )


@pytest.mark.parametrize(
  ('change', 'why'),
  [('seed', 'its seed is 0, not 1'), ('shards', 'its shards are others')],
)
def test_another_order_starts_from_the_first_sequence(
  make, trunk, tmp_path, change, why
):
  start = records.InitialCheckpoint(str(trunk[1]))
  plan = make(2, stage('next', PYTHON), start, seed=int(change == 'seed'))
  manifest = manifest_lib.read(plan.shards_dir)
  if change == 'shards':
    manifest = dataclasses.replace(manifest, plan_fingerprint='another')
    assert manifest.fingerprint != trunk[2].manifest_fingerprint
  inherited = initial.of_plan(plan, manifest)
  assert inherited.sequences == {}
  assert inherited.tokens == trunk[2].realised_tokens
  assert why in inherited.notes[0]
  # How many tokens of Python come again is not known; of markup none can.
  known = inherited.with_supply({'code/python': 999})
  assert known == {'markup': trunk[2].supply_tokens['markup']}


def test_another_supply_starts_from_its_first_sequence(make, trunk):
  start = records.InitialCheckpoint(str(trunk[1]))
  plan = make(
    2, stage('next', PYTHON), start, target_tokens=2 * TOKENS * 3, max_epochs=99
  )
  inherited = initial.of_plan(plan, manifest_lib.read(plan.shards_dir))
  assert list(inherited.sequences) == ['markup']
  assert 'target_tokens' in inherited.notes[0]
  assert inherited.drawn_apart == {'code/python'}


def test_different_tokens_are_counted_over_a_chain(make, trunk, tmp_path):
  plan, folder, before = trunk
  manifest = manifest_lib.read(plan.shards_dir)
  supply = {s: manifest.split(s, 'train').tokens for s in before.planned_tokens}
  assert before.supply_tokens == supply
  start = records.InitialCheckpoint(str(folder))
  steps = 2 * supply['code/python'] // TOKENS
  repeating = make(steps, stage('next', PYTHON), start, max_epochs=9)
  second = loop.train(repeating, tmp_path / 'second')
  assert second.supply_tokens == supply
  seen = second.tokens_seen(second.realised_tokens)
  assert seen['code/python'] > supply['code/python']
  rows = collect.collect([folder, tmp_path / 'second'])
  rows = rows.set_index('num_tokens')['unique_tokens'].to_dict()
  assert rows == {
    sum(before.realised_tokens.values()): sum(before.realised_tokens.values()),
    sum(seen.values()): supply['code/python'] + seen['markup'],
  }
  # What an earlier codelaw has trained does not say what it could draw.
  old = dataclasses.replace(before, supply_tokens={})
  inherited = initial.of_plan(repeating, manifest, old)
  assert inherited.with_supply({'code/python': 999}) == {}
  branch = branch_of(make, trunk, 4, 3)
  inherited = initial.of_plan(branch, manifest)
  assert inherited.with_supply(supply) == supply
  # A source that is new to the chain has come from no other shards.
  other = dataclasses.replace(
    before, manifest_fingerprint='x', realised_tokens={'code/python': 64}
  )
  both = make(3, stage('next', BOTH), start)
  assert initial.of_plan(both, manifest, other).drawn_apart == {'code/python'}


def test_what_does_not_fit_is_named(make, make_plan, trunk, tmp_path):
  plan, folder, _ = trunk
  manifest = manifest_lib.read(plan.shards_dir)
  start = records.InitialCheckpoint(str(folder))
  rest = dataclasses.replace(start, schedule=True)
  shape = dataclasses.replace(plan.model, width=16)
  longer = wsd(9, 3)
  fraction = records.Schedule(longer.stages, warmup_fraction=0.1)
  for changed, message in (
    (
      make(2, stage('next', PYTHON), start, model=shape),
      f'model.width is 8 in {folder}, 16 in this plan',
    ),
    (make(9, wsd(9, 3), rest), 'has made 9 steps, but .* has 9;'),
    (make(12, longer, rest, seed=1), 'seed is 0 .* 1 in'),
    (
      make(12, longer, rest, batch_size=2),
      'not made the first steps .*: batch_size is 4 .* 2 in',
    ),
    (
      make(12, longer, rest, optimizer=records.OptimizerSettings(0.02)),
      'optimizer.peak_learning_rate is 0.01 .* 0.02 in',
    ),
    (make(12, wsd(6, 6), rest), 'tokens of code/python by step 9 is'),
    (
      make(
        12,
        schedule(
          records.Stage('main', BOTH, 6),
          records.Stage('cooldown', BOTH, 6, 'linear', 1.0, 0.0),
        ),
        rest,
      ),
      'learning rate of step 6 is 0.01 ',
    ),
    (make(12, fraction, rest), 'learning rate of step 0 is 0.002 '),
    (
      make(12, longer, dataclasses.replace(rest, step=5)),
      'no checkpoint of step 5; those there are of steps: 4, 7, 9',
    ),
    (
      make(2, stage('a', PYTHON), records.InitialCheckpoint(str(tmp_path))),
      'holds no run',
    ),
  ):
    with pytest.raises(errors.UserError, match=message):
      initial.of_plan(changed, manifest)
  with pytest.raises(errors.UserError, match='tokenizer is'):
    initial.of_plan(
      make(2, stage('next', PYTHON), start),
      dataclasses.replace(manifest, tokenizer_fingerprint='other'),
    )
