"""Writes a report: one HTML page, and its figures for TensorBoard.

Of a study it shows what the folder holds and leaves out what it does not; of
laws that belong to no study, what their fit.json holds (--fit); of a gin file
like papers/paper_a.gin, the analysis that the file names. That of
reports/variants.gin compares variants of training by their scores.
"""

import argparse
import os

from codelaw import errors
from codelaw import storage
from codelaw.cli import gin_config
from codelaw.laws import fitting
from codelaw.planning import allocation
from codelaw.reports import contents
from codelaw.reports import html
from codelaw.reports import layout
from codelaw.reports import plan
from codelaw.reports import study_folder
from codelaw.reports import tensorboard
from codelaw.reports import variants
from codelaw.reports.papers import paper_a
from codelaw.reports.papers import paper_b
from codelaw.runs import table as run_table

EXAMPLE = 'codelaw report --study=results/quickstart'
PARTS = (
  paper_a.PaperA,
  paper_b.PaperB,
  variants.VariantReport,
  fitting.FitSettings,
  allocation.AllocationSettings,
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the flags of this verb."""
  parser.add_argument(
    '--study',
    metavar='DIR',
    help='folder that `codelaw study` wrote; or give --fit, or a --gin_file'
    ' that binds ReportPlan, like gin_configs/papers/paper_a.gin',
  )
  parser.add_argument(
    '--fit',
    metavar='FILE',
    help='fit.json of `codelaw fit`: laws without a study',
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
    help='page to write (report.html in the study, or beside fit.json);'
    ' needed with a gin file',
  )
  parser.add_argument(
    '--logdir',
    metavar='DIR',
    help='TensorBoard log directory to add the figures to',
  )


def run(args: argparse.Namespace) -> None:
  """Makes the page, writes it and the TensorBoard events."""
  page = _page(args)
  folder = args.study or os.path.dirname(args.fit or '')
  out = args.out or os.path.join(folder, 'report.html')
  storage.write_text(out, html.render(page))
  print(f'Wrote {out}.')
  if args.logdir:
    tensorboard.write(page, args.logdir)
    print(f'Wrote figures; see them with: tensorboard --logdir={args.logdir}')


def _page(args: argparse.Namespace) -> layout.Page:
  ways = [
    f'--{name}' for name in ('study', 'fit', 'gin_file') if getattr(args, name)
  ]
  if len(ways) != 1:
    raise errors.UserError(
      'A report is of a study (--study=DIR), of laws alone (--fit=FILE) or of'
      ' an analysis that a gin file names (--gin_file, like'
      f' papers/paper_a.gin); got {" and ".join(ways) or "neither"}.'
    )
  alone = ('runs', 'columns', 'group_by', 'allocation')
  given = [f'--{name}' for name in alone if getattr(args, name)]
  if given and not args.fit:
    raise errors.UserError(
      f'{" and ".join(given)} belongs to laws alone, to be given with'
      f' --fit=FILE; got {ways[0]}.'
    )
  if args.gin_file:
    if not args.out:
      raise errors.UserError(
        'A report from a gin file needs --out=FILE.html, the page to write.'
      )
    return gin_config.load(args, plan.ReportPlan, PARTS).analysis.page()
  gin_config.refuse(args)
  if args.study:
    return contents.of_study(study_folder.read(args.study))
  columns = run_table.parse_columns(args.columns) if args.columns else None
  return contents.of_study(
    study_folder.of_files(
      args.fit,
      table=run_table.read(args.runs, columns) if args.runs else None,
      allocation=args.allocation,
      group_column=args.group_by,
    )
  )
