"""A whole study on a tiny corpus, run by the command line as a user runs it.

Its folder has the layout of the quickstart, so that every verb's example
runs in it.
"""

import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time

import codelaw

ROOT = pathlib.Path(codelaw.__file__).parent.parent
STUDY = pathlib.Path('results/quickstart')
COMPILED = (
  'compiled'  # JAX's cache, which saves studies that go on half a minute
)
FLAGS = (
  '--gin_file=studies/tiny.gin',
  "--gin.StudyPlan.name='quickstart'",
  f"--gin.STUDY_DIR='{STUDY}'",
  f"--gin.CORPUS_DIR='{STUDY}/corpus'",
  f"--gin.SHARDS_DIR='{STUDY}/shards'",
  "--gin.GENERATED_DIR='generated'",
)


@dataclasses.dataclass(frozen=True)
class Finished:
  """A finished study: its working directory and how it went."""

  folder: pathlib.Path
  stderr: str
  stdout: str
  seconds: float

  @property
  def study(self) -> pathlib.Path:
    return self.folder / STUDY


def start(folder: pathlib.Path, *flags: str) -> subprocess.Popen[str]:
  """Starts the study in `folder`, as the leader of a session of its own."""
  return subprocess.Popen(
    [sys.executable, '-m', 'codelaw', 'study', *FLAGS, *flags],
    cwd=folder,
    env={
      **os.environ,
      'PYTHONPATH': str(ROOT),
      'JAX_PLATFORMS': 'cpu',
      'JAX_ENABLE_COMPILATION_CACHE': 'true',
      'JAX_COMPILATION_CACHE_DIR': str(folder / COMPILED),
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0.3',
    },
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    start_new_session=True,
  )


def finish(folder: pathlib.Path, *flags: str) -> Finished:
  """Runs the study in `folder` to its end."""
  began = time.monotonic()
  process = start(folder, *flags)
  stdout, stderr = process.communicate(timeout=600)
  assert process.returncode == 0, stderr
  return Finished(folder, stderr, stdout, time.monotonic() - began)


def living(session: int) -> set[int]:
  """Processes of a session that still run; those only unreaped do not."""
  found = set()
  for entry in pathlib.Path('/proc').glob('[0-9]*/stat'):
    try:
      text = entry.read_text()
    except OSError:
      continue  # It ended meanwhile.
    state, _, _, its_session = text.rpartition(')')[2].split()[:4]
    if int(its_session) == session and state not in 'ZX':
      found.add(int(entry.parent.name))
  return found


def wait_until_gone(session: int, seconds: float) -> set[int]:
  """Processes of the session that are left after at most `seconds`."""
  deadline = time.monotonic() + seconds
  while (left := living(session)) and time.monotonic() < deadline:
    time.sleep(0.05)
  for process in left:
    os.kill(process, signal.SIGKILL)
  return left
