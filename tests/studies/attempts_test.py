import dataclasses
import json

import pytest

from codelaw import errors
from codelaw.launch import job as job_lib
from codelaw.studies import attempts
from tests.studies import submitted


def test_a_job_that_goes_by_itself_is_left_alone(played):
  played.step()
  for state in ('failed', 'waiting'):
    found = job_lib.Found(state, 'zone', 'DELETING', is_leaving=True)
    played.engine.found[played.name('chain0-0')] = found
    assert not played.step(submitted.LATE)[1]
  played.record('chain1-0', 'finished')
  found = job_lib.Found('running', 'zone', 'DELETING', is_leaving=True)
  played.engine.found[played.name('chain1-0')] = found
  assert played.step()[1] == ['submit chain1-1']
  assert played.step(submitted.LATE)[1] == []


def test_a_job_that_takes_its_time_to_go_is_waited_for(played):
  played.engine.lingers = True
  played.step()
  played.put('chain0-0', 'preempted')
  assert played.step()[1] == ['remove chain0-0']
  states, asked = played.step(submitted.LATE)
  assert (states['chain0-0'], asked) == ('ended', [])
  assert not played.places['chain0-0'].holds_slice
  played.engine.found.pop(played.name('chain0-0'))
  assert played.step()[1] == ['submit chain0-0']
  assert played.endings('chain0-0') == ['preempted', '']


def test_a_job_that_went_while_it_was_removed_is_no_trouble(played):
  played.step()
  played.put('chain0-0', 'preempted')

  def refuse(name, wait):
    assert not wait
    played.engine.found.pop(name)
    raise errors.UserError('NOT_FOUND')

  played.engine.remove = refuse
  played.step()
  played.engine.remove = lambda name, wait: refuse('', wait)
  played.engine.found[''] = None
  played.put('chain1-0', 'failed')
  with pytest.raises(errors.UserError, match='NOT_FOUND'):
    played.step()


def test_a_preempted_job_is_removed_and_handed_in_again(tmp_path):
  policy = attempts.RetryPolicy(max_failures=1, max_preemptions=3)
  played = submitted.Played(tmp_path, (1,), retries=policy)
  played.step()
  for count in (1, 2):
    played.put('chain0-0', 'preempted', 'SUSPENDED')
    states, asked = played.step()
    assert asked == ['remove chain0-0']
    assert states['chain0-0'] == 'ended'
    states, asked = played.step()
    assert states['chain0-0'] == 'due'
    assert asked == ['submit chain0-0']
    assert played.places['chain0-0'].message == 'SUSPENDED'
    assert played.endings('chain0-0') == ['preempted'] * count + ['']
  played.put('chain0-0', 'preempted')
  states, _ = played.step()
  assert states['chain0-0'] == 'given up'


def test_failures_wait_longer_each_time_and_end_the_chain(tmp_path):
  policy = attempts.RetryPolicy(max_failures=3, wait_seconds=10)
  played = submitted.Played(tmp_path, (2, 1), retries=policy)
  played.step()
  for wait in (10, 20):
    played.put('chain0-0', 'failed', 'exit 1')
    assert played.step()[1] == ['remove chain0-0']
    states, asked = played.step(wait - 1)
    assert states['chain0-0'] == 'later'
    assert not asked
    assert played.step(2)[1] == ['submit chain0-0']
  played.put('chain0-0', 'failed', 'exit 1')
  played.step()
  states, asked = played.step(10**6)
  assert states['chain0-0'] == 'given up'
  assert 'failed 3 times, lastly: exit 1' in played.places['chain0-0'].message
  assert states['chain0-1'] == 'blocked'
  assert states['chain1-0'] == 'waiting'
  assert not asked
  # A greater limit is all it takes to go on.
  more = dataclasses.replace(policy, max_failures=4)
  played.study = dataclasses.replace(played.study, retries=more)
  played.start()
  assert played.step()[1] == ['submit chain0-0']


def test_a_preemption_between_failures_starts_their_wait_anew():
  policy = attempts.RetryPolicy(wait_seconds=10)
  ends = ['failed', 'failed', 'preempted', 'failed']
  history = attempts.History(
    'job', tuple(attempts.Attempt(0, 0, ended, 5.0) for ended in ends)
  )
  assert attempts.due_at(history, policy) == 15
  shorter = attempts.History('job', history.attempts[:3])
  assert attempts.due_at(shorter, policy) == 0


def test_a_run_that_diverged_is_not_trained_in_vain(played):
  played.step()
  played.put('chain0-0', 'running')
  played.record('chain0-0', 'failed', wall_seconds=5.0)
  states, asked = played.step()
  assert states['chain0-0'] == 'running'  # when the engine was asked
  assert 'remove chain0-0' in asked
  states, asked = played.step()
  assert states['chain0-0'] == 'given up'
  assert 'the loss is nan' in played.places['chain0-0'].message
  assert not asked


def test_what_an_earlier_attempt_left_says_nothing_of_this_one(tmp_path):
  policy = attempts.RetryPolicy(max_divergences=2)
  played = submitted.Played(tmp_path, (1,), retries=policy)
  played.record('chain0-0', 'failed', wall_seconds=5.0)
  assert played.step()[1] == ['submit chain0-0']
  played.put('chain0-0', 'running')
  states, asked = played.step()
  assert states['chain0-0'] == 'running'
  assert not asked
  played.record('chain0-0', 'failed', wall_seconds=6.0)
  assert played.step()[1] == ['remove chain0-0']
  assert played.endings('chain0-0') == ['diverged']


def test_a_killed_submitter_finds_what_it_handed_in(played):
  played.kill('behind')
  states, asked = played.step()
  assert states['chain0-0'] == 'waiting'
  assert asked == ['submit chain1-0']
  assert played.endings('chain0-0') == ['']


def test_a_killed_submitter_counts_its_second_attempt_too(played):
  played.step()
  played.put('chain0-0', 'preempted')
  played.step()
  played.kill('behind')
  played.put('chain0-0', 'running')
  played.step()
  assert played.endings('chain0-0') == ['preempted', '']
  played.put('chain0-0', 'failed')
  played.step()
  assert played.endings('chain0-0') == ['preempted', 'failed']


def test_a_submission_that_never_arrived_is_no_attempt(played):
  played.kill('before')
  assert played.step()[1] == ['submit chain0-0', 'submit chain1-0']
  assert played.endings('chain0-0') == ['']


@pytest.mark.parametrize('ending', ['failed', 'diverged'])
def test_a_kill_between_count_and_removal_counts_once(played, ending):
  played.step()
  played.put('chain0-0', 'failed')
  if ending == 'diverged':
    played.put('chain0-0', 'running')
    played.record('chain0-0', 'failed')
  played.kill('removing')
  assert 'remove chain0-0' in played.step()[1]
  played.step()
  assert played.endings('chain0-0') == [ending]


def test_jobs_are_found_without_what_was_written_down(played):
  played.step()
  (played.folder.parent / 'jobs.json').unlink()
  played.start()
  states, asked = played.step()
  assert states['chain0-0'] == states['chain1-0'] == 'waiting'
  assert not asked
  (played.folder.parent / 'jobs.json').unlink()
  played.put('chain0-0', 'failed')
  played.start()
  assert played.step()[1] == ['remove chain0-0']
  assert played.endings('chain0-0') == ['failed']


@pytest.mark.parametrize('state', ['absent', 'finished'])
def test_a_job_that_vanishes_or_ends_too_early_has_failed_after_a_while(
  played, state
):
  played.step()
  if state == 'absent':
    played.engine.remove(played.name('chain0-0'))
  else:
    played.put('chain0-0', 'finished')
  states, asked = played.step()
  assert states['chain0-0'] == 'unclear'
  assert not asked
  played.step(submitted.LATE)
  assert played.endings('chain0-0') == ['failed']


def test_a_record_that_comes_late_is_believed(played):
  played.step()
  played.put('chain0-0', 'finished')
  played.step()
  played.record('chain0-0', 'finished')
  states, _ = played.step(submitted.LATE)
  assert states['chain0-0'] == 'finished'
  assert played.endings('chain0-0') == ['finished']


def test_a_doubt_that_was_cleared_does_not_count_later(played):
  played.step()
  there = played.engine.found.pop(played.name('chain0-0'))
  played.step()
  played.engine.found[played.name('chain0-0')] = there
  played.step(submitted.LATE)
  played.engine.found.pop(played.name('chain0-0'))
  states, _ = played.step(submitted.LATE)
  assert states['chain0-0'] == 'unclear'


@pytest.mark.parametrize(
  'changes',
  [
    {'max_failures': 0},
    {'max_preemptions': 1.5},
    {'wait_seconds': -1},
    {'wait_seconds': True},
    {'max_silent_seconds': -1},
    {'max_client_failures': None},
  ],
)
def test_policies_that_make_no_sense_are_refused(changes):
  with pytest.raises(errors.UserError, match=next(iter(changes))):
    attempts.RetryPolicy(**changes)


def test_damaged_histories_are_refused_with_what_to_do(played):
  file = played.folder.parent / 'jobs.json'
  for text in ('{"runs": {"a": {"attempts": 1}}}', '[]', '{"runs": 3}'):
    file.write_text(text)
    with pytest.raises(errors.UserError, match='Delete it and start again'):
      attempts.read(file)


@pytest.fixture
def silent(tmp_path):
  """One run whose job may be silent for 100 s, and that is tried twice."""
  policy = attempts.RetryPolicy(
    max_failures=2, max_silent_seconds=100, wait_seconds=0
  )
  found = submitted.Played(tmp_path, (1,), retries=policy)
  found.step()
  return found


def test_a_job_that_hangs_is_removed_and_tried_again(silent):
  silent.step(1000)  # for chips one waits as long as it takes
  silent.put('chain0-0', 'running')
  silent.step()
  states, asked = silent.step(99)
  assert (states['chain0-0'], asked) == ('running', [])
  assert silent.places['chain0-0'].silent_seconds == 99
  assert silent.step(1)[1] == ['remove chain0-0']
  assert silent.endings('chain0-0') == ['failed']
  states, asked = silent.step()
  assert (states['chain0-0'], asked) == ('due', ['submit chain0-0'])
  silent.put('chain0-0', 'running')
  silent.step()
  assert silent.step(99)[1] == []  # from its own beginning on
  assert silent.step(1)[1] == ['remove chain0-0']
  states, asked = silent.step(10**6)
  assert (states['chain0-0'], asked) == ('given up', [])
  message = silent.places['chain0-0'].message
  assert 'failed 2 times, lastly: its job runs, but nothing' in message


@pytest.mark.parametrize('change', [{'step': 4}, {'wall_seconds': 2.0}])
def test_what_a_run_writes_ends_its_silence(silent, change):
  silent.record('chain0-0', 'running', step=3)
  silent.put('chain0-0', 'running')
  silent.step()
  silent.step(99)
  silent.record('chain0-0', 'running', **{'step': 3, **change})
  silent.step()
  assert silent.places['chain0-0'].silent_seconds == 0
  assert silent.step(99)[1] == []
  assert silent.step(1)[1] == ['remove chain0-0']


def test_silence_begins_anew_with_its_machines(silent):
  silent.put('chain0-0', 'running')
  silent.step()
  silent.step(99)
  silent.put('chain0-0', 'waiting')  # as where an engine starts a job again
  silent.step(1000)
  silent.put('chain0-0', 'running')
  silent.step()
  assert silent.step(99)[1] == []
  assert silent.step(1)[1] == ['remove chain0-0']


def test_a_killed_submitter_keeps_the_time_and_counts_once(silent):
  silent.put('chain0-0', 'running')
  silent.step()
  silent.start()
  silent.step(50)
  silent.start()
  silent.now += 49
  silent.kill('removing')
  assert silent.endings('chain0-0') == ['failed']
  for _ in range(2):  # and once more before it could be removed
    silent.kill('removing')
    assert silent.endings('chain0-0') == ['failed']
  assert silent.step()[1] == ['remove chain0-0']
  assert silent.step()[1] == ['submit chain0-0']
  assert silent.endings('chain0-0') == ['failed', '']


def test_histories_of_before_are_read(played):
  file = played.folder.parent / 'jobs.json'
  attempt = {'started': 1.0, 'wall_seconds': 2.0, 'ended': 'failed'}
  history = {'job': played.name('chain0-0'), 'attempts': [attempt]}
  file.write_text(json.dumps({'runs': {'chain0-0': history}}))
  found = attempts.read(file)['chain0-0']
  assert (found.silent_since, found.is_condemned) == (None, False)
  assert found.count('failed') == 1
