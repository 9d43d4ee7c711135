import dataclasses

import pytest

from codelaw import errors
from codelaw.launch import job as job_lib
from codelaw.launch import mount
from codelaw.launch import programs
from codelaw.launch import xpk
from tests.launch import recording

ENGINE = xpk.Xpk(
  project='my-project',
  zone='us-west4-a',
  cluster='pods',
  image='my-image:1',
  mount=mount.Mount('gs://my-bucket'),
  storage='bucket',
)
COMMAND = ('codelaw', 'train', "--gin_file=/mnt/codelaw/a run's.gin")
JOB = job_lib.Job('run-a-0001', COMMAND, 'v5e:2x4')
NAMES = '--project=my-project --zone=us-west4-a --cluster=pods'
# As xpk 1.16.0 prints it, with rows made by its own function.
TABLE = """\
[XPK] Starting xpk v1.16.0
[XPK] Starting workload list
[XPK] Workload List Output:
Jobset Name   Created Time           Priority    TPU/GPU VMs Needed   TPU/GPU VMs Running/Ran   TPU/GPU VMs Done   Status          Status Message                                         Status Time         
run-a-0001    2026-11-20T10:00:00Z   medium      16                   16                        <none>             Admitted        The workload is admitted                               2026-11-20T10:01:00Z
run-b-0002    2026-11-20T10:00:00Z   medium      16                   <none>                    <none>             QuotaReserved   Quota reserved in ClusterQueue cluster-queue           2026-11-20T10:01:00Z
run-c-0003    2026-11-20T10:00:00Z   very-high   4                    4                         4                  Finished        jobset completed successfully                          2026-11-20T11:00:00Z
run-d-0004    2026-11-20T10:00:00Z   low         4                    4                         <none>             Finished        jobset failed due to reaching max number of restarts   2026-11-20T11:00:00Z
run-e-0005    2026-11-20T10:00:00Z   medium      4                    <none>                    <none>             <none>          <none>                                                 <none>              
run-f-0006    2026-11-20T10:00:00Z   medium      4                    4                         <none>             Evicted         Preempted to accommodate a workload                    2026-11-20T11:00:00Z
run-g-0007    2026-11-20T10:00:00Z   medium      16                   <none>                    <none>             Admitted        The workload is admitted                               2026-11-20T10:01:00Z
[XPK] See your workloads in Cloud Console: https://console.cloud.google.com/
[XPK] Exiting XPK cleanly
"""  # noqa: E501, W291
EMPTY = '\n'.join(
  line for line in TABLE.splitlines() if not line.startswith('run-')
)


@pytest.fixture
def client(tmp_path, monkeypatch):
  found = recording.Programs(tmp_path)
  monkeypatch.setenv('PATH', found.path())

  def answer(text):
    file = tmp_path / 'answer'
    file.write_text(text)
    found.add('xpk', f'[ "$2" != list ] || cat {file}')

  found.answer = answer
  return found


def words(job, **changes):
  (command,) = dataclasses.replace(ENGINE, **changes).commands(job)
  return list(command.arguments)


def test_the_command_of_the_smallest_slice():
  assert words(JOB) == [
    *('xpk', 'workload', 'create', *NAMES.split()),
    '--workload=run-a-0001',
    '--tpu-type=v5litepod-8',
    '--docker-image=my-image:1',
    "--command=exec codelaw train '--gin_file=/mnt/codelaw/a run'\"'\"'s.gin'",
    '--storage=bucket',
    '--max-restarts=10',
    '--restart-on-exit-codes=1,75',
    '--termination-grace-period-seconds=300',
    '--priority=medium',
  ]


def test_the_command_of_sixteen_hosts():
  job = dataclasses.replace(
    JOB, topology='v5e:8x8', environment={'B': '1', 'A': 'x y'}
  )
  found = words(job, mount=None, storage='', priority='high', max_restarts=0)
  assert found[6:] == [
    *('--workload=run-a-0001', '--tpu-type=v5litepod-64'),
    *('--docker-image=my-image:1', words(JOB)[9]),
    *('--env=A=x y', '--env=B=1', '--max-restarts=0'),
    '--restart-on-exit-codes=1,75',
    '--termination-grace-period-seconds=300',
    '--priority=high',
  ]


@pytest.mark.parametrize('topology', ['v5e:1x1', 'v5e:2x2'])
def test_slices_that_xpk_does_not_know(topology):
  with pytest.raises(errors.UserError, match='xpk has no v5e slice of'):
    ENGINE.commands(dataclasses.replace(JOB, topology=topology))


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'cluster': ''}, 'cluster must be a text'),
    ({'mount': 3}, r'mount must be @Mount\(\)'),
    ({'storage': ''}, 'storage must name'),
    ({'mount': None}, 'storage must name'),
    ({'max_restarts': None}, 'max_restarts'),
  ],
)
def test_mistakes_are_said(change, message):
  with pytest.raises(errors.UserError, match=message):
    dataclasses.replace(ENGINE, **change)


def test_states_are_read(client):
  client.answer(TABLE)
  found = ENGINE.jobs()
  assert {name: at.state for name, at in found.items()} == {
    'run-a-0001': 'running',
    'run-b-0002': 'waiting',
    'run-c-0003': 'finished',
    'run-d-0004': 'failed',
    'run-e-0005': 'waiting',
    'run-f-0006': 'waiting',
    'run-g-0007': 'waiting',
  }
  assert found['run-f-0006'] == job_lib.Found(
    'waiting', 'pods', 'Evicted: Preempted to accommodate a workload'
  )
  assert client.calls() == [f'xpk workload list {NAMES}']


def test_there_may_be_no_workloads(client):
  client.answer(EMPTY)
  assert ENGINE.jobs() == {}


@pytest.mark.parametrize('text', ['', 'Jobset Name   Status\n', 'No jobs.\n'])
def test_another_table_is_not_guessed_at(client, text):
  client.answer(text)
  with pytest.raises(errors.UserError, match='xpk 1.16'):
    ENGINE.jobs()


def verbs(client):
  return [call.split()[2] for call in client.calls()]


def test_a_workload_is_created_once(client):
  client.answer(EMPTY)
  programs.submit(JOB, ENGINE)
  assert verbs(client) == ['list', 'create']
  client.answer(TABLE)
  programs.submit(JOB, ENGINE)
  assert verbs(client) == ['list']
  programs.submit(dataclasses.replace(JOB, name='run-d-0004'), ENGINE)
  assert verbs(client) == ['list', 'list', 'delete', 'create']


def test_a_workload_is_removed_where_it_is(client):
  client.answer(TABLE)
  ENGINE.remove('run-a-0001')
  assert client.calls()[-1] == (
    f'xpk workload delete {NAMES} --workload=run-a-0001 --force'
  )
  ENGINE.remove('run-z-0009')
  assert verbs(client) == ['list']
