"""The real kubectl takes our command lines, and we read what it prints."""

import json
import shutil
import subprocess

import pytest

from codelaw.launch import job as job_lib
from codelaw.launch import jobset
from codelaw.launch import mount
from codelaw.launch import programs
from tests.launch import kubernetes_api

pytestmark = [
  pytest.mark.slow,
  pytest.mark.skipif(
    shutil.which('kubectl') is None, reason='kubectl is not installed'
  ),
]
ENGINE = jobset.JobSet(
  context='gke_my-project_us-west4-a_pods',
  image='my-image:1',
  mount=mount.Mount('gs://my-bucket'),
)
JOB = job_lib.Job('a-run-0123', ('codelaw', 'train'), 'v5e:4x4')


@pytest.fixture
def cluster(tmp_path, monkeypatch):
  with kubernetes_api.serving() as (address, jobsets, patches):
    config = {
      'apiVersion': 'v1',
      'kind': 'Config',
      'clusters': [{'name': 'c', 'cluster': {'server': address}}],
      'users': [{'name': 'u', 'user': {}}],
      'contexts': [
        {'name': ENGINE.context, 'context': {'cluster': 'c', 'user': 'u'}}
      ],
    }
    (tmp_path / 'config').write_text(json.dumps(config))
    monkeypatch.setenv('KUBECONFIG', str(tmp_path / 'config'))
    monkeypatch.setenv('HOME', str(tmp_path))
    for proxy in ('http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'):
      monkeypatch.delenv(proxy, raising=False)
    yield jobsets, patches


def test_a_job_from_its_submission_to_its_end(cluster):
  jobsets, patches = cluster
  assert ENGINE.jobs() == {}
  programs.submit(JOB, ENGINE)
  found = jobsets['a-run-0123']
  assert found['spec'] == json.loads(json.dumps(ENGINE.manifest(JOB)['spec']))
  assert ENGINE.jobs()['a-run-0123'].state == 'waiting'
  assert ENGINE.jobs()['a-run-0123'].fingerprint == (
    job_lib.fingerprint(JOB, ENGINE)
  )
  found['status'] = {
    'conditions': [{'type': 'Completed', 'status': 'True', 'message': 'yes'}]
  }
  programs.submit(JOB, ENGINE)
  assert ENGINE.jobs()['a-run-0123'].state == 'finished'
  assert not patches
  ENGINE.remove('a-run-0123')
  assert not jobsets
  ENGINE.remove('a-run-0123')


def test_the_printed_command_may_be_given_twice(cluster):
  jobsets, patches = cluster
  (command,) = ENGINE.commands(JOB)
  for _ in range(2):
    subprocess.run(['bash', '-c', command.as_shell()], check=True)
  assert list(jobsets) == ['a-run-0123']
  assert not patches
