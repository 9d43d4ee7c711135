"""The two systems that `codelaw judge` compares: flags, names, answers."""

import argparse
from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import pathlib

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.evaluation import judge_answers


@dataclasses.dataclass(frozen=True)
class System:
  """One of the two that are compared.

  Attributes:
    name: in scores and tables.
    answers: its file, which a checkpoint may still have to write.
    model_dir: of the checkpoint; None for answers that were given.
    step: of the checkpoint.
  """

  name: str
  answers: storage.PathLike
  model_dir: str | None = None
  step: int = 0

  @property
  def is_written(self) -> bool:
    """Whether its answers are there."""
    return self.model_dir is None or storage.path(self.answers).exists()

  def write(
    self,
    prompts: Sequence[str],
    settings: judge_answers.AnswerSettings,
    note: Callable[[str], None],
  ) -> None:
    """Lets the checkpoint answer, if it did not yet."""
    if self.model_dir is None or self.is_written:
      return
    from codelaw.evaluation import run_language_model

    note(f'{self.name} at step {self.step:,} answers {len(prompts):,} prompts')
    model = run_language_model.load(self.model_dir, self.step)
    judge_answers.generate(model, prompts, settings, self.answers)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the flags that name them."""
  for flag, what in (('', 'model'), ('baseline_', 'baseline')):
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument(
      f'--{flag.rstrip("_") or "model_dir"}',
      dest=f'{what}_dir',
      metavar='DIR',
      help=f'folder of the run that is the {what}',
    )
    given.add_argument(
      f'--{flag}answers',
      dest=f'{what}_answers',
      metavar='FILE',
      help=f'answers of the {what} instead, JSON lines',
    )
    parser.add_argument(
      f'--{flag}step',
      dest=f'{what}_step',
      type=int,
      metavar='N',
      help=f"of the {what}'s checkpoint (default: the last)",
    )
  parser.add_argument(
    '--baseline_name',
    metavar='NAME',
    help='of the baseline in scores (default: its run id, with the step where'
    " one is given, or its file's name)",
  )


def find(
  args: argparse.Namespace,
  what: str,
  prompts: Sequence[str],
  settings: judge_answers.AnswerSettings,
) -> System:
  """The model or the baseline, as the flags name it.

  Args:
    args: of the verb.
    what: `model` or `baseline`.
    prompts: that it answers.
    settings: of its answers.

  Raises:
    UserError: when there is no such run or checkpoint.
  """
  folder, file, step = (
    getattr(args, f'{what}_{name}') for name in ('dir', 'answers', 'step')
  )
  name = args.baseline_name if what == 'baseline' else None
  if file is not None:
    if step is not None:
      raise errors.UserError(
        f'A step of the {what} needs its run; got answers, {file}.'
      )
    return System(name or pathlib.PurePath(file).stem, file)
  run_id = records.read_run_record(folder).run_id
  if step is None:
    step = _last_step(folder)
  elif name is None and what == 'baseline':
    name = f'{run_id}-step_{step}'
  place = judge_answers.file_of(folder, step, prompts, settings)
  return System(name or run_id, place, folder, step)


def _last_step(model_dir: str) -> int:
  from codelaw.train import checkpoint

  steps = checkpoint.steps(storage.path(model_dir) / 'checkpoints')
  if not steps:
    raise errors.UserError(
      f'The run in {model_dir} has no checkpoint; train it first.'
    )
  return steps[-1]
