import dataclasses
import json

from hypothesis import given
from hypothesis import strategies as st
import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw import storage

MODEL = accounting.ModelShape(32, 8, 1, 1, 8, 16)
MIXTURE = records.MixtureRates({'code/python': 3, 'markup': 1})


def _plan(**changes) -> records.RunPlan:
  values = {
    'model': MODEL,
    'schedule': records.Schedule(
      (
        records.Stage('main', MIXTURE, 0.8),
        records.Stage('cooldown', MIXTURE, 0.2, 'linear', 1.0, 0.0),
      ),
      warmup_fraction=0.1,
    ),
    'optimizer': records.OptimizerSettings(1e-3),
    'shards_dir': 'shards',
    'num_tokens': 1000,
    'sequence_length': 8,
    'batch_size': 4,
  }
  return records.RunPlan(**{**values, **changes})


@pytest.mark.parametrize(
  ('rates', 'message'),
  [
    ({}, 'at least one source'),
    ({'code/python': -1.0}, 'at least 0'),
    ({'code/python': float('nan')}, 'at least 0'),
    ({'code/python': True}, 'at least 0'),
    ({'code/python': 0.0}, 'positive, finite sum'),
    ({'Code Python': 1.0}, 'lower case'),
    (['code/python'], 'at least one source'),
  ],
)
def test_rates_that_cannot_be_shares_are_refused(rates, message):
  with pytest.raises(errors.UserError, match=message):
    records.MixtureRates(rates)


def test_shares_sum_to_one_and_leave_out_zero_rates():
  rates = records.MixtureRates({'a': 2, 'b': 6, 'c': 0})
  assert rates.shares() == {'a': 0.25, 'b': 0.75}


@given(
  st.lists(st.floats(0.01, 100), min_size=1, max_size=6),
  st.integers(1, 10**9),
)
def test_stage_ends_divide_the_total(weights, total):
  schedule = records.Schedule(
    tuple(
      records.Stage(f's{i}', MIXTURE, weight)
      for i, weight in enumerate(weights)
    )
  )
  ends = schedule.stage_ends(total)
  assert ends[-1] == total
  assert list(ends) == sorted(ends)
  cumulated = 0.0
  for end, weight in zip(ends, weights, strict=True):
    cumulated += weight
    # Half a unit of rounding, plus float error of the cumulated share.
    assert abs(end - total * cumulated / sum(weights)) <= 0.5 + 1e-6


def test_steps_are_tokens_rounded_to_whole_batches():
  assert _plan(num_tokens=1000).num_steps == 31  # 1000 / 32 = 31.25
  assert _plan(num_tokens=1).num_steps == 1
  assert _plan(num_tokens=1e4).num_tokens == 10_000
  assert _plan(num_tokens=1000).num_sequences == 124


@pytest.mark.parametrize(
  'changes',
  [
    {'num_tokens': 0},
    {'num_tokens': 2.5},
    {'batch_size': 0},
    {'seed': -1},
    {'max_epochs': 0},
    {'source_max_epochs': {'markup': 0}},
    {'source_max_epochs': 2.0},
    {'target_tokens': 999},
    {'target_tokens': 1000.5},
    {'target_tokens': True},
    {'shards_dir': ''},
    {'model': 'big'},
  ],
)
def test_impossible_plans_are_refused(changes):
  with pytest.raises(errors.UserError, match='RunPlan.'):
    _plan(**changes)


def test_impossible_stages_are_refused():
  with pytest.raises(errors.UserError, match='token_weight'):
    records.Stage('main', MIXTURE, 0.0)
  with pytest.raises(errors.UserError, match='learning_rate_shape'):
    records.Stage('main', MIXTURE, 1.0, 'sine')
  with pytest.raises(errors.UserError, match='constant learning rate'):
    records.Stage('main', MIXTURE, 1.0, 'constant', 1.0, 0.5)
  stage = records.Stage('main', MIXTURE)
  with pytest.raises(errors.UserError, match='different names'):
    records.Schedule((stage, stage))
  with pytest.raises(errors.UserError, match='warmup_fraction'):
    records.Schedule((stage,), warmup_fraction=1.0)
  with pytest.raises(errors.UserError, match='peak_learning_rate'):
    records.OptimizerSettings(0.0)


def _record() -> records.RunRecord:
  return records.RunRecord(
    run_id='r1',
    plan=_plan(),
    status='finished',
    step=31,
    num_params=3,
    num_params_no_embed=2,
    params_by_group={'mlp': 3},
    train_flops=1e9,
    flops_convention='words',
    planned_tokens={'code/python': 744, 'markup': 248},
    realised_tokens={'code/python': 744, 'markup': 248},
    stage_end_steps={'main': 24.75, 'cooldown': 31.0},
    manifest_fingerprint='m',
    tokenizer_fingerprint='t',
    code_revision='c',
    package_versions={'jax': '0'},
    hardware={'device': 'cpu'},
    wall_seconds=1.5,
  )


def test_a_run_record_survives_json(tmp_path):
  record = _record()
  records.write_run_record(tmp_path, record)
  assert records.read_run_record(tmp_path) == record
  content = json.loads((tmp_path / 'run.json').read_text())
  assert content['plan']['schedule']['stages'][1]['name'] == 'cooldown'


def test_a_run_record_of_an_older_version_has_no_scores(tmp_path):
  content = records.to_json(_record())
  del content['scores'], content['scores_step']
  storage.write_json(tmp_path / 'run.json', content)
  assert records.read_run_record(tmp_path) == _record()


def test_a_damaged_run_record_is_named(tmp_path):
  content = records.to_json(_record())
  content['plan']['batch_size'] = 'many'
  content['extra'] = 1
  with pytest.raises(errors.UserError, match=r'plan\.batch_size'):
    records.from_json(content, records.RunRecord)
  (tmp_path / 'run.json').write_text('{"run_id": ')
  with pytest.raises(errors.UserError, match='not valid JSON'):
    records.read_run_record(tmp_path)
  with pytest.raises(errors.UserError, match='status'):
    dataclasses.replace(_record(), status='done')


def test_first_step_and_tokens_seen_of_a_run_that_goes_on():
  record = _record()
  assert record.first_step == 0
  assert record.tokens_seen(record.realised_tokens) == record.realised_tokens
  for schedule in (False, True):
    start = records.InitialCheckpoint('earlier', schedule=schedule)
    after = dataclasses.replace(
      record,
      plan=_plan(initial=start),
      initial_step=5,
      inherited_tokens={'markup': 2, 'commits': 7},
    )
    assert after.first_step == (5 if schedule else 0)
    assert after.tokens_seen(after.realised_tokens) == {
      'code/python': 744,
      'commits': 7,
      'markup': 250,
    }


def test_sources_include_those_of_end_mixtures():
  end = records.MixtureRates({'commits': 1, 'markup': 0})
  stage = records.Stage('main', MIXTURE, end_mixture=end)
  assert stage.mixtures == (MIXTURE, end)
  assert records.Schedule((stage,)).sources == (
    'code/python',
    'commits',
    'markup',
  )
  assert records.Stage('main', MIXTURE).mixtures == (MIXTURE, MIXTURE)
  with pytest.raises(errors.UserError, match='end_mixture must be None or'):
    records.Stage('main', MIXTURE, end_mixture={'commits': 1})


def test_a_plan_of_an_older_version_is_read_with_defaults():
  plan = _plan()
  content = records.to_json(plan)
  for name in ('source_max_epochs', 'target_tokens'):
    del content[name]
  for stage in content['schedule']['stages']:
    del stage['end_mixture']
  assert records.from_json(content, records.RunPlan) == plan


def test_a_plan_with_everything_set_comes_back_from_json():
  stage = records.Stage(
    'main', MIXTURE, end_mixture=records.MixtureRates({'commits': 1})
  )
  plan = _plan(
    schedule=records.Schedule((stage,)),
    source_max_epochs={'markup': 2},
    target_tokens=2e9,
  )
  assert plan.target_tokens == 2_000_000_000
  assert isinstance(plan.target_tokens, int)
  content = json.loads(json.dumps(records.to_json(plan)))
  assert records.from_json(content, records.RunPlan) == plan
