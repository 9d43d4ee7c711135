import dataclasses

import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw.planning import ladder
from codelaw.studies import experiments
from codelaw.studies import variants

SMALL = accounting.ModelShape(300, 8, 1, 1, 8, 16)
LARGE = accounting.ModelShape(300, 16, 1, 1, 8, 16)
TEXT = records.MixtureRates({'text': 1})
CODE = records.MixtureRates({'code': 1})
MOSTLY_TEXT = records.MixtureRates({'text': 9, 'code': 1})

PATTERN = experiments.Pattern(
  records.RunPlan(
    model=LARGE,
    schedule=records.Schedule((records.Stage('main', TEXT),)),
    optimizer=records.OptimizerSettings(1e-2),
    shards_dir='shards',
    num_tokens=4096,
    sequence_length=32,
    batch_size=2,
    seed=3,
  ),
  None,
  'study/runs',
)

PRETRAIN = variants.VariantStage(
  records.Stage('pretrain', CODE, 7.0, 'cosine', 1.0, 0.3), 4096, 256
)
CONTINUED = variants.VariantStage(
  records.Stage('continued', MOSTLY_TEXT, 1.0, 'constant', 0.3, 0.3),
  2048,
  optimizer_state=False,
)
COOLDOWN = variants.VariantStage(
  records.Stage('cooldown', MOSTLY_TEXT, 1.0, 'linear', 0.3, 0.0), 1024
)
LONG = variants.Variant('code->text, cooldown', [PRETRAIN, CONTINUED, COOLDOWN])
UNCOOLED = variants.Variant('code->text', [PRETRAIN, CONTINUED])


def _runs(*ways, models=(SMALL,), seeds=1):
  return list(variants.Variants(ways, models, seeds).runs(PATTERN))


def test_a_variant_is_a_chain_of_runs():
  first, second, third = _runs(LONG)
  assert first.plan.initial is None
  assert second.plan.initial == records.InitialCheckpoint(
    f'study/runs/{first.run_id}', optimizer_state=False
  )
  assert third.plan.initial == records.InitialCheckpoint(
    f'study/runs/{second.run_id}', optimizer_state=True
  )
  assert [r.plan.num_tokens for r in (first, second, third)] == [
    *(4096, 2048, 1024)
  ]
  assert [r.plan.schedule.warmup_tokens for r in (first, second, third)] == [
    *(256, 0, 0)
  ]
  assert first.plan.schedule.stages == (
    records.Stage('pretrain', CODE, 1.0, 'cosine', 1.0, 0.3),
  )
  assert second.plan.schedule.stages == (CONTINUED.stage,)
  assert third.plan.schedule.stages == (COOLDOWN.stage,)
  assert {r.plan.seed for r in (first, second, third)} == {3}


def test_variants_may_start_from_a_run_outside_the_study():
  start = records.InitialCheckpoint('elsewhere', 7)
  run = dataclasses.replace(PATTERN.run, initial=start)
  ways = variants.Variants([LONG], [SMALL])
  first, second, _ = ways.runs(dataclasses.replace(PATTERN, run=run))
  assert first.plan.initial == start
  assert second.plan.initial.model_dir == f'study/runs/{first.run_id}'
  assert second.plan.initial.step is None


def test_only_the_last_run_of_a_variant_is_compared():
  runs = _runs(LONG)
  assert [run.variants for run in runs] == [(), (), (LONG.name,)]
  assert [run.purposes for run in runs] == [
    ('stage',),
    ('stage',),
    ('variant',),
  ]
  assert [run.is_result for run in runs] == [False, False, True]


def test_variants_that_begin_alike_share_their_beginning():
  ids = [run.run_id for run in _runs(LONG, UNCOOLED)]
  assert ids[3:] == ids[:2]
  assert len(set(ids)) == 3


def test_stages_that_go_on_from_different_runs_are_different_runs():
  other = variants.Variant(
    'text',
    [variants.VariantStage(records.Stage('pretrain', TEXT), 4096), COOLDOWN],
  )
  straight = variants.Variant('code', [PRETRAIN, COOLDOWN])
  cooldowns = [run for run in _runs(other, straight) if run.variants]
  assert len({run.run_id for run in cooldowns}) == 2


def test_every_model_and_seed_has_chains_of_its_own():
  runs = _runs(LONG, models=(SMALL, LARGE), seeds=2)
  assert len({run.run_id for run in runs}) == 2 * 2 * 3
  places = {run.run_id: run for run in runs}
  for run in runs:
    if run.plan.initial is not None:
      before = places[run.plan.initial.model_dir.rpartition('/')[2]]
      assert before.plan.model == run.plan.model
      assert before.plan.seed == run.plan.seed
  assert {run.plan.seed for run in runs} == {3, 4}


def test_runs_are_compared_model_by_model_and_seed_by_seed():
  ways = variants.Variants(
    (LONG, UNCOOLED), (LARGE, SMALL), 2, 'ways', baseline=UNCOOLED.name
  )
  runs = {run.run_id: run for run in ways.runs(PATTERN)}
  found = list(ways.comparisons(PATTERN))
  assert [one.name for one in found] == [
    f'ways, {ladder.size_name(model)} parameters' for model in (LARGE, SMALL)
  ]
  for one, model in zip(found, (LARGE, SMALL), strict=True):
    assert one.baseline == UNCOOLED.name
    assert list(one.variants) == [LONG.name, UNCOOLED.name]
    for name, ids in one.variants.items():
      assert [runs[i].plan.seed for i in ids] == [3, 4]
      assert {runs[i].plan.model for i in ids} == {model}
      last = LONG if name == LONG.name else UNCOOLED
      assert {runs[i].plan.num_tokens for i in ids} == {
        last.stages[-1].num_tokens
      }
  (first,) = variants.Variants([LONG], [SMALL]).comparisons(PATTERN)
  assert first.baseline == LONG.name


@pytest.mark.parametrize(
  ('kind', 'arguments', 'message'),
  [
    (variants.Variants, ([], [SMALL]), 'must be a list'),
    (variants.Variants, ([LONG], []), 'must be a list'),
    (variants.Variants, ([LONG], [SMALL], 0), 'at least 1'),
    (variants.Variants, ([LONG, LONG], [SMALL]), 'different names'),
    (variants.Variants, ([LONG], [SMALL], 1, 'x', 'other'), 'must be one of'),
    (variants.Variants, (['x'], [SMALL]), r"list of @Variant\(\), got 'x'"),
    (variants.Variants, ([LONG], [3]), r'list of @ModelShape\(\), got 3'),
    (variants.Variants, ([LONG], [SMALL, SMALL]), 'must be different'),
    (variants.Variant, ('text', ['x']), r"list of @VariantStage\(\), got 'x'"),
    (variants.Variant, ('', [PRETRAIN]), 'must name'),
    (variants.Variant, ('text', []), 'must be a list'),
    (variants.VariantStage, (TEXT, 1024), 'must be @Stage'),
  ],
)
def test_variants_of_nothing_are_refused(kind, arguments, message):
  with pytest.raises(errors.UserError, match=message):
    kind(*arguments)
