import dataclasses
import json
import pathlib

import pytest

from codelaw import errors
from codelaw.launch import job as job_lib
from codelaw.launch import jobset
from codelaw.launch import mount
from codelaw.launch import programs
from tests.launch import recording

SCHEMA = pathlib.Path(__file__).with_name('jobset_schema.json')
ENGINE = jobset.JobSet(
  context='gke_my-project_us-west4-a_pods',
  image='my-image:1',
  mount=mount.Mount('gs://my-bucket/a'),
  service_account='trainer',
)
COMMAND = ('codelaw', 'train', '--gin_file=/mnt/codelaw/runs/a/launch.gin')
JOB = job_lib.Job('a-0123', COMMAND, 'v5e:1x1')
SIXTEEN_HOSTS = dataclasses.replace(
  JOB, topology='v5e:8x8', environment={'B': 'c', 'A': 'true'}
)
KUBECTL = 'kubectl --context=gke_my-project_us-west4-a_pods --namespace=default'


def manifest(job=JOB, **changes):
  """As kubectl reads it, checked against the schema of JobSets."""
  jsonschema = pytest.importorskip('jsonschema')
  (command,) = dataclasses.replace(ENGINE, **changes).commands(job)
  content = json.loads(command.input)
  schema = json.loads(SCHEMA.read_text())
  jsonschema.validate(content, schema, jsonschema.Draft202012Validator)
  return content


def group(content):
  (found,) = content['spec']['replicatedJobs']
  return found['template']['spec']


def pod(content):
  return group(content)['template']['spec']


def test_the_command_applies_the_manifest():
  (command,) = ENGINE.commands(JOB)
  assert ' '.join(command.arguments) == f'{KUBECTL} apply --filename=-'
  assert json.loads(command.input) == ENGINE.manifest(JOB)


def test_one_host():
  content = manifest()
  assert content['metadata'] == {
    'name': 'a-0123',
    'labels': {'app.kubernetes.io/managed-by': 'codelaw'},
    'annotations': {'codelaw/job': job_lib.fingerprint(JOB, ENGINE)},
  }
  assert (group(content)['parallelism'], group(content)['completions']) == (
    1,
    1,
  )
  (container,) = pod(content)['containers']
  assert container['command'] == list(COMMAND)
  assert container['resources']['limits'] == {'google.com/tpu': '1'}
  assert pod(content)['nodeSelector'] == {
    'cloud.google.com/gke-tpu-accelerator': 'tpu-v5-lite-podslice',
    'cloud.google.com/gke-tpu-topology': '1x1',
  }


def test_sixteen_hosts():
  content = manifest(SIXTEEN_HOSTS)
  annotations = content['metadata']['annotations']
  assert annotations['alpha.jobset.sigs.k8s.io/exclusive-topology'] == (
    'cloud.google.com/gke-nodepool'
  )
  spec = group(content)
  assert (spec['parallelism'], spec['completions']) == (16, 16)
  assert (spec['completionMode'], spec['backoffLimit']) == ('Indexed', 0)
  (container,) = pod(content)['containers']
  assert container['resources']['requests'] == {'google.com/tpu': '4'}
  assert container['env'] == [
    {'name': 'A', 'value': 'true'},
    {'name': 'B', 'value': 'c'},
  ]
  selector = pod(content)['nodeSelector']
  assert selector['cloud.google.com/gke-tpu-topology'] == '8x8'


def test_hosts_that_are_taken_away_do_not_count_as_failures():
  content = manifest(max_restarts=3)
  policy = content['spec']['failurePolicy']
  assert policy['maxRestarts'] == 3
  (rule,) = policy['rules']
  assert rule['action'] == 'RestartJobSetAndIgnoreMaxRestarts'
  assert rule['onJobFailureReasons'] == ['PodFailurePolicy']
  reason, others = group(content)['podFailurePolicy']['rules']
  assert reason['onPodConditions'][0]['type'] == 'DisruptionTarget'
  assert others['onExitCodes'] == {'operator': 'In', 'values': [130]}
  assert {reason['action'], others['action']} == {'FailJob'}
  assert pod(content)['restartPolicy'] == 'Never'


def test_the_bucket_is_a_volume():
  content = manifest()
  (volume,) = pod(content)['volumes']
  assert volume['csi']['volumeAttributes'] == {
    'bucketName': 'my-bucket',
    'mountOptions': ENGINE.mount.options,
  }
  (container,) = pod(content)['containers']
  (place,) = container['volumeMounts']
  assert place == {'name': volume['name'], 'mountPath': '/mnt/codelaw'}
  annotations = group(content)['template']['metadata']['annotations']
  assert annotations == {'gke-gcsfuse/volumes': 'true'}
  assert pod(content)['serviceAccountName'] == 'trainer'


def test_or_there_is_none():
  content = manifest(mount=None)
  assert 'volumes' not in pod(content)
  assert 'metadata' not in group(content)['template']


def test_spot_machines_a_reservation_and_a_queue():
  labels = {'cloud.google.com/reservation-name': 'ours'}
  content = manifest(spot=True, node_selector=labels, queue='team')
  selector = pod(content)['nodeSelector']
  assert selector['cloud.google.com/gke-spot'] == 'true'
  assert selector['cloud.google.com/reservation-name'] == 'ours'
  assert [t['key'] for t in pod(content)['tolerations']] == [
    'google.com/tpu',
    'cloud.google.com/gke-spot',
  ]
  assert content['metadata']['labels']['kueue.x-k8s.io/queue-name'] == 'team'


@pytest.mark.parametrize(
  ('change', 'path'),
  [
    ({'replica': 1}, ('spec', 'replicatedJobs', 0)),
    ({'completions': '4'}, ('spec', 'replicatedJobs', 0, 'template', 'spec')),
    ({'maxRestarts': 1.5}, ('spec', 'failurePolicy')),
    ({'name': 'A'}, ('metadata',)),
  ],
)
def test_the_schema_refuses_what_kubernetes_would(change, path):
  jsonschema = pytest.importorskip('jsonschema')
  content = json.loads(json.dumps(ENGINE.manifest(JOB)))
  place = content
  for key in path:
    place = place[key]
  place.update(change)
  with pytest.raises(jsonschema.ValidationError):
    jsonschema.validate(content, json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'context': ''}, 'context must be a text'),
    ({'image': 3}, 'image must be a text'),
    ({'namespace': 'A_b'}, 'namespace must be a name'),
    ({'service_account': ''}, 'service_account must be a name'),
    ({'mount': 'gs://b'}, r'mount must be @Mount\(\)'),
    ({'max_restarts': 'x'}, 'max_restarts'),
  ],
)
def test_mistakes_are_said(change, message):
  with pytest.raises(errors.UserError, match=message):
    dataclasses.replace(ENGINE, **change)


def item(name, *, fingerprint='x', restarts=0, ready=0, leaving=False, **holds):
  """As `kubectl get --output=json` prints one, as far as we read it."""
  metadata = {'name': name, 'annotations': {'codelaw/job': fingerprint}}
  if leaving:
    metadata['deletionTimestamp'] = '2026-11-20T10:00:00Z'
  conditions = [
    {'type': kind, 'status': str(value), 'message': f'{kind} it is'}
    for kind, value in holds.items()
  ]
  return {
    'metadata': metadata,
    'status': {
      'conditions': conditions,
      'restarts': restarts,
      'replicatedJobsStatus': [{'name': 'slice', 'ready': ready}],
    },
  }


@pytest.fixture
def kubectl(tmp_path, monkeypatch):
  found = recording.Programs(tmp_path)
  monkeypatch.setenv('PATH', found.path())

  def answer(*items):
    file = tmp_path / 'answer'
    file.write_text(json.dumps({'kind': 'List', 'items': items}))
    found.add('kubectl', f'[ "$3" != get ] || cat {file}')

  found.answer = answer
  return found


def test_states_are_read(kubectl):
  new = {'metadata': {'name': 'new'}}
  kubectl.answer(
    new,
    item('starting', Completed=False),
    item('queued', Suspended=True),
    item('running', Suspended=False, ready=1, restarts=2),
    item('finished', Completed=True, ready=0),
    item('failed', Failed=True),
    item('leaving', Failed=True, leaving=True),
  )
  found = ENGINE.jobs()
  assert {name: at.state for name, at in found.items()} == {
    'new': 'waiting',
    'starting': 'waiting',
    'queued': 'waiting',
    'running': 'running',
    'finished': 'finished',
    'failed': 'failed',
    'leaving': 'failed',
  }
  assert found['running'].message == 'pods are ready, 2 restarts'
  assert found['failed'].message == 'Failed it is'
  assert found['failed'].where == 'gke_my-project_us-west4-a_pods/default'
  assert [name for name, at in found.items() if at.is_leaving] == ['leaving']
  assert kubectl.calls() == [
    f'{KUBECTL} get jobsets.jobset.x-k8s.io'
    ' --selector=app.kubernetes.io/managed-by=codelaw --output=json'
  ]


def verbs(kubectl):
  return [call.split()[3] for call in kubectl.calls()]


def test_a_job_is_applied_once(kubectl):
  kubectl.answer()
  programs.submit(JOB, ENGINE)
  assert verbs(kubectl) == ['get', 'apply']
  kubectl.answer(item('a-0123', fingerprint=job_lib.fingerprint(JOB, ENGINE)))
  programs.submit(JOB, ENGINE)
  assert verbs(kubectl) == ['get']
  kubectl.answer(item('a-0123', Failed=True))
  programs.submit(JOB, ENGINE)
  assert verbs(kubectl) == ['get', 'delete', 'apply']


@pytest.mark.parametrize('wait', [True, False])
def test_removing_waits_until_it_is_gone_or_not(kubectl, wait):
  kubectl.answer()
  ENGINE.remove('a-0123', wait)
  assert kubectl.calls() == [
    f'{KUBECTL} delete jobsets.jobset.x-k8s.io a-0123 --ignore-not-found'
    f' --wait={"true" if wait else "false"}'
  ]
