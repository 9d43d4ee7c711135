import dataclasses
import json

import pytest

from codelaw import errors
from codelaw import execution
from codelaw import records
from codelaw.launch import job as job_lib
from codelaw.launch import mount as mount_lib
from codelaw.studies import attempts
from codelaw.studies import submission
from codelaw.studies import sweep
from codelaw.studies import whereabouts
from tests.studies import submitted

LATE = attempts.BELATED_SECONDS + 1


class _Played:
  """A submission whose engine, records and clock a test moves by hand."""

  def __init__(self, folder, lengths=(1, 2), **changes):
    self.engine = submitted.Engine()
    self.study = submitted.study(folder, lengths, engine=self.engine, **changes)
    self.runs = {r.run_id: r for r in sweep.planned_runs(self.study)}
    self.folder = folder / 'study' / 'runs'
    self.now = 1000.0
    self.start()

  def start(self):
    """What a new process does."""
    self.submission = submission.Submission(
      self.study, list(self.runs.values()), 'runs'
    )

  def name(self, run_id):
    return job_lib.name_of(self.folder / run_id)

  def step(self, seconds=1.0):
    """One pass; returns run id -> state, and what the engine was asked for."""
    self.now += seconds
    self.engine.log.clear()
    places, self.trouble = self.submission.one_pass(self.now)
    self.places = {place.run.run_id: place for place in places}
    ids = {self.name(run_id): run_id for run_id in self.runs}
    asked = [f'{verb} {ids[name]}' for verb, name in self.engine.log]
    return {r: place.state for r, place in self.places.items()}, asked

  def put(self, run_id, state, message=''):
    self.engine.put(self.name(run_id), state, message)

  def record(self, run_id, status, **values):
    submitted.write_record(self.folder, self.runs[run_id], status, **values)

  def finish(self, run_id):
    self.record(run_id, 'finished')
    self.put(run_id, 'finished')

  def endings(self, run_id):
    content = json.loads((self.folder.parent / 'jobs.json').read_text())
    return [a['ended'] for a in content['runs'][run_id]['attempts']]


@pytest.fixture
def played(tmp_path):
  return _Played(tmp_path)


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
  played = _Played(tmp_path, (1, 1, 1, 1), max_jobs=2)
  assert played.step()[1] == ['submit chain0-0', 'submit chain1-0']
  assert played.step()[1] == []
  played.put('chain0-0', 'running')
  assert played.step()[1] == []
  played.finish('chain0-0')
  assert played.step()[1] == ['submit chain2-0']


def test_a_job_that_is_not_listed_yet_may_hold_a_slice(tmp_path):
  played = _Played(tmp_path, (1, 1), max_jobs=1)
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
  assert played.step(LATE)[1] == ['remove chain1-0']
  played.step()
  assert not played.places['chain1-0'].holds_slice


def test_a_job_that_goes_by_itself_is_left_alone(played):
  played.step()
  for state in ('failed', 'waiting'):
    found = job_lib.Found(state, 'zone', 'DELETING', is_leaving=True)
    played.engine.found[played.name('chain0-0')] = found
    assert not played.step(LATE)[1]
  played.record('chain1-0', 'finished')
  found = job_lib.Found('running', 'zone', 'DELETING', is_leaving=True)
  played.engine.found[played.name('chain1-0')] = found
  assert played.step()[1] == ['submit chain1-1']
  assert played.step(LATE)[1] == []


def test_a_job_that_went_while_it_was_removed_is_no_trouble(played):
  played.step()
  played.put('chain0-0', 'preempted')

  def refuse(name):
    played.engine.found.pop(name)
    raise errors.UserError('NOT_FOUND')

  played.engine.remove = refuse
  played.step()
  played.engine.remove = lambda name: refuse('')
  played.engine.found[''] = None
  played.put('chain1-0', 'failed')
  with pytest.raises(errors.UserError, match='NOT_FOUND'):
    played.step()


def test_a_preempted_job_is_removed_and_handed_in_again(tmp_path):
  policy = attempts.RetryPolicy(max_failures=1, max_preemptions=3)
  played = _Played(tmp_path, (1,), retries=policy)
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
  played = _Played(tmp_path, (2, 1), retries=policy)
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
  played = _Played(tmp_path, (1,), retries=policy)
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
  real = played.engine.commands

  def submit_and_die(job):
    real(job)
    raise SystemExit

  played.engine.commands = submit_and_die
  with pytest.raises(SystemExit):
    played.step()
  played.engine.commands = real
  played.start()
  states, asked = played.step()
  assert states['chain0-0'] == 'waiting'
  assert asked == ['submit chain1-0']
  assert played.endings('chain0-0') == ['']


def test_a_killed_submitter_counts_its_second_attempt_too(played):
  played.step()
  played.put('chain0-0', 'preempted')
  played.step()
  played.put('chain0-0', 'running')  # handed in, and killed
  played.start()
  played.step()
  assert played.endings('chain0-0') == ['preempted', '']
  played.put('chain0-0', 'failed')
  played.step()
  assert played.endings('chain0-0') == ['preempted', 'failed']


def test_a_submission_that_never_arrived_is_no_attempt(played):
  def die(job):
    raise SystemExit

  real, played.engine.commands = played.engine.commands, die
  with pytest.raises(SystemExit):
    played.step()
  played.engine.commands = real
  played.start()
  assert played.step()[1] == ['submit chain0-0', 'submit chain1-0']
  assert played.endings('chain0-0') == ['']


def test_a_kill_between_count_and_removal_counts_once(played):
  played.step()
  played.put('chain0-0', 'failed')

  def die(name):
    raise SystemExit

  real, played.engine.remove = played.engine.remove, die
  with pytest.raises(SystemExit):
    played.step()
  played.engine.remove = real
  played.start()
  assert played.step()[1] == ['remove chain0-0']
  assert played.endings('chain0-0') == ['failed']


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
  played.step(LATE)
  assert played.endings('chain0-0') == ['failed']


def test_a_record_that_comes_late_is_believed(played):
  played.step()
  played.put('chain0-0', 'finished')
  played.step()
  played.record('chain0-0', 'finished')
  states, _ = played.step(LATE)
  assert states['chain0-0'] == 'finished'
  assert played.endings('chain0-0') == ['finished']


def test_a_doubt_that_was_cleared_does_not_count_later(played):
  played.step()
  there = played.engine.found.pop(played.name('chain0-0'))
  played.step()
  played.engine.found[played.name('chain0-0')] = there
  played.step(LATE)
  played.engine.found.pop(played.name('chain0-0'))
  states, _ = played.step(LATE)
  assert states['chain0-0'] == 'unclear'


def test_a_quota_that_is_used_up_stops_only_its_own_slices(tmp_path):
  other = dataclasses.replace(submitted.MODEL, width=16)
  played = _Played(
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
    played.now += LATE

  done, slept, _ = _execute(played, monkeypatch, play)
  assert done
  assert len(slept) == 2
  assert played.engine.log == [('remove', played.name('chain0-0'))]


def test_once_is_one_pass(played, monkeypatch):
  done, slept, said = _execute(played, monkeypatch, once=True)
  assert not done
  assert not slept
  assert said[-1][0] == '0 of 3 runs done; 2 due, 1 behind'


def test_it_ends_with_a_sentence_when_there_is_no_hope(tmp_path, monkeypatch):
  policy = attempts.RetryPolicy(max_failures=1)
  played = _Played(tmp_path, (2, 1), retries=policy)

  def play():
    played.put('chain0-0', 'failed', 'exit code 1')
    played.finish('chain1-0')

  with pytest.raises(errors.UserError) as caught:
    _execute(played, monkeypatch, play)
  text = str(caught.value)
  assert '1 of 3 runs are given up: chain0-0 (failed once, lastly: exit' in text
  assert '1 that start from them wait' in text


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
    submission.Submission(study, list(played.runs.values()), 'runs')


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


@pytest.mark.parametrize(
  'changes',
  [
    {'max_failures': 0},
    {'max_preemptions': 1.5},
    {'wait_seconds': -1},
    {'wait_seconds': True},
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


def test_local_runs_are_told_by_their_records(tmp_path):
  study = submitted.study(tmp_path, (1, 2, 2))
  runs = sweep.planned_runs(study)
  by_id = {run.run_id: run for run in runs}
  for run_id, status, step in (
    ('chain0-0', 'finished', 8),
    ('chain1-0', 'running', 3),
    ('chain2-0', 'failed', 5),
  ):
    submitted.write_record(
      tmp_path / 'study' / 'runs', by_id[run_id], status, step
    )
  places, trouble = whereabouts.of_study(study, {'runs': runs}, 0.0)
  assert not trouble
  assert {p.run.run_id: (p.state, p.step) for p in places} == {
    'chain0-0': ('finished', 8),
    'chain1-0': ('started', 3),
    'chain2-0': ('failed', 5),
    'chain1-1': ('behind', 0),
    'chain2-1': ('behind', 0),
  }


def test_looking_changes_nothing_and_names_what_could_not_be_asked(played):
  played.step()
  played.record('chain0-0', 'running', step=3)

  def files():
    root = played.folder.parent
    return {p: p.read_bytes() for p in root.rglob('*') if p.is_file()}

  before = files()
  groups = {'runs': list(played.runs.values())}
  places, trouble = whereabouts.of_study(played.study, groups, played.now)
  assert not trouble
  assert [(p.state, p.step, p.where) for p in places] == [
    ('waiting', 3, 'zone'),
    ('waiting', 0, 'zone'),
    ('behind', 0, ''),
  ]
  played.engine.down = errors.UserError('gcloud is missing.')
  places, trouble = whereabouts.of_study(played.study, groups, played.now)
  assert trouble == 'gcloud is missing.'
  assert places[0].state == 'unclear'
  assert files() == before
  assert played.engine.log == [
    ('submit', played.name('chain0-0')),
    ('submit', played.name('chain1-0')),
  ]


def test_a_run_from_elsewhere_needs_no_run_of_the_study(played):
  initial = records.InitialCheckpoint('/somewhere/else')
  first = played.runs['chain0-0']
  plan = dataclasses.replace(first.plan, initial=initial)
  played.runs['chain0-0'] = dataclasses.replace(first, plan=plan)
  played.start()
  assert 'submit chain0-0' in played.step()[1]
