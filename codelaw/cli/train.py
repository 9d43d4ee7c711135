"""Train one run from gin: exact token counts, resumable, TensorBoard events.

The gin files must bind `TrainSettings.plan` and `TrainSettings.model_dir`;
gin_configs/runs/pretrain.gin does. A finished run is skipped, an interrupted
one goes on from its last checkpoint.
"""

import argparse
import dataclasses

from codelaw import accounting
from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import records
from codelaw.cli import gin_config
from codelaw.cli import progress
from codelaw.cli import seqio_mixture

EXAMPLE = 'codelaw train --gin_file=generated/quickstart_run.gin'


@dataclasses.dataclass(frozen=True)
class TrainSettings:
  """What `codelaw train` needs.

  Attributes:
    plan: of the run.
    model_dir: folder of the run.
    execution: how it is computed.
  """

  plan: records.RunPlan
  model_dir: str
  execution: execution_lib.Execution = execution_lib.AUTOMATIC

  def __post_init__(self):
    if not isinstance(self.plan, records.RunPlan):
      raise errors.UserError(
        f'TrainSettings.plan must be @RunPlan(), got {self.plan!r}.'
      )
    if not isinstance(self.model_dir, str) or not self.model_dir:
      raise errors.UserError(
        'TrainSettings.model_dir must be the folder of the run, got'
        f' {self.model_dir!r}; set MODEL_DIR.'
      )


PARTS = (
  accounting.ModelShape,
  execution_lib.Execution,
  execution_lib.MeshShape,
  records.InitialCheckpoint,
  records.MixtureRates,
  records.OptimizerSettings,
  records.RunPlan,
  records.Schedule,
  records.Stage,
  seqio_mixture.SeqioMixture,
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Flags of a run in several processes; TPU pods need none of them."""
  group = parser.add_argument_group('several processes (not on TPU pods)')
  group.add_argument(
    '--coordinator_address',
    metavar='HOST:PORT',
    help='of the first process; any free port',
  )
  group.add_argument('--num_processes', type=int, help='of the run')
  group.add_argument('--process_id', type=int, help='of this one, from 0')
  group.add_argument(
    '--heartbeat_timeout_seconds',
    type=int,
    default=60,
    help='a process that is silent for so long is dead (default %(default)s)',
  )


def run(args: argparse.Namespace) -> None:
  """Builds the plan, checks it, trains, and says where to look."""
  settings = gin_config.load(args, TrainSettings, PARTS)
  # These import JAX and Flax: after gin's errors.
  from codelaw.train import distributed
  from codelaw.train import loop

  distributed.initialize(
    args.coordinator_address,
    args.num_processes,
    args.process_id,
    args.heartbeat_timeout_seconds,
  )
  with distributed.ending_together():
    if distributed.is_first():
      _train_and_show(settings)
    else:
      loop.train(
        settings.plan, settings.model_dir, execution=settings.execution
      )


def _train_and_show(settings: TrainSettings) -> None:
  from codelaw.train import loop

  _, schedule = loop.check(settings.plan)
  _describe(settings, schedule.planned_tokens())
  with progress.Progress('train') as display:

    def show(at: loop.Progress) -> None:
      if at.message:
        display.note(str(at))
      else:
        text = str(dataclasses.replace(at, seconds_left=None))
        display(text, at.step / at.num_steps, at.seconds_left)

    record = loop.train(
      settings.plan,
      settings.model_dir,
      execution=settings.execution,
      progress=show,
    )
  total = sum(record.realised_tokens.values())
  print(
    f'{record.run_id}: {record.step:,} updates on {total:,} tokens,'
    f' {record.wall_seconds:,.0f} s\n'
    f'see: tensorboard --logdir={settings.model_dir}\n'
    f'table: codelaw collect --runs={settings.model_dir} --out=runs.csv'
  )


def _describe(settings: TrainSettings, planned: dict[str, int]) -> None:
  plan, total = settings.plan, sum(planned.values())
  print(
    f'{accounting.num_params(plan.model):,} parameters'
    f' ({accounting.num_params_no_embed(plan.model):,} without the embedding),'
    f' {total:,} tokens in {plan.num_steps:,} updates of'
    f' {plan.batch_size} x {plan.sequence_length}'
  )
  for source, tokens in planned.items():
    print(f'  {source:<24} {tokens:>14,} tokens {tokens / total:>7.2%}')
  print(f'run directory: {settings.model_dir}', flush=True)
