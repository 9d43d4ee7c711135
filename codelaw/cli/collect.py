"""Read run directories into a run table: run.json, events, downstream scores.

Runs of T5X, MaxText, Levanter, Hugging Face's Trainer, Megatron-LM, PyTorch
Lightning and others are known by their tags (codelaw/runs/writers.py). They
have no run.json: what a row needs beyond losses comes from --facts, a CSV or
JSON with run_id, num_params, tokens_per_step (or num_tokens and num_steps),
share/<source> and num_steps, as far as their events do not hold it.
"""

import argparse
import sys

import rich
from rich import table as rich_table

from codelaw.cli import gin_config
from codelaw.cli import progress
from codelaw.runs import collect
from codelaw.runs import folders
from codelaw.runs import run_facts
from codelaw.runs import table as run_table
from codelaw.runs import tag_columns
from codelaw.runs import writers

EXAMPLE = (
  "codelaw collect --runs='results/quickstart/runs/*'"
  ' --out=generated/quickstart_runs.csv --cache=generated/quickstart.cache'
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the verb's flags."""
  parser.add_argument(
    '--runs',
    action='append',
    required=True,
    metavar='DIR',
    help='a run folder, a folder of run folders, or a pattern of either, on a'
    ' disk or in a bucket; repeatable',
  )
  parser.add_argument(
    '--out',
    required=True,
    metavar='FILE',
    help='the run table, .csv or .parquet',
  )
  parser.add_argument(
    '--cache',
    metavar='FILE',
    help='keeps what was read, so that the next time only new events are',
  )
  parser.add_argument(
    '--facts',
    metavar='FILE',
    help='sizes, tokens and shares of runs without run.json, .csv or .json,'
    ' a row per run_id',
  )
  parser.add_argument(
    '--writer',
    choices=(tag_columns.AUTOMATIC, *writers.WRITERS),
    help='which program wrote the runs without run.json (known by their tags'
    ' by default)',
  )
  parser.add_argument(
    '--tag',
    action='append',
    default=[],
    metavar='REGEX=COLUMN:KIND',
    help="a further tag, like 'dev/(?P<name>.+)_ce=loss/{name}:nats_per_token'"
    f' (kinds: {", ".join(writers.KINDS)}); repeatable; in gin,'
    ' TagMapping.rules',
  )
  parser.add_argument(
    '--workers',
    type=int,
    metavar='N',
    help='processes that read (one per core, if that is worth it)',
  )


def run(args: argparse.Namespace) -> None:
  """Collects, writes the table and prints what it holds."""
  overrides = []
  if args.writer:
    overrides.append(f'TagMapping.writer = {args.writer!r}')
  if args.tag:
    overrides.append(f'TagMapping.rules = {args.tag!r}')
  mapping = gin_config.load(args, tag_columns.TagMapping, overrides=overrides)
  facts = run_facts.read(args.facts) if args.facts else {}
  notes: list[str] = []
  with progress.Progress('collect') as show:
    table = collect.collect(
      folders.find(args.runs),
      notes.append,
      facts=facts,
      mapping=mapping,
      cache=args.cache,
      workers=args.workers,
      progress=show,
    )
  run_table.write(args.out, table)
  for note in notes:
    print(f'note: {note}', file=sys.stderr)
  summary = rich_table.Table(title=f'Run table {args.out}')
  for name in ('runs', 'finished', 'rows', 'sources', 'evaluations'):
    summary.add_column(name, justify='right')
  counts = (
    table['run_id'].nunique(),
    table['is_final'].sum(),
    len(table),
    sum(name.startswith('share/') for name in table),
    sum(name.startswith('loss/') for name in table),
  )
  summary.add_row(*(str(count) for count in counts))
  rich.print(summary)
  print(f'Fingerprint {run_table.fingerprint(table)}.')
