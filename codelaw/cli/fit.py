"""Fit scaling laws to a run table, with intervals and diagnostics.

Laws of one stream (chinchilla, kaplan, data_repeated, data_constrained) are
fitted to the runs on the target's own source alone; mixture laws (transfer,
additive, joint, exponential, bimix, paper_a) to all runs. `--law=all` fits
every applicable law to the same rows and orders them by held-out error. A gin
file with the line `import MODULE` adds the laws that a Python module registers.

`--share` gives parameters one value for all targets and groups; `--pool` draws
them towards a common mean, the more the less the runs say about each.

`--law=sigmoid --from_loss=loss/code/python` fits laws of scores to the columns
score/<task>/<metric>, into DIR/score_fit.json: what `codelaw predict` and
`codelaw allocate` chain behind laws of that loss (--score_fit).
"""

import argparse
from collections.abc import Callable
from collections.abc import Sequence
import os
import sys
from typing import Any

import pandas as pd
import rich
from rich import console as rich_console
from rich import table as rich_table

from codelaw import compilation_cache
from codelaw import errors
from codelaw.cli import fit_scores
from codelaw.cli import gin_config
from codelaw.laws import comparison
from codelaw.laws import fitting
from codelaw.laws import forms
from codelaw.laws import pooling
from codelaw.laws import results
from codelaw.laws import score_law
from codelaw.laws import selection
from codelaw.laws import solver
from codelaw.runs import table as run_table

EXAMPLE = (
  'codelaw fit --runs=results/quickstart/runs.csv --law=chinchilla'
  ' --out=generated/quickstart_fits'
)
_WIDTH_WITHOUT_TERMINAL = 100
_COLUMN_WIDTH = 23
_LABEL_WIDTH = 24
_HELD_OUT = 'held_out_mean_relative_error'


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the verb's flags."""
  parser.add_argument(
    '--runs',
    required=True,
    metavar='TABLE',
    help='run table, .csv or .parquet; or ratios.csv,metrics.csv',
  )
  parser.add_argument(
    '--law',
    required=True,
    metavar='NAME',
    help=f'one of {", ".join(forms.NAMES)}, a law of your own, all, or'
    f' {score_law.NAME} for scores',
  )
  parser.add_argument(
    '--out', required=True, metavar='DIR', help='folder for fit.json'
  )
  parser.add_argument(
    '--target',
    action='append',
    default=[],
    metavar='COLUMN',
    help='column of losses, like loss/code/python, or of scores; repeatable;'
    ' all by default',
  )
  for flag, what in (
    ('--share', 'parameters with one value for all targets and groups'),
    ('--pool', 'parameters drawn to a mean, the more the fewer the runs'),
  ):
    parser.add_argument(
      flag,
      metavar='NAME,...',
      help=f'{what}, like alpha,beta',
    )
  parser.add_argument(
    '--group_by',
    metavar='COLUMN',
    help='fit once per value of this column, like language',
  )
  parser.add_argument(
    '--columns',
    metavar='WANTED:GIVEN*FACTOR,...',
    help='names and units of the columns, like'
    ' num_params:params_billions*1e9,loss:loss_nats_per_token',
  )
  parser.add_argument(
    '--filter',
    action='append',
    default=[],
    metavar='COLUMN=VALUE',
    help='keep rows that meet it (=, !=, <, >, <=, >=); repeatable',
  )
  parser.add_argument(
    '--only_final',
    choices=('true', 'false'),
    default='true',
    help='leave out evaluations before the end of a run (default true)',
  )
  parser.add_argument(
    '--objective',
    choices=solver.OBJECTIVES,
    help='Huber on the log loss (default), squares on the loss, or the Huber'
    ' penalty with leniency for runs above the law',
  )
  parser.add_argument(
    '--huber_delta', type=float, help='where the Huber penalty turns linear'
  )
  fit_scores.add_flags(parser)


def run(args: argparse.Namespace) -> None:
  """Fits, writes DIR/fit.json and prints the fits."""
  fit_scores.check(args)
  compilation_cache.enable()
  overrides = [
    f'FitSettings.{name} = {value!r}'
    for name in ('objective', 'huber_delta')
    if (value := getattr(args, name)) is not None
  ]
  settings = gin_config.load(args, fitting.FitSettings, overrides=overrides)
  columns = run_table.parse_columns(args.columns) if args.columns else None
  table = selection.keep(run_table.read(args.runs, columns), args.filter)
  if args.law == score_law.NAME:
    fit_scores.run(args, table, settings)
    return
  if args.law != 'all':
    forms.check_name(args.law)
  shared, partial = _names(args.share), _names(args.pool)
  if args.law == 'all' and (shared or partial):
    raise errors.UserError(
      '--share and --pool need one law for all targets; got --law=all.'
    )
  notes: list[str] = []
  with rich_console.Console(stderr=True).status('Fitting') as status:
    if shared or partial:
      chosen = _members(args, table, notes)
      fits = pooling.fit(chosen, shared, partial, settings)
    else:
      fits = _separate(args, table, settings, notes, status.update)
  for note in notes:
    print(f'note: {note}', file=sys.stderr)
  if not fits:
    raise errors.UserError(
      f'{args.runs} allows no fit of {args.law}; the notes above say why for'
      ' each target.'
    )
  path = os.path.join(args.out, 'fit.json')
  results.write(path, fits)
  _print(fits)
  print(f'Wrote {len(fits)} fit{"s" if len(fits) > 1 else ""} to {path}.')


def _separate(
  args: argparse.Namespace,
  table: pd.DataFrame,
  settings: fitting.FitSettings,
  notes: list[str],
  show: Callable[[str], None],
) -> list[results.Fit]:
  fits = []
  for group, rows in _groups(table, args.group_by):
    for target in args.target or selection.targets(table):
      show(f'Fitting {args.law} to {target} {group}')
      try:
        fits += _fit(args, rows, target, settings, group, notes)
      except errors.UserError as error:
        if args.target:
          raise
        notes.append(str(error))
  return fits


def _members(
  args: argparse.Namespace, table: pd.DataFrame, notes: list[str]
) -> list[pooling.Member]:
  """All targets and groups that the law can have, for one fit together."""
  members = []
  for group, rows in _groups(table, args.group_by):
    for target in args.target or selection.targets(table):
      try:
        law, chosen = selection.select(
          args.law, rows, target, only_final=args.only_final == 'true'
        )
      except errors.UserError as error:
        if args.target:
          raise
        notes.append(str(error))
        continue
      members.append(pooling.Member(law, chosen, target, group))
  return members


def _names(text: str | None) -> list[str]:
  return [part.strip() for part in (text or '').split(',') if part.strip()]


def _fit(
  args: argparse.Namespace,
  table: pd.DataFrame,
  target: str,
  settings: fitting.FitSettings,
  group: str,
  notes: list[str],
) -> list[results.Fit]:
  only_final = args.only_final == 'true'
  if args.law == 'all':
    return comparison.compare(
      table,
      target,
      settings,
      group=group,
      only_final=only_final,
      report=notes.append,
    )
  law, rows = selection.select(args.law, table, target, only_final=only_final)
  return [fitting.fit(law, rows, target, settings, group)]


def _groups(
  table: pd.DataFrame, column: str | None
) -> list[tuple[str, pd.DataFrame]]:
  if column is None:
    return [('', table)]
  if column not in table:
    raise errors.UserError(
      f'--group_by={column} is no column of the table, which has'
      f' {", ".join(table.columns)}.'
    )
  return [(str(value), rows) for value, rows in table.groupby(column)]


def _print(fits: Sequence[results.Fit]) -> None:
  console = rich.get_console()
  if not console.is_terminal:
    console = rich_console.Console(width=_WIDTH_WITHOUT_TERMINAL)
  for name in dict.fromkeys(fit.law for fit in fits):
    chosen = [fit for fit in fits if fit.law == name]
    at_once = max(1, (console.width - _LABEL_WIDTH) // _COLUMN_WIDTH)
    for first in range(0, len(chosen), at_once):
      console.print(_table(name, chosen[first : first + at_once]))
  ranked: dict[str, list[str]] = {}
  for fit in fits:
    if _HELD_OUT in fit.diagnostics:
      ranked.setdefault(_label(fit), []).append(_ranked(fit))
  for label, laws in ranked.items():
    console.print(f'[bold]{label}[/bold] by held-out error: {", ".join(laws)}')
  # Of a comparison the first law of each target is the one that is used.
  shown: dict[str | int, results.Fit] = {}
  for fit in fits:
    place = _label(fit) if _HELD_OUT in fit.diagnostics else id(fit)
    shown.setdefault(place, fit)
  for fit in shown.values():
    for warning in fit.diagnostics['warnings']:
      console.print(f'[bold]{_label(fit)}[/bold] ({fit.law}): {warning}.')


def _ranked(fit: results.Fit) -> str:
  """A law's held-out error, and what the runs say of its place."""
  text = f'{fit.law} {fit.diagnostics[_HELD_OUT]:.2%}'
  apart = fit.diagnostics.get('held_out_difference')
  if apart is None:
    return text
  return (
    f'{text} ({apart["mean"]:+.2%}, {apart["low"]:+.2%} to'
    f' {apart["high"]:+.2%})'
  )


def _label(fit: results.Fit) -> str:
  if fit.group and fit.target == 'loss':
    return fit.group
  return f'{fit.target} {fit.group}'.strip().removeprefix('loss/')


def _followed(fit: results.Fit) -> str:
  """How many starts were followed to the end, and of how many."""
  followed = fit.diagnostics.get('num_starts_followed', fit.num_starts)
  if followed == fit.num_starts:
    return f'{fit.num_starts}'
  return f'{followed} of {fit.num_starts}'


def _table(name: str, fits: Sequence[results.Fit]) -> rich_table.Table:
  """Estimates over their intervals, then quality; a column per fit."""
  level = f'{fits[0].interval_level:.0%} intervals'
  if any(fit.diagnostics.get('profile_intervals') for fit in fits):
    level += ', from the bootstrap and from the profile'
  table = rich_table.Table(title=f'{name}: estimates and {level}')
  table.add_column('', no_wrap=True)
  for fit in fits:
    table.add_column(_label(fit), justify='right', overflow='fold')
  for parameter in dict.fromkeys(p for fit in fits for p in fit.estimates):
    table.add_row(parameter, *(_estimate(fit, parameter) for fit in fits))
  table.add_section()
  table.add_row('points', *(str(fit.num_points) for fit in fits))
  table.add_row(
    'starts at optimum',
    *(f'{fit.num_starts_at_optimum}/{_followed(fit)}' for fit in fits),
  )
  table.add_row('ended by', *(fit.termination for fit in fits))
  for label, key, show in (
    ('RMSE', 'rmse', '{:.4f}'),
    ('R2', 'r2', '{:.4f}'),
    ('relative error', 'mean_relative_error', '{:.2%}'),
    ('largest N left out', 'extrapolation/num_params', '{:.2%}'),
    ('largest D left out', 'extrapolation/num_tokens', '{:.2%}'),
    ('largest compute left out', 'extrapolation/compute', '{:.2%}'),
    ('held-out mixtures', 'held_out/mixtures', '{:.2%}'),
    ('held out', _HELD_OUT, '{:.2%}'),
    ('condition number', 'condition_number', '{:.0f}'),
  ):
    values = [_diagnostic(fit, key) for fit in fits]
    if any(value is not None for value in values):
      table.add_row(
        label, *('-' if v is None else show.format(v) for v in values)
      )
  return table


def _diagnostic(fit: results.Fit, key: str) -> float | None:
  value: Any = fit.diagnostics
  for part in key.split('/'):
    value = (value or {}).get(part)
  return value


def _estimate(fit: results.Fit, parameter: str) -> str:
  if parameter not in fit.estimates:
    return ''
  text = f'{fit.estimates[parameter]:.4g}'
  profiles = fit.diagnostics.get('profile_intervals') or {}
  for intervals in (fit.intervals, profiles):
    if parameter in intervals:
      low, high = (
        'open' if end is None else f'{end:.3g}' for end in intervals[parameter]
      )
      text += f'\n{low} to {high}'
  return text
