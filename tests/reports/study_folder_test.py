"""Reading a study's folder: whole, in parts, broken."""

import dataclasses
import math
import shutil

import pytest

from codelaw import errors
from codelaw import storage
from codelaw.laws import results
from codelaw.reports import run_tables
from codelaw.reports import study_folder


def test_every_part_is_read(study):
  found = study_folder.read(study)
  assert found.name == 'planted'
  assert len(found.fits) == len(found.mixture_fits) == 5
  assert len(found.synergy) == 20
  assert found.allocation.num_params == 500_000
  assert len(found.confirmation.arms['uniform']) == 3
  assert len(found.table) == len(found.run_records) == len(found.purposes)
  assert found.notes['mixture_gin'] == 'generated/planted_mixture.gin'


@pytest.mark.parametrize(
  'part',
  [
    'runs.csv',
    'fits/fit.json',
    'fits/mixture/fit.json',
    'synergy.json',
    'allocation.json',
    'confirmation.json',
  ],
)
def test_one_part_is_enough(study, tmp_path, part):
  (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
  shutil.copy(study / part, tmp_path / part)
  found = study_folder.read(tmp_path)
  assert found.name == tmp_path.name
  assert found.run_records == ()


@pytest.mark.parametrize(
  'part', ['synergy.json', 'allocation.json', 'confirmation.json']
)
def test_a_broken_part_is_named(tmp_path, part):
  (tmp_path / part).write_text('{"synergies": [{"target": "code/c"}]}')
  with pytest.raises(errors.UserError, match=part):
    study_folder.read(tmp_path)


def test_nothing_to_report_is_an_error(tmp_path):
  with pytest.raises(errors.UserError, match='nothing to report'):
    study_folder.read(tmp_path)
  with pytest.raises(errors.UserError, match='found none'):
    study_folder.read(tmp_path / 'nowhere')


def test_runs_that_are_no_part_of_a_study_any_more_are_left_out(
  study, tmp_path
):
  shutil.copytree(study, tmp_path / 'study')
  content = storage.read_json(study / 'study.json')
  left_out = next(r for r in content['runs'] if r['purpose'] == 'single')
  content['runs'].remove(left_out)
  storage.write_json(tmp_path / 'study' / 'study.json', content)
  found = study_folder.read(tmp_path / 'study')
  ids = {record.run_id for record in found.run_records}
  assert ids == {r.run_id for r in study_folder.read(study).run_records} - {
    left_out['run_id']
  }
  (tmp_path / 'study' / 'study.json').unlink()
  found = study_folder.read(tmp_path / 'study')
  assert left_out['run_id'] in {record.run_id for record in found.run_records}


def test_a_source_that_some_runs_did_not_use_has_no_share_there(tmp_path):
  for folder, source in (('', 'code/c'), ('confirmation/', 'code/go')):
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / f'{folder}runs.csv').write_text(
      f'run_id,share/{source},tokens/{source},loss/{source}\n{source},1,9,2.5\n'
    )
  table = study_folder.read(tmp_path).table
  assert table['share/code/c'].tolist() == [1, 0]
  assert table['tokens/code/go'].tolist() == [0, 9]
  assert math.isnan(table['loss/code/go'][0])


@pytest.mark.parametrize(
  ('purpose', 'fitted'),
  [
    ('single', True),
    ('mixture+variant', True),
    ('confirm', False),
    ('variant', False),
    ('stage+trunk+variant', False),
    (None, True),  # of a table without a study.json
  ],
)
def test_what_laws_are_fitted_to(found, purpose, fitted):
  purposes = {} if purpose is None else {'run': purpose}
  study = dataclasses.replace(found, purposes=purposes)
  assert study.is_for_laws('run') == fitted


def test_laws_alone_are_divided_by_what_they_are_about(study, tmp_path, found):
  results.write(tmp_path / 'fit.json', [*found.mixture_fits, *found.fits])
  alone = study_folder.of_files(
    tmp_path / 'fit.json', allocation=study / 'allocation.json'
  )
  assert alone.fits == found.fits
  assert alone.mixture_fits == found.mixture_fits
  assert alone.allocation == found.allocation
  assert [name for name, _ in alone.files] == ['fit.json', 'allocation.json']
  with pytest.raises(errors.UserError, match=r'other\.json'):
    study_folder.of_files(tmp_path / 'other.json')


def test_files_that_were_not_generated_are_not_named(found):
  def named(study):
    rows = dict(run_tables.provenance(study).rows)
    return {'mixture gin', 'run gin'} & set(rows)

  assert named(found)
  assert not named(dataclasses.replace(found, allocation=None))
