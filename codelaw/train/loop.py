"""One training run, from its plan to its record.

The order inside the loop: evaluate if due, checkpoint if due, downstream tasks
if due, stop if last, next batch, step, then report the metrics of the step
before, so that the device never waits for the host. There are exactly
`plan.num_steps` updates.
"""

from collections.abc import Callable
import contextlib
import dataclasses
import os
import time
from typing import Any

import numpy as np

from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import records
from codelaw import scores
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import pipeline
from codelaw.data import tokenizer as tokenizer_lib
from codelaw.train import bookkeeping
from codelaw.train import checking
from codelaw.train import checkpoint as checkpoint_lib
from codelaw.train import distributed
from codelaw.train import downstream as downstream_lib
from codelaw.train import evaluate
from codelaw.train import initial
from codelaw.train import interruption
from codelaw.train import mesh as mesh_lib
from codelaw.train import metrics
from codelaw.train import optimizer as optimizer_lib
from codelaw.train import rundir
from codelaw.train import step as step_lib

# A killed process has spent up to so much more time than run.json says.
_RECORD_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class Progress:
  """Where a run is.

  Attributes:
    step: updates done.
    num_steps: updates of the run.
    loss_nats_per_token: of the last reported update; None before the first.
    tokens_per_second: lately; None before it is known.
    seconds_left: of training, at that speed.
    message: of something that happened; empty for a mere update.
  """

  step: int
  num_steps: int
  loss_nats_per_token: float | None = None
  tokens_per_second: float | None = None
  seconds_left: float | None = None
  message: str = ''

  def brief(self) -> str:
    """Step and loss only, for a display that shows the rest itself."""
    return str(Progress(self.step, self.num_steps, self.loss_nats_per_token))

  def __str__(self) -> str:
    parts = [f'step {self.step:,} of {self.num_steps:,}']
    if self.loss_nats_per_token is not None:
      parts.append(f'loss {self.loss_nats_per_token:.4f} nats/token')
    if self.tokens_per_second is not None:
      parts.append(f'{self.tokens_per_second:,.0f} tokens/s')
    if self.seconds_left is not None:
      minutes, seconds = divmod(round(self.seconds_left), 60)
      parts.append(f'{minutes}:{seconds:02} left')
    return ', '.join([*parts, self.message] if self.message else parts)


def train(
  plan: records.RunPlan,
  model_dir: storage.PathLike,
  *,
  execution: execution_lib.Execution = execution_lib.AUTOMATIC,
  run_id: str | None = None,
  progress: Callable[[Progress], None] | None = None,
  downstream: downstream_lib.Downstream | None = None,
) -> records.RunRecord:
  """Trains a run, continues an interrupted one, or finds it finished.

  A run that continues ends with the same numbers, bit for bit, as one that
  was never interrupted, on the same kind of machine. Where several processes
  train together (`train.distributed`), each calls this with the same arguments;
  the first alone writes, except for checkpoints.

  Args:
    plan: what to do.
    model_dir: folder of the run; made when missing.
    execution: how to compute it; may differ between two starts of a run.
    run_id: its name in run tables; by default the name of the folder.
    progress: called after every update, evaluation and checkpoint.
    downstream: what else is evaluated between updates, by all processes at
      the same steps. It does not change the result of the training.

  Returns:
    The record of the finished run, which is also in `run.json`.

  Raises:
    UserError: when the plan does not fit the shards, the folder holds another
      run, or another process trains there.
    DivergedError: at a loss or gradient that is not finite; the record then
      says `failed`, and the last checkpoint is from before.
    KeyboardInterrupt: after Ctrl-C or SIGTERM, with a checkpoint saved.
  """
  checking.check(plan, model_dir)  # before the folder is made
  report = progress or (lambda _: None)
  with distributed.on_first(storage.exclusive, model_dir):
    checked = checking.check(plan, model_dir, run_id)
    record = distributed.record_of_first(checked.record)
    if record.status == 'finished':
      report(
        Progress(
          record.step,
          record.step,
          message=f'{os.fspath(model_dir)} holds this run, finished; skipped',
        )
      )
      return record
    for note in checked.notes:
      report(Progress(record.step, plan.num_steps, message=note))
    checked = dataclasses.replace(checked, record=record)
    run = _Run(checked, model_dir, execution, report, downstream)
    try:
      with interruption.wish_to_stop() as stop_asked:
        return distributed.record_of_first(run.until_end(stop_asked))
    except interruption.StopAtOnce:
      raise
    except KeyboardInterrupt:
      run.close()
      raise
    except BaseException as error:
      if distributed.is_of_connection(error):
        raise  # a save that the others were part of would never end
      with contextlib.suppress(errors.UserError):  # the first one matters
        if isinstance(error, bookkeeping.DivergedError):
          run.write_record('failed', str(error))
        run.close()
      raise


class _Run:
  """One run in this process."""

  def __init__(
    self,
    checked: checking.Checked,
    model_dir: storage.PathLike,
    execution: execution_lib.Execution,
    report: Callable[[Progress], None],
    downstream: downstream_lib.Downstream | None = None,
  ):
    self._downstream = downstream
    self._started_at = time.monotonic()
    self._wrote_record_at = 0.0
    before, self._news = rundir.of_this_start(checked.record, execution)
    self._before = before
    self._plan = plan = before.plan
    self._manifest = manifest = checked.manifest
    self._model_dir = storage.path(model_dir)
    self._report = report
    self._execution = execution
    self._mesh = mesh_lib.make(execution.mesh)
    mesh_lib.check_batch(self._mesh, plan.batch_size, execution.microbatches)
    self._rows = mesh_lib.rows_of_process(self._mesh, plan.batch_size)
    self._token_bytes = tokenizer_lib.read_token_bytes(
      storage.path(plan.shards_dir) / manifest_lib.TOKENIZER_NAME
    )
    self._checkpoints = checkpoint_lib.Checkpoints(
      self._model_dir / rundir.CHECKPOINTS,
      plan.checkpoints_kept,
      plan.checkpoint_steps_kept,
    )
    fresh = step_lib.init_state(
      plan.model, plan.optimizer, plan.seed, self._mesh
    )
    restored = self._checkpoints.restore_last(fresh)
    inherited, notes = initial.of_record(before), dict[str, Any]()
    if restored:
      notes = self._checkpoints.notes(restored[0])
    self._start_step: int
    self._state: step_lib.TrainState
    if restored is None and plan.initial and inherited.step is not None:
      fresh = initial.restore(plan.initial, inherited.step, fresh)
    self._start_step, self._state = restored or (inherited.first_step, fresh)
    self._step = self._start_step
    self._books = bookkeeping.Books(
      plan, checked.schedule, self._step, inherited, **notes
    )
    self._events = metrics.RunEvents(
      self._model_dir, self._step, writes=distributed.is_first()
    )
    if distributed.is_first():
      self._events.start(
        rundir.write_gin(self._model_dir, plan),
        rundir.hparams(before, tuple(sorted(manifest.sources))),
      )
    self.write_record('running')
    if restored is None and plan.initial:
      # From now on the earlier run may be deleted.
      self._checkpoints.save(self._step, self._state)

  def until_end(self, stop_asked: Callable[[], bool]) -> records.RunRecord:
    """Runs the loop; returns the record of the finished run."""
    plan = self._plan
    train_step = step_lib.train_step(
      plan.model, plan.optimizer, self._execution, self._mesh
    )
    batches = pipeline.train_batches(
      plan,
      self._manifest,
      self._step,
      self._rows,
      inherited=self._before.inherited_sequences,
    )
    asked_here = stop_asked
    stop_asked = distributed.agreed(asked_here, self._mesh)
    pending: bookkeeping.Update | None = None
    if self._step:
      self._say(f'continues from the checkpoint of step {self._step:,}')
    elif self._before.step:
      self._say(
        f'was at step {self._before.step:,} without a checkpoint; starts again'
      )
    if self._news:
      self._say(self._news)
    while True:
      last = self._step == plan.num_steps
      stop = stop_asked() and not last
      downstream_due = not stop and self._downstream_due()
      evaluate_due = self._due(plan.eval_every_steps, downstream_due)
      keep = self._step in plan.checkpoint_steps_kept or downstream_due
      checkpoint_due = self._due(plan.checkpoint_every_steps, stop or keep)
      if pending and (evaluate_due or checkpoint_due):
        self._account(pending)
        pending = None
      if evaluate_due:
        self._evaluate()
      if checkpoint_due:
        self._checkpoint()
      if stop:
        raise KeyboardInterrupt
      if downstream_due:
        self._evaluate_downstream(asked_here)
      if last:
        break
      batch = next(batches)
      rate = optimizer_lib.learning_rate(plan, self._step)
      features = mesh_lib.global_batch(
        self._mesh, self._rows, plan.batch_size, step_lib.features(batch)
      )
      self._state, on_device = train_step(
        self._state, features, np.float32(rate)
      )
      self._step += 1
      if pending:
        self._account(pending)
      pending = bookkeeping.Update(
        self._step, rate, batch['source_id'], on_device
      )
    self.close()
    return self.write_record('finished')

  def write_record(self, status: str, message: str = '') -> records.RunRecord:
    """Writes and returns `run.json` as it is now."""
    seconds = self._wall_seconds()
    self._wrote_record_at = seconds
    step, values = self._before.scores_step, self._before.scores
    with contextlib.suppress(errors.UserError):  # damaged: the run goes on
      step, values = scores.latest(self._model_dir) or (step, values)
    record = dataclasses.replace(
      self._before,
      status=status,
      step=self._step,
      realised_tokens=self._books.realised_tokens,
      wall_seconds=round(seconds, 3),
      message=message,
      goodput=round(self._books.training_seconds / seconds, 6),
      scores_step=step,
      scores=values,
    )
    if distributed.is_first():
      records.write_run_record(self._model_dir, record)
    return record

  def close(self) -> None:
    """Returns when events and checkpoints are on disk."""
    self._events.close()
    self._checkpoints.close()

  def _due(self, every_steps: int, asked: bool = False) -> bool:
    """Whether it is time, and it was not done before this process started."""
    return self._step > self._start_step and (
      asked
      or self._step == self._plan.num_steps
      or (every_steps > 0 and self._step % every_steps == 0)
    )

  def _wall_seconds(self) -> float:
    """Of the run so far, over all its starts."""
    return self._before.wall_seconds + time.monotonic() - self._started_at

  def _account(self, update: bookkeeping.Update) -> None:
    scalars = self._books.account(update)
    wall = self._wall_seconds()
    scalars['throughput/goodput'] = self._books.training_seconds / wall
    self._events.write('train', update.step, scalars)
    self._say('', update.step)
    if wall - self._wrote_record_at > _RECORD_SECONDS:
      self.write_record('running')

  def _evaluate(self) -> None:
    losses = evaluate.evaluate(
      self._state.params,
      self._plan,
      self._manifest,
      self._token_bytes,
      self._execution,
      self._mesh,
    )
    if losses:
      self._events.write(
        'eval',
        self._step,
        metrics.evaluation_scalars(losses)
        | metrics.token_scalars(self._books.tokens),
      )
      mean = evaluate.macro(losses)
      bits = mean.bits_per_byte
      self._say(
        f'held-out loss {mean.loss_nats_per_token:.4f} nats/token'
        + ('' if bits is None else f', {bits:.4f} bits/byte')
        + f' (mean of {len(losses)} sources)'
      )
    self._books.resume()

  def _downstream_due(self) -> bool:
    """Also at the first step of a start: it may have been stopped in it."""
    return self._downstream is not None and self._downstream.is_due(
      self._step, self._plan.num_steps
    )

  def _evaluate_downstream(self, stop_asked: Callable[[], bool]) -> None:
    assert self._downstream is not None
    self._downstream.evaluate(
      downstream_lib.Snapshot(
        params=self._state.params,
        step=self._step,
        record=self._before,
        model_dir=self._model_dir,
        execution=self._execution,
        mesh=self._mesh,
        say=self._say,
        stop_asked=stop_asked,
      )
    )
    self.write_record('running')
    self._books.resume()

  def _checkpoint(self) -> None:
    self._books.check_against_schedule(self._step)
    self._events.flush()  # so that no checkpoint is ahead of its events
    self._checkpoints.save(
      self._step,
      self._state,
      {'training_seconds': self._books.training_seconds},
    )
    self.write_record('running')
    self._say('checkpoint')
    self._books.resume()

  def _say(self, message: str, step: int | None = None) -> None:
    step = self._step if step is None else step
    self._report(
      Progress(
        step,
        self._plan.num_steps,
        self._books.loss_nats_per_token,
        self._books.tokens_per_second,
        self._books.seconds_left(step),
        message,
      )
    )
