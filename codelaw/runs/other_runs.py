"""Rows of the run table for runs of other programs, without `run.json`."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math
from typing import Any

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
    evaluations: updates done -> column -> value.
    facts: about the run.
  """

  where: str
  run_id: str
  evaluations: Mapping[int, Mapping[str, float]]
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
  columns, writer = tag_columns.columns(where, series, mapping, report)
  evaluated = evaluations.by_step(where, columns, report, writer.first_step)
  if not evaluated:
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
      and None in map(_logged_tokens, run.evaluations.values())
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


def _logged_tokens(found: Mapping[str, float]) -> float | None:
  if 'num_tokens' in found:
    return found['num_tokens']
  return math.fsum(evaluations.tokens(found).values()) or None


def rows(run: OtherRun, report: events.Report) -> list[dict[str, Any]]:
  """Rows of a run, one per evaluation."""
  facts = run.facts
  reached = max(run.evaluations)
  last = facts.num_steps or reached
  if last not in run.evaluations:
    report(
      f'{run.where} has no evaluation at its last step {last} (its last one is'
      f' at {reached}): what it evaluated is included, but not as final.'
    )
  found_rows = []
  for step, found in run.evaluations.items():
    total = _logged_tokens(found) or (facts.tokens_per_step or 0) * step
    tokens = evaluations.tokens(found) or {
      source: share * total for source, share in facts.shares.items()
    }
    found_rows.append(
      {
        'run_id': run.run_id,
        'num_params': facts.num_params,
        'num_params_no_embed': facts.num_params_no_embed,
        'num_tokens': round(total),
        'train_flops': (facts.flops_per_token or 0) * total,
        'step': step,
        'stage': '',
        'is_final': step == last,
        'seed': facts.seed,
        **{f'share/{source}': n / total for source, n in tokens.items()},
        **{f'tokens/{source}': round(n) for source, n in tokens.items()},
        **evaluations.losses(found),
      }
    )
  return found_rows
