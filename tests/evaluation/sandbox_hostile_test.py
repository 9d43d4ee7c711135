import json
import os
import pathlib
import secrets
import socket
import sys
import time

import pytest

from codelaw.evaluation import sandbox
from codelaw.evaluation import sandbox_folders
from tests.evaluation import hostile_programs

LIMITS = {
  'seconds': 20.0,
  'cpu_seconds': 10.0,
  'memory_bytes': 64 << 20,
  'processes': 30,
  'output_bytes': 100_000,
  'disk_bytes': 4 << 20,
  'files': 300,
}
PYTHON = os.path.realpath(sys.executable)
# The system's own is there anyway.
READ_ONLY = (
  () if sys.base_prefix.startswith('/usr') else (pathlib.Path(sys.base_prefix),)
)


def _backends():
  return [
    pytest.param(
      backend,
      marks=pytest.mark.skipif(
        bool(sandbox.why_not(backend)),
        reason=f'no {backend}: {sandbox.why_not(backend)}',
      ),
    )
    for backend in sandbox.BACKENDS
  ]


@pytest.fixture(scope='module')
def listener():
  """What the network is tried on: TCP, UDP and an abstract Unix socket."""
  with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
    tcp.bind(('127.0.0.1', 0))
    tcp.listen()
    udp.bind(tcp.getsockname())
    with socket.socket(socket.AF_UNIX) as unix:
      unix.bind(f'\0codelaw {os.getpid()}')
      unix.listen()
      for each in (tcp, udp, unix):
        each.setblocking(False)
      yield tcp, udp, unix


def processes_with(word: str) -> list[int]:
  """Processes that have a word among their variables."""
  found = []
  for name in os.listdir('/proc'):
    if name.isdigit() and int(name) != os.getpid():
      try:
        content = pathlib.Path('/proc', name, 'environ').read_bytes()
      except OSError:
        continue
      if word.encode() in content:
        found.append(int(name))
  return found


@pytest.mark.parametrize('name', hostile_programs.PROGRAMS)
@pytest.mark.parametrize('backend', _backends())
def test_a_hostile_program_is_stopped(
  backend, name, listener, tmp_path, monkeypatch
):
  program = hostile_programs.PROGRAMS[name]
  secret = secrets.token_hex(16)
  mark = secrets.token_hex(16)
  monkeypatch.setenv('SECRET', secret)
  (tmp_path / 'expected.json').write_text(json.dumps([secret]))
  canary = tmp_path / 'canary'
  canary.write_text('sings')
  folder = tmp_path / 'folder'
  folder.mkdir()
  (folder / 'program').write_text(program.text)
  command = ['sh'] if program.shell else [PYTHON, '-I']
  port = str(listener[0].getsockname()[1])
  outcome = sandbox.run(
    [*command, 'program', os.fspath(tmp_path), str(os.getpid()), port],
    folder,
    sandbox.Limits(**LIMITS | program.limits),
    environment={'MARK': mark},
    read_only=READ_ONLY,
    backend=backend,
  )
  expected = program.exit_code if program.ended in ('exit', 'signal') else None
  ended = {program.ended}
  if program.ended == 'processes':
    # The kernel refuses more than the limit. On a busy machine the watch may
    # never see so many at once, and what is left of a bomb ends with its time.
    ended.add('time')
  assert outcome.ended in ended, outcome
  assert outcome.exit_code == expected, outcome
  assert b'REACHED' not in outcome.stdout
  assert outcome.stdout.count(b'stopped') == program.stopped, outcome
  assert len(outcome.stdout) + len(outcome.stderr) <= LIMITS['output_bytes']
  # Nothing was learned, changed or received, and nothing is left.
  assert secret.encode() not in outcome.stdout + outcome.stderr
  assert canary.read_text() == 'sings'
  assert not processes_with(mark)
  for each in listener:
    with pytest.raises(BlockingIOError):
      each.recv(1) if each.type == socket.SOCK_DGRAM else each.accept()
  # A program that was stopped at a limit did not get far beyond it.
  assert outcome.memory_bytes < 2 * LIMITS['memory_bytes']
  sandbox_folders.remove(os.fspath(folder))
  assert sorted(os.listdir(tmp_path)) == ['canary', 'expected.json']
  # The harness goes on.
  folder.mkdir()
  assert sandbox.run(['true'], folder, backend=backend).ok


@pytest.mark.parametrize('backend', _backends())
def test_a_daemon_does_nothing_after_the_end(backend, tmp_path):
  program = hostile_programs.PROGRAMS['a daemon']
  (tmp_path / 'program').write_text(program.text)
  outcome = sandbox.run(
    [PYTHON, '-I', 'program', '', '0', '0'],
    tmp_path,
    read_only=READ_ONLY,
    backend=backend,
  )
  assert outcome.ok
  (tmp_path / 'alive').unlink()
  time.sleep(0.05)
  assert not (tmp_path / 'alive').exists()
