"""Prints a run's exact mixture before anything is spent.

Shows the tokens, sequences and epochs of every source in every stage and the
learning rate's span, from the same gin files as `codelaw train`. Exits with
code 2 when the run would repeat a source more than RunPlan.max_epochs times.
"""

import argparse
import dataclasses

import rich
from rich import table

from codelaw import accounting
from codelaw import records
from codelaw.cli import gin_config
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib

EXAMPLE = (
  'codelaw mixture --gin_file=generated/quickstart_run.gin'
  ' --shards=results/quickstart/shards'
)


@dataclasses.dataclass(frozen=True)
class TrainSettings:
  """The entry of `codelaw train`.

  Attributes:
    plan: the run.
    model_dir: not used here.
  """

  plan: records.RunPlan
  model_dir: str = ''


_PARTS = (
  records.RunPlan,
  records.Schedule,
  records.Stage,
  records.MixtureRates,
  records.OptimizerSettings,
  accounting.ModelShape,
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
  overrides = []
  if args.shards:
    # Bound through the macro, which counts as used in any kind of file.
    overrides = [
      f'SHARDS_DIR = {args.shards!r}',
      'RunPlan.shards_dir = %SHARDS_DIR',
    ]
  plan = gin_config.load(args, TrainSettings, _PARTS, overrides).plan
  manifest = manifest_lib.read(plan.shards_dir)
  schedule = schedule_lib.uncapped(plan, manifest)
  rich.print(
    f'{schedule.num_steps:,} steps of {plan.batch_size:,} x'
    f' {plan.sequence_length:,} tokens; shards {manifest.fingerprint}'
  )
  rich.print(_stages(plan, schedule))
  rich.print(_sources(plan, schedule))
  schedule.check_cap()


def _stages(
  plan: records.RunPlan, schedule: schedule_lib.MixtureSchedule
) -> table.Table:
  warmup = plan.schedule.warmup_fraction
  stages = table.Table(
    'stage',
    title='stages',
    caption=f'learning rates before the warm-up over the first {warmup:.1%}'
    ' of the tokens',
  )
  for heading in ('steps', 'sequences', 'tokens', 'learning rate'):
    stages.add_column(heading, justify='right')
  peak = plan.optimizer.peak_learning_rate
  tokens = schedule.stage_tokens()
  for stage, end in zip(
    plan.schedule.stages, schedule.stage_end_steps.values(), strict=True
  ):
    stages.add_row(
      stage.name,
      f'to {end:,.10g}',
      f'{sum(schedule.planned_sequences()[stage.name].values()):,}',
      f'{sum(tokens[stage.name].values()):,}',
      f'{stage.learning_rate_shape} {stage.start_factor * peak:.4g}'
      f' to {stage.end_factor * peak:.4g}',
    )
  return stages


def _sources(
  plan: records.RunPlan, schedule: schedule_lib.MixtureSchedule
) -> table.Table:
  sources = table.Table(
    'stage',
    'source',
    title=f'sources (at the most {plan.max_epochs:g} epochs)',
  )
  for heading in ('share', 'sequences', 'tokens', 'epochs'):
    sources.add_column(heading, justify='right')
  available = dict(
    zip(schedule.sources, schedule.available_sequences, strict=True)
  )
  whole = dict.fromkeys(schedule.sources, 0)
  tokens = schedule.stage_tokens()

  def add_rows(stage, sequences, stage_tokens):
    total = sum(sequences.values())
    for source, number in sequences.items():
      over = stage == 'all' and source in schedule.over_cap()
      sources.add_row(
        stage,
        source,
        f'{number / total:.4f}' if total else '-',
        f'{number:,}',
        f'{stage_tokens[source]:,}',
        f'{number / available[source]:.3f}' + (' > cap' if over else ''),
      )
    sources.add_section()

  for stage, sequences in schedule.planned_sequences().items():
    add_rows(stage, sequences, tokens[stage])
    whole = {source: whole[source] + sequences[source] for source in whole}
  add_rows('all', whole, schedule.planned_tokens())
  return sources
