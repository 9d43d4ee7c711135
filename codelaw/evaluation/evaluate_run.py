"""Gives tasks to the checkpoints of a run and keeps what comes back.

The tasks of a checkpoint are done in order, and each is kept when it is done
(`kept_tasks`): an interrupted evaluation goes on with what is missing. After
each, the events of all scores are written anew (`score_events`), and after the
last, averages over tasks (`averages`). The scores of the latest evaluated
checkpoint go into `run.json`; while a process trains the run, it alone writes
that file, and takes them from the files of scores.
"""

from collections.abc import Callable
from collections.abc import Sequence
import contextlib
import dataclasses
import functools
import os
import time

from codelaw import errors
from codelaw import records
from codelaw import scores
from codelaw import storage
from codelaw.evaluation import averages
from codelaw.evaluation import kept_tasks
from codelaw.evaluation import language_model
from codelaw.evaluation import score_events
from codelaw.evaluation import task as task_lib
from codelaw.train import checkpoint
from codelaw.train import downstream
from codelaw.train import rundir

Report = Callable[[str, float], None]
Load = Callable[[int], language_model.LanguageModel]
ModelOf = Callable[[downstream.Snapshot], language_model.LanguageModel]
_SAYS_SECONDS = 60.0  # between words on a task in training
_WAITS_SECONDS = (0.1, 0.2, 0.4, 0.8)  # for another evaluation to let go


def steps(
  model_dir: storage.PathLike, step: int | None = None, every: bool = False
) -> tuple[int, ...]:
  """The checkpoints to evaluate.

  Args:
    model_dir: of the run.
    step: of one; None takes the last.
    every: takes all.

  Raises:
    UserError: when there is no run, no checkpoint or not that one.
  """
  records.read_run_record(model_dir)
  folder = storage.path(model_dir) / rundir.CHECKPOINTS
  there = checkpoint.steps(folder)
  if not there:
    raise errors.UserError(
      f'The run in {os.fspath(model_dir)} has no checkpoint; train it first.'
    )
  if every:
    return there
  if step is not None and step not in there:
    raise errors.UserError(
      f'{os.fspath(model_dir)} has no checkpoint of step {step}; it has those'
      f' of steps {", ".join(map(str, there))}.'
    )
  return (there[-1] if step is None else step,)


def evaluate(
  model_dir: storage.PathLike,
  tasks: Sequence[task_lib.Task],
  chosen: Sequence[int],
  load: Load,
  *,
  again: bool = False,
  report: Report = lambda message, fraction: None,
  note: Callable[[str], None] = lambda message: None,
) -> None:
  """Evaluates checkpoints of a run.

  Args:
    model_dir: of the run.
    tasks: in order; their names differ.
    chosen: steps of the checkpoints.
    load: step -> its model; called where anything is to be done.
    again: does tasks again that were done with the same settings.
    report: called with what is going on and the part that is done.
    note: called with what should stay to be read.

  Raises:
    UserError: when a task's data or tools are missing, two tasks have scores
      of one name, or files cannot be written. What was done before is kept.
  """
  skipped = 0
  for index, step in enumerate(chosen):
    with kept_tasks.exclusive(model_dir, step):
      model: language_model.LanguageModel | None = None
      for place, task in enumerate(tasks):
        where = f'step {step:,}: {task.name}'
        done = (index * len(tasks) + place) / (len(chosen) * len(tasks))
        if not again and kept_tasks.is_done(model_dir, step, task):
          skipped += 1
          continue
        if model is None:
          report(f'step {step:,}: reads the checkpoint', done)
          model = load(step)
        share = 1 / (len(chosen) * len(tasks))
        show = functools.partial(_show, report, where, done, share)
        for sentence in _do(model_dir, step, tasks, task, model, show):
          note(f'{where}: {sentence}')
      lacking = _average(model_dir, step)
      for sentence in lacking if model else ():
        note(f'step {step:,}: {sentence}')
  score_events.write(model_dir)
  _into_record(model_dir, note)
  if skipped:
    note(
      f'{skipped} of {len(chosen) * len(tasks)} tasks were done before; skipped'
    )
  report('done', 1.0)


def _show(
  report: Report,
  where: str,
  done: float,
  share: float,
  message: str,
  fraction: float | None,
) -> None:
  """Shows the progress of a task, which is `share` of all, after `done`."""
  report(f'{where}: {message}', done + share * (fraction or 0))


def _do(
  model_dir: storage.PathLike,
  step: int,
  tasks: Sequence[task_lib.Task],
  task: task_lib.Task,
  model: language_model.LanguageModel,
  report: Callable[[str, float | None], None],
) -> Sequence[str]:
  """Does one task and keeps its result; returns its notes."""
  began = time.monotonic()
  result = task.evaluate(model, report)
  seconds = time.monotonic() - began
  names = {score.name for score in result.scores}
  kept = kept_tasks.read(model_dir, step)
  for other in tasks:
    if other.name != task.name and other.name in kept:
      twice = names & set(kept[other.name].scores)
      if twice:
        raise errors.UserError(
          f'The tasks {other.name} and {task.name} both have the score'
          f' {min(twice)}; leave one of them out.'
        )
  kept_tasks.write(model_dir, step, task, result, seconds)
  score_events.write(model_dir)
  return result.notes


def _average(model_dir: storage.PathLike, step: int) -> Sequence[str]:
  """Adds the averages of a checkpoint's scores; returns what they lack."""
  found = scores.read(model_dir).get(step, ())
  made, notes = averages.paper_b(found)
  if set(made) != {score for score in found if score.name in averages.NAMES}:
    scores.write(model_dir, step, made, instead_of=averages.NAMES)
    score_events.write(model_dir)
  return notes


def _into_record(
  model_dir: storage.PathLike, note: Callable[[str], None]
) -> None:
  """Writes the scores of the latest evaluated checkpoint into `run.json`."""
  for wait in (*_WAITS_SECONDS, None):
    try:
      with storage.exclusive(model_dir):
        record = records.read_run_record(model_dir)
        step, values = scores.latest(model_dir) or (None, {})
        new = dataclasses.replace(record, scores_step=step, scores=values)
        if new != record:
          records.write_run_record(model_dir, new)
        return
    except storage.InUseError:
      if wait is not None:
        time.sleep(wait)
  note(
    f'{os.fspath(model_dir)} is being trained; the scores are kept beside'
    ' run.json, and the training will take them over'
  )


def in_loop(
  tasks: Sequence[task_lib.Task],
  model_of: ModelOf,
) -> Callable[[downstream.Snapshot], None]:
  """What `downstream.Downstream.evaluate` needs, for these tasks.

  A task that fails is shown and kept as failed, and the training goes on;
  `codelaw evaluate` does it again.

  Args:
    tasks: in order; their names differ.
    model_of: the model of a snapshot.
  """

  def evaluate(at: downstream.Snapshot) -> None:
    model = functools.cache(lambda: model_of(at))
    try:
      with kept_tasks.exclusive(at.model_dir, at.step):
        for task in tasks:
          _attempt(at, tasks, task, model)
        _average(at.model_dir, at.step)
    except errors.UserError as error:
      at.say(f'downstream: {error}')

  return evaluate


def _attempt(
  at: downstream.Snapshot,
  tasks: Sequence[task_lib.Task],
  task: task_lib.Task,
  model: Callable[[], language_model.LanguageModel],
) -> None:
  """Does one task of a run in training, unless it is done, and may fail."""
  where = f'downstream: {task.name}'
  said_at = time.monotonic()

  def report(message: str, fraction: float | None) -> None:
    nonlocal said_at
    if at.stop_asked():
      raise KeyboardInterrupt
    if time.monotonic() - said_at > _SAYS_SECONDS:
      said_at = time.monotonic()
      at.say(f'{where}: {message}')

  try:
    if kept_tasks.is_done(at.model_dir, at.step, task):
      return
    at.say(where)
    report('begins', 0)
    for sentence in _do(at.model_dir, at.step, tasks, task, model(), report):
      at.say(f'{where}: {sentence}')
  # Whatever goes wrong in a task must not cost the run.
  except Exception as error:
    why = str(error) or type(error).__name__
    at.say(f'{where} failed: {why}')
    with contextlib.suppress(errors.UserError):
      kept_tasks.write_failure(at.model_dir, at.step, task, why)
