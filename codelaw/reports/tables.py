"""The tables of a report, as text cells ready to show."""

from collections.abc import Sequence
import dataclasses
from typing import Any

import pandas as pd

from codelaw.laws import forms
from codelaw.laws import results
from codelaw.laws import synergy as synergy_lib
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import confirmation as confirmation_lib
from codelaw.reports import figures
from codelaw.reports import study_folder


@dataclasses.dataclass(frozen=True)
class Table:
  """Headings and rows of text; the first column names the row.

  Attributes:
    title: of the table.
    caption: one sentence on how to read it.
    headings: one per column.
    rows: cells, as many as headings; an interval is a second line.
    data: the same numbers unrounded, to download; None where the cells are
      all there is.
  """

  title: str
  caption: str
  headings: tuple[str, ...]
  rows: tuple[tuple[str, ...], ...]
  data: pd.DataFrame | None = None


def _band(value: float, ends: Sequence[float | None] | None, form: str) -> str:
  """A value, and its interval on a second line."""
  text = format(value, form)
  if not ends or None in ends:
    return text
  low, high = (format(end, form) for end in ends)
  return f'{text}\n{low} to {high}'


def _number(value: Any, form: str) -> str:
  return '' if value is None else format(value, form)


def fits(fits_: Sequence[results.Fit]) -> Table:
  """One row per fit: estimates with intervals and how sure they are."""
  names = list(
    dict.fromkeys(p for fit in fits_ for p in fit.estimates if '/' not in p)
  )
  grouped = any(fit.group for fit in fits_)
  rows = []
  for fit in fits_:
    diagnostics = fit.diagnostics
    rows.append(
      (
        forms.source_of(fit.target) + (f' ({fit.group})' if grouped else ''),
        fit.law,
        *(
          _band(fit.estimates[p], fit.intervals.get(p), '.3g')
          if p in fit.estimates
          else ''
          for p in names
        ),
        str(fit.num_points),
        f'{fit.num_starts_at_optimum}/{fit.num_starts}',
        _number(diagnostics.get('rmse'), '.4f'),
        _number(diagnostics.get('extrapolation_mean_relative_error'), '.2%'),
      )
    )
  level = f'{fits_[0].interval_level:.0%}'
  return Table(
    'Estimates',
    f'With {level} bootstrap intervals; "extrapolation" is the mean'
    ' relative error on the largest runs when they are left out of the fit.',
    (
      'target',
      'law',
      *names,
      'points',
      'starts at optimum',
      'rmse (nats)',
      'extrapolation',
    ),
    tuple(rows),
  )


def coefficients(fits_: Sequence[results.Fit]) -> list[Table]:
  """One table per kind of per-source parameter, like tau: target x source."""
  kinds = dict.fromkeys(
    name.partition('/')[0]
    for fit in fits_
    for name in fit.estimates
    if '/' in name
  )
  tables = []
  for kind in kinds:
    having = [
      fit
      for fit in fits_
      if any(p.startswith(f'{kind}/') for p in fit.estimates)
    ]
    sources = sorted(
      {
        name.partition('/')[2]
        for fit in having
        for name in fit.estimates
        if name.startswith(f'{kind}/')
      }
    )
    rows = []
    for fit in having:
      cells = []
      for source in sources:
        name = f'{kind}/{source}'
        cells.append(
          _band(fit.estimates[name], fit.intervals.get(name), '.2g')
          if name in fit.estimates
          else '–'
        )
      rows.append((f'{forms.source_of(fit.target)} ({fit.law})', *cells))
    meaning = {
      'tau': 'Tokens of the target that one token of the source is worth',
    }.get(kind, f'Parameter {kind} of the source in the law of the target')
    tables.append(
      Table(
        f'{kind} by source',
        f'{meaning}, with bootstrap intervals.',
        ('target', *sources),
        tuple(rows),
      )
    )
  return tables


def synergy(entries: Sequence[synergy_lib.Synergy]) -> Table:
  """One row per measured pair."""
  noise = ', '.join(sorted({entry.noise_from for entry in entries}))
  return Table(
    'Gains of pairs',
    'Gain of the target when half of its tokens are replaced by the auxiliary,'
    f' at equal total tokens; noise of a run from: {noise}.',
    ('target', 'auxiliary', 'gain', 'loss alone', 'loss in pair', 'cells'),
    tuple(
      (
        entry.target,
        entry.auxiliary,
        _band(entry.gain, (entry.low, entry.high), '+.2%'),
        f'{entry.baseline_loss:.4f}',
        f'{entry.loss:.4f}',
        str(entry.num_cells),
      )
      for entry in entries
    ),
  )


def allocation_rates(found: allocation_lib.Allocation) -> Table:
  """One row per source."""
  return Table(
    'Allocated rates',
    f'Shares of tokens with {found.interval_level:.0%} bootstrap bands over'
    f' {found.num_bootstraps} fits; optimality residual'
    f' {found.optimality_residual:.1e}, {found.num_starts_at_optimum} of'
    f' {found.num_starts} starts agree.',
    ('source', 'rate', 'uniform', 'limits', 'tokens', 'epochs'),
    tuple(
      (
        name,
        _band(share.rate, (share.low, share.high), '.4f'),
        f'{share.uniform_rate:.4f}',
        f'{share.floor:.3g} to {share.ceiling:.3g}',
        f'{share.num_tokens:,.0f}',
        _number(share.epochs, '.2f'),
      )
      for name, share in found.sources.items()
    ),
  )


def allocation_losses(found: allocation_lib.Allocation) -> Table:
  """One row per target."""
  return Table(
    'Predicted losses',
    f'Nats per token, with {found.interval_level:.0%} bootstrap intervals.',
    ('target', 'law', 'weight', 'allocated', 'uniform'),
    tuple(
      (
        name,
        target.law,
        f'{target.weight:.3f}',
        _band(target.loss, (target.low, target.high), '.4f'),
        f'{target.uniform_loss:.4f}',
      )
      for name, target in found.targets.items()
    ),
  )


def confirmation_runs(found: confirmation_lib.Confirmation) -> Table:
  """One row per pair of runs."""
  return Table(
    'Confirmation runs',
    'Weighted held-out loss of each pair, nats per token.',
    (
      'seed',
      'uniform',
      'allocated',
      'difference',
      'uniform run',
      'allocated run',
    ),
    tuple(
      (
        str(before.seed),
        f'{before.objective:.4f}',
        f'{after.objective:.4f}',
        f'{after.objective - before.objective:+.4f}',
        before.run_id,
        after.run_id,
      )
      for before, after in zip(
        found.arms['uniform'], found.arms['allocated'], strict=True
      )
    ),
  )


def tokens(study: study_folder.Study) -> Table:
  """Planned and realised tokens of every source, summed by purpose of run."""
  sums: dict[tuple[str, str], list[int]] = {}
  for record in study.run_records:
    purpose = study.purposes.get(record.run_id, 'run')
    for source in {**record.planned_tokens, **record.realised_tokens}:
      entry = sums.setdefault((purpose, source), [0, 0, 0])
      entry[0] += 1
      entry[1] += record.planned_tokens.get(source, 0)
      entry[2] += record.realised_tokens.get(source, 0)
  exact = all(
    record.realised_tokens == record.planned_tokens
    for record in study.run_records
  )
  return Table(
    'Planned and realised tokens'
    + (f': equal in all {len(study.run_records)} runs' if exact else ''),
    'Training tokens without padding, summed over the runs of a purpose; the'
    ' difference should be 0 everywhere.',
    ('purpose', 'source', 'runs', 'planned', 'realised', 'difference'),
    tuple(
      (
        purpose,
        source,
        str(count),
        f'{planned:,}',
        f'{realised:,}',
        f'{realised - planned:,}',
      )
      for (purpose, source), (count, planned, realised) in sums.items()
    ),
  )


def runs(rows: pd.DataFrame, study: study_folder.Study) -> Table:
  """One row per run, from the final rows of the run table."""
  losses = [column for column in rows if str(column).startswith('loss/')]
  return Table(
    'Runs',
    'Final evaluation of every run; losses in nats per token.',
    (
      'run',
      'purpose',
      'parameters',
      'tokens',
      *(str(column).removeprefix('loss/') for column in losses),
    ),
    tuple(
      (
        str(row['run_id']),
        study.purposes.get(str(row['run_id']), ''),
        figures.short(row['num_params']),
        figures.short(row['num_tokens']),
        *(
          '' if pd.isna(row[column]) else f'{row[column]:.4f}'
          for column in losses
        ),
      )
      for row in rows.to_dict('records')
    ),
  )


def provenance(study: study_folder.Study) -> Table:
  """Where the numbers come from."""
  rows = {'study folder': study.folder}
  for name, value in study.notes.items():
    if isinstance(value, (str, int, float)):
      rows[name.replace('_', ' ')] = str(value)
  every = (*study.fits, *study.mixture_fits)
  collected = {
    'fitted tables': {fit.table_fingerprint for fit in every},
    'codelaw of the fits': {fit.codelaw_version for fit in every},
    'shards': {r.manifest_fingerprint for r in study.run_records},
    'tokenizer': {r.tokenizer_fingerprint for r in study.run_records},
    'code revision': {r.code_revision for r in study.run_records},
    'hardware': {
      ', '.join(f'{k} {v}' for k, v in sorted(r.hardware.items()))
      for r in study.run_records
    },
    'FLOPs': {r.flops_convention for r in study.run_records},
  }
  for name, values in collected.items():
    if values:
      rows[name] = '; '.join(sorted(values))
  if study.run_records:
    seconds = sum(record.wall_seconds for record in study.run_records)
    rows['training time'] = (
      f'{len(study.run_records)} runs, {seconds / 3600:.2f} hours in all'
    )
  return Table(
    'Where the numbers come from',
    'Fingerprints name contents: equal fingerprints, equal files.',
    ('what', 'value'),
    tuple(rows.items()),
  )
