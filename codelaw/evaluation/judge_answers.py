"""Prompts, and the answers that are judged: read, generated, kept.

Files are JSON lines. A file of prompts has one column of texts; a file of
answers has `prompt` and `answer`, so that other systems can be judged too. A
checkpoint's answers are kept beside its scores:

  MODEL_DIR/downstream/answers/step_<step>-<fingerprint>.jsonl

The fingerprint is of all that decides them but the checkpoint: prompts, frame
and sampling.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from importlib import resources
import json
import os
from typing import Any

from etils import epath

from codelaw import errors
from codelaw import scores
from codelaw import storage
from codelaw.evaluation import language_model

_PLACE = '{prompt}'


@dataclasses.dataclass(frozen=True)
class AnswerSettings:
  """How a checkpoint answers.

  Attributes:
    frame: what it gets, with {prompt} where the prompt goes. A model that was
      not tuned on instructions continues texts, and must be told that an
      answer is wanted.
    sampling: of its answer.
  """

  frame: str = 'Question: {prompt}\nAnswer:'
  sampling: language_model.Sampling = language_model.Sampling(
    stop=('\nQuestion:',)
  )

  def __post_init__(self):
    if _PLACE not in self.frame:
      raise errors.UserError(
        'AnswerSettings.frame must have {prompt} where the prompt goes, got'
        f' {self.frame!r}.'
      )


def read_prompts(
  source: storage.PathLike | None,
  column: str = 'prompt',
  num_prompts: int | None = None,
) -> list[str]:
  """The prompts of a file; of the set that comes with codelaw for None.

  Args:
    source: JSON lines.
    column: that holds the prompt.
    num_prompts: of the first ones to take; None takes all.

  Raises:
    UserError: when a line has no such text, or two have the same.
  """
  if source is None:
    package = resources.files('codelaw.evaluation')
    source = str(package / 'open_prompts.jsonl')
  prompts = [row[column] for row in _read(source, [column])][:num_prompts]
  if not prompts:
    raise errors.UserError(f'{os.fspath(source)} has no prompts.')
  if len(set(prompts)) < len(prompts):
    twice = next(p for p in prompts if prompts.count(p) > 1)
    raise errors.UserError(
      f'{os.fspath(source)} has the prompt {_short(twice)} twice.'
    )
  return prompts


def read(source: storage.PathLike, prompts: Sequence[str]) -> list[str]:
  """The answers of a file to these prompts, in their order.

  Raises:
    UserError: when a prompt has no answer, or two.
  """
  found: dict[str, str] = {}
  for row in _read(source, ['prompt', 'answer']):
    if found.setdefault(row['prompt'], row['answer']) != row['answer']:
      raise errors.UserError(
        f'{os.fspath(source)} has two answers to {_short(row["prompt"])}.'
      )
  missing = [prompt for prompt in prompts if prompt not in found]
  if missing:
    raise errors.UserError(
      f'{os.fspath(source)} has no answer to {len(missing)} of'
      f' {len(prompts)} prompts, like {_short(missing[0])}.'
    )
  return [found[prompt] for prompt in prompts]


def file_of(
  model_dir: storage.PathLike,
  step: int,
  prompts: Sequence[str],
  settings: AnswerSettings,
) -> epath.Path:
  """Where a checkpoint's answers are kept."""
  what = {'prompts': list(prompts), 'settings': dataclasses.asdict(settings)}
  name = f'step_{step}-{storage.fingerprint(what)}.jsonl'
  return storage.path(model_dir) / scores.FOLDER / 'answers' / name


def generate(
  model: language_model.LanguageModel,
  prompts: Sequence[str],
  settings: AnswerSettings,
  file: storage.PathLike,
) -> None:
  """Lets a model answer, and writes the file.

  Raises:
    UserError: when it cannot be written.
  """
  framed = [settings.frame.replace(_PLACE, prompt) for prompt in prompts]
  answers = model.generate(framed, settings.sampling)
  write(
    file,
    [
      {'prompt': prompt, 'answer': answer.strip()}
      for prompt, answer in zip(prompts, answers, strict=True)
    ],
  )


def write(file: storage.PathLike, rows: Sequence[Mapping[str, Any]]) -> None:
  """Writes JSON lines, whole or not at all."""
  storage.write_text(
    file, ''.join(json.dumps(row, allow_nan=False) + '\n' for row in rows)
  )


def _read(
  source: storage.PathLike, columns: Sequence[str]
) -> list[dict[str, str]]:
  try:
    lines = storage.path(source).read_text().split('\n')
  except (OSError, UnicodeDecodeError) as error:
    raise errors.UserError(
      f'{os.fspath(source)} cannot be read as JSON lines ({error}).'
    ) from error
  rows = []
  for number, line in enumerate(lines, start=1):
    if not line.strip():
      continue
    try:
      row = json.loads(line)
    except json.JSONDecodeError:
      row = None
    if not isinstance(row, dict) or not all(
      isinstance(row.get(column), str) for column in columns
    ):
      names = ' and '.join(repr(column) for column in columns)
      raise errors.UserError(
        f'Line {number} of {os.fspath(source)} is no JSON object with texts in'
        f' {names}; it begins {_short(line)}.'
      )
    rows.append(row)
  return rows


def _short(text: str) -> str:
  return repr(text if len(text) <= 60 else f'{text[:57]}...')
