"""Tables of the runs: tokens, losses, where everything comes from."""

import pandas as pd

from codelaw.reports import figures
from codelaw.reports import study_folder
from codelaw.reports import tables

# Notes of a study that name the files generated from its allocation.
_GENERATED = ('mixture_gin', 'run_gin')


def tokens(study: study_folder.Study) -> tables.Table:
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
  return tables.Table(
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
    pd.DataFrame(
      [
        (purpose, source, *counts) for (purpose, source), counts in sums.items()
      ],
      columns=['purpose', 'source', 'runs', 'planned', 'realised'],
    ),
  )


def runs(rows: pd.DataFrame, study: study_folder.Study) -> tables.Table:
  """One row per run, from the final rows of the run table."""
  losses = [column for column in rows if str(column).startswith('loss/')]
  return tables.Table(
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
        _purpose(study, str(row['run_id'])),
        figures.short(row['num_params']),
        figures.short(row['num_tokens']),
        *(
          '' if pd.isna(row[column]) else f'{row[column]:.4f}'
          for column in losses
        ),
      )
      for row in rows.to_dict('records')
    ),
    rows.assign(purpose=[study.purposes.get(r, '') for r in rows['run_id']]),
  )


def _purpose(study: study_folder.Study, run_id: str) -> str:
  """What a run was for; of variants, which."""
  names = [
    name
    for comparison in study.comparisons
    for name, runs in comparison.variants.items()
    if run_id in runs
  ]
  return ', '.join((study.purposes.get(run_id, ''), *dict.fromkeys(names)))


def provenance(study: study_folder.Study) -> tables.Table:
  """Where the numbers come from."""
  rows = {'study folder': study.folder} if study.folder else {}
  for name, value in study.notes.items():
    if name in _GENERATED and study.allocation is None:
      continue  # They are named from the start, and written with its rates.
    if isinstance(value, (str, int, float)):
      rows[name.replace('_', ' ')] = str(value)
  every = study.every_fit
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
  return tables.Table(
    'Where the numbers come from',
    'Fingerprints name contents: equal fingerprints, equal files.',
    ('what', 'value'),
    tuple(rows.items()),
  )
