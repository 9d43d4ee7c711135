import random

import pytest

from codelaw import accounting
from codelaw import records
from codelaw.corpora import documents
from codelaw.corpora import report
from codelaw.data import shards

_WORDS = 'def return for in if else while class range print value = + ( ) :'
SOURCES = ('code/java', 'code/python', 'markup')


def _write_corpus(folder):
  generator = random.Random(0)
  reports = {}
  for source in SOURCES:
    writer = documents.SourceWriter(folder, source)
    splits = {}
    for split, number in (('train', 40), ('validation', 6)):
      items = []
      for index in range(number):
        words = generator.choices(_WORDS.split(), k=generator.randint(20, 90))
        text = f'# {source} {split} {index}\n' + ' '.join(words) + '\n'
        raw = documents.RawDocument(text, source, 'python', f'{index}.py')
        items.append(documents.document(raw, split))
      for item in items:
        writer.write(item)
      splits[split] = report.SplitReport(number, sum(i.bytes for i in items))
    reports[source] = report.SourceReport(
      splits, writer.close(), number, {}, {}, {}
    )
  report.write(folder, report.CorpusReport(reports, {}, 'plan', 'corpus', '0'))
  return str(folder)


@pytest.fixture(scope='session')
def shards_dir(tmp_path_factory):
  """Shards of three small sources: vocabulary 300, length 16."""
  folder = str(tmp_path_factory.mktemp('shards'))
  shards.write(
    shards.CachePlan(
      corpus_dir=_write_corpus(tmp_path_factory.mktemp('corpus')),
      shards_dir=folder,
      vocab_size=300,
      sequence_length=16,
    )
  )
  return folder


@pytest.fixture(scope='session')
def make_plan(shards_dir):
  """Builds a plan of 12 updates on two sources and in two stages."""

  def make(**changes):
    both = records.MixtureRates({'code/python': 2, 'markup': 1})
    one = records.MixtureRates({'code/python': 1})
    values = {
      'model': accounting.ModelShape(
        vocab_size=304,
        width=8,
        num_layers=2,
        num_heads=2,
        head_dim=4,
        mlp_width=16,
      ),
      'schedule': records.Schedule(
        (
          records.Stage('main', both, 2.0),
          records.Stage('cooldown', one, 1.0, 'linear', 1.0, 0.0),
        ),
        warmup_fraction=0.1,
      ),
      'optimizer': records.OptimizerSettings(0.01),
      'shards_dir': shards_dir,
      'num_tokens': 12 * 4 * 16,
      'sequence_length': 16,
      'batch_size': 4,
      'eval_sequences': 6,
      'eval_every_steps': 6,
      'checkpoint_every_steps': 4,
    }
    return records.RunPlan(**{**values, **changes})

  return make
