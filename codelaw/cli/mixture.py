"""Prints a run's exact mixture before anything is spent, or a chain's.

Shows the share, sequences, tokens and epochs of every source in every stage
and the learning rate's span, from the same gin files as `codelaw train`. Exits
with code 2 when the run would repeat a source more often than it may.
"""

import argparse
from collections.abc import Sequence

from rich import console

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
  # so that those of the files count as used.
  overrides = [
    "MODEL_DIR = 'none'",
    'TrainSettings.model_dir = %MODEL_DIR',
  ]
  if args.shards:
    overrides += [
      f'SHARDS_DIR = {args.shards!r}',
      'RunPlan.shards_dir = %SHARDS_DIR',
    ]
  runs = train.load(args, overrides)
  out = console.Console(highlight=False)
  if not out.is_terminal:
    out.width = max(out.width, _FILE_WIDTH)
  checked = _checked(runs)
  for settings, found in zip(runs, checked, strict=True):
    if len(runs) > 1:
      out.print(f'\n{settings.model_dir}', style='bold', markup=False)
    mixture_view.show(settings.plan, found, out)
  for found in checked:
    found.schedule.check_cap()


def _checked(runs: Sequence[train.TrainSettings]) -> list[mixture_view.Shown]:
  if all(settings.plan.initial is None for settings in runs):
    plans = [settings.plan for settings in runs]
    manifests = [manifest_lib.read(plan.shards_dir) for plan in plans]
    return [
      mixture_view.Shown(manifest, schedule_lib.uncapped(plan, manifest))
      for plan, manifest in zip(plans, manifests, strict=True)
    ]
  return [
    mixture_view.Shown(
      found.manifest, found.schedule, found.record, found.notes
    )
    for found in train.check(runs, capped=False)
  ]
