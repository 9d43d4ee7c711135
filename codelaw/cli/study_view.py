"""How a study looks on a terminal before it is trained, and as a CSV file.

Runs that differ in their seed alone have one line; where that is still more
than a page, so have runs of one purpose, model and shape of mixture (the
shares, whatever sources they are of). The file has a row per run.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import csv
import io
from typing import Any

from rich import console as rich_console
from rich import table as rich_table
from rich import text as rich_text

from codelaw import accounting
from codelaw import records
from codelaw import storage
from codelaw.cli import terminal
from codelaw.planning import ladder
from codelaw.studies import dry_run
from codelaw.studies import sweep

_MAX_LINES = 60
_NAMED_SOURCES = 3  # Of mixtures of more, their number is shown.
_ENDLESS = 10_000  # columns
_SUPPLIES = {
  'shards': 'the shards in {folder}',
  'declared': 'StudyPlan.supply; the shards in {folder} are not there yet',
  'endless': (
    'not known: there are no shards in {folder}, and StudyPlan.supply is not'
    ' set; nothing is refused for its tokens'
  ),
}


def show(found: dry_run.DryRun, out: rich_console.Console) -> None:
  """Prints runs, sources and totals."""
  study = found.study
  out.print(
    f'\n{study.name}: {found.total.runs:,} runs'
    + (f', {found.finished:,} of them finished' if found.finished else '')
    + '. Nothing was trained or written.'
  )
  supply = _SUPPLIES[found.supply.kind].format(folder=study.run.shards_dir)
  out.print(f'Supply: {supply}.')
  lines = _lines([*found.rows, *found.confirmation])
  cells = [_cells(study, line) for line in lines]
  equal = {
    name: cells[0][name]
    for name in (*_WHAT, *_PRICE)
    if len({cell[name] for cell in cells}) == 1 and name in _EQUAL
  }
  hidden = {*equal, *(() if found.supply.tokens else ('epochs',))}
  _print_runs(out, lines, cells, hidden)
  if equal:
    told = ', '.join(f'{name} {value}' for name, value in equal.items())
    out.print(f'Of all runs: {told}.')
  out.print(terminal.titled(_sources(found)))
  out.print(terminal.titled(_totals(found)))
  for note in _notes(found):
    out.print(note)


def write(found: dry_run.DryRun, file: storage.PathLike) -> None:
  """Writes a row per run, all columns."""
  rows = [_columns(found, row) for row in [*found.rows, *found.confirmation]]
  sources = [
    name
    for kind in ('tokens', 'epochs')
    for name in sorted({n for row in rows for n in row if f'{kind}/' in n})
  ]
  others = [name for name in rows[0] if '/' not in name]
  text = io.StringIO()
  writer = csv.DictWriter(text, [*others, *sources], lineterminator='\n')
  writer.writeheader()
  writer.writerows(rows)
  storage.write_text(file, text.getvalue())


def _lines(rows: Sequence[dry_run.Row]) -> list[list[dry_run.Row]]:
  """Rows of a line of the table, in the order of the first of each."""
  fine = _grouped(rows, _alike)
  return fine if len(fine) <= _MAX_LINES else _grouped(rows, _similar)


def _grouped(
  rows: Sequence[dry_run.Row], key: Callable[[dry_run.Row], Any]
) -> list[list[dry_run.Row]]:
  groups: dict[Any, list[dry_run.Row]] = {}
  for row in rows:
    groups.setdefault(key(row), []).append(row)
  return list(groups.values())


def _alike(row: dry_run.Row) -> Any:
  plan = row.plan
  return (
    *(row.purposes, row.variants, plan.model, plan.num_tokens),
    *(plan.batch_size, plan.optimizer, row.own_tokens),
    repr(plan.schedule),
  )


def _similar(row: dry_run.Row) -> Any:
  shapes = tuple(
    tuple(sorted(f'{share:.4f}' for share in mixture.shares().values()))
    for stage in row.plan.schedule.stages
    for mixture in stage.mixtures
  )
  return row.purposes, row.variants, row.plan.model, shapes


_WHAT = ('tokens', 'batch', 'peak rate', 'epochs')
_PRICE = ('FLOPs', 'slice', 'chip-hours', 'dollars')
# Told once where all lines have the same.
_EQUAL = ('batch', 'peak rate', 'slice', 'chip-hours', 'dollars')


def _cells(
  study: sweep.StudyPlan, line: Sequence[dry_run.Row]
) -> dict[str, str]:
  """Numbers of one line, by heading."""
  whole = dry_run.total(line)
  first = line[0]
  most = max(max(row.drawn.epochs.values()) for row in line)
  rates = [row.plan.optimizer.peak_learning_rate for row in line]
  return {
    'tokens': _span([row.own_tokens for row in line], ladder.short_count),
    'batch': _span([row.plan.batch_size for row in line], str),
    'peak rate': _span(rates, '{:.2g}'.format),
    'epochs': f'{most:.3g}' if most >= 1e-3 else '<.001',
    'FLOPs': f'{whole.train_flops:.2e}',
    'slice': first.where.topology if first.where else '-',
    **_price(study, whole),
  }


def _print_runs(
  out: rich_console.Console,
  lines: Sequence[Sequence[dry_run.Row]],
  cells: Sequence[Mapping[str, str]],
  hidden: set[str],
) -> None:
  """Prints costs in a table below what they are of where both do not fit."""
  what, price = (
    [name for name in names if name not in hidden] for names in (_WHAT, _PRICE)
  )
  title = 'Runs (tokens of each, FLOPs and cost of all of a line)'
  whole = terminal.titled(_runs(title, lines, cells, [*what, *price]))
  needed = out.measure(whole, options=out.options.update(max_width=_ENDLESS))
  if needed.maximum <= out.width:
    out.print(whole)
    return
  out.print(terminal.titled(_runs('Runs (tokens of each)', lines, cells, what)))
  title = 'FLOPs and cost of all runs of a line'
  out.print(terminal.titled(_runs(title, lines, cells, price)))


def _runs(
  title: str,
  lines: Sequence[Sequence[dry_run.Row]],
  cells: Sequence[Mapping[str, str]],
  headings: Sequence[str],
) -> rich_table.Table:
  """A line per group."""
  names = ['for', 'mixture'] if 'tokens' in headings else ['for']
  found = terminal.table(title, ['', *names], ['runs', 'model', *headings])
  for number, (line, numbers) in enumerate(zip(lines, cells, strict=True), 1):
    texts = {'for': _label(line[0]), 'mixture': _mixtures(line)}
    found.add_row(
      str(number),
      *(rich_text.Text(texts[name]) for name in names),
      f'{len(line):,}',
      ladder.size_name(line[0].plan.model),
      *(numbers[heading] for heading in headings),
      style='bold red' if any(row.drawn.over_cap for row in line) else None,
    )
  return found


def _label(row: dry_run.Row) -> str:
  """Variants that end with a run, else those that go on from it."""
  if row.run.variants:
    return ', '.join(row.run.variants)
  if row.variants:
    first, *others = row.variants
    more = f' and {len(others)} more' if others else ''
    return f'before {first}{more}'
  return '+'.join(row.purposes)


def _mixtures(line: Sequence[dry_run.Row]) -> str:
  texts = list(dict.fromkeys(_schedule(row.plan.schedule) for row in line))
  if len(texts) == 1:
    return texts[0]
  shapes = list(
    dict.fromkeys(_schedule(row.plan.schedule, named=False) for row in line)
  )
  return shapes[0] if len(shapes) == 1 else f'{len(texts)} mixtures'


def _schedule(schedule: records.Schedule, named: bool = True) -> str:
  """Mixtures of the stages, each once where all are the same."""
  texts = [_stage(stage, named) for stage in schedule.stages]
  if len(set(texts)) == 1:
    return texts[0]
  return '; '.join(
    f'{stage.name} {text}'
    for stage, text in zip(schedule.stages, texts, strict=True)
  )


def _stage(stage: records.Stage, named: bool) -> str:
  texts = [_mixture(mixture, named) for mixture in stage.mixtures]
  return ' -> '.join(dict.fromkeys(texts))


def _mixture(mixture: records.MixtureRates, named: bool) -> str:
  shares = mixture.shares()
  if len(shares) > _NAMED_SOURCES:
    return f'{len(shares)} sources'
  if named and len(shares) == 1:
    return next(iter(shares))
  if named:
    return ', '.join(f'{100 * s:.3g}% {name}' for name, s in shares.items())
  if len(shares) == 1:
    return 'one source'
  return ':'.join(f'{100 * share:.3g}' for share in shares.values())


def _sources(found: dry_run.DryRun) -> rich_table.Table:
  endless = found.supply.kind == 'endless'
  rows = terminal.table(
    'Sources (the most that a run draws, with what earlier runs drew)',
    [''],
    (
      *([] if endless else ['supply']),
      'drawn',
      *([] if endless else ['epochs']),
      'at most',
      'must have',
    ),
  )
  for need in found.needs:
    known = (
      [] if need.supply is None else [ladder.short_count(int(need.supply))]
    )
    epochs = [] if need.epochs is None else [f'{need.epochs:.3f}']
    rows.add_row(
      rich_text.Text(need.source),
      *known,
      ladder.short_count(need.drawn_tokens),
      *epochs,
      f'{need.max_epochs:g}',
      ladder.short_count(-int(-need.needed_tokens // 1)),
      style='bold red' if need.refused else None,
    )
  return rows


def _totals(found: dry_run.DryRun) -> rich_table.Table:
  on_slices = found.total.chip_hours is not None
  hours = ['chip-hours', 'dollars'] if on_slices else []
  if found.total.worker_hours is not None:
    hours.append('hours of a worker')
  rows = terminal.table('Totals', [''], ('runs', 'tokens', 'FLOPs', *hours))

  def add(name: str, whole: dry_run.Total, style: str | None = None) -> None:
    cells = {
      **_price(found.study, whole),
      'hours of a worker': _hours(whole.worker_hours),
    }
    rows.add_row(
      rich_text.Text(name),
      f'{whole.runs:,}',
      ladder.short_count(whole.tokens),
      f'{whole.train_flops:.2e}',
      *(cells[name] for name in hours),
      style=style,
    )

  parts: list[dict[str, dry_run.Total]] = [
    {**found.by_purpose},
    {ladder.size_name(m): whole for m, whole in found.by_model.items()},
    {f'{name}, whole': whole for name, whole in found.by_variant.items()},
  ]
  for part in parts:
    if len(part) > 1:
      for name, whole in part.items():
        add(name, whole)
      rows.add_section()
  add('all, each run once', found.total, 'bold')
  return rows


def _notes(found: dry_run.DryRun) -> Iterator[str]:
  """What the tables do not say."""
  rows = [*found.rows, *found.confirmation]
  costs = [row.cost for row in rows if row.cost is not None]
  steps = {cost.step for cost in costs if cost.step is not None}
  if any(cost.num_chips for cost in costs):
    yield (
      'Chip-hours and dollars: from a step in which everything overlaps to one'
      ' in which nothing does, bounds and no measurements, without compilation,'
      ' evaluation and checkpoints; at'
      f' ${found.study.dollars_per_chip_hour:.2f} a chip-hour'
      ' (StudyPlan.dollars_per_chip_hour), to be checked.'
    )
  if steps:
    made = sorted({f'JAX {s.jax}, libtpu {s.libtpu}' for s in steps})
    yield f'Steps were compiled by {"; ".join(made)}.'
  number = sum(cost.basis == 'estimated' for cost in costs)
  if number:
    yield (
      f'~ {number:,} runs have no compiled step: estimated from FLOPs at the'
      ' MFU of the nearest size; --compile compiles theirs.'
    )
  if any(cost.basis == 'measured' for cost in costs):
    yield (
      f'Hours of a worker: at the rate of the {found.finished:,} finished runs.'
    )
  without = len(rows) - len(costs)
  if without:
    yield f'{without:,} runs have no slice and no finished run to time them by.'
  if any(len(row.purposes) > 1 for row in rows):
    yield 'A run of two purposes counts in both of their totals.'
  if found.by_variant:
    yield 'A variant is told with all that it starts from; variants share runs.'
  alone, together = found.from_scratch_flops, found.total.train_flops
  if together < alone:
    yield (
      f'Trained each by itself, the runs that are compared would cost'
      f' {alone:.2e} FLOPs: what they share saves {1 - together / alone:.1%}.'
    )
  if found.confirmation:
    yield (
      f'{len(found.confirmation):,} runs confirm rates that the study finds:'
      ' they are counted on equal rates, and checked when these are known.'
    )
  notes = list(dict.fromkeys(n for row in found.rows for n in row.drawn.notes))
  yield from notes


def _columns(found: dry_run.DryRun, row: dry_run.Row) -> dict[str, Any]:
  plan, record, cost = row.plan, row.drawn.record, row.cost
  epochs = row.drawn.epochs if found.supply.tokens else {}
  price = found.study.dollars_per_chip_hour
  hours = [_number(value) for value in cost.hours] if cost else ['', '']
  dollars = ['', '']
  if cost and cost.num_chips:
    dollars = [_number(price * hour) for hour in cost.hours]
  return {
    'run_id': row.run.run_id,
    'purposes': '+'.join(row.purposes),
    'variants': ', '.join(row.variants),
    'starts_from': sweep.earlier_run_id(plan) or '',
    'num_params': accounting.num_params(plan.model),
    'width': plan.model.width,
    'num_layers': plan.model.num_layers,
    'num_tokens': row.own_tokens,
    'num_tokens_seen': sum(record.tokens_seen(record.planned_tokens).values()),
    'num_steps': plan.num_steps - record.first_step,
    'batch_size': plan.batch_size,
    'sequence_length': plan.sequence_length,
    'peak_learning_rate': plan.optimizer.peak_learning_rate,
    'warmup_tokens': plan.schedule.warmup_tokens,
    'warmup_fraction': plan.schedule.warmup_fraction,
    'seed': plan.seed,
    'stages': _stages(plan.schedule),
    'train_flops': f'{row.train_flops:.6g}',
    'slice': row.where.topology if row.where else '',
    'chips': cost.num_chips if cost else '',
    'basis': cost.basis if cost else '',
    'compiled_batch_size': cost.step.batch_size if cost and cost.step else '',
    'hbm_gib': f'{row.step.hbm_gib:.2f}' if row.step else '',
    'hours_from': hours[0],
    'hours_to': hours[1],
    'dollars_from': dollars[0],
    'dollars_to': dollars[1],
    'refused': ', '.join(row.drawn.over_cap),
    **{f'tokens/{s}': n for s, n in record.planned_tokens.items()},
    **{f'epochs/{s}': f'{n:.6g}' for s, n in epochs.items()},
  }


def _stages(schedule: records.Schedule) -> str:
  """`main 4 constant 1: code/python 1; cooldown 1 linear 1 to 0: ...`."""
  return '; '.join(
    f'{stage.name} {stage.token_weight:g} {stage.learning_rate_shape}'
    f' {_rates([stage.start_factor, stage.end_factor])}:'
    f' {" -> ".join(dict.fromkeys(map(_shares, stage.mixtures)))}'
    for stage in schedule.stages
  )


def _rates(factors: Sequence[float]) -> str:
  return ' to '.join(dict.fromkeys(f'{factor:g}' for factor in factors))


def _shares(mixture: records.MixtureRates) -> str:
  shares: Mapping[str, float] = mixture.shares()
  return ', '.join(f'{source} {share:.6g}' for source, share in shares.items())


def _number(value: float) -> str:
  return f'{value:.6g}'


def _span(values: Sequence[float], form: Callable[[Any], str]) -> str:
  ends = dict.fromkeys(map(form, (min(values), max(values))))
  return ' to '.join(ends)


def _hours(hours: Sequence[float] | None) -> str:
  return '-' if hours is None else _span(hours, _three_digits)


def _price(study: sweep.StudyPlan, whole: dry_run.Total) -> dict[str, str]:
  """Chip-hours and dollars; ~ before what is partly an estimate."""
  if whole.chip_hours is None:
    return {'chip-hours': '-', 'dollars': '-'}
  price = study.dollars_per_chip_hour
  mark = '~' if whole.estimated else ''
  return {
    'chip-hours': mark + _hours(whole.chip_hours),
    'dollars': mark + _hours([price * hour for hour in whole.chip_hours]),
  }


def _three_digits(value: float) -> str:
  return f'{value:,.0f}' if value >= 99.5 else f'{value:.3g}'
