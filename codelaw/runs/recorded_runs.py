"""Rows of the run table for a run with `run.json`, made by `codelaw train`.

Tokens of the last evaluation of a finished run come from `run.json`, which is
exact; events hold float32.

Definitions owned here:
  unique tokens of a row: of each source, its tokens so far or its supply,
    whichever is less; a run that goes on from another one draws behind it.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math
from typing import Any

import numpy as np

from codelaw import records
from codelaw import scores as scores_lib
from codelaw.runs import evaluations
from codelaw.runs import events
from codelaw.runs import tag_columns


def columns(
  folder: str,
  record: records.RunRecord,
  series: Mapping[str, events.Series],
  scores: Mapping[int, Sequence[scores_lib.Score]],
  mapping: tag_columns.TagMapping,
  report: events.Report,
) -> dict[str, Any]:
  """Columns of the run table for a run, with one row per evaluation.

  Args:
    folder: of the run.
    record: its `run.json`.
    series: tag -> values, of its evaluations.
    scores: step -> scores of downstream tasks.
    mapping: how tags are read.
    report: called with one sentence where the end of the run is missing.
  """
  where = f'Run {record.run_id} in {folder}'
  mapping = dataclasses.replace(mapping, writer='codelaw')
  by_tag, _ = tag_columns.columns(where, series, mapping, report)
  found = evaluations.of_run(where, by_tag, report)
  finished = record.status == 'finished'
  if not finished:
    why = f' ({record.message})' if record.message else ''
    report(
      f'{where} is {record.status}{why} at step'
      f' {record.step} of {record.plan.num_steps}: what it evaluated (steps:'
      f' {", ".join(map(str, found.steps)) or "none"}) is included, but not as'
      ' final.'
    )
  elif record.step not in found.steps:
    report(
      f'{where} is finished but has no evaluation at'
      f' its last step {record.step}, so none is final.'
    )
  is_final = (found.steps == record.step) & finished
  by_source = evaluations.tokens(found.columns)
  exact = record.tokens_seen(record.realised_tokens)
  for source, number in exact.items() if is_final.any() else ():
    logged = by_source.get(source, np.zeros(len(found.steps)))
    by_source[source] = np.where(is_final, number, logged)
  matrix = np.array([by_source[source] for source in sorted(by_source)])
  totals = np.array([math.fsum(row) for row in matrix.T.tolist()])
  if not by_source:
    totals = np.zeros(len(found.steps))
  if not totals.all():
    report(
      f'{where} has no tokens/<source> at'
      f' {events.steps_in_words(found.steps[totals == 0].tolist())}; what it'
      ' evaluated there is left out.'
    )
    by_source = {source: n[totals > 0] for source, n in by_source.items()}
    found, is_final = found.rows(totals > 0), is_final[totals > 0]
    totals = totals[totals > 0]
  return {
    'run_id': record.run_id,
    'num_params': record.num_params,
    'num_params_no_embed': record.num_params_no_embed,
    'num_tokens': totals,
    'unique_tokens': _unique_tokens(record, by_source),
    'train_flops': _train_flops(record, found.steps),
    'step': found.steps,
    'stage': _stages(record, found.steps),
    'is_final': is_final,
    'seed': record.plan.seed,
    **evaluations.token_columns(by_source, totals),
    **evaluations.losses(found.columns),
    **_scores(where, scores, found.steps, report),
  }


def _scores(
  where: str,
  scores: Mapping[int, Sequence[scores_lib.Score]],
  steps: np.ndarray,
  report: events.Report,
) -> dict[str, np.ndarray]:
  """`score/...` and `score_standard_error/...` at these steps, NaN for none."""
  rows = {step: row for row, step in enumerate(steps.tolist())}
  found: dict[str, np.ndarray] = {}
  for step in sorted(scores.keys() & rows.keys()):
    for score in scores[step]:
      for kind, value in (
        ('score', score.value),
        ('score_standard_error', score.standard_error),
      ):
        if value is not None:
          column = found.setdefault(
            f'{kind}/{score.name}', np.full(len(steps), np.nan)
          )
          column[rows[step]] = value
  without = sorted(scores.keys() - rows.keys())
  if without:
    report(
      f'{where} has scores of downstream tasks at'
      f' {events.steps_in_words(without)}, but no held-out loss there; they are'
      ' left out. Let RunPlan.eval_every_steps divide the steps of the'
      ' checkpoints that are evaluated.'
    )
  return found


def _unique_tokens(
  record: records.RunRecord, by_source: Mapping[str, np.ndarray]
) -> np.ndarray | None:
  """[n] unique tokens, as defined above; None where they are not known."""
  supply = record.supply_tokens
  if not supply.keys() >= by_source.keys():
    return None
  parts = [np.minimum(n, supply[source]) for source, n in by_source.items()]
  return np.sum(parts, axis=0)


def _train_flops(record: records.RunRecord, steps: np.ndarray) -> np.ndarray:
  """What the parameters of each step have cost."""
  first, last = record.first_step, record.plan.num_steps
  own = record.train_flops * ((steps - first) / (last - first))
  return record.inherited_flops + own


def _stages(record: records.RunRecord, steps: np.ndarray) -> list[str]:
  """The stage of the last update before each step."""
  names = list(record.stage_end_steps) or ['']
  ends = list(record.stage_end_steps.values())
  places = np.searchsorted(ends, steps - 1, side='right')
  return [names[place] for place in places.tolist()]
