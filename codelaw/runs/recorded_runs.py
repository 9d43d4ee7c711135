"""Rows of the run table for a run with `run.json`, made by `codelaw train`.

Tokens of the last evaluation of a finished run come from `run.json`, which is
exact; events hold float32.
"""

from collections.abc import Mapping
import dataclasses
import math
from typing import Any

from codelaw import records
from codelaw.runs import evaluations
from codelaw.runs import events
from codelaw.runs import tag_columns


def rows(
  folder: str,
  record: records.RunRecord,
  series: Mapping[str, events.Series],
  mapping: tag_columns.TagMapping,
  report: events.Report,
) -> list[dict[str, Any]]:
  """Rows of a run, one per evaluation.

  Args:
    folder: of the run.
    record: its `run.json`.
    series: tag -> values, of its evaluations.
    mapping: how tags are read.
    report: called with one sentence where the end of the run is missing.
  """
  where = f'Run {record.run_id} in {folder}'
  mapping = dataclasses.replace(mapping, writer='codelaw')
  columns, _ = tag_columns.columns(where, series, mapping, report)
  evaluated = evaluations.by_step(where, columns, report)
  finished = record.status == 'finished'
  if not finished:
    why = f' ({record.message})' if record.message else ''
    report(
      f'{where} is {record.status}{why} at step'
      f' {record.step} of {record.plan.num_steps}: what it evaluated (steps:'
      f' {", ".join(map(str, evaluated)) or "none"}) is included, but not as'
      ' final.'
    )
  elif record.step not in evaluated:
    report(
      f'{where} is finished but has no evaluation at'
      f' its last step {record.step}, so none is final.'
    )
  found_rows = []
  for step, found in evaluated.items():
    is_final = finished and step == record.step
    tokens: dict[str, float] = (
      dict(record.tokens_seen(record.realised_tokens))
      if is_final
      else evaluations.tokens(found)
    )
    total = math.fsum(tokens.values())
    if not total:
      report(
        f'{where} has no tokens/<source> at step'
        f' {step}; that evaluation is left out.'
      )
      continue
    found_rows.append(
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
        **evaluations.losses(found),
      }
    )
  return found_rows


def _train_flops(record: records.RunRecord, step: int) -> float:
  """What the parameters of a step have cost."""
  first, last = record.first_step, record.plan.num_steps
  own = record.train_flops * ((step - first) / (last - first))
  return record.inherited_flops + own


def _stage(record: records.RunRecord, step: int) -> str:
  """The stage of the last update before `step`."""
  ends = sorted(record.stage_end_steps.items(), key=lambda item: item[1])
  for name, end in ends:
    if step - 1 < end:
      return name
  return ends[-1][0] if ends else ''
