"""The real gcloud takes our command lines, and we read what it prints."""

import shutil
import subprocess

import pytest

from codelaw.launch import job as job_lib
from codelaw.launch import mount
from codelaw.launch import programs
from codelaw.launch import queued_resources
from tests.launch import tpu_api

pytestmark = [
  pytest.mark.slow,
  pytest.mark.skipif(
    shutil.which('gcloud') is None, reason='gcloud is not installed'
  ),
]
ENGINE = queued_resources.QueuedResources(
  project='my-project',
  zone='us-west4-a',
  mount=mount.Mount('gs://my-bucket/code'),
  package='/mnt/codelaw/code/codelaw.whl',
  constraints='/mnt/codelaw/code/constraints.txt',
  service_account='trainer@my-project.iam.gserviceaccount.com',
  capacity='spot',
  network='my-network',
  subnetwork='my-subnetwork',
  valid_until='6h',
)
JOB = job_lib.Job('a-run-0123', ('codelaw', 'train'), 'v5e:4x4')


@pytest.fixture
def resources(tmp_path, monkeypatch):
  (tmp_path / 'token').write_text('none')
  monkeypatch.setenv('CLOUDSDK_CONFIG', str(tmp_path / 'config'))
  monkeypatch.setenv('CLOUDSDK_AUTH_ACCESS_TOKEN_FILE', str(tmp_path / 'token'))
  monkeypatch.setenv('CLOUDSDK_CORE_DISABLE_USAGE_REPORTING', 'true')
  for proxy in ('http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'):
    monkeypatch.delenv(proxy, raising=False)
  with tpu_api.serving() as (address, found):
    monkeypatch.setenv('CLOUDSDK_API_ENDPOINT_OVERRIDES_TPU', address)
    yield found


def test_a_job_from_its_submission_to_its_end(resources):
  assert ENGINE.jobs() == {}
  programs.submit(JOB, ENGINE)
  (resource,) = resources.values()
  assert resource['name'] == (
    'projects/my-project/locations/us-west4-a/queuedResources/a-run-0123'
  )
  assert 'spot' in resource
  assert 'validUntilDuration' in resource['queueingPolicy']
  (spec,) = resource['tpu']['nodeSpec']
  assert spec['nodeId'] == 'a-run-0123'
  node = spec['node']
  assert node['acceleratorType'] == 'v5litepod-16'
  assert node['runtimeVersion'] == 'v2-alpha-tpuv5-lite'
  assert node['serviceAccount']['email'] == ENGINE.service_account
  assert node['networkConfig']['network'] == 'my-network'
  (command,) = ENGINE.commands(JOB)
  assert node['metadata'] == {'startup-script': command.input}
  found = ENGINE.jobs()['a-run-0123']
  assert (found.state, found.where) == ('waiting', 'us-west4-a')
  assert found.fingerprint == job_lib.fingerprint(JOB, ENGINE)
  resource['state'] = {'state': 'ACTIVE'}
  programs.submit(JOB, ENGINE)
  assert ENGINE.jobs()['a-run-0123'].state == 'running'
  ENGINE.remove('a-run-0123')
  assert resources == {}
  ENGINE.remove('a-run-0123')
  programs.submit(JOB, ENGINE)
  ENGINE.remove('a-run-0123', wait=False)
  assert resources == {}


def test_the_printed_command_runs_as_it_stands(resources):
  (command,) = ENGINE.commands(JOB)
  subprocess.run(['bash', '-c', command.as_shell()], check=True)
  (resource,) = resources.values()
  script = resource['tpu']['nodeSpec'][0]['node']['metadata']['startup-script']
  assert script == command.input
