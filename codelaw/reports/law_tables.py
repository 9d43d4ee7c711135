"""Tables of fitted laws: estimates, how far to trust them, what moves them.

What a fit does not know (an older fit.json, a law compared with no other)
leaves its table out or its cell empty.
"""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import pandas as pd

from codelaw.laws import results
from codelaw.reports import predictions
from codelaw.reports import tables

_NOTED_CHANGE = 1.0  # Of an estimate, in its standard errors.
_AXES = (
  ('compute', 'compute'),
  ('num_params', 'N'),
  ('num_tokens', 'D'),
  ('mixtures', 'mixtures'),
)


def of(fits: Sequence[results.Fit]) -> tuple[tables.Table, ...]:
  """All tables about fits by themselves that have anything to show."""
  shown = (
    estimates(fits),
    quality(fits),
    *coefficients(fits),
    profiles(fits),
    influence(fits),
  )
  return tuple(table for table in shown if table.rows)


def estimates(fits: Sequence[results.Fit]) -> tables.Table:
  """One row per fit: its parameters with bootstrap intervals."""
  names = list(
    dict.fromkeys(p for fit in fits for p in fit.estimates if '/' not in p)
  )
  rows = tuple(
    (
      predictions.label(fit),
      fit.law,
      *(
        tables.band(fit.estimates.get(p), fit.intervals.get(p), '.3g')
        for p in names
      ),
    )
    for fit in fits
  )
  data = []
  for fit in fits:
    profile = fit.diagnostics.get('profile_intervals') or {}
    errors = fit.diagnostics.get('standard_errors') or {}
    for name, value in fit.estimates.items():
      low, high = fit.intervals.get(name, (None, None))
      profile_low, profile_high = profile.get(name) or (None, None)
      data.append(
        {
          **_key(fit),
          'parameter': name,
          'estimate': value,
          'low': low,
          'high': high,
          'profile_low': profile_low,
          'profile_high': profile_high,
          'standard_error': errors.get(name),
          'unit': fit.units.get(name),
        }
      )
  return tables.Table(
    'Estimates',
    f'Parameters with {fits[0].interval_level:.0%} bootstrap intervals.',
    ('target', 'law', *names),
    rows,
    pd.DataFrame(data),
  )


def _key(fit: results.Fit) -> dict[str, str]:
  return {'target': fit.target, 'group': fit.group, 'law': fit.law}


def quality(fits: Sequence[results.Fit]) -> tables.Table:
  """One row per fit: errors inside the fit and beyond it, identifiability."""
  left_out = [_extrapolation(fit) for fit in fits]
  axes = [
    (name, words)
    for name, words in _AXES
    if any(found.get(name) is not None for found in left_out)
  ]
  rows, data = [], []
  for fit, beyond in zip(fits, left_out, strict=True):
    found = fit.diagnostics
    numbers = {
      name: found.get(name)
      for name in ('rmse', 'r2', 'mean_relative_error', 'condition_number')
    }
    rows.append(
      (
        predictions.label(fit),
        fit.law,
        str(fit.num_points),
        f'{fit.num_starts_at_optimum}/{fit.num_starts}',
        tables.number(numbers['rmse'], '.4f'),
        tables.number(numbers['r2'], '.4f'),
        tables.number(numbers['mean_relative_error'], '.2%'),
        *(tables.number(beyond.get(name), '.2%') for name, _ in axes),
        tables.number(numbers['condition_number'], '.3g'),
        ', '.join(found.get('at_bound') or ()),
      )
    )
    data.append(
      {
        **_key(fit),
        'num_points': fit.num_points,
        'num_starts': fit.num_starts,
        'num_starts_at_optimum': fit.num_starts_at_optimum,
        'converged': fit.converged,
        'objective_name': fit.objective_name,
        'objective': fit.objective,
        **numbers,
        **{f'left_out_error_{name}': beyond.get(name) for name, _ in axes},
        'at_bound': ' '.join(found.get('at_bound') or ()),
      }
    )
  return tables.Table(
    'How well the laws fit',
    '"Error" is the mean of |predicted / measured - 1| over the fitted points;'
    ' "largest left out" is the same on the largest runs (by compute, size N'
    ' or tokens D) when the law is fitted without them. A large condition'
    ' number means that parameters trade off against each other.',
    (
      'target',
      'law',
      'points',
      'starts at optimum',
      'rmse (nats)',
      'R2',
      'error',
      *(f'largest left out: {words}' for _, words in axes),
      'condition',
      'at a bound',
    ),
    tuple(rows),
    pd.DataFrame(data),
  )


def _extrapolation(fit: results.Fit) -> dict[str, float | None]:
  found = dict(fit.diagnostics.get('extrapolation') or {})
  found.setdefault(
    'compute', fit.diagnostics.get('extrapolation_mean_relative_error')
  )
  return found


def coefficients(fits: Sequence[results.Fit]) -> Iterator[tables.Table]:
  """Yields a table per kind of per-source parameter, like tau."""
  kinds = dict.fromkeys(
    name.partition('/')[0]
    for fit in fits
    for name in fit.estimates
    if '/' in name
  )
  for kind in kinds:
    start = f'{kind}/'
    having = [
      fit for fit in fits if any(p.startswith(start) for p in fit.estimates)
    ]
    sources = sorted(
      {
        name.removeprefix(start)
        for fit in having
        for name in fit.estimates
        if name.startswith(start)
      }
    )
    rows, data = [], []
    for fit in having:
      cells = []
      for source in sources:
        name = start + source
        if name not in fit.estimates:
          cells.append('–')
          continue
        ends = fit.intervals.get(name)
        cells.append(tables.band(fit.estimates[name], ends, '.2g'))
        low, high = ends or (None, None)
        data.append(
          {
            **_key(fit),
            'parameter': kind,
            'source': source,
            'estimate': fit.estimates[name],
            'low': low,
            'high': high,
          }
        )
      rows.append((f'{predictions.label(fit)} ({fit.law})', *cells))
    meaning = {
      'tau': 'Tokens of the target that one token of the source is worth',
    }.get(kind, f'Parameter {kind} of the source in the law of the target')
    yield tables.Table(
      f'{kind} by source',
      f'{meaning}, with bootstrap intervals.',
      ('target', *sources),
      tuple(rows),
      pd.DataFrame(data),
    )


def comparison(fits: Sequence[results.Fit]) -> tables.Table:
  """One row per law of a target that was compared with others, best first."""
  known = [fit for fit in fits if predictions.held_out_error(fit) is not None]
  keys = [(fit.target, fit.group) for fit in known]
  order = list(dict.fromkeys(keys))
  compared = sorted(
    (fit for fit, key in zip(known, keys, strict=True) if keys.count(key) > 1),
    key=lambda fit: (
      order.index((fit.target, fit.group)),
      predictions.held_out_error(fit),
    ),
  )
  axes = [
    (name, words)
    for name, words in _AXES
    if any(_held_out(fit).get(name) is not None for fit in compared)
  ]
  rows, data = [], []
  for fit in compared:
    mean = fit.diagnostics['held_out_mean_relative_error']
    difference = fit.diagnostics.get('held_out_difference') or {}
    ends = difference.get('low'), difference.get('high')
    rows.append(
      (
        predictions.label(fit),
        fit.law,
        tables.number(mean, '.2%'),
        *(tables.number(_held_out(fit).get(name), '.2%') for name, _ in axes),
        tables.band(difference.get('mean'), ends, '+.2%'),
        _verdict(difference),
      )
    )
    data.append(
      {
        **_key(fit),
        'held_out_mean_relative_error': mean,
        **{f'held_out_{name}': _held_out(fit).get(name) for name, _ in axes},
        'difference_to': difference.get('to'),
        'difference': difference.get('mean'),
        'difference_low': ends[0],
        'difference_high': ends[1],
      }
    )
  return tables.Table(
    'Comparison of laws',
    'Error on points that the law was fitted without: their mean, and by what'
    ' was left out. "More than the first" is the difference to the best law of'
    ' the target; where its interval holds 0 the two cannot be told apart.',
    (
      'target',
      'law',
      'held-out error',
      *(words for _, words in axes),
      'more than the first',
      'verdict',
    ),
    tuple(rows),
    pd.DataFrame(data),
  )


def _held_out(fit: results.Fit) -> dict[str, float | None]:
  return dict(fit.diagnostics.get('held_out') or {})


def _verdict(difference: dict[str, Any]) -> str:
  if difference.get('low') is None or difference.get('high') is None:
    return ''
  if difference['low'] <= 0 <= difference['high']:
    return f'not told apart from {difference["to"]}'
  return f'{"worse" if difference["low"] > 0 else "better"}'


def profiles(fits: Sequence[results.Fit]) -> tables.Table:
  """Profile intervals beside the bootstrap ones, one row per parameter."""
  rows, data = [], []
  for fit in fits:
    profile = fit.diagnostics.get('profile_intervals') or {}
    for name, ends in profile.items():
      low, high = fit.intervals.get(name, (None, None))
      value = fit.estimates.get(name)
      rows.append(
        (
          f'{predictions.label(fit)} ({fit.law})',
          name,
          tables.number(value, '.4g'),
          _ends((low, high)),
          _ends(ends),
        )
      )
      data.append(
        {
          **_key(fit),
          'parameter': name,
          'estimate': value,
          'low': low,
          'high': high,
          'profile_low': ends[0],
          'profile_high': ends[1],
        }
      )
  return tables.Table(
    'Profile intervals',
    'Where the objective, refitted at every value of the parameter, rises too'
    ' far; dots mark an end that the runs leave open.',
    ('target', 'parameter', 'estimate', 'bootstrap', 'profile'),
    tuple(rows),
    pd.DataFrame(data),
  )


def _ends(ends: Sequence[float | None]) -> str:
  if all(end is None for end in ends):
    return ''
  low, high = (tables.number(end, '.3g') or '...' for end in ends)
  return f'{low} to {high}'


def influence(fits: Sequence[results.Fit]) -> tables.Table:
  """What leaving out a run, or all runs of a size, does to the estimates."""
  rows, data = [], []
  for fit in fits:
    for entry in fit.diagnostics.get('influence') or ():
      name = entry['parameter']
      data.append({**_key(fit), 'with_all': fit.estimates.get(name), **entry})
      if abs(entry['standard_errors']) < _NOTED_CHANGE:
        continue
      rows.append(
        (
          f'{predictions.label(fit)} ({fit.law})',
          entry['left_out'],
          str(entry['num_points']),
          name,
          tables.number(fit.estimates.get(name), '.4g'),
          tables.number(entry['estimate'], '.4g'),
          tables.number(entry['standard_errors'], '+.1f'),
        )
      )
  return tables.Table(
    'Influence of runs',
    'Estimates when runs are left out, and the change in standard errors:'
    ' beyond 2 or 3, those runs decide the estimate. Changes below'
    f' {_NOTED_CHANGE:g} are in the file only.',
    (
      'target',
      'left out',
      'points',
      'parameter',
      'with all',
      'without',
      'standard errors',
    ),
    tuple(rows),
    pd.DataFrame(data),
  )
