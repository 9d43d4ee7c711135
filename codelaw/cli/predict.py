"""Predict losses and scores, with intervals, for the rows of a table.

Each target gets its first fit, which is the best by held-out error after
`codelaw fit --law=all`. Intervals hold what is not known of the laws, not the
noise of a single run. Points beyond the range of the fitted runs are
predicted and named. With --score_fit it predicts scores of tasks too, whose
intervals hold what is not known of both laws.
"""

import argparse
from collections.abc import Iterator
from collections.abc import Sequence
import sys

import pandas as pd
import rich
from rich import table as rich_table

from codelaw.cli import gin_config
from codelaw.laws import forms
from codelaw.laws import predict
from codelaw.laws import results
from codelaw.laws import score_law
from codelaw.laws import score_predict
from codelaw.runs import table as run_table

EXAMPLE = (
  'codelaw predict --fit=results/quickstart/fits/fit.json'
  ' --points=results/quickstart/runs.csv'
  ' --out=generated/quickstart_predictions.csv'
)
_MAX_PRINTED = 20
_SHARE_TOLERANCE = 0.01


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the verb's flags."""
  parser.add_argument(
    '--fit', required=True, metavar='FILE', help='fit.json of `codelaw fit`'
  )
  parser.add_argument(
    '--score_fit',
    metavar='FILE',
    help='score_fit.json of `codelaw fit --law=sigmoid`, to predict scores',
  )
  parser.add_argument(
    '--points',
    required=True,
    metavar='TABLE',
    help='CSV or Parquet with num_params, num_tokens and, for mixture laws,'
    ' share/<source> (0 where missing)',
  )
  parser.add_argument(
    '--columns',
    metavar='WANTED:GIVEN*FACTOR,...',
    help='names and units of the columns, as in `codelaw fit`',
  )
  parser.add_argument(
    '--group_by',
    metavar='COLUMN',
    help='column of the points that names the group of a fit',
  )
  parser.add_argument(
    '--interval',
    choices=predict.INTERVALS,
    default='mean',
    help="of the law's mean (default), or of the loss of one new run",
  )
  parser.add_argument(
    '--out', required=True, metavar='FILE', help='.csv or .parquet to write'
  )


def run(args: argparse.Namespace) -> None:
  """Predicts, writes the table and prints its first rows."""
  gin_config.refuse(args)
  fits = results.read(args.fit)
  columns = run_table.parse_columns(args.columns) if args.columns else None
  points = run_table.read(args.points, columns)
  table = predict.predict(fits, points, args.group_by, args.interval)
  notes: list[str] = []
  if args.score_fit:
    laws = score_law.read(args.score_fit)
    table, notes = score_predict.add(table, fits, laws, args.interval)
  run_table.write(args.out, table)
  for note in (
    *predict.beyond_ranges(fits, points),
    *_doubts(fits, points, table),
    *notes,
  ):
    print(f'note: {note}', file=sys.stderr)
  _print(table, fits[0].interval_level, args.out)


def _doubts(
  fits: Sequence[results.Fit], points: pd.DataFrame, table: pd.DataFrame
) -> Iterator[str]:
  """Yields what the points have that the laws do not know."""
  for target in _targets(table):
    missing = int(table[f'predicted/{target}'].isna().sum())
    if missing:
      yield (
        f'{missing} of {len(table)} points have no prediction of {target}:'
        ' their group has no fit.'
      )
  laws = [forms.law_of(fit) for fit in fits]
  shares = sorted(
    {c for law in laws for c in law.columns if c.startswith('share/')}
  )
  if shares:
    known = [name for name in shares if name in points]
    off = (points[known].fillna(0).sum(axis=1) - 1).abs() > _SHARE_TOLERANCE
    if off.any():
      others = [
        name
        for name in points
        if name.startswith('share/') and name not in shares
      ]
      unknown = f' They do not know {", ".join(others)}.' if others else ''
      yield (
        f'In {off.sum()} of {len(points)} points the shares of the sources of'
        f' these laws do not sum to 1.{unknown}'
      )
  fixed = sorted({law.name for law in laws if 'num_params' not in law.columns})
  if fixed and 'num_params' in points:
    yield (
      f'The law {", ".join(fixed)} knows neither size nor tokens: it holds at'
      ' those of the runs it was fitted to.'
    )


def _targets(table: pd.DataFrame) -> list[str]:
  return [
    name.removeprefix('predicted/')
    for name in table
    if name.startswith('predicted/')
  ]


def _print(table: pd.DataFrame, level: float, where: str) -> None:
  targets = _targets(table)
  shown = rich_table.Table(title=f'Predictions {where}')
  for heading in ('run_id', 'target'):
    shown.add_column(heading, overflow='fold')
  for heading in ('predicted', f'{level:.0%} interval'):
    shown.add_column(heading, justify='right')
  count = min(len(table), max(1, _MAX_PRINTED // max(1, len(targets))))
  for _, row in table.head(count).iterrows():
    for target in targets:
      value, low, high = (
        row[f'{name}/{target}']
        for name in ('predicted', 'predicted_low', 'predicted_high')
      )
      shown.add_row(
        str(row['run_id']),
        target,
        '' if pd.isna(value) else f'{value:.4f}',
        '' if pd.isna(low) else f'{low:.4f} to {high:.4f}',
      )
  rich.print(shown)
  if len(table) > count:
    print(f'The first {count} of {len(table)} points.')
