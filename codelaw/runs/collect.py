"""Run directories -> run table.

A row is an evaluation of a run: what its `eval/` events hold at one step,
beside what its `run.json` says about the run. Tokens and FLOPs are all that
the parameters have seen and cost: those of the run itself and, where it started
from an earlier run's checkpoint, those behind that. Tokens of the last
evaluation of a finished run come from `run.json`, which is exact; events hold
float32.
"""

from collections.abc import Sequence
import math
import os
from typing import Any

import pandas as pd

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.runs import events

_METRICS = {
  'loss_nats_per_token': 'loss',
  'bits_per_byte': 'bits_per_byte',
}
_LEADING = (
  'run_id',
  'num_params',
  'num_params_no_embed',
  'num_tokens',
  'train_flops',
  'step',
  'stage',
  'is_final',
  'seed',
)


def collect(
  run_dirs: Sequence[storage.PathLike], report: events.Report = events.warn
) -> pd.DataFrame:
  """Reads run directories into one table, sorted by run and step.

  Args:
    run_dirs: each with `run.json` and `eval/` events. The order is
      irrelevant.
    report: called with one sentence for each run that is left out or is
      included without its end, because it still runs or failed.

  Returns:
    The run table, see `codelaw.runs.table`. `train_flops` and `num_tokens`
    are those up to the row's step, with what the run inherited. An evaluation
    before the first update has no row.

  Raises:
    UserError: when a run id occurs in two directories, an event file or
      `run.json` is corrupt, or no directory holds an evaluation.
  """
  rows: list[dict[str, Any]] = []
  folder_of: dict[str, str] = {}
  for folder in sorted(os.fspath(folder) for folder in run_dirs):
    if not (storage.path(folder) / 'run.json').exists():
      report(f'{folder} has no run.json and is left out.')
      continue
    record = records.read_run_record(folder)
    if record.run_id in folder_of:
      raise errors.UserError(
        f'The run id {record.run_id} occurs twice, in'
        f' {folder_of[record.run_id]} and {folder}; leave one of them out.'
      )
    folder_of[record.run_id] = folder
    rows += _rows_of_run(folder, record, report)
  if not rows:
    raise errors.UserError(
      f'None of {len(run_dirs)} folders holds a run with an evaluation;'
      ' expected folders with run.json and eval/ events, as `codelaw train`'
      ' writes them.'
    )
  return _in_order(pd.DataFrame(rows))


def _rows_of_run(
  folder: str, record: records.RunRecord, report: events.Report
) -> list[dict[str, Any]]:
  scalars = events.read_scalars(storage.path(folder) / 'eval', report)
  at_step: dict[int, dict[str, float]] = {}
  for tag, points in scalars.items():
    for step, value in points:
      at_step.setdefault(step, {})[tag] = value
  evaluations = {
    step: tags
    for step, tags in sorted(at_step.items())
    if step > 0 and any(_metric_column(tag) for tag in tags)
  }
  finished = record.status == 'finished'
  if not finished:
    why = f' ({record.message})' if record.message else ''
    report(
      f'Run {record.run_id} in {folder} is {record.status}{why} at step'
      f' {record.step} of {record.plan.num_steps}: what it evaluated (steps:'
      f' {", ".join(map(str, evaluations)) or "none"}) is included, but not as'
      ' final.'
    )
  elif record.step not in evaluations:
    report(
      f'Run {record.run_id} in {folder} is finished but has no evaluation at'
      f' its last step {record.step}, so none is final.'
    )
  rows = []
  for step, tags in evaluations.items():
    is_final = finished and step == record.step
    tokens: dict[str, float] = (
      dict(record.tokens_seen(record.realised_tokens))
      if is_final
      else _tokens(tags)
    )
    total = math.fsum(tokens.values())
    if not total:
      report(
        f'Run {record.run_id} in {folder} has no tokens/<source> at step'
        f' {step}; that evaluation is left out.'
      )
      continue
    rows.append(
      {
        'run_id': record.run_id,
        'num_params': record.num_params,
        'num_params_no_embed': record.num_params_no_embed,
        'num_tokens': round(total),
        'train_flops': _train_flops(record, step),
        'step': step,
        'stage': _stage(record, step),
        'is_final': is_final,
        'seed': record.plan.seed,
        **{f'share/{source}': n / total for source, n in tokens.items()},
        **{f'tokens/{source}': round(n) for source, n in tokens.items()},
        **{
          column: value
          for tag, value in tags.items()
          if (column := _metric_column(tag))
        },
      }
    )
  return rows


def _train_flops(record: records.RunRecord, step: int) -> float:
  """What the parameters of a step have cost."""
  first, last = record.first_step, record.plan.num_steps
  own = record.train_flops * ((step - first) / (last - first))
  return record.inherited_flops + own


def _tokens(tags: dict[str, float]) -> dict[str, float]:
  return {
    tag.removeprefix('tokens/'): value
    for tag, value in tags.items()
    if tag.startswith('tokens/') and tag != 'tokens/total'
  }


def _metric_column(tag: str) -> str:
  """`eval/code/python/loss_nats_per_token` -> `loss/code/python`; or ''."""
  if not tag.startswith('eval/'):
    return ''
  name, _, metric = tag.removeprefix('eval/').rpartition('/')
  return f'{_METRICS[metric]}/{name}' if name and metric in _METRICS else ''


def _stage(record: records.RunRecord, step: int) -> str:
  """The stage of the last update before `step`."""
  ends = sorted(record.stage_end_steps.items(), key=lambda item: item[1])
  for name, end in ends:
    if step - 1 < end:
      return name
  return ends[-1][0] if ends else ''


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
  """Columns in the contract's order; a source a run did not use has share 0."""
  ordered = list(_LEADING)
  for prefix in ('share/', 'tokens/', 'loss/', 'bits_per_byte/'):
    names = sorted(name for name in table if name.startswith(prefix))
    ordered += names
    if prefix in ('share/', 'tokens/'):
      table[names] = table[names].fillna(0)
    if prefix == 'tokens/':
      table = table.astype({name: 'int64' for name in names})
  table = table.sort_values(['run_id', 'step'], ignore_index=True)
  return table[ordered]
