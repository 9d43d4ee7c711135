"""Predict losses, with intervals, for the rows of a table from fitted laws.

Each target gets its first fit, which is the best by held-out error after
`codelaw fit --law=all`. Points beyond the range of the fitted runs are
predicted and named.
"""

import argparse
import sys

import rich
from rich import table as rich_table

from codelaw.cli import gin_config
from codelaw.laws import predict
from codelaw.laws import results
from codelaw.runs import table as run_table

EXAMPLE = (
  'codelaw predict --fit=results/quickstart/fits/fit.json'
  ' --points=results/quickstart/runs.csv'
  ' --out=generated/quickstart_predictions.csv'
)
_MAX_PRINTED_ROWS = 10


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the verb's flags."""
  parser.add_argument(
    '--fit', required=True, metavar='FILE', help='fit.json of `codelaw fit`'
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
  run_table.write(args.out, table)
  for note in predict.beyond_ranges(fits, points):
    print(f'note: {note}', file=sys.stderr)
  targets = [
    name.removeprefix('predicted/')
    for name in table
    if name.startswith('predicted/')
  ]
  shown = rich_table.Table(title=f'Predictions {args.out}')
  shown.add_column('run_id')
  for target in targets:
    shown.add_column(target, justify='right')
  for _, row in table.head(_MAX_PRINTED_ROWS).iterrows():
    shown.add_row(
      str(row['run_id']),
      *(
        f'{row[f"predicted/{target}"]:.4f}\n'
        f'{row[f"predicted_low/{target}"]:.4f}'
        f' to {row[f"predicted_high/{target}"]:.4f}'
        for target in targets
      ),
    )
  rich.print(shown)
  if len(table) > _MAX_PRINTED_ROWS:
    print(f'The first {_MAX_PRINTED_ROWS} of {len(table)} rows.')
