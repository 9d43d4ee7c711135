"""Worker processes that train runs, one after the other, each on one thread.

A worker ends with its parent, whatever ends that, by a pipe whose other end
the parent alone holds. Ctrl-C is kept from it: the parent ends it by SIGTERM,
on which its run saves a checkpoint.
"""

from collections.abc import Callable
from collections.abc import Hashable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import multiprocessing
from multiprocessing import connection as connections
from multiprocessing import resource_tracker
import os
import signal
import threading
import time
from typing import Any

from codelaw import compilation_cache
from codelaw import errors
from codelaw.studies import run_queue
from codelaw.train import loop

_REPORT_SECONDS = 0.2
_END_SECONDS = 20  # for a last checkpoint
_ONE_THREAD = (
  '--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1'
)
READY, AT, DONE, REFUSED, DIED = 'ready', 'at', 'done', 'refused', 'died'


class Worker:
  """One process.

  Attributes:
    task: what it trains; None while it waits.
    step: that it has compiled, see `run_queue`; None before its first run.
  """

  def __init__(self) -> None:
    context = multiprocessing.get_context('spawn')
    self.task: run_queue.Task | None = None
    self.step: Hashable = None
    self.connection, theirs = context.Pipe()
    # Held open by this process alone: its end tells the worker to end.
    alive, self._our_life = context.Pipe(duplex=False)
    self._process = context.Process(
      target=_work, args=(theirs, alive), daemon=True
    )
    with _interrupts_held():
      self._process.start()
    theirs.close()
    alive.close()

  def train(self, task: run_queue.Task) -> None:
    """Gives it a run; of one that has died meanwhile, `messages` will tell."""
    self.task, self.step = task, task.step
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
      self.connection.send((task.run_id, task.plan, task.model_dir))

  def receive(self) -> tuple[str, Any]:
    """(kind, content) of its next message; `DIED` with how it ended."""
    try:
      kind, content = self.connection.recv()
    except (EOFError, OSError):  # The latter within a message.
      self.close()
      return DIED, _ending(self._process.exitcode)
    return kind, content

  def wish_to_end(self) -> None:
    """Its run saves a checkpoint first."""
    self._process.terminate()

  def close(self) -> None:
    """Returns when it has ended: by itself, or by force."""
    if self.task is None:
      self.connection.close()  # It waits for a run, and ends without one.
    self._process.join(timeout=_END_SECONDS)
    self._process.kill()
    self._process.join()
    self.connection.close()
    self._our_life.close()


def messages(
  workers: Sequence[Worker],
) -> Iterator[tuple[Worker, str, Any]]:
  """Waits, and yields (worker, kind, content) of what they have to say."""
  by_connection = {worker.connection: worker for worker in workers}
  for connection in connections.wait(list(by_connection)):
    assert isinstance(connection, connections.Connection)
    worker = by_connection[connection]
    yield worker, *worker.receive()


def _ending(exit_code: int | None) -> str:
  """How a process has ended, in words.

  >>> _ending(-9)
  'was killed (SIGKILL), as one is that takes too much memory'
  """
  if exit_code == -signal.SIGKILL:
    return 'was killed (SIGKILL), as one is that takes too much memory'
  if exit_code == 0:
    return 'was asked to end'
  if exit_code is not None and exit_code < 0:
    return f'was ended by {signal.Signals(-exit_code).name}'
  return f'ended with exit code {exit_code}; what it printed says why'


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
  """A worker: trains one run after another until told to end."""
  threading.Thread(target=_end_with_parent, args=(alive,), daemon=True).start()
  flags = os.environ.get('XLA_FLAGS', '')
  os.environ['XLA_FLAGS'] = f'{flags} {_ONE_THREAD}'.strip()
  compilation_cache.enable()
  with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
    connection.send((READY, None))
    while True:
      run_id, plan, model_dir = connection.recv()
      try:
        loop.train(plan, model_dir, run_id=run_id, progress=_sender(connection))
      except errors.UserError as error:
        connection.send((REFUSED, str(error)))
      else:
        connection.send((DONE, None))


def _end_with_parent(alive: Any) -> None:
  with contextlib.suppress(EOFError, OSError):
    alive.recv()
  os._exit(1)


def _sender(
  connection: connections.Connection,
) -> Callable[[loop.Progress], None]:
  """Sends the first, the last, and a few reports a second in between."""
  last = float('-inf')

  def send(at: loop.Progress) -> None:
    nonlocal last
    now = time.monotonic()
    if at.step == at.num_steps or now - last >= _REPORT_SECONDS:
      last = now
      connection.send((AT, at))

  return send
