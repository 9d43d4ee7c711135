"""Give downstream tasks to checkpoints: scores, samples, TensorBoard, run.json.

The gin files bind `Evaluation.tasks = [@...()]`. For each checkpoint, its
scores go to MODEL_DIR/downstream/step_<step>.json, what was asked and answered
to MODEL_DIR/downstream/samples/, events to MODEL_DIR/eval_downstream/; the
scores of the latest one also into run.json. `codelaw collect` puts them into
the run table, as columns score/<task>/<metric>. What is done is skipped the
next time, and an interrupted evaluation goes on with what is missing.

`codelaw train` evaluates as it trains where TrainSettings.downstream =
@Evaluation(), after every Evaluation.every_steps updates and after the last.
"""

import argparse
from collections.abc import Callable
from collections.abc import Sequence
import functools
from typing import Any

from rich import console as rich_console

from codelaw import execution as execution_lib
from codelaw import scores
from codelaw import storage
from codelaw.cli import gin_config
from codelaw.cli import process_flags
from codelaw.cli import progress
from codelaw.cli import terminal
from codelaw.corpora import pairing
from codelaw.evaluation import code_execution
from codelaw.evaluation import code_problems
from codelaw.evaluation import harness
from codelaw.evaluation import language_model
from codelaw.evaluation import sandbox
from codelaw.evaluation import synthetic_problems
from codelaw.evaluation import task as task_lib
from codelaw.evaluation import translation
from codelaw.evaluation import translation_sets

EXAMPLE = (
  'codelaw evaluate --model_dir=results/quickstart/next_run'
  ' --gin_file=evaluation/quickstart.gin'
)


PARTS: tuple[Any, ...] = (
  code_execution.CodeExecution,
  code_problems.HubProblems,
  code_problems.ProblemFile,
  execution_lib.Execution,
  execution_lib.MeshShape,
  harness.HarnessTasks,
  language_model.Sampling,
  pairing.Pairing,
  sandbox.Limits,
  synthetic_problems.SyntheticProblems,
  translation.Translation,
  translation_sets.ParallelTestSet,
  translation_sets.SyntheticParallel,
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds this verb's flags."""
  parser.add_argument(
    '--model_dir',
    action='append',
    required=True,
    metavar='DIR',
    help='folder of a run; repeatable',
  )
  which = parser.add_mutually_exclusive_group()
  which.add_argument(
    '--step',
    type=int,
    metavar='N',
    help='of the checkpoint (default: the last)',
  )
  which.add_argument(
    '--every_checkpoint',
    '--every-checkpoint',
    action='store_true',
    help='evaluate all checkpoints that the runs have',
  )
  parser.add_argument(
    '--again',
    action='store_true',
    help='also tasks that were done with the same settings',
  )
  parser.add_argument(
    '--tokenizer',
    metavar='FILE',
    help='tokenizer.json of the runs, where their shards are no more',
  )
  process_flags.add(parser)


def run(args: argparse.Namespace) -> None:
  """Evaluates, and shows the scores."""
  evaluation = gin_config.load(args, task_lib.Evaluation, PARTS)
  # These import JAX and Flax: after gin's errors.
  from codelaw import compilation_cache
  from codelaw.evaluation import joint_language_model
  from codelaw.evaluation import run_language_model
  from codelaw.train import distributed

  compilation_cache.enable()
  process_flags.join(args)

  def load(model_dir: str, step: int) -> run_language_model.RunLanguageModel:
    return run_language_model.load(
      model_dir,
      step,
      execution=evaluation.execution,
      tokenizer_file=args.tokenizer,
    )

  with distributed.ending_together():
    if not distributed.is_first():
      joint_language_model.follow(load_step=load)
      return
    if distributed.is_alone():
      _evaluate(args, evaluation, load)
      return
    with joint_language_model.leading():
      _evaluate(
        args, evaluation, functools.partial(joint_language_model.load, load)
      )


def _evaluate(
  args: argparse.Namespace,
  evaluation: task_lib.Evaluation,
  load: Callable[[str, int], language_model.LanguageModel],
) -> None:
  from codelaw.evaluation import evaluate_run

  chosen = {
    model_dir: evaluate_run.steps(model_dir, args.step, args.every_checkpoint)
    for model_dir in args.model_dir
  }
  for task in evaluation.tasks:
    task_lib.check(task)
  for model_dir, steps in chosen.items():
    with progress.Progress('evaluate') as display:
      display.note(
        f'{model_dir}: {", ".join(t.name for t in evaluation.tasks)}'
      )
      evaluate_run.evaluate(
        model_dir,
        evaluation.tasks,
        steps,
        functools.partial(load, model_dir),
        again=args.again,
        report=display,
        note=display.note,
      )
    _show(model_dir, steps)
  runs = ' '.join(f'--runs={model_dir}' for model_dir in args.model_dir)
  print(f'table: codelaw collect {runs} --out=runs.csv')


def _show(model_dir: storage.PathLike, steps: Sequence[int]) -> None:
  found = scores.read(model_dir)
  for step in steps:
    rows = terminal.table(
      f'{model_dir}, step {step:,}', ['score'], ['value', 'error', 'items']
    )
    for score in found.get(step, ()):
      error = score.standard_error
      rows.add_row(
        score.name,
        f'{score.value:.4f}',
        '' if error is None else f'{error:.4f}',
        f'{score.num_items:,}',
      )
    out = rich_console.Console(highlight=False)
    out.print(terminal.titled(rows))
