"""What `codelaw evaluate` runs: a task turns a model into scores."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from typing import Any
from typing import Protocol

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


def check(task: Task) -> None:
  """Calls the `check` of a task that has one.

  Raises:
    UserError: when the task's data or tools are missing.
  """
  own = getattr(task, 'check', None)
  if own is not None:
    own()
