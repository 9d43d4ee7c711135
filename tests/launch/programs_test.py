import re

import pytest

from codelaw import errors
from codelaw.launch import job as job_lib
from codelaw.launch import programs
from tests.launch import recording


@pytest.fixture
def clients(tmp_path, monkeypatch):
  found = recording.Programs(tmp_path)
  monkeypatch.setenv('PATH', found.path('/usr/bin:/bin'))
  return found


def run(*arguments, text='', seconds=60.0):
  return programs.run(job_lib.Command(arguments, text), seconds)


def test_a_program_gets_its_input_and_is_heard(clients):
  clients.add('gcloud', 'cat; echo not this >&2')
  assert run('gcloud', 'a b', '--c', text='in\n') == 'in\n'
  assert clients.calls() == ['gcloud a b --c']


def test_without_input_it_waits_for_none(clients):
  clients.add('xpk', 'read -r answer || echo no answer')
  assert run('xpk') == 'no answer\n'


@pytest.mark.parametrize('name', ['gcloud', 'kubectl', 'xpk', 'other'])
def test_a_missing_program_says_how_to_get_it(name, monkeypatch, tmp_path):
  monkeypatch.setenv('PATH', str(tmp_path))
  with pytest.raises(
    errors.UserError, match=f'{name} is not on PATH; .*install'
  ):
    run(name)


def test_a_refusal_is_passed_on(clients):
  clients.add('kubectl', 'echo out; seq 9 >&2; echo "no rights." >&2; exit 3')
  message = '`kubectl get` ended with 3: 8 9 no rights.'
  with pytest.raises(
    errors.UserError, match=f'^{re.escape(message)}$'
  ) as error:
    run('kubectl', '--context=x', 'get')
  assert not isinstance(error.value, job_lib.TransientError)


def test_xpk_complains_on_its_output(clients):
  clients.add('xpk', 'echo "[XPK] no such cluster"; exit 1')
  with pytest.raises(errors.UserError, match='no such cluster'):
    run('xpk')


@pytest.mark.parametrize(
  'said',
  [
    'RESOURCE_EXHAUSTED: Quota limit exceeded',
    'net/http: TLS handshake timeout',
    'HttpError 503: The service is currently unavailable',
    'Unable to connect to the server: dial tcp: i/o timeout',
    'The connection to the server was refused - connection refused',
    'code: 8, message: There is no more capacity, please try again later',
  ],
)
def test_what_may_pass_is_told_apart(clients, said):
  clients.add('gcloud', f'echo "{said}" >&2; exit 1')
  with pytest.raises(job_lib.TransientError):
    run('gcloud')


@pytest.mark.parametrize(
  'said',
  [
    'PERMISSION_DENIED: permission denied on resource',
    'INVALID_ARGUMENT: unknown accelerator type v5litepod-5030',
    'error: the server does not have a resource type "jobsets"',
  ],
)
def test_and_so_is_what_does_not(clients, said):
  clients.add('gcloud', f"echo '{said}' >&2; exit 1")
  with pytest.raises(errors.UserError) as error:
    run('gcloud')
  assert not isinstance(error.value, job_lib.TransientError)


def test_a_program_that_does_not_end_is_ended(clients):
  clients.add('gcloud', 'exec sleep 4')
  with pytest.raises(job_lib.TransientError, match='not ended after 0 s'):
    run('gcloud', seconds=0.3)


def test_what_is_no_json_is_said(clients):
  clients.add('gcloud', 'echo hello')
  with pytest.raises(errors.UserError, match="JSON .*'hello"):
    programs.read(job_lib.Command(('gcloud',)))
