"""Writes a study's report: one HTML page, and its figures for TensorBoard.

Shows what the folder of the study holds and leaves out what it does not.
"""

import argparse

from codelaw import storage
from codelaw.reports import contents
from codelaw.reports import html
from codelaw.reports import study_folder
from codelaw.reports import tensorboard

EXAMPLE = 'codelaw report --study=results/quickstart'


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the flags of this verb."""
  parser.add_argument(
    '--study',
    required=True,
    metavar='DIR',
    help='folder that `codelaw study` wrote',
  )
  parser.add_argument(
    '--out', metavar='FILE.html', help='page to write (STUDY/report.html)'
  )
  parser.add_argument(
    '--logdir',
    metavar='DIR',
    help='TensorBoard log directory to add the figures to',
  )


def run(args: argparse.Namespace) -> None:
  """Reads the study, writes the page and the TensorBoard events."""
  page = contents.of_study(study_folder.read(args.study))
  out = args.out or str(storage.path(args.study) / 'report.html')
  storage.write_text(out, html.render(page))
  print(f'Wrote {out}.')
  if args.logdir:
    tensorboard.write(page, args.logdir)
    print(f'Wrote figures; see them with: tensorboard --logdir={args.logdir}')
