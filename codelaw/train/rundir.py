"""What a run directory says about its run: `run.json` and its gin file.

A run directory belongs to one plan on one set of shards for good. Asking for
the same again continues or skips; asking for another is refused.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
import os
from typing import Any

from codelaw import accounting
from codelaw import errors
from codelaw import gin_text
from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib
from codelaw.train import initial
from codelaw.train import provenance

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
    code_revision=provenance.code_revision(),
    package_versions=provenance.package_versions(),
    hardware=provenance.hardware(),
    wall_seconds=0.0,
    initial_step=inherited.step,
    inherited_tokens=dict(inherited.tokens),
    inherited_sequences=dict(inherited.sequences),
    inherited_flops=inherited.train_flops,
  )


def existing_record(
  model_dir: storage.PathLike,
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
) -> records.RunRecord | None:
  """The record of the run that `model_dir` holds, or None when it is new.

  Raises:
    UserError: when it holds a run of another plan or other shards; names the
      first fields that differ. Where the shards lie does not count.
  """
  if not (storage.path(model_dir) / 'run.json').exists():
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
    more = len(differences) - _SHOWN_DIFFERENCES
    raise errors.UserError(
      f'{os.fspath(model_dir)} holds a run of another plan:'
      f' {"; ".join(differences[:_SHOWN_DIFFERENCES])}'
      f'{f"; and {more} more" if more > 0 else ""}. Choose another MODEL_DIR,'
      ' or delete that folder.'
    )
  return record


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
  return records.to_json(dataclasses.replace(plan, shards_dir='shards'))


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
