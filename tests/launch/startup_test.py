"""The startup script, run here with stand-ins for all that it calls."""

import dataclasses
import shutil
import subprocess

import pytest

from codelaw.launch import job as job_lib
from codelaw.launch import mount
from codelaw.launch import queued_resources
from tests.launch import recording

ENGINE = queued_resources.QueuedResources(
  project='my-project',
  zone='us-west4-a',
  mount=mount.Mount('gs://my-bucket/a'),
  package='/mnt/codelaw/code/codelaw.whl',
  constraints='/mnt/codelaw/code/constraints.txt',
  gcsfuse='gs://my-bucket/gcsfuse.deb',
  max_restarts=2,
)
JOB = job_lib.Job(
  'a-0123',
  ('codelaw', 'train', "--gin_file=/mnt/codelaw/a run's.gin"),
  'v5e:4x4',
  {'JAX_PLATFORMS': 'tpu,cpu'},
)
DELETE = (
  'gcloud compute tpus queued-resources delete a-0123 --project=my-project'
  ' --zone=us-west4-a --force --quiet --async'
)
# What `uv` makes with its first argument: an environment, or a program in it.
UV = """
if [ "$1" = venv ]; then mkdir -p "${@: -1}/bin"; fi
if [ "$1" = pip ]; then cp "$CODELAW" "$(dirname "$4")/codelaw"; fi
"""
PIP = """
[ "$2 $3" = "pip install" ] || exit 9
mkdir -p "$7/bin" && cp "$UV_PROGRAM" "$7/bin/uv"
"""


class Host:
  """One machine: its disk, its programs, and what they do there."""

  def __init__(self, folder):
    self.folder = folder
    self.root = folder / 'root'
    self.mounted = folder / 'mnt'
    self.programs = recording.Programs(folder)
    aside = folder / 'aside'
    aside.mkdir()
    self.aside = aside
    self.programs.add('uv', UV, aside)
    self.train('exit 0')
    for name, script in {
      'python3': PIP,
      'mountpoint': f'test -e {self.mounted}/.mounted',
      'gcsfuse': f'touch {self.mounted}/.mounted',
      'gcloud': '',
      'curl': 'echo -n 0',
      'systemctl': 'echo running',
    }.items():
      self.programs.add(name, script)

  def train(self, script):
    """What the command of the job does from now on."""
    self.programs.add('codelaw', script, self.aside)
    installed = self.root / 'env' / 'bin' / 'codelaw'
    if installed.exists():
      shutil.copy(self.aside / 'codelaw', installed)

  def start(self, engine=ENGINE):
    """Starts the machine: (exit code, calls, log)."""
    (command,) = engine.commands(JOB)
    script = (
      command.input.replace('/opt/codelaw', str(self.root))
      .replace('FOLDER=/mnt/codelaw\n', f'FOLDER={self.mounted}\n')
      .replace('LOGS=/mnt/codelaw/', f'LOGS={self.mounted}/')
      .replace('PAUSE_SECONDS=15', 'PAUSE_SECONDS=0')
    )
    done = subprocess.run(
      ['bash', '-'],
      input=script,
      capture_output=True,
      text=True,
      timeout=300,
      env={
        'PATH': self.programs.path('/usr/bin:/bin'),
        'CODELAW': str(self.aside / 'codelaw'),
        'UV_PROGRAM': str(self.aside / 'uv'),
      },
    )
    assert (done.stdout, done.stderr) == ('', '')
    calls = [
      call.replace(str(self.root), 'ROOT').replace(str(self.mounted), 'MNT')
      for call in self.programs.calls()
      if not call.startswith(('curl', 'mountpoint', 'systemctl'))
    ]
    return done.returncode, calls, (self.root / 'job.log').read_text()


@pytest.fixture
def host(tmp_path):
  return Host(tmp_path)


TRAIN = "codelaw train --gin_file=/mnt/codelaw/a run's.gin"
INSTALL = [
  'python3 -m pip install --quiet --upgrade --target ROOT/uv uv==0.13.9',
  'uv venv --clear --managed-python --python 3.12 ROOT/env',
  'uv pip install --python ROOT/env/bin/python --constraint'
  ' /mnt/codelaw/code/constraints.txt'
  ' codelaw[train,tpu] @ file:///mnt/codelaw/code/codelaw.whl',
]
MOUNT = (
  'gcsfuse --implicit-dirs --metadata-cache-ttl-secs=0'
  ' --metadata-cache-negative-ttl-secs=0 --rename-dir-limit=200000'
  ' --only-dir=a my-bucket MNT'
)


def test_a_machine_mounts_installs_trains_and_is_let_go(host):
  host.train('echo "on $JAX_PLATFORMS"')
  code, calls, log = host.start()
  assert code == 0
  assert calls == [MOUNT, *INSTALL, TRAIN, DELETE]
  assert 'on tpu,cpu' in log
  kept = host.mounted / 'logs' / 'a-0123' / 'worker-0.log'
  assert 'on tpu,cpu' in kept.read_text()


def test_a_machine_that_starts_anew_only_trains(host):
  host.start()
  assert host.start()[1] == [TRAIN, DELETE]


def test_another_package_is_installed(host):
  host.start()
  other = '/mnt/codelaw/code/codelaw-2.whl'
  calls = host.start(dataclasses.replace(ENGINE, package=other))[1]
  assert any(other in call for call in calls)


def test_other_hosts_let_the_first_free_the_slice(host):
  host.programs.add('curl', 'echo -n 3')
  assert DELETE not in host.start()[1]
  assert (host.mounted / 'logs' / 'a-0123' / 'worker-3.log').exists()


def test_the_slice_may_be_kept(host):
  kept = dataclasses.replace(ENGINE, release=False)
  assert host.start(kept)[1][-1] == TRAIN


def test_a_command_that_fails_once_is_started_again(host):
  host.train(
    f'test -e {host.folder}/once || {{ touch {host.folder}/once; exit 2; }}'
  )
  code, calls, log = host.start()
  assert (code, calls.count(TRAIN)) == (0, 2)
  assert 'the command ended with 2' in log


def test_one_that_always_fails_is_given_up(host):
  host.train('exit 7')
  code, calls, _ = host.start()
  assert (code, calls.count(TRAIN), calls[-1]) == (7, 3, DELETE)


def test_one_that_stays_when_another_is_taken_away_starts_again(host):
  host.train(
    f'test -e {host.folder}/once || {{ touch {host.folder}/once; exit 130; }}'
  )
  code, calls, _ = host.start()
  assert (code, calls.count(TRAIN), calls[-1]) == (0, 2, DELETE)


@pytest.mark.parametrize('code', [130, 143])
def test_a_machine_that_is_taken_away_gives_nothing_up(host, code):
  host.programs.add('systemctl', 'echo stopping; exit 1')
  host.train(f'exit {code}')
  found, calls, log = host.start()
  assert (found, calls[-1], calls.count(TRAIN)) == (0, TRAIN, 1)
  assert 'told to stop' in log


def test_what_a_slow_network_refuses_is_tried_again(host):
  marks = (
    f'echo x >>{host.folder}/tries; [ $(wc -l <{host.folder}/tries) -gt 2 ]'
  )
  host.programs.add('python3', f'{marks} || exit 1\n{PIP}')
  code, calls, log = host.start()
  assert (code, calls.count(INSTALL[0])) == (0, 3)
  assert 'try 2 of 5 failed' in log


@pytest.mark.parametrize('program', ['python3', 'gcsfuse'])
def test_what_cannot_be_had_ends_the_job(host, program):
  host.programs.add(program, 'exit 1')
  code, calls, _ = host.start()
  assert code == 1
  assert calls[-1] == DELETE
  assert TRAIN not in calls
  # Nothing lies where the bucket will be mounted.
  assert program != 'gcsfuse' or not list(host.mounted.iterdir())


@pytest.mark.parametrize('verb', ['venv', 'pip'])
def test_what_uv_cannot_do_ends_the_job(host, verb):
  host.programs.add('uv', f'[ "$1" != {verb} ] || exit 1\n{UV}', host.aside)
  code, calls, log = host.start()
  assert code == 1
  assert calls[-1] == DELETE
  last = [call for call in calls if call.startswith('uv')][-1]
  assert last.startswith(f'uv {verb}')
  assert not (host.root / 'installed').exists()
  assert f'try 5 of 5 failed: {host.root}/uv/bin/uv {verb}' in log


def test_an_image_without_gcsfuse_gets_it_from_the_bucket(host):
  (host.programs.folder / 'gcsfuse').unlink()
  if shutil.which('gcsfuse', path='/usr/bin:/bin'):
    pytest.skip('this machine has gcsfuse')
  host.programs.add(
    'apt-get',
    f'cp {host.programs.folder}/mount-it {host.programs.folder}/gcsfuse',
  )
  host.programs.add('mount-it')
  calls = host.start()[1]
  assert calls[:3] == [
    'gcloud storage cp gs://my-bucket/gcsfuse.deb ROOT/gcsfuse.deb',
    'apt-get install --yes --option DPkg::Lock::Timeout=600 ROOT/gcsfuse.deb',
    MOUNT.replace('gcsfuse', 'mount-it', 1),
  ]
  assert calls[-2] == TRAIN


def test_or_says_that_it_must_be_there(host):
  (host.programs.folder / 'gcsfuse').unlink()
  if shutil.which('gcsfuse', path='/usr/bin:/bin'):
    pytest.skip('this machine has gcsfuse')
  code, calls, log = host.start(dataclasses.replace(ENGINE, gcsfuse=''))
  assert code == 1
  assert 'this image has no gcsfuse' in log
  assert calls[-1] == DELETE


@pytest.mark.skipif(not shutil.which('shellcheck'), reason='no shellcheck')
def test_shellcheck_finds_nothing():
  (command,) = ENGINE.commands(JOB)
  done = subprocess.run(
    ['shellcheck', '--severity=warning', '--exclude=SC2054', '-'],
    input=command.input,
    capture_output=True,
    text=True,
  )
  assert done.stdout == ''
