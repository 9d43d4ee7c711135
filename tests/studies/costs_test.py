import dataclasses

import pytest

from codelaw import accounting
from codelaw import records
from codelaw.studies import costs
from codelaw.studies import supplies
from codelaw.studies import sweep
from tests.studies import planned

SLOTS = 4096


def _cost(steps=(), finished=(), where=planned.ON_SLICES, **changes):
  return costs.of_run(planned.run(**changes), SLOTS, where, steps, finished)


def test_a_compiled_step_gives_chips_times_seconds():
  step = planned.step()
  cost = _cost([step])
  # 8 steps of 512 slots, each 1 to 2 seconds of 8 chips.
  assert cost.hours == pytest.approx((64 / 3600, 128 / 3600))
  assert (cost.basis, cost.num_chips, cost.step) == ('compiled', 8, step)


def test_seconds_per_slot_do_not_depend_on_the_batch_of_the_run():
  assert _cost([planned.step()], batch_size=64).hours == pytest.approx(
    _cost([planned.step()], batch_size=4).hours
  )


def test_what_does_not_fit_has_no_cost():
  steps = [planned.step(best_seconds=None, worst_seconds=None), planned.step()]
  assert _cost(steps[:1]) is None
  # The nearest batch, which is the same, is the first of both.
  assert _cost(steps) is None


def test_without_a_step_flops_at_the_mfu_of_the_nearest_size():
  near = dataclasses.replace(planned.LARGE, vocab_size=310)
  far = dataclasses.replace(planned.LARGE, vocab_size=30)
  steps = [
    planned.step(model=near, best_seconds=1e-9, worst_seconds=4e-9),
    planned.step(
      model=near, best_seconds=3e-9, worst_seconds=6e-9, topology='v5e:2x2'
    ),
    planned.step(model=far, best_seconds=1e-12, worst_seconds=1.0),
  ]
  cost = _cost(steps)
  assert (cost.basis, cost.num_chips, cost.step) == ('estimated', 8, None)
  peak = 197e12
  flops = accounting.train_flops_per_token(planned.LARGE, 32) * SLOTS
  # Half the chips: the MFU of 1.5e-9 to 3e-9 seconds on v5e:2x4, in between.
  assert cost.hours == pytest.approx(
    (
      flops / (peak * steps[0].mfu(1e-9)) / 3600,
      flops / (peak * steps[0].mfu(4e-9)) / 3600,
    )
  )


def test_nothing_is_known_without_any_step_or_run():
  assert _cost() is None
  assert _cost([planned.step()], where=None) is None


def _finished(num_params, seconds):
  study = planned.study()
  runs = sweep.planned_runs(study)[:1]
  (drawn,) = supplies.draw(study, runs, supplies.of_study(study, runs))
  return dataclasses.replace(
    drawn.record,
    num_params=num_params,
    wall_seconds=seconds,
  )


def test_without_a_slice_finished_runs_tell_the_rate():
  size = accounting.num_params(planned.LARGE)
  finished = [
    _finished(size, 10.0),
    _finished(size, 40.0),
    _finished(10 * size, 1.0),
    _finished(size, 0.0),
  ]
  plan = finished[0].plan
  assert plan.model == planned.LARGE
  times = SLOTS / (plan.num_steps * plan.tokens_per_step)
  assert times == 2
  cost = _cost(finished=finished, where=None)
  assert (cost.basis, cost.num_chips) == ('measured', 0)
  assert cost.hours == pytest.approx((20 / 3600, 80 / 3600))


def test_the_nearest_size_is_that_of_the_smallest_ratio():
  size = accounting.num_params(planned.LARGE)
  # 60% less is further than twice as much.
  runs = [_finished(round(0.4 * size), 1.0), _finished(2 * size, 10.0)]
  slots = runs[0].plan.num_steps * runs[0].plan.tokens_per_step
  cost = costs.of_run(planned.run(), slots, None, [], runs)
  assert cost.hours == pytest.approx((10 / 3600, 10 / 3600))


def test_a_branch_took_its_time_for_its_own_steps():
  done = _finished(accounting.num_params(planned.LARGE), 3.0)
  start = records.InitialCheckpoint('trunk', 1, schedule=True)
  branch = dataclasses.replace(
    done,
    plan=dataclasses.replace(done.plan, initial=start),
    initial_step=1,
  )
  own = (done.plan.num_steps - 1) * done.plan.tokens_per_step
  cost = costs.of_run(done.plan, own, None, [], [branch])
  assert cost.hours == pytest.approx((3 / 3600, 3 / 3600))


def test_a_run_takes_as_long_as_itself_padding_included():
  done = _finished(accounting.num_params(planned.LARGE), 7.0)
  padded = dataclasses.replace(done, train_flops=done.train_flops / 2)
  cost = costs.of_run(
    *(done.plan, done.plan.num_steps * done.plan.tokens_per_step, None, []),
    [padded],
  )
  assert cost.hours == pytest.approx((7 / 3600, 7 / 3600))
