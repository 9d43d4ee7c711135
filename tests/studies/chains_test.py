"""A study of variants and branches, made small, from corpus to report."""

import json

import pytest

from codelaw import records
from codelaw.cli import main
from codelaw.runs import table as table_lib

STUDY = """
include 'studies/tiny.gin'
STUDY_DIR = 'study'
GENERATED_DIR = 'study/generated'
CORPUS_DIR = 'corpus'
SHARDS_DIR = 'shards'

# As it is meant.
TRAIN_TOKENS = 400e9
Schedule.warmup_fraction = 0.0
Schedule.warmup_tokens = 10e9
StudyPlan.experiments = [@Branches(), @Variants(), @Pairs(), @Mixtures()]
StudyPlan.confirmation_seeds = 0
Branches.grid = @Grid()
Grid.sources = ['code/python']
TARGETS = ['code/python']
Grid.models = [
    @width_8/ModelShape(), @width_12/ModelShape(), @width_16/ModelShape()
]
Grid.token_budgets = [100e9, 200e9, 400e9]
PAIR_TOKENS = 200e9
Pairs.sources = ['code/python', 'code/c_cpp']

Variants.models = [@width_16/ModelShape()]
Variants.seeds = 2
Variants.variants = [@text/Variant(), @code_text/Variant()]
text/Variant.name = 'text'
text/Variant.stages = [@text/VariantStage(), @end/VariantStage()]
text/VariantStage.num_tokens = 200e9
text/VariantStage.stage = @text/Stage()
text/Stage.name = 'start'
text/Stage.mixture = @text/MixtureRates()
text/MixtureRates.rates = {'code/c_cpp': 1.0}
code_text/Variant.name = 'code->text'
code_text/Variant.stages = [@code/VariantStage(), @end/VariantStage()]
code/VariantStage.num_tokens = 200e9
code/VariantStage.stage = @code/Stage()
code/Stage.name = 'start'
code/Stage.mixture = @code/MixtureRates()
code/MixtureRates.rates = {'code/python': 1.0}
end/VariantStage.num_tokens = 100e9
end/VariantStage.stage = @end/Stage()
end/Stage.name = 'end'
end/Stage.mixture = @end/MixtureRates()
end/Stage.learning_rate_shape = 'linear'
end/Stage.end_factor = 0.0
end/MixtureRates.rates = {'code/c_cpp': 0.5, 'code/python': 0.5}
"""

# As it is run here.
LAPTOP = """
StudyPlan.scale = @Scale()
Scale.tokens = 2e-8
Scale.models = [
    @width_8/ModelShape(), @width_12/ModelShape(), @width_16/ModelShape()
]
"""


def _run(folder):
  return main.main(
    [
      'study',
      f'--gin_file={folder / "study.gin"}',
      f'--gin_file={folder / "laptop.gin"}',
    ]
  )


@pytest.mark.slow
def test_branches_and_variants_from_corpus_to_report(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'study.gin').write_text(STUDY)
  (tmp_path / 'laptop.gin').write_text(LAPTOP)
  assert _run(tmp_path) == 0
  study = tmp_path / 'study'
  listed = json.loads((study / 'study.json').read_text())
  by_purpose = {}
  for run in listed['runs']:
    by_purpose.setdefault(run['purpose'], []).append(run['run_id'])
  assert {purpose: len(runs) for purpose, runs in by_purpose.items()} == {
    'trunk': 3,
    'single': 9,
    'stage': 4,
    'variant': 4,
    'pair': 3,
    'mixture': 1,
  }
  every = {
    run['run_id']: records.read_run_record(study / 'runs' / run['run_id'])
    for run in listed['runs']
  }
  assert {record.status for record in every.values()} == {'finished'}
  for run_id in (*by_purpose['variant'], *by_purpose['single']):
    record = every[run_id]
    earlier = every[record.plan.initial.model_dir.rpartition('/')[2]]
    assert record.inherited_tokens
    assert set(earlier.realised_tokens) == set(record.inherited_tokens)
  table = table_lib.read(study / 'runs.csv')
  assert set(table['run_id']) == {
    run_id
    for purpose, runs in by_purpose.items()
    if purpose not in ('trunk', 'stage')
    for run_id in runs
  }
  (fit,) = json.loads((study / 'fits' / 'fit.json').read_text())['fits']
  # The branches, and the pair's reference; not the variants.
  assert fit['num_points'] == 9 + 1
  (comparison,) = listed['comparisons']
  assert set(comparison['variants']) == {'text', 'code->text'}
  report = (study / 'report.html').read_text()
  assert 'Losses of variants' in report
  before = {p: p.stat().st_mtime_ns for p in study.rglob('*') if p.is_file()}
  assert _run(tmp_path) == 0
  changed = {
    p.name
    for p in study.rglob('*')
    if p.is_file() and before.get(p) != p.stat().st_mtime_ns
  }
  assert changed <= {'study.json', 'runs.csv', '.lock'}
