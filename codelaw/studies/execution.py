"""Runs the planned runs, several at a time on a CPU.

A finished run is skipped, an interrupted one continues at its last
checkpoint, both by `loop.train`; so a study that was killed is simply started
again. Small models leave most of a CPU idle, so on CPUs each core gets a
worker process that trains one run after another on one thread; runs of one
size come one after another and share the worker's compiled step. On an
accelerator this process trains them in turn.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import functools
import multiprocessing
from multiprocessing import connection as connections
from multiprocessing import resource_tracker
import os
import signal
import threading
import time
from typing import Any

import jax

from codelaw import accounting
from codelaw import compilation_cache
from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.studies import experiments
from codelaw.train import loop

# (message, fraction of the training FLOPs done, seconds left or None)
Progress = Callable[[str, float, float | None], None]

_MAX_WORKERS = 8  # A worker holds about half a GiB.
_REPORT_SECONDS = 0.2
_ONE_THREAD = (
  '--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1'
)


def execute(
  runs: Sequence[experiments.PlannedRun],
  folder: storage.PathLike,
  progress: Progress,
  num_workers: int = 0,
) -> None:
  """Trains every run into `folder/<run_id>`.

  Args:
    runs: in the order in which they are started.
    folder: of the run directories.
    progress: told of every run's advance.
    num_workers: processes; 0 takes one per core, on accelerators this one.

  Raises:
    UserError: from the first run that cannot be trained. The runs that were
      under way are stopped at their last checkpoint.
  """
  clock = _Clock({run.run_id: run.plan for run in runs}, progress)
  tasks = [
    (run.run_id, run.plan, os.fspath(storage.path(folder) / run.run_id))
    for run in runs
  ]
  # Skipped here: a study that is all done needs no workers.
  finished = [task for task in tasks if _is_finished(task)]
  left = [task for task in tasks if task not in finished]
  workers = min(num_workers or _workers_for_this_machine(), len(left))
  here = tasks if workers == 1 else finished
  progress(f'{len(left)} of {len(tasks)} runs to train', 0.0, None)
  compilation_cache.enable()
  for run_id, plan, model_dir in here:
    loop.train(
      plan,
      model_dir,
      run_id=run_id,
      progress=functools.partial(clock.report, run_id),
    )
  if workers > 1:
    _execute_in_workers(left, workers, clock)
  progress(f'{len(runs)} runs done', 1.0, 0.0)


def _is_finished(task: '_Task') -> bool:
  folder = storage.path(task[2])
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


_Task = tuple[str, records.RunPlan, str]


def _execute_in_workers(
  tasks: Sequence[_Task], num_workers: int, clock: '_Clock'
) -> None:
  context = multiprocessing.get_context('spawn')
  waiting = list(tasks)[::-1]
  workers: dict[connections.Connection, Any] = {}
  try:
    for _ in range(num_workers):
      ours, theirs = context.Pipe()
      # Held open by this process alone: its end tells the worker to end.
      alive, our_life = context.Pipe(duplex=False)
      process = context.Process(target=_work, args=(theirs, alive), daemon=True)
      with _interrupts_held():
        process.start()
      theirs.close()
      alive.close()
      workers[ours] = (process, our_life)
    while workers:
      for connection in connections.wait(list(workers)):
        assert isinstance(connection, connections.Connection)
        try:
          kind, run_id, content = connection.recv()
        except EOFError:
          raise errors.UserError(
            'A worker process of the study ended without a word, as one does'
            ' that is killed for its memory. Start the study again; it goes'
            ' on where it was.'
          ) from None
        if kind == 'at':
          clock.report(run_id, content)
        elif kind == 'refused':
          raise errors.UserError(content)
        elif waiting:
          connection.send(waiting.pop())
        else:
          connection.close()
          workers.pop(connection)[0].join()
  finally:
    for process, _ in workers.values():
      process.terminate()  # A wish: the run saves a checkpoint first.
    for connection, (process, our_life) in workers.items():
      process.join(timeout=20)
      process.kill()
      connection.close()
      our_life.close()


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
  """Keeps Ctrl-C from the processes that are started meanwhile, for good.

  A terminal sends it to all processes of a study. This one ends the others
  in order: each saves a checkpoint, and none prints a traceback.
  """
  resource_tracker.ensure_running()  # Its own start would let signals in.
  before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
  try:
    yield
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: connections.Connection, alive: Any) -> None:
  """A worker: asks for a task, trains it, and so on until told to end."""
  threading.Thread(target=_end_with_parent, args=(alive,), daemon=True).start()
  flags = os.environ.get('XLA_FLAGS', '')
  os.environ['XLA_FLAGS'] = f'{flags} {_ONE_THREAD}'.strip()
  compilation_cache.enable()
  with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
    connection.send(('ready', '', None))
    while True:
      run_id, plan, model_dir = connection.recv()
      try:
        loop.train(
          plan,
          model_dir,
          run_id=run_id,
          progress=_sender(connection, run_id),
        )
      except errors.UserError as error:
        connection.send(('refused', run_id, str(error)))
        return
      connection.send(('done', run_id, None))


def _end_with_parent(alive: Any) -> None:
  with contextlib.suppress(EOFError, OSError):
    alive.recv()
  os._exit(1)


def _sender(
  connection: connections.Connection, run_id: str
) -> Callable[[loop.Progress], None]:
  """Sends the first, the last, and a few reports a second in between."""
  last = float('-inf')

  def send(at: loop.Progress) -> None:
    nonlocal last
    now = time.monotonic()
    if at.step == at.num_steps or now - last >= _REPORT_SECONDS:
      last = now
      connection.send(('at', run_id, at))

  return send


class _Clock:
  """Time left, from the FLOPs per second so far of each model.

  A model that has not run yet is taken to be as fast as the average. Runs
  that were finished before count as done but teach nothing.
  """

  def __init__(self, plans: Mapping[str, records.RunPlan], progress: Progress):
    self._progress = progress
    self._flops = {
      run_id: accounting.train_flops_per_token(p.model, p.sequence_length)
      * p.num_tokens
      for run_id, p in plans.items()
    }
    self._done = dict.fromkeys(plans, 0.0)
    self._start: float | None = None
    self._before = 0.0

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
