"""A small corpus to build, from a tree of files and generated programs."""

import random

from codelaw.corpora import deduplication
from codelaw.corpora import documents
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import report
from codelaw.corpora import source_trees
from codelaw.corpora.synthetic import reader


def program(number):
  """A text that is like no other number's."""
  rng = random.Random(number)
  names = [f'{rng.choice("abcdef")}{rng.randrange(10**6)}' for _ in range(60)]
  return ''.join(
    f'{n} = f({m})\n' for n, m in zip(names, names[1:], strict=False)
  )


def plan(tree, out, **changes):
  """Builds into `out`, from the files of `tree` unless `readers` are given."""
  settings = {
    'readers': [
      source_trees.SourceTree([str(tree)], {'code/python': ['python']}),
      reader.SyntheticPrograms(60, languages=['python', 'java']),
    ],
    'output_dir': str(out),
    'deduplication': deduplication.Deduplication(),
    'filters': ['long_lines'],
    'validation_fraction': 0.2,
    'min_bytes_per_source': 10_000,
    **changes,
  }
  return plan_lib.CorpusPlan(**settings)


def everything(out):
  """All documents of a corpus."""
  return [
    item
    for source in documents.sources(out)
    for split in report.SPLITS
    for item in documents.read_documents(out, source, split)
  ]
