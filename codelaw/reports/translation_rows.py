"""What a run table says about translation.

Its columns are `score/translation/<from>-<to>/<metric>`, with averages in the
place of the direction, and `score_standard_error/...` of the same names. A
direction was *seen* when the run was trained on its pairs: when a source
`parallel/<from>-<to>`, or `parallel/<name>/<from>-<to>`, has tokens.
Where a run is asked in several ways, a metric ends in `@<label>`, the label of
the task that asked (`Translation.label`).
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import re

import pandas as pd

AVERAGES = ('seen', 'unseen', 'all')
_SCORE = re.compile(r'score/translation/([^/]+)/([^/]+)')
_PAIRS = re.compile(r'tokens/parallel/(?:.+/)?([^-/]+-[^-/]+)')
_DIRECTION = re.compile(r'[^-/]+-[^-/]+')
# Of metrics -> what readers call them. They are shown in this order.
METRICS = {
  'nats_per_token': 'nats per token',
  'bleu': 'BLEU',
  'execution': 'passing the tests',
}
_LOWER_IS_BETTER = ('nats_per_token',)


@dataclasses.dataclass(frozen=True)
class Score:
  """A cell of a matrix, or an average over some of them.

  Attributes:
    value: of the metric.
    standard_error: None where it is not known.
  """

  value: float
  standard_error: float | None


@dataclasses.dataclass(frozen=True)
class Matrix:
  """One metric of one run in every direction.

  Attributes:
    run_id: of the run.
    name: what readers call the run.
    metric: its name.
    directions: (from, to) -> score.
    seen: directions that were trained on.
    averages: among `AVERAGES` -> score.
  """

  run_id: str
  name: str
  metric: str
  directions: dict[tuple[str, str], Score]
  seen: frozenset[tuple[str, str]]
  averages: dict[str, Score]


def kind(metric: str) -> str:
  """A metric without the label of how it was asked."""
  return metric.partition('@')[0]


def shown(metric: str) -> str:
  """A metric in words."""
  name, _, label = metric.partition('@')
  words = METRICS.get(name, name)
  return f'{words}, {label}' if label else words


def is_lower_better(metric: str) -> bool:
  """Whether it is a loss."""
  return kind(metric) in _LOWER_IS_BETTER


def by_metric(
  table: pd.DataFrame, names: Mapping[str, str] | None = None
) -> list[list[Matrix]]:
  """For every metric that a table has of any direction, its matrices.

  Args:
    table: of runs.
    names: run id -> what readers call the run, in the order in which they are
      shown; others follow, under their ids.
  """
  places = {run_id: place for place, run_id in enumerate(names or {})}
  found = {
    match[2]
    for name in table.columns
    if (match := _SCORE.fullmatch(name)) and _DIRECTION.fullmatch(match[1])
  }
  order = {name: place for place, name in enumerate(METRICS)}
  every = [
    sorted(
      _matrices(table, metric, names or {}),
      key=lambda one: places.get(one.run_id, len(places)),
    )
    for metric in sorted(
      found, key=lambda name: (order.get(kind(name), len(order)), name)
    )
  ]
  return [matrices for matrices in every if matrices]


def _matrices(
  table: pd.DataFrame, metric: str, names: Mapping[str, str]
) -> Iterator[Matrix]:
  """Of every run that has the metric, at its last step that has it."""
  columns = {
    match[1]: name
    for name in table.columns
    if (match := _SCORE.fullmatch(name)) and match[2] == metric
  }
  trained: dict[tuple[str, str], list[str]] = {}
  for name in table.columns:
    if match := _PAIRS.fullmatch(str(name)):
      trained.setdefault(_direction(match[1]), []).append(name)
  scored = table[table[list(columns.values())].notna().any(axis=1)]
  if 'step' in scored:
    scored = scored.sort_values('step', kind='stable')
  last = scored.drop_duplicates('run_id', keep='last').sort_index()
  for _, row in last.iterrows():
    found = {
      name: _score(row, column)
      for name, column in columns.items()
      if not pd.isna(row[column])
    }
    directions = {
      _direction(name): score
      for name, score in found.items()
      if _DIRECTION.fullmatch(name)
    }
    if not directions:
      continue
    run_id = str(row['run_id'])
    yield Matrix(
      run_id=run_id,
      name=names.get(run_id, run_id),
      metric=metric,
      directions=directions,
      seen=frozenset(
        pair
        for pair in directions
        if any(_number(row, name) > 0 for name in trained.get(pair, ()))
      ),
      averages={name: found[name] for name in AVERAGES if name in found},
    )


def languages(found: Sequence[Matrix]) -> list[str]:
  """All languages, those of most seen directions first."""
  counts: dict[str, int] = {}
  for matrix in found:
    for pair in matrix.directions:
      for name in pair:
        counts[name] = counts.get(name, 0) + (pair in matrix.seen)
  most = max(counts.values(), default=0)
  # A pivot is first; the others are in the order of their names.
  return sorted(counts, key=lambda name: (counts[name] < most, name))


def long(found: Sequence[Matrix]) -> pd.DataFrame:
  """One row per run, direction or average, and metric."""
  rows = []
  for matrix in found:
    names = {
      **{'-'.join(pair): score for pair, score in matrix.directions.items()},
      **matrix.averages,
    }
    seen = {'-'.join(pair) for pair in matrix.seen}
    rows += [
      {
        'run_id': matrix.run_id,
        'direction': name,
        'is_seen': None if name in matrix.averages else name in seen,
        'metric': matrix.metric,
        'value': score.value,
        'standard_error': score.standard_error,
      }
      for name, score in names.items()
    ]
  return pd.DataFrame(rows)


def _direction(name: str) -> tuple[str, str]:
  source, target = name.split('-')
  return source, target


def _score(row: pd.Series, column: str) -> Score:
  error = _number(row, column.replace('score/', 'score_standard_error/', 1))
  return Score(float(row[column]), None if pd.isna(error) else error)


def _number(row: pd.Series, column: str) -> float:
  return float(row[column]) if column in row.index else float('nan')
