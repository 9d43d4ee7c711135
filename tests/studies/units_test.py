"""What a study's tasks come to: jobs like those that train."""

import argparse
import dataclasses
import re

import pytest

from codelaw import errors
from codelaw import execution
from codelaw import storage
from codelaw.cli import evaluate
from codelaw.cli import gin_config
from codelaw.evaluation import code_execution
from codelaw.evaluation import synthetic_problems
from codelaw.evaluation import task as task_lib
from codelaw.launch import job as job_lib
from codelaw.studies import attempts
from codelaw.studies import sweep
from codelaw.studies import units
from tests.studies import submitted

ONE, TWO = submitted.Task('one'), submitted.Task('two')


@pytest.fixture
def tasked(tmp_path):
  """A run alone and a chain of two, which are given two tasks."""
  return submitted.Played(tmp_path, tasks=[ONE, TWO])


def test_what_is_trained_is_evaluated(tasked):
  states, asked = tasked.step()
  assert states == {
    'chain0-0': 'due',
    'chain1-0': 'due',
    'chain1-1': 'behind',
    'chain0-0_tasks': 'behind',
    'chain1-0_tasks': 'behind',
    'chain1-1_tasks': 'behind',
  }
  assert asked == ['submit chain0-0', 'submit chain1-0']
  tasked.finish('chain0-0')
  states, asked = tasked.step()
  assert states['chain0-0_tasks'] == 'due'
  assert asked == ['submit chain0-0_tasks']
  tasked.evaluated('chain0-0', ONE)
  tasked.put('chain0-0_tasks', 'running')
  states, _ = tasked.step()
  assert states['chain0-0_tasks'] == 'running'
  assert tasked.places['chain0-0_tasks'].done == 1
  tasked.evaluated('chain0-0', TWO)
  states, asked = tasked.step()
  assert (states['chain0-0_tasks'], asked) == ('finished', [])
  assert tasked.endings('chain0-0_tasks') == ['finished']
  # What follows from the scores is made when the last task is kept.
  assert tasked.step(submitted.LATE)[1] == ['remove chain0-0_tasks']


def test_evaluations_hold_slices_too(tmp_path):
  played = submitted.Played(tmp_path, (1, 1), tasks=[ONE], max_jobs=1)
  assert played.step()[1] == ['submit chain0-0']
  played.finish('chain0-0')
  assert played.step()[1] == ['submit chain1-0']  # training comes first
  played.finish('chain1-0')
  assert played.step()[1] == ['submit chain0-0_tasks']
  assert played.step()[1] == []
  played.evaluated('chain0-0', ONE)
  played.put('chain0-0_tasks', 'finished')
  assert played.step()[1] == ['submit chain1-0_tasks']


def test_what_others_start_from_alone_is_not_evaluated(tmp_path):
  study = submitted.study(tmp_path, (2,), tasks=[ONE])
  trunk, branch = sweep.planned_runs(study)
  trunk = dataclasses.replace(trunk, purposes=('trunk',))
  found = units.of_runs(study, [trunk, branch], 'runs')
  assert [unit.name for unit in found] == [
    *('chain0-0', 'chain0-1', 'chain0-1_tasks'),
  ]


def test_a_preempted_evaluation_goes_on(tasked):
  tasked.finish('chain0-0')
  tasked.step()
  tasked.put('chain0-0_tasks', 'preempted', 'SUSPENDED')
  assert 'remove chain0-0_tasks' in tasked.step()[1]
  assert 'submit chain0-0_tasks' in tasked.step()[1]
  assert tasked.endings('chain0-0_tasks') == ['preempted', '']


def test_an_evaluation_that_fails_is_given_up_and_stops_no_other(tmp_path):
  policy = attempts.RetryPolicy(max_failures=1)
  played = submitted.Played(tmp_path, (1, 1), tasks=[ONE], retries=policy)
  played.finish('chain0-0')
  played.step()
  played.put('chain0-0_tasks', 'failed', 'exit code 2')
  played.step()
  states, _ = played.step()
  assert states['chain0-0_tasks'] == 'given up'
  assert played.places['chain0-0_tasks'].message.endswith('exit code 2')
  assert states['chain1-0'] == 'waiting'


def test_an_evaluation_is_silent_until_a_task_is_kept(tmp_path):
  policy = attempts.RetryPolicy(max_silent_seconds=100)
  played = submitted.Played(tmp_path, (1,), tasks=[ONE, TWO], retries=policy)
  played.finish('chain0-0')
  played.step()
  played.put('chain0-0_tasks', 'running')
  played.step()
  played.step(99)
  played.evaluated('chain0-0', ONE)
  assert played.step()[1] == []
  assert played.step(99)[1] == []
  assert played.step()[1] == ['remove chain0-0_tasks']


def test_a_study_that_was_evaluated_takes_more_tasks(tmp_path):
  policy = attempts.RetryPolicy(max_failures=2, wait_seconds=0)
  played = submitted.Played(tmp_path, (1,), tasks=[ONE], retries=policy)
  played.finish('chain0-0')
  played.step()
  played.put('chain0-0_tasks', 'failed')
  for _ in range(2):  # is removed, and handed in again
    played.step()
  played.evaluated('chain0-0', ONE)
  played.put('chain0-0_tasks', 'finished')  # some engines keep those
  played.step()
  assert played.endings('chain0-0_tasks') == ['failed', 'finished']

  def given(*tasks):
    played.study = dataclasses.replace(played.study, tasks=tasks)
    played.start()
    states, asked = played.step()
    return states['chain0-0_tasks'], asked

  assert given(ONE) == ('finished', [])
  assert given(ONE, TWO) == ('ended', ['remove chain0-0_tasks'])
  assert played.step()[1] == ['submit chain0-0_tasks']
  played.put('chain0-0_tasks', 'failed')
  played.step()
  # What failed before it was finished once is over.
  assert played.step()[1] == ['submit chain0-0_tasks']
  played.evaluated('chain0-0', TWO)
  assert played.step()[0]['chain0-0_tasks'] == 'finished'
  # Other settings are another task, and one that was taken out is none.
  assert given(TWO)[0] == 'finished'
  other = dataclasses.replace(TWO, seed=1)
  played.engine.found.clear()
  assert given(other) == ('due', ['submit chain0-0_tasks'])


def test_a_killed_submitter_evaluates_once(tasked):
  tasked.finish('chain0-0')
  tasked.finish('chain1-0')
  tasked.finish('chain1-1')
  tasked.kill('behind')
  states, asked = tasked.step()
  assert states['chain0-0_tasks'] == 'waiting'
  assert asked == ['submit chain1-0_tasks', 'submit chain1-1_tasks']
  (tasked.folder.parent / 'jobs.json').unlink()
  tasked.start()
  assert tasked.step()[1] == []


def test_its_job_evaluates_on_the_slice_of_the_run(tmp_path):
  """With the very tasks, by what gin builds from its file."""
  tasks = (
    code_execution.CodeExecution(
      synthetic_problems.SyntheticProblems(3), name='short-programs'
    ),
    code_execution.CodeExecution(
      synthetic_problems.SyntheticProblems(), languages=('python',)
    ),
  )
  on = sweep.Slice(
    submitted.MODEL,
    'v5e:2x2',
    execution.Execution(mesh=execution.MeshShape(data=4)),
  )
  played = submitted.Played(tmp_path, (1,), tasks=tasks, slices=[on])
  played.finish('chain0-0')
  played.step()
  job = played.engine.jobs_seen[played.name('chain0-0_tasks')]
  model_dir = played.folder / 'chain0-0'
  file = played.folder.parent / 'jobs' / 'chain0-0_tasks.gin'
  assert job.command == (
    *('codelaw', 'evaluate', f'--model_dir={model_dir}', f'--gin_file={file}'),
  )
  assert (job.topology, job.extras) == ('v5e:2x2', ('eval',))
  args = argparse.Namespace(
    gin_file=[str(file)], gin_search_paths=[], gin_bindings=[]
  )
  built = gin_config.load(args, task_lib.Evaluation, evaluate.PARTS)
  assert built == task_lib.Evaluation(tasks, on.execution)


def test_names_of_jobs_tell_training_and_evaluation_apart(tasked):
  names = {units.job_name(tasked.study, unit) for unit in tasked.units}
  assert len(names) == len(tasked.units)
  assert all(re.search('-tasks-', name) for name in names if 'tasks' in name)
  for name in names:
    job_lib.check_name(name)


def test_what_is_kept_and_damaged_is_named(tasked):
  tasked.finish('chain0-0')
  tasked.evaluated('chain0-0', ONE)
  folder = tasked.folder / 'chain0-0' / 'downstream' / 'tasks'
  storage.write_text(folder / f'step_{submitted.STEPS}' / 'one.json', '[]')
  with pytest.raises(errors.UserError, match=r'one\.json is damaged'):
    tasked.step()


def test_a_storage_that_does_not_answer_may_the_next_time(tasked, monkeypatch):
  def refuse(*_):
    raise OSError('connection reset')

  tasked.finish('chain0-0')
  monkeypatch.setattr(units.kept_tasks, 'num_done', refuse)
  with pytest.raises(job_lib.TransientError, match='cannot be read now'):
    tasked.step()
