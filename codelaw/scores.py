"""Scores of downstream tasks: written by evaluation, read by the run table.

A run directory has one file per evaluated checkpoint:

  MODEL_DIR/downstream/step_<step>.json
    {"step": 200, "scores": [{"task", "metric", "value", "standard_error",
     "num_items", "higher_is_better", "category"}, ...]}

A task that is evaluated again replaces its scores of that step. Of a run, the
scores of its latest evaluated checkpoint are also in `run.json`.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import math
import os
import re

from etils import epath

from codelaw import errors
from codelaw import storage

FOLDER = 'downstream'
_FILE = re.compile(r'step_(\d+)\.json')
_NAME = re.compile(r'[^\s/]+(/[^\s/]+)*')


@dataclasses.dataclass(frozen=True)
class Score:
  """One number that a checkpoint reached on one task.

  Attributes:
    task: what was asked, for instance `reasoning/piqa` or `code/humaneval`.
    metric: what is counted, without `/`: `accuracy`, `exact_match`, `pass@1`,
      `bleu`.
    value: of the metric, finite; shares are between 0 and 1.
    standard_error: of `value` over items; None where it is not known.
    num_items: items the value was computed from.
    higher_is_better: False for losses and error rates.
    category: of the paper's table that the task belongs to, for instance
      `reasoning`, `knowledge`, `code`; empty for none.
  """

  task: str
  metric: str
  value: float
  standard_error: float | None
  num_items: int
  higher_is_better: bool = True
  category: str = ''

  def __post_init__(self):
    if not _NAME.fullmatch(self.task) or not re.fullmatch(
      r'[^\s/]+', self.metric
    ):
      raise errors.UserError(
        'A score needs a task and a metric without spaces, got'
        f' {self.task!r} and {self.metric!r}.'
      )
    if not math.isfinite(self.value):
      raise errors.UserError(
        f'The score {self.name} is {self.value}; it must be finite.'
      )

  @property
  def name(self) -> str:
    """`task/metric`; columns of a run table are `score/<name>`."""
    return f'{self.task}/{self.metric}'


def write(
  model_dir: storage.PathLike,
  step: int,
  scores: Iterable[Score],
  instead_of: Iterable[str] = (),
) -> None:
  """Adds scores to those of a checkpoint; same names are replaced.

  Args:
    model_dir: of the run.
    step: of the checkpoint.
    scores: to add.
    instead_of: names of scores that are taken out.

  Raises:
    UserError: when two of them have one name, or the file cannot be written.
  """
  new: dict[str, Score] = {}
  for score in scores:
    if score.name in new:
      raise errors.UserError(f'Two scores are called {score.name}.')
    new[score.name] = score
  file = _file(model_dir, step)
  old = {s.name: s for s in (_read(file) if file.exists() else ())}
  gone = set(instead_of)
  kept = {name: s for name, s in old.items() if name not in gone} | new
  content = {
    'step': step,
    'scores': [dataclasses.asdict(kept[name]) for name in sorted(kept)],
  }
  storage.write_json(file, content)


def read(model_dir: storage.PathLike) -> Mapping[int, tuple[Score, ...]]:
  """Step -> scores, by rising step; empty where nothing was evaluated.

  Raises:
    UserError: when a file is damaged.
  """
  return {step: _read(_file(model_dir, step)) for step in _steps(model_dir)}


def latest(model_dir: storage.PathLike) -> tuple[int, dict[str, float]] | None:
  """The latest step with scores, and name -> value there; None for none.

  Raises:
    UserError: when its file is damaged.
  """
  steps = _steps(model_dir)
  if not steps:
    return None
  found = _read(_file(model_dir, steps[-1]))
  return steps[-1], {score.name: score.value for score in found}


def _file(model_dir: storage.PathLike, step: int) -> epath.Path:
  return storage.path(model_dir) / FOLDER / f'step_{step}.json'


def _steps(model_dir: storage.PathLike) -> list[int]:
  """The steps with a file of scores, rising."""
  folder = storage.path(model_dir) / FOLDER
  if not folder.is_dir():
    return []
  matches = (_FILE.fullmatch(file.name) for file in folder.iterdir())
  return sorted(int(match[1]) for match in matches if match)


def _read(file: epath.Path) -> tuple[Score, ...]:
  content = storage.read_json(file)
  try:
    return tuple(Score(**score) for score in content['scores'])
  except (KeyError, TypeError) as error:
    raise errors.UserError(
      f'{os.fspath(file)} is no file of scores ({error}); delete it and'
      ' evaluate that checkpoint again.'
    ) from error
