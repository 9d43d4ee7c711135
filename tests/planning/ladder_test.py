"""Learning-rate rule, token budgets and run names."""

import dataclasses
import re

import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw.planning import ladder


def _plan(**changes):
  plan = records.RunPlan(
    model=accounting.ModelShape(64, 16, 1, 2, 8, 32),
    schedule=records.Schedule(
      stages=(
        records.Stage('main', records.MixtureRates({'code/python': 1.0})),
      )
    ),
    optimizer=records.OptimizerSettings(peak_learning_rate=0.01),
    shards_dir='shards',
    num_tokens=2_100_000,
    sequence_length=64,
    batch_size=8,
  )
  return dataclasses.replace(plan, **changes)


def test_the_rate_halves_when_the_width_doubles():
  rule = ladder.LearningRateRule(coefficient=0.5)
  assert rule.peak(64) == 0.5 / 64
  assert rule.peak(128) == rule.peak(64) / 2


def test_exponent_zero_is_one_rate_for_all():
  rule = ladder.LearningRateRule(coefficient=0.003, exponent=0)
  assert rule.peak(16) == rule.peak(4096) == 0.003


@pytest.mark.parametrize(
  'fields',
  [
    {'coefficient': 0},
    {'coefficient': -1},
    {'coefficient': float('nan')},
    {'coefficient': '0.1'},
    {'coefficient': 1, 'exponent': -0.5},
  ],
)
def test_a_bad_rule_is_refused(fields):
  with pytest.raises(errors.UserError, match='LearningRateRule'):
    ladder.LearningRateRule(**fields)


def test_a_run_id_is_readable_and_safe():
  name = ladder.run_id('single', '20k', _plan())
  assert re.fullmatch(r'single-20k-2\.1M-code_python-s0-[0-9a-f]{8}', name)


def test_every_part_of_a_plan_but_its_folder_shows_in_the_run_id():
  name = ladder.run_id('single', '20k', _plan())
  assert ladder.run_id('single', '20k', _plan(shards_dir='elsewhere')) == name
  others = [
    _plan(seed=1),
    _plan(num_tokens=2_100_001),
    _plan(optimizer=records.OptimizerSettings(0.02)),
    _plan(max_epochs=2.0),
  ]
  names = [ladder.run_id('single', '20k', plan) for plan in others]
  assert len({name, *names}) == 5


def test_a_long_mixture_is_named_by_its_size():
  rates = {f'code/language-number-{i}': 1.0 for i in range(9)}
  schedule = records.Schedule(
    stages=(records.Stage('main', records.MixtureRates(rates)),)
  )
  name = ladder.run_id('mixture', '20k', _plan(schedule=schedule))
  assert '-mix9-' in name
