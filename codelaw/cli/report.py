"""Writes a report: one HTML page, and its figures for TensorBoard.

Of a study it shows what the folder holds and leaves out what it does not; of
a gin file like papers/paper_a.gin, the analysis that the file names.
"""

import argparse

from codelaw import errors
from codelaw import storage
from codelaw.cli import gin_config
from codelaw.laws import fitting
from codelaw.planning import allocation
from codelaw.reports import contents
from codelaw.reports import html
from codelaw.reports import study_folder
from codelaw.reports import tensorboard
from codelaw.reports.papers import paper_a
from codelaw.reports.papers import paper_b
from codelaw.reports.papers import plan

EXAMPLE = 'codelaw report --study=results/quickstart'
PARTS = (
  paper_a.PaperA,
  paper_b.PaperB,
  fitting.FitSettings,
  allocation.AllocationSettings,
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the flags of this verb."""
  parser.add_argument(
    '--study',
    metavar='DIR',
    help='folder that `codelaw study` wrote; or give a --gin_file that binds'
    ' ReportPlan, like gin_configs/papers/paper_a.gin',
  )
  parser.add_argument(
    '--out',
    metavar='FILE.html',
    help='page to write (STUDY/report.html); needed with a gin file',
  )
  parser.add_argument(
    '--logdir',
    metavar='DIR',
    help='TensorBoard log directory to add the figures to',
  )


def run(args: argparse.Namespace) -> None:
  """Makes the page, writes it and the TensorBoard events."""
  if bool(args.study) == bool(args.gin_file):
    raise errors.UserError(
      'Give either --study=DIR, the folder of a study, or a --gin_file that'
      ' names an analysis, like gin_configs/papers/paper_a.gin; got'
      f' {"both" if args.study else "neither"}.'
    )
  if args.study:
    gin_config.refuse(args)
    page = contents.of_study(study_folder.read(args.study))
    out = args.out or str(storage.path(args.study) / 'report.html')
  else:
    if not args.out:
      raise errors.UserError(
        'A report from a gin file needs --out=FILE.html, the page to write.'
      )
    page = gin_config.load(args, plan.ReportPlan, PARTS).analysis.page()
    out = args.out
  storage.write_text(out, html.render(page))
  print(f'Wrote {out}.')
  if args.logdir:
    tensorboard.write(page, args.logdir)
    print(f'Wrote figures; see them with: tensorboard --logdir={args.logdir}')
