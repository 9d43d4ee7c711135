import dataclasses
import os

import pytest

from codelaw import errors
from codelaw.evaluation import evaluate_run
from codelaw.evaluation import run_language_model
from codelaw.studies import sweep
from codelaw.studies import tasks
from tests.studies import planned
from tests.studies import submitted


@dataclasses.dataclass(frozen=True)
class Task:
  name: str = 'task'
  missing: str = ''

  def evaluate(self, model, report):
    raise AssertionError('evaluation is given to evaluate_run')

  def check(self):
    if self.missing:
      raise errors.UserError(self.missing)


@pytest.fixture
def asked(monkeypatch):
  """What `evaluate_run.evaluate` was asked for: (folder, tasks, steps)."""
  found = []

  def evaluate(model_dir, given, chosen, load, *, report):
    found.append((model_dir, given, chosen, load(chosen[0])))
    report('task', 0.5)

  monkeypatch.setattr(evaluate_run, 'steps', lambda model_dir: (12,))
  monkeypatch.setattr(evaluate_run, 'evaluate', evaluate)
  monkeypatch.setattr(
    run_language_model, 'load', lambda model_dir, step: (model_dir, step)
  )
  return found


def test_every_run_is_given_the_tasks_at_its_last_checkpoint(asked):
  study = planned.study(tasks=[Task()])
  runs = sweep.planned_runs(study)
  heard = []
  tasks.evaluate(study, runs, 'runs', lambda *at: heard.append(at))
  folders = [os.path.join('no_such_study', 'runs', r.run_id) for r in runs]
  assert asked == [
    (folder, (Task(),), (12,), (folder, 12)) for folder in folders
  ]
  shares = [share for _, share, _ in heard]
  assert shares == sorted(shares)
  assert shares[0] == pytest.approx(0.5 / len(runs))
  assert shares[-1] == 1
  assert heard[0][0] == f'{runs[0].run_id}: task'


def test_without_tasks_nothing_is_evaluated(asked):
  study = planned.study()
  tasks.evaluate(study, sweep.planned_runs(study), 'runs', print)
  assert not asked


def test_what_a_task_lacks_is_said_before_anything_is_spent():
  tasks.check(planned.study(tasks=[Task()]))
  with pytest.raises(errors.UserError, match='no compiler'):
    tasks.check(planned.study(tasks=[Task(missing='no compiler')]))


def test_what_hosts_need_they_look_for_themselves(tmp_path):
  missing = Task(missing='no compiler')
  engine = submitted.Engine()
  tasks.check(submitted.study(tmp_path, engine=engine, tasks=[missing]))


def test_what_is_no_task_is_refused():
  with pytest.raises(errors.UserError, match='StudyPlan.tasks must be'):
    planned.study(tasks=[Task])
  with pytest.raises(errors.UserError, match='different names'):
    planned.study(tasks=[Task(), Task()])
