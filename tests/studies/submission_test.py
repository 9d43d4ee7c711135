import dataclasses

import pytest

from codelaw import errors
from codelaw import execution
from codelaw import records
from codelaw.launch import job as job_lib
from codelaw.launch import mount as mount_lib
from codelaw.studies import attempts
from codelaw.studies import submission
from codelaw.studies import sweep
from tests.studies import submitted


def test_runs_are_handed_in_behind_those_they_start_from(played):
  states, asked = played.step()
  assert states == {'chain0-0': 'due', 'chain1-0': 'due', 'chain1-1': 'behind'}
  assert asked == ['submit chain0-0', 'submit chain1-0']
  states, asked = played.step()
  assert list(states.values()) == ['waiting', 'waiting', 'behind']
  assert not asked
  played.finish('chain1-0')
  states, asked = played.step()
  assert states['chain1-1'] == 'due'
  assert asked == ['submit chain1-1']
  played.finish('chain0-0')
  played.finish('chain1-1')
  states, asked = played.step()
  assert set(states.values()) == {'finished'}
  assert not asked
  assert all(played.endings(r) == ['finished'] for r in played.runs)


def test_a_job_is_the_same_command_on_the_runs_own_gin_file(played):
  slices = [
    dataclasses.replace(
      played.study.slices[0], execution=execution.Execution(microbatches=2)
    )
  ]
  played.study = dataclasses.replace(played.study, slices=slices)
  played.start()
  played.step()
  job = played.engine.jobs_seen[played.name('chain0-0')]
  file = played.folder.parent / 'jobs' / 'chain0-0.gin'
  assert job.command == ('codelaw', 'train', f'--gin_file={file}')
  assert job.topology == submitted.TOPOLOGY
  text = file.read_text()
  assert f"TrainSettings.model_dir = '{played.folder}/chain0-0'" in text
  assert 'Execution.microbatches = 2' in text


def test_no_more_slices_are_held_than_allowed(tmp_path):
  played = submitted.Played(tmp_path, (1, 1, 1, 1), max_jobs=2)
  assert played.step()[1] == ['submit chain0-0', 'submit chain1-0']
  assert played.step()[1] == []
  played.put('chain0-0', 'running')
  assert played.step()[1] == []
  played.finish('chain0-0')
  assert played.step()[1] == ['submit chain2-0']


def test_a_job_that_is_not_listed_yet_may_hold_a_slice(tmp_path):
  played = submitted.Played(tmp_path, (1, 1), max_jobs=1)
  assert played.step()[1] == ['submit chain0-0']
  there = played.engine.found.pop(played.name('chain0-0'))
  states, asked = played.step()
  assert states == {'chain0-0': 'unclear', 'chain1-0': 'due'}
  assert not asked
  played.engine.found[played.name('chain0-0')] = there
  assert played.step()[0]['chain0-0'] == 'waiting'


def test_finished_runs_are_left_out_and_their_slices_given_back(played):
  played.record('chain0-0', 'finished')
  states, asked = played.step()
  assert states['chain0-0'] == 'finished'
  assert asked == ['submit chain1-0']
  played.record('chain1-0', 'finished')
  played.put('chain1-0', 'running')
  assert played.step()[1] == ['submit chain1-1']
  assert played.places['chain1-0'].holds_slice
  assert played.step(submitted.LATE)[1] == ['remove chain1-0']
  played.step()
  assert not played.places['chain1-0'].holds_slice


def test_a_quota_that_is_used_up_stops_only_its_own_slices(tmp_path):
  other = dataclasses.replace(submitted.MODEL, width=16)
  played = submitted.Played(
    tmp_path,
    (1, 1, 1),
    slices=[sweep.Slice(submitted.MODEL, submitted.TOPOLOGY)],
  )
  slices = [*played.study.slices, sweep.Slice(other, 'v5e:2x2')]
  last = played.runs['chain2-0']
  plan = dataclasses.replace(last.plan, model=other)
  played.runs['chain2-0'] = dataclasses.replace(last, plan=plan)
  played.study = dataclasses.replace(played.study, slices=slices)
  played.start()
  error = job_lib.TransientError('Quota exhausted.')
  played.engine.refuses[submitted.TOPOLOGY] = error
  _, asked = played.step()
  assert asked == ['submit chain0-0', 'submit chain2-0']
  assert played.trouble == 'Quota exhausted.'
  played.engine.refuses.clear()
  assert played.step()[1] == ['submit chain0-0', 'submit chain1-0']
  assert played.endings('chain0-0') == ['']


def _execute(played, monkeypatch, play=lambda: None, **flags):
  """Runs the loop; `play` is what happens between passes."""
  slept = []
  said = []

  def sleep(seconds):
    slept.append(seconds)
    played.now += seconds
    play()

  monkeypatch.setattr(submission.time, 'time', lambda: played.now)
  monkeypatch.setattr(submission.time, 'sleep', sleep)
  runs = list(played.runs.values())
  done = submission.execute(
    played.study, runs, 'runs', lambda *at: said.append(at), **flags
  )
  return done, slept, said


def test_it_waits_until_all_runs_are_finished(played, monkeypatch):
  def play():
    for run_id in played.runs:
      if played.name(run_id) in played.engine.found:
        played.finish(run_id)

  done, slept, said = _execute(played, monkeypatch, play)
  assert done
  assert len(slept) == 2
  assert said[-1][:2] == ('3 of 3 runs done', 1.0)


def test_it_waits_until_all_slices_are_given_back(played, monkeypatch):
  for run_id in played.runs:
    played.finish(run_id)
  played.put('chain0-0', 'running')

  def play():
    played.now += submitted.LATE

  done, slept, _ = _execute(played, monkeypatch, play)
  assert done
  assert len(slept) == 2
  assert played.engine.log == [('remove', played.name('chain0-0'))]


def test_once_is_one_pass(played, monkeypatch):
  done, slept, said = _execute(played, monkeypatch, once=True)
  assert not done
  assert not slept
  assert said[-1][0] == '0 of 3 runs done, 2 due, 1 behind'


def test_it_ends_with_a_sentence_when_there_is_no_hope(tmp_path, monkeypatch):
  policy = attempts.RetryPolicy(max_failures=1)
  played = submitted.Played(tmp_path, (2, 1), retries=policy)

  def play():
    played.put('chain0-0', 'failed', 'exit code 1')
    played.finish('chain1-0')

  with pytest.raises(errors.UserError) as caught:
    _execute(played, monkeypatch, play)
  text = str(caught.value)
  assert '1 of 3 runs are given up: chain0-0 (failed once, lastly: exit' in text
  assert '1 that are behind them wait' in text


def test_what_may_pass_is_tried_again_after_longer_and_longer(
  played, monkeypatch
):
  played.engine.down = job_lib.TransientError('No network.')
  passes = []

  def play():
    passes.append(1)
    if len(passes) == 3:
      played.engine.down = None
      for run_id in played.runs:
        played.finish(run_id)

  done, slept, said = _execute(played, monkeypatch, play)
  assert done
  assert slept == [60, 120, 240]
  assert any('No network.' in message for message, *_ in said)


def test_what_does_not_pass_ends_the_study_but_not_its_jobs(
  played, monkeypatch
):
  played.step()
  played.engine.down = job_lib.TransientError('No network.')
  with pytest.raises(errors.UserError, match='No network.*start the study'):
    _execute(played, monkeypatch)
  with pytest.raises(errors.UserError, match='No network'):
    _execute(played, monkeypatch, once=True)
  assert len(played.engine.found) == 2


def test_what_will_never_pass_ends_it_at_once(played, monkeypatch):
  played.engine.refuses[submitted.TOPOLOGY] = errors.UserError('No such zone.')
  with pytest.raises(errors.UserError, match='No such zone'):
    _execute(played, monkeypatch)
  assert len(played.engine.log) == 1


def test_a_study_that_does_not_say_where_is_refused(played):
  study = dataclasses.replace(played.study, slices=())
  with pytest.raises(errors.UserError, match='names no slice for chain0-0'):
    submission.Submission(study, played.units)


def test_folders_that_the_hosts_do_not_see_are_refused(tmp_path):
  mount = mount_lib.Mount('gs://bucket', '/mnt/elsewhere')
  with pytest.raises(errors.UserError, match='study_dir must lie below'):
    submitted.study(tmp_path, engine=submitted.Engine(mount))
  with pytest.raises(errors.UserError, match='must be an absolute path'):
    submitted.study(
      tmp_path, engine=submitted.Engine(), study_dir='results/chains'
    )
  mount = mount_lib.Mount('gs://bucket', str(tmp_path))
  study = submitted.study(tmp_path, engine=submitted.Engine(mount))
  assert str(study.root) == study.study_dir


def test_a_bucket_that_is_not_mounted_here_is_read_by_its_address(tmp_path):
  mount = mount_lib.Mount('gs://bucket/a', '/mnt/absent')
  run = submitted.study(tmp_path).run
  study = submitted.study(
    tmp_path,
    engine=submitted.Engine(mount),
    study_dir='/mnt/absent/study',
    run=dataclasses.replace(run, shards_dir='/mnt/absent/shards'),
  )
  assert str(study.root) == 'gs://bucket/a/study'
  assert study.here('/mnt/absent/shards') == 'gs://bucket/a/shards'


def test_a_run_from_elsewhere_needs_no_run_of_the_study(played):
  initial = records.InitialCheckpoint('/somewhere/else')
  first = played.runs['chain0-0']
  plan = dataclasses.replace(first.plan, initial=initial)
  played.runs['chain0-0'] = dataclasses.replace(first, plan=plan)
  played.start()
  assert 'submit chain0-0' in played.step()[1]
