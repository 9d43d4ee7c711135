"""Runs a whole study: corpus, shards, sweep, laws, allocation, confirmation.

A study that was stopped, at any moment and in any way, goes on when the same
command is given again: finished runs are skipped and the interrupted one
continues at its last checkpoint.

With a file of gin_configs/launch/ behind the study's own, its runs and their
evaluations are jobs on Cloud TPU: what is due is handed in, what was preempted,
failed or hangs is tried again. --status shows what runs where, and changes
nothing.

With --dry_run nothing is trained: runs, tokens, epochs, FLOPs, chip-hours and
price are shown. The exit code is 2 when the corpus cannot supply them.
"""

import argparse
import shlex
import sys
import time
import types

import rich.console

from codelaw import accounting
from codelaw import errors
from codelaw import execution
from codelaw import records
from codelaw.cli import allocate_view
from codelaw.cli import corpus
from codelaw.cli import evaluate
from codelaw.cli import gin_config
from codelaw.cli import launch
from codelaw.cli import progress as progress_lib
from codelaw.cli import study_status
from codelaw.cli import study_view
from codelaw.cli import terminal
from codelaw.corpora import plan as plan_lib
from codelaw.data import shards
from codelaw.laws import fitting
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import ladder
from codelaw.studies import attempts
from codelaw.studies import branches
from codelaw.studies import compiled_steps
from codelaw.studies import compiling
from codelaw.studies import dry_run
from codelaw.studies import experiments
from codelaw.studies import scale
from codelaw.studies import study as study_lib
from codelaw.studies import sweep
from codelaw.studies import variants

# So that a file of gin_configs/launch/ is all that a study needs for the cloud.
_HERE = ('ENGINE = None', 'StudyPlan.engine = %ENGINE')

EXAMPLE = 'codelaw study --gin_file=gin_configs/studies/quickstart.gin'

PARTS = (
  plan_lib.CorpusPlan,
  *corpus.PARTS,
  *evaluate.PARTS,
  shards.CachePlan,
  records.InitialCheckpoint,
  records.RunPlan,
  records.Schedule,
  records.Stage,
  records.MixtureRates,
  records.OptimizerSettings,
  accounting.ModelShape,
  ladder.LearningRateRule,
  ladder.DeepSeekSizing,
  execution.Execution,
  execution.MeshShape,
  branches.Branches,
  experiments.Grid,
  experiments.Mixtures,
  experiments.Pairs,
  *launch.ENGINES,
  attempts.RetryPolicy,
  scale.Scale,
  sweep.Slice,
  variants.Variant,
  variants.Variants,
  variants.VariantStage,
  fitting.FitSettings,
  allocation_lib.AllocationSettings,
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """A study is described by gin; what is done with it now, by flags."""
  parser.add_argument(
    '--status',
    action='store_true',
    help='show where every run is, and change nothing',
  )
  parser.add_argument(
    '--once',
    action='store_true',
    help='with StudyPlan.engine: look at the jobs once, hand in what is due,'
    ' and do not wait; the same command goes on',
  )
  group = parser.add_argument_group('dry run')
  group.add_argument(
    '--dry_run',
    action='store_true',
    help='show every run, its tokens, cost and price, and train nothing',
  )
  group.add_argument(
    '--out', metavar='FILE.csv', help='also write a row per run'
  )
  group.add_argument(
    '--compile',
    action='store_true',
    help=(
      'compile the train steps that are not known yet, up to two minutes each,'
      " and keep what they take in the study's folder"
    ),
  )


def load(args: argparse.Namespace) -> sweep.StudyPlan:
  """The study that the gin files describe."""
  return gin_config.load(args, sweep.StudyPlan, PARTS, defaults=_HERE)


def run(args: argparse.Namespace) -> None:
  """Builds the plan from gin, runs the study, says what came out."""
  study = load(args)
  _check_flags(args)
  if args.dry_run:
    _dry_run(study, args)
    return
  if args.status:
    study_status.show(study)
    return
  start = time.monotonic()
  with _Steps() as steps:
    outcome = study_lib.run(study, _command(args), steps, args.once)
  if outcome is None:
    study_status.show(study)
    return
  console = rich.console.Console(highlight=False, soft_wrap=True)
  if outcome.allocation is not None:
    allocate_view.show(outcome.allocation, console)
  if outcome.confirmation is not None:
    console.print(f'Confirmation: {outcome.confirmation.verdict}')
  console.print(
    f'\nDone in {progress_lib.duration(time.monotonic() - start)}.'
    f' Where to look next:\n'
    f'  {outcome.report}  the report, in a browser\n'
    f'  tensorboard --logdir={outcome.logdir}  the same figures\n'
    f'  tensorboard --logdir={study.study_dir}/runs  the runs, sortable'
  )
  if outcome.gin_files is not None:
    mixture_gin, run_gin = outcome.gin_files
    console.print(
      f'  codelaw train --gin_file={run_gin}  a run on the new mixture\n'
      f'  {mixture_gin}  the rates, to add to a run of your own'
    )


def _check_flags(args: argparse.Namespace) -> None:
  if args.dry_run and (args.status or args.once):
    raise errors.UserError(
      '--dry_run shows what a study would do, --status and --once what it does;'
      ' give one of them.'
    )
  for name in ('out', 'compile'):
    if getattr(args, name) and not args.dry_run:
      raise errors.UserError(
        f'--{name} is of a dry run; add --dry_run, or leave it out.'
      )


def _dry_run(study: sweep.StudyPlan, args: argparse.Namespace) -> None:
  """Shows what the study would do, then refuses what it could not."""
  own = study.root / compiled_steps.FILE_NAME
  packaged = gin_config.config_root() / 'pods' / compiled_steps.FILE_NAME
  known = [*compiled_steps.read(own), *compiled_steps.read(packaged)]
  missing = dry_run.missing_steps(study, known) if args.compile else []
  with progress_lib.Progress('compile') as display:
    for done, (plan, where) in enumerate(missing):
      size = ladder.size_name(plan.model)
      display(f'{size} for {where.topology}', done / len(missing))
      step = compiling.compile_step(plan, where.execution, where.topology)
      known.insert(0, step)
      compiled_steps.write(own, [*compiled_steps.read(own), step])
  found = dry_run.of_study(study, known)
  out = terminal.wide_console()
  study_view.show(found, out)
  if args.out:
    study_view.write(found, args.out)
    out.print(f'A row per run: {args.out}', soft_wrap=True)
  found.check()


def _command(args: argparse.Namespace) -> str:
  flags = [f'--gin_file={name}' for name in args.gin_file]
  flags += [f'--gin_search_paths={name}' for name in args.gin_search_paths]
  flags += [
    f'--gin.{binding.replace(" = ", "=", 1)}' for binding in args.gin_bindings
  ]
  return shlex.join(['codelaw', 'study', *flags])


class _Steps:
  """One progress display per step, and a line for each that ended."""

  def __init__(self) -> None:
    self._name = ''
    self._start = 0.0
    self._display: progress_lib.Progress | None = None

  def __enter__(self) -> '_Steps':
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: types.TracebackType | None,
  ) -> None:
    if kind is None:
      self._end()
    elif self._display is not None:
      self._display.__exit__(kind, error, trace)

  def __call__(
    self, step: str, message: str, fraction: float, seconds_left: float | None
  ) -> None:
    if step != self._name:
      self._end()
      self._name, self._start = step, time.monotonic()
      self._display = progress_lib.Progress(step).__enter__()
    assert self._display is not None
    self._display(message, fraction, seconds_left)

  def _end(self) -> None:
    if self._display is not None:
      self._display.__exit__(None, None, None)
      took = progress_lib.duration(time.monotonic() - self._start)
      print(f'{self._name}: done in {took}', file=sys.stderr, flush=True)
