import dataclasses

import numpy as np
import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib
from codelaw.train import bookkeeping
from codelaw.train import initial
from codelaw.train import step as step_lib


@pytest.fixture
def books(make_plan):
  plan = make_plan()
  schedule = schedule_lib.from_plan(plan, manifest_lib.read(plan.shards_dir))
  return bookkeeping.Books(plan, schedule, 0, initial.Inheritance())


def _update(loss_sums, gradient_norm=1.0):
  metrics = step_lib.StepMetrics(
    np.array(loss_sums, np.float32),
    np.array([16, 16, 16, 10], np.int32),
    np.float32(0),
    np.float32(gradient_norm),
  )
  return bookkeeping.Update(1, 0.5, np.array([0, 1, 0, 1], np.int32), metrics)


def test_losses_and_tokens_by_source(books):
  scalars = books.account(_update([16.0, 32.0, 48.0, 20.0]))
  assert scalars['train/code/python/loss_nats_per_token'] == 2.0
  assert scalars['train/markup/loss_nats_per_token'] == 2.0
  assert scalars['train/loss_nats_per_token'] == 116 / 58
  assert books.tokens == {'code/python': 32, 'markup': 26}
  assert scalars['tokens/total'] == 58
  assert scalars['schedule/learning_rate'] == 0.5


def test_z_loss_and_inherited_tokens_are_counted_apart(make_plan):
  plan = make_plan(optimizer=records.OptimizerSettings(0.01, z_loss=1e-4))
  schedule = schedule_lib.from_plan(plan, manifest_lib.read(plan.shards_dir))
  before = initial.Inheritance(step=3, tokens={'markup': 5, 'commits': 7})
  books = bookkeeping.Books(plan, schedule, 0, before)
  update = _update([16.0, 32.0, 48.0, 20.0])
  update = dataclasses.replace(
    update, metrics=update.metrics._replace(z_loss=np.float32(0.25))
  )
  scalars = books.account(update)
  assert scalars['train/loss_nats_per_token'] == 116 / 58
  assert scalars['train/z_loss'] == 0.25
  assert books.tokens == {'code/python': 32, 'markup': 31, 'commits': 7}
  assert books.realised_tokens == {'code/python': 32, 'markup': 26}
  assert scalars['tokens/total'] == 70


def test_a_loss_that_is_not_finite_names_its_source_only(books):
  with pytest.raises(
    bookkeeping.DivergedError, match='loss on markup is not .* at step 1;'
  ):
    books.account(_update([1.0, 1.0, 1.0, np.nan]))


def test_a_gradient_that_is_not_finite_names_the_batch(books):
  with pytest.raises(
    bookkeeping.DivergedError, match='gradient on code/python, markup is not'
  ):
    books.account(_update([1.0, 1.0, 1.0, 1.0], np.inf))


def test_other_tokens_than_planned_are_refused(books):
  with pytest.raises(
    errors.UserError, match='By step 1 the parameters have seen'
  ):
    books.check_against_schedule(1)


def test_speed_leaves_the_first_update_and_pauses_out(make_plan, monkeypatch):
  now = [100.0]
  monkeypatch.setattr(bookkeeping.time, 'monotonic', lambda: now[0])
  monkeypatch.setattr(
    bookkeeping.accounting, 'peak_flops_per_second', lambda kind: 1e6
  )
  monkeypatch.setattr(bookkeeping.jax, 'device_count', lambda: 4)
  plan = make_plan()
  schedule = schedule_lib.from_plan(plan, manifest_lib.read(plan.shards_dir))
  books = bookkeeping.Books(plan, schedule, 0, initial.Inheritance(), 7.0)
  update = _update([1.0, 1.0, 1.0, 1.0])  # 58 tokens

  def after(seconds):
    now[0] += seconds
    return books.account(update)

  books.resume()
  assert books.seconds_left(1) is None
  assert 'throughput/tokens_per_second' not in after(50)  # it may compile
  scalars = after(2)
  assert scalars['throughput/tokens_per_second'] == 29
  flops = accounting.train_flops_per_token(plan.model, plan.sequence_length)
  assert scalars['throughput/mfu'] == pytest.approx(29 * flops / 4e6)
  now[0] += 1000  # an evaluation
  books.resume()
  assert after(1)['throughput/tokens_per_second'] == 58
  assert books.training_seconds == 7 + 2 + 1
  assert books.seconds_left(12) == 0


def test_shares_move_with_the_rates(make_plan):
  start = records.MixtureRates({'code/python': 1})
  end = records.MixtureRates({'code/python': 1, 'markup': 3})
  stage = records.Stage('main', start, end_mixture=end)
  plan = make_plan(schedule=records.Schedule((stage,)))
  schedule = schedule_lib.from_plan(plan, manifest_lib.read(plan.shards_dir))
  books = bookkeeping.Books(plan, schedule, 0, initial.Inheritance())
  update = _update([1.0, 1.0, 1.0, 1.0])
  shares = [
    books.account(dataclasses.replace(update, step=step))[
      'schedule/share/markup'
    ]
    for step in (1, 2, plan.num_steps)
  ]
  share_per_step = 0.75 / plan.num_steps
  assert shares == pytest.approx([0, share_per_step, 0.75 - share_per_step])
