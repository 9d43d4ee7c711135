"""The flags of verbs that can run on Apache Beam."""

import argparse
import shlex


def add(parser: argparse.ArgumentParser) -> None:
  """Adds --beam and --beam_options."""
  parser.add_argument(
    '--beam',
    action='store_true',
    help='work on Apache Beam instead of in this process',
  )
  parser.add_argument(
    '--beam_options',
    metavar='FLAGS',
    help="options of Apache Beam, like '--direct_num_workers=8"
    " --direct_running_mode=multi_processing' or '--runner=DataflowRunner"
    " --project=NAME'; implies --beam",
  )


def options(args: argparse.Namespace) -> list[str] | None:
  """The options of Beam that were given, or None to work without it.

  >>> options(argparse.Namespace(beam=False, beam_options='--a=1 --b'))
  ['--a=1', '--b']
  """
  if args.beam_options is not None:
    return shlex.split(args.beam_options)
  return [] if args.beam else None
