"""Prints a run's exact mixture before anything is spent.

Shows the share, sequences, tokens and epochs of every source in every stage
and the learning rate's span, from the same gin files as `codelaw train`. Exits
with code 2 when the run would repeat a source more often than it may.
"""

import argparse

from rich import console

from codelaw.cli import gin_config
from codelaw.cli import mixture_view
from codelaw.cli import train
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib

_FILE_WIDTH = 160  # of what is not shown on a terminal

EXAMPLE = (
  'codelaw mixture --gin_file=runs/quickstart_uniform.gin'
  ' --shards=results/quickstart/shards'
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds this verb's flags."""
  parser.add_argument(
    '--shards',
    metavar='DIR',
    help='folder that `codelaw cache` wrote; wins over SHARDS_DIR',
  )


def run(args: argparse.Namespace) -> None:
  """Shows the schedule, then refuses it where training would."""
  # No run is written, so MODEL_DIR may be open. Bindings go through the macros,
  # which then count as used whether or not the files have them.
  overrides = [
    "MODEL_DIR = 'none'",
    'TrainSettings.model_dir = %MODEL_DIR',
  ]
  if args.shards:
    overrides += [
      f'SHARDS_DIR = {args.shards!r}',
      'RunPlan.shards_dir = %SHARDS_DIR',
    ]
  settings = gin_config.load(args, train.TrainSettings, train.PARTS, overrides)
  plan = settings.plan
  manifest = manifest_lib.read(plan.shards_dir)
  schedule = schedule_lib.uncapped(plan, manifest)
  out = console.Console(highlight=False)
  if not out.is_terminal:
    out.width = max(out.width, _FILE_WIDTH)
  mixture_view.show(plan, manifest, schedule, out)
  schedule.check_cap()
