"""Studies through the clients that people have, which are fakes here."""

import dataclasses
import sys

import pytest

from codelaw import errors
from codelaw.launch import jobset
from codelaw.launch import mount as mount_lib
from codelaw.launch import programs
from codelaw.launch import queued_resources
from codelaw.launch import xpk
from codelaw.studies import attempts
from codelaw.studies import submission
from codelaw.studies import sweep
from codelaw.studies import units as units_lib
from codelaw.studies import whereabouts
from tests.launch import fake_cloud
from tests.launch.fakes import cloud as cloud_lib
from tests.launch.fakes import train as fake_train
from tests.studies import submitted

QUICK = attempts.RetryPolicy(wait_seconds=0.0)


def _queued_resources(folder):
  return queued_resources.QueuedResources(
    project='project',
    zone='us-west4-a',
    mount=mount_lib.Mount('gs://bucket', str(folder)),
    package=f'{folder}/codelaw.whl',
    constraints=f'{folder}/constraints.txt',
    capacity='spot',
    max_restarts=0,
  )


def _jobset(folder):
  return jobset.JobSet(
    context='gke_project_zone_cluster',
    image='image',
    mount=mount_lib.Mount('gs://bucket', str(folder)),
    max_restarts=1,
  )


def _xpk(folder):
  return xpk.Xpk(
    project='project',
    zone='us-west4-a',
    cluster='cluster',
    image='image',
    mount=mount_lib.Mount('gs://bucket', str(folder)),
    storage='bucket',
  )


class _Played:
  """A study whose machines find their records ready."""

  def __init__(self, folder, monkeypatch, program, topology, engine):
    self.cloud = fake_cloud.install(folder, monkeypatch, program)
    self.behave()
    self.study = submitted.study(
      *(folder, (1, 2)),
      engine=engine,
      slices=[sweep.Slice(submitted.MODEL, topology)],
      retries=QUICK,
      poll_seconds=0.05,
    )
    self.runs = sweep.planned_runs(self.study)
    self.prepared = folder / 'prepared'
    self.prepared.mkdir()
    monkeypatch.setenv(fake_train.PREPARED, str(self.prepared))
    for run in self.runs:
      submitted.write_record(folder / 'made', run, 'finished')
      made = folder / 'made' / run.run_id / 'run.json'
      made.rename(self.prepared / f'{run.run_id}.json')
    self.said = []

  def behave(self, *faults, **behaviour):
    train = [sys.executable, '-S', fake_train.__file__]
    self.cloud.behave(
      cloud_lib.Behaviour(train=train, faults=list(faults), **behaviour)
    )

  def execute(self, **flags):
    return submission.execute(
      self.study,
      self.runs,
      'runs',
      lambda message, *_: self.said.append(message),
      **flags,
    )

  def histories(self):
    return attempts.read(self.study.root / attempts.FILE)

  def endings(self):
    return {
      run_id: [attempt.ended for attempt in history.attempts]
      for run_id, history in self.histories().items()
    }

  def count(self, *words):
    return sum(call[: len(words)] == list(words) for call in self.cloud.calls())

  def until(self, is_so, passes=40):
    """Passes of processes of their own until something is so."""
    for _ in range(passes):
      self.execute(once=True)
      if is_so():
        return
    raise AssertionError(self.said)

  def name(self, run_id):
    return self.histories()[run_id].job


_ENGINES = {
  'gcloud': ('v5e:1x1', _queued_resources, 'create'),
  'kubectl': ('v5e:1x1', _jobset, 'apply'),
  'xpk': ('v5e:2x4', _xpk, 'create'),
}


@pytest.fixture
def play(tmp_path, monkeypatch):
  # A job that let its slice go is found out by its absence.
  monkeypatch.setattr(attempts, 'BELATED_SECONDS', 0.3)
  made = []

  def make(program):
    topology, engine, _ = _ENGINES[program]
    made.append(
      _Played(tmp_path, monkeypatch, program, topology, engine(tmp_path))
    )
    return made[0]

  yield make
  fake_cloud.clear(made[0].cloud)


@pytest.mark.parametrize('program', _ENGINES)
def test_a_study_is_trained_once_in_spite_of_preemption(play, program):
  played = play(program)
  hands_in = _ENGINES[program][2]
  wait = played.prepared / 'chain1-0.wait'
  wait.touch()
  places = {}
  units = units_lib.of_runs(played.study, played.runs, 'runs')

  def is_running():
    seen, _ = whereabouts.of_study(played.study, units, 0.0)
    places.update({place.unit.name: place.state for place in seen})
    return places['chain1-0'] == 'running'

  played.until(is_running)
  assert places['chain1-1'] == 'behind'
  (played.cloud.folder / f'preempt-{played.name("chain1-0")}').touch()
  played.until(lambda: played.count('preempted'))
  wait.unlink()
  assert played.execute()
  expected = ['preempted', 'finished'] if program == 'gcloud' else ['finished']
  assert played.endings() == {
    'chain0-0': ['finished'],
    'chain1-0': expected,
    'chain1-1': ['finished'],
  }
  assert played.count(program, hands_in) == 2 + len(expected)
  if program == 'gcloud':
    assert played.cloud.names() == []  # every slice is given back
  calls = len(played.cloud.calls())
  assert played.execute()  # nothing is left to do
  assert len(played.cloud.calls()) == calls + 1


@pytest.mark.slow
def test_a_command_that_fails_is_tried_again_and_then_given_up(play):
  played = play('kubectl')
  (played.prepared / 'chain1-0.json').unlink()
  with pytest.raises(errors.UserError, match='failed 3 times.*max number of'):
    played.execute()
  assert played.endings() == {
    'chain0-0': ['finished'],
    'chain1-0': ['failed'] * 3,
    'chain1-1': [],
  }


@pytest.mark.slow
def test_machines_that_go_by_themselves_have_failed(play):
  played = play('gcloud')
  played.study = dataclasses.replace(
    played.study, retries=attempts.RetryPolicy(1)
  )
  for run in played.runs:
    (played.prepared / f'{run.run_id}.json').unlink()
  with pytest.raises(errors.UserError, match='failed once.*its job is gone'):
    played.execute()
  assert played.cloud.names() == []


@pytest.mark.parametrize(
  ('program', 'verb', 'kind', 'passes', 'message'),
  [
    ('gcloud', 'create', 'quota', True, 'Quota .* exhausted'),
    ('gcloud', 'list', 'busy', True, 'UNAVAILABLE'),
    ('gcloud', 'list', 'crash', True, 'name resolution'),
    ('gcloud', 'create', 'late', True, 'had not ended after'),
    ('gcloud', 'list', 'garbage', False, 'JSON'),
    ('gcloud', 'list', 'login', False, 'gcloud auth login'),
    ('gcloud', 'create', 'rights', False, 'PERMISSION_DENIED'),
    ('gcloud', 'create', 'chips', False, 'could not be found in the zonal'),
    ('kubectl', 'get', 'crash', True, 'no such host'),
    ('kubectl', 'apply', 'quota', True, 'exceeded quota'),
    ('kubectl', 'get', 'garbage', False, 'JSON'),
    ('kubectl', 'get', 'login', False, 'Unauthorized'),
    ('kubectl', 'get', 'kind', False, 'resource type'),
    ('xpk', 'list', 'crash', True, 'no such host'),
    ('xpk', 'list', 'garbage', False, 'no table'),
    ('xpk', 'list', 'login', False, 'active account'),
  ],
)
def test_a_client_that_fails_is_heard_and_loses_nothing(
  play, monkeypatch, program, verb, kind, passes, message
):
  monkeypatch.setattr(programs, 'CHANGE_SECONDS', 2.0)
  played = play(program)
  fault = {'program': program, 'verb': verb, 'kind': kind}
  played.behave(fault)
  with pytest.raises(errors.UserError, match=message) as caught:
    played.execute(once=True)
  assert str(caught.value).count('\n') == 0
  assert ('start the study again later' in str(caught.value)) == passes
  played.execute(once=True)
  hands_in = _ENGINES[program][2]
  runs = {run_id for run_id, ends in played.endings().items() if ends == ['']}
  assert runs == {'chain0-0', 'chain1-0'}
  tried_twice = kind in ('quota', 'rights', 'chips')
  assert played.count(program, hands_in) == 2 + tried_twice


def test_without_the_client_the_way_to_get_it_is_told(play, monkeypatch):
  played = play('xpk')
  monkeypatch.setenv('PATH', str(played.prepared))
  with pytest.raises(errors.UserError, match='xpk is not on PATH'):
    played.execute()
