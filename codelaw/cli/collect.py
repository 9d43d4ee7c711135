"""Read run directories into a run table, from their run.json and events."""

import argparse
from collections.abc import Sequence
import os
import sys

import rich
from rich import table as rich_table

from codelaw import errors
from codelaw import storage
from codelaw.cli import gin_config
from codelaw.runs import collect
from codelaw.runs import table as run_table

EXAMPLE = (
  "codelaw collect --runs='results/quickstart/runs/*'"
  ' --out=generated/quickstart_runs.csv'
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


def run(args: argparse.Namespace) -> None:
  """Collects, writes the table and prints what it holds."""
  gin_config.refuse(args)
  notes: list[str] = []
  table = collect.collect(run_folders(args.runs), notes.append)
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


def run_folders(patterns: Sequence[str]) -> list[str]:
  """Run folders that patterns name, each once, in order.

  Raises:
    UserError: when a pattern names no folder.
  """
  found: dict[str, None] = {}
  for pattern in patterns:
    folders = [path for path in _matches(pattern) if path.is_dir()]
    if not folders:
      raise errors.UserError(
        f'--runs={pattern} names no folder; expected run folders, or a folder'
        ' of them.'
      )
    for folder in folders:
      inside = [folder]
      if not (folder / 'run.json').exists() and not (folder / 'eval').exists():
        inside = sorted(p for p in folder.iterdir() if p.is_dir()) or inside
      found.update((os.fspath(path), None) for path in inside)
  return list(found)


def _matches(pattern: str):
  parts = pattern.split('/')
  wild = [i for i, part in enumerate(parts) if set(part) & set('*?[')]
  if not wild:
    return [storage.path(pattern)]
  base = '/'.join(parts[: wild[0]]) or ('/' if pattern[0] == '/' else '.')
  return sorted(storage.path(base).glob('/'.join(parts[wild[0] :])))
