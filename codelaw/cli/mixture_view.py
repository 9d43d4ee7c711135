"""How a run's mixture looks on a terminal: its stages and its sources.

Numbers of sequences and tokens are exact; bytes and documents are estimates,
three digits of what so many tokens of a source hold on average.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

from rich import console as rich_console
from rich import table as rich_table
from rich import text as rich_text

from codelaw import records
from codelaw.cli import terminal
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib

_EXACT = ('share', 'sequences', 'tokens', 'epochs')
_ESTIMATES = ('bytes', 'documents')
_ENDLESS = 10_000  # columns


@dataclasses.dataclass(frozen=True)
class _Row:
  """What one source, or all of them, gives to one stage or to the run."""

  source: str
  cells: Mapping[str, str]
  is_refused: bool = False


@dataclasses.dataclass(frozen=True)
class _Part:
  """A stage, or the whole run."""

  name: str
  rows: Sequence[_Row]


@dataclasses.dataclass(frozen=True)
class Shown:
  """What is shown of a plan.

  Attributes:
    manifest: of its shards.
    schedule: of the whole plan.
    record: of a run that starts from a checkpoint; None leaves it out.
    notes: further sentences.
  """

  manifest: manifest_lib.Manifest
  schedule: schedule_lib.MixtureSchedule
  record: records.RunRecord | None = None
  notes: Sequence[str] = ()


def show(
  plan: records.RunPlan, shown: Shown, out: rich_console.Console
) -> None:
  """Prints everything; what does not fit beside the rest comes below it."""
  manifest, schedule = shown.manifest, shown.schedule
  out.print(
    f'\n{schedule.num_steps:,} steps of {plan.batch_size:,} x'
    f' {plan.sequence_length:,} tokens; shards {manifest.fingerprint}'
  )
  out.print(terminal.titled(_stages(plan, schedule)))
  parts = list(_parts(manifest, schedule))
  whole = terminal.titled(_sources(parts, (*_EXACT, *_ESTIMATES)))
  needed = out.measure(whole, options=out.options.update(max_width=_ENDLESS))
  if needed.maximum <= out.width:
    out.print(whole)
  else:
    out.print(terminal.titled(_sources(parts, _EXACT)))
    out.print(terminal.titled(_sources(parts, _ESTIMATES)))
  for note in _notes(plan, manifest, schedule):
    out.print(note)
  if shown.record is not None:
    for note in (*_inherited(plan, shown.record), *shown.notes):
      out.print(note)


def _stages(
  plan: records.RunPlan, schedule: schedule_lib.MixtureSchedule
) -> rich_table.Table:
  """One row per stage: where it ends, what it holds, its learning rate."""
  rows = terminal.table(
    'Stages', [''], ('until step', 'sequences', 'tokens', 'learning rate')
  )
  peak = plan.optimizer.peak_learning_rate
  sequences, tokens = schedule.planned_sequences(), schedule.stage_tokens()
  for stage in plan.schedule.stages:
    span = f'{stage.learning_rate_shape} {stage.start_factor * peak:.4g}'
    if stage.end_factor != stage.start_factor:
      span += f' to {stage.end_factor * peak:.4g}'
    rows.add_row(
      stage.name,
      f'{schedule.stage_end_steps[stage.name]:,.10g}',
      f'{sum(sequences[stage.name].values()):,}',
      f'{sum(tokens[stage.name].values()):,}',
      span,
    )
  if plan.schedule.warmup_fraction or plan.schedule.warmup_tokens:
    tokens_or_share = (
      f'{plan.schedule.warmup_tokens:,} tokens'
      if plan.schedule.warmup_tokens
      else f'{plan.schedule.warmup_fraction:.1%} of the tokens'
    )
    rows.caption = f'warm-up: first {tokens_or_share}'
    rows.caption_justify = 'left'
  return rows


def _parts(
  manifest: manifest_lib.Manifest, schedule: schedule_lib.MixtureSchedule
) -> Iterator[_Part]:
  """The stages, then the whole run."""
  sequences, tokens = schedule.planned_sequences(), schedule.stage_tokens()
  for name, (start, end) in zip(schedule.stages, schedule.shares, strict=True):
    shares = {
      source: f'{first:.2%}'
      if first == last
      else f'{100 * first:.2f} -> {last:.2%}'
      for source, first, last in zip(schedule.sources, start, end, strict=True)
    }
    rows = _rows(manifest, schedule, sequences[name], tokens[name], shares)
    idle = {
      source
      for source, first, last in zip(schedule.sources, start, end, strict=True)
      if not (first or last or sequences[name][source])
    }
    yield _Part(name, [row for row in rows if row.source not in idle])
  all_tokens = schedule.planned_tokens()
  total = sum(all_tokens.values())
  yield _Part(
    'whole run',
    _rows(
      manifest,
      schedule,
      {
        source: sum(stage[source] for stage in sequences.values())
        for source in schedule.sources
      },
      all_tokens,
      {
        source: f'{tokens / total:.2%}' for source, tokens in all_tokens.items()
      },
      schedule.over_cap(),
      schedule.epochs(),
    ),
  )


def _inherited(
  plan: records.RunPlan, record: records.RunRecord
) -> Iterator[str]:
  """What a run takes over, and what its parameters will have seen."""
  if plan.initial is None:
    return
  seen = sum(record.inherited_tokens.values())
  own = sum(record.planned_tokens.values())
  yield (
    f'Starts from step {record.initial_step:,} of {plan.initial.model_dir},'
    f' with {"its" if plan.initial.optimizer_state else "fresh"} optimizer'
    f' state. The parameters have seen {seen:,} tokens, and {seen + own:,} at'
    ' the end.'
  )
  if record.first_step:
    yield (
      f'The first {record.first_step:,} of {plan.num_steps:,} steps are those'
      f' of that run; {own:,} tokens are left to train on.'
    )
  drawn = ', '.join(
    f'{source} {number:,}'
    for source, number in record.inherited_sequences.items()
  )
  if drawn:
    yield (
      f'Goes on behind the sequences drawn before ({drawn}); the epochs of the'
      ' whole run count them.'
    )


def _rows(
  manifest: manifest_lib.Manifest,
  schedule: schedule_lib.MixtureSchedule,
  sequences: Mapping[str, int],
  tokens: Mapping[str, int],
  shares: Mapping[str, str],
  refused: Mapping[str, float] | None = None,
  all_epochs: Mapping[str, float] | None = None,
) -> list[_Row]:
  """One row per source, and their totals."""
  refused = refused or {}
  rows, all_bytes, all_documents = [], 0.0, 0.0
  for k, source in enumerate(schedule.sources):
    shards = manifest.split(source, 'train')
    part = tokens[source] / shards.tokens
    all_bytes += part * shards.bytes
    all_documents += part * shards.documents
    epochs = '{:.3f}'.format(
      all_epochs[source]
      if all_epochs
      else sequences[source] / schedule.supplies[k].sequences
    )
    if source in refused:
      epochs += f' > {schedule.max_epochs[k]:g}'
    cells = {
      'share': shares[source],
      'sequences': f'{sequences[source]:,}',
      'tokens': f'{tokens[source]:,}',
      'epochs': epochs,
      'bytes': terminal.size(round(part * shards.bytes)),
      'documents': terminal.count(round(part * shards.documents)),
    }
    rows.append(_Row(source, cells, source in refused))
  totals = {
    'share': '',
    'sequences': f'{sum(sequences.values()):,}',
    'tokens': f'{sum(tokens.values()):,}',
    'epochs': '',
    'bytes': terminal.size(round(all_bytes)),
    'documents': terminal.count(round(all_documents)),
  }
  return [*rows, _Row('all', totals)]


def _sources(
  parts: Sequence[_Part], headings: Sequence[str]
) -> rich_table.Table:
  says = []
  if 'share' in headings:
    says.append('shares are of tokens')
  if 'bytes' in headings:
    says.append('bytes and documents are estimates')
  title = f'Sources ({", ".join(says)})'
  found = terminal.table(title, [''], headings)
  for part in parts:
    found.add_row(rich_text.Text(part.name, style='bold'))
    for row in part.rows:
      found.add_row(
        rich_text.Text(f' {row.source}'),
        *(row.cells[heading] for heading in headings),
        style='bold red' if row.is_refused else None,
      )
    found.add_section()
  return found


def _notes(
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
  schedule: schedule_lib.MixtureSchedule,
) -> Iterator[str]:
  """What the tables do not say."""
  caps = ', '.join(
    f'{source} {cap:g}'
    for source, cap in plan.source_max_epochs.items()
    if source in schedule.sources
  )
  yield (
    f'A source may be repeated {plan.max_epochs:g} times'
    + (f', but {caps}' if caps else '')
    + '.'
  )
  if plan.target_tokens is not None:
    part = plan.num_tokens / plan.target_tokens
    yield (
      'Simulated epoching: the run stands for one of'
      f' {plan.target_tokens:,} tokens. Each source has only {part:.3%} of its'
      ' sequences, rounded up, and is repeated as often as in that run.'
    )
  padded = ', '.join(
    f'{source} {fill:.1%}'
    for source, fill in zip(schedule.sources, schedule.fills, strict=True)
    if fill < 1
  )
  if padded:
    yield (
      f'Sequences with padding are partly full: {padded}. Their sources get'
      ' more sequences for the same share of tokens.'
    )
  unused = sorted(set(manifest.sources) - set(schedule.sources))
  if unused:
    yield f'In the shards, but not used by any stage: {", ".join(unused)}.'
