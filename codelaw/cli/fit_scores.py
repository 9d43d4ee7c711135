"""How `codelaw fit --law=sigmoid` fits laws of scores and prints them."""

import argparse
import os
import sys

import pandas as pd
import rich
from rich import table as rich_table

from codelaw import errors
from codelaw.laws import fitting
from codelaw.laws import score_fitting
from codelaw.laws import score_law
from codelaw.laws import selection


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the flags that laws of scores alone have."""
  group = parser.add_argument_group(f'laws of scores (--law={score_law.NAME})')
  group.add_argument(
    '--from_loss',
    metavar='COLUMN[=WEIGHT],...',
    help='losses that the score follows, like loss/code/python; of several,'
    ' their weighted mean',
  )
  for name, what in (
    ('floor', 'at great loss: chance'),
    ('ceiling', 'at best'),
  ):
    group.add_argument(
      f'--{name}',
      type=float,
      metavar='SCORE',
      help=f'score {what}, where it is known; found from the runs by default',
    )


def check(args: argparse.Namespace) -> None:
  """Raises `UserError` for flags that do not belong together."""
  of_scores = args.law == score_law.NAME
  others = ('share', 'pool', 'group_by', 'objective', 'huber_delta')
  wrong = others if of_scores else ('from_loss', 'floor', 'ceiling')
  given = [f'--{name}' for name in wrong if getattr(args, name) is not None]
  if given:
    raise errors.UserError(
      f'{" and ".join(given)} {"does" if len(given) == 1 else "do"} not go'
      f' with --law={args.law}.'
    )
  if of_scores and not args.from_loss:
    raise errors.UserError(
      f'--law={score_law.NAME} needs --from_loss, the column of losses that a'
      ' score follows, like --from_loss=loss/code/python.'
    )


def run(
  args: argparse.Namespace, table: pd.DataFrame, settings: fitting.FitSettings
) -> None:
  """Fits, writes DIR/score_fit.json and prints the laws."""
  losses = score_fitting.parse_losses(
    args.from_loss.split(','), selection.targets(table)
  )
  fixed = {
    name: getattr(args, name)
    for name in ('floor', 'ceiling')
    if getattr(args, name) is not None
  }
  found, reasons = [], []
  for target in args.target or selection.scores(table):
    try:
      rows = selection.score_rows(
        table, target, list(losses), only_final=args.only_final == 'true'
      )
      found.append(score_fitting.fit(rows, target, losses, settings, fixed))
    except errors.UserError as error:
      if args.target:
        raise
      reasons.append(str(error))
  for reason in reasons:
    print(f'note: {reason}', file=sys.stderr)
  if not found:
    raise errors.UserError(
      f'{args.runs} allows no law of a score; '
      + (
        'the notes above say why for each.'
        if reasons
        else 'it has no columns score/<task>/<metric>. Evaluate runs with'
        ' `codelaw evaluate` and collect them again.'
      )
    )
  path = os.path.join(args.out, score_law.FILE)
  score_law.write(path, found)
  for law in found:
    _print(law)
  print(f'Wrote {len(found)} law{"s" * (len(found) > 1)} of scores to {path}.')


def _print(law: score_law.ScoreLaw) -> None:
  losses = ' + '.join(
    f'{weight:.3g} {name}' if weight < 1 else name
    for name, weight in law.losses.items()
  )
  shown = rich_table.Table(title=f'{law.target} from {losses}')
  for heading in ('', 'estimate', f'{law.interval_level:.0%} interval'):
    shown.add_column(heading, justify='right' if heading else 'left')
  for name, estimate in law.estimates.items():
    low, high = law.intervals.get(name, (None, None))
    band = '' if low is None else f'{low:.4g} to {high:.4g}'
    shown.add_row(
      name, f'{estimate:.4g}', 'fixed' if name in law.fixed else band
    )
  shown.add_section()
  shown.add_row('runs', str(law.num_runs), '')
  shown.add_row('RMSE', f'{law.diagnostics["rmse"]:.4f}', '')
  shown.add_row('R2', f'{law.diagnostics["r2"]:.4f}', '')
  shown.add_row('scatter of runs', f'{law.run_sd:.4f}', '')
  rich.print(shown)
  for warning in law.diagnostics['warnings']:
    rich.print(f'[bold]{law.target}[/bold]: {warning}.')
