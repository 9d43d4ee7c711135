import math

import jax.numpy as jnp
import numpy as np
import pytest

from codelaw import errors
from codelaw import records
from codelaw.train import optimizer

RATES = records.MixtureRates({'code/python': 1})


def _factors(positions, stages, warmup=0.0):
  schedule = records.Schedule(tuple(stages), warmup)
  return [optimizer.learning_rate_factor(schedule, p, 1) for p in positions]


def test_constant_then_linear_cooldown():
  stages = [
    records.Stage('main', RATES, 3.0),
    records.Stage('cooldown', RATES, 1.0, 'linear', 1.0, 0.0),
  ]
  assert _factors([0.0, 0.5, 0.75, 0.875, 1.0], stages) == [1, 1, 1, 0.5, 0]


def test_cosine_ends_at_its_factor():
  stages = [records.Stage('main', RATES, 1.0, 'cosine', 1.0, 0.1)]
  assert _factors([0.0, 0.5, 1.0], stages) == pytest.approx([1, 0.55, 0.1])
  assert _factors([0.25], stages) == pytest.approx(
    [0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2]
  )


def test_warm_up_multiplies():
  stages = [records.Stage('main', RATES, 1.0, 'linear', 1.0, 0.0)]
  assert _factors([0.0, 0.1, 0.2, 0.6], stages, warmup=0.2) == pytest.approx(
    [0.0, 0.45, 0.8, 0.4]
  )


def _rates(make_plan, stages, num_steps, **schedule):
  plan = make_plan(
    schedule=records.Schedule(tuple(stages), **schedule),
    num_tokens=num_steps * 4 * 16,
    optimizer=records.OptimizerSettings(0.5),
  )
  return [optimizer.learning_rate(plan, step) for step in range(num_steps)]


def test_every_update_of_a_run_has_a_rate_above_zero(make_plan):
  stages = [records.Stage('main', RATES, 1.0, 'linear', 1.0, 0.0)]
  # Of a linear decay to 0, the middles of the batches average to one half.
  assert _rates(make_plan, stages, 4) == [0.4375, 0.3125, 0.1875, 0.0625]


def test_warm_up_in_tokens_does_not_depend_on_the_length_of_the_run(make_plan):
  trunk = [records.Stage('main', RATES)]
  branch = [*trunk, records.Stage('cooldown', RATES, 3 / 7, 'linear', 1.0, 0.0)]
  # 2.5 steps of 64 tokens; their middles lie at 32, 96 and 160.
  short, long = (
    _rates(make_plan, stages, num_steps, warmup_tokens=160)
    for stages, num_steps in ((branch, 10), (trunk, 23))
  )
  assert short[:4] == [0.1, 0.3, 0.5, 0.5]
  assert short[:7] == long[:7]
  assert short[7:] == pytest.approx([0.5 * 5 / 6, 0.25, 0.5 / 6])


def test_a_warm_up_as_long_as_the_run_is_refused(make_plan):
  with pytest.raises(errors.UserError, match=r'\(256\) must be fewer .* 256;'):
    _rates(make_plan, [records.Stage('main', RATES)], 4, warmup_tokens=256)


def test_places_outside_the_run_are_refused():
  schedule = records.Schedule((records.Stage('main', RATES),))
  with pytest.raises(errors.UserError, match='in \\[0, 64\\], got 64.5'):
    optimizer.learning_rate_factor(schedule, 64.5, 64)


def test_first_update_is_adamw_by_hand():
  settings = records.OptimizerSettings(1.0, weight_decay=0.1, clip_norm=5.0)
  transformation = optimizer.gradient_transformation(settings)
  params = {'kernel': jnp.array([2.0, -1.0]), 'norm': {'scale': jnp.ones(1)}}
  gradients = {'kernel': jnp.array([6.0, 8.0]), 'norm': {'scale': jnp.zeros(1)}}
  updates, _ = transformation.update(
    gradients, transformation.init(params), params
  )
  # The first Adam update is the sign of the gradient; only the kernel decays.
  np.testing.assert_allclose(updates['kernel'], [1.2, 0.9], rtol=1e-5)
  np.testing.assert_array_equal(updates['norm']['scale'], [0.0])


def test_gradients_above_the_clip_norm_are_scaled_down():
  settings = records.OptimizerSettings(1.0, epsilon=1.0, clip_norm=5.0)
  transformation = optimizer.gradient_transformation(settings)
  params = {'kernel': jnp.zeros(2)}
  updates, _ = transformation.update(
    {'kernel': jnp.array([6.0, 8.0])}, transformation.init(params), params
  )
  # Clipped to [3, 4]; with epsilon 1, Adam gives g / (|g| + 1).
  np.testing.assert_allclose(updates['kernel'], [3 / 4, 4 / 5], rtol=1e-5)


@pytest.mark.parametrize(
  'warm_up', [{}, {'warmup_fraction': 0.13}, {'warmup_tokens': 200}]
)
def test_constant_steps_have_the_same_rate_bit_for_bit(make_plan, warm_up):
  stages = (
    records.Stage('main', RATES, 3.0, 'constant', 0.3, 0.3),
    records.Stage('cooldown', RATES, 1.0, 'linear', 0.3, 0.0),
  )
  plan = make_plan(
    schedule=records.Schedule(stages, **warm_up), num_tokens=101 * 64
  )
  steps = optimizer.constant_steps(plan)
  rates = {optimizer.learning_rate(plan, step) for step in steps}
  assert rates == {0.3 * plan.optimizer.peak_learning_rate}
  # Nearly all of the 75.75 steps of the stage, but for the warm-up.
  assert len(steps) >= 75 - 2 - max(14 * bool(warm_up), 0)
  other = records.Schedule((records.Stage('main', RATES, 1.0, 'linear'),))
  assert not optimizer.constant_steps(make_plan(schedule=other))
