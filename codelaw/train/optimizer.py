"""AdamW with clipping, and the learning rate as a factor of position.

The learning rate is not part of the optimizer: it multiplies the finished
update, so that one compiled step serves every schedule and peak rate.

Definitions owned here:
  place: of an update in its run, the token slots before the middle of its
    batch. No update is therefore made at the 0 of a warm-up or of a cooldown's
    end. As half a whole number it is exact, so that runs of different length
    have the same learning rates, bit for bit, where their schedules agree.
"""

import math
from typing import Any

import jax
import optax

from codelaw import errors
from codelaw import records


def gradient_transformation(
  settings: records.OptimizerSettings,
) -> optax.GradientTransformation:
  """AdamW (arXiv:1711.05101) behind global-norm clipping, at rate 1.

  The update for a learning rate is minus that rate times what this returns.
  Weight decay applies to every parameter but the scales of the norms.
  """
  return optax.chain(
    optax.clip_by_global_norm(settings.clip_norm),
    optax.scale_by_adam(settings.beta1, settings.beta2, settings.epsilon),
    optax.add_decayed_weights(settings.weight_decay, mask=decayed),
  )


def decayed(params: Any) -> Any:
  """The tree of `params` with True where weight decay applies."""
  return jax.tree_util.tree_map_with_path(
    lambda path, _: path[-1].key != 'scale', params
  )


def learning_rate(plan: records.RunPlan, step: int) -> float:
  """Learning rate of the update that follows `step` finished ones."""
  place = (step + 0.5) * plan.tokens_per_step
  slots = plan.num_steps * plan.tokens_per_step
  factor = learning_rate_factor(plan.schedule, place, slots)
  return plan.optimizer.peak_learning_rate * factor


def constant_steps(plan: records.RunPlan) -> range:
  """Steps between a warm-up and the end of a constant first stage.

  The learning rate of their updates is the same, bit for bit. Empty for other
  first stages; a step at either end may be missing.
  """
  schedule = plan.schedule
  first = schedule.stages[0]
  if first.learning_rate_shape != 'constant':
    return range(0)
  warm_up = max(
    schedule.warmup_fraction * plan.num_steps,
    schedule.warmup_tokens / plan.tokens_per_step,
  )
  whole = math.fsum(stage.token_weight for stage in schedule.stages)
  end = first.token_weight / whole * plan.num_steps
  return range(math.ceil(warm_up) + 1, math.floor(end))


def learning_rate_factor(
  schedule: records.Schedule, place: float, slots: int
) -> float:
  """Factor of the peak learning rate at a place in the run.

  Inside a stage, from its start factor a to its end factor b at the share u
  of the stage: a + (b - a) u (linear), or b + (a - b) (1 + cos(pi u)) / 2
  (cosine, arXiv:1608.03983). During warm-up it is also multiplied by the share
  of the warm-up that is done.

  Args:
    schedule: stages with their weights, shapes and factors.
    place: token slots done, in [0, slots].
    slots: of the whole run, padding included.

  Raises:
    UserError: when `place` is outside [0, slots].
  """
  if not 0 <= place <= slots:
    raise errors.UserError(
      f'A place in a run of {slots} tokens is in [0, {slots}], got {place!r}.'
    )
  position = place / slots
  whole = math.fsum(stage.token_weight for stage in schedule.stages)
  start = 0.0
  for stage in schedule.stages:
    share = stage.token_weight / whole
    inside = min(max((position - start) / share, 0.0), 1.0)
    if position < start + share:
      break
    start += share
  first, last = stage.start_factor, stage.end_factor
  if stage.learning_rate_shape == 'cosine':
    factor = last + (first - last) * (1 + math.cos(math.pi * inside)) / 2
  else:
    factor = first + (last - first) * inside
  if position < schedule.warmup_fraction:
    factor *= position / schedule.warmup_fraction
  if place < schedule.warmup_tokens:
    factor *= place / schedule.warmup_tokens
  return factor
