import dataclasses
import json

import jax
import numpy as np
import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import execution
from codelaw import records
from codelaw import storage
from codelaw.planning import ladder
from codelaw.studies import branches
from codelaw.studies import dry_run
from codelaw.studies import experiments
from codelaw.studies import scale
from codelaw.studies import sweep
from codelaw.train import checking
from codelaw.train import checkpoint
from codelaw.train import loop
from codelaw.train import mesh as mesh_lib
from codelaw.train import optimizer
from codelaw.train import step as step_lib

SMALL = accounting.ModelShape(512, 8, 1, 1, 8, 16)
LARGE = accounting.ModelShape(512, 16, 1, 1, 8, 16)
PYTHON, CPP = 'code/python', 'code/c_cpp'
STAGES = (
  records.Stage('main', records.MixtureRates({PYTHON: 1}), 0.8),
  records.Stage(
    'cooldown', records.MixtureRates({CPP: 1}), 0.2, 'linear', 1.0, 0.0
  ),
)
STEP = 2 * 128  # tokens
RUN = records.RunPlan(
  model=LARGE,
  schedule=records.Schedule(STAGES, warmup_tokens=3 * STEP),
  optimizer=records.OptimizerSettings(0.05),
  shards_dir='shards',
  num_tokens=20 * STEP,
  sequence_length=128,
  batch_size=2,
)
GRID = experiments.Grid(
  [PYTHON, CPP], [SMALL, LARGE], [10 * STEP, 20 * STEP, 41 * STEP]
)
BORDERS = (8, 16, 33)  # four fifths, to the nearest step


def _study(run=RUN, grid=GRID, **changes) -> sweep.StudyPlan:
  return sweep.StudyPlan(
    'test', 'study', 'generated', run, [branches.Branches(grid)], **changes
  )


def _grown(study: sweep.StudyPlan):
  """(trunk, its branches) of a study's runs."""
  runs = sweep.planned_runs(study)
  return [
    (
      trunk,
      [r for r in runs if sweep.earlier_run_id(r.plan) == trunk.run_id],
    )
    for trunk in runs
    if trunk.purposes == ('trunk',)
  ]


def test_there_is_a_trunk_per_model_and_source_and_a_branch_per_budget():
  found = _grown(_study())
  assert {
    (trunk.plan.model, trunk.plan.schedule.sources) for trunk, _ in found
  } == {(model, (s,)) for model in (SMALL, LARGE) for s in (PYTHON, CPP)}
  for trunk, grown in found:
    assert trunk.plan.num_steps == 33
    assert trunk.plan.checkpoint_steps_kept == BORDERS
    assert sorted(b.plan.num_steps for b in grown) == [10, 20, 41]
    assert sorted(b.plan.initial.step for b in grown) == list(BORDERS)
    for branch in grown:
      assert branch.plan.initial.model_dir == f'study/runs/{trunk.run_id}'
      assert branch.plan.model == trunk.plan.model
      assert branch.plan.schedule.sources == trunk.plan.schedule.sources


def test_branches_have_the_points_of_the_grid():
  alone = _study(grid=GRID)
  alone = dataclasses.replace(alone, experiments=(GRID,))
  points = [
    {
      (r.plan.model, r.plan.num_tokens, r.plan.schedule.sources)
      for r in sweep.planned_runs(study)
      if 'single' in r.purposes
    }
    for study in (_study(), alone)
  ]
  assert points[0] == points[1]


def test_trunks_are_no_results_and_branches_are():
  for run in sweep.planned_runs(_study()):
    assert run.is_result == (run.purposes == ('single',))


def test_a_branch_has_the_learning_rates_of_its_trunk_up_to_its_cooldown():
  for trunk, grown in _grown(_study()):
    for branch in grown:
      border = branch.plan.initial.step
      rates = [
        [optimizer.learning_rate(run.plan, step) for step in range(border)]
        for run in (trunk, branch)
      ]
      assert rates[0] == rates[1]
      after = [
        optimizer.learning_rate(branch.plan, step)
        for step in range(border, branch.plan.num_steps)
      ]
      assert all(np.diff(after) < 0)
      cooldown = branch.plan.num_steps - border
      assert after[0] == pytest.approx(0.05 * (1 - 0.5 / cooldown))


def test_the_saving_is_what_the_trunk_does_once():
  grid = experiments.Grid([PYTHON], [SMALL], GRID.token_budgets)
  found = dry_run.of_study(_study(grid=grid), [])
  per_step = STEP * accounting.train_flops_per_token(SMALL, 128)
  assert found.from_scratch_flops == pytest.approx((10 + 20 + 41) * per_step)
  # The trunk, and cooldowns of 2, 4 and 8 steps.
  assert found.total.train_flops == pytest.approx((33 + 2 + 4 + 8) * per_step)


def test_branches_may_be_made_small():
  study = _study(
    run=dataclasses.replace(RUN, num_tokens=10**6),
    grid=experiments.Grid([PYTHON], [LARGE], [10**6, 2 * 10**6]),
    scale=scale.Scale(10 * STEP / 10**6, [SMALL]),
  )
  ((trunk, grown),) = _grown(study)
  assert trunk.plan.model == SMALL
  assert trunk.plan.checkpoint_steps_kept == (8, 16)
  assert sorted(branch.plan.num_steps for branch in grown) == [10, 20]


@pytest.mark.parametrize(
  ('run', 'message'),
  [
    ({'schedule': records.Schedule(STAGES[:1])}, 'and a cooldown'),
    (
      {
        'schedule': records.Schedule(
          (STAGES[1], dataclasses.replace(STAGES[0], token_weight=0.2))
        )
      },
      'and a cooldown',
    ),
    (
      {'schedule': records.Schedule(STAGES, warmup_fraction=0.05)},
      'warm-up is in tokens',
    ),
    ({'target_tokens': 100 * STEP}, 'target_tokens'),
    ({'schedule': records.Schedule(STAGES), 'batch_size': 40}, 'more tokens'),
  ],
)
def test_patterns_whose_runs_do_not_begin_alike_are_refused(run, message):
  with pytest.raises(errors.UserError, match=message):
    sweep.planned_runs(_study(dataclasses.replace(RUN, **run)))


def test_a_sizing_by_tokens_is_refused():
  study = _study(sizing=ladder.DeepSeekSizing())
  with pytest.raises(errors.UserError, match='one batch and one peak'):
    sweep.planned_runs(study)
  sweep.planned_runs(_study(sizing=ladder.LearningRateRule(0.5)))


def test_the_order_of_budgets_and_those_named_twice_change_nothing():
  orders = [[10 * STEP, 20 * STEP], [20 * STEP, 10 * STEP, 20 * STEP]]
  found = [
    sweep.planned_runs(_study(grid=experiments.Grid([PYTHON], [SMALL], order)))
    for order in orders
  ]
  assert found[0] == found[1]


def test_branches_off_one_step_need_one_checkpoint():
  near = experiments.Grid([PYTHON], [SMALL], [20 * STEP, 20 * STEP + 1])
  ((trunk, grown),) = _grown(_study(grid=near))
  assert trunk.plan.checkpoint_steps_kept == (16,)
  assert [branch.plan.initial.step for branch in grown] == [16, 16]


def test_a_sizing_that_changes_the_batch_alone_is_refused():
  class Batches:
    def sized(self, plan):
      return dataclasses.replace(plan, batch_size=plan.num_tokens // STEP)

  with pytest.raises(errors.UserError, match='gives batch_size 10 for'):
    sweep.planned_runs(_study(sizing=Batches()))


def test_two_grids_of_branches_share_the_branches_they_have_in_common():
  """Their trunks keep other checkpoints, so each has its own."""
  grids = [
    experiments.Grid([PYTHON], [SMALL], budgets)
    for budgets in ([10 * STEP, 20 * STEP], [20 * STEP, 10 * STEP])
  ]
  longer = experiments.Grid([PYTHON], [SMALL], [10 * STEP, 41 * STEP])
  every = [branches.Branches(grid) for grid in (*grids, longer)]
  study = dataclasses.replace(_study(), experiments=tuple(every))
  found = _grown(study)
  assert len(found) == 2
  assert [len(grown) for _, grown in found] == [2, 2]


def test_branches_are_of_a_grid():
  with pytest.raises(errors.UserError, match='must be @Grid'):
    branches.Branches([PYTHON])


def _state(plan, folder):
  mesh = mesh_lib.make(execution.AUTOMATIC.mesh)
  abstract = step_lib.abstract_state(plan.model, plan.optimizer, mesh)
  return checkpoint.restore(folder / 'checkpoints', plan.num_steps, abstract)


@pytest.mark.slow
def test_a_branch_of_a_study_ends_bit_equal_to_a_run_from_scratch(
  finished, tmp_path
):
  shards_dir = json.loads(
    next((finished.study / 'runs').glob('*/run.json')).read_text()
  )['plan']['shards_dir']
  run = dataclasses.replace(
    RUN, shards_dir=str(finished.folder / shards_dir), eval_sequences=2
  )
  grid = experiments.Grid([PYTHON], [SMALL], [5 * STEP, 10 * STEP])
  study = dataclasses.replace(_study(run, grid), study_dir=str(tmp_path))
  ((trunk, grown),) = _grown(study)
  runs = [(r.plan, str(tmp_path / 'runs' / r.run_id)) for r in (trunk, *grown)]
  checking.check_all(runs)
  for plan, folder in runs:
    loop.train(plan, folder)
  plan, folder = runs[1]
  whole = dataclasses.replace(plan, initial=None)
  loop.train(whole, tmp_path / 'whole')
  jax.tree.map(
    np.testing.assert_array_equal,
    _state(plan, storage.path(folder)),
    _state(whole, tmp_path / 'whole'),
  )
