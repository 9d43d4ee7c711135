"""What a run directory keeps of the tasks its checkpoints were given.

  downstream/step_<step>.json                    scores, see `codelaw.scores`
  downstream/samples/step_<step>/<task>.jsonl    an object per item
  downstream/tasks/step_<step>/<task>.json       a `Kept`

The last is written last, so that a task is either kept or done again.

Definitions owned here:
  fingerprint of a task: of its class and of every field that counts in
    comparisons (`dataclasses.field(compare=False)` leaves one out). Files that
    a field names count by their names alone.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import json
import math
import os
from typing import Any

from etils import epath

from codelaw import errors
from codelaw import records
from codelaw import scores
from codelaw import storage
from codelaw.evaluation import task as task_lib


@dataclasses.dataclass(frozen=True)
class Kept:
  """One task that a checkpoint was given.

  Attributes:
    task: its name.
    fingerprint: as defined above; empty where it failed.
    scores: names of its scores.
    notes: of its result.
    num_samples: that were written.
    seconds: it took.
    failure: why it failed; empty otherwise.
  """

  task: str
  fingerprint: str
  scores: tuple[str, ...] = ()
  notes: tuple[str, ...] = ()
  num_samples: int = 0
  seconds: float = 0.0
  failure: str = ''


def exclusive(
  model_dir: storage.PathLike, step: int
) -> contextlib.AbstractContextManager[None]:
  """Holds a checkpoint's scores for this process, see `storage.exclusive`."""
  return storage.exclusive(_tasks(model_dir, step))


def fingerprint(task: task_lib.Task) -> str:
  """Of a task's settings, as defined above."""
  return storage.fingerprint(_plain(task))


def read(model_dir: storage.PathLike, step: int) -> dict[str, Kept]:
  """Name -> what is kept of each task of a checkpoint.

  Raises:
    UserError: when a file is damaged.
  """
  folder = _tasks(model_dir, step)
  if not folder.is_dir():
    return {}
  found = {}
  for file in sorted(folder.iterdir()):
    if file.name.endswith('.json') and not file.name.startswith('.'):
      try:
        kept = records.from_json(storage.read_json(file), Kept)
      except errors.UserError as error:
        raise errors.UserError(
          f'{os.fspath(file)} is damaged ({error}); delete it, and the task is'
          ' done again.'
        ) from error
      found[kept.task] = kept
  return found


def is_done(
  model_dir: storage.PathLike, step: int, task: task_lib.Task
) -> bool:
  """Whether a checkpoint has the scores of a task with these settings."""
  return bool(num_done(model_dir, step, [task]))


def num_done(
  model_dir: storage.PathLike, step: int, tasks: Sequence[task_lib.Task]
) -> int:
  """Of how many tasks a checkpoint has the scores, with these settings."""
  kept = read(model_dir, step)
  if not kept:
    return 0
  there = {score.name for score in scores.read(model_dir).get(step, ())}
  return sum(
    task.name in kept
    and kept[task.name].fingerprint == fingerprint(task)
    and there >= {*kept[task.name].scores}
    for task in tasks
  )


def write(
  model_dir: storage.PathLike,
  step: int,
  task: task_lib.Task,
  result: task_lib.Result,
  seconds: float,
) -> None:
  """Keeps a result; the scores that the task had there before are taken out."""
  before = read(model_dir, step).get(task.name)
  lines = [
    json.dumps(_finite(sample), default=_of_library, allow_nan=False) + '\n'
    for sample in result.samples
  ]
  samples = storage.path(model_dir) / scores.FOLDER / 'samples'
  storage.write_text(
    samples / f'step_{step}' / f'{task.name}.jsonl', ''.join(lines)
  )
  scores.write(
    model_dir,
    step,
    result.scores,
    instead_of=before.scores if before else (),
  )
  kept = Kept(
    task=task.name,
    fingerprint=fingerprint(task),
    scores=tuple(score.name for score in result.scores),
    notes=tuple(result.notes),
    num_samples=len(lines),
    seconds=round(seconds, 3),
  )
  _write(model_dir, step, kept)


def write_failure(
  model_dir: storage.PathLike, step: int, task: task_lib.Task, why: str
) -> None:
  """Keeps that a task failed; scores it had there before stay."""
  before = read(model_dir, step).get(task.name)
  names = before.scores if before else ()
  _write(model_dir, step, Kept(task.name, '', names, failure=why))


def _tasks(model_dir: storage.PathLike, step: int) -> epath.Path:
  folder = storage.path(model_dir) / scores.FOLDER / 'tasks'
  return folder / f'step_{step}'


def _write(model_dir: storage.PathLike, step: int, kept: Kept) -> None:
  storage.write_json(
    _tasks(model_dir, step) / f'{kept.task}.json', records.to_json(kept)
  )


def _plain(value: Any) -> Any:
  """A setting as JSON that is the same in every process."""
  if dataclasses.is_dataclass(value) and not isinstance(value, type):
    fields = [field for field in dataclasses.fields(value) if field.compare]
    named = {f.name: _plain(getattr(value, f.name)) for f in fields}
    return [type(value).__name__, named]
  if isinstance(value, Mapping):
    return sorted(([_plain(k), _plain(v)] for k, v in value.items()), key=repr)
  if isinstance(value, (list, tuple)):
    return [_plain(item) for item in value]
  if isinstance(value, (set, frozenset)):
    return sorted(map(_plain, value), key=repr)
  if isinstance(value, os.PathLike):
    return os.fspath(value)
  if value is None or isinstance(value, (str, bool, int, float)):
    return value
  return getattr(value, '__qualname__', None) or repr(value)


def _finite(value: Any) -> Any:
  """A sample with texts for the floats that JSON does not have."""
  if isinstance(value, float) and not math.isfinite(value):
    return str(value)
  if isinstance(value, Mapping):
    return {str(key): _finite(item) for key, item in value.items()}
  if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
    return [_finite(item) for item in value]
  return value


def _of_library(value: Any) -> Any:
  """What `json` does not know: a scalar of NumPy as Python's, else its text."""
  item = getattr(value, 'item', None)
  return (
    _finite(item()) if item and getattr(value, 'size', 0) == 1 else str(value)
  )
