import dataclasses

import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import execution
from codelaw import records
from codelaw.planning import allocation
from codelaw.studies import dry_run
from codelaw.studies import experiments
from codelaw.studies import sweep
from tests.studies import planned


def test_every_run_has_its_row_and_counts_once():
  found = dry_run.of_study(planned.study(), [planned.step()])
  runs = sweep.planned_runs(planned.study())
  assert [row.run for row in found.rows] == list(runs)
  assert found.total.runs == len(runs) == 6
  # Variants 4,096 + 2,048; a grid of 1,024 and 2,048 tokens, two models.
  assert found.total.tokens == 6144 + 2 * 3072
  flops = {
    model: accounting.train_flops_per_token(model, 32)
    for model in (planned.SMALL, planned.LARGE)
  }
  assert found.total.train_flops == pytest.approx(
    flops[planned.SMALL] * (6144 + 3072) + flops[planned.LARGE] * 3072
  )


def test_only_runs_on_slices_have_chip_hours():
  found = dry_run.of_study(planned.study(), [planned.step()])
  on_slices = [row for row in found.rows if row.where is not None]
  assert {row.plan.model for row in on_slices} == {planned.LARGE}
  # 3,072 tokens of 512 a step, 1 to 2 s of 8 chips.
  assert found.total.chip_hours == pytest.approx((48 / 3600, 96 / 3600))
  assert found.total.worker_hours is None
  assert found.by_model[planned.SMALL].chip_hours is None


def test_a_variant_is_told_with_all_that_it_starts_from():
  found = dry_run.of_study(planned.study(), [])
  totals = {
    name: (whole.runs, whole.tokens) for name, whole in found.by_variant.items()
  }
  assert totals == {'code': (1, 4096), 'code->both': (2, 6144)}
  purposes = {
    name: (whole.runs, whole.tokens) for name, whole in found.by_purpose.items()
  }
  assert purposes == {
    'stage': (1, 4096),
    'variant': (2, 6144),
    'single': (4, 6144),
  }
  models = {model: whole.runs for model, whole in found.by_model.items()}
  assert list(models.items()) == [(planned.SMALL, 4), (planned.LARGE, 2)]


def test_needs_are_those_of_the_run_that_draws_most():
  supply = {'code': 2304.0, 'text': 4096.0, 'unused': 1.0}
  found = dry_run.of_study(planned.study(supply=supply), [])
  code, text = found.needs
  assert code == dry_run.Need('code', 2304, 4608, 2.0, 4.0, 1152.0, 0)
  assert text == dry_run.Need('text', 4096, 2048, 0.5, 4.0, 512.0, 0)
  endless = dry_run.of_study(planned.study(), []).needs[0]
  assert endless == dataclasses.replace(code, supply=None, epochs=None)


def test_what_the_corpus_cannot_supply_is_shown_and_refused():
  study = planned.study(supply={'code': 1024, 'text': 4096})
  found = dry_run.of_study(study, [])
  assert [need.refused for need in found.needs] == [1, 0]
  with pytest.raises(errors.UserError, match='cannot supply 1 of 6 runs'):
    found.check()


def test_what_does_not_fit_its_slice_is_refused():
  step = planned.step(best_seconds=None, worst_seconds=None, hbm_gib=17.0)
  found = dry_run.of_study(planned.study(), [step])
  assert found.total.chip_hours is None
  with pytest.raises(errors.UserError, match=r'v5e:2x4 \(17\.0 GiB a chip\)'):
    found.check()
  dry_run.of_study(planned.study(), [planned.step()]).check()


def test_batches_that_the_mesh_does_not_divide_are_refused():
  parts = dataclasses.replace(planned.EXECUTION, microbatches=4)
  where = sweep.Slice(planned.LARGE, 'v5e:2x4', parts)
  with pytest.raises(
    errors.UserError, match='batches of 16 on v5e:2x4 into 32'
  ):
    dry_run.of_study(planned.study(slices=[where]), [])
  unknown = dataclasses.replace(where, topology='v5e:3x3')
  with pytest.raises(errors.UserError, match='must be one of v5e:1x1'):
    dry_run.of_study(planned.study(slices=[unknown]), [])


def test_steps_to_compile_are_the_unknown_ones_of_the_largest_batch():
  grid = experiments.Grid(['text'], [planned.LARGE], [1024, 2048])

  class TwoBatches:
    def runs(self, pattern):
      for size in (8, 16, 8):
        run = dataclasses.replace(pattern.run, batch_size=size)
        inner = dataclasses.replace(pattern, run=run)
        yield from grid.runs(inner)

  study = planned.study(experiments=[planned.VARIANTS, TwoBatches()])
  ((plan, where),) = dry_run.missing_steps(study, [])
  assert (plan.model, plan.batch_size) == (planned.LARGE, 16)
  assert where == planned.ON_SLICES
  assert dry_run.missing_steps(study, [planned.step()]) == []
  other = execution.Execution(mesh=execution.MeshShape(2), remat='full')
  steps = [planned.step(execution=other)]
  assert len(dry_run.missing_steps(study, steps)) == 1


def test_the_confirmation_counts_and_is_not_refused():
  study = planned.study(
    target_sources=['text'],
    allocation=allocation.AllocationSettings(),
    confirmation_seeds=3,
    supply={'code': 4096, 'text': 576},
  )
  found = dry_run.of_study(study, [planned.step()])
  assert len(found.confirmation) == found.by_purpose['confirm'].runs == 6
  assert found.total.runs == 6 + 6
  assert found.by_purpose['confirm'].tokens == 6 * 4096
  # 2,048 tokens of text at the most in the sweep, as many in each of these.
  assert max(row.drawn.epochs['text'] for row in found.confirmation) > 3.5
  found.check()
  tighter = dataclasses.replace(study, supply={'code': 1152, 'text': 512})
  found = dry_run.of_study(tighter, [])
  assert len({row.run.run_id for row in found.confirmation}) == 6
  found.check()


def test_finished_runs_tell_how_long_others_take(tmp_path):
  study = planned.study(study_dir=str(tmp_path), slices=[])
  first = dry_run.of_study(study, [])
  assert (first.finished, first.total.worker_hours) == (0, None)
  for row, status in zip(first.rows[:2], ('finished', 'running'), strict=True):
    record = dataclasses.replace(
      row.drawn.record, status=status, wall_seconds=7.2
    )
    folder = tmp_path / 'runs' / row.run.run_id
    folder.mkdir(parents=True)
    records.write_run_record(folder, record)
  found = dry_run.of_study(study, [])
  assert found.finished == 1
  rate = first.rows[0].train_flops / 7.2
  hours = first.total.train_flops / rate / 3600
  assert found.total.worker_hours == pytest.approx((hours, hours))
