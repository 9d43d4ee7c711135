import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from codelaw import errors
from codelaw.data import workers


def _square(number):
  return number**2, os.getpid()


def _fail(number):
  if number == 2:
    raise errors.UserError('two is refused')
  return number


def _killed(number):
  os.kill(os.getpid(), signal.SIGKILL)


def test_one_worker_is_this_process():
  results = list(workers.run(_square, [3, 4], 1))
  assert results == [(0, (9, os.getpid())), (1, (16, os.getpid()))]


def test_results_come_with_the_index_of_their_task():
  results = dict(workers.run(_square, range(5), 2))
  assert {i: square for i, (square, _) in results.items()} == {
    i: i**2 for i in range(5)
  }
  assert os.getpid() not in {pid for _, pid in results.values()}


def test_mistakes_and_deaths_of_workers_are_one_sentence():
  others = multiprocessing.active_children()  # of other tests
  with pytest.raises(errors.UserError, match='two is refused'):
    list(workers.run(_fail, range(9), 2))
  with pytest.raises(errors.UserError, match='worker process ended without'):
    list(workers.run(_killed, range(3), 2))
  assert not set(multiprocessing.active_children()) - set(others)


_PARENT = """
import os, sys, time
from codelaw.data import workers

def work(folder):
  open(f'{folder}/{os.getpid()}', 'w').close()
  time.sleep(120)

if __name__ == '__main__':
  list(workers.run(work, [sys.argv[1]] * 2, 2))
"""


def _alive(pid):
  state = pathlib.Path(f'/proc/{pid}/stat')
  return state.exists() and state.read_text().rpartition(') ')[2][0] != 'Z'


@pytest.mark.skipif(not os.path.exists('/proc/self/stat'), reason='needs /proc')
def test_workers_end_with_a_killed_parent(tmp_path):
  script = tmp_path / 'parent.py'
  script.write_text(_PARENT)
  folder = tmp_path / 'pids'
  folder.mkdir()
  environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}
  parent = subprocess.Popen([sys.executable, script, folder], env=environment)
  try:
    deadline = time.monotonic() + 60
    while len(pids := os.listdir(folder)) < 2:
      assert time.monotonic() < deadline
      time.sleep(0.05)
  finally:
    parent.kill()
    parent.wait()
  while any(_alive(pid) for pid in pids):
    assert time.monotonic() < deadline
    time.sleep(0.05)
