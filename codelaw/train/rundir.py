"""What a run directory says about its run: `run.json` and its gin file.

A run directory belongs to one plan on one set of shards for good. Asking for
the same again continues or skips; asking for another is refused. How often it
is saved and how it is computed may differ between two starts.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import os
from typing import Any

from codelaw import accounting
from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import gin_text
from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib
from codelaw.train import checkpoint
from codelaw.train import initial
from codelaw.train import provenance

CHECKPOINTS = 'checkpoints'
GIN_FILE = 'operative_config.gin'
_SHOWN_DIFFERENCES = 3


def new_record(
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
  schedule: schedule_lib.MixtureSchedule,
  run_id: str,
  inherited: initial.Inheritance,
) -> records.RunRecord:
  """The record of a run that starts now."""
  return dataclasses.replace(
    planned_record(plan, manifest, schedule, run_id, inherited),
    code_revision=provenance.code_revision(),
    package_versions=provenance.package_versions(),
    hardware=provenance.hardware(),
  )


def planned_record(
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
  schedule: schedule_lib.MixtureSchedule,
  run_id: str,
  inherited: initial.Inheritance,
) -> records.RunRecord:
  """The record of a run before it starts, with nothing of the machine."""
  planned = schedule.tokens_between(inherited.first_step, plan.num_steps)
  return records.RunRecord(
    run_id=run_id,
    plan=plan,
    status='running',
    step=inherited.first_step,
    num_params=accounting.num_params(plan.model),
    num_params_no_embed=accounting.num_params_no_embed(plan.model),
    params_by_group=accounting.params_by_group(plan.model),
    train_flops=accounting.train_flops_per_token(
      plan.model, plan.sequence_length
    )
    * sum(planned.values()),
    flops_convention=accounting.FLOPS_CONVENTION,
    planned_tokens=planned,
    realised_tokens=dict.fromkeys(schedule.sources, 0),
    stage_end_steps=schedule.stage_end_steps,
    manifest_fingerprint=manifest.fingerprint,
    tokenizer_fingerprint=manifest.tokenizer_fingerprint,
    code_revision='',
    package_versions={},
    hardware={},
    wall_seconds=0.0,
    initial_step=inherited.step,
    inherited_tokens=dict(inherited.tokens),
    inherited_sequences=dict(inherited.sequences),
    inherited_flops=inherited.train_flops,
    supply_tokens=inherited.with_supply(
      {s.source: s.tokens(s.sequences) for s in schedule.supplies}
    ),
  )


def at_end(record: records.RunRecord) -> records.RunRecord:
  """What a record will say of steps and tokens when the run has ended."""
  return dataclasses.replace(
    record, step=record.plan.num_steps, realised_tokens=record.planned_tokens
  )


def existing_record(
  model_dir: storage.PathLike,
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
) -> records.RunRecord | None:
  """The record of the run that `model_dir` holds, or None when it is new.

  Raises:
    UserError: when it holds a run of another plan or other shards; names the
      first fields that differ. Where the shards and an earlier run lie and
      which checkpoints are kept does not count. Also when its `run.json` or its
      folder of checkpoints has been deleted.
  """
  folder = storage.path(model_dir) / CHECKPOINTS
  if not (storage.path(model_dir) / 'run.json').exists():
    if checkpoint.steps(folder):
      raise errors.UserError(
        f'{os.fspath(model_dir)} holds checkpoints, but no run.json that says'
        ' of which run; restore it, choose another MODEL_DIR, or delete that'
        ' folder.'
      )
    return None
  record = records.read_run_record(model_dir)
  there = dict(_leaves(_comparable(record.plan)))
  here = dict(_leaves(_comparable(plan)))
  there['shards'] = record.manifest_fingerprint
  here['shards'] = manifest.fingerprint
  names = [*there, *(name for name in here if name not in there)]
  differences = [
    f'{name} is {there.get(name)!r} there, {here.get(name)!r} here'
    for name in names
    if there.get(name) != here.get(name)
  ]
  if differences:
    raise errors.UserError(
      f'{os.fspath(model_dir)} holds a run of another plan:'
      f' {_some(differences)}. Choose another MODEL_DIR, or delete that folder.'
    )
  if record.status != 'finished' and record.step and not folder.exists():
    raise errors.UserError(
      f'{os.fspath(model_dir)} holds a run at step {record.step}, but its'
      f' {CHECKPOINTS} are gone; restore that folder, or delete'
      f' {os.fspath(model_dir)} to train from the beginning.'
    )
  return record


def of_this_start(
  record: records.RunRecord, execution: execution_lib.Execution
) -> tuple[records.RunRecord, str]:
  """A record with what this start is computed by, and a word on what changed.

  Returns:
    (record, sentence); the sentence is empty where nothing changed or there was
    no start before.
  """
  now = dataclasses.replace(
    record,
    execution=execution,
    code_revision=provenance.code_revision(),
    package_versions=provenance.package_versions(),
    hardware=provenance.hardware(),
  )
  before, after = (
    dict(
      _leaves(records.to_json((r.execution, r.hardware, r.package_versions)))
    )
    for r in (record, now)
  )
  changes = [
    f'{name.partition("].")[2]} was {before.get(name)!r}, is {value!r}'
    for name, value in after.items()
    if before.get(name) != value
  ]
  if not changes or not record.wall_seconds:
    return now, ''
  return now, (
    f'computed in another way than before ({_some(changes)}): equal to an'
    ' uninterrupted run only up to rounding'
  )


def write_gin(model_dir: storage.PathLike, plan: records.RunPlan) -> str:
  """Writes and returns the gin text that trains this plan in this folder."""
  text = (
    gin_text.comment('What this run was told to do; this trains it again:')
    + gin_text.comment(
      f'  codelaw train --gin_file={os.fspath(model_dir)}/{GIN_FILE}'
    )
    + '\n'
    + gin_text.train_settings(plan, os.fspath(model_dir))
  )
  storage.write_text(storage.path(model_dir) / GIN_FILE, text)
  return text


def hparams(
  record: records.RunRecord, all_sources: tuple[str, ...]
) -> dict[str, str | int | float]:
  """The row of a run in TensorBoard's HParams tab.

  Args:
    record: of the run.
    all_sources: of the shards; TensorBoard takes the columns from one run of
      a sweep, so every run must have the same.
  """
  plan, tokens = record.plan, record.tokens_seen(record.planned_tokens)
  total = sum(tokens.values())
  return {
    'run_id': record.run_id,
    'num_params': record.num_params,
    'num_params_no_embed': record.num_params_no_embed,
    'num_tokens': total,
    'train_flops': record.inherited_flops + record.train_flops,
    'family': plan.model.family,
    'width': plan.model.width,
    'num_layers': plan.model.num_layers,
    'peak_learning_rate': plan.optimizer.peak_learning_rate,
    'batch_size': plan.batch_size,
    'stages': ', '.join(
      f'{stage.name} {stage.token_weight:g}' for stage in plan.schedule.stages
    ),
    'seed': plan.seed,
    **{
      f'share/{source}': tokens.get(source, 0) / total for source in all_sources
    },
  }


def _comparable(plan: records.RunPlan) -> Any:
  # A folder that has moved, or is mounted elsewhere, is the same one.
  initial = plan.initial and dataclasses.replace(
    plan.initial, model_dir=storage.path(plan.initial.model_dir).name
  )
  return records.to_json(
    dataclasses.replace(
      plan,
      initial=initial,
      shards_dir='shards',
      checkpoint_every_steps=0,
      checkpoints_kept=1,
      checkpoint_steps_kept=(),
    )
  )


def _some(differences: Sequence[str]) -> str:
  more = len(differences) - _SHOWN_DIFFERENCES
  shown = '; '.join(differences[:_SHOWN_DIFFERENCES])
  return f'{shown}; and {more} more' if more > 0 else shown


def _leaves(content: Any, name: str = '') -> Iterator[tuple[str, Any]]:
  """(path, value) of every plain value in nested JSON."""
  if isinstance(content, Mapping):
    for key, value in content.items():
      yield from _leaves(value, f'{name}.{key}' if name else key)
  elif isinstance(content, (list, tuple)):
    for index, value in enumerate(content):
      yield from _leaves(value, f'{name}[{index}]')
  else:
    yield name, content
