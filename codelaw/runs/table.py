"""The run table: reading with checks, writing without loss, fingerprint.

One row per (run, evaluation step), identified by `run_id` and `step`:

  run_id, num_params, num_params_no_embed, num_tokens, unique_tokens,
  train_flops, step, stage, is_final, seed, share/<source>...,
  tokens/<source>..., loss/<eval>..., bits_per_byte/<eval>...,
  score/<task>/<metric>..., score_standard_error/<task>/<metric>...

A cell of a loss or a score may be empty: it was not evaluated there.
Also read: tables with the columns `C, N, D, loss`, and a pair of `ratios.csv`
(one share per source) and `metrics.csv` (one loss per evaluation) joined on
`run`. Floats are written with all their digits, so that a law fitted to a
table and to its file is the same to the last bit.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import csv
import io
import math
import os
import re

import pandas as pd

from codelaw import errors
from codelaw import storage

_POSITIVE = (
  *('num_params', 'num_params_no_embed'),
  *('num_tokens', 'unique_tokens', 'train_flops'),
)
_NUMERIC = (*_POSITIVE, 'step', 'seed')
_MAY_BE_EMPTY = ('loss', 'bits_per_byte', 'score/', 'score_standard_error/')
_NUMERIC_PREFIXES = ('share/', 'tokens/', *_MAY_BE_EMPTY)
SHORT_NAMES = {
  'C': 'train_flops',
  'N': 'num_params',
  'D': 'num_tokens',
  'run': 'run_id',
}
_RATIO_LABELS = ('run_id', 'name', 'index')
_MAPPING = re.compile(r'([^:,]+):([^,*]+?)(?:\*([^,]+))?')
# Of the index of a table, as pandas writes it and reads it back.
_NAMELESS = re.compile(
  r'|Unnamed: \d+(?:_level_\d+|\.\d+)?|__index_level_\d+__'
)
_SHOWN = 10
_WHOLE_FLOAT = re.compile(r'(-?\d+)\.0+')
_SHARE_TOLERANCE = 1e-3  # Shares in published tables are rounded.


def write(path: storage.PathLike, table: pd.DataFrame) -> None:
  """Writes a table as CSV or, by its suffix, Parquet; whole or not at all."""
  if os.fspath(path).endswith('.parquet'):
    storage.write_bytes(path, table.to_parquet(index=False))
  else:
    storage.write_text(path, table.to_csv(index=False))


def read(
  path: storage.PathLike, columns: Mapping[str, tuple[str, float]] | None = None
) -> pd.DataFrame:
  """Reads and checks a run table.

  Args:
    path: CSV or Parquet; or `ratios.csv,metrics.csv`, joined on `run`.
    columns: wanted column -> (column of the file, factor), as
      `parse_columns` returns; the file's other columns are kept.

  Returns:
    The table. A file without `run_id` gets one run per row; columns of
    numbers are float64 or int64.

  Raises:
    UserError: for a file that cannot be read, a column that is missing, a
      value that is no number (with row and column), a value out of range, a
      (run_id, step) that occurs twice, and ids without a partner in a pair.
  """
  names = os.fspath(path).split(',')
  if len(names) == 2:
    table = _join(*(_rename(load(name), columns, name) for name in names))
  elif len(names) == 1:
    table = _rename(load(names[0]), columns, names[0])
  else:
    raise errors.UserError(
      f'Expected one table, or ratios.csv,metrics.csv; got {path}.'
    )
  where = os.fspath(path)
  if table.empty:
    raise errors.UserError(f'{where} has no rows.')
  if 'run_id' not in table:
    width = len(str(len(table)))
    ids = [f'row-{row:0{width}}' for row in range(1, len(table) + 1)]
    table.insert(0, 'run_id', ids)
  table['run_id'] = table['run_id'].astype(str)
  # At once: pandas warns of a table whose many columns were put in singly.
  table = pd.DataFrame({name: _column(table, name, where) for name in table})
  check_unique(table, where)
  return table


def _column(table: pd.DataFrame, name: str, where: str) -> pd.Series | list:
  """A column with its values as what they are."""
  if name == 'is_final':
    return [_truth(v, name, r, where) for r, v in _cells(table, name)]
  if name != 'run_id' and (_is_numeric(name) or _parses(table[name])):
    return _numbers(table, name, where)
  return table[name]


def parse_columns(text: str) -> dict[str, tuple[str, float]]:
  """Parses `wanted:given*factor,...`, as `--columns` takes it.

  >>> parse_columns('num_params:params_billions*1e9,loss:nats')
  {'num_params': ('params_billions', 1000000000.0), 'loss': ('nats', 1.0)}

  Raises:
    UserError: when the text has another shape.
  """
  result = {}
  for part in text.split(','):
    match = _MAPPING.fullmatch(part.strip())
    try:
      factor = float(match.group(3) or 1) if match else math.nan
    except ValueError:
      factor = math.nan
    if match is None or not math.isfinite(factor):
      raise errors.UserError(
        f'Expected WANTED:GIVEN or WANTED:GIVEN*FACTOR, like'
        f' num_params:params_billions*1e9; got {part!r}.'
      )
    result[match.group(1).strip()] = (match.group(2).strip(), factor)
  return result


def fingerprint(table: pd.DataFrame) -> str:
  """Fingerprint of the values of a table; the order of rows is irrelevant."""
  columns = [
    table[name].tolist()
    if name == 'is_final' or not pd.api.types.is_numeric_dtype(table[name])
    else table[name].astype('float64').tolist()
    for name in table.columns
  ]
  rows = sorted(repr(row) for row in zip(*columns, strict=True))
  return storage.fingerprint([list(table.columns), rows])


def check_unique(table: pd.DataFrame, where: str) -> None:
  """Raises `UserError` listing the ids whose (run_id, step) occur twice."""
  keys = ['run_id', 'step'] if 'step' in table else ['run_id']
  twice = table.loc[table.duplicated(keys), 'run_id']
  if len(twice):
    raise errors.UserError(
      f'{where} has several rows for {_listed(twice)} at the same'
      f' {" and ".join(keys)}; a run may occur once per evaluation step.'
    )


def load(name: str) -> pd.DataFrame:
  """Reads a CSV or Parquet file as it is; the values of a CSV are texts.

  What other programs leave around a table is taken away: columns without a
  name, which are its index, blanks around names and values, and empty lines.
  The values may be separated by commas, semicolons or tabs.

  Raises:
    UserError: for a file that cannot be read, and rows of another length.
  """
  path = storage.path(name)
  try:
    content = path.read_bytes()
  except OSError as error:
    raise errors.UserError(
      f'Cannot read the table {name}: {error.strerror or error}.'
    ) from error
  try:
    if name.endswith('.parquet'):
      table = pd.read_parquet(io.BytesIO(content))
      return table if table.index.name is None else table.reset_index()
    rows = _rows(content.decode('utf-8-sig'))
  except (ValueError, OSError, csv.Error) as error:
    raise errors.UserError(
      f'{name} cannot be read as a table: {error}.'
    ) from error
  if not rows:
    raise errors.UserError(f'{name} is empty.')
  (_, header), *body = rows
  for number, row in body:
    if len(row) != len(header):
      raise errors.UserError(
        f'{name}, line {number}: expected {len(header)} values, got {len(row)}.'
      )
  kept = [i for i, label in enumerate(header) if not _NAMELESS.fullmatch(label)]
  names = [header[i] for i in kept]
  if len(set(names)) < len(names):
    raise errors.UserError(f'{name} has two columns of one name: {names}.')
  values = [[row[i] for i in kept] for _, row in body]
  return pd.DataFrame(values, columns=names, dtype=object)


def _rows(text: str) -> list[tuple[int, list[str]]]:
  """(line, values without blanks around them) of each line with values."""
  header = text.split('\n', 1)[0]
  delimiter = max(',;\t', key=header.count)
  reader = csv.reader(io.StringIO(text), delimiter=delimiter)
  return [
    (reader.line_num, [value.strip() for value in row])
    for row in reader
    if any(value.strip() for value in row)
  ]


def _rename(
  table: pd.DataFrame,
  columns: Mapping[str, tuple[str, float]] | None,
  where: str,
) -> pd.DataFrame:
  renamed = table.rename(
    columns={
      short: name
      for short, name in SHORT_NAMES.items()
      if short in table and name not in table
    }
  )
  if 'run_id' in renamed:
    renamed['run_id'] = _ids(renamed['run_id'], where)
  for wanted, (given, factor) in (columns or {}).items():
    if given not in table:
      raise errors.UserError(
        f'{where} has no column {given!r}, which was named for {wanted};'
        f' its columns are {", ".join(table.columns)}.'
      )
    if wanted != given and given in renamed:
      renamed = renamed.drop(columns=given)
    renamed[wanted] = table[given]
    if factor != 1:
      renamed[wanted] = _numbers(renamed, wanted, where) * factor
  return renamed


def _ids(values: pd.Series, where: str) -> list[str]:
  """Run ids as texts; whole numbers that became floats are whole again."""
  ids = ['' if value is None else str(value) for value in values]
  empty = [row for row, text in enumerate(ids, 1) if text in ('', 'nan')]
  if empty:
    raise errors.UserError(
      f'{where} has no run id in {"rows" if len(empty) > 1 else "row"}'
      f' {", ".join(map(str, empty[:_SHOWN]))}'
      f'{", ..." if len(empty) > _SHOWN else ""}; expected one per row.'
    )
  whole = [_WHOLE_FLOAT.fullmatch(text) for text in ids]
  return [match[1] for match in whole if match] if all(whole) else ids


def _join(ratios: pd.DataFrame, metrics: pd.DataFrame) -> pd.DataFrame:
  for table, name in ((ratios, 'ratios'), (metrics, 'metrics')):
    if 'run_id' not in table:
      raise errors.UserError(f'The table of {name} has no column `run`.')
    check_unique(table, f'The table of {name}')
  left, right = set(ratios['run_id']), set(metrics['run_id'])
  if left != right:
    raise errors.UserError(
      'The tables of ratios and metrics must hold the same runs; without'
      f' metrics: {_listed(left - right)}; without ratios:'
      f' {_listed(right - left)}.'
    )
  ratios = ratios.rename(
    columns={
      name: f'share/{name}'
      for name in ratios
      if name not in _RATIO_LABELS and not _is_numeric(name)
    }
  )
  shares = [name for name in ratios if name.startswith('share/')]
  for name in shares:
    ratios[name] = _numbers(ratios, name, 'The table of ratios')
  sums = ratios[shares].sum(axis=1)
  wrong = (sums - 1).abs() > _SHARE_TOLERANCE
  if wrong.any():
    raise errors.UserError(
      'Shares must sum to 1; in the table of ratios they do not for'
      f' {_listed(ratios.loc[wrong, "run_id"])}.'
    )
  metrics = metrics.rename(
    columns={
      name: f'loss/{name}'
      for name in metrics
      if name not in _RATIO_LABELS
      and not _is_numeric(name)
      and _has_numbers(metrics[name])
    }
  )
  repeated = [n for n in metrics if n in ratios and n != 'run_id']
  return ratios.merge(metrics.drop(columns=repeated), on='run_id')


def _is_numeric(name: str) -> bool:
  return name in _NUMERIC or name.startswith(_NUMERIC_PREFIXES)


def _has_numbers(values: pd.Series) -> bool:
  """Whether a column is more than a label: any of its values is a number."""
  return pd.to_numeric(values, errors='coerce').notna().any()


def _cells(table: pd.DataFrame, name: str):
  return zip(table['run_id'], table[name], strict=True)


def _parses(values: pd.Series) -> bool:
  try:
    values.astype(float)
  except (ValueError, TypeError):
    return False
  return True


def _numbers(table: pd.DataFrame, name: str, where: str) -> pd.Series:
  """The column as numbers, whole where all are whole; checked."""
  numbers = []
  for row, value in enumerate(table[name], start=1):
    place = f'{where}, row {row}, column {name}'
    empty = value is None or value == '' or value != value
    if empty and name.startswith(_MAY_BE_EMPTY):
      numbers.append(math.nan)
      continue
    try:
      number = float(value)
    except (TypeError, ValueError):
      number = math.nan
    if not math.isfinite(number):
      ids = table['run_id'].tolist() if 'run_id' in table else None
      of_run = f' for the run {ids[row - 1]}' if ids else ''
      raise errors.UserError(
        f'{place}: expected a number, got'
        f' {"nothing" if empty else repr(value)}{of_run}.'
      )
    if name in _POSITIVE and number <= 0:
      raise errors.UserError(
        f'{place}: expected a positive number, got {value!r}.'
      )
    if name.startswith('share/') and not -1e-9 <= number <= 1 + 1e-9:
      raise errors.UserError(
        f'{place}: expected a share from 0 to 1, got {value!r}.'
      )
    numbers.append(number)
  series = pd.Series(numbers, index=table.index, dtype='float64')
  if name in ('step', 'seed') or name.startswith('tokens/'):
    return series.astype('int64')
  return series


def _truth(value, name: str, row: str, where: str) -> bool:
  text = str(value).strip().lower()
  if text not in ('true', 'false', '1', '0'):
    raise errors.UserError(
      f'{where}, run {row}, column {name}: expected True or False, got'
      f' {value!r}.'
    )
  return text in ('true', '1')


def _listed(ids: Sequence[str] | set[str] | pd.Series) -> str:
  return ', '.join(sorted(set(map(str, ids)))) or '(none)'
