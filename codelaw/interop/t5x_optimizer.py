"""codelaw's AdamW and learning rates as T5X takes them.

T5X's own wrapper of optax leaves the learning rate to the optax chain and drops
the one that its trainer computes and reports. Here the chain works at rate 1,
as in `train.step`, and the update is multiplied by the trainer's rate: what
T5X's events call `learning_rate` is what was applied.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from t5x import optimizers

from codelaw import records
from codelaw.train import optimizer as optimizer_lib


class AdamW(optimizers.OptaxWrapper):
  """AdamW behind global-norm clipping, at the rate that the trainer gives."""

  def __init__(self, settings: records.OptimizerSettings):
    """All of the settings but the peak learning rate count here."""
    super().__init__(optimizer_lib.gradient_transformation(settings))

  def apply_gradient(self, hyper_params, params, state, grads):
    """(new parameters, new state) after one update."""
    updates, param_states = self.optax_optimizer.update(
      grads, state.param_states, params
    )
    params = jax.tree.map(
      lambda value, update: value - hyper_params.learning_rate * update,
      params,
      updates,
    )
    return params, optimizers.OptimizerState(state.step + 1, param_states)


def learning_rates(plan: records.RunPlan) -> Callable[[Any], jax.Array]:
  """The function step -> learning rate, float32 [], of a plan.

  It looks up a table of all steps, so that the rates are those of `codelaw
  train` bit for bit. `step` may be traced.
  """
  table = np.array(
    [optimizer_lib.learning_rate(plan, step) for step in range(plan.num_steps)],
    np.float32,
  )
  return lambda step: jnp.asarray(table)[step]
