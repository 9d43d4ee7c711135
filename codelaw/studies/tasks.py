"""Gives the tasks of a study to its runs, when they have been trained.

Scores are kept beside each run as `codelaw evaluate` keeps them, so that what
is done is skipped and the run table has them.
"""

from collections.abc import Callable
from collections.abc import Sequence
import functools
import os

from codelaw import compilation_cache
from codelaw.evaluation import evaluate_run
from codelaw.evaluation import run_language_model
from codelaw.evaluation import task as task_lib
from codelaw.studies import experiments
from codelaw.studies import sweep

# (message, fraction done, seconds left or None)
Progress = Callable[[str, float, float | None], None]


def check(study: sweep.StudyPlan) -> None:
  """Looks for what the tasks need, before anything is spent.

  Where an engine evaluates, its hosts must have it and this machine need not:
  there `codelaw evaluate` looks for it.

  Raises:
    UserError: when the data or tools of a task are missing.
  """
  if study.engine is not None:
    return
  for task in study.tasks:
    task_lib.check(task)


def evaluate(
  study: sweep.StudyPlan,
  runs: Sequence[experiments.PlannedRun],
  folder: str,
  progress: Progress,
) -> None:
  """Evaluates the last checkpoints of runs that have been trained.

  With an engine its jobs have done every task (`submission`), so that no model
  is asked any more; only what follows from the scores is made anew.

  Args:
    study: whose tasks.
    runs: which are evaluated.
    folder: of the run directories, below the study's.
    progress: told of every task.

  Raises:
    UserError: as `evaluate_run.evaluate`. What was done before is kept.
  """
  if not study.tasks:
    return
  compilation_cache.enable()
  for index, run in enumerate(runs):
    model_dir = os.fspath(study.root / folder / run.run_id)

    def report(message: str, share: float, index: int = index) -> None:
      where = f'{runs[index].run_id}: {message}'
      progress(where, (index + share) / len(runs), None)

    evaluate_run.evaluate(
      model_dir,
      study.tasks,
      evaluate_run.steps(model_dir),
      functools.partial(run_language_model.load, model_dir),
      report=report,
    )
  progress(f'{len(runs)} runs evaluated', 1.0, 0.0)
