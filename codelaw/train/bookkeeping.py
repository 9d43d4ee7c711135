"""What the host keeps of a run's updates: tokens, losses, speed.

Definitions owned here:
  realised tokens: positive loss weights of the global batches trained on, per
    source, as the device counted them, added up in whole numbers.
  tokens seen: those, and what the initial checkpoint had seen.
  training seconds: wall time between the ends of consecutive updates, without
    the first update of a process, which may compile, and without evaluations
    and the loop's waiting for checkpoints. What a process spent on updates
    after the checkpoint that the next one continues from does not count.
  goodput: training seconds / wall seconds of the run, over all its starts.
"""

import dataclasses
import math
import time

import jax
import numpy as np

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw.data import schedule as schedule_lib
from codelaw.train import initial
from codelaw.train import metrics
from codelaw.train import step as step_lib

_SMOOTHING = 0.1  # weight of the last update in the speed that is shown


class DivergedError(errors.UserError):
  """The loss or the gradient is no longer a finite number."""


@dataclasses.dataclass(frozen=True)
class Update:
  """One update that was started.

  Attributes:
    step: updates done with it.
    learning_rate: it was made with.
    source_ids: int32 [batch], of the sequences of the global batch.
    metrics: on the device, maybe not computed yet.
  """

  step: int
  learning_rate: float
  source_ids: np.ndarray
  metrics: step_lib.StepMetrics


class Books:
  """Running totals of one run in this process.

  Attributes:
    tokens: source -> tokens seen, over all processes of the run.
    loss_nats_per_token: of the last update; None before the first.
    tokens_per_second: lately; None before the second update, because the
      first one may compile.
    training_seconds: spent on updates that count, over all processes of the
      run, as defined above.
  """

  def __init__(
    self,
    plan: records.RunPlan,
    schedule: schedule_lib.MixtureSchedule,
    start_step: int,
    inherited: initial.Inheritance,
    training_seconds: float = 0.0,
  ):
    """Starts after `start_step` updates.

    What earlier processes trained on was compared with the schedule before
    each checkpoint, so the schedule says how much it was.
    """
    self._inherited = inherited
    self._schedule = schedule
    self.tokens = self._scheduled(start_step)
    self.loss_nats_per_token: float | None = None
    self.tokens_per_second: float | None = None
    self.training_seconds = training_seconds
    self._plan = plan
    self._flops_per_token = accounting.train_flops_per_token(
      plan.model, plan.sequence_length
    )
    # Of one device; a step is of all of them.
    self._peak = accounting.peak_flops_per_second(jax.devices()[0].device_kind)
    self._last_time: float | None = None

  @property
  def realised_tokens(self) -> dict[str, int]:
    """Source -> tokens of the run itself."""
    before = self._inherited.tokens
    return {
      s: self.tokens[s] - before.get(s, 0) for s in self._schedule.sources
    }

  def account(self, update: Update) -> dict[str, float]:
    """Waits for an update and returns its scalars for `train/`.

    Raises:
      DivergedError: when its loss or gradient is not finite.
    """
    on_device: step_lib.StepMetrics = jax.device_get(update.metrics)
    source_ids, counts = update.source_ids, on_device.num_tokens
    sums = on_device.loss_sums.astype(np.float64)
    self._check_finite(update.step, source_ids, sums, on_device)
    scalars = {}
    for source_id in np.unique(source_ids):
      mine, source = source_ids == source_id, self._schedule.sources[source_id]
      num_tokens = int(np.sum(counts[mine]))
      self.tokens[source] += num_tokens
      scalars[f'train/{source}/loss_nats_per_token'] = (
        math.fsum(sums[mine]) / num_tokens
      )
    total = int(np.sum(counts))
    self.loss_nats_per_token = math.fsum(sums) / total
    scalars['train/loss_nats_per_token'] = self.loss_nats_per_token
    scalars['train/gradient_norm'] = float(on_device.gradient_norm)
    if self._plan.optimizer.z_loss:
      scalars['train/z_loss'] = float(on_device.z_loss)
    scalars['schedule/learning_rate'] = update.learning_rate
    scalars.update(self._share_scalars(update.step))
    scalars.update(metrics.token_scalars(self.tokens))
    scalars.update(self._speed_scalars(total))
    return scalars

  def resume(self) -> None:
    """Leaves the time since the last update out of the speed."""
    if self._last_time is not None:
      self._last_time = time.monotonic()

  def seconds_left(self, step: int) -> float | None:
    """Of training after `step` updates, at the speed it had lately."""
    if self.tokens_per_second is None:
      return None
    tokens = (self._plan.num_steps - step) * self._plan.tokens_per_step
    return tokens / self.tokens_per_second

  def check_against_schedule(self, step: int) -> None:
    """Compares what was trained on with what the schedule said.

    Raises:
      UserError: when they differ, which takes shards that have changed.
    """
    planned = self._scheduled(step)
    if self.tokens != planned:
      raise errors.UserError(
        f'By step {step} the parameters have seen {self.tokens} tokens, the'
        f' schedule says {planned}; the shards in {self._plan.shards_dir} are'
        ' not what their manifest says: write them again with `codelaw cache`.'
      )

  def _scheduled(self, step: int) -> dict[str, int]:
    """Source -> tokens seen by a step."""
    own = self._schedule.tokens_between(self._inherited.first_step, step)
    before = self._inherited.tokens
    return {s: before.get(s, 0) + own.get(s, 0) for s in {**own, **before}}

  def _check_finite(self, step, source_ids, sums, on_device) -> None:
    finite = np.isfinite(sums)
    if finite.all() and np.isfinite(on_device.gradient_norm):
      return
    bad = source_ids[~finite] if not finite.all() else source_ids
    names = ', '.join(self._schedule.sources[k] for k in np.unique(bad))
    what = 'loss' if not finite.all() else 'norm of the gradient'
    raise DivergedError(
      f'The {what} on {names} is not a finite number at step {step}; the last'
      ' checkpoint is from before. Lower the peak learning rate'
      f' ({self._plan.optimizer.peak_learning_rate:g}) or lengthen the'
      ' warm-up, and train in another MODEL_DIR.'
    )

  def _share_scalars(self, step: int) -> dict[str, float]:
    return {
      f'schedule/share/{source}': share
      for source, share in self._schedule.shares_at(step - 1).items()
    }

  def _speed_scalars(self, num_tokens: int) -> dict[str, float]:
    now, before = time.monotonic(), self._last_time
    self._last_time = now
    if before is None:
      return {}
    self.training_seconds += now - before
    speed = num_tokens / max(now - before, 1e-9)
    lately = self.tokens_per_second or speed
    self.tokens_per_second = lately + _SMOOTHING * (speed - lately)
    scalars = {'throughput/tokens_per_second': speed}
    if self._peak is not None:
      peak = self._peak * jax.device_count()
      scalars['throughput/mfu'] = speed * self._flops_per_token / peak
    return scalars
