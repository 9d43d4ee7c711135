"""The names that T5X's gin files bind: codelaw's records, and a run's parts.

`gin_configs/t5x/pretrain.gin` imports this module, which registers the records
under the names they have everywhere, so that the same model, mixture and
schedule files count. The functions here are what the arguments of T5X's
`train` are bound to.
"""

from collections.abc import Callable
from typing import Any

import gin
import jax
from t5x import checkpoints

from codelaw import accounting
from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import records
from codelaw import storage
from codelaw.interop import t5x_data
from codelaw.interop import t5x_model
from codelaw.interop import t5x_optimizer
from codelaw.train import loop


def num_steps(plan: records.RunPlan, model_dir: str) -> int:
  """Updates of the run, for T5X's TRAIN_STEPS.

  Raises:
    UserError: when the plan does not fit the shards, or the folder holds a run
      of `codelaw train`.
  """
  if (storage.path(model_dir) / 'run.json').exists():
    raise errors.UserError(
      f'{model_dir} holds a run of `codelaw train`, which T5X cannot go on'
      ' with; set another MODEL_DIR.'
    )
  loop.check(plan, model_dir)
  return plan.num_steps


def learning_rates(plan: records.RunPlan) -> Callable[[Any], jax.Array]:
  """`Trainer.learning_rate_fn`."""
  return t5x_optimizer.learning_rates(plan)


def train_data(
  plan: records.RunPlan, model_dir: str, restore: Any
) -> Callable[..., t5x_data.TrainBatches]:
  """`train.get_dataset_fn`: batches from the step that T5X will restore.

  Args:
    plan: of the run.
    model_dir: of the run; its last checkpoint says the step.
    restore: T5X's RestoreCheckpointConfig.

  Raises:
    UserError: when `restore` names the checkpoint of another run.
  """
  if restore.path:
    raise errors.UserError(
      f'RestoreCheckpointConfig.path is {restore.path!r}, whose step T5X would'
      ' go on from, while the mixture schedule begins at 0; start from random'
      ' parameters (an empty path), or use RunPlan.initial under `codelaw'
      ' train`.'
    )

  def get(cfg, shard_id, num_shards, feature_converter_cls):
    del feature_converter_cls
    if cfg.batch_size != plan.batch_size:
      raise errors.UserError(
        f'DatasetConfig.batch_size is {cfg.batch_size}, RunPlan.batch_size'
        f' {plan.batch_size}; set both by BATCH_SIZE.'
      )
    step = checkpoints.latest_step(model_dir) or 0
    return t5x_data.TrainBatches(plan, step, shard_id, num_shards)

  return get


def eval_data(plan: records.RunPlan) -> Callable[..., Any]:
  """`train.train_eval_get_dataset_fn`: the held-out text of every source.

  `RunPlan.eval_sequences` says how much, not T5X's `eval_steps`.
  """

  def get(cfg, shard_id, num_shards, eval_steps, feature_converter_cls):
    del cfg, eval_steps, feature_converter_cls
    return t5x_data.held_out(plan, shard_id, num_shards)

  return get


for _kind in (
  accounting.ModelShape,
  execution_lib.Execution,
  execution_lib.MeshShape,
  records.InitialCheckpoint,
  records.MixtureRates,
  records.OptimizerSettings,
  records.RunPlan,
  records.Schedule,
  records.Stage,
  t5x_model.Model,
  num_steps,
  learning_rates,
  train_data,
  eval_data,
):
  gin.external_configurable(_kind)
