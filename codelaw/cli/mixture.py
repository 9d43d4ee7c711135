"""Prints a run's exact mixture before anything is spent.

Shows the tokens, sequences and epochs of every source in every stage and the
learning rate's span, from the same gin files as `codelaw train`. Exits with
code 2 when the run would repeat a source more than RunPlan.max_epochs times.
"""

import argparse

import rich
from rich import box
from rich import table

from codelaw import records
from codelaw.cli import gin_config
from codelaw.cli import train
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib

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
  print(
    f'{schedule.num_steps:,} steps of {plan.batch_size:,} x'
    f' {plan.sequence_length:,} tokens; shards {manifest.fingerprint}'
  )
  rich.print(_stages(plan, schedule))
  rich.print(_sources(plan, schedule))
  schedule.check_cap()


def _stages(
  plan: records.RunPlan, schedule: schedule_lib.MixtureSchedule
) -> table.Table:
  """One row per stage: where it ends, what it holds, its learning rate."""
  stages = table.Table(
    'stage',
    title='stages',
    caption=f'warm-up: first {plan.schedule.warmup_fraction:.1%} of the tokens',
    box=box.SIMPLE,
  )
  for heading in ('until step', 'sequences', 'tokens', 'learning rate'):
    stages.add_column(heading, justify='right')
  peak = plan.optimizer.peak_learning_rate
  sequences, tokens = schedule.planned_sequences(), schedule.stage_tokens()
  for stage in plan.schedule.stages:
    span = f'{stage.learning_rate_shape} {stage.start_factor * peak:.4g}'
    if stage.end_factor != stage.start_factor:
      span += f' to {stage.end_factor * peak:.4g}'
    stages.add_row(
      stage.name,
      f'{schedule.stage_end_steps[stage.name]:,.10g}',
      f'{sum(sequences[stage.name].values()):,}',
      f'{sum(tokens[stage.name].values()):,}',
      span,
    )
  return stages


def _sources(
  plan: records.RunPlan, schedule: schedule_lib.MixtureSchedule
) -> table.Table:
  """One row per stage and source, then per source of the whole run."""
  rows = table.Table(
    'stage',
    'source',
    title=f'sources (each at the most {plan.max_epochs:g} epochs)',
    box=box.SIMPLE,
  )
  for heading in ('share', 'sequences', 'tokens', 'epochs'):
    rows.add_column(heading, justify='right')
  available = dict(
    zip(schedule.sources, schedule.available_sequences, strict=True)
  )
  sequences, tokens = schedule.planned_sequences(), schedule.stage_tokens()
  sequences['whole run'] = {
    source: sum(stage[source] for stage in sequences.values())
    for source in schedule.sources
  }
  tokens['whole run'] = schedule.planned_tokens()
  for stage, numbers in sequences.items():
    total = sum(numbers.values())
    refused = schedule.over_cap() if stage == 'whole run' else {}
    for source, number in numbers.items():
      rows.add_row(
        stage,
        source,
        f'{number / total:.4f}' if total else '-',
        f'{number:,}',
        f'{tokens[stage][source]:,}',
        f'{number / available[source]:.3f}'
        + (' > cap' if source in refused else ''),
      )
    rows.add_section()
  return rows
