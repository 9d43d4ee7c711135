"""AdamW with clipping, and the learning rate as a factor of position.

The learning rate is not part of the optimizer: it multiplies the finished
update, so that one compiled step serves every schedule and peak rate.

Definitions owned here:
  position: of an update in its run, the share of the run's tokens that lie
    before the middle of its batch, in (0, 1). No update is therefore made at
    the 0 of a warm-up or of a cooldown's end.
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


def position(step: int, num_steps: int) -> float:
  """Position of the update that follows `step` finished ones."""
  return (step + 0.5) / num_steps


def learning_rate_factor(schedule: records.Schedule, position: float) -> float:
  """Factor of the peak learning rate at a position of the run.

  Inside a stage, from its start factor a to its end factor b at the share u
  of the stage: a + (b - a) u (linear), or b + (a - b) (1 + cos(pi u)) / 2
  (cosine, arXiv:1608.03983). During warm-up it is also multiplied by
  position / warmup_fraction.

  Args:
    schedule: stages with their weights, shapes and factors.
    position: share of the run's tokens, in [0, 1].

  Raises:
    UserError: when `position` is outside [0, 1].
  """
  if not 0 <= position <= 1:
    raise errors.UserError(
      f'A position in a run is in [0, 1], got {position!r}.'
    )
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
  return factor
