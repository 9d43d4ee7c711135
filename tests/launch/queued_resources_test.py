import dataclasses
import json

import pytest

from codelaw import errors
from codelaw.launch import job as job_lib
from codelaw.launch import mount
from codelaw.launch import programs
from codelaw.launch import queued_resources
from tests.launch import recording

ENGINE = queued_resources.QueuedResources(
  project='my-project',
  zone='us-west4-a',
  mount=mount.Mount('gs://my-bucket'),
  package='/mnt/codelaw/code/codelaw.whl',
  constraints='/mnt/codelaw/code/constraints.txt',
)
COMMAND = ('codelaw', 'train', '--gin_file=/mnt/codelaw/runs/a/launch.gin')
JOB = job_lib.Job('a-0123', COMMAND, 'v5e:1x1')
PLACE = 'projects/my-project/locations/us-west4-a/queuedResources'


def line(job, **changes):
  (command,) = dataclasses.replace(ENGINE, **changes).commands(job)
  return ' '.join(command.arguments)


def test_the_command_of_one_host():
  label = job_lib.fingerprint(JOB, ENGINE)
  assert line(JOB) == (
    'gcloud compute tpus queued-resources create a-0123 --project=my-project'
    ' --zone=us-west4-a --node-id=a-0123 --accelerator-type=v5litepod-1'
    f' --runtime-version=v2-alpha-tpuv5-lite --labels=codelaw-job={label}'
    ' --metadata-from-file=startup-script=/dev/stdin'
  )


def test_the_command_of_sixteen_hosts_with_all_settings():
  job = dataclasses.replace(JOB, topology='v5e:8x8')
  settings = {
    'capacity': 'spot',
    'service_account': 'me@my-project.iam.gserviceaccount.com',
    'network': 'n',
    'subnetwork': 's',
    'valid_until': '6h',
  }
  label = job_lib.fingerprint(job, dataclasses.replace(ENGINE, **settings))
  assert line(job, **settings) == (
    'gcloud compute tpus queued-resources create a-0123 --project=my-project'
    ' --zone=us-west4-a --node-id=a-0123 --accelerator-type=v5litepod-64'
    ' --runtime-version=v2-alpha-tpuv5-lite --spot'
    ' --service-account=me@my-project.iam.gserviceaccount.com --network=n'
    f' --subnetwork=s --valid-until-duration=6h --labels=codelaw-job={label}'
    ' --metadata-from-file=startup-script=/dev/stdin'
  )
  assert label != job_lib.fingerprint(job, ENGINE)


def test_reserved_chips_are_asked_for():
  assert ' --reserved ' in line(JOB, capacity='reserved')


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'project': ''}, 'project must be a text'),
    ({'capacity': 'cheap'}, 'capacity must be one of'),
    ({'max_restarts': -1}, 'max_restarts'),
    ({'mount': None}, r'mount must be @Mount\(\)'),
    ({'package': 'codelaw.whl'}, 'package must lie below .*or be git'),
    ({'constraints': '/tmp/constraints.txt'}, 'constraints must lie below'),
  ],
)
def test_mistakes_are_said(change, message):
  with pytest.raises(errors.UserError, match=message):
    dataclasses.replace(ENGINE, **change)


def test_codelaw_may_come_from_git():
  source = 'git+https://example.com/codelaw.git@v1'
  engine = dataclasses.replace(ENGINE, package=source)
  (command,) = engine.commands(JOB)
  assert f"PACKAGE='codelaw[train,tpu] @ {source}'\n" in command.input


def resource(name, state, label='x', **more):
  labels = {'codelaw-job': label} if label else {}
  return {
    'name': f'{PLACE}/{name}',
    'state': {'state': state, **more},
    'tpu': {'nodeSpec': [{'nodeId': name, 'node': {'labels': labels}}]},
  }


@pytest.fixture
def gcloud(tmp_path, monkeypatch):
  found = recording.Programs(tmp_path)
  monkeypatch.setenv('PATH', found.path())

  def answer(*resources):
    file = tmp_path / 'answer'
    file.write_text(json.dumps(resources))
    found.add('gcloud', f'[ "$4" != list ] || cat {file}')

  found.answer = answer
  return found


STATES = {
  'CREATING': 'waiting',
  'ACCEPTED': 'waiting',
  'WAITING_FOR_RESOURCES': 'waiting',
  'PROVISIONING': 'waiting',
  'ACTIVE': 'running',
  'FAILED': 'failed',
  'SUSPENDING': 'preempted',
  'SUSPENDED': 'preempted',
  'DELETING': 'waiting',
  'NEW_WORD': 'waiting',
}


def test_every_state_is_read(gcloud):
  gcloud.answer(*(resource(f'r-{s}', s) for s in STATES))
  found = ENGINE.jobs()
  assert {name[2:]: at.state for name, at in found.items()} == STATES
  assert {at.where for at in found.values()} == {'us-west4-a'}
  assert [name for name, at in found.items() if at.is_leaving] == ['r-DELETING']
  assert gcloud.calls() == [
    'gcloud compute tpus queued-resources list --project=my-project'
    ' --zone=us-west4-a --format=json'
  ]


def test_why_it_failed_is_passed_on(gcloud):
  why = {'failedData': {'error': {'code': 8, 'message': 'no capacity'}}}
  gcloud.answer(resource('a-0123', 'FAILED', **why))
  assert ENGINE.jobs()['a-0123'].message == 'FAILED: no capacity'


def test_what_others_have_made_is_left_out(gcloud):
  bare = {'name': f'{PLACE}/bare', 'state': {'state': 'ACTIVE'}}
  gcloud.answer(resource('b', 'ACTIVE', label=''), bare)
  assert ENGINE.jobs() == {}
  ENGINE.remove('b')
  assert not [call for call in gcloud.calls() if ' delete ' in call]


def verbs(gcloud):
  return [call.split()[4] for call in gcloud.calls()]


def test_a_job_is_created_once(gcloud):
  gcloud.answer()
  programs.submit(JOB, ENGINE)
  assert verbs(gcloud) == ['list', 'create']
  gcloud.answer(resource('a-0123', 'ACTIVE', job_lib.fingerprint(JOB, ENGINE)))
  programs.submit(JOB, ENGINE)
  assert verbs(gcloud) == ['list']


def test_a_preempted_one_is_replaced(gcloud):
  gcloud.answer(resource('a-0123', 'SUSPENDED'))
  programs.submit(JOB, ENGINE)
  assert verbs(gcloud) == ['list', 'list', 'delete', 'create']


def test_removing_frees_the_chips(gcloud):
  gcloud.answer(resource('a-0123', 'ACTIVE'))
  ENGINE.remove('a-0123')
  assert gcloud.calls()[-1] == (
    'gcloud compute tpus queued-resources delete a-0123 --project=my-project'
    ' --zone=us-west4-a --force --quiet'
  )
  ENGINE.remove('a-0123', wait=False)
  assert gcloud.calls()[-1].endswith(' --force --quiet --async')
