"""Runs the planned runs here, several at a time on a CPU.

A finished run is skipped, an interrupted one continues at its last
checkpoint, both by `loop.train`; so a study that was killed is simply started
again. Small models leave most of a CPU idle, so on CPUs each core gets a
worker process that trains one run after another on one thread; runs of one
model go to one worker where that costs no time, and share its compiled step.
On an accelerator this process trains them in turn.

A run that starts from another one of the study is trained when that is
finished. What goes wrong with one run does not stop the others:

  - where its worker dies, another goes on from the run's last checkpoint;
    after `max_failures` of them without a checkpoint in between it is given up;
  - where it is refused or its loss is no longer finite, it is given up.

With a run that is given up go those that start from it. All others are
trained; then the error names what is left, and the study, started again, tries
that again.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import functools
import logging
import os
import signal
import threading
import time
from types import FrameType

import jax

from codelaw import compilation_cache
from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.studies import experiments
from codelaw.studies import run_queue
from codelaw.studies import workers as workers_lib
from codelaw.train import checkpoint
from codelaw.train import loop
from codelaw.train import rundir

# (message, fraction of the training FLOPs done, seconds left or None)
Progress = Callable[[str, float, float | None], None]

_log = logging.getLogger(__name__)
_MAX_WORKERS = 8  # A worker holds about half a GiB.
_SHOWN = 3  # names of runs in a sentence


def execute(
  runs: Sequence[experiments.PlannedRun],
  folder: storage.PathLike,
  progress: Progress,
  num_workers: int = 0,
  max_failures: int = 3,
) -> None:
  """Trains every run into `folder/<run_id>`.

  Args:
    runs: in the order in which they are started where nothing else counts.
    folder: of the run directories.
    progress: told of every run's advance.
    num_workers: processes; 0 takes one per core, on accelerators this one.
    max_failures: deaths of its worker, without a checkpoint in between, after
      which a run is given up.

  Raises:
    UserError: when some could not be trained; all others are finished. Also
      when workers die before they get a run.
    KeyboardInterrupt: after Ctrl-C or SIGTERM; the runs that were under way
      are stopped at a checkpoint.
  """
  tasks = [
    run_queue.Task(
      run.run_id, run.plan, os.fspath(storage.path(folder) / run.run_id)
    )
    for run in runs
  ]
  # Skipped here: a study that is all done needs no workers.
  finished = [task for task in tasks if _is_finished(task)]
  left = [task for task in tasks if task not in finished]
  progress(f'{len(left)} of {len(tasks)} runs to train', 0.0, None)
  compilation_cache.enable()
  sweep = _Sweep(tasks, left, progress, max_failures)
  for task in finished:
    sweep.train(task)  # also looks whether the plan is the same
  workers = min(num_workers or _workers_for_this_machine(), len(left))
  if workers > 1:
    with _sigterm_as_interrupt():
      sweep.train_in_workers(workers)
  else:
    sweep.train_here()
  sweep.check()
  progress(f'{len(runs)} runs done', 1.0, 0.0)


def _is_finished(task: run_queue.Task) -> bool:
  folder = storage.path(task.model_dir)
  return (folder / 'run.json').exists() and records.read_run_record(
    folder
  ).status == 'finished'


def _workers_for_this_machine() -> int:
  if jax.default_backend() != 'cpu':
    return 1
  cores = os.cpu_count() or 1
  if hasattr(os, 'sched_getaffinity'):  # Linux: those this process may use.
    cores = len(os.sched_getaffinity(0))
  return min(_MAX_WORKERS, cores)


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
  """A machine that is taken away ends the workers as Ctrl-C does."""

  def interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

  if threading.current_thread() is not threading.main_thread():
    yield
    return
  before = signal.signal(signal.SIGTERM, interrupt)
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, before)


class _Sweep:
  """The runs that are left, and what has become of them."""

  def __init__(
    self,
    tasks: Sequence[run_queue.Task],
    left: Sequence[run_queue.Task],
    progress: Progress,
    max_failures: int,
  ):
    self._clock = _Clock({task.run_id: task.work for task in tasks}, progress)
    self._queue = run_queue.RunQueue(left)
    self._max_failures = max_failures
    self._deaths: dict[str, tuple[int, int]] = {}  # id -> (step, deaths there)
    self._early_deaths = 0  # in a row, before a worker had anything to do
    self._given_up: dict[str, str] = {}  # id -> why
    self._left_out: list[str] = []

  def train(self, task: run_queue.Task) -> None:
    """Trains one run in this process."""
    loop.train(
      task.plan,
      task.model_dir,
      run_id=task.run_id,
      progress=functools.partial(self._clock.report, task.run_id),
    )

  def train_here(self) -> None:
    """Trains all in this process, one after another."""
    warm = None
    while task := self._queue.pop(warm):
      warm = task.step
      try:
        self.train(task)
      except errors.UserError as error:
        self._give_up(task, str(error))
      else:
        self._queue.finished(task.run_id)

  def train_in_workers(self, number: int) -> None:
    """Trains all in so many processes at a time."""
    workers: list[workers_lib.Worker] = []
    idle: list[workers_lib.Worker] = []
    try:
      for _ in range(number):
        workers.append(workers_lib.Worker())
      while len(self._queue) or any(worker.task for worker in workers):
        for worker, kind, content in workers_lib.messages(workers):
          if kind == workers_lib.AT:
            assert worker.task
            self._clock.report(worker.task.run_id, content)
          elif kind == workers_lib.DIED:
            workers.remove(worker)
            idle = [other for other in idle if other is not worker]
            self._after_death(worker.task, content)
            if len(self._queue):
              workers.append(workers_lib.Worker())
          else:
            self._after_run(worker, kind, content)
            idle.append(worker)
        for worker in tuple(idle):
          steps = [other.step for other in workers if other.task]
          if task := self._queue.pop(worker.step, steps):
            worker.train(task)
            idle.remove(worker)
    except BaseException:
      for worker in workers:
        worker.wish_to_end()
      raise
    finally:
      for worker in workers:
        worker.close()

  def check(self) -> None:
    """Raises `UserError` when a run was given up."""
    if not self._given_up:
      return
    (name, reason), *others = self._given_up.items()
    text = f'The run {name} could not be trained: {reason}'
    if others:
      text += f' Nor could {_some([name for name, _ in others])}.'
    if self._left_out:
      text += f' {_some(self._left_out)} would have started from there.'
    raise errors.UserError(
      f'{text} All other runs are finished; started again, the study trains'
      ' what is left.'
    )

  def _after_run(
    self, worker: workers_lib.Worker, kind: str, content: str
  ) -> None:
    """A worker waits: it has just started, or its run has ended."""
    self._early_deaths = 0
    task, worker.task = worker.task, None
    if task and kind == workers_lib.REFUSED:
      self._give_up(task, content)
    elif task:
      self._queue.finished(task.run_id)

  def _after_death(self, task: run_queue.Task | None, ending: str) -> None:
    """Counts what has died; puts its run back or gives that up."""
    if task is None:
      self._early_deaths += 1
      if self._early_deaths == self._max_failures:
        raise errors.UserError(
          f'A worker process of the study {ending}, the last of'
          f' {self._max_failures} in a row before they had a run to train.'
          ' Fewer of them need less memory: set StudyPlan.num_workers.'
        )
      return
    saved = checkpoint.steps(storage.path(task.model_dir) / rundir.CHECKPOINTS)
    step = max(saved, default=0)
    before, deaths = self._deaths.get(task.run_id, (-1, 0))
    deaths = deaths + 1 if step == before else 1
    self._deaths[task.run_id] = step, deaths
    if deaths == self._max_failures:
      self._give_up(
        task,
        f'its worker process {ending}, the last of {deaths} in a row that came'
        f' no further than the checkpoint of step {step:,}; where memory is'
        ' short, set StudyPlan.num_workers lower.',
      )
      return
    _log.warning(
      'The worker process that trained %s %s; another goes on from the'
      ' checkpoint of step %d.',
      *(task.run_id, ending, step),
    )
    self._queue.put_back(task)

  def _give_up(self, task: run_queue.Task, reason: str) -> None:
    left_out = self._queue.give_up(task.run_id)
    self._given_up[task.run_id] = reason
    self._left_out += left_out
    self._clock.leave_out([task.run_id, *left_out])
    _log.warning(
      'The run %s cannot be trained: %s The others go on.', task.run_id, reason
    )


def _some(names: Sequence[str]) -> str:
  more = len(names) - _SHOWN
  shown = ', '.join(names[:_SHOWN])
  return f'{shown} and {more} more' if more > 0 else shown


class _Clock:
  """Time left, from the FLOPs per second so far of each model.

  A model that has not run yet is taken to be as fast as the average. Runs
  that were finished before count as done but teach nothing.
  """

  def __init__(self, flops: Mapping[str, float], progress: Progress):
    self._progress = progress
    self._flops = dict(flops)
    self._done = dict.fromkeys(flops, 0.0)
    self._start: float | None = None
    self._before = 0.0

  def leave_out(self, run_ids: Sequence[str]) -> None:
    """They will not be trained, so no time is left for them."""
    for run_id in run_ids:
      self._flops[run_id] = self._done[run_id] = 0.0

  def report(self, run_id: str, at: loop.Progress) -> None:
    """Takes one run's report in and passes on what it means for all."""
    fraction = at.step / at.num_steps
    if fraction == 1 and self._done[run_id] == 0:
      self._before += self._flops[run_id]  # An earlier study finished it.
    self._done[run_id] = fraction
    finished = sum(done == 1 for done in self._done.values())
    trained = sum(flops * self._done[r] for r, flops in self._flops.items())
    whole = sum(self._flops.values())
    now = time.monotonic()
    left = None
    if self._start is None:
      if trained > self._before:
        self._start, self._before = now, trained
    elif trained > self._before and now > self._start:
      speed = (trained - self._before) / (now - self._start)
      left = (whole - trained) / speed
    self._progress(
      f'{finished} of {len(self._done)} runs done, {run_id}: {at.brief()}',
      trained / whole,
      left,
    )
