"""Run directories -> run table.

A row is an evaluation of a run: what its events hold at one step, beside what
its `run.json` says about the run or, for runs of other programs, a table of
facts (`run_facts`). Tokens and FLOPs are all that the parameters have seen and
cost: those of the run itself and, where it started from an earlier run's
checkpoint, those behind that. Tokens of the last evaluation of a finished run
come from `run.json`, which is exact; events hold float32. A run of another
program without any evaluation has a row per value of its training loss.

Scores of downstream tasks (`codelaw.scores`) are in the row of their step.
Where a run did not compute its held-out loss at a step, there is no such row,
because nothing says what the parameters had seen; that is reported.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from concurrent import futures
import dataclasses
import os
from typing import Any

import numpy as np
import pandas as pd

from codelaw import errors
from codelaw import records
from codelaw import scores as scores_lib
from codelaw import storage
from codelaw.runs import events
from codelaw.runs import folders
from codelaw.runs import other_runs
from codelaw.runs import reading
from codelaw.runs import recorded_runs
from codelaw.runs import tag_columns

_LEADING = (
  'run_id',
  'num_params',
  'num_params_no_embed',
  'num_tokens',
  'unique_tokens',
  'train_flops',
  'step',
  'stage',
  'is_final',
  'seed',
)


_PREFIXES = (
  *('share/', 'tokens/', 'loss/', 'bits_per_byte/'),
  *('score/', 'score_standard_error/'),
)
_TEXTS = ('run_id', 'stage')
_WHOLE = ('num_params', 'num_tokens', 'step')
_MAY_LACK = ('num_params_no_embed', 'unique_tokens', 'seed')


@dataclasses.dataclass(frozen=True)
class _Run:
  """A run folder: its record, if it has one, event files and scores."""

  folder: str
  run_id: str
  record: records.RunRecord | None
  files: Sequence[events.Found]
  scores: Mapping[int, Sequence[scores_lib.Score]] = dataclasses.field(
    default_factory=dict
  )


def collect(
  run_dirs: Sequence[storage.PathLike] | Mapping[str, str],
  report: events.Report = events.warn,
  *,
  facts: Mapping[str, Mapping[str, Any]] | None = None,
  mapping: tag_columns.TagMapping | None = None,
  cache: storage.PathLike | None = None,
  workers: int | None = None,
  progress: reading.Progress = reading.quiet,
) -> pd.DataFrame:
  """Reads run directories into one table, sorted by run and step.

  Args:
    run_dirs: run folders; or folder -> id for runs without `run.json`, which
      otherwise are called by the last part of their path. The order is
      irrelevant.
    report: called with one sentence for each run that is left out or is
      included without its end, because it still runs or failed, and for what
      was dropped from the events.
    facts: run id -> facts about runs without `run.json`, see `run_facts`.
    mapping: how tags of other programs are read, see `writers`.
    cache: file that keeps what was read for the next time; see `reading`.
    workers: processes; by default as many as are worth it.
    progress: called with what is done, and the part of it.

  Returns:
    The run table, see `codelaw.runs.table`. `train_flops` and `num_tokens`
    are those up to the row's step, with what the run inherited. An evaluation
    before the first update has no row. The table depends on neither cache nor
    workers.

  Raises:
    UserError: when a run id occurs in two directories, an event file or
      `run.json` is corrupt, facts are missing, a loss is a sum over tokens, or
      no directory holds an evaluation.
  """
  mapping = mapping or tag_columns.TagMapping()
  names = (
    dict(run_dirs)
    if isinstance(run_dirs, Mapping)
    else {os.fspath(d): folders.own_name(d) for d in run_dirs}
  )
  with futures.ThreadPoolExecutor(reading.THREADS) as pool:
    progress(f'{len(names)} folders', 0)
    runs = list(pool.map(_find, sorted(names), map(names.get, sorted(names))))
  _check_ids(runs)
  contents = reading.read(
    [file for run in runs for file in run.files],
    mapping.selection(),
    cache=cache,
    workers=workers,
    report=report,
    progress=progress,
  )
  parts: list[dict[str, Any]] = []
  others: list[other_runs.OtherRun] = []
  for run in runs:
    series = _series(run, contents, report)
    if run.record is not None:
      parts.append(
        recorded_runs.columns(
          run.folder, run.record, series, run.scores, mapping, report
        )
      )
      continue
    texts = {
      name: text
      for file in run.files
      for name, text in contents[file.path].texts.items()
    }
    given = (facts or {}).get(run.run_id, {})
    other = other_runs.read(
      run.folder, run.run_id, series, texts, given, mapping, report
    )
    others += [other] if other else []
  unused = sorted(set(facts or {}) - {run.run_id for run in runs})
  if unused:
    report(
      f'There are facts about runs that are not here: {", ".join(unused)}.'
    )
  other_runs.check(others)
  parts += [other_runs.columns(other, report) for other in others]
  parts = [part for part in parts if len(part['step'])]
  if not parts:
    raise errors.UserError(
      f'None of {len(names)} folders holds a run with an evaluation;'
      ' expected folders with run.json and eval/ events, as `codelaw train`'
      ' writes them, or with the events of another program.'
    )
  return _table(parts, report)


def _find(folder: str, run_id: str) -> _Run:
  if (storage.path(folder) / 'run.json').exists():
    record = records.read_run_record(folder)
    files = events.list_files(storage.path(folder) / 'eval')
    return _Run(folder, record.run_id, record, files, scores_lib.read(folder))
  return _Run(folder, run_id, None, folders.event_files(folder))


def _check_ids(runs: Sequence[_Run]) -> None:
  folder_of: dict[str, str] = {}
  for run in runs:
    if run.run_id in folder_of:
      raise errors.UserError(
        f'The run id {run.run_id} occurs twice, in'
        f' {folder_of[run.run_id]} and {run.folder}; leave one of them out, or'
        ' name a folder that holds both.'
      )
    folder_of[run.run_id] = run.folder


def _series(
  run: _Run, contents: Mapping[str, events.FileEvents], report: events.Report
) -> dict[str, events.Series]:
  """The series of a run; each of its folders is merged for itself."""
  series: dict[str, events.Series] = {}
  for prefix in dict.fromkeys(file.prefix for file in run.files):
    files = [file for file in run.files if file.prefix == prefix]
    series |= events.merge(
      os.path.dirname(files[0].path),
      files,
      [contents[file.path] for file in files],
      report,
    )
  return series


def _table(
  parts: Sequence[Mapping[str, Any]], report: events.Report
) -> pd.DataFrame:
  """Columns of all runs in the contract's order, sorted by run and step."""
  columns = _joined(parts)
  rows = list(
    zip(columns['run_id'].tolist(), columns['step'].tolist(), strict=True)
  )
  ordered = list(_LEADING)
  for name in _MAY_LACK:
    lacking = {
      run_id
      for (run_id, _), value in zip(rows, columns[name], strict=True)
      if value is None
    }
    if lacking:
      ordered.remove(name)
    if lacking and len(lacking) < len({run_id for run_id, _ in rows}):
      report(
        f'The table has no column {name}, because nothing says it for'
        f' {", ".join(sorted(lacking))}.'
      )
  for prefix in _PREFIXES:
    names = sorted(
      name
      for name in columns
      if f'{name}/' == prefix or name.startswith(prefix)
    )
    ordered += names
    if names and prefix == 'share/':
      _check_shares(rows, [columns[name] for name in names])
    if prefix in ('share/', 'tokens/'):
      for name in names:
        # A source that a run did not use has share 0.
        columns[name] = np.nan_to_num(columns[name])
  order = sorted(range(len(rows)), key=rows.__getitem__)
  return pd.DataFrame(
    {name: _typed(name, columns[name][order]) for name in ordered}
  )


def _typed(name: str, values: np.ndarray) -> Any:
  if name in _TEXTS:
    return values.tolist()
  if name in (*_WHOLE, *_MAY_LACK) or name.startswith('tokens/'):
    return values.astype(np.int64)
  return values.astype(bool) if name == 'is_final' else values


def _joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
  """Columns of all runs, one after the other; what a run lacks is NaN."""
  sizes = [len(part['step']) for part in parts]
  columns: dict[str, np.ndarray] = {}
  start = 0
  for part, size in zip(parts, sizes, strict=True):
    for name, values in part.items():
      if name not in columns:
        kind = object if name in (*_TEXTS, *_MAY_LACK) else float
        columns[name] = np.full(sum(sizes), np.nan, kind)
      columns[name][start : start + size] = values
    start += size
  return columns


def _check_shares(
  rows: Sequence[tuple[str, int]], shares: Sequence[np.ndarray]
) -> None:
  """Raises `UserError` that lists runs without shares beside runs with them."""
  lacking = np.isnan(np.array(shares)).all(axis=0).tolist()
  without = {run_id for (run_id, _), n in zip(rows, lacking, strict=True) if n}
  if without:
    raise errors.UserError(
      'Some runs have shares of sources, but nothing says those of'
      f' {", ".join(sorted(without))}; give them as columns share/<source>'
      ' of the table of facts, or leave these runs out.'
    )
