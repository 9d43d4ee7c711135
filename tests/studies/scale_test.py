import dataclasses

import hypothesis
from hypothesis import strategies
import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw.planning import ladder
from codelaw.studies import experiments
from codelaw.studies import scale
from codelaw.studies import sweep
from codelaw.studies import variants

MEANT = tuple(
  accounting.ModelShape(64_000, width, 4, 4, 64, 4 * width)
  for width in (256, 512, 1024)
)
SMALL = tuple(
  accounting.ModelShape(300, width, 1, 1, 8, 16) for width in (8, 12, 16)
)
TEXT, CODE, BOTH = (
  records.MixtureRates(rates)
  for rates in ({'text': 1}, {'code': 1}, {'text': 1, 'code': 3})
)


def _leg(
  name: str, tokens: int, mixture: records.MixtureRates, warmup: int = 0
) -> variants.VariantStage:
  stage = records.Stage(name, mixture, 1.0, 'linear', 1.0, 0.1)
  return variants.VariantStage(stage, tokens, warmup)


def _study(**changes) -> sweep.StudyPlan:
  stages = (
    records.Stage('main', BOTH, 4),
    records.Stage('cooldown', BOTH, 1, 'linear', 1.0, 0.0),
  )
  start = _leg('pretrain', 2_000_000_000, CODE, 100_000_000)
  values = {
    'name': 'test',
    'study_dir': 'study',
    'generated_dir': 'generated',
    'run': records.RunPlan(
      model=MEANT[2],
      schedule=records.Schedule(stages, warmup_tokens=100_000_000),
      optimizer=records.OptimizerSettings(1e-3),
      shards_dir='shards',
      num_tokens=4_000_000_000,
      sequence_length=32,
      batch_size=4,
      seed=7,
      target_tokens=8_000_000_000,
    ),
    'experiments': [
      experiments.Grid(['text', 'code'], MEANT, [1_000_000_000, 2_000_000_000]),
      experiments.Pairs(['text', 'code'], MEANT[1], 2_000_000_000, seeds=2),
      experiments.Mixtures([BOTH], MEANT[0], 3_000_000_000),
      variants.Variants(
        [
          variants.Variant('short', [start]),
          variants.Variant('long', [start, _leg('end', 1_000_000_000, TEXT)]),
        ],
        MEANT[:2],
      ),
    ],
  }
  return sweep.StudyPlan(**{**values, **changes})


def _structure(study: sweep.StudyPlan) -> list[tuple]:
  """Everything of a study's runs but sizes, tokens and names."""
  runs = sweep.planned_runs(study)
  numbers = {run.run_id: number for number, run in enumerate(runs)}
  sizes = sorted({accounting.num_params(r.plan.model) for r in runs})
  return [
    (
      sizes.index(accounting.num_params(run.plan.model)),
      run.purposes,
      run.variants,
      run.plan.schedule.stages,
      run.plan.seed,
      numbers.get(sweep.earlier_run_id(run.plan)),
      run.plan.initial and run.plan.initial.optimizer_state,
    )
    for run in runs
  ]


@hypothesis.given(
  factor=strategies.floats(1e-6, 10),
  batch_size=strategies.integers(1, 8),
  sequence_length=strategies.sampled_from([16, 128, 512]),
)
@hypothesis.settings(max_examples=25, deadline=None)
def test_a_study_made_small_keeps_its_structure(
  factor, batch_size, sequence_length
):
  meant = _study()
  run = dataclasses.replace(
    meant.run, batch_size=batch_size, sequence_length=sequence_length
  )
  hypothesis.assume(
    factor * 1_000_000_000 > batch_size * sequence_length  # runs stay apart
  )
  small = _study(
    run=run, scale=scale.Scale(factor, SMALL), sizing=ladder.LearningRateRule(1)
  )
  assert _structure(small) == _structure(meant)


def test_models_and_tokens_are_those_of_the_scale():
  study = _study(scale=scale.Scale(2e-6, SMALL))
  by_size = dict(zip(SMALL, MEANT, strict=True))
  runs = {
    (by_size[run.plan.model], tuple(run.plan.schedule.sources), run.purposes)
    for run in sweep.planned_runs(study)
  }
  assert runs == {
    (run.plan.model, tuple(run.plan.schedule.sources), run.purposes)
    for run in sweep.planned_runs(_study())
  }
  tokens = {run.plan.num_tokens for run in sweep.planned_runs(study)}
  # 2,000, 4,000 and 6,000 in batches of 128.
  assert tokens == {16 * 128, 31 * 128, 47 * 128}
  warmups = {
    run.plan.schedule.warmup_tokens for run in sweep.planned_runs(study)
  }
  assert warmups == {200, 0}
  final = sweep.final_run(study)
  assert final.model == SMALL[2]
  assert final.num_tokens == 62 * 128
  assert final.target_tokens == 16_000


def test_a_sizing_of_the_scale_counts_for_the_small_models_alone():
  sizing = ladder.LearningRateRule(1.0)
  study = _study(
    sizing=sizing,
    scale=scale.Scale(1e-5, SMALL, ladder.LearningRateRule(0.16)),
  )
  for run in (*sweep.planned_runs(study), None):
    plan = run.plan if run else sweep.final_run(study)
    peak = plan.optimizer.peak_learning_rate
    assert peak == pytest.approx(0.16 / plan.model.width)
  kept = _study(sizing=sizing, scale=scale.Scale(1e-5, SMALL))
  assert sweep.final_run(kept).optimizer.peak_learning_rate == 1 / 16


def test_a_run_has_at_least_one_step():
  run = dataclasses.replace(
    _study().run, schedule=records.Schedule((records.Stage('main', BOTH),))
  )
  mixtures = experiments.Mixtures([BOTH], MEANT[0], 3_000_000_000)
  study = _study(
    run=run, experiments=[mixtures], scale=scale.Scale(1e-12, SMALL)
  )
  (found,) = sweep.planned_runs(study)
  assert found.plan.num_tokens == 128


def test_runs_that_a_scale_makes_equal_are_refused():
  study = _study(
    experiments=[
      experiments.Grid(['text'], MEANT[:1], [1_000_000_000, 1_010_000_000])
    ],
    scale=scale.Scale(1e-6, SMALL),
  )
  with pytest.raises(errors.UserError, match='leaves 1 different runs of 2'):
    sweep.planned_runs(study)


def test_the_smallest_models_of_a_scale_are_taken_in_order_of_size():
  (run,) = sweep.planned_runs(
    _study(
      run=dataclasses.replace(_study().run, model=MEANT[0]),
      experiments=[experiments.Mixtures([BOTH], MEANT[0], 3_000_000_000)],
      scale=scale.Scale(1e-5, SMALL[::-1]),
    )
  )
  assert run.plan.model == SMALL[0]


def test_the_model_of_the_allocation_is_one_of_the_study():
  mixtures = experiments.Mixtures([BOTH], MEANT[0], 3_000_000_000)
  study = _study(experiments=[mixtures], scale=scale.Scale(1e-5, SMALL))
  assert sweep.final_run(study).model == SMALL[1]
  study = _study(experiments=[mixtures], scale=scale.Scale(1e-5, SMALL[:1]))
  with pytest.raises(errors.UserError, match='1 different models for the 2'):
    sweep.planned_runs(study)


def test_a_scale_has_a_model_for_each_of_the_study():
  for models in (SMALL[:2], (SMALL[0], SMALL[1], SMALL[1])):
    study = _study(scale=scale.Scale(1e-5, models))
    with pytest.raises(errors.UserError, match='2 different models for the 3'):
      sweep.planned_runs(study)


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ((0, SMALL), 'positive number'),
    ((float('inf'), SMALL), 'positive number'),
    ((True, SMALL), 'positive number'),
    ((0.1, ()), 'must be a list'),
    ((0.1, ('sequential_14k',)), 'must be a list'),
  ],
)
def test_scales_that_say_nothing_are_refused(arguments, message):
  with pytest.raises(errors.UserError, match=message):
    scale.Scale(*arguments)
