"""What a study concludes from its run table: laws, synergy, allocation."""

from collections.abc import Callable
from collections.abc import Sequence
import functools

import pandas as pd

import codelaw
from codelaw import accounting
from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.laws import fitting
from codelaw.laws import results
from codelaw.laws import selection
from codelaw.laws import synergy
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import choosing
from codelaw.runs import table as table_lib
from codelaw.studies import sweep

# (step, message, fraction of the step done, seconds left or None)
Progress = Callable[[str, str, float, float | None], None]


def analysis_key(
  study: sweep.StudyPlan, manifest_fingerprint: str, table: pd.DataFrame
) -> str:
  """Fingerprint of everything that laws, synergy and allocation come from."""
  return storage.fingerprint(
    [
      codelaw.__version__,
      table_lib.fingerprint(table),
      manifest_fingerprint,
      records.to_json(study.fit),
      records.to_json(study.allocation),
      records.to_json(sweep.final_run(study)),
      [study.law, study.targets, sorted(_purposes(study))],
    ]
  )


def analyse(
  study: sweep.StudyPlan,
  manifest: manifest_lib.Manifest,
  table: pd.DataFrame,
  progress: Progress,
) -> allocation_lib.Allocation | None:
  """Laws, synergy and allocation, unless they are there for this table.

  Laws of single sources come from runs on one source, laws of mixtures and the
  allocation from all. What the study does not ask for, or has no runs for, is
  left out, and removed where it was there before the study was changed.

  Args:
    study: what it asks for.
    manifest: of the shards.
    table: its run table.
    progress: told of every law.

  Returns:
    The allocation, if the study asks for one.
  """
  root = study.root
  key = analysis_key(study, manifest.fingerprint, table)
  key_file = root / 'fits' / 'analysis.json'
  purposes = _purposes(study)
  is_known = key_file.exists() and storage.read_json(key_file) == {'of': key}
  _remove(study, purposes, keep_confirmation=is_known)
  if is_known:
    if study.allocation is None:
      return None
    return allocation_lib.from_json(storage.read_json(root / 'allocation.json'))
  fits = functools.partial(_fits, study, table, progress)
  mixed: list[results.Fit] = []
  if 'single' in purposes and study.targets:
    results.write(root / 'fits' / 'fit.json', fits('chinchilla'))
  if study.allocation is not None:
    mixed = fits(study.law)
    results.write(root / 'fits' / 'mixture' / 'fit.json', mixed)
  if 'pair' in purposes:
    synergy.write(
      root / 'synergy.json',
      synergy.matrix(table, mixed, study.fit.interval_level),
    )
  allocation = None
  if study.allocation is not None:
    allocation = _allocate(study, study.allocation, manifest, table, mixed)
    storage.write_json(
      root / 'allocation.json', allocation_lib.to_json(allocation)
    )
  storage.write_json(key_file, {'of': key})
  return allocation


def _remove(
  study: sweep.StudyPlan, purposes: set[str], keep_confirmation: bool
) -> None:
  """Removes what a report would show, and the study as it is now has not."""
  is_allocated = study.allocation is not None
  is_confirmed = bool(study.confirmation_seeds) and keep_confirmation
  for file, is_asked in (
    ('fits/fit.json', 'single' in purposes and study.targets),
    ('fits/mixture/fit.json', is_allocated),
    ('synergy.json', 'pair' in purposes),
    ('allocation.json', is_allocated),
    ('confirmation.json', is_confirmed),
    ('confirmation/runs.csv', is_confirmed),
  ):
    if not is_asked:
      (study.root / file).unlink(missing_ok=True)


def _purposes(study: sweep.StudyPlan) -> set[str]:
  return {p for run in sweep.planned_runs(study) for p in run.purposes}


def _fits(
  study: sweep.StudyPlan, table: pd.DataFrame, progress: Progress, law: str
) -> list[results.Fit]:
  fits = []
  for index, target in enumerate(study.targets):
    done = index / len(study.targets)
    progress('laws', f'{law} of {target}', done, None)
    chosen, rows = selection.select(law, table, target)
    fits.append(fitting.fit(chosen, rows, target, study.fit))
  progress('laws', f'{law}, {len(fits)} laws', 1.0, 0.0)
  return fits


def _allocate(
  study: sweep.StudyPlan,
  settings: allocation_lib.AllocationSettings,
  manifest: manifest_lib.Manifest,
  table: pd.DataFrame,
  fits: Sequence[results.Fit],
) -> allocation_lib.Allocation:
  final = sweep.final_run(study)
  return choosing.allocate(
    fits,
    num_params=accounting.num_params(final.model),
    num_tokens=final.num_steps * final.tokens_per_step,
    settings=settings,
    supply={
      source: manifest.split(source, 'train').tokens
      for source in selection.sources(table)
    },
    ranges=_ranges(table),
  )


def _ranges(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
  return {
    name: (float(table[name].min()), float(table[name].max()))
    for name in ('num_params', 'num_tokens')
  }
