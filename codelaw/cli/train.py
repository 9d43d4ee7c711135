"""Train from gin: exact token counts, resumable, TensorBoard events.

The gin files must bind `TrainSettings.plan` and `TrainSettings.model_dir`;
gin_configs/runs/pretrain.gin does. Several runs are a chain: bind `Chain.runs =
[@first/TrainSettings(), @second/TrainSettings()]`, as runs/paper_b/chain.gin
does. They are trained in this order, and each may start from a checkpoint of
one before it. A finished run is skipped, an interrupted one goes on from its
last checkpoint.

A run evaluates as it trains where TrainSettings.downstream = @Evaluation(), see
`codelaw evaluate`; that changes neither its losses nor its parameters.

Exit codes, which say whether to start it again:
  0    finished.
  2    something is to be mended first; the message says what.
  75   another process of the run is gone or was stopped: start all again.
  130  stopped by SIGTERM (a machine that is taken away) or Ctrl-C, at a
       checkpoint; all processes of the run stop together.
Any other, such as 134 or 137, is that of a process that was ended: again.
"""

import argparse
from collections.abc import Sequence
import dataclasses
import logging
import os
import typing

from codelaw import accounting
from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import records
from codelaw import size_rules
from codelaw import storage
from codelaw.cli import evaluate
from codelaw.cli import gin_config
from codelaw.cli import process_flags
from codelaw.cli import progress
from codelaw.cli import seqio_mixture
from codelaw.evaluation import task as task_lib

if typing.TYPE_CHECKING:
  from codelaw.train import checking
  from codelaw.train import downstream

EXAMPLE = 'codelaw train --gin_file=generated/quickstart_run.gin'
_NAMED_RUNS = 4  # Of longer chains, the folders that hold the runs are named.


@dataclasses.dataclass(frozen=True)
class TrainSettings:
  """What `codelaw train` needs.

  Attributes:
    plan: of the run.
    model_dir: folder of the run.
    execution: how it is computed.
    downstream: tasks that it is given as it trains, or None.
  """

  plan: records.RunPlan
  model_dir: str
  execution: execution_lib.Execution = execution_lib.AUTOMATIC
  downstream: task_lib.Evaluation | None = None

  def __post_init__(self):
    if not isinstance(self.plan, records.RunPlan):
      raise errors.UserError(
        f'TrainSettings.plan must be @RunPlan(), got {self.plan!r}.'
      )
    if not isinstance(self.model_dir, str) or not self.model_dir:
      raise errors.UserError(
        'TrainSettings.model_dir must be the folder of the run, got'
        f' {self.model_dir!r}; set MODEL_DIR.'
      )
    if not isinstance(self.downstream, task_lib.Evaluation | None):
      raise errors.UserError(
        'TrainSettings.downstream must be @Evaluation() or None, got'
        f' {self.downstream!r}.'
      )


@dataclasses.dataclass(frozen=True)
class Chain:
  """Runs that are trained one after the other.

  Attributes:
    runs: in order; each in a folder of its own.
  """

  runs: tuple[TrainSettings, ...]

  def __post_init__(self):
    if (
      not isinstance(self.runs, (list, tuple))
      or not self.runs
      or not all(isinstance(run, TrainSettings) for run in self.runs)
    ):
      raise errors.UserError(
        'Chain.runs must be a list of @NAME/TrainSettings() references, got'
        f' {self.runs!r}.'
      )
    object.__setattr__(self, 'runs', tuple(self.runs))
    folders = [run.model_dir for run in self.runs]
    if len(set(map(storage.real_path, folders))) < len(folders):
      raise errors.UserError(
        'The runs of a chain must have different TrainSettings.model_dir, got'
        f' {", ".join(folders)}.'
      )


PARTS = (
  *evaluate.PARTS,
  accounting.ModelShape,
  task_lib.Evaluation,
  records.InitialCheckpoint,
  records.MixtureRates,
  records.OptimizerSettings,
  records.RunPlan,
  records.Schedule,
  records.Stage,
  seqio_mixture.SeqioMixture,
  size_rules.deepseek_batch_size,
  size_rules.deepseek_learning_rate,
  size_rules.step_law_batch_size,
  size_rules.step_law_learning_rate,
  TrainSettings,
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Flags of a run in several processes."""
  process_flags.add(parser)


def load(
  args: argparse.Namespace, overrides: Sequence[str] = ()
) -> tuple[TrainSettings, ...]:
  """The runs that the gin files describe: one, or those of a chain."""
  one = ['Chain.runs = [@TrainSettings()]']
  return gin_config.load(args, Chain, PARTS, overrides, one).runs


def check(
  runs: Sequence[TrainSettings], capped: bool = True
) -> list['checking.Checked']:
  """Checks all runs before the first is trained, see `checking.check_all`."""
  from codelaw.train import checking  # imports JAX: after gin's errors

  return checking.check_all(
    [(settings.plan, settings.model_dir) for settings in runs], capped
  )


def run(args: argparse.Namespace) -> None:
  """Builds the plans, checks them, trains, and says where to look."""
  runs = load(args)
  # These import JAX and Flax: after gin's errors.
  from codelaw import compilation_cache
  from codelaw.train import distributed
  from codelaw.train import loop

  compilation_cache.enable()
  process_flags.join(args)
  # Orbax logs pages about what ends here as one sentence.
  for library in ('absl', 'asyncio'):
    logging.getLogger(library).setLevel(logging.CRITICAL)
  with distributed.ending_together():
    found = check(runs)
    for settings, checked in zip(runs, found, strict=True):
      _check_downstream(settings.downstream, checked.record)
    if not distributed.is_first():
      for settings in runs:
        loop.train(
          settings.plan,
          settings.model_dir,
          execution=settings.execution,
          downstream=_following(settings.downstream),
        )
      return
    for settings, checked in zip(runs, found, strict=True):
      _describe(settings, checked.record)
    for settings in runs:
      _train(settings)
  places = _places([settings.model_dir for settings in runs])
  flags = ' '.join(f'--runs={place}' for place in places)
  print(f'table: codelaw collect {flags} --out=runs.csv')


def _train(settings: TrainSettings) -> None:
  from codelaw.train import loop

  with progress.Progress('train') as display:

    def show(at: loop.Progress) -> None:
      if at.message:
        display.note(str(at))
      else:
        text = str(dataclasses.replace(at, seconds_left=None))
        display(text, at.step / at.num_steps, at.seconds_left)

    record = loop.train(
      settings.plan,
      settings.model_dir,
      execution=settings.execution,
      progress=show,
      downstream=_downstream(settings.downstream),
    )
  total = sum(record.realised_tokens.values())
  print(
    f'{record.run_id}: {record.step - record.first_step:,} updates on {total:,}'
    f' tokens, {record.wall_seconds:,.0f} s\n'
    f'see: tensorboard --logdir={settings.model_dir}'
  )


def _check_downstream(
  evaluation: task_lib.Evaluation | None, record: records.RunRecord
) -> None:
  """Checks what a run evaluates as it trains, before anything is spent."""
  if evaluation is None:
    return
  from codelaw.evaluation import run_language_model
  from codelaw.train import distributed

  run_language_model.read_tokenizer(record)
  if distributed.is_first():
    for task in evaluation.tasks:
      task_lib.check(task)


def _downstream(
  evaluation: task_lib.Evaluation | None,
) -> 'downstream.Downstream | None':
  """What the loop calls for these tasks."""
  if evaluation is None:
    return None
  from codelaw.evaluation import evaluate_run
  from codelaw.evaluation import joint_language_model
  from codelaw.evaluation import run_language_model
  from codelaw.train import distributed
  from codelaw.train import downstream

  if distributed.is_alone():
    evaluate_alone = evaluate_run.in_loop(
      evaluation.tasks, run_language_model.of_snapshot
    )
    return downstream.Downstream(evaluate_alone, evaluation.every_steps)

  ask = evaluate_run.in_loop(
    evaluation.tasks,
    lambda at: joint_language_model.Leader(run_language_model.of_snapshot(at)),
  )

  def lead(at: downstream.Snapshot) -> None:
    with joint_language_model.leading():
      ask(at)

  return downstream.Downstream(lead, evaluation.every_steps)


def _following(
  evaluation: task_lib.Evaluation | None,
) -> 'downstream.Downstream | None':
  """The same in the processes that are not the first."""
  if evaluation is None:
    return None
  from codelaw.evaluation import joint_language_model
  from codelaw.evaluation import run_language_model
  from codelaw.train import downstream

  def follow(at: downstream.Snapshot) -> None:
    joint_language_model.follow(run_language_model.of_snapshot(at))

  return downstream.Downstream(follow, evaluation.every_steps)


def _places(folders: Sequence[str]) -> list[str]:
  """Where `codelaw collect` finds these runs: a few flags at most."""
  if len(folders) <= _NAMED_RUNS:
    return list(folders)
  return sorted({os.path.dirname(folder) or '.' for folder in folders})


def _describe(settings: TrainSettings, record: records.RunRecord) -> None:
  plan, planned = settings.plan, record.planned_tokens
  total, before = sum(planned.values()), sum(record.inherited_tokens.values())
  print(
    f'{accounting.num_params(plan.model):,} parameters'
    f' ({accounting.num_params_no_embed(plan.model):,} without the embedding),'
    f' {total:,} tokens in {plan.num_steps - record.first_step:,} updates of'
    f' {plan.batch_size} x {plan.sequence_length}'
    + (f', after {before:,} tokens of an earlier run' if before else '')
  )
  for source, tokens in planned.items():
    print(f'  {source:<24} {tokens:>14,} tokens {tokens / total:>7.2%}')
  print(f'run directory: {settings.model_dir}', flush=True)
