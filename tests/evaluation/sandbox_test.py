import concurrent.futures
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from codelaw import errors
from codelaw.evaluation import sandbox
from tests.evaluation import sandbox_hostile_test

LIMITS = sandbox.Limits(**sandbox_hostile_test.LIMITS)
PYTHON = sandbox_hostile_test.PYTHON
READ_ONLY = sandbox_hostile_test.READ_ONLY


@pytest.fixture(params=sandbox.BACKENDS)
def backend(request):
  reason = sandbox.why_not(request.param)
  if reason:
    pytest.skip(f'no {request.param}: {reason}')
  return request.param


def _shell(text, folder, backend, **arguments):
  arguments.setdefault('limits', LIMITS)
  return sandbox.run(['sh', '-c', text], folder, backend=backend, **arguments)


def test_a_program_runs_in_its_folder(backend, tmp_path):
  (tmp_path / 'given').write_text('from outside\n')
  outcome = _shell(
    'pwd; cat given; cat; echo $WORD; echo error >&2; echo made > made; exit 3',
    tmp_path,
    backend,
    stdin=b'input\n',
    environment={'WORD': 'word'},
  )
  assert outcome.stdout.decode() == (
    f'{tmp_path.resolve()}\nfrom outside\ninput\nword\n'
  )
  assert outcome.stderr == b'error\n'
  assert (outcome.ended, outcome.exit_code, outcome.ok) == ('exit', 3, False)
  assert (tmp_path / 'made').read_text() == 'made\n'
  # Not root's, also when codelaw is: the kernel does not limit root.
  assert (tmp_path / 'made').stat().st_uid not in (0, 65534)
  # What one program makes, the next one has and may change.
  assert _shell('cat made; echo more >> made', tmp_path, backend).ok
  assert (tmp_path / 'made').read_text() == 'made\nmore\n'
  assert 0 < outcome.seconds < LIMITS.seconds


def test_bubblewrap_may_be_a_link(tmp_path, monkeypatch):
  if reason := sandbox.why_not('bubblewrap'):
    pytest.skip(reason)
  (tmp_path / 'bin').mkdir()
  (tmp_path / 'bin' / 'bwrap').symlink_to(shutil.which('bwrap'))
  monkeypatch.setenv('PATH', f'{tmp_path}/bin:{os.environ["PATH"]}')
  (tmp_path / 'folder').mkdir()
  assert _shell('true', tmp_path / 'folder', 'bubblewrap').ok


def test_variables_are_few_and_the_user_is_nobody_here(backend, tmp_path):
  outcome = _shell('env | cut -d= -f1 | sort; id -u', tmp_path, backend)
  assert set(outcome.stdout.split()) - {b'PWD', b'OLDPWD', b'SHLVL', b'_'} == {
    b'HOME',
    b'LANG',
    b'PATH',
    b'TMPDIR',
    b'1000',
  }


def test_a_missing_program_ends_as_in_a_shell(backend, tmp_path):
  outcome = sandbox.run(['no-such-program'], tmp_path, backend=backend)
  assert (outcome.ended, outcome.exit_code) == ('exit', 127)


def test_further_paths_can_be_read_but_not_written(backend, tmp_path):
  folder, given = tmp_path / 'folder', tmp_path / 'given'
  for path in (folder, given):
    path.mkdir()
  (given / 'file').write_text('content\n')
  (tmp_path / 'link').symlink_to(given)
  outcome = _shell(
    f'cat {given}/file {tmp_path}/link/file; echo x > {given}/file || echo no',
    folder,
    backend,
    read_only=[tmp_path / 'link'],
  )
  assert outcome.stdout == b'content\ncontent\nno\n'
  assert (given / 'file').read_text() == 'content\n'


def test_shared_memory_counts_once_where_it_decides(backend, tmp_path):
  # Five times 14 MB of resident memory, but 14 MB in all. While processes end
  # the others' shares grow as one reads: 14 MB * (1/5 + ... + 1) at worst.
  program = (
    'import os, time\n'
    'kept = b"x" * (14 << 20)\n'
    'for _ in range(4):\n'
    '  if not os.fork(): time.sleep(0.3); os._exit(0)\n'
    'for _ in range(4): os.wait()'
  )
  outcome = sandbox.run(
    [PYTHON, '-I', '-c', program],
    tmp_path,
    LIMITS,
    read_only=READ_ONLY,
    backend=backend,
  )
  assert outcome.ok, outcome
  # Below the limit pages may count for each process that has them.
  assert 14 << 20 < outcome.memory_bytes <= LIMITS.memory_bytes
  assert LIMITS.memory_bytes < 5 * 14 << 20


def test_what_was_printed_before_a_limit_is_kept(backend, tmp_path):
  limits = sandbox.Limits(seconds=0.5)
  outcome = _shell('echo before; sleep 100', tmp_path, backend, limits=limits)
  assert (outcome.ended, outcome.stdout) == ('time', b'before\n')
  assert outcome.exit_code is None
  # The watch looks every 10 ms; the rest is for a machine under load.
  assert 0.5 <= outcome.seconds < 5


def test_input_that_nobody_reads_does_no_harm(backend, tmp_path):
  assert sandbox.run(
    ['true'], tmp_path, stdin=b'x' * (8 << 20), backend=backend
  ).ok


def test_threads_run_programs_at_the_same_time(backend, tmp_path):
  def run(number):
    folder = tmp_path / str(number)
    folder.mkdir()
    text = f'echo {number} > own; sleep 0.1; cat own; exit {number}'
    return _shell(text, folder, backend)

  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    outcomes = list(pool.map(run, range(12)))
  assert [outcome.exit_code for outcome in outcomes] == list(range(12))
  assert [int(outcome.stdout) for outcome in outcomes] == list(range(12))


_WAITING = """
import pathlib, sys
from codelaw.evaluation import sandbox
sandbox.run(
  ['sh', '-c', 'setsid sleep 1000 & touch started; sleep 1000'],
  pathlib.Path(sys.argv[1]),
  sandbox.Limits(seconds=1000),
  environment={'MARK': sys.argv[2]},
  backend=sys.argv[3],
)
"""


@pytest.mark.parametrize('victim', ['codelaw', 'supervisor'])
def test_the_program_dies_with_whoever_watches_it(backend, victim, tmp_path):
  mark = f'mark-{os.getpid()}-{time.time_ns()}'
  root = pathlib.Path(sandbox.__file__).parents[2]
  with subprocess.Popen(
    [sys.executable, '-c', _WAITING, tmp_path, mark, backend],
    env={**os.environ, 'PYTHONPATH': os.fspath(root)},
    stderr=subprocess.DEVNULL,
  ) as process:
    try:
      _wait_until((tmp_path / 'started').exists)
      # The shell, and at least the first `sleep`.
      assert len(sandbox_hostile_test.processes_with(mark)) >= 2
      own = f'/proc/{process.pid}/task/{process.pid}/children'
      (supervisor,) = map(int, pathlib.Path(own).read_text().split())
      killed = process.pid if victim == 'codelaw' else supervisor
      os.kill(killed, signal.SIGKILL)
      _wait_until(lambda: not sandbox_hostile_test.processes_with(mark))
      assert process.wait(30) != 0
    finally:
      process.kill()


def _wait_until(condition):
  until = time.monotonic() + 30
  while not condition():
    assert time.monotonic() < until
    time.sleep(0.01)


def test_nothing_runs_unless_a_sandbox_works_or_none_is_wanted(monkeypatch):
  monkeypatch.setattr(sandbox, 'why_not', lambda backend: 'broken')
  with pytest.raises(
    errors.UserError, match='bubblewrap: broken; namespaces'
  ) as (error):
    sandbox.kind()
  assert 'apt-get install bubblewrap' in str(error.value)
  assert 'CodeExecution.unsandboxed = True' in str(error.value)
  with pytest.raises(errors.UserError, match='sandbox'):
    sandbox.run(['true'], pathlib.Path('.'))
  with pytest.raises(errors.UserError, match='unsandboxed'):
    sandbox.run(['true'], pathlib.Path('.'), backend='none')
  assert sandbox.kind(unsandboxed=True) == 'none'


def test_the_first_sandbox_that_works_is_taken(monkeypatch):
  reasons = {'bubblewrap': '', 'namespaces': ''}
  monkeypatch.setattr(sandbox, 'why_not', reasons.get)
  assert sandbox.kind() == sandbox.kind(unsandboxed=True) == 'bubblewrap'
  reasons['bubblewrap'] = 'there is no bwrap'
  assert sandbox.kind() == sandbox.kind(unsandboxed=True) == 'namespaces'


def test_a_missing_bwrap_is_named(monkeypatch):
  monkeypatch.setenv('PATH', '/nowhere')
  assert sandbox.why_not.__wrapped__('bubblewrap') == 'there is no bwrap'


def test_a_sandbox_that_cannot_be_made_says_why(monkeypatch, tmp_path):
  fake = tmp_path / 'bin' / 'bwrap'
  fake.parent.mkdir()
  fake.write_text('#!/bin/sh\necho No permissions to create one >&2; exit 1\n')
  fake.chmod(0o755)
  monkeypatch.setenv('PATH', f'{fake.parent}:/usr/bin:/bin')
  with pytest.raises(errors.UserError, match='bubblewrap.*could not be set up'):
    sandbox.run(['true'], tmp_path, backend='bubblewrap')


@pytest.mark.parametrize(
  ('text', 'limits', 'ended'),
  [
    ('exit 0', {}, 'exit'),
    ('kill -9 $$', {}, 'signal'),
    ('sleep 1000 & sleep 1000', {'seconds': 0.3}, 'time'),
    ('yes', {}, 'output'),
    ('head -c 9000000 /dev/zero > file; sleep 1000', {}, 'disk'),
    ('while :; do :; done', {'cpu_seconds': 0.2}, 'cpu'),
    (
      'for i in $(seq 60); do sleep 1000 & done; sleep 1000',
      {'processes': 20},
      'processes',
    ),
  ],
)
def test_limits_hold_without_a_sandbox(text, limits, ended, tmp_path):
  outcome = sandbox.run(
    ['sh', '-c', text],
    tmp_path,
    sandbox.Limits(**sandbox_hostile_test.LIMITS | limits),
    environment={'MARK': os.fspath(tmp_path)},
    unsandboxed=True,
    backend='none',
  )
  assert outcome.ended == ended, outcome
  assert not sandbox_hostile_test.processes_with(f'MARK={tmp_path}')


def test_a_folder_must_exist(tmp_path):
  with pytest.raises(errors.UserError, match='needs a folder'):
    sandbox.run(['true'], tmp_path / 'missing', backend='bubblewrap')


@pytest.mark.parametrize('name', ['seconds', 'memory_bytes', 'processes'])
def test_limits_are_positive(name):
  with pytest.raises(errors.UserError, match=f'Limits.{name} must be more'):
    sandbox.Limits(**{name: 0})


def test_a_new_folder_goes_whatever_is_in_it(backend):
  with sandbox.new_folder() as folder:
    text = 'mkdir -p a/b/c; echo x > a/b/x; ln -s / a/b/root; chmod 0 a/b a'
    # Nobody can look into it, so it counts as too much.
    assert _shell(text, folder, backend).ended == 'disk'
  assert not folder.exists()
