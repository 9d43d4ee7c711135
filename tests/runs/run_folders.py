"""Run folders as `codelaw train` leaves them, for the tests of the readers."""

import tensorboardX

from codelaw import accounting
from codelaw import records

SHAPE = accounting.ModelShape(
  vocab_size=8, width=4, num_layers=1, num_heads=1, head_dim=4, mlp_width=8
)
NUM_STEPS = 10


def write(
  folder,
  run_id,
  tokens,
  losses,
  status='finished',
  step=NUM_STEPS,
  supply=None,
):
  """Writes run.json and eval/ events.

  Args:
    folder: to write into.
    run_id: name of the run.
    tokens: source -> tokens of the whole run.
    losses: step -> {evaluation: loss}.
    status: of the run.
    step: updates done.
    supply: source -> different tokens there are; by default those trained on.
  """
  stages = (
    records.Stage('main', records.MixtureRates(tokens), token_weight=4),
    records.Stage('cooldown', records.MixtureRates(tokens)),
  )
  plan = records.RunPlan(
    model=SHAPE,
    schedule=records.Schedule(stages),
    optimizer=records.OptimizerSettings(peak_learning_rate=1e-3),
    shards_dir='shards',
    num_tokens=NUM_STEPS * 32,
    sequence_length=8,
    batch_size=4,
    seed=3,
  )
  done = step / NUM_STEPS
  record = records.RunRecord(
    run_id=run_id,
    plan=plan,
    status=status,
    step=step,
    num_params=accounting.num_params(SHAPE),
    num_params_no_embed=accounting.num_params_no_embed(SHAPE),
    params_by_group=accounting.params_by_group(SHAPE),
    train_flops=1e6,
    flops_convention=accounting.FLOPS_CONVENTION,
    planned_tokens=tokens,
    realised_tokens={s: int(n * done) for s, n in tokens.items()},
    stage_end_steps={'main': 8.0, 'cooldown': 10.0},
    manifest_fingerprint='m',
    tokenizer_fingerprint='t',
    code_revision='r',
    package_versions={},
    hardware={},
    wall_seconds=1.0,
    supply_tokens=tokens if supply is None else supply,
  )
  records.write_run_record(folder, record)
  writer = tensorboardX.SummaryWriter(str(folder / 'eval'))
  for at, values in losses.items():
    for name, loss in values.items():
      writer.add_scalar(f'eval/{name}/loss_nats_per_token', loss, at)
      writer.add_scalar(f'eval/{name}/bits_per_byte', loss / 2, at)
    for source, count in tokens.items():
      writer.add_scalar(f'tokens/{source}', count * at / NUM_STEPS, at)
    writer.add_scalar('tokens/total', sum(tokens.values()) * at / NUM_STEPS, at)
  writer.close()
