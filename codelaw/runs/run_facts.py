"""Facts about runs that their events do not hold: size, tokens, shares.

Runs of other programs have no `run.json`. What a row of the run table needs
beyond losses comes from a small table, CSV or JSON, joined on the run id:

  run_id             as `codelaw collect` names the run
  num_params         all parameters
  tokens_per_step    tokens of one update; or else num_tokens and num_steps
  num_tokens         tokens of the whole run
  num_steps          updates of the whole run: its evaluation there is final;
                     without it, the last one is
  unique_tokens      of the data, however often it is repeated
  num_params_no_embed, flops_per_token, seed, share/<source>: optional, as
                     unique_tokens is

Where the events hold one of these, as a text or a hyperparameter of that name,
the table need not; where both do, the table counts. Tokens that the events
count step by step (`writers`) make tokens_per_step needless.
"""

from collections.abc import Mapping
import dataclasses
import json
import math
import os
from typing import Any

from codelaw import accounting
from codelaw import errors
from codelaw import storage
from codelaw.runs import table as run_table

_NUMBERS = (
  'num_params',
  'num_params_no_embed',
  'tokens_per_step',
  'num_tokens',
  'num_steps',
  'unique_tokens',
  'flops_per_token',
)
LOGGED = (*_NUMBERS, 'seed', 'share/.+')  # Patterns of texts in events.
_SHARE = 'share/'
_SHARE_TOLERANCE = 1e-3  # Shares in published tables are rounded.


@dataclasses.dataclass(frozen=True)
class RunFacts:
  """What is known of one run.

  Attributes:
    num_params: all parameters; None where it is not known.
    num_params_no_embed: without embedding and output projection, or None.
    tokens_per_step: of one update, or None.
    num_steps: of the whole run, or None.
    unique_tokens: of the data, or None.
    flops_per_token: 6 per parameter where nothing else is known.
    seed: or None.
    shares: source -> share of tokens; empty where they are not known.
  """

  num_params: int | None
  num_params_no_embed: int | None
  tokens_per_step: float | None
  num_steps: int | None
  unique_tokens: float | None
  flops_per_token: float | None
  seed: int | None
  shares: Mapping[str, float]


def read(path: storage.PathLike) -> dict[str, dict[str, Any]]:
  """Reads a table of facts: run id -> column -> value.

  Args:
    path: CSV or Parquet; or JSON, a list of objects or an object by run id.

  Raises:
    UserError: for a file that cannot be read, and run ids that occur twice or
      are missing.
  """
  where = os.fspath(path)
  if where.endswith('.json'):
    rows = _json_rows(where)
  else:
    table = run_table.load(where)
    rows = [
      {name: v for name, v in row.items() if v is not None and v != ''}
      for row in table.to_dict('records')
    ]
  found: dict[str, dict[str, Any]] = {}
  twice = []
  for number, given in enumerate(rows, start=1):
    row = {run_table.SHORT_NAMES.get(n, n): v for n, v in given.items()}
    run_id = str(row.get('run_id', '')).strip()
    if not run_id:
      raise errors.UserError(
        f'{where}, row {number}: expected a run_id, got none; each row of facts'
        ' is about one run.'
      )
    twice += [run_id] if run_id in found else []
    found[run_id] = row
  if twice:
    raise errors.UserError(
      f'{where} has several rows for {", ".join(sorted(set(twice)))}; expected'
      ' one per run.'
    )
  return found


def _json_rows(where: str) -> list[dict[str, Any]]:
  content = storage.read_json(where)
  if isinstance(content, dict):
    content = [
      {'run_id': run_id, **row} if isinstance(row, dict) else row
      for run_id, row in content.items()
    ]
  if not isinstance(content, list) or not all(
    isinstance(row, dict) for row in content
  ):
    raise errors.UserError(
      f'{where}: expected a list of objects with run_id, or an object by run'
      f' id; got {json.dumps(content)[:60]}.'
    )
  return content


def facts(
  run_id: str, given: Mapping[str, Any], logged: Mapping[str, str]
) -> RunFacts:
  """What is known of a run.

  Args:
    run_id: for messages.
    given: its row of the table of facts; empty if there is none.
    logged: fact -> text, from its events.

  Raises:
    UserError: for a value that is no positive number, and for shares that are
      none or do not sum to 1.
  """
  values: dict[str, float] = {}
  both = {**logged, **given}
  for name in (*_NUMBERS, 'sequences_per_step', 'sequence_length'):
    if name in both:
      values[name] = _number(run_id, name, both[name])
      if values[name] <= 0:
        raise errors.UserError(
          f'Facts about the run {run_id}: expected a positive {name}, got'
          f' {both[name]!r}.'
        )
  per_step = values.get('tokens_per_step')
  if per_step is None and {'num_tokens', 'num_steps'} <= set(values):
    per_step = values['num_tokens'] / values['num_steps']
  if per_step is None and 'sequences_per_step' in values:
    per_step = values['sequences_per_step'] * values.get(
      'sequence_length', math.nan
    )
    per_step = None if math.isnan(per_step) else per_step
  num_params = values.get('num_params')
  flops = values.get('flops_per_token')
  if flops is None and num_params is not None:
    flops = accounting.FLOPS_PER_PARAMETER_AND_TOKEN * num_params
  seed = _number(run_id, 'seed', both['seed']) if 'seed' in both else None
  return RunFacts(
    num_params=_whole(num_params),
    num_params_no_embed=_whole(values.get('num_params_no_embed')),
    tokens_per_step=per_step,
    num_steps=_whole(values.get('num_steps')),
    unique_tokens=values.get('unique_tokens'),
    flops_per_token=flops,
    seed=_whole(seed),
    shares=_shares(run_id, both),
  )


def _shares(run_id: str, both: Mapping[str, Any]) -> dict[str, float]:
  shares = {
    name.removeprefix(_SHARE): _number(run_id, name, value)
    for name, value in both.items()
    if name.startswith(_SHARE)
  }
  total = math.fsum(shares.values())
  if shares and (abs(total - 1) > _SHARE_TOLERANCE or min(shares.values()) < 0):
    raise errors.UserError(
      f'Facts about the run {run_id}: shares must be at least 0 and sum to 1,'
      f' got a sum of {total:.6g}.'
    )
  return {source: share / total for source, share in shares.items()}


def _number(run_id: str, name: str, value: Any) -> float:
  try:
    number = float(str(value).strip())
  except ValueError:
    number = math.nan
  if not math.isfinite(number):
    raise errors.UserError(
      f'Facts about the run {run_id}: expected a number for {name}, got'
      f' {value!r}.'
    )
  return number


def _whole(number: float | None) -> int | None:
  return None if number is None else round(number)
