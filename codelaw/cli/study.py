"""Runs a whole study: corpus, shards, sweep, laws, allocation, confirmation.

A study that was stopped, at any moment and in any way, goes on when the same
command is given again: finished runs are skipped and the interrupted one
continues at its last checkpoint.
"""

import argparse
import shlex
import sys
import time
import types

import rich.console

from codelaw import accounting
from codelaw import execution
from codelaw import records
from codelaw.cli import allocate_view
from codelaw.cli import corpus
from codelaw.cli import gin_config
from codelaw.cli import progress as progress_lib
from codelaw.corpora import plan as plan_lib
from codelaw.data import shards
from codelaw.laws import fitting
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import ladder
from codelaw.studies import experiments
from codelaw.studies import scale
from codelaw.studies import study as study_lib
from codelaw.studies import sweep
from codelaw.studies import variants

EXAMPLE = 'codelaw study --gin_file=gin_configs/studies/quickstart.gin'

PARTS = (
  plan_lib.CorpusPlan,
  *corpus.PARTS,
  shards.CachePlan,
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
  experiments.Grid,
  experiments.Mixtures,
  experiments.Pairs,
  scale.Scale,
  sweep.Slice,
  variants.Variant,
  variants.Variants,
  variants.VariantStage,
  fitting.FitSettings,
  allocation_lib.AllocationSettings,
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """A study is described by gin alone."""
  del parser


def run(args: argparse.Namespace) -> None:
  """Builds the plan from gin, runs the study, says what came out."""
  study = gin_config.load(args, sweep.StudyPlan, PARTS)
  start = time.monotonic()
  with _Steps() as steps:
    outcome = study_lib.run(study, _command(args), steps)
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
