"""What a study no longer asks for is no longer in its folder."""

import dataclasses
import shutil

import pandas as pd
import pytest

from codelaw import storage
from codelaw.planning import allocation
from codelaw.studies import analysis
from codelaw.studies import experiments
from tests.studies import planned

TABLE = pd.DataFrame({'run_id': ['r'], 'loss/text': [1.0]})
PARTS = (
  'fits/fit.json',
  'fits/mixture/fit.json',
  'synergy.json',
  'allocation.json',
  'confirmation.json',
  'confirmation/runs.csv',
)


@dataclasses.dataclass(frozen=True)
class _Manifest:
  fingerprint: str = 'm'


def _analyse(study):
  return analysis.analyse(study, _Manifest(), TABLE, lambda *_: None)


def _there(folder):
  return [part for part in PARTS if (folder / part).exists()]


@pytest.fixture
def folder(tmp_path, study):
  """A copy of a whole study's results."""
  for part in PARTS:
    (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
    if (study / part).exists():
      shutil.copy(study / part, tmp_path / part)
  (tmp_path / 'confirmation' / 'runs.csv').write_text('run_id,loss/text\nr,1\n')
  return tmp_path


def test_parts_that_a_study_once_had_are_removed(folder):
  """A report would show laws and rates of runs that are no part of it."""
  (folder / 'runs').mkdir()
  assert _analyse(planned.study(study_dir=str(folder))) is None
  assert _there(folder) == []
  assert (folder / 'runs').exists()


def test_a_study_without_a_confirmation_loses_that_alone(folder):
  study = planned.study(
    study_dir=str(folder),
    target_sources=['text'],
    allocation=allocation.AllocationSettings(),
    experiments=[
      planned.GRID,
      experiments.Pairs(['text', 'code'], planned.SMALL, 1024),
    ],
    confirmation_seeds=2,
  )
  key = analysis.analysis_key(study, 'm', TABLE)
  storage.write_json(folder / 'fits' / 'analysis.json', {'of': key})
  assert _analyse(study).num_params == 500_000
  assert _there(folder) == list(PARTS)
  _analyse(dataclasses.replace(study, confirmation_seeds=0))
  assert _there(folder) == list(PARTS[:4])


def test_a_confirmation_of_other_rates_is_removed(folder, monkeypatch):
  study = planned.study(
    study_dir=str(folder),
    target_sources=['text'],
    allocation=allocation.AllocationSettings(),
    confirmation_seeds=2,
  )

  def stop(*_):
    raise InterruptedError

  monkeypatch.setattr(analysis.selection, 'select', stop)
  with pytest.raises(InterruptedError):  # while the laws are fitted anew
    _analyse(study)
  assert 'confirmation.json' not in _there(folder)
  assert 'confirmation/runs.csv' not in _there(folder)
