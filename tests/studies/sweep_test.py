import dataclasses

import pandas as pd
import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw import size_rules
from codelaw.corpora import deduplication
from codelaw.corpora import plan as plan_lib
from codelaw.corpora.synthetic import reader
from codelaw.data import shards
from codelaw.laws import fitting
from codelaw.planning import allocation
from codelaw.planning import ladder
from codelaw.studies import analysis
from codelaw.studies import experiments
from codelaw.studies import sweep
from codelaw.studies import variants

SMALL = accounting.ModelShape(300, 8, 1, 1, 8, 16)
LARGE = accounting.ModelShape(300, 16, 1, 1, 8, 16)

GRID = experiments.Grid(['a', 'b'], [SMALL, LARGE], [1024, 2048])


def _study(**changes) -> sweep.StudyPlan:
  mixture = records.MixtureRates({'a': 1, 'b': 1, 'c': 2})
  stages = (
    records.Stage('main', mixture, 4),
    records.Stage('cooldown', mixture, 1, 'linear', 1.0, 0.0),
  )
  values = {
    'name': 'test',
    'study_dir': 'study',
    'generated_dir': 'generated',
    'corpus': plan_lib.CorpusPlan(
      [reader.SyntheticPrograms(5)], 'corpus', deduplication.Deduplication()
    ),
    'shards': shards.CachePlan('corpus', 'shards', 300, 32),
    'run': records.RunPlan(
      model=LARGE,
      schedule=records.Schedule(stages),
      optimizer=records.OptimizerSettings(1.0),
      shards_dir='shards',
      num_tokens=4096,
      sequence_length=32,
      batch_size=2,
      seed=7,
    ),
    'experiments': [
      GRID,
      experiments.Pairs(['a', 'b', 'c'], SMALL, 2048),
      experiments.Mixtures([mixture], SMALL, 2048),
    ],
    'sizing': ladder.LearningRateRule(0.16),
    'target_sources': ['a', 'b'],
    'allocation': allocation.AllocationSettings(),
    'confirmation_seeds': 2,
  }
  return sweep.StudyPlan(**{**values, **changes})


def _shares(run: experiments.PlannedRun) -> dict[str, float]:
  first, *others = [s.mixture.shares() for s in run.plan.schedule.stages]
  assert all(other == first for other in others)
  return first


def test_runs_of_a_sweep_have_one_mixture_from_start_to_end():
  study_plan = _study()
  stage = dataclasses.replace(
    study_plan.run.schedule.stages[0],
    end_mixture=records.MixtureRates({'b': 1, 'c': 1}),
  )
  moving = dataclasses.replace(
    study_plan.run, schedule=records.Schedule((stage,))
  )
  for run in sweep.planned_runs(_study(run=moving)):
    assert run.plan.schedule.stages[0].end_mixture is None


def test_the_sweep_is_grid_pairs_and_mixtures_each_once():
  runs = sweep.planned_runs(_study())
  assert len({run.run_id for run in runs}) == len(runs)
  # Grid 2 x 2 x 2; of the references of the pairs only c alone is not in it.
  assert len(runs) == 8 + 1 + 3 + 1
  by_purpose = {
    purpose: [_shares(run) for run in runs if purpose in run.purposes]
    for purpose in ('single', 'pair', 'mixture')
  }
  assert len(by_purpose['single']) == 8
  halves = [shares for shares in by_purpose['pair'] if len(shares) == 2]
  assert sorted(map(tuple, halves)) == [('a', 'b'), ('a', 'c'), ('b', 'c')]
  assert all(set(shares.values()) == {0.5} for shares in halves)
  alone = [shares for shares in by_purpose['pair'] if len(shares) == 1]
  assert sorted(map(tuple, alone)) == [('a',), ('b',), ('c',)]
  assert by_purpose['mixture'] == [{'a': 0.25, 'b': 0.25, 'c': 0.5}]


def test_a_mixture_that_is_there_twice_has_two_seeds():
  one, other = (records.MixtureRates({'a': n, 'b': 1}) for n in (1, 2))
  listed = experiments.Mixtures([one, other, one, one], SMALL, 2048)
  runs = list(listed.runs(_study().pattern))
  assert len({run.run_id for run in runs}) == 4
  assert [(_shares(run)['a'], run.plan.seed) for run in runs] == [
    (0.5, 7),
    (pytest.approx(2 / 3), 7),
    (0.5, 8),
    (0.5, 9),
  ]


def test_repeated_pairs_have_seeds_of_their_own():
  once = sweep.planned_runs(_study())
  pairs = experiments.Pairs(['a', 'b', 'c'], SMALL, 2048, seeds=2)
  twice = sweep.planned_runs(_study(experiments=[*_study().experiments, pairs]))
  new = {r.run_id for r in twice} - {r.run_id for r in once}
  added = [run for run in twice if run.run_id in new]
  assert len(added) == 6
  assert {run.plan.seed for run in added} == {8}
  assert all(run.purposes == ('pair',) for run in added)


@pytest.mark.parametrize(
  ('purposes', 'is_result', 'is_for_laws'),
  [
    (('single',), True, True),
    (('trunk',), False, False),
    (('stage',), False, False),
    (('stage', 'variant'), True, False),
    (('variant',), True, False),
    (('mixture', 'variant'), True, True),
    (('pair',), True, True),
  ],
)
def test_laws_have_no_trunks_no_stages_and_no_variants(
  purposes, is_result, is_for_laws
):
  run = experiments.PlannedRun('run', purposes, _study().run)
  assert run.is_result == is_result
  assert run.is_for_laws == is_for_laws


def test_runs_of_several_experiments_are_for_all_of_them():
  mixture = records.MixtureRates({'a': 1})
  study = _study()
  leg = variants.VariantStage(study.run.schedule.stages[0], 2048)
  alone = dataclasses.replace(leg.stage, mixture=mixture, token_weight=1.0)
  leg = dataclasses.replace(leg, stage=alone)
  later = variants.VariantStage(dataclasses.replace(alone, name='later'), 2048)
  run = dataclasses.replace(study.run, schedule=records.Schedule((alone,)))
  runs = sweep.planned_runs(
    _study(
      run=run,
      experiments=[
        experiments.Grid(['a'], [SMALL], [2048]),
        variants.Variants([variants.Variant('short', [leg])], [SMALL]),
        variants.Variants([variants.Variant('long', [leg, later])], [SMALL]),
        variants.Variants([variants.Variant('again', [leg])], [SMALL]),
      ],
    )
  )
  first, last = runs
  assert first.purposes == ('single', 'stage', 'variant')
  assert first.variants == ('again', 'short')
  assert last.variants == ('long',)
  assert sweep.earlier_run_id(last.plan) == first.run_id
  names = [
    one.variants
    for one in sweep.comparisons(
      _study(
        run=run,
        experiments=[
          variants.Variants([variants.Variant('short', [leg])], [SMALL]),
          variants.Variants([variants.Variant('long', [leg, later])], [SMALL]),
        ],
      )
    )
  ]
  assert [list(each) for each in names] == [['short'], ['long']]


def test_models_come_largest_first_and_learn_at_their_own_rate():
  runs = sweep.planned_runs(_study())
  sizes = [accounting.num_params(run.plan.model) for run in runs]
  assert sizes == sorted(sizes, reverse=True)
  rates = {
    run.plan.model.width: run.plan.optimizer.peak_learning_rate for run in runs
  }
  assert rates == {8: 0.02, 16: 0.01}


def test_arms_differ_in_their_mixture_alone():
  rates = {
    'uniform': records.MixtureRates({'a': 1, 'b': 1}),
    'allocated': records.MixtureRates({'a': 3, 'b': 1}),
  }
  pairs = experiments.Pairs(['a', 'b', 'c'], SMALL, 2048, seeds=2)
  study = _study(confirmation_seeds=3, experiments=[pairs])
  arms = sweep.confirmation_runs(study, rates)
  sweep_seeds = {run.plan.seed for run in sweep.planned_runs(study)}
  for uniform, allocated in zip(*arms.values(), strict=True):
    assert uniform.plan.seed == allocated.plan.seed
    assert uniform.plan.seed not in sweep_seeds
    assert _shares(uniform) == {'a': 0.5, 'b': 0.5}
    assert _shares(allocated) == {'a': 0.75, 'b': 0.25}
    same = dataclasses.replace(uniform.plan, schedule=allocated.plan.schedule)
    assert same == allocated.plan
  assert uniform.plan.optimizer.peak_learning_rate == 0.01
  names = [run.run_id for arm in arms.values() for run in arm]
  assert len(set(names)) == 6


@pytest.mark.parametrize(
  'changes',
  [
    {'run': {'num_tokens': 8192}},
    {'run': {'model': SMALL}},
    {'fit': fitting.FitSettings(seed=1)},
    {'allocation': allocation.AllocationSettings(floors={'a': 0.1})},
    {'law': 'additive'},
    {'target_sources': ['a']},
    {'experiments': [GRID]},
  ],
)
def test_what_the_allocation_depends_on_makes_it_anew(changes):
  table = pd.DataFrame({'run_id': ['r'], 'loss/a': [1.0]})
  before = _study()
  if 'run' in changes:
    changes = {'run': dataclasses.replace(before.run, **changes['run'])}
  after = _study(**changes)
  keys = {analysis.analysis_key(each, 'm', table) for each in (before, after)}
  assert len(keys) == 2
  assert analysis.analysis_key(_study(), 'm', table) in keys
  assert analysis.analysis_key(before, 'other', table) not in keys
  assert analysis.analysis_key(before, 'm', table * 2) not in keys


@pytest.mark.parametrize(
  ('kind', 'arguments', 'message'),
  [
    (experiments.Grid, (['a'], [SMALL], 1024), 'must be a list'),
    (experiments.Grid, (['A B'], [SMALL], [1024]), 'lower case'),
    (experiments.Pairs, ([], SMALL, 1024), 'not empty'),
    (experiments.Pairs, (['a', 'b'], SMALL, 1024, 0), 'at least 1'),
    (experiments.Pairs, (['a'], SMALL, 1024), 'two different ones'),
    (experiments.Pairs, (['a', 'b', 'a'], SMALL, 1024), 'two different ones'),
    (experiments.Mixtures, ((), SMALL, 1024), 'not empty'),
  ],
)
def test_experiments_of_nothing_are_refused(kind, arguments, message):
  with pytest.raises(errors.UserError, match=message):
    kind(*arguments)


def test_sizes_may_follow_the_rules_of_deepseek():
  run = dataclasses.replace(_study().run, model=LARGE, num_tokens=2_000_000)
  exact = ladder.DeepSeekSizing().sized(run)
  rounded = ladder.DeepSeekSizing(4, power_of_two=True).sized(run)
  rules = (LARGE, 2_000_000, run.sequence_length)
  assert exact.batch_size == size_rules.deepseek_batch_size(*rules)
  peak = size_rules.deepseek_learning_rate(*rules)
  assert exact.optimizer.peak_learning_rate == peak
  assert rounded.optimizer.peak_learning_rate == peak
  assert rounded.batch_size.bit_count() == 1
  assert 0.7 < rounded.batch_size / exact.batch_size < 1.42
