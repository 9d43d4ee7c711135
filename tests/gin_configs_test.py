"""Every gin file of the project builds what it is for, with nothing unused.

That a model file's first comment is its exact size is checked in
tests/cli/train_test.py.
"""

import argparse
import re

import pytest

from codelaw import records
from codelaw.cli import corpus
from codelaw.cli import gin_config
from codelaw.cli import study
from codelaw.cli import train
from codelaw.corpora import languages
from codelaw.corpora import plan as plan_lib
from codelaw.data import shards
from codelaw.laws import fitting
from codelaw.studies import sweep
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


def load(entry, parts, files, bindings=()):
  args = argparse.Namespace(
    gin_file=list(files), gin_search_paths=[], gin_bindings=list(bindings)
  )
  return gin_config.load(args, entry, parts)


def load_run(model=MODEL, mixture=MIXTURE, schedule=SCHEDULE, run=RUN):
  name = re.search(r'(\w+)\.gin', model).group(1)
  return load(
    train.TrainSettings,
    train.PARTS,
    (model, mixture, schedule, run),
    (f'MODEL = @{name}/ModelShape()', *MACROS),
  )


def built(file):
  """Builds `file` with what it needs beside it."""
  kind = file.partition('/')[0]
  if file == 'corpora/shards_quickstart.gin':
    folders = ("CachePlan.corpus_dir = 'c'", "CachePlan.shards_dir = 's'")
    return load(shards.CachePlan, (), [file], folders)
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
  if kind == 'studies':
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
  if kind == 'pods':
    folders = ("SHARDS_DIR = 'shards'", "MODEL_DIR = 'run'")
    if '_v5e_' in file:
      return load(train.TrainSettings, train.PARTS, [file], folders)
    model = ('MODEL = @sequential_14k/ModelShape()', 'BATCH_SIZE = 8')
    return load(
      train.TrainSettings,
      train.PARTS,
      [MODEL, file],
      (*model, 'PEAK_LEARNING_RATE = 0.01', *folders),
    )
  if kind == 'runs':
    return load(train.TrainSettings, train.PARTS, [file])
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


def test_the_leaf_is_quickstart_uniform():
  plan = built('runs/quickstart_uniform.gin').plan
  assert set(plan.schedule.sources) == set(
    built('studies/quickstart.gin').pair_sources
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
  sequential = '94m 201m 367m 604m 1b1 1b3 1b6 2b 2b4 3b 7b 14b'
  assert sizes == {
    *(f'sequential_{size}' for size in sequential.split()),
    'parallel_470m',
    'parallel_2b8',
  }
