"""Work divided among processes that end with the one that started them.

A worker that outlived its parent would go on writing to a folder that the
next writer takes over.
"""

from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Sequence
from concurrent import futures
from concurrent.futures import process as process_pool
import contextlib
import multiprocessing
from multiprocessing import connection as connections
import os
import signal
import threading
from typing import Any
from typing import TypeVar

from codelaw import errors

_Task = TypeVar('_Task')
_Result = TypeVar('_Result')


def run(
  work: Callable[[_Task], _Result], tasks: Sequence[_Task], num_workers: int
) -> Generator[tuple[int, _Result], None, None]:
  """Yields (index of the task, its result) as workers finish.

  Args:
    work: picklable function of one picklable task.
    tasks: started in this order.
    num_workers: processes; with one this process does the work itself.

  Raises:
    UserError: when a worker was killed. What `work` raises is raised here;
      tasks that had not started by then are not started.
  """
  if num_workers == 1 or len(tasks) <= 1:
    for index, task in enumerate(tasks):
      yield index, work(task)
    return
  context = multiprocessing.get_context('spawn')
  # Held open by this process alone: its end tells the workers to end.
  alive, our_life = context.Pipe(duplex=False)
  threads = max(1, (os.cpu_count() or 1) // num_workers)
  pool = futures.ProcessPoolExecutor(
    min(num_workers, len(tasks)),
    context,
    initializer=_start,
    initargs=(alive, threads),
  )
  try:
    indices = {pool.submit(work, task): i for i, task in enumerate(tasks)}
    for done in futures.as_completed(indices):
      yield indices.pop(done), done.result()
    pool.shutdown()
  except process_pool.BrokenProcessPool as error:
    raise errors.UserError(
      'A worker process ended without a word, as one does that is killed for'
      ' its memory. Take fewer workers, or start again: what is finished is'
      ' kept.'
    ) from error
  finally:
    our_life.close()
    alive.close()
    pool.shutdown(cancel_futures=True)


def _start(alive: connections.Connection, num_threads: int) -> None:
  """Prepares a worker: its end, its share of the cores, no Ctrl-C."""
  # A terminal sends Ctrl-C to all; the parent ends its workers.
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  # Threads of the tokenizers, which otherwise are as many as cores.
  os.environ['RAYON_NUM_THREADS'] = str(num_threads)
  os.environ['TOKENIZERS_PARALLELISM'] = 'true' if num_threads > 1 else 'false'
  threading.Thread(target=_end_with, args=(alive,), daemon=True).start()


def _end_with(alive: Any) -> None:
  with contextlib.suppress(EOFError, OSError):
    alive.recv()
  os._exit(1)
