"""Builds or inspects a corpus: typed, filtered, deduplicated documents.

`codelaw corpus build` reads documents as a gin file says (what must be set
is in the file's first comment) and writes them as Parquet, a folder per
source, with the counts in corpus.json. `codelaw corpus inspect` shows those
counts and samples of the documents.
"""

import argparse
import dataclasses

from rich import console

from codelaw import errors
from codelaw.cli import beam_flags
from codelaw.cli import corpus_view
from codelaw.cli import gin_config
from codelaw.cli import progress
from codelaw.corpora import build
from codelaw.corpora import deduplication
from codelaw.corpora import distributed
from codelaw.corpora import documents
from codelaw.corpora import environment
from codelaw.corpora import git_history
from codelaw.corpora import notebooks
from codelaw.corpora import pairing
from codelaw.corpora import parallel_table
from codelaw.corpora import plain_text
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import report
from codelaw.corpora import source_trees
from codelaw.corpora import stack_exchange
from codelaw.corpora import tables
from codelaw.corpora.synthetic import pairs
from codelaw.corpora.synthetic import reader
from codelaw.data import manifest as manifest_lib

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
  beam_flags.add(parser)
  parser.add_argument('--corpus', metavar='DIR', help='inspect: the corpus')
  parser.add_argument(
    '--samples',
    type=int,
    default=1,
    metavar='N',
    help='inspect: documents to show of each source (default 1)',
  )
  parser.add_argument(
    '--source',
    action='append',
    default=[],
    metavar='NAME',
    help='inspect: show samples of this source only; may be given again',
  )
  parser.add_argument(
    '--seed',
    type=int,
    default=0,
    metavar='N',
    help='inspect: of the choice of samples (default 0)',
  )
  parser.add_argument(
    '--shards',
    metavar='DIR',
    help='inspect: shards packed from the corpus, to show tokens',
  )


def run(args: argparse.Namespace) -> None:
  """Runs the verb."""
  if args.action == 'build':
    if args.corpus or args.shards or args.source:
      raise errors.UserError(
        '`codelaw corpus build` writes to --out=DIR (or the folder that the'
        ' gin file names); --corpus, --shards and --source are for inspect.'
      )
    _build(args)
    return
  on_beam = beam_flags.options(args) is not None
  if args.out or on_beam or not args.corpus:
    raise errors.UserError(
      '`codelaw corpus inspect` needs --corpus=DIR, a folder that `codelaw'
      ' corpus build` wrote, and no --out, --beam or --beam_options.'
    )
  gin_config.refuse(args)
  if args.samples < 0:
    raise errors.UserError(f'--samples must be at least 0, got {args.samples}.')
  _inspect(args)


def _build(args: argparse.Namespace) -> None:
  plan = gin_config.load(args, plan_lib.CorpusPlan, PARTS)
  if args.out:
    plan = dataclasses.replace(plan, output_dir=args.out)
  options = beam_flags.options(args)
  with progress.Progress('corpus') as display:
    if options is not None:
      content = distributed.build(plan, options, display)
    else:
      content = build.build(plan, display)
  out = console.Console(highlight=False)
  for part in corpus_view.tables(content, plan.output_dir):
    out.print(part)


def _inspect(args: argparse.Namespace) -> None:
  content = report.read(args.corpus)
  manifest = None
  if args.shards:
    manifest = manifest_lib.read(args.shards)
    if manifest.corpus_fingerprint != content.fingerprint:
      raise errors.UserError(
        f'The shards in {args.shards} were packed from another corpus'
        f' ({manifest.corpus_fingerprint}, this one is {content.fingerprint});'
        ' give the folder that `codelaw cache --corpus` wrote from this one.'
      )
  out = console.Console(highlight=False)
  for part in corpus_view.tables(content, args.corpus, manifest):
    out.print(part)
  for source in args.source or content.sources:
    samples = documents.sample(args.corpus, source, args.samples, args.seed)
    corpus_view.show_samples(samples, out)
