import dataclasses
import math

import pytest

from codelaw import errors
from codelaw import records
from codelaw.corpora import deduplication
from codelaw.corpora import plan as plan_lib
from codelaw.corpora.synthetic import reader
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule
from codelaw.launch import mount as mount_lib
from codelaw.studies import dry_run
from codelaw.studies import experiments
from codelaw.studies import supplies
from codelaw.studies import sweep
from codelaw.train import initial
from codelaw.train import rundir
from tests.studies import planned
from tests.studies import submitted

FOLDER = 'no_such_study/runs'


def _draw(study):
  runs = sweep.planned_runs(study)
  supply = supplies.of_study(study, runs)
  return supplies.draw(study, runs, supply)


def _chain(drawn):
  """The pre-training and what goes on from it."""
  first = next(d for d in drawn if d.run.variants == ('code',))
  second = next(d for d in drawn if d.run.variants == ('code->both',))
  return first, second


def _manifest(tokens, **changes):
  shards = {
    source: {
      'train': manifest_lib.SplitShards(
        *('concatenate', 1, 1, number, number // 32, 0, 0, 0, (), None)
      )
    }
    for source, number in tokens.items()
  }
  values = {
    'vocab_size': 300,
    'sequence_length': 32,
    'token_dtype': 'uint16',
    'tokenizer_fingerprint': '',
    'corpus_fingerprint': '',
    'plan_fingerprint': '',
    'sources': shards,
  }
  return manifest_lib.Manifest(**{**values, **changes})


def _with_shards(folder, tokens):
  (folder / 'tokenizer.json').write_text('{}')
  fingerprint = manifest_lib.tokenizer_fingerprint(folder / 'tokenizer.json')
  manifest = _manifest(tokens, tokenizer_fingerprint=fingerprint)
  manifest_lib.write(folder, manifest)
  return manifest


def test_shards_come_before_what_is_declared(tmp_path):
  manifest = _with_shards(tmp_path, {'text': 3200, 'code': 6400})
  study = planned.study(
    run=planned.run(shards_dir=str(tmp_path)), supply={'text': 1, 'code': 1}
  )
  runs = sweep.planned_runs(study)
  supply = supplies.of_study(study, runs)
  assert supply.kind == 'shards'
  assert supply.tokens == {'text': 3200, 'code': 6400}
  assert supply.manifest(study.run) == manifest
  for drawn in supplies.draw(study, runs, supply):
    if drawn.run.plan.initial is None:
      alone = schedule.uncapped(drawn.run.plan, manifest)
      assert drawn.record.planned_tokens == alone.planned_tokens()


def test_declared_tokens_are_whole_sequences():
  drawn = _draw(planned.study(supply={'text': 3.23e3, 'code': 8192}))
  sequences = {
    s.source: s.sequences for d in drawn for s in d.schedule.supplies
  }
  assert sequences == {'text': 100, 'code': 256}


def test_without_a_supply_nothing_is_refused():
  study = planned.study(run=planned.run(max_epochs=1e-6))
  supply = supplies.of_study(study, sweep.planned_runs(study))
  assert (supply.kind, supply.tokens) == ('endless', {})
  supplies.check(_draw(study))


def test_a_run_goes_on_behind_the_one_that_it_starts_from():
  supply = {'text': 4096, 'code': 8192}
  first, second = _chain(_draw(planned.study(supply=supply)))
  assert first.record.planned_tokens == {'code': 4096}
  assert second.record.planned_tokens == {'code': 512, 'text': 1536}
  assert second.drawn_tokens == {'code': 4096 + 512, 'text': 1536}
  assert second.epochs == {'code': 4608 / 8192, 'text': 1536 / 4096}
  assert second.record.inherited_tokens == {'code': 4096}
  # As it would be found when the earlier run has been trained.
  study = planned.study(supply=supply)
  manifest = supplies.of_study(study, []).manifest(study.run)
  ended = rundir.at_end(first.record)
  inherited = initial.of_plan(second.run.plan, manifest, ended)
  assert inherited.sequences == {'code': 4096 // 32}
  assert inherited.sequences == second.record.inherited_sequences


def test_a_branch_has_the_rest_of_its_schedule_for_its_own():
  stages = (
    records.Stage('main', planned.TEXT, 3.0),
    records.Stage('cooldown', planned.TEXT, 1.0, 'linear', 1.0, 0.0),
  )
  trunk = planned.run(checkpoint_steps_kept=(12,), num_tokens=16 * 512)
  start = records.InitialCheckpoint(f'{FOLDER}/trunk', 12, schedule=True)
  branch = dataclasses.replace(
    trunk,
    schedule=records.Schedule(stages),
    checkpoint_steps_kept=(),
    initial=start,
  )
  runs = [
    experiments.PlannedRun('trunk', ('trunk',), trunk),
    experiments.PlannedRun('branch', ('single',), branch),
  ]
  study = planned.study(supply={'text': 8192})
  supply = supplies.of_study(study, runs)
  _, drawn = supplies.draw(study, runs, supply)
  assert drawn.own_slots == 4 * 512
  assert sum(drawn.record.planned_tokens.values()) == 4 * 512
  assert drawn.epochs == {'text': 1.0}


def test_it_names_all_that_the_corpus_cannot_supply():
  study = planned.study(supply={'text': 640, 'code': 1024})
  with pytest.raises(errors.UserError) as caught:
    supplies.check(_draw(study))
  first, second = (d.run.run_id for d in _chain(_draw(study)))
  assert str(caught.value).startswith('The corpus cannot supply 1 of 6 runs')
  assert f'code is repeated 4.50 times of 4 ({second})' in str(caught.value)
  assert first not in str(caught.value)
  study = planned.study(supply={'text': 320, 'code': 512})
  with pytest.raises(errors.UserError) as caught:
    supplies.check(_draw(study))
  message = str(caught.value)
  assert message.startswith('The corpus cannot supply 4 of 6 runs')
  assert f'code is repeated 9.00 times of 4 (2 runs, {second} the' in message
  assert 'text is repeated 6.40 times of 4 (3 runs' in message


def test_a_source_may_have_its_own_cap():
  run = planned.run(source_max_epochs={'code': 5.0})
  supplies.check(
    _draw(planned.study(run=run, supply={'text': 640, 'code': 1024}))
  )


@pytest.mark.parametrize('target_tokens', [None, 16_384])
def test_with_what_it_needs_and_no_less_a_study_is_not_refused(target_tokens):
  # Tokens of all runs are at most 4,096.
  run = planned.run(target_tokens=target_tokens, max_epochs=2.0)
  needed: dict[str, float] = {}
  for drawn in _draw(planned.study(run=run)):
    for source, tokens in drawn.needed_tokens.items():
      needed[source] = max(tokens, needed.get(source, 0))
  exact = {s: 32 * math.ceil(n / 32) for s, n in needed.items()}
  supplies.check(_draw(planned.study(run=run, supply=exact)))
  for source in needed:
    less = {**exact, source: exact[source] * 0.9}
    with pytest.raises(errors.UserError, match=f'{source} is repeated'):
      supplies.check(_draw(planned.study(run=run, supply=less)))


def test_the_run_that_repeats_a_source_most_for_its_cap_is_named():
  class Caps:
    def runs(self, pattern):
      for cap, tokens in ((2.0, 1024), (9.0, 4096), (4.0, 512)):
        plan = pattern.plan(num_tokens=tokens, max_epochs=cap)
        yield pattern.named('single', plan)

  study = planned.study(experiments=[Caps()], supply={'text': 320})
  drawn = _draw(study)
  by_cap = {d.run.plan.max_epochs: d.run.run_id for d in drawn}
  with pytest.raises(errors.UserError) as caught:
    supplies.check(drawn)
  # 3.2 of 2 is more than 12.8 of 9; 1.6 of 4 is allowed.
  assert 'cannot supply 2 of 3 runs' in str(caught.value)
  assert f'3.20 times of 2 (2 runs, {by_cap[2.0]} the' in str(caught.value)
  (need,) = dry_run.of_study(study, []).needs
  assert (need.max_epochs, need.refused, need.epochs) == (2.0, 2, 12.8)


def test_what_the_corpus_will_hold_is_known_before_it_is_built():
  corpus = plan_lib.CorpusPlan(
    [reader.SyntheticPrograms(5, renamed={'synthetic/java': 'text'})],
    'corpus',
    deduplication.Deduplication(),
  )
  with pytest.raises(errors.UserError) as caught:
    _draw(planned.study(corpus=corpus))
  assert 'StudyPlan.corpus does not build: code (2 runs); there' in str(
    caught.value
  )
  study = planned.study(corpus=corpus, experiments=[planned.GRID])
  _draw(study)
  for targets, missing in (
    (['text', 'synthetic/python'], ''),
    (['text', 'synthetic/java'], 'names synthetic/java, of which'),
  ):
    changed = dataclasses.replace(study, target_sources=targets)
    if not missing:
      dry_run.of_study(changed, [])
    else:
      with pytest.raises(errors.UserError, match=missing):
        dry_run.of_study(changed, [])


def test_targets_need_held_out_text_in_the_shards(tmp_path):
  manifest = _with_shards(tmp_path, {'text': 3200, 'code': 6400})
  held_out = manifest.sources['text']['train']
  none = dataclasses.replace(held_out, sequences=0)
  sources = {
    'text': {'train': held_out, 'validation': held_out},
    'code': {'train': held_out, 'validation': none},
    'seen/never': {'validation': held_out},
  }
  supply = supplies.of_manifest(dataclasses.replace(manifest, sources=sources))
  assert set(supply.tokens) == supply.sources == {'text', 'code'}
  targets = ['text', 'seen/never']
  supplies.check_targets(planned.study(target_sources=targets), supply)
  with pytest.raises(errors.UserError, match='names code, of which there is'):
    supplies.check_targets(planned.study(target_sources=['code']), supply)


def test_shards_and_runs_are_found_where_this_machine_sees_them(tmp_path):
  """Pods see a bucket in a folder that this machine has elsewhere."""

  class Elsewhere(mount_lib.Mount):
    def here(self, path):
      return str(path).replace(self.folder, str(tmp_path))

  study = planned.study(
    run=planned.run(shards_dir='/mnt/codelaw/shards'),
    study_dir='/mnt/codelaw/study',
    engine=submitted.Engine(Elsewhere('gs://bucket')),
  )
  (tmp_path / 'shards').mkdir()
  manifest = _with_shards(tmp_path / 'shards', {'text': 3200, 'code': 6400})
  found = dry_run.of_study(study, [])
  assert found.supply.manifest(study.run) == manifest
  assert found.finished == 0
  for row in found.rows:  # their plans are what pods will see
    assert row.plan.shards_dir == '/mnt/codelaw/shards'
  first = found.rows[0]
  record = dataclasses.replace(
    first.drawn.record, status='finished', wall_seconds=1.0
  )
  folder = tmp_path / 'study' / 'runs' / first.run.run_id
  folder.mkdir(parents=True)
  records.write_run_record(folder, record)
  assert dry_run.of_study(study, []).finished == 1
  # So is a run outside the study that its runs start from.
  outside = tmp_path / 'outside'
  records.write_run_record(outside, rundir.at_end(record))
  step = record.plan.num_steps
  (outside / 'checkpoints' / str(step)).mkdir(parents=True)
  start = records.InitialCheckpoint('/mnt/codelaw/outside')
  study = dataclasses.replace(
    study,
    run=dataclasses.replace(study.run, model=record.plan.model, initial=start),
    experiments=(experiments.Grid(['text'], [record.plan.model], [1024]),),
    slices=(),
  )
  (row,) = dry_run.of_study(study, []).rows
  assert row.drawn.record.inherited_tokens == record.planned_tokens
  assert row.plan.initial == start


def test_all_sources_that_are_not_there_are_named(tmp_path):
  with pytest.raises(errors.UserError) as caught:
    _draw(planned.study(supply={'markup': 1e6}))
  message = str(caught.value)
  assert (
    'StudyPlan.supply does not name: code (2 runs), text (5 runs)' in message
  )
  assert 'there are markup' in message
  _with_shards(tmp_path, {'text': 3200})
  run = planned.run(shards_dir=str(tmp_path))
  with pytest.raises(errors.UserError, match=r'do not have: code \(2 runs\)'):
    _draw(planned.study(run=run))


def test_a_vocabulary_that_the_model_has_not_is_refused():
  study = planned.study()
  supply = supplies.of_manifest(
    _manifest({'text': 3200, 'code': 3200}, vocab_size=301)
  )
  with pytest.raises(errors.UserError, match=r'vocab_size is 300.*has 301'):
    supplies.draw(study, sweep.planned_runs(study), supply)


def test_runs_may_start_from_one_outside_the_study(tmp_path):
  """Before the shards are there, its tokenizer is not known to be another."""
  (outside,) = _draw(planned.study(experiments=[planned.GRID]))[-1:]
  record = dataclasses.replace(
    rundir.at_end(outside.record),
    status='finished',
    tokenizer_fingerprint='somewhere',
  )
  records.write_run_record(tmp_path, record)
  (tmp_path / 'checkpoints' / str(record.step)).mkdir(parents=True)
  start = records.InitialCheckpoint(str(tmp_path))
  run = planned.run(initial=start, model=record.plan.model)
  grid = experiments.Grid(['text'], [record.plan.model], [1024])
  (drawn,) = _draw(planned.study(run=run, experiments=[grid]))
  assert drawn.record.inherited_tokens == record.realised_tokens
  assert 'its shards are others' in ' '.join(drawn.notes)
