import pytest

from codelaw import errors
from codelaw.cli import study_status
from codelaw.studies import submission
from codelaw.studies import sweep
from codelaw.studies import units
from tests.studies import submitted


def _lines(capsys):
  return [line.strip() for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def engine():
  return submitted.Engine()


def test_it_shows_what_runs_where(tmp_path, capsys, engine):
  study = submitted.study(tmp_path, (1, 2), engine=engine)
  runs = sweep.planned_runs(study)
  handed = submission.Submission(study, units.of_runs(study, runs, 'runs'))
  handed.one_pass(0.0)
  for name in engine.found:
    engine.put(name, 'preempted', '[SUSPENDED]\n  [by the service]')
  handed.one_pass(1.0)
  handed.one_pass(2.0)
  submitted.write_record(tmp_path / 'study/runs', runs[0], 'running', step=3)
  study_status.show(study)
  lines = _lines(capsys)
  assert lines[0] == 'Runs of chains'
  (row,) = [line.split() for line in lines if line.startswith('chain0-0 ')]
  assert row[2:] == [
    *('zone', 'waiting', '3', 'of', '8', 'v5e:1x1', '2,', '1', 'preempted'),
  ]
  assert row[1].startswith('chain0-0-')
  assert '3 runs: 2 waiting, 1 behind' in lines
  assert 'chain0-0: [SUSPENDED] [by the service]' in lines


def test_it_says_what_could_not_be_asked(tmp_path, capsys, engine):
  engine.down = errors.UserError('gcloud is not on PATH.')
  study_status.show(submitted.study(tmp_path, engine=engine))
  last = _lines(capsys)[-1]
  assert last == 'The engine could not be asked: gcloud is not on PATH.'
  assert not (tmp_path / 'study').exists()


def test_local_studies_have_it_too(tmp_path, capsys):
  study = submitted.study(tmp_path, (2,))
  runs = sweep.planned_runs(study)
  submitted.write_record(tmp_path / 'study/runs', runs[0], 'failed', step=3)
  study_status.show(study)
  lines = _lines(capsys)
  (row,) = [line.split() for line in lines if line.startswith('chain0-0 ')]
  assert row == ['chain0-0', '1', 'cpu', 'failed', '3', 'of', '8']
  assert '2 runs: 1 failed, 1 behind' in lines
  assert 'chain0-0: the loss is nan' in lines
