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


def test_it_shows_evaluations_and_how_long_a_job_is_silent(
  tmp_path, capsys, monkeypatch
):
  one, two = submitted.Task('one'), submitted.Task('two')
  played = submitted.Played(tmp_path, (1, 1), tasks=[one, two])
  played.finish('chain0-0')
  played.step()
  played.evaluated('chain0-0', one)
  for unit in ('chain0-0_tasks', 'chain1-0'):
    played.put(unit, 'running')
  played.step()
  monkeypatch.setattr(study_status.time, 'time', lambda: played.now + 720)
  study_status.show(played.study)
  lines = _lines(capsys)
  rows = {
    line.split()[0]: ' '.join(line.split()[2:])
    for line in lines
    if line.startswith('chain')
  }
  end = f'1 of 2 tasks {submitted.TOPOLOGY} 1'
  assert rows['chain0-0_tasks'] == f'zone running, silent 12 min {end}'
  assert '2 runs: 1 finished, 1 running' in lines
  assert '2 evaluations: 1 running, 1 behind' in lines
  played.evaluated('chain0-0', two)
  played.record('chain1-0', 'running', step=1)
  study_status.show(played.study)
  assert 'silent' not in capsys.readouterr().out


def test_local_studies_show_their_evaluations_too(tmp_path, capsys):
  task = submitted.Task('one')
  study = submitted.study(tmp_path, (1, 1), tasks=[task])
  first, second = sweep.planned_runs(study)
  for run in (first, second):
    submitted.write_record(tmp_path / 'study/runs', run, 'finished')
  submitted.write_tasks(tmp_path / 'study/runs', first, task)
  study_status.show(study)
  lines = _lines(capsys)
  assert '2 runs: 2 finished' in lines
  assert '2 evaluations: 1 finished, 1 due' in lines


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
