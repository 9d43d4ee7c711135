"""Paper A's laws, fitted again to its 420 published points.

Laws are Eq. 1 of arXiv:2512.13472, the law `chinchilla` per language. Owns the
choice among fits: the one that, fitted without the largest token budget,
predicts that budget best.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

import numpy as np
import pandas as pd
from scipy import optimize

from codelaw.laws import diagnostics
from codelaw.laws import fitting
from codelaw.laws import forms
from codelaw.laws import predict
from codelaw.laws import results
from codelaw.laws import synergy
from codelaw.reports.papers import published

# How a law was fitted: (objective, least tokens of the runs).
Way = tuple[str, float]
# language -> its law.
Laws = dict[str, results.Fit]


@dataclasses.dataclass(frozen=True)
class Study:
  """All fits of the page.

  Attributes:
    runs: the published points, see `published.runs`.
    laws: way -> language -> law.
    held_out: way -> mean relative error on the runs with the most tokens, of
      laws fitted without them; mean over languages.
  """

  runs: pd.DataFrame
  laws: Mapping[Way, Laws]
  held_out: Mapping[Way, float]

  @property
  def languages(self) -> tuple[str, ...]:
    """In the order of the published table."""
    return tuple(self.runs['language'].unique())

  @property
  def as_drawn(self) -> Laws:
    """Least squares on all points: what the paper's surfaces follow."""
    return self.laws['least_squares', min(way[1] for way in self.laws)]

  @property
  def best_way(self) -> Way:
    """The way with the least held-out error."""
    return min(self.held_out, key=lambda way: self.held_out[way])

  @property
  def best(self) -> Laws:
    """The laws fitted in the best way."""
    return self.laws[self.best_way]


def fit(
  runs: pd.DataFrame,
  least_tokens: Sequence[float],
  settings: fitting.FitSettings,
  objectives: Sequence[str] = ('least_squares', 'log_huber'),
) -> Study:
  """Fits every language in every way.

  Args:
    runs: of `published.runs`.
    least_tokens: of the runs that are fitted; the smallest takes all.
    settings: how to fit, but for the objective.
    objectives: of `solver.OBJECTIVES`.
  """
  most = runs['num_tokens'].max()
  inside, outside = (
    runs[runs['num_tokens'] < most],
    runs[runs['num_tokens'] == most],
  )
  laws, held_out = {}, {}
  for objective in objectives:
    own = dataclasses.replace(settings, objective=objective)
    bare = dataclasses.replace(own, num_bootstraps=0)
    for least in least_tokens:
      laws[objective, least] = _by_language(runs, least, own)
      held_out[objective, least] = float(
        np.mean(
          [
            _error(law, outside[outside['language'] == language])
            for language, law in _by_language(inside, least, bare).items()
          ]
        )
      )
  return Study(runs, laws, held_out)


def _by_language(
  runs: pd.DataFrame, least: float, settings: fitting.FitSettings
) -> Laws:
  law = forms.law('chinchilla')
  chosen = runs[runs['num_tokens'] >= least]
  return {
    str(language): fitting.fit(law, rows, 'loss', settings, str(language))
    for language, rows in chosen.groupby('language', sort=False)
  }


def _error(law: results.Fit, rows: pd.DataFrame) -> float:
  observed = rows['loss'].to_numpy()
  return diagnostics.mean_relative_error(observed, predict.at(law, rows)[0])


def in_billions(law: results.Fit) -> dict[str, float]:
  """Estimates E, A, B, alpha, beta with N and D in billions.

  A_b = A / 1e9^alpha and B_b = B / 1e9^beta, the units of the paper.
  """
  return {
    **law.estimates,
    'A': law.estimates['A'] / published.BILLION ** law.estimates['alpha'],
    'B': law.estimates['B'] / published.BILLION ** law.estimates['beta'],
  }


def fixed_rmse(runs: pd.DataFrame, printed: Mapping[str, float]) -> float:
  """Least RMSE that exponents and limit allow, over all A, B >= 0.

  The paper prints alpha_n, alpha_d and l_inf without A and B; with those
  three fixed the law is linear in A and B.

  Args:
    runs: of one language.
    printed: `alpha_n`, `alpha_d`, `l_inf`.
  """
  terms = np.stack(
    [
      (runs['num_params'] / published.BILLION) ** -printed['alpha_n'],
      (runs['num_tokens'] / published.BILLION) ** -printed['alpha_d'],
    ],
    axis=1,
  )
  excess = runs['loss'].to_numpy() - printed['l_inf']
  _, norm = optimize.nnls(terms, excess)
  return float(norm / np.sqrt(len(runs)))


def noise_at_most_tokens(runs: pd.DataFrame) -> dict[str, synergy.Noise]:
  """Noise of one run's log loss, by language, from the largest token budget.

  There are no repeated seeds. At one number of tokens the law is
  E' + A / N^alpha with E' = E + B / D^beta; the scatter about it holds what
  the seed does, and what this curve in N misses.
  """
  found = {}
  most = runs['num_tokens'].max()
  for language, rows in runs[runs['num_tokens'] == most].groupby('language'):
    sizes = rows['num_params'].to_numpy() / published.BILLION
    losses = rows['loss'].to_numpy()

    def residuals(
      values: np.ndarray, sizes: np.ndarray = sizes, losses: np.ndarray = losses
    ) -> np.ndarray:
      limit, scale, exponent = np.exp(values)
      return np.log(limit + scale * sizes**-exponent) - np.log(losses)

    start = np.log([0.5 * losses.min(), 0.5 * losses.min(), 0.3])
    solution = optimize.least_squares(residuals, start)
    free = len(losses) - start.size
    found[str(language)] = synergy.Noise(
      float(np.sqrt(2 * solution.cost / free)),
      free,
      f'residuals over sizes at {most / published.BILLION:g}B tokens',
    )
  return found
