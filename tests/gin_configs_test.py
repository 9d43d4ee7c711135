"""Every gin file of the project builds what it is for, with nothing unused.

That a model file's first comment is its exact size is checked in
tests/cli/train_test.py.
"""

import argparse
import itertools
import re

import pytest

from codelaw import gin_text
from codelaw import records
from codelaw import size_rules
from codelaw.cli import corpus
from codelaw.cli import evaluate
from codelaw.cli import gin_config
from codelaw.cli import launch
from codelaw.cli import report
from codelaw.cli import study
from codelaw.cli import train
from codelaw.corpora import languages
from codelaw.corpora import plan as plan_lib
from codelaw.data import shards
from codelaw.evaluation import task as task_lib
from codelaw.laws import fitting
from codelaw.reports import plan as report_plan
from codelaw.studies import sweep
from codelaw.train import optimizer
from codelaw.train import topology

ROOT = gin_config.config_root()
FILES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob('*.gin'))
MACROS = (
  "SHARDS_DIR = 'shards'",
  "MODEL_DIR = 'run'",
  'TRAIN_TOKENS = 2e6',
  'PEAK_LEARNING_RATE = 0.01',
)
# What a run needs beside a file of one kind.
MODEL = 'models/sequential_14k.gin'
MIXTURE = 'mixtures/quickstart_uniform.gin'
SCHEDULE = 'schedules/wsd.gin'
RUN = 'runs/pretrain.gin'
WARMUP = ('WARMUP_TOKENS = 4096',)
BRANCHING = {
  'runs/trunk.gin': (*WARMUP, 'BRANCH_STEPS = [500, 700]'),
  'runs/branch.gin': (
    *WARMUP,
    "TRUNK_DIR = 'trunk'",
    'BRANCH_STEP = 700',
    'TRUNK_TOKENS = 1_433_600',
    'COOLDOWN_TOKENS = 566_400',
  ),
}


def load(entry, parts, files, bindings=()):
  args = argparse.Namespace(
    gin_file=list(files), gin_search_paths=[], gin_bindings=list(bindings)
  )
  return gin_config.load(args, entry, parts)


def load_run(model=MODEL, mixture=MIXTURE, schedule=SCHEDULE, run=RUN, more=()):
  name = re.search(r'(\w+)\.gin', model).group(1)
  return load(
    train.TrainSettings,
    train.PARTS,
    filter(None, (model, mixture, schedule, run)),
    (f'MODEL = @{name}/ModelShape()', *MACROS, *more),
  )


def load_chain(file, bindings=()):
  args = argparse.Namespace(
    gin_file=['models/parallel_470m.gin', file],
    gin_search_paths=[],
    gin_bindings=[
      'MODEL = @parallel_470m/ModelShape()',
      "SHARDS_DIR = 'shards'",
      *bindings,
    ],
  )
  return train.load(args)


def built(file):
  """Builds `file` with what it needs beside it."""
  kind = file.partition('/')[0]
  if file == 'corpora/shards_quickstart.gin':
    folders = ("CachePlan.corpus_dir = 'c'", "CachePlan.shards_dir = 's'")
    return load(shards.CachePlan, (), [file], folders)
  if kind == 'evaluation':
    return load(task_lib.Evaluation, evaluate.PARTS, [file])
  if kind == 'corpora':
    needs_inputs = 'INPUTS = %gin.REQUIRED' in (ROOT / file).read_text()
    inputs = ["INPUTS = ['somewhere']"] if needs_inputs else []
    return load(plan_lib.CorpusPlan, corpus.PARTS, [file], inputs)
  if kind == 'sources':
    tree = 'corpora/source_tree.gin'
    return load(
      plan_lib.CorpusPlan, corpus.PARTS, [tree, file], ["INPUTS = ['here']"]
    )
  if kind == 'laws':
    return load(fitting.FitSettings, (), [file])
  if kind == 'papers':
    return load(report_plan.ReportPlan, report.PARTS, [file])
  if kind == 'reports':
    required = ["RUNS = 'runs.csv'", "BASELINE = 'text_only'"]
    return load(report_plan.ReportPlan, report.PARTS, [file], required)
  if kind == 'launch':
    text = (ROOT / file).read_text()
    macros = re.findall(r'^(\w+) = %gin.REQUIRED$', text, re.MULTILINE)
    values = {'BUCKET': 'gs://my-bucket', 'PACKAGE': '/mnt/codelaw/a.whl'}
    return load(
      launch.Launch,
      launch.PARTS,
      ['pods/sequential_94m_v5e_16.gin', file],
      (
        "SHARDS_DIR = '/mnt/codelaw/shards'",
        "MODEL_DIR = '/mnt/codelaw/run'",
        *(f'{name} = {values.get(name, "x")!r}' for name in macros),
        *launch.DEFAULTS[1:],
      ),
    )
  if kind == 'studies':
    if 'StudyPlan.name' not in (ROOT / file).read_text():
      pytest.skip('a part: tests/gin_configs_paper_*_test.py build it')
    return load(sweep.StudyPlan, study.PARTS, [file])
  if file == RUN:
    return load_run()
  if file == 'runs/plan.gin':
    entry = ('TrainSettings.plan = @RunPlan()', 'SEED = 0', 'BATCH_SIZE = 1')
    return load(
      train.TrainSettings,
      train.PARTS,
      (MODEL, MIXTURE, SCHEDULE, file),
      (
        *entry,
        'TrainSettings.model_dir = %MODEL_DIR',
        'SEQUENCE_LENGTH = 128',
        'MODEL = @sequential_14k/ModelShape()',
        *MACROS,
      ),
    )
  if file == 'mixtures/seqio.gin':
    pytest.skip('needs shards: tests/cli/seqio_mixture_test.py builds it')
  if file.startswith('runs/paper_b/'):
    if file.endswith('shared.gin'):
      pytest.skip('a part of the others')
    return load_chain(file)
  if file in BRANCHING:
    return load_run(run=file, schedule='', more=BRANCHING[file])
  if kind == 't5x':
    pytest.skip('needs T5X: tests/interop/t5x_gin_test.py launches it')
  if kind == 'pods':
    folders = ("SHARDS_DIR = 'shards'", "MODEL_DIR = 'run'")
    if '_v5e_' in file:
      return load(train.TrainSettings, train.PARTS, [file], folders)
    model = ('MODEL = @sequential_14k/ModelShape()', 'BATCH_SIZE = 8')
    return load(
      train.TrainSettings, train.PARTS, [MODEL, file], (*model, *folders)
    )
  if kind == 'runs':
    return load(train.TrainSettings, train.PARTS, [file])
  if file == 'schedules/constant.gin':
    return load_run(schedule=file, more=WARMUP)
  return load_run(**{kind.removesuffix('s'): file})


@pytest.mark.parametrize('file', FILES)
def test_it_builds_and_nothing_in_it_is_unused(file):
  assert built(file)


@pytest.mark.parametrize('file', FILES)
def test_it_says_first_what_it_is(file):
  assert (ROOT / file).read_text().startswith('# ')


@pytest.mark.parametrize('name', ['source_tree', 'starcoderdata', 'the_stack'])
def test_corpora_of_code_know_every_language(name):
  (reader,) = built(f'corpora/{name}.gin').readers
  assert reader.sources == {
    languages.default_source(language): [language]
    for language in languages.LANGUAGES
  }


def test_a_branch_is_the_rest_of_its_schedule():
  trunk, branch = (
    built(f'runs/{name}.gin').plan for name in ('trunk', 'branch')
  )
  assert trunk.checkpoint_steps_kept == (500, 700)
  assert branch.initial == records.InitialCheckpoint(
    'trunk', 700, schedule=True
  )
  rates = [
    [optimizer.learning_rate(plan, step) for step in range(plan.num_steps)]
    for plan in (trunk, branch)
  ]
  assert rates[0][:700] == rates[1][:700]
  assert rates[1][699] == 0.01 > rates[1][700] > rates[1][-1] > 0


def test_paper_b_has_the_stages_of_the_paper():
  chain = built('runs/paper_b/chain.gin')
  alone = [
    built(f'runs/paper_b/{name}.gin')
    for name in ('pretrain', 'continue', 'cooldown')
  ]
  assert chain == tuple(run for runs in alone for run in runs)
  plans = [run.plan for run in chain]
  assert [p.num_tokens for p in plans] == [200e9, 200e9, 40e9]
  assert [p.num_steps for p in plans] == [47_684, 47_684, 9_537]
  assert plans[0].initial is None
  for before, after in itertools.pairwise(chain):
    assert after.plan.initial == records.InitialCheckpoint(before.model_dir)
  texts = [p.schedule.stages[0].mixture.shares()['text/web'] for p in plans]
  assert texts == pytest.approx([0.5, 0.9, 0.8])
  assert plans[0].schedule.warmup_tokens == 1325 * plans[0].tokens_per_step
  first = [optimizer.learning_rate(p, 0) for p in plans]
  last = [optimizer.learning_rate(p, p.num_steps - 1) for p in plans]
  assert first == pytest.approx([1e-3 * 0.5 / 1325, 3e-4, 3e-4], rel=1e-4)
  assert last == pytest.approx([3e-4, 3e-4, 1e-6], rel=0.02)


def test_one_line_swaps_the_mixture_of_a_stage():
  runs = load_chain(
    'runs/paper_b/chain.gin', ["cooldown/MixtureRates.rates = {'commits': 1}"]
  )
  assert [run.plan.schedule.sources for run in runs[1:]] == [
    ('code/web', 'markup/web', 'text/web'),
    ('commits',),
  ]


def test_size_rules_give_values_of_macros():
  rules = (
    'PEAK_LEARNING_RATE = @step_law_learning_rate()',
    'step_law_learning_rate.model = %MODEL',
    'step_law_learning_rate.num_tokens = %TRAIN_TOKENS',
    'BATCH_SIZE = @step_law_batch_size()',
    'step_law_batch_size.num_tokens = %TRAIN_TOKENS',
    'step_law_batch_size.sequence_length = %SEQUENCE_LENGTH',
    'step_law_batch_size.multiple_of = 4',
  )
  plan = load_run(more=rules).plan
  assert plan.optimizer.peak_learning_rate == (
    size_rules.step_law_learning_rate(plan.model, 2e6)
  )
  # 0.58 * 2e6^0.571 = 2,298 tokens are 18 sequences of 128.
  assert plan.batch_size in (16, 20)
  text = gin_text.bindings(plan)
  assert f'peak_learning_rate = {plan.optimizer.peak_learning_rate!r}' in text


def test_the_leaf_is_quickstart_uniform():
  plan = built('runs/quickstart_uniform.gin').plan
  assert set(plan.schedule.sources) == set(
    built('studies/quickstart.gin').experiments[1].sources
  )


@pytest.mark.parametrize('name', ['quickstart', 'tiny'])
def test_the_macros_of_a_study_move_everything_it_writes(name):
  names = ('STUDY_DIR', 'CORPUS_DIR', 'SHARDS_DIR', 'GENERATED_DIR')
  moved = load(
    sweep.StudyPlan,
    study.PARTS,
    [f'studies/{name}.gin'],
    [f"{macro} = 'elsewhere/{macro}'" for macro in names],
  )
  text = str(records.to_json(moved))
  assert f'results/{name}' not in text
  assert "'generated'" not in text


PODS = [file for file in FILES if file.startswith('pods/') and '_v5e_' in file]


@pytest.mark.parametrize('file', PODS)
def test_a_pod_run_is_of_its_model_and_divides_its_slice(file):
  model, chips = file.removesuffix('.gin').removeprefix('pods/').split('_v5e_')
  text = (ROOT / file).read_text()
  assert f"include 'models/{model}.gin'" in text
  slices = {topology.num_chips(name): name for name in topology.TOPOLOGIES}
  assert f'on {slices[int(chips)]} ({chips} chips)' in text.splitlines()[0]
  settings = built(file)
  data, fsdp, tensor = settings.execution.mesh.sizes(int(chips))
  rows = data * fsdp * settings.execution.microbatches
  assert settings.plan.batch_size % rows == 0
  assert settings.plan.model.kv_heads % tensor == 0


def test_there_is_a_pod_run_of_every_size_of_the_papers():
  sizes = {file.removeprefix('pods/').split('_v5e_')[0] for file in PODS}
  sequential = '94m 201m 367m 500m 604m 1b1 1b3 1b5 1b6 2b 2b4 3b 7b 14b'
  assert sizes == {
    *(f'sequential_{size}' for size in sequential.split()),
    'parallel_470m',
    'parallel_2b8',
  }
