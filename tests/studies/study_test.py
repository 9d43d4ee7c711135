"""The whole loop, checked from outside on what a tiny study left on disk."""

import json
import os
import random
import re
import shutil
import signal
import time

import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing import event_accumulator

from codelaw import records
from codelaw.cli import main
from codelaw.cli import study as study_verb
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule
from codelaw.laws import fitting
from codelaw.laws import results
from codelaw.laws import selection
from codelaw.planning import mixture_gin
from codelaw.reports import contents
from codelaw.reports import study_folder
from codelaw.runs import collect
from codelaw.runs import events
from codelaw.runs import table as table_lib
from codelaw.studies import dry_run
from codelaw.studies import study as study_lib
from codelaw.studies import sweep
from codelaw.studies import whereabouts
from tests import example

# Everything numerical that a study leaves; wall-clock times are elsewhere.
RESULTS = (
  'runs.csv',
  'study.json',
  'fits/fit.json',
  'fits/mixture/fit.json',
  'synergy.json',
  'allocation.json',
  'confirmation/runs.csv',
  'confirmation.json',
)
SOURCES = (
  'code/c_cpp',
  'code/javascript',
  'code/python',
  'markup',
  'synthetic/python',
)


@pytest.fixture(scope='session')
def plan():
  parser = main.build_parser('study')
  flags, bindings = main.gin_config.split_bindings(list(example.FLAGS))
  args = parser.parse_args(flags)
  args.gin_bindings = bindings
  return main.gin_config.load(args, sweep.StudyPlan, study_verb.PARTS)


@pytest.fixture
def in_folder(finished, monkeypatch):
  monkeypatch.chdir(finished.folder)
  return finished.study


def _contents(study):
  return {name: (study / name).read_bytes() for name in RESULTS}


def _files(folder):
  return {
    str(path): path.read_bytes()
    for path in sorted(folder.rglob('*'))
    if path.is_file() and example.COMPILED not in path.parts
  }


def test_it_says_what_it_did_and_where_to_look(finished):
  steps = re.findall(r'^(\w+): done in ', finished.stderr, re.MULTILINE)
  assert steps == [
    *('corpus', 'shards', 'sweep', 'laws', 'confirmation', 'report')
  ]
  assert 'Traceback' not in finished.stderr
  for name in ('report.html', 'quickstart_run.gin', 'quickstart_mixture.gin'):
    assert name in finished.stdout


def test_every_planned_run_finished_exactly_once(in_folder, plan):
  planned = sweep.planned_runs(plan)
  listed = json.loads((in_folder / 'study.json').read_text())['runs']
  ids = [run.run_id for run in planned]
  assert [run['run_id'] for run in listed] == ids
  assert len(set(ids)) == len(ids) == 23
  assert sorted(os.listdir(in_folder / 'runs')) == sorted(ids)
  for run in planned:
    record = records.read_run_record(in_folder / 'runs' / run.run_id)
    assert record.status == 'finished'
    assert record.plan == run.plan
    assert record.step == run.plan.num_steps
    scalars = events.read_scalars(in_folder / 'runs' / run.run_id / 'train')
    steps = [step for step, _ in scalars['train/loss_nats_per_token']]
    assert steps == list(range(1, record.step + 1))


def test_where_its_runs_are_is_told_with_the_confirmation(in_folder, plan):
  before = _files(in_folder)
  places, trouble = whereabouts.of_study(plan, study_lib.units(plan), 0.0)
  assert not trouble
  assert {place.state for place in places} == {'finished'}
  folders = [in_folder / name for name in ('runs', 'confirmation')]
  runs = [file.parent.name for f in folders for file in f.glob('*/run.json')]
  assert sorted(place.unit.name for place in places) == sorted(runs)
  assert len(runs) == 23 + 4
  assert _files(in_folder) == before


def test_realised_tokens_are_the_planned_ones(in_folder, plan):
  manifest = manifest_lib.read(plan.shards.shards_dir)
  assert tuple(sorted(manifest.sources)) == SOURCES
  table = table_lib.read(in_folder / 'runs.csv').set_index('run_id')
  for run in sweep.planned_runs(plan):
    record = records.read_run_record(in_folder / 'runs' / run.run_id)
    planned = schedule.from_plan(run.plan, manifest).planned_tokens()
    assert record.realised_tokens == record.planned_tokens == planned
    row = table.loc[run.run_id]
    assert row['num_tokens'] == sum(planned.values())
    for source in SOURCES:
      if f'tokens/{source}' in table:
        assert row[f'tokens/{source}'] == planned.get(source, 0)


def test_a_dry_run_tells_what_was_trained(in_folder, plan):
  found = dry_run.of_study(plan, [])
  assert found.supply.kind == 'shards'
  assert found.finished == len(found.rows) == 23
  recorded = [
    records.read_run_record(in_folder / 'runs' / row.run.run_id)
    for row in found.rows
  ]
  for row, record in zip(found.rows, recorded, strict=True):
    assert row.drawn.record.planned_tokens == record.realised_tokens
    assert row.train_flops == record.train_flops
    low, high = row.cost.hours
    # Its own time is among those of its model that the range is from.
    assert low <= record.wall_seconds / 3600 * (1 + 1e-9)
    assert record.wall_seconds / 3600 <= high * (1 + 1e-9)
  confirmed = sorted((in_folder / 'confirmation').glob('*/run.json'))
  assert len(found.confirmation) == len(confirmed)
  found.check()


def test_the_table_has_one_final_row_per_run(in_folder, plan):
  table = pd.read_csv(in_folder / 'runs.csv')
  assert table['is_final'].all()
  ids = [run.run_id for run in sweep.planned_runs(plan)]
  assert sorted(table['run_id']) == sorted(ids)
  for source in SOURCES:
    assert np.isfinite(table[f'loss/{source}']).all()


def test_fresh_fits_of_the_events_are_those_of_the_study(
  in_folder, plan, tmp_path
):
  folders = [in_folder / 'runs' / r.run_id for r in sweep.planned_runs(plan)]
  table = collect.collect(folders)
  for law, name in ((plan.law, 'mixture/fit.json'), ('chinchilla', 'fit.json')):
    fits = []
    for target in plan.targets:
      chosen, rows = selection.select(law, table, target)
      fits.append(fitting.fit(chosen, rows, target, plan.fit))
    results.write(tmp_path / 'fit.json', fits)
    expected = (in_folder / 'fits' / name).read_bytes()
    assert (tmp_path / 'fit.json').read_bytes() == expected


def test_the_verb_fits_the_exported_table_to_the_same_digits(
  in_folder, plan, tmp_path
):
  settings = [
    f'--gin.FitSettings.{name}={getattr(plan.fit, name)}'
    for name in ('num_starts', 'num_bootstraps')
  ]
  for law, name in ((plan.law, 'mixture/fit.json'), ('chinchilla', 'fit.json')):
    code = main.main(
      [
        *('fit', f'--runs={in_folder}/runs.csv', f'--law={law}'),
        *(f'--target={target}' for target in plan.targets),
        *(f'--out={tmp_path}', *settings),
      ]
    )
    assert code == 0
    expected = (in_folder / 'fits' / name).read_bytes()
    assert (tmp_path / 'fit.json').read_bytes() == expected


def test_the_generated_mixture_sums_to_one_and_trains(in_folder, tmp_path):
  file = in_folder.parents[1] / 'generated' / 'quickstart_mixture.gin'
  binding = file.read_text().split('MixtureRates.rates = ')[1]
  rates = eval(binding, {'__builtins__': {}})  # gin values are literals
  assert sum(records.MixtureRates(rates).shares().values()) == 1.0
  assert sum(rates.values()) == 1.0
  allocation = study_folder.read(in_folder).allocation
  assert rates == mixture_gin.rounded_rates(allocation.sources)
  code = main.main(
    [
      *('train', '--gin_file=runs/quickstart_uniform.gin'),
      *(f'--gin_file={file}', f'--gin.MODEL_DIR={str(tmp_path)!r}'),
      *('--gin.TRAIN_TOKENS=4096', '--gin.BATCH_SIZE=2'),
      '--gin.sequential_108k/ModelShape.num_layers=1',
    ]
  )
  assert code == 0
  realised = records.read_run_record(tmp_path).realised_tokens
  assert sorted(realised) == sorted(name for name in rates if rates[name])


def test_the_allocation_keeps_to_the_supply(in_folder, plan):
  manifest = manifest_lib.read(plan.shards.shards_dir)
  allocation = study_folder.read(in_folder).allocation
  final = sweep.final_run(plan)
  assert allocation.num_tokens == final.num_steps * final.tokens_per_step
  assert sorted(allocation.sources) == sorted(plan.experiments[1].sources)
  assert sorted(allocation.targets) == sorted(plan.targets)
  for source, share in allocation.sources.items():
    supply = manifest.split(source, 'train').tokens
    assert share.epochs == pytest.approx(share.num_tokens / supply)
    assert share.epochs <= plan.allocation.max_epochs
    assert share.low is not None
    assert share.floor <= share.rate <= share.ceiling


def test_the_confirmation_has_its_interval_and_both_arms(in_folder, plan):
  content = json.loads((in_folder / 'confirmation.json').read_text())
  assert content['low'] < content['difference'] < content['high']
  assert content['predicted_low'] <= content['predicted_high']
  for arm, runs in content['arms'].items():
    assert [run['seed'] for run in runs] == [1, 2]
    for run in runs:
      record = records.read_run_record(
        in_folder / 'confirmation' / run['run_id']
      )
      assert record.status == 'finished'
      losses = [run['losses'][target] for target in plan.targets]
      assert run['objective'] == pytest.approx(np.mean(losses), rel=1e-12)
      if arm == 'uniform':
        shares = np.array(list(record.realised_tokens.values()), float)
        np.testing.assert_allclose(shares / shares.sum(), 1 / 3, atol=0.02)


def test_the_report_holds_every_figure_and_needs_nothing_else(in_folder):
  page = (in_folder / 'report.html').read_text()
  loads = re.findall(
    r'(?:src|href|url)\s*[=(]\s*["\']?([^"\'\s>)]+)', page, re.IGNORECASE
  )
  # Within the page, or numbers to download that the page itself holds.
  assert all(target.startswith(('#', 'data:')) for target in loads)
  assert '@import' not in page
  content = study_folder.read(in_folder)
  pictures = [p for s in contents.sections(content) for p in s.pictures]
  assert {'allocation', 'confirmation', 'loss_curves', 'synergy'} < {
    picture.name for picture in pictures
  }
  assert page.count('<svg') == len(pictures)


def test_tensorboard_holds_the_same_figures(in_folder):
  content = study_folder.read(in_folder)
  sections = contents.sections(content)
  found = event_accumulator.EventAccumulator(str(in_folder / 'tensorboard'))
  tags = found.Reload().Tags()
  assert sorted(tags['images']) == sorted(
    f'report/{picture.name}' for s in sections for picture in s.pictures
  )
  assert 'report/answer/text_summary' in tags['tensors']


def test_running_it_again_changes_nothing_and_is_quick(finished, example_copy):
  study = example_copy / example.STUDY
  before = _files(example_copy)
  again = example.finish(example_copy)
  assert again.seconds < 0.5 * finished.seconds
  assert 'laws: done' not in again.stderr
  after = _files(example_copy)
  assert set(after) == set(before)
  assert [p for p in before if before[p] != after[p]] == []
  assert _contents(study) == _contents(finished.study)


def test_a_run_of_another_plan_ends_the_study_with_one_sentence(example_copy):
  study = example_copy / example.STUDY
  run = next(iter(sorted((study / 'runs').iterdir())))
  content = json.loads((run / 'run.json').read_text())
  content |= {'status': 'running'}
  content['plan']['seed'] = 99
  (run / 'run.json').write_text(json.dumps(content))
  # A second one to train, so that there are workers.
  shutil.rmtree(next(iter(sorted((study / 'runs').iterdir(), reverse=True))))
  process = example.start(example_copy)
  _, stderr = process.communicate(timeout=120)
  assert process.returncode == 2
  last = stderr.splitlines()[-1]
  assert last.startswith('codelaw study: ')
  assert 'plan.seed' in last or 'seed is 99 there' in last
  assert 'Traceback' not in stderr
  assert not example.wait_until_gone(process.pid, 10)


def _wait_for(pattern, folder, process):
  """Waits until the study has written a file like `pattern`."""
  deadline = time.monotonic() + 120
  while not list(folder.glob(pattern)):
    assert process.poll() is None, process.communicate()
    assert time.monotonic() < deadline, pattern
    time.sleep(0.02)


@pytest.mark.parametrize(
  ('moment', 'number'),
  [
    ('workers start', signal.SIGINT),
    ('workers train', signal.SIGINT),
    pytest.param('workers train', signal.SIGTERM, marks=pytest.mark.slow),
  ],
)
def test_ctrl_c_stops_it_at_a_checkpoint_without_a_traceback(
  example_copy, moment, number
):
  study = example_copy / example.STUDY
  shutil.rmtree(study / 'runs')
  process = example.start(example_copy, '--gin.StudyPlan.num_workers=2')
  if moment == 'workers train':
    _wait_for('runs/*/checkpoints/20', study, process)
  else:  # The study, Python's own helper process, and the workers.
    while len(example.living(process.pid)) < 4:
      assert process.poll() is None, process.communicate()
      time.sleep(0.02)
    time.sleep(0.5)
  if number == signal.SIGINT:  # A terminal sends it to all of them.
    os.killpg(process.pid, number)
  else:
    process.send_signal(number)
  _, stderr = process.communicate(timeout=60)
  assert process.returncode == 130
  assert 'Traceback' not in stderr
  assert stderr.splitlines()[-1] == 'codelaw study: stopped.'
  assert not example.wait_until_gone(process.pid, 10)
  stopped = [
    records.read_run_record(file.parent)
    for file in (study / 'runs').glob('*/run.json')
  ]
  for record in stopped:
    assert record.status in ('running', 'finished')
    if record.step:
      folder = study / 'runs' / record.run_id
      assert (folder / 'checkpoints' / str(record.step)).is_dir()
      losses = events.read_scalars(folder / 'train')[
        'train/loss_nats_per_token'
      ]
      assert losses[-1][0] == record.step  # No update is to be done again.


@pytest.mark.slow
@pytest.mark.parametrize('seed', [0])
def test_a_study_killed_thrice_ends_with_the_same_bytes(
  finished, tmp_path, seed
):
  generator = random.Random(seed)
  shutil.copytree(
    finished.folder / example.COMPILED, tmp_path / example.COMPILED
  )
  study = tmp_path / example.STUDY
  for moment in (
    'corpus/*/*.parquet*',
    'runs/*/checkpoints/20',
    'confirmation/*/checkpoints/*',
  ):
    process = example.start(tmp_path)
    _wait_for(moment, study, process)
    time.sleep(generator.uniform(0, 0.3))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not example.wait_until_gone(process.pid, 10)
  example.finish(tmp_path)
  assert _contents(study) == _contents(finished.study)
