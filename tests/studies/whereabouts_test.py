from codelaw import errors
from codelaw.studies import sweep
from codelaw.studies import units as units_lib
from codelaw.studies import whereabouts
from tests.studies import submitted


def test_local_runs_are_told_by_their_records(tmp_path):
  study = submitted.study(tmp_path, (1, 2, 2))
  runs = sweep.planned_runs(study)
  by_id = {run.run_id: run for run in runs}
  for run_id, status, step in (
    ('chain0-0', 'finished', 8),
    ('chain1-0', 'running', 3),
    ('chain2-0', 'failed', 5),
  ):
    submitted.write_record(
      tmp_path / 'study' / 'runs', by_id[run_id], status, step
    )
  units = units_lib.of_runs(study, runs, 'runs')
  places, trouble = whereabouts.of_study(study, units, 0.0)
  assert not trouble
  assert {p.unit.name: (p.state, p.done) for p in places} == {
    'chain0-0': ('finished', 8),
    'chain1-0': ('started', 3),
    'chain2-0': ('failed', 5),
    'chain1-1': ('behind', 0),
    'chain2-1': ('behind', 0),
  }


def test_looking_changes_nothing_and_names_what_could_not_be_asked(played):
  played.step()
  played.record('chain0-0', 'running', step=3)

  def files():
    root = played.folder.parent
    return {p: p.read_bytes() for p in root.rglob('*') if p.is_file()}

  before = files()
  places, trouble = whereabouts.of_study(played.study, played.units, played.now)
  assert not trouble
  assert [(p.state, p.done, p.where) for p in places] == [
    ('waiting', 3, 'zone'),
    ('waiting', 0, 'zone'),
    ('behind', 0, ''),
  ]
  played.engine.down = errors.UserError('gcloud is missing.')
  places, trouble = whereabouts.of_study(played.study, played.units, played.now)
  assert trouble == 'gcloud is missing.'
  assert places[0].state == 'unclear'
  assert files() == before
  assert played.engine.log == [
    ('submit', played.name('chain0-0')),
    ('submit', played.name('chain1-0')),
  ]
