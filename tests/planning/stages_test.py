"""Rates per stage: totals of the law, limits of each stage, recency, gin."""

import argparse
import json

import numpy as np
import pytest

from codelaw import errors
from codelaw.cli import train
from codelaw.planning import allocation
from codelaw.planning import choosing
from codelaw.planning import limits
from codelaw.planning import mixture_gin
from codelaw.planning import space
from tests.planning import planted

_MAIN = space.StageLimits('main', token_weight=0.9)
_COOLDOWN = space.StageLimits('cooldown', token_weight=0.1)
_B = {'code/c': 300.0, 'code/java': 900.0, 'code/python': 500.0}


def _allocate(make_fit, *stages, supply=None, spread=0.0, **fields):
  return choosing.allocate(
    planted.separate(make_fit, _B, spread=spread),
    **planted.SIZE,
    supply=supply,
    settings=allocation.AllocationSettings(stages=stages, **fields),
  )


def _rates(found, name):
  return np.array(list(found.stages[name].rates.values()))


def _totals(found):
  return sum(
    stage.token_share * _rates(found, name)
    for name, stage in found.stages.items()
  )


def _optimum():
  parts = np.array(list(_B.values())) ** (1 / 1.3)
  return parts / parts.sum()


def test_without_limits_of_their_own_stages_are_alike(make_fit):
  found = _allocate(make_fit, _MAIN, _COOLDOWN)
  for name in found.stages:
    assert _rates(found, name) == pytest.approx(_optimum(), abs=1e-5)
  assert planted.has(found, 'know the shares of a whole run and not when')
  assert found.optimality_residual < 1e-5


def test_limits_of_a_stage_move_the_other_one_and_keep_the_totals(make_fit):
  cooldown = space.StageLimits(
    'cooldown', token_weight=0.1, floors={'code/python': 0.6}
  )
  found = _allocate(make_fit, _MAIN, cooldown)
  assert _totals(found) == pytest.approx(_optimum(), abs=1e-5)
  assert list(found.rates.values()) == pytest.approx(_totals(found), abs=1e-9)
  assert found.stages['cooldown'].rates['code/python'] == pytest.approx(0.6)
  # As alike as the floor allows: for given totals the difference d of the two
  # is least in sum of squares, so what python takes, the others lose alike.
  differences = _rates(found, 'cooldown') - _rates(found, 'main')
  assert differences[0] == pytest.approx(differences[1], abs=1e-5)
  free = _allocate(make_fit, _MAIN, _COOLDOWN)
  assert found.objective == pytest.approx(free.objective, abs=1e-9)


def test_limits_that_bind_the_totals_cost_loss_and_meet_the_conditions(
  make_fit,
):
  main = space.StageLimits(
    'main', token_weight=0.9, ceilings={'code/java': 0.0}
  )
  found = _allocate(make_fit, main, _COOLDOWN)
  # All of the cooldown goes to java, which could use more.
  assert found.stages['cooldown'].rates['code/java'] == pytest.approx(
    1, abs=1e-6
  )
  assert found.rates['code/java'] == pytest.approx(0.1, abs=1e-6)
  parts = np.array([300.0, 500.0]) ** (1 / 1.3)
  assert found.rates['code/c'] == pytest.approx(
    0.9 * parts[0] / parts.sum(), abs=1e-5
  )
  assert found.optimality_residual < 1e-5
  assert found.objective > _allocate(make_fit, _MAIN, _COOLDOWN).objective


def test_supply_counts_over_the_whole_run(make_fit):
  floor = space.StageLimits(
    'cooldown', token_weight=0.1, floors={'code/java': 0.5}
  )
  found = _allocate(make_fit, _MAIN, floor, supply={'code/java': 2e6})
  # 2e6 tokens four times are 0.08 of 1e8; the cooldown must have 0.05 of it.
  most = 0.08 * limits.SUPPLY_USED
  assert found.rates['code/java'] == pytest.approx(most, abs=1e-8)
  assert found.sources['code/java'].epochs == pytest.approx(
    4 * limits.SUPPLY_USED
  )
  assert found.stages['cooldown'].rates['code/java'] >= 0.5 - 1e-9
  assert found.optimality_residual < 1e-5


def test_floors_of_the_run_hold_across_stages(make_fit):
  main = space.StageLimits('main', token_weight=0.9, ceilings={'code/c': 0.3})
  found = _allocate(make_fit, main, _COOLDOWN, floors={'code/c': 0.35})
  # .9 * .3 + .1 * .8.
  assert found.rates['code/c'] == pytest.approx(0.35, abs=1e-8)
  assert found.stages['main'].rates['code/c'] == pytest.approx(0.3, abs=1e-6)
  assert found.stages['cooldown'].rates['code/c'] == pytest.approx(
    0.8, abs=1e-6
  )


def test_recency_makes_the_cooldown_count_for_more(make_fit):
  cooldown = space.StageLimits(
    'cooldown', token_weight=0.1, recency=3.0, floors={'code/python': 0.9}
  )
  found = _allocate(make_fit, _MAIN, cooldown)
  counted = np.array([0.9, 0.3])
  effective = counted @ [_rates(found, 'main'), _rates(found, 'cooldown')] / 1.2
  assert effective == pytest.approx(_optimum(), abs=1e-5)
  # The tokens are not the shares that the law sees any more.
  assert np.abs(_totals(found) - _optimum()).max() > 0.01
  assert not planted.has(found, 'not when its tokens come')


def test_three_stages_and_bands(make_fit):
  middle = space.StageLimits(
    'middle', token_weight=0.4, ceilings={'code/java': 0.2}
  )
  main = space.StageLimits('main', token_weight=0.5)
  found = _allocate(
    make_fit, main, middle, _COOLDOWN, spread=0.02, num_bootstraps=10
  )
  assert _totals(found) == pytest.approx(_optimum(), abs=1e-5)
  for stage in found.stages.values():
    assert sum(stage.rates.values()) == pytest.approx(1, abs=1e-8)
    for source, rate in stage.rates.items():
      assert stage.low[source] - 1e-6 <= rate <= stage.high[source] + 1e-6
  content = json.loads(json.dumps(allocation.to_json(found)))
  assert allocation.from_json(content) == found


def test_stages_of_a_budget(make_fit):
  cooldown = space.StageLimits(
    'cooldown', token_weight=0.1, floors={'code/python': 0.6}
  )
  fits = planted.separate(make_fit, _B)
  plain = choosing.allocate_budget(fits, flop_budget=1e15)
  found = choosing.allocate_budget(
    fits,
    flop_budget=1e15,
    settings=allocation.AllocationSettings(stages=(_MAIN, cooldown)),
  )
  assert found.num_params == pytest.approx(plain.num_params, rel=1e-3)
  assert found.rates == pytest.approx(plain.rates, abs=1e-4)


@pytest.mark.parametrize(
  ('stages', 'message'),
  [
    (
      (
        space.StageLimits('main', ceilings={s: 0.2 for s in _B}),
        _COOLDOWN,
      ),
      'sum to 0.6',
    ),
    (
      (
        space.StageLimits('main', 0.9, floors={'code/c': 0.9}),
        space.StageLimits('cooldown', 0.1, floors={'code/rust': 0.9}),
      ),
      'code/rust',
    ),
    ((_MAIN, _MAIN), 'different names'),
  ],
)
def test_stages_that_leave_no_rates_are_errors(make_fit, stages, message):
  with pytest.raises(errors.UserError, match=message):
    _allocate(make_fit, *stages)


def test_limits_that_only_clash_together_are_an_error(make_fit):
  main = space.StageLimits('main', 0.9, floors={'code/c': 0.5})
  with pytest.raises(errors.UserError, match='No rates meet the limits'):
    _allocate(make_fit, main, _COOLDOWN, supply={'code/c': 1e7})


@pytest.mark.parametrize('fields', [{'token_weight': 0}, {'recency': -1}])
def test_weights_are_positive(fields):
  with pytest.raises(errors.UserError, match='positive'):
    space.StageLimits('main', **fields)


def test_the_gin_file_builds_the_stages_of_a_run(make_fit, tmp_path):
  cooldown = space.StageLimits(
    'cooldown', token_weight=0.1, floors={'code/python': 0.6}
  )
  found = _allocate(make_fit, _MAIN, cooldown)
  text = mixture_gin.mixture_gin(found, 'codelaw allocate')
  assert text.startswith('#')
  assert 'Schedule.warmup' not in text
  file = tmp_path / 'stages.gin'
  file.write_text(text)
  plan = _load(tmp_path, file)
  assert plan.schedule.warmup_fraction == 0.05
  stages = plan.schedule.stages
  assert [stage.name for stage in stages] == ['main', 'cooldown']
  assert [stage.token_weight for stage in stages] == pytest.approx([0.9, 0.1])
  for stage in stages:
    assert stage.mixture.rates == pytest.approx(
      found.stages[stage.name].rates, abs=1e-4
    )
  assert stages[1].mixture.rates['code/python'] >= 0.6
  assert [stage.end_factor for stage in stages] == [1.0, 0.0]


def test_the_gin_file_of_one_mixture_builds_a_run(make_fit, tmp_path):
  found = _allocate(make_fit)
  file = tmp_path / 'rates.gin'
  file.write_text(mixture_gin.mixture_gin(found, 'codelaw allocate'))
  plan = _load(tmp_path, file)
  for stage in plan.schedule.stages:
    assert stage.mixture.rates == mixture_gin.rounded_rates(found.sources)


def _load(folder, file):
  """The plan that `codelaw train` builds from a run and then `file`."""
  bindings = {
    'MODEL': '@sequential_108k/ModelShape()',
    'SHARDS_DIR': f"'{folder}/shards'",
    'MODEL_DIR': f"'{folder}/run'",
    'TRAIN_TOKENS': '100000',
    'PEAK_LEARNING_RATE': '0.01',
  }
  args = argparse.Namespace(
    gin_file=[
      'models/sequential_108k.gin',
      'mixtures/python_only.gin',
      'schedules/wsd.gin',
      'runs/pretrain.gin',
      str(file),
    ],
    gin_search_paths=[],
    gin_bindings=[f'{name} = {value}' for name, value in bindings.items()],
  )
  (settings,) = train.load(args)
  return settings.plan
