"""Runs the planned runs one after another in this process.

Runs of one size share their compiled step because they share the process. A
finished run is skipped, an interrupted one continues at its last checkpoint,
both by `loop.train`; so a study that was killed is simply started again.
"""

from collections.abc import Callable
from collections.abc import Sequence
import time

from codelaw import accounting
from codelaw import records
from codelaw import storage
from codelaw.studies import sweep
from codelaw.train import loop

# (message, fraction of the training FLOPs done, seconds left or None)
Progress = Callable[[str, float, float | None], None]


def execute(
  runs: Sequence[sweep.PlannedRun],
  folder: storage.PathLike,
  progress: Progress,
) -> list[records.RunRecord]:
  """Trains every run into `folder/<run_id>`.

  Args:
    runs: in the order in which they are run.
    folder: of the run directories.
    progress: told of every run's advance.

  Returns:
    The records, in the order of `runs`.

  Raises:
    UserError: from the first run that cannot be trained; runs before it stay.
  """
  clock = _Clock([run.plan for run in runs])
  finished = []
  for index, run in enumerate(runs):
    title = f'run {index + 1} of {len(runs)} {run.run_id}'

    def report(at: loop.Progress, title=title, index=index) -> None:
      done, left = clock.estimate(index, at.step / at.num_steps)
      progress(f'{title}: {at.brief()}', done, left)

    start = time.monotonic()
    record = loop.train(
      run.plan,
      str(storage.path(folder) / run.run_id),
      run_id=run.run_id,
      progress=report,
    )
    clock.finish(index, time.monotonic() - start)
    finished.append(record)
  progress(f'{len(runs)} runs done', 1.0, 0.0)
  return finished


class _Clock:
  """Time left, from the seconds per token of each model seen so far.

  A model that has not run yet is taken to need as many seconds per FLOP as
  the one that ran last; runs that were skipped teach nothing.
  """

  _SKIPPED_SECONDS = 0.5

  def __init__(self, plans: Sequence[records.RunPlan]):
    self._plans = plans
    self._flops = [
      accounting.train_flops_per_token(p.model, p.sequence_length)
      * p.num_tokens
      for p in plans
    ]
    self._seconds: dict[accounting.ModelShape, list[float]] = {}
    self._last_seconds_per_flop: float | None = None

  def finish(self, index: int, seconds: float) -> None:
    if seconds < self._SKIPPED_SECONDS:
      return
    plan = self._plans[index]
    totals = self._seconds.setdefault(plan.model, [0.0, 0.0])
    totals[0] += seconds
    totals[1] += plan.num_tokens
    self._last_seconds_per_flop = seconds / self._flops[index]

  def estimate(self, index: int, fraction: float) -> tuple[float, float | None]:
    """(fraction of all FLOPs done, seconds left or None) within run `index`."""
    whole = sum(self._flops)
    done = sum(self._flops[:index]) + fraction * self._flops[index]
    if self._last_seconds_per_flop is None:
      return done / whole, None
    left = (1 - fraction) * self._predict(index) + sum(
      self._predict(later) for later in range(index + 1, len(self._plans))
    )
    return done / whole, left

  def _predict(self, index: int) -> float:
    plan = self._plans[index]
    if plan.model in self._seconds:
      seconds, tokens = self._seconds[plan.model]
      return plan.num_tokens * seconds / tokens
    return self._flops[index] * (self._last_seconds_per_flop or 0.0)
