"""What a worker says and how it is ended, without its process."""

import multiprocessing
import signal

import pytest

from codelaw.studies import run_queue
from codelaw.studies import workers
from codelaw.train import loop
from tests.studies import planned

TASK = run_queue.Task('a', planned.run(), 'runs/a')


class _Process:
  """Ends when it is asked often enough."""

  def __init__(self, exitcode=0):
    self.exitcode = exitcode
    self.calls = []

  def join(self, timeout=None):
    self.calls.append(('join', timeout))

  def kill(self):
    self.calls.append(('kill',))

  def terminate(self):
    self.calls.append(('terminate',))


def _worker(exitcode=0):
  """(worker, its other end, its process)."""
  worker = object.__new__(workers.Worker)
  worker.task = worker.step = None
  worker.connection, theirs = multiprocessing.Pipe()
  worker._our_life, alive = multiprocessing.Pipe(duplex=False)
  alive.close()
  worker._process = _Process(exitcode)
  return worker, theirs, worker._process


def test_a_run_is_given_with_all_that_training_needs():
  worker, theirs, _ = _worker()
  worker.train(TASK)
  assert theirs.recv() == ('a', TASK.plan, 'runs/a')
  assert (worker.task, worker.step) == (TASK, TASK.step)


def test_of_one_that_died_meanwhile_its_messages_tell():
  worker, theirs, _ = _worker(-signal.SIGKILL)
  theirs.close()
  worker.train(TASK)
  ((one, kind, content),) = workers.messages([worker])
  assert (one, kind) == (worker, workers.DIED)
  assert 'SIGKILL' in content
  assert worker.task == TASK  # which is to be trained again


def test_what_was_said_is_heard_in_order():
  worker, theirs, _ = _worker()
  theirs.send((workers.READY, None))
  theirs.send((workers.REFUSED, 'why'))
  said = [next(workers.messages([worker]))[1:] for _ in range(2)]
  assert said == [(workers.READY, None), (workers.REFUSED, 'why')]


@pytest.mark.parametrize('trains', [True, False])
def test_it_gets_time_for_a_checkpoint_before_it_is_killed(trains):
  worker, theirs, process = _worker()
  worker.task = TASK if trains else None
  worker.wish_to_end()
  checked = []

  def join(timeout=None):
    process.calls.append(('join', timeout))
    # One that trains still says how far it is; one that waits reads the end.
    checked.append(worker.connection.closed)

  process.join = join
  worker.close()
  first, second, *others = process.calls
  assert first == ('terminate',)
  assert second[0] == 'join'
  assert second[1] >= 10
  assert others == [('kill',), ('join', None)]
  assert checked[0] == (not trains)
  assert worker.connection.closed
  assert worker._our_life.closed
  theirs.close()


@pytest.mark.parametrize(
  ('exitcode', 'words'),
  [
    (-signal.SIGKILL, 'too much memory'),
    (-signal.SIGSEGV, 'was ended by SIGSEGV'),
    (0, 'was asked to end'),
    (3, 'ended with exit code 3'),
    (None, 'ended with exit code None'),
  ],
)
def test_how_it_ended_is_said_in_words(exitcode, words):
  assert words in workers._ending(exitcode)


def test_the_first_and_the_last_report_are_always_sent(monkeypatch):
  sent = []

  class Connection:
    def send(self, message):
      sent.append(message[1].step)

  now = [100.0]
  monkeypatch.setattr(workers.time, 'monotonic', lambda: now[0])
  send = workers._sender(Connection())
  for step, seconds in ((1, 0), (2, 0.1), (3, 0.3), (4, 0.35), (5, 0.4)):
    now[0] = 100.0 + seconds
    send(loop.Progress(step, 5))
  assert sent == [1, 3, 5]
