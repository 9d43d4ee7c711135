import collections
from concurrent import futures
import multiprocessing
import os
import pathlib
import tempfile
import time

import pytest

from codelaw.evaluation import sandbox

LIMITS = sandbox.Limits(
  seconds=30, memory_bytes=1 << 28, processes=50, disk_bytes=1 << 22
)
# What is run in turns, and the exit code.
PROGRAMS = (
  ('true', 0),
  ('setsid sleep 1000 & setsid sleep 1000 & exit 3', 3),
  ('mkdir -p d/e; echo hi > d/x; ln -s /etc/shadow d/l; chmod 500 d', 0),
  ('head -c 90000 /dev/zero | tee /tmp/x /dev/shm/x > x; mkfifo p', 0),
  ('kill -9 $$', 137),
  ('echo out; echo error >&2; exit 1', 1),
)
# Python's own memory grows by less than this over 10,000 subprocesses.
RESIDENT_BYTES = 8 << 20


def _state(mark):
  """Processes of the programs, zombies, descriptors, threads, files, mounts."""
  marked = zombies = 0
  for path in pathlib.Path('/proc').iterdir():
    if path.name.isdigit() and path.name != str(os.getpid()):
      try:
        marked += mark.encode() in (path / 'environ').read_bytes()
        fields = (path / 'stat').read_text().rpartition(')')[2].split()
      except OSError:
        continue
      zombies += fields[0] == 'Z' and int(fields[1]) == os.getpid()
  return {
    'processes': marked,
    'zombies': zombies,
    'descriptors': len(os.listdir('/proc/self/fd')),
    'threads': len(os.listdir('/proc/self/task')),
    'files': len(os.listdir(tempfile.gettempdir())),
    'mounts': len(pathlib.Path('/proc/self/mountinfo').read_text().split('\n')),
  }


def _resident():
  pages = pathlib.Path('/proc/self/statm').read_text().split()[1]
  return int(pages) * os.sysconf('SC_PAGE_SIZE')


def _run_many(backend, count, mark):
  codes = collections.Counter()
  for number in range(count):
    text, code = PROGRAMS[number % len(PROGRAMS)]
    with sandbox.new_folder() as folder:
      outcome = sandbox.run(
        ['sh', '-c', text],
        folder,
        LIMITS,
        environment={'MARK': mark},
        backend=backend,
      )
    codes[outcome.exit_code == code] += 1
  return codes


def _check_nothing_is_left(backend, count, folder):
  """In a process of its own: this counts what others do not touch."""
  tempfile.tempdir = folder
  mark = f'leak-{os.getpid()}-{time.time_ns()}'
  _run_many(backend, len(PROGRAMS), mark)
  before, resident = _state(mark), _resident()
  assert before['processes'] == before['zombies'] == before['files'] == 0
  assert _run_many(backend, count, mark) == {True: count}
  assert _state(mark) == before
  assert _resident() - resident < RESIDENT_BYTES


@pytest.mark.parametrize(
  'count',
  [36, pytest.param(10_000, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize('backend', sandbox.BACKENDS)
def test_programs_in_a_row_leak_nothing(backend, count, tmp_path):
  if sandbox.why_not(backend):
    pytest.skip(f'no {backend}: {sandbox.why_not(backend)}')
  context = multiprocessing.get_context('spawn')
  with futures.ProcessPoolExecutor(1, context) as pool:
    pool.submit(
      _check_nothing_is_left, backend, count, os.fspath(tmp_path)
    ).result()
