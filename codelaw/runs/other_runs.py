"""Rows of the run table for runs of other programs, without `run.json`."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from typing import Any

import numpy as np

from codelaw import errors
from codelaw.runs import evaluations
from codelaw.runs import events
from codelaw.runs import run_facts
from codelaw.runs import tag_columns


@dataclasses.dataclass(frozen=True)
class OtherRun:
  """A run without run.json.

  Attributes:
    where: it is, for messages.
    run_id: of the run.
    evaluations: what it logged, by updates done.
    facts: about the run.
  """

  where: str
  run_id: str
  evaluations: evaluations.Evaluations
  facts: run_facts.RunFacts


def read(
  folder: str,
  run_id: str,
  series: Mapping[str, events.Series],
  texts: Mapping[str, str],
  given: Mapping[str, Any],
  mapping: tag_columns.TagMapping,
  report: events.Report,
) -> OtherRun | None:
  """What is known of a run; None, with a report, if it has no loss.

  Args:
    folder: of the run.
    run_id: of the run.
    series: tag with folder -> values.
    texts: tag -> text, of its events.
    given: its row of the table of facts; empty if there is none.
    mapping: how tags are read.
    report: called with one sentence for each thing to know.

  Raises:
    UserError: for a loss that is a sum, and facts that cannot be.
  """
  where = f'Run {run_id} in {folder}'
  by_tag, writer = tag_columns.columns(where, series, mapping, report)
  evaluated = evaluations.of_run(where, by_tag, report, writer.first_step)
  if not len(evaluated.steps):
    report(
      f'{folder} has no run.json and no events with a loss by a known tag,'
      ' and is left out; --tag names further tags.'
    )
    return None
  logged = {writer.texts.get(name, name): text for name, text in texts.items()}
  known = run_facts.facts(run_id, given, logged)
  return OtherRun(where, run_id, evaluated, known)


def check(runs: Sequence[OtherRun]) -> None:
  """Raises `UserError` that lists the runs without size or tokens."""
  lacking = {
    'num_params': [run for run in runs if run.facts.num_params is None],
    'tokens_per_step (or num_tokens and num_steps)': [
      run
      for run in runs
      if run.facts.tokens_per_step is None
      and not _logged_tokens(run.evaluations).all()
    ],
  }
  gaps = [
    f'{what} of {", ".join(run.run_id for run in missing)}'
    for what, missing in lacking.items()
    if missing
  ]
  if gaps:
    raise errors.UserError(
      f'Runs without run.json need facts that their events do not hold:'
      f' {"; ".join(gaps)}. Give them as a table with a row per run_id'
      ' (--facts=FILE).'
    )


def _logged_tokens(found: evaluations.Evaluations) -> np.ndarray:
  """[n] tokens trained on, as the events count them; 0 where they do not."""
  by_source = evaluations.tokens(found.columns).values()
  counted = np.sum([np.zeros(len(found.steps)), *by_source], axis=0)
  logged = np.nan_to_num(found.columns.get('num_tokens', counted))
  return np.where(logged > 0, logged, counted)


def columns(run: OtherRun, report: events.Report) -> dict[str, Any]:
  """Columns of the run table for a run, with one row per evaluation."""
  facts, found = run.facts, run.evaluations
  reached = int(found.steps[-1])
  last = facts.num_steps or reached
  if last not in found.steps:
    report(
      f'{run.where} has no evaluation at its last step {last} (its last one is'
      f' at {reached}): what it evaluated is included, but not as final.'
    )
  totals = _logged_tokens(found)
  totals = np.where(
    totals > 0, totals, (facts.tokens_per_step or 0) * found.steps
  )
  by_source = evaluations.tokens(found.columns) or {
    source: share * totals for source, share in facts.shares.items()
  }
  return {
    'run_id': run.run_id,
    'num_params': facts.num_params,
    'num_params_no_embed': facts.num_params_no_embed,
    'num_tokens': np.rint(totals),
    'unique_tokens': None
    if facts.unique_tokens is None
    else np.rint(np.minimum(totals, facts.unique_tokens)),
    'train_flops': (facts.flops_per_token or 0) * totals,
    'step': found.steps,
    'stage': '',
    'is_final': found.steps == last,
    'seed': facts.seed,
    **evaluations.token_columns(by_source, totals),
    **evaluations.losses(found.columns),
  }
