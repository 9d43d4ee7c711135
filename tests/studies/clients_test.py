"""Studies through the clients that people have, which are fakes here."""

import dataclasses
import sys
import time

import pytest

from codelaw import errors
from codelaw import storage
from codelaw.launch import job as job_lib
from codelaw.launch import mount as mount_lib
from codelaw.launch import programs
from codelaw.launch import queued_resources
from codelaw.studies import attempts
from codelaw.studies import submission
from codelaw.studies import sweep
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


class _Played:
  """A study whose machines find their records ready."""

  def __init__(self, folder, monkeypatch, program, engine):
    self.cloud = fake_cloud.install(folder, monkeypatch, program)
    self.behave()
    self.study = submitted.study(
      folder, (1, 2), engine=engine, retries=QUICK, poll_seconds=0.05
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


@pytest.fixture
def played(tmp_path, monkeypatch):
  # A job that let its slice go is found out by its absence.
  monkeypatch.setattr(attempts, 'BELATED_SECONDS', 0.3)
  found = _Played(tmp_path, monkeypatch, 'gcloud', _queued_resources(tmp_path))
  yield found
  fake_cloud.clear(found.cloud)


def test_queued_resources_train_a_study(played):
  assert played.execute()
  assert set(map(tuple, played.endings().values())) == {('finished',)}
  assert played.count('gcloud', 'create') == len(played.runs)
  assert played.cloud.names() == []  # every slice is given back
  calls = len(played.cloud.calls())
  assert played.execute()
  assert played.count('gcloud', 'create') == len(played.runs)
  assert len(played.cloud.calls()) == calls + 1
