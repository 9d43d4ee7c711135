"""Checks of paper A's mixtures: Eq. 6, Table 1, its allocation, its scores."""

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import pandas as pd

from codelaw.laws import results
from codelaw.laws import synergy
from codelaw.laws import synergy_patterns
from codelaw.reports.papers import checks
from codelaw.reports.papers import code_laws
from codelaw.reports.papers import proportion_law
from codelaw.reports.papers import published
from codelaw.reports.papers import transfer

GAMMAS = (0.0, 1.0, 10.0)  # Of Eq. 7, which the paper does not give.
_CORNER = 0.99
_MOST = 0.8  # Share of a gain that is "nearly all" of it.
_PERCENT_DIGITS = 0.024  # What losses of four digits leave open, in points.


def literal_optimum(
  laws: Mapping[str, results.Fit],
  entries: Sequence[synergy.Synergy],
  allocation: pd.DataFrame,
  num_params: float,
) -> checks.Check:
  """Minimising Eq. 6 gives the published allocation.

  Args:
    laws: language -> law as drawn.
    entries: of Table 1, for tau of Eq. 7, scaled so that the largest is 1.
    allocation: the published one.
    num_params: of the model it is for.
  """
  tokens = allocation['optimized_tokens_billions'].sum()
  estimates = {n: code_laws.in_billions(law) for n, law in laws.items()}
  names = list(estimates)
  tau = np.zeros((len(names), len(names)))
  for entry in entries:
    if entry.target in estimates and entry.auxiliary in estimates:
      place = names.index(entry.target), names.index(entry.auxiliary)
      tau[place] = entry.gain
  tau /= max(np.abs(tau).max(), 1e-12)
  stated = (
    allocation.set_index('language')['optimized_tokens_billions'] / tokens
  )
  numbers, largest = [], []
  for gamma in GAMMAS:
    law = proportion_law.of_estimates(estimates, tau, gamma)
    shares = proportion_law.optimum(
      law, num_params / published.BILLION, float(tokens)
    )
    top = int(np.argmax(shares))
    largest.append((names[top], float(shares[top])))
    numbers.append(
      (f'optimum with gamma {gamma:g}', f'{names[top]} {shares[top]:.1%}')
    )
  numbers.append(
    ('published', f'{stated.idxmax()} {stated.max():.1%}, all languages > 0')
  )
  corner = largest[0][1] > _CORNER
  return checks.Check(
    'Allocation from Eq. 6',
    'The published allocation minimises Eq. 6.',
    tuple(numbers),
    checks.outcome(not corner),
    f'Eq. 6 taken literally puts {largest[0][1]:.0%} on {largest[0][0]}, the'
    ' language of lowest limit: its dominant term is linear in the shares. An'
    ' allocation needs an objective per language.'
    if corner
    else f'Eq. 6 has its optimum inside: at most {largest[0][1]:.0%} on one'
    ' language.',
  )


def rust_is_cut(allocation: pd.DataFrame) -> checks.Check:
  """The abstract: Rust gets fewer tokens than under equal shares."""
  table = allocation.set_index('language')
  change = table['optimized_tokens_billions'] - table['uniform_tokens_billions']
  holds = bool(change['Rust'] < 0)
  least = change.idxmin()
  return checks.Check(
    'Tokens of Rust',
    'The optimised allocation takes tokens from Rust.',
    tuple((str(n), f'{v:+.2f}B') for n, v in change.sort_values().items()),
    checks.outcome(holds),
    f'Rust changes by {change["Rust"]:+.2f}B tokens; the language cut most is'
    f' {least} ({change[least]:+.2f}B).',
  )


def percentages_follow_losses(
  entries: Sequence[synergy.Synergy], stated: pd.DataFrame
) -> checks.Check:
  """Table 1: its percentages are those of its losses."""
  gains = {(e.target, e.auxiliary): 100 * e.gain for e in entries}
  gaps = {
    (row['target'], row['auxiliary']): abs(
      gains[row['target'], row['auxiliary']] - row['published_gain_percent']
    )
    for row in stated.dropna(subset='published_gain_percent').to_dict('records')
  }
  place = max(gaps, key=lambda pair: gaps[pair])
  holds = gaps[place] <= _PERCENT_DIGITS
  return checks.Check(
    'Table 1, percentages',
    'The percentages are (L[i+i] - L[i+j]) / L[i+i] of the losses (the'
    ' opposite sign of Eq. 2).',
    (
      ('pairs', str(len(gaps))),
      ('largest difference', f'{gaps[place]:.3f} points, {" + ".join(place)}'),
    ),
    checks.outcome(holds),
    f'The losses, re-assigned to the columns where they belong, meet all'
    f' {len(gaps)} printed percentages within {gaps[place]:.3f} points.'
    if holds
    else f'The losses miss the printed percentages by up to {gaps[place]:.2f}'
    ' points.',
  )


def rows_are_alike(entries: Sequence[synergy.Synergy]) -> checks.Check:
  """Table 1: no target's gains lie apart from the others'."""
  odd = synergy_patterns.odd_rows(entries)
  apart = [row for row in odd if row.apart]
  return checks.Check(
    'Table 1, rows',
    'Gains are effects of pairs of languages, of one size for all targets.',
    tuple(
      (
        row.target,
        f'gains {row.lowest:+.1%} to {row.highest:+.1%}, median'
        f' {row.median:+.1%}, robust z {row.robust_z:+.1f}',
      )
      for row in odd
    ),
    checks.outcome(not apart),
    '; '.join(
      f'{row.target} gains {row.lowest:.0%} to {row.highest:.0%} from any'
      f' auxiliary, the others {row.others_median:.1%} in the median'
      for row in apart
    )
    + ': an effect of that row, not of pairs.'
    if apart
    else "No row lies wholly apart from the others'.",
  )


def size_of_pairs(sizes: Mapping[str, float]) -> checks.Check:
  """Which N the bilingual runs had, which the paper does not print."""
  return checks.Check(
    'Table 1, model size',
    'The size of the bilingual runs is not printed.',
    tuple(
      (name, f'{size / published.BILLION:.3f}B') for name, size in sizes.items()
    ),
    checks.UNKNOWN,
    'By the laws of the 420 runs the losses of languages with themselves are'
    f' those of a model of {transfer.in_words(sizes)}.',
  )


def gains_are_data(tau: transfer.Coefficients) -> checks.Check:
  """Eq. 7: synergy acts as more tokens of the target."""
  values = np.array(list(tau.values()))
  never = int(np.isinf(values).sum())
  above = int((values > 1).sum()) - never
  holds = not never and not above
  return checks.Check(
    'Synergy as effective data',
    'Synergy acts as additional tokens of the target (Eq. 7).',
    (
      ('pairs', str(values.size)),
      ('worth at most one own token', str(values.size - above - never)),
      ('worth more than one own token', str(above)),
      ('more than any number of tokens', str(never)),
    ),
    checks.outcome(holds),
    'Every gain is what some number of tokens would bring.'
    if holds
    else f'By the laws of the 420 runs {above} of {values.size} gains of'
    ' Table 1 ask that a token of another language be worth more than one of'
    f' the language itself, and {never} exceed what any number of tokens'
    ' brings: they are no effect of data alone.',
  )


def gain_is_shared(
  scores: pd.DataFrame,
  metric: str,
  columns: tuple[str, str],
  name: str,
  claim: str,
) -> checks.Check:
  """A mean gain in a score comes from many languages and not from one.

  Args:
    scores: rows of languages (several rows each are averaged).
    metric: of the scores, in words.
    columns: before and after.
    name: of the check.
    claim: that is checked.
  """
  means = scores.groupby('language', sort=False)[list(columns)].mean()
  before, after = means[columns[0]], means[columns[1]]
  gain = after - before
  top = gain.idxmax()
  rest = [language for language in means.index if language != top]
  share = gain[top] / gain.sum() if gain.sum() > 0 else np.inf
  holds = share < _MOST
  return checks.Check(
    name,
    claim,
    (
      (
        f'mean {metric}',
        f'{before.mean():.2f} to {after.mean():.2f}',
      ),
      (
        f'without {top}',
        f'{before[rest].mean():.2f} to {after[rest].mean():.2f}',
      ),
      *((str(n), f'{value:+.2f}') for n, value in gain.items()),
    ),
    checks.outcome(bool(holds)),
    f'{top} makes {share:.0%} of the summed gain in {metric}: without it'
    f' the mean goes from {before[rest].mean():.2f} to'
    f' {after[rest].mean():.2f}. One seed.',
  )
