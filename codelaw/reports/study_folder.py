"""A study's folder as one value; every part may be absent.

Owns the layout a report reads: runs.csv, fits/fit.json, fits/mixture/fit.json,
synergy.json, allocation.json, confirmation.json, study.json and
runs/<run_id>/run.json. A part that is not there is None or empty, and what
would have been made from it is left out.
"""

from collections.abc import Mapping
import dataclasses
import os
from typing import Any

import pandas as pd

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.laws import results
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import confirmation as confirmation_lib
from codelaw.runs import table as table_lib


@dataclasses.dataclass(frozen=True)
class SynergyEntry:
  """What an auxiliary source does to a target at equal total tokens.

  Attributes:
    target: source whose held-out loss is compared.
    auxiliary: source that replaced half of the target's tokens.
    gain: (loss_self - loss_pair) / loss_self; positive = it helps.
    low: lower end of the gain's interval; None without one.
    high: upper end.
    loss_self: of the target trained on itself alone, nats per token.
    loss_pair: of the target trained half on the auxiliary.
  """

  target: str
  auxiliary: str
  gain: float
  low: float | None
  high: float | None
  loss_self: float
  loss_pair: float

  @property
  def excludes_zero(self) -> bool:
    """Whether the sign of the gain is known at the interval's level."""
    if self.low is None or self.high is None:
      return False
    return self.low > 0 or self.high < 0


@dataclasses.dataclass(frozen=True)
class Synergy:
  """The content of `synergy.json`.

  Attributes:
    entries: one per ordered pair that was measured.
    interval_level: of the entries' intervals; None without intervals.
    interval_source: what the intervals come from, in words.
  """

  entries: tuple[SynergyEntry, ...]
  interval_level: float | None
  interval_source: str


@dataclasses.dataclass(frozen=True)
class Study:
  """Everything a report is made from.

  Attributes:
    folder: where it was read.
    name: of the study.
    table: run table; None without one.
    fits: laws of single sources.
    mixture_fits: laws of mixtures, in the order `allocate` read them.
    synergy: measured pairs.
    allocation: the recommended rates.
    confirmation: the paired comparison with uniform rates.
    purposes: run id -> what the run was for.
    run_records: of the runs that have a run.json.
    notes: the other content of study.json.
  """

  folder: str
  name: str
  table: pd.DataFrame | None
  fits: tuple[results.Fit, ...]
  mixture_fits: tuple[results.Fit, ...]
  synergy: Synergy | None
  allocation: allocation_lib.Allocation | None
  confirmation: confirmation_lib.Confirmation | None
  purposes: Mapping[str, str]
  run_records: tuple[records.RunRecord, ...]
  notes: Mapping[str, Any]


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
  study = _json(root / 'study.json') or {}
  runs = study.get('runs', [])
  found = Study(
    folder=os.fspath(folder),
    name=study.get('name', root.name),
    table=_table(root / 'runs.csv'),
    fits=_fits(root / 'fits' / 'fit.json'),
    mixture_fits=_fits(root / 'fits' / 'mixture' / 'fit.json'),
    synergy=_part(root / 'synergy.json', _synergy),
    allocation=_part(root / 'allocation.json', allocation_lib.from_json),
    confirmation=_part(root / 'confirmation.json', confirmation_lib.from_json),
    purposes={
      run['run_id']: run['purpose']
      for run in runs
      if 'run_id' in run and 'purpose' in run
    },
    run_records=_run_records(root / 'runs'),
    notes={k: v for k, v in study.items() if k not in ('name', 'runs')},
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


def _json(file: Any) -> Any:
  return storage.read_json(file) if file.exists() else None


def _part(file: Any, build: Any) -> Any:
  content = _json(file)
  if content is None:
    return None
  try:
    return build(content)
  except (errors.UserError, KeyError, TypeError) as error:
    raise errors.UserError(
      f'{os.fspath(file)} is not what its step writes ({error}); run that step'
      ' again.'
    ) from error


def _fits(file: Any) -> tuple[results.Fit, ...]:
  return tuple(results.read(file)) if file.exists() else ()


def _table(file: Any) -> pd.DataFrame | None:
  return table_lib.read(file) if file.exists() else None


def _synergy(content: Mapping[str, Any]) -> Synergy:
  names = [field.name for field in dataclasses.fields(SynergyEntry)]
  return Synergy(
    entries=tuple(
      SynergyEntry(**{name: entry[name] for name in names})
      for entry in content['entries']
    ),
    interval_level=content.get('interval_level'),
    interval_source=content.get('interval_source', ''),
  )


def _run_records(folder: Any) -> tuple[records.RunRecord, ...]:
  if not folder.is_dir():
    return ()
  return tuple(
    records.read_run_record(run)
    for run in sorted(folder.iterdir())
    if (run / 'run.json').exists()
  )
