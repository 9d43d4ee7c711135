"""Compile a run's train step for a TPU slice, on a machine without a TPU.

Takes the gin files of `codelaw train`; needs no shards. Shows parameters,
memory of a chip by kind, collectives, the shortest time a step can take and
by what, and what the run costs. Exits with 1 when it does not fit, and then
names the nearest change with which it would.
"""

import argparse

from rich import console as rich_console

from codelaw import accounting
from codelaw import records
from codelaw import storage
from codelaw.cli import gin_config
from codelaw.cli import progress as progress_lib
from codelaw.cli import train
from codelaw.train import topology as topology_lib

EXAMPLE = (
  'codelaw compile --gin_file=pods/sequential_94m_v5e_16.gin --topology=v5e:4x4'
)
_FILE_WIDTH = 100  # of what is not shown on a terminal


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds this verb's flags."""
  parser.add_argument(
    '--topology',
    required=True,
    metavar='v5e:RxC',
    help=f'slice to compile for: {", ".join(topology_lib.TOPOLOGIES)}',
  )
  parser.add_argument(
    '--dollars_per_chip_hour',
    type=float,
    default=accounting.DOLLARS_PER_CHIP_HOUR,
    metavar='PRICE',
    help=(
      f'default {accounting.DOLLARS_PER_CHIP_HOUR:.2f}: list price of v5e'
      ' on demand in US regions, 2025; check yours'
    ),
  )
  parser.add_argument(
    '--out', metavar='FILE', help='also write the report as JSON'
  )


def settings(
  args: argparse.Namespace,
) -> train.TrainSettings:
  """The run of the gin files; shards and run directory may be open."""
  return gin_config.load(
    args,
    train.TrainSettings,
    train.PARTS,
    [
      "MODEL_DIR = 'none'",
      'TrainSettings.model_dir = %MODEL_DIR',
      "SHARDS_DIR = 'none'",
      'RunPlan.shards_dir = %SHARDS_DIR',
    ],
  )


def run(args: argparse.Namespace) -> int:
  """Compiles, shows, and returns 0 if it fits, else 1."""
  topology_lib.check(args.topology)
  run_settings = settings(args)
  topology_lib.prepare()
  # These import JAX, which reads what `prepare` sets.
  from codelaw.cli import compile_view
  from codelaw.train import ahead_of_time

  plan, execution = run_settings.plan, run_settings.execution
  out = rich_console.Console(highlight=False, soft_wrap=True)
  if not out.is_terminal:
    out.width = max(out.width, _FILE_WIDTH)
  change = None
  with progress_lib.Progress('compile') as display:
    display.note(f'{args.topology}, which takes up to a minute or two')
    report = ahead_of_time.compile_step(plan, execution, args.topology)
    display.note(f'took {report.compile_seconds:.0f} s')
    if not report.fits:
      change = ahead_of_time.nearest_fit(
        plan, execution, args.topology, display.note
      )
  compile_view.show(report, args.dollars_per_chip_hour, out)
  if not report.fits:
    compile_view.show_change(change, out)
  if args.out:
    content = compile_view.as_json(report, args.dollars_per_chip_hour)
    content['plan'] = records.to_json(plan)
    content['nearest_change'] = change[0] if change else None
    storage.write_json(storage.path(args.out), content)
  return 0 if report.fits else 1
