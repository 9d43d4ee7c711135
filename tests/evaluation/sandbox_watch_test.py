import os
import subprocess
import sys

import pytest

from codelaw.evaluation import sandbox_watch

PLENTY = 1 << 30


def test_disk_usage_is_that_of_du(tmp_path):
  (tmp_path / 'a' / 'b').mkdir(parents=True)
  (tmp_path / 'a' / 'file').write_bytes(b'x' * 100_000)
  (tmp_path / 'a' / 'b' / 'sparse').touch()
  os.truncate(tmp_path / 'a' / 'b' / 'sparse', 1 << 30)
  (tmp_path / 'link').symlink_to('/usr')
  size, files = sandbox_watch.disk_usage(os.fspath(tmp_path), PLENTY, 1000)
  assert files == 5
  paths = list(tmp_path.rglob('*'))
  assert size == sum(path.lstat().st_blocks * 512 for path in paths)
  assert 100_000 <= size < 1 << 20


def test_counting_stops_beyond_a_limit(tmp_path):
  for number in range(50):
    (tmp_path / str(number)).write_bytes(b'x' * 5000)
  folder = os.fspath(tmp_path)
  assert sandbox_watch.disk_usage(folder, PLENTY, 10)[1] == 11
  (tmp_path / 'folder').mkdir()
  (tmp_path / 'folder' / 'file').write_bytes(b'x')
  assert sandbox_watch.disk_usage(folder, 1000, 1000)[1] <= 51


@pytest.mark.parametrize('mode', [0, 0o300, 0o600])
def test_a_folder_that_cannot_be_looked_into_is_too_much(mode, tmp_path):
  (tmp_path / 'folder').mkdir()
  (tmp_path / 'folder').chmod(mode)
  _, files = sandbox_watch.disk_usage(os.fspath(tmp_path), PLENTY, 10)
  (tmp_path / 'folder').chmod(0o700)
  assert files == 11


def _processes(root):
  return sandbox_watch.Processes(os.open('/proc', os.O_RDONLY), root)


# On a line of input, a child with a child of its own; they share 32 MB.
_FAMILY = """
import os, sys, time
sys.stdin.readline()
if os.fork() == 0:
  kept = b'x' * (32 << 20)
  os.fork()
  os.write(1, b'x')
  time.sleep(1000)
os.wait()
"""


def test_only_descendants_are_counted():
  family = subprocess.Popen(
    [sys.executable, '-I', '-S', '-c', _FAMILY],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    bufsize=0,
  )
  watched = _processes(family.pid)
  with family:
    try:
      assert watched.usage(100, PLENTY)[:2] == (0, 0)
      family.stdin.write(b'\n')
      assert family.stdout.read(1) + family.stdout.read(1) == b'xx'
      threads, memory, seconds = watched.usage(100, PLENTY)
      assert threads == 2
      assert len(watched.pids()) == 2
      assert memory > 64 << 20
      assert 0 <= seconds < 60
      # Where it matters, shared pages count once; these share nearly all.
      shared = watched.usage(100, 48 << 20)[1]
      assert 32 << 20 < shared < memory - (16 << 20)
    finally:
      for pid in watched.pids():
        os.kill(pid, 9)
