"""Writes a study's report: one HTML page, and its figures for TensorBoard.

Shows what the folder of the study holds and leaves out what it does not.
Laws that belong to no study are reported from their fit.json, with --fit.
"""

import argparse
import os

from codelaw import errors
from codelaw import storage
from codelaw.reports import contents
from codelaw.reports import html
from codelaw.reports import study_folder
from codelaw.reports import tensorboard
from codelaw.runs import table as run_table

EXAMPLE = 'codelaw report --study=results/quickstart'


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the flags of this verb."""
  parser.add_argument(
    '--study', metavar='DIR', help='folder that `codelaw study` wrote'
  )
  parser.add_argument(
    '--fit', metavar='FILE', help='fit.json of `codelaw fit`, without a study'
  )
  parser.add_argument(
    '--runs', metavar='TABLE', help='with --fit: the table it was fitted to'
  )
  parser.add_argument(
    '--columns',
    metavar='WANTED:GIVEN*FACTOR,...',
    help='names and units of the columns of TABLE, as in `codelaw fit`',
  )
  parser.add_argument(
    '--group_by', metavar='COLUMN', help='of TABLE, as in `codelaw fit`'
  )
  parser.add_argument(
    '--allocation',
    metavar='FILE.json',
    help='with --fit: what `codelaw allocate` chose with it',
  )
  parser.add_argument(
    '--out',
    metavar='FILE.html',
    help='page to write (report.html in the study, or beside fit.json)',
  )
  parser.add_argument(
    '--logdir',
    metavar='DIR',
    help='TensorBoard log directory to add the figures to',
  )


def run(args: argparse.Namespace) -> None:
  """Reads the study, writes the page and the TensorBoard events."""
  page = contents.of_study(_study(args))
  folder = args.study or os.path.dirname(args.fit)
  out = args.out or os.path.join(folder, 'report.html')
  storage.write_text(out, html.render(page))
  print(f'Wrote {out}.')
  if args.logdir:
    tensorboard.write(page, args.logdir)
    print(f'Wrote figures; see them with: tensorboard --logdir={args.logdir}')


def _study(args: argparse.Namespace) -> study_folder.Study:
  alone = ('runs', 'columns', 'group_by', 'allocation')
  given = [
    f'--{name}' for name in ('study', 'fit', *alone) if getattr(args, name)
  ]
  if bool(args.study) == bool(args.fit) or (args.study and len(given) > 1):
    raise errors.UserError(
      'A report is of a study (--study=DIR) or of laws alone (--fit=FILE,'
      ' perhaps with --runs, --columns, --group_by and --allocation); got'
      f' {" and ".join(given) or "neither"}.'
    )
  if args.study:
    return study_folder.read(args.study)
  columns = run_table.parse_columns(args.columns) if args.columns else None
  return study_folder.of_files(
    args.fit,
    table=run_table.read(args.runs, columns) if args.runs else None,
    allocation=args.allocation,
    group_column=args.group_by,
  )
