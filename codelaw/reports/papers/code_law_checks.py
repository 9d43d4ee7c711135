"""Checks of paper A's laws: exponents, limits, fit, fragility, Eq. 8.

Each takes the fits (`code_laws.Study`) and the published tables it is about.
"""

from collections.abc import Mapping
import math

import numpy as np
import pandas as pd

from codelaw.reports.papers import checks
from codelaw.reports.papers import code_laws
from codelaw.reports.papers import published

SURFACES, EXPONENTS = 'Drawn surfaces', 'Exponents of D'  # Names of checks.
_SAME = 1.05  # Ratio of errors from which one fit counts as worse.
_LAST_DECIMAL = 5e-5  # Rounding of the published file to four decimals.
_EXPONENTS = (('alpha_n', 'N'), ('alpha_d', 'D'))


def python_learns_fastest(printed: pd.DataFrame) -> checks.Check:
  """The text: Python has the highest exponents of all languages."""
  numbers, ranks = [], []
  for name, symbol in _EXPONENTS:
    values = printed.set_index('language')[f'printed_{name}']
    ranks.append(int(values.rank(ascending=False, method='min')['Python']))
    top = values.idxmax()
    numbers.append(
      (
        f'printed exponent of {symbol}',
        f'Python {values["Python"]:.3f} is rank {ranks[-1]} of {len(values)},'
        f' the highest is {top} {values[top]:.3f}',
      )
    )
  holds = all(rank == 1 for rank in ranks)
  return checks.Check(
    'Python learns fastest',
    'Python has the highest exponents of N and of D.',
    tuple(numbers),
    checks.outcome(holds),
    'Both printed exponents of Python are the highest.'
    if holds
    else f'Python is rank {ranks[0]} in the exponent of N and rank'
    f' {ranks[1]} in that of D by the printed labels.',
  )


def limits_below_losses(
  runs: pd.DataFrame, printed: pd.DataFrame
) -> checks.Check:
  """Eq. 1: no loss lies below L_inf."""
  lowest = runs.groupby('language')['loss'].min()
  limits = printed.set_index('language')['printed_l_inf']
  broken = [name for name in limits.index if limits[name] > lowest[name]]
  return checks.Check(
    'Irreducible losses',
    'L_inf is a limit that no loss of Eq. 1 goes below.',
    tuple(
      (name, f'L_inf {limits[name]:.3f}, lowest loss {lowest[name]:.4f}')
      for name in limits.index
    ),
    checks.outcome(not broken),
    f'The printed L_inf exceeds the lowest observed loss for {len(broken)} of'
    f' {len(limits)} languages ({", ".join(broken)}), which Eq. 1 rules out.'
    if broken
    else 'No observed loss lies below its printed L_inf.',
  )


def labels_fit_points(
  study: code_laws.Study, printed: pd.DataFrame
) -> checks.Check:
  """The printed parameters are those of the points."""
  numbers, worse, ratios = [], [], []
  for row in printed.to_dict('records'):
    name = row['language']
    rows = study.runs[study.runs['language'] == name]
    values = {key: row[f'printed_{key}'] for key in ('alpha_n', 'alpha_d')}
    with_labels = code_laws.fixed_rmse(
      rows, {**values, 'l_inf': row['printed_l_inf']}
    )
    fitted = study.as_drawn[name].diagnostics['rmse']
    ratios.append(with_labels / fitted)
    if ratios[-1] > _SAME:
      worse.append(name)
    numbers.append(
      (name, f'RMSE {with_labels:.4f} with the labels, {fitted:.4f} fitted')
    )
  return checks.Check(
    'Printed labels',
    'The labels of the figures are the parameters of the fitted laws.',
    tuple(numbers),
    checks.outcome(not worse),
    f'For {len(worse)} of {len(printed)} languages no A and B bring the printed'
    f' labels as close to the points as least squares is (RMSE up to'
    f' {max(ratios):.1f} times larger).'
    if worse
    else 'With the best A and B the printed labels fit as well as least'
    ' squares does.',
  )


def surfaces_are_least_squares(
  study: code_laws.Study, printed: pd.DataFrame
) -> checks.Check:
  """The drawn surfaces are least squares in the loss on all points."""
  pairs = {
    'A': 'surface_a',
    'B': 'surface_b',
    'alpha': 'surface_alpha_n',
    'beta': 'surface_alpha_d',
    'E': 'surface_l_inf',
  }
  table = printed.set_index('language')
  numbers, far = [], []
  for name, law in study.as_drawn.items():
    ours = code_laws.in_billions(law)
    drawn = {key: float(table.loc[name, pairs[key]]) for key in pairs}
    far += [
      f'{name} {key} {ours[key]:.4g} against {value:.4g}'
      for key, value in drawn.items()
      if abs(ours[key] - value) > max(_LAST_DECIMAL, _half_third_digit(value))
    ]
    numbers.append(
      (
        name,
        'largest relative difference'
        f' {max(abs(ours[key] / drawn[key] - 1) for key in pairs):.2%}',
      )
    )
  return checks.Check(
    SURFACES,
    'The drawn surfaces are Eq. 1 fitted by least squares to all points.',
    tuple(numbers),
    checks.outcome(not far),
    f'Plain least squares on the loss misses the surfaces: {"; ".join(far)}.'
    if far
    else 'Plain least squares on the loss gives the five parameters of every'
    ' drawn surface to 3 digits.',
  )


def _half_third_digit(value: float) -> float:
  """Half a unit of the third significant digit."""
  return 0.5 * 10.0 ** (math.floor(math.log10(value)) - 2)


def exponents_are_stable(study: code_laws.Study) -> checks.Check:
  """The exponent of D does not hang on the smallest token budget."""
  ways = sorted(
    (way for way in study.laws if way[0] == 'least_squares'),
    key=lambda way: way[1],
  )
  # language -> exponents of D, from all points to the largest budgets alone.
  betas = {
    name: [study.laws[way][name].estimates['beta'] for way in ways]
    for name in study.languages
  }
  first, second = ways[0], ways[1]
  moves = {}
  for name in study.languages:
    # An estimate from fewer points of one law moves by less than its own
    # standard error in all (Hausman 1978, Econometrica 46, p. 1254).
    error = max(
      study.laws[way][name].diagnostics['standard_errors']['beta']
      for way in (first, second)
    )
    moves[name] = (betas[name][0] - betas[name][1]) / error
  unstable = [name for name, move in moves.items() if abs(move) > 2]
  labels = [f'>= {way[1] / published.BILLION:g}B' for way in ways]
  spans = [
    f'{min(values):.2f}–{max(values):.2f}'
    for values in zip(*betas.values(), strict=True)
  ]
  return checks.Check(
    EXPONENTS,
    'The exponents are properties of the languages.',
    tuple(
      (f'alpha_D with D {label}', span)
      for label, span in zip(labels, spans, strict=True)
    ),
    checks.outcome(not unstable),
    f'Without the runs of {first[1] / published.BILLION:g}B tokens the exponent'
    f' of D moves by more than 2 standard errors for {len(unstable)} of'
    f' {len(moves)} languages, from {spans[0]} to {spans[1]}'
    + (f', and to {spans[-1]} with D {labels[-1]}' if len(spans) > 2 else '')
    + f': with D {labels[0]} it is the smallest budget that sets it.'
    if unstable
    else f'Leaving out the runs of less than'
    f' {second[1] / published.BILLION:g}B tokens moves no exponent of D by more'
    ' than 2 standard errors.',
  )


def optimum_is_a_mean(
  printed: pd.DataFrame, at_optimum: pd.DataFrame
) -> checks.Check:
  """Eq. 8's constants are p-weighted averages of the languages' own."""
  stated: Mapping[str, float] = at_optimum.set_index('parameter')['printed']
  numbers, outside = [], []
  for name, value in stated.items():
    own = printed[f'printed_{name}']
    low, high = float(own.min()), float(own.max())
    numbers.append(
      (str(name), f'{value:.4f}, languages {low:.3f} to {high:.3f}')
    )
    if not low <= value <= high:
      outside.append(str(name))
  return checks.Check(
    'Eq. 8',
    'At the chosen optimum each constant is a weighted average of the'
    " languages' printed ones (Eq. 6).",
    tuple(numbers),
    checks.outcome(not outside),
    f'{", ".join(outside)} of Eq. 8 lie outside the range of the printed'
    ' per-language values, where no weighted average can be.'
    if outside
    else 'All constants of Eq. 8 lie within the range of the languages.',
  )


def translation_law_is_finite(
  laws: pd.DataFrame, losses: pd.DataFrame
) -> checks.Check:
  """The law of paired training, as printed, describes losses one can see."""
  law = laws.set_index('setting').loc['paired_seen']
  size = float(losses['params_billions'].min())
  # Without the term in D, which only adds.
  printed = (
    law['printed_a'] * size ** -law['printed_alpha'] + law['printed_l_inf']
  )
  swapped = law['printed_a'] * size ** -law['printed_b'] + law['printed_l_inf']
  seen = float(losses['shuffled_loss'].max())
  holds = printed <= 10 * seen
  better = abs(np.log(swapped / seen)) < abs(np.log(printed / seen))
  return checks.Check(
    'Translation law of paired data',
    'L = A N^-a + B D^-b + L_inf with the printed constants.',
    (
      (f'at {size:g}B, as printed', f'at least {printed:,.4g} nats'),
      (f'at {size:g}B, B and a swapped', f'at least {swapped:.3f} nats'),
      ('largest published translation loss', f'{seen:.3f} nats'),
    ),
    checks.outcome(holds),
    'The printed constants give losses of the size of the published ones.'
    if holds
    else f'As printed it asks for {printed:,.0f} nats at {size:g}B parameters'
    f' where {seen:.2f} is the largest published loss'
    + (
      f'; with B and a swapped it asks for {swapped:.2f}: they are printed in'
      " each other's place."
      if better
      else '.'
    ),
  )
