import dataclasses
import random
import shutil

import pytest

from codelaw import accounting
from codelaw import records
from codelaw.corpora import documents
from codelaw.corpora import report
from codelaw.data import manifest as manifest_lib
from codelaw.data import shards
from tests.data import padded_shards

# Words and indentation that give a tokenizer something to learn.
_WORDS = ('def', 'return', 'for', 'in', 'if', 'value', 'total', '=', '(x):')


def write_corpus(folder, sources, seed=0):
  """A corpus of random documents: {source: (train, validation) documents}."""
  generator = random.Random(seed)
  reports = {}
  for source, numbers in sources.items():
    writer = documents.SourceWriter(folder, source)
    splits = {}
    for split, number in zip(report.SPLITS, numbers, strict=True):
      items = []
      for index in range(number):
        lines = [
          '  ' * generator.randrange(3)
          + ' '.join(generator.choices(_WORDS, k=generator.randint(1, 9)))
          for _ in range(generator.randint(1, 30))
        ]
        text = '\n'.join(lines) + f'\n# {source} é {index}\n'
        raw = documents.RawDocument(text, source, 'python', f'{index}.py')
        items.append(documents.document(raw, split))
      for item in items:
        writer.write(item)
      splits[split] = report.SplitReport(
        number, sum(item.bytes for item in items)
      )
    reports[source] = report.SourceReport(
      splits, writer.close(), sum(numbers), {}, {}, {}
    )
  report.write(
    folder,
    report.CorpusReport(reports, {}, 'plan', f'corpus-{seed}', '0'),
  )
  return str(folder)


@pytest.fixture(scope='session')
def corpus_dir(tmp_path_factory):
  return write_corpus(
    tmp_path_factory.mktemp('corpus'),
    {'code/python': (60, 12), 'code/java': (20, 6), 'markup': (35, 4)},
  )


@pytest.fixture(scope='session')
def cache_plan(corpus_dir, tmp_path_factory):
  """A plan whose shards are written; several files per split."""
  plan = shards.CachePlan(
    corpus_dir=corpus_dir,
    shards_dir=str(tmp_path_factory.mktemp('shards')),
    vocab_size=320,
    sequence_length=32,
    sequences_per_file=50,
  )
  shards.write(plan)
  return plan


@pytest.fixture(scope='session')
def manifest(cache_plan):
  return manifest_lib.read(cache_plan.shards_dir)


@pytest.fixture(scope='session')
def packed(corpus_dir, tmp_path_factory):
  """Shards of the same corpus, each source packed in another way."""
  folder = str(tmp_path_factory.mktemp('packed'))
  plan = shards.CachePlan(
    corpus_dir=corpus_dir,
    shards_dir=folder,
    vocab_size=320,
    sequence_length=128,
    packing={'markup': 'best_fit', 'code/java': 'whole'},
    sequences_per_file=50,
  )
  shards.write(plan)
  return folder


@pytest.fixture(scope='session')
def packed_manifest(packed):
  return manifest_lib.read(packed)


@pytest.fixture(scope='session')
def make_plan(cache_plan):
  """Builds run plans: [(weight, rates[, end rates]), ...] and overrides."""

  def make(stages, **overrides):
    settings = {
      'model': accounting.ModelShape(320, 8, 1, 1, 8, 8),
      'schedule': records.Schedule(
        tuple(
          records.Stage(
            f'stage{i}',
            records.MixtureRates(rates),
            weight,
            end_mixture=records.MixtureRates(*end) if end else None,
          )
          for i, (weight, rates, *end) in enumerate(stages)
        )
      ),
      'optimizer': records.OptimizerSettings(1e-3),
      'shards_dir': cache_plan.shards_dir,
      'num_tokens': 32 * 4 * 50,
      'sequence_length': 32,
      'batch_size': 4,
      'max_epochs': 10.0,
    }
    return records.RunPlan(**{**settings, **overrides})

  return make


@pytest.fixture
def shards_copy(cache_plan, tmp_path):
  """A copy of the shards that a test may damage."""
  folder = tmp_path / 'shards'
  shutil.copytree(cache_plan.shards_dir, folder)
  return folder


@pytest.fixture(scope='session')
def padded(tmp_path_factory):
  """(manifest, folder) of shards with padding at the end of any sequence."""
  folder = tmp_path_factory.mktemp('padded')
  sources = {
    'code/java': (
      'concatenate',
      padded_shards.random_tokens(90, 32, 300, 0, 0.0),
    ),
    'code/python': ('best_fit', padded_shards.random_tokens(130, 32, 300, 1)),
    'commits': ('whole', padded_shards.random_tokens(57, 32, 300, 2)),
  }
  return padded_shards.write(folder, 300, sources), str(folder)


@pytest.fixture(scope='session')
def parts_plan(cache_plan, tmp_path_factory):
  """Of the same corpus, in parts so small that every source has several."""
  return dataclasses.replace(
    cache_plan,
    shards_dir=str(tmp_path_factory.mktemp('parts')),
    part_bytes=1500,
    packing={'markup': 'best_fit', 'code/*a': 'whole'},
  )


@pytest.fixture(scope='session')
def parts_manifest(parts_plan):
  return shards.write(parts_plan)
