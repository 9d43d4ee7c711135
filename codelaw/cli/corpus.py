"""Builds or inspects a corpus: typed, filtered, deduplicated documents.

`codelaw corpus build` reads documents as a gin file says (what must be set
is in the file's first comment) and writes them as Parquet, a folder per
source, with the counts in corpus.json. `codelaw corpus inspect` shows those
counts and samples of the documents.
"""

import argparse
import dataclasses
import itertools

import rich
from rich import console
from rich import markup
from rich import table

from codelaw import errors
from codelaw.cli import gin_config
from codelaw.cli import progress
from codelaw.corpora import build
from codelaw.corpora import deduplication
from codelaw.corpora import documents
from codelaw.corpora import environment
from codelaw.corpora import git_history
from codelaw.corpora import notebooks
from codelaw.corpora import pairing
from codelaw.corpora import parallel_table
from codelaw.corpora import plain_text
from codelaw.corpora import report
from codelaw.corpora import source_trees
from codelaw.corpora import stack_exchange
from codelaw.corpora import tables
from codelaw.corpora.synthetic import pairs
from codelaw.corpora.synthetic import reader

EXAMPLE = 'codelaw corpus inspect --corpus=results/quickstart/corpus'
# What a corpus gin file may bind beside the plan itself.
PARTS = (
  deduplication.Deduplication,
  environment.PythonEnvironment,
  git_history.GitHistory,
  notebooks.Notebooks,
  plain_text.PlainText,
  source_trees.SourceTree,
  stack_exchange.StackExchangeDump,
  tables.Tables,
  reader.SyntheticPrograms,
  pairing.Pairing,
  pairs.SyntheticPairs,
  parallel_table.ParallelTable,
)
_SAMPLE_LINES = 12


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the verb's flags."""
  parser.add_argument(
    'action',
    choices=('build', 'inspect'),
    help='write a corpus as a gin file says, or show what one holds',
  )
  parser.add_argument(
    '--out', metavar='DIR', help='build: folder to write, instead of the plan'
  )
  parser.add_argument('--corpus', metavar='DIR', help='inspect: the corpus')
  parser.add_argument(
    '--samples',
    type=int,
    default=1,
    metavar='N',
    help='inspect: documents to show of each source (default 1)',
  )


def run(args: argparse.Namespace) -> None:
  """Runs the verb."""
  if args.action == 'build':
    if args.corpus:
      raise errors.UserError(
        '`codelaw corpus build` writes to --out=DIR (or the folder that the'
        ' gin file names); --corpus is for inspect.'
      )
    _build(args)
    return
  if args.out or not args.corpus:
    raise errors.UserError(
      '`codelaw corpus inspect` needs --corpus=DIR, a folder that `codelaw'
      ' corpus build` wrote, and no --out.'
    )
  _show(report.read(args.corpus), args.corpus)
  _show_samples(args.corpus, args.samples)


def _build(args: argparse.Namespace) -> None:
  plan = gin_config.load(args, build.CorpusPlan, PARTS)
  if args.out:
    plan = dataclasses.replace(plan, output_dir=args.out)
  with progress.Progress('corpus') as display:
    content = build.build(plan, display)
  _show(content, plan.output_dir)


def _show(content: report.CorpusReport, corpus_dir: str) -> None:
  total = sum(source.bytes for source in content.sources.values())
  title = markup.escape(f'Corpus {corpus_dir} ({content.fingerprint})')
  counts = table.Table(title=title)
  for column in ('source', 'split'):
    counts.add_column(column)
  for column in ('documents', 'bytes', 'share'):
    counts.add_column(column, justify='right')
  for name, source in content.sources.items():
    for split, held in source.splits.items():
      share = f'{held.bytes / total:.1%}'
      counts.add_row(
        name, split, f'{held.documents:,}', f'{held.bytes:,}', share
      )
  kept = sum(source.documents for source in content.sources.values())
  counts.add_section()
  counts.add_row('all', '', f'{kept:,}', f'{total:,}', '100.0%')
  rich.print(counts)
  rich.print(_dropped(content))
  licenses = table.Table(title='Documents by license')
  for column in ('source', 'licenses'):
    licenses.add_column(column)
  for name, source in content.sources.items():
    parts = (f'{key or "unknown"} {n:,}' for key, n in source.licenses.items())
    licenses.add_row(name, markup.escape(', '.join(parts)))
  rich.print(licenses)


def _dropped(content: report.CorpusReport) -> table.Table:
  """Documents read, and dropped by each reason that dropped any."""
  dropped = table.Table(title='Documents dropped, by the first reason')
  for column in ('source', 'reason'):
    dropped.add_column(column)
  for column in ('documents', 'of those read'):
    dropped.add_column(column, justify='right')
  for name, source in content.sources.items():
    for reason, lost in source.dropped.items():
      share = f'{lost.documents / source.documents_read:.1%}'
      dropped.add_row(name, reason, f'{lost.documents:,}', share)
  return dropped


def _show_samples(corpus_dir: str, num_samples: int) -> None:
  if num_samples < 0:
    raise errors.UserError(f'--samples must be at least 0, got {num_samples}.')
  out = console.Console(highlight=False, markup=False)
  for source in documents.sources(corpus_dir):
    found = documents.read_documents(corpus_dir, source, 'train')
    for item in itertools.islice(found, num_samples):
      lines = item.text.split('\n')
      out.rule(f'{source}: {item.origin} ({item.language})')
      out.print('\n'.join(line[:100] for line in lines[:_SAMPLE_LINES]))
      if len(lines) > _SAMPLE_LINES:
        out.print(f'... {len(lines) - _SAMPLE_LINES} more lines')
