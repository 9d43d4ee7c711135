"""Executes a pickled sweep, as `codelaw study` does, in a process of its own.

python -m tests.studies.sweep_process RUNS.pickle FOLDER WORKERS MAX_FAILURES
"""

import os
import pathlib
import pickle
import subprocess
import sys

from codelaw import errors
from codelaw import storage
from codelaw.studies import execution

_ROOT = pathlib.Path(__file__).parents[2]


def start(runs, folder, cache, num_workers=2, max_failures=3):
  """Starts it as the leader of a session of its own.

  Args:
    runs: of `experiments.PlannedRun`.
    folder: of the run directories.
    cache: folder of compiled programs.
    num_workers: processes.
    max_failures: see `execution.execute`.
  """
  file = folder.parent / f'{folder.name}.pickle'
  file.write_bytes(pickle.dumps(tuple(runs)))
  return subprocess.Popen(
    [
      *(sys.executable, '-m', 'tests.studies.sweep_process'),
      *(str(file), str(folder), str(num_workers), str(max_failures)),
    ],
    cwd=_ROOT,
    env={
      **os.environ,
      'PYTHONPATH': str(_ROOT),
      'JAX_PLATFORMS': 'cpu',
      'JAX_ENABLE_COMPILATION_CACHE': 'true',
      'JAX_COMPILATION_CACHE_DIR': str(cache),
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
    },
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
    start_new_session=True,
  )


def _main(file, folder, num_workers, max_failures):
  runs = pickle.loads(pathlib.Path(file).read_bytes())
  try:
    with storage.exclusive(folder):
      execution.execute(
        runs, folder, lambda *_: None, int(num_workers), int(max_failures)
      )
  except errors.UserError as error:
    sys.exit(f'refused: {error}')
  except KeyboardInterrupt:
    sys.exit(130)


if __name__ == '__main__':
  _main(*sys.argv[1:])
