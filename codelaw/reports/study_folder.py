"""A study as one value, from its folder or from single files.

Every part may be absent.

Owns the layout a report reads: runs.csv, fits/fit.json, fits/mixture/fit.json,
synergy.json, allocation.json, confirmation.json, study.json,
runs/<run_id>/run.json, and of the confirmation's runs confirmation/runs.csv
and confirmation/<run_id>/run.json. A part that is not there is None or empty,
and what would have been made from it is left out.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import os
from typing import Any

import pandas as pd

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.laws import forms
from codelaw.laws import results
from codelaw.laws import synergy as synergy_lib
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import confirmation as confirmation_lib
from codelaw.runs import table as table_lib

# Purposes of runs that laws are fitted to; a run may have others besides.
LAW_PURPOSES = frozenset({'single', 'pair', 'mixture'})
# Of a study's folder -> its name among the downloads of a page.
_FILES = {
  'fits/fit.json': 'fit.json',
  'fits/mixture/fit.json': 'mixture_fit.json',
  'synergy.json': 'synergy.json',
  'allocation.json': 'allocation.json',
  'confirmation.json': 'confirmation.json',
}


@dataclasses.dataclass(frozen=True)
class Comparison:
  """Variants of training that are compared.

  Attributes:
    name: of the comparison.
    baseline: variant that changes are counted from.
    variants: name -> run ids, one per repetition, in the same order for all.
  """

  name: str
  baseline: str
  variants: Mapping[str, tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Study:
  """Everything a report is made from.

  Attributes:
    folder: where it was read.
    name: of the study.
    table: run table, confirmation runs included; None without one.
    fits: laws of single sources.
    mixture_fits: laws of mixtures, in the order `allocate` read them.
    synergy: measured pairs, without the diagonal.
    allocation: the recommended rates.
    confirmation: the paired comparison with uniform rates.
    purposes: run id -> what the run was for; several are joined by `+`.
    run_records: of the runs that have a run.json; of a folder with study.json,
      those that it or the confirmation names.
    comparisons: of variants, in the order of the study.
    notes: the other content of study.json.
    files: (name, content) of the JSON files it was read from.
    group_column: column of the table that names the group of a fit; None
      where the laws have no groups.
  """

  folder: str
  name: str
  table: pd.DataFrame | None
  fits: tuple[results.Fit, ...]
  mixture_fits: tuple[results.Fit, ...]
  synergy: tuple[synergy_lib.Synergy, ...]
  allocation: allocation_lib.Allocation | None
  confirmation: confirmation_lib.Confirmation | None
  purposes: Mapping[str, str]
  run_records: tuple[records.RunRecord, ...]
  notes: Mapping[str, Any]
  comparisons: tuple[Comparison, ...] = ()
  files: tuple[tuple[str, Any], ...] = ()
  group_column: str | None = None

  def is_for_laws(self, run_id: str) -> bool:
    """Whether laws are fitted to a run, as far as anything says what it is."""
    purpose = self.purposes.get(run_id)
    return purpose is None or bool(LAW_PURPOSES & {*purpose.split('+')})

  @property
  def every_fit(self) -> tuple[results.Fit, ...]:
    """Laws of single sources, then of mixtures."""
    return (*self.fits, *self.mixture_fits)


def read(folder: storage.PathLike) -> Study:
  """Reads what there is in a study's folder.

  Raises:
    UserError: when the folder is missing, holds none of the parts, or a part
      in it is broken.
  """
  root = storage.path(folder)
  if not root.is_dir():
    raise errors.UserError(
      f'Expected the folder of a study at {os.fspath(folder)}, found none;'
      ' run `codelaw study` first.'
    )
  study = _part(root / 'study.json', storage.read_json) or {}
  runs = study.get('runs', [])
  confirmation = _part(root / 'confirmation.json', _confirmation)
  purposes = _purposes(runs, confirmation)
  found = Study(
    folder=os.fspath(folder),
    name=study.get('name', root.name),
    table=_table(root),
    fits=tuple(_part(root / 'fits' / 'fit.json', results.read) or ()),
    mixture_fits=tuple(
      _part(root / 'fits' / 'mixture' / 'fit.json', results.read) or ()
    ),
    synergy=_part(root / 'synergy.json', _synergy) or (),
    allocation=_part(root / 'allocation.json', _allocation),
    confirmation=confirmation,
    purposes=purposes,
    run_records=tuple(
      record
      for folder in (root / 'runs', root / 'confirmation')
      for record in _run_records(folder)
      if record.run_id in purposes or not runs
    ),
    notes={
      k: v for k, v in study.items() if k not in ('name', 'runs', 'comparisons')
    },
    comparisons=tuple(
      records.from_json(content, Comparison)
      for content in study.get('comparisons', [])
    ),
    files=tuple(
      (name, storage.read_json(root / file))
      for file, name in _FILES.items()
      if (root / file).exists()
    ),
  )
  parts = (
    found.table is not None,
    found.fits,
    found.mixture_fits,
    found.synergy,
    found.allocation,
    found.confirmation,
    found.run_records,
  )
  if not any(parts):
    raise errors.UserError(
      f'{os.fspath(folder)} holds nothing to report: no runs.csv, fits,'
      ' synergy.json, allocation.json, confirmation.json or runs; give the'
      ' folder that `codelaw study` wrote.'
    )
  return found


def of_files(
  fit: storage.PathLike,
  *,
  table: pd.DataFrame | None = None,
  allocation: storage.PathLike | None = None,
  group_column: str | None = None,
) -> Study:
  """A study that is no more than fits, perhaps with their table.

  Args:
    fit: a fit.json.
    table: the run table that it was fitted to.
    allocation: an allocation as JSON.
    group_column: column of the table that names the group of a fit.

  Raises:
    UserError: when a file is missing or broken.
  """
  fits = results.read(fit)
  mixtures = [found for found in fits if forms.law_of(found).shares]
  given = [('fit.json', fit)]
  if allocation is not None:
    given.append(('allocation.json', allocation))
  return Study(
    folder='',
    name=os.fspath(fit),
    table=table,
    fits=tuple(found for found in fits if found not in mixtures),
    mixture_fits=tuple(mixtures),
    synergy=(),
    allocation=None if allocation is None else _allocation(allocation),
    confirmation=None,
    purposes={},
    run_records=(),
    notes={},
    files=tuple((name, storage.read_json(file)) for name, file in given),
    group_column=group_column,
  )


def _part(file: Any, read_part: Callable[[Any], Any]) -> Any:
  if not file.exists():
    return None
  try:
    return read_part(file)
  except errors.UserError as error:
    raise errors.UserError(
      f'{os.fspath(file)} is not what its step writes ({error}); run that step'
      ' again.'
    ) from error


def _table(root: Any) -> pd.DataFrame | None:
  tables = [
    table
    for file in (root / 'runs.csv', root / 'confirmation' / 'runs.csv')
    if (table := _part(file, table_lib.read)) is not None
  ]
  if not tables:
    return None
  joined = pd.concat(tables, ignore_index=True)
  counts = [c for c in joined if c.startswith(('share/', 'tokens/'))]
  joined[counts] = joined[counts].fillna(0)  # a source the others did not use
  return joined


def _purposes(
  runs: Iterable[Mapping[str, str]],
  confirmation: confirmation_lib.Confirmation | None,
) -> dict[str, str]:
  purposes = {
    run['run_id']: run['purpose']
    for run in runs
    if 'run_id' in run and 'purpose' in run
  }
  if confirmation is not None:
    for arm in confirmation.arms.values():
      purposes.update({run.run_id: 'confirm' for run in arm})
  return purposes


def _allocation(file: Any) -> allocation_lib.Allocation:
  return allocation_lib.from_json(storage.read_json(file))


def _confirmation(file: Any) -> confirmation_lib.Confirmation:
  return confirmation_lib.from_json(storage.read_json(file))


def _synergy(file: Any) -> tuple[synergy_lib.Synergy, ...]:
  return tuple(
    entry for entry in synergy_lib.read(file) if entry.target != entry.auxiliary
  )


def _run_records(folder: Any) -> tuple[records.RunRecord, ...]:
  if not folder.is_dir():
    return ()
  return tuple(
    records.read_run_record(run)
    for run in sorted(folder.iterdir())
    if (run / 'run.json').exists()
  )
