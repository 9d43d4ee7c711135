"""The whole loop: corpus, shards, sweep, laws, synergy, allocation, report.

Layout of a study's folder:
  study.json         the planned runs and what they are for
  runs/              run directories of the sweep
  jobs.json, jobs/   with an engine: what was tried, and the jobs' gin files
  compiled_steps.csv what `--dry_run --compile` compiled
  runs.csv           their run table
  fits/fit.json      laws of single sources
  fits/mixture/fit.json  laws in N, D and rates, which the allocation is from
  synergy.json       gains of one source from another
  allocation.json    the best rates, with their uncertainty
  confirmation/      run directories of the confirmation
  confirmation.json  allocated against uniform rates, measured
  report.html, tensorboard/  the same figures twice
and in the folder of generated files:
  <name>_mixture.gin the allocated rates
  <name>_run.gin     a whole run on them

Each step starts from what the step before left on disk, so a study that was
stopped at any moment goes on from there.
"""

from collections.abc import Sequence
import dataclasses
import os

import pandas as pd

from codelaw import accounting
from codelaw import errors
from codelaw import gin_text
from codelaw import records
from codelaw import storage
from codelaw.corpora import build
from codelaw.data import manifest as manifest_lib
from codelaw.data import shards
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import confirmation as confirmation_lib
from codelaw.planning import ladder
from codelaw.planning import mixture_gin
from codelaw.reports import contents
from codelaw.reports import html
from codelaw.reports import study_folder
from codelaw.reports import tensorboard
from codelaw.runs import collect
from codelaw.runs import table as table_lib
from codelaw.studies import analysis
from codelaw.studies import execution
from codelaw.studies import experiments
from codelaw.studies import submission
from codelaw.studies import supplies
from codelaw.studies import sweep
from codelaw.studies import tasks
from codelaw.studies import units as units_lib
from codelaw.train import checking

Progress = analysis.Progress


@dataclasses.dataclass(frozen=True)
class Outcome:
  """Where a finished study left what it found.

  Attributes:
    report: HTML page.
    logdir: folder with TensorBoard figures.
    allocation: the best rates; None where none were looked for.
    gin_files: with the rates, and of a whole run on them; likewise.
    confirmation: comparison with uniform rates; None where none was made.
  """

  report: str
  logdir: str
  allocation: allocation_lib.Allocation | None
  gin_files: tuple[str, str] | None
  confirmation: confirmation_lib.Confirmation | None


def run(
  study: sweep.StudyPlan,
  command: str,
  progress: Progress,
  once: bool = False,
) -> Outcome | None:
  """Runs a study to its end, or on from where it was stopped.

  Args:
    study: what to do.
    command: that started it, for the headers of generated files.
    progress: told of every step's advance.
    once: with an engine, whether to look at its jobs once and not to wait.

  Returns:
    What came out; None where jobs are still to end.

  Raises:
    UserError: for a plan that the corpus cannot supply, folders that hold
      another plan, and whatever a step refuses. What earlier steps and runs
      wrote stays.
  """
  root = study.root
  with storage.exclusive(root):
    manifest = _data(study, progress)
    planned = sweep.planned_runs(study)
    supplies.check_targets(study, supplies.of_manifest(manifest))
    _check(study, planned, 'runs')
    tasks.check(study)
    storage.write_json(
      root / 'study.json',
      {
        'name': study.name,
        'mixture_gin': os.fspath(_gin_file(study, 'mixture')),
        'run_gin': os.fspath(_gin_file(study, 'run')),
        'runs': [
          {
            'run_id': r.run_id,
            'purpose': '+'.join(r.purposes),
            'variants': list(r.variants),
          }
          for r in planned
        ],
        'comparisons': records.to_json(sweep.comparisons(study)),
      },
    )
    if not _train(study, planned, 'runs', 'sweep', progress, once):
      return None
    compared = [run for run in planned if run.is_result]
    tasks.evaluate(
      study, compared, 'runs', lambda m, f, s: progress('tasks', m, f, s)
    )
    table = _table(root / 'runs.csv', root / 'runs', compared)
    for_laws = [run.run_id for run in compared if run.is_for_laws]
    allocation = analysis.analyse(
      study, manifest, table[table['run_id'].isin(for_laws)], progress
    )
    files, confirmation = None, None
    if allocation is not None:
      files = _write_gin(study, allocation, command)
      if study.confirmation_seeds:
        confirmation = _confirm(study, allocation, progress, once)
        if confirmation is None:
          return None
    progress('report', 'figures', 0.0, None)
    page = contents.of_study(study_folder.read(root))
    report, logdir = root / 'report.html', root / 'tensorboard'
    text = html.render(page)
    # TensorBoard's files only ever grow; the page comes last and tells.
    if not report.exists() or report.read_text() != text:
      tensorboard.write(page, logdir)
      storage.write_text(report, text)
    progress('report', 'done', 1.0, 0.0)
  return Outcome(
    os.fspath(report), os.fspath(logdir), allocation, files, confirmation
  )


def _data(study: sweep.StudyPlan, progress: Progress) -> manifest_lib.Manifest:
  """The manifest of the shards, which are made where the study says how."""
  shards_dir = study.here(study.run.shards_dir)
  if not storage.is_local(shards_dir):  # a bucket that is not mounted here
    if not manifest_lib.exists(storage.path(shards_dir)):
      raise errors.UserError(
        f'{shards_dir} holds no finished shards, and shards cannot be written'
        ' into a bucket. Mount it here as the hosts do (gcsfuse) and start the'
        ' study again, or write them with `codelaw cache` and copy them:'
        f' gcloud storage cp --recursive FOLDER {shards_dir}'
      )
    return manifest_lib.read(shards_dir)
  if study.corpus is not None:
    build.build(study.corpus, lambda m, f: progress('corpus', m, f, None))
  if study.shards is None:
    return manifest_lib.read(shards_dir)
  return shards.write(study.shards, lambda m, f: progress('shards', m, f, None))


def _train(
  study: sweep.StudyPlan,
  runs: Sequence[experiments.PlannedRun],
  folder: str,
  step: str,
  progress: Progress,
  once: bool,
) -> bool:
  """Trains runs here, or has the engine do all; whether all is finished."""

  def report(message: str, fraction: float, seconds: float | None) -> None:
    progress(step, message, fraction, seconds)

  if study.engine is not None:
    return submission.execute(study, runs, folder, report, once)
  execution.execute(
    runs,
    study.root / folder,
    report,
    study.num_workers,
    study.retries.max_failures,
  )
  return True


def units(study: sweep.StudyPlan) -> tuple[units_lib.Unit, ...]:
  """All that is or will be trained and evaluated.

  The confirmation's is known when there is an allocation.
  """
  found = units_lib.of_runs(study, sweep.planned_runs(study), 'runs')
  file = study.root / 'allocation.json'
  if study.confirmation_seeds and file.exists():
    allocation = allocation_lib.from_json(storage.read_json(file))
    arms = _arms(study, allocation).values()
    runs = [planned for arm in arms for planned in arm]
    found += units_lib.of_runs(study, runs, 'confirmation')
  return found


def _arms(
  study: sweep.StudyPlan, allocation: allocation_lib.Allocation
) -> dict[str, tuple[experiments.PlannedRun, ...]]:
  return sweep.confirmation_runs(
    study,
    {
      'uniform': records.MixtureRates(allocation.uniform_rates),
      'allocated': records.MixtureRates(
        mixture_gin.rounded_rates(allocation.sources)
      ),
    },
  )


def _check(
  study: sweep.StudyPlan, planned: Sequence[experiments.PlannedRun], folder: str
) -> None:
  """Refuses what cannot be trained before any run starts."""
  checking.check_all(
    [
      (study.plan_here(run.plan), os.fspath(study.root / folder / run.run_id))
      for run in planned
    ]
  )


def _table(
  file: storage.PathLike,
  folder: storage.PathLike,
  runs: Sequence[experiments.PlannedRun],
) -> pd.DataFrame:
  """The run table of `runs`, as it reads back from the file it is kept in."""
  paths = [storage.path(folder) / planned.run_id for planned in runs]
  table_lib.write(file, collect.collect(paths))
  return table_lib.read(file)


def _gin_file(study: sweep.StudyPlan, what: str) -> storage.epath.Path:
  return storage.path(study.generated_dir) / f'{study.name}_{what}.gin'


def _write_gin(
  study: sweep.StudyPlan, allocation: allocation_lib.Allocation, command: str
) -> tuple[str, str]:
  """The allocated rates, and a whole run on them, as gin files."""
  mixture_file = _gin_file(study, 'mixture')
  storage.write_text(mixture_file, mixture_gin.mixture_gin(allocation, command))
  plan = sweep.final_run(study)
  rates = records.MixtureRates(mixture_gin.rounded_rates(allocation.sources))
  plan = dataclasses.replace(
    plan, schedule=ladder.with_mixture(plan.schedule, rates)
  )
  run_file = _gin_file(study, 'run')
  model_dir = os.fspath(storage.path(study.study_dir) / 'next_run')
  storage.write_text(
    run_file,
    gin_text.comment(
      f'A run on the mixture that this command found:\n  {command}\n'
      f'Launch it:\n  codelaw train --gin_file={os.fspath(run_file)}'
    )
    + '\n'
    + gin_text.train_settings(plan, model_dir),
  )
  return os.fspath(mixture_file), os.fspath(run_file)


def _confirm(
  study: sweep.StudyPlan,
  allocation: allocation_lib.Allocation,
  progress: Progress,
  once: bool,
) -> confirmation_lib.Confirmation | None:
  """Trains both arms with the same seeds and compares them, if all ended."""
  root = study.root
  arms = _arms(study, allocation)
  runs = [planned for arm in arms.values() for planned in arm]
  _check(study, runs, 'confirmation')
  if not _train(study, runs, 'confirmation', 'confirmation', progress, once):
    return None
  tasks.evaluate(
    study, runs, 'confirmation', lambda m, f, s: progress('tasks', m, f, s)
  )
  table = _table(
    root / 'confirmation' / 'runs.csv', root / 'confirmation', runs
  )
  final = table[table['is_final']].set_index('run_id')
  interval = None
  if allocation.gain_low is not None and allocation.gain_high is not None:
    interval = (-allocation.gain_high, -allocation.gain_low)
  plan = runs[0].plan
  result = confirmation_lib.paired_difference(
    **{
      name: [_arm_run(planned, final, allocation) for planned in arm]
      for name, arm in arms.items()
    },
    num_params=accounting.num_params(plan.model),
    num_tokens=plan.num_steps * plan.tokens_per_step,
    predicted_difference=-allocation.gain,
    predicted_interval=interval,
    interval_level=study.fit.interval_level,
  )
  storage.write_json(
    root / 'confirmation.json', confirmation_lib.to_json(result)
  )
  return result


def _arm_run(
  planned: experiments.PlannedRun,
  final: pd.DataFrame,
  allocation: allocation_lib.Allocation,
) -> confirmation_lib.ArmRun:
  losses = {
    target: float(final.at[planned.run_id, target])
    for target in allocation.targets
  }
  return confirmation_lib.ArmRun(
    planned.run_id, planned.plan.seed, allocation.score(losses), losses
  )
