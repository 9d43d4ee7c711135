"""The tables of paper A's page."""

from collections.abc import Mapping
from collections.abc import Sequence

import pandas as pd

from codelaw.reports import tables
from codelaw.reports.papers import code_allocation
from codelaw.reports.papers import code_figures
from codelaw.reports.papers import code_laws
from codelaw.reports.papers import published
from codelaw.reports.papers import transfer

_COLUMNS = (
  ('A', 'surface_a', None),
  ('B', 'surface_b', None),
  ('alpha', 'surface_alpha_n', 'printed_alpha_n'),
  ('beta', 'surface_alpha_d', 'printed_alpha_d'),
  ('E', 'surface_l_inf', 'printed_l_inf'),
)


def laws(study: code_laws.Study, printed: pd.DataFrame) -> tables.Table:
  """Least squares on all points, with what is drawn and what is printed."""
  table = printed.set_index('language')
  rows = []
  for name, law in study.as_drawn.items():
    ours = code_laws.in_billions(law)
    cells = []
    for key, drawn, label in _COLUMNS:
      text = f'{ours[key]:.4f}\ndrawn {table.loc[name, drawn]:.4f}'
      if label:
        text += f', printed {table.loc[name, label]:.3f}'
      cells.append(text)
    rows.append(
      (
        name,
        *cells,
        f'{law.diagnostics["rmse"]:.4f}',
        f'{law.diagnostics["r2"]:.4f}',
      )
    )
  return tables.Table(
    'The seven laws by least squares',
    'L = E + A / N^alpha + B / D^beta, N and D in billions, fitted to all'
    ' points of a language; below, the parameters of the drawn surface and'
    ' the printed labels.',
    ('language', *(key for key, _, _ in _COLUMNS), 'RMSE', 'R2'),
    tuple(rows),
    _estimates(study),
  )


def robust_laws(study: code_laws.Study) -> tables.Table:
  """Log-Huber on all points, with intervals."""
  way = 'log_huber', min(way[1] for way in study.laws)
  names = [key for key, _, _ in _COLUMNS]
  rows = []
  for name, law in study.laws[way].items():
    ours = code_laws.in_billions(law)
    rows.append(
      (
        name,
        *(
          f'{ours[key]:.4f}'
          # A and B move with the exponents: their intervals mean little alone.
          + (
            '\n{:.3f} to {:.3f}'.format(*law.intervals[key])
            if key in law.intervals and key in ('alpha', 'beta', 'E')
            else ''
          )
          for key in names
        ),
        f'{law.diagnostics["rmse"]:.4f}',
        f'{law.diagnostics["r2"]:.4f}',
      )
    )
  return tables.Table(
    'The seven laws by log-Huber',
    'The same points with the Huber function of the log loss, which outliers'
    ' move less; with bootstrap intervals.',
    ('language', *names, 'RMSE', 'R2'),
    tuple(rows),
    _estimates(study),
  )


def ways(study: code_laws.Study) -> tables.Table:
  """How far the laws hang on the smallest budgets and on the objective."""
  rows = []
  most = study.runs['num_tokens'].max() / published.BILLION
  for way, found in study.laws.items():
    spans = [
      [law.estimates[key] for law in found.values()]
      for key in ('alpha', 'beta', 'E')
    ]
    rows.append(
      (
        code_figures.way_name(way),
        *(f'{min(span):.2f} to {max(span):.2f}' for span in spans),
        f'{study.held_out[way]:.2%}',
      )
    )
  return tables.Table(
    'Influence of the smallest token budgets',
    'Ranges over the seven languages. The last column is the mean relative'
    f' error on the runs of {most:g}B tokens of laws fitted without them: the'
    ' smaller, the better a law extrapolates.',
    ('fit', 'exponent of N', 'exponent of D', 'limit', f'error at {most:g}B'),
    tuple(rows),
    _estimates(study),
  )


def _estimates(study: code_laws.Study) -> pd.DataFrame:
  rows = []
  for (objective, least), found in study.laws.items():
    for name, law in found.items():
      row = {
        'language': name,
        'objective': objective,
        'least_tokens': least,
        **code_laws.in_billions(law),
      }
      for key, (low, high) in law.intervals.items():
        if key in ('alpha', 'beta', 'E'):
          row |= {f'{key}_low': low, f'{key}_high': high}
      rows.append(row)
  return pd.DataFrame(rows)


def coefficients(
  tau: transfer.Coefficients, names: Sequence[str]
) -> tables.Table:
  """Transfer coefficients that Table 1 implies."""
  return tables.Table(
    'Transfer that Table 1 implies',
    'Tokens of the target (row) that one token of the auxiliary (column) would'
    ' have to be worth, if the gain were an effect of data, by the laws that'
    ' extrapolate best; infinite: no number of tokens brings so low a loss.'
    ' Our allocations take at most 1.',
    ('target', *names),
    tuple(
      (
        target,
        *(
          '–'
          if target == other
          else f'{tau[target, other]:.2f}'.replace('inf', 'infinite')
          for other in names
        ),
      )
      for target in names
    ),
    pd.DataFrame(
      [
        {'target': target, 'auxiliary': other, 'tau': value}
        for (target, other), value in tau.items()
      ]
    ),
  )


def mixtures(found: code_allocation.Comparison) -> tables.Table:
  """What the laws predict for equal, published and our shares."""
  rows, data = [], []
  for strength, losses in found.mixtures.items():
    laws_of = code_allocation.strength_name(strength)
    for entry in losses:
      rows.append(
        (
          f'{entry.name}, by laws with {laws_of}',
          f'{entry.loss:.4f}',
          f'{entry.gain:+.5f}'
          if entry.low is None
          else f'{entry.gain:+.5f}\n{entry.low:+.5f} to {entry.high:+.5f}',
        )
      )
      data.append(
        {
          'strength': strength,
          'mixture': entry.name,
          'loss': entry.loss,
          'gain': entry.gain,
          'gain_low': entry.low,
          'gain_high': entry.high,
        }
      )
  return tables.Table(
    'Predicted losses',
    'Mean loss over the seven languages, nats per token, and the gain over'
    ' equal shares with its bootstrap interval, which holds the uncertainty of'
    ' the laws alone.',
    ('mixture', 'mean loss', 'gain over equal shares'),
    tuple(rows),
    pd.DataFrame(data),
  )


def assumptions(
  found: Mapping[str, Mapping[str, float]],
  names: Sequence[str],
  billions: float,
) -> tables.Table:
  """How far our shares hang on what the paper does not say.

  Args:
    found: assumption -> our rates.
    names: of the languages, in order.
    billions: of tokens there are.
  """
  return tables.Table(
    'Our tokens under other assumptions',
    'Billions of tokens per language: by the way of fitting, and by the size of'
    ' the bilingual runs, which the paper does not print (least, middle and'
    ' greatest size that their losses imply).',
    ('assumption', *names),
    tuple(
      (label, *(f'{billions * rates[name]:.1f}' for name in names))
      for label, rates in found.items()
    ),
  )
