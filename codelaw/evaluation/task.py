"""What `codelaw evaluate` runs: tasks, which turn a model into scores."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import re
from typing import Any
from typing import Protocol

from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import scores as scores_lib
from codelaw.evaluation import language_model


@dataclasses.dataclass(frozen=True)
class Result:
  """What a task found out.

  Attributes:
    scores: of the model.
    samples: one JSON object per item, with what was asked, what came back and
      how it was judged; for people and for the report.
    notes: sentences a reader of the scores must know, for instance what was
      skipped and why.
  """

  scores: Sequence[scores_lib.Score]
  samples: Sequence[Mapping[str, Any]] = ()
  notes: Sequence[str] = ()


class Task(Protocol):
  """A frozen dataclass that gin builds.

  It may also have `check(self) -> None`, which raises `UserError` where its
  data or tools are missing, and is called before anything is spent.

  Attributes:
    name: of the task, unique in an evaluation; names its file of samples.
  """

  @property
  def name(self) -> str:
    """Without `/`."""

  def evaluate(
    self,
    model: language_model.LanguageModel,
    report: Callable[[str, float | None], None],
  ) -> Result:
    """Asks the model.

    Args:
      model: to evaluate.
      report: called with what is going on and, where it is known, the share
        done.

    Raises:
      UserError: when the task's data or tools are missing.
    """


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """What checkpoints are given.

  Attributes:
    tasks: in order; their names must differ.
    execution: how the model of a checkpoint is computed; in training, the
      run's own counts.
    every_steps: of a run that evaluates as it trains; 0 only after the last
      update.
  """

  tasks: Sequence[Task]
  execution: execution_lib.Execution = execution_lib.AUTOMATIC
  every_steps: int = 0

  def __post_init__(self):
    object.__setattr__(
      self, 'tasks', check_list('Evaluation.tasks', self.tasks)
    )
    if not isinstance(self.every_steps, int) or self.every_steps < 0:
      raise errors.UserError(
        'Evaluation.every_steps must be a whole number of at least 0, got'
        f' {self.every_steps!r}.'
      )


def check(task: Task) -> None:
  """Calls the `check` of a task that has one.

  Raises:
    UserError: when the task's data or tools are missing.
  """
  own = getattr(task, 'check', None)
  if own is not None:
    own()


def check_list(where: str, tasks: Any) -> tuple[Task, ...]:
  """What gin gave as a list of tasks.

  Args:
    where: the name that it was bound to, like `Evaluation.tasks`.
    tasks: what was bound.

  Raises:
    UserError: when they are no tasks, or their names cannot be used.
  """
  if not isinstance(tasks, (list, tuple)) or not tasks:
    raise errors.UserError(
      f'{where} must be a list of references to tasks, like'
      f' [@HarnessTasks()]; got {tasks!r}.'
    )
  for task in tasks:
    is_task = callable(getattr(task, 'evaluate', None))
    if not is_task or isinstance(task, type):
      raise errors.UserError(
        f'{where} must be references with parentheses, like'
        f' @HarnessTasks(); got {task!r}.'
      )
    if not re.fullmatch(r'\w[^\s/]*', task.name):
      raise errors.UserError(
        'The name of a task must begin with a letter and have no / and no'
        f' spaces, got {task.name!r}.'
      )
  names = [task.name for task in tasks]
  if len(set(names)) < len(names):
    raise errors.UserError(
      f'{where} must have different names, got {", ".join(names)}.'
    )
  return tuple(tasks)
