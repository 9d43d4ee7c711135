"""Transfer coefficients from Table 1 of paper A, and laws that hold them.

With effective data (the law `transfer`), a run on languages k and j with M
tokens each has the loss L_k(N, M (1 + tau_kj)), and the run on k twice has
L_k(N, M (1 + w)), w what a second epoch is worth. From the published gain
g_kj = (L[k+k] - L[k+j]) / L[k+k] follows tau_kj:

  L_k(N, M (1 + tau_kj)) = (1 - g_kj) L_k(N, M (1 + w)),
  tau_kj = (B / ((1 - g_kj) L_k(N, M (1 + w)) - E - A / N^alpha))^(1 / beta)
           / M - 1,
with E, A, B, alpha, beta of the fitted law of k. It has no value where no
number of tokens would give so low a loss. Limits of this derivation: N of
those runs is not printed; only the gain is used, so that a common factor on
all losses of a language does not matter; a gain that is not an effect of data
(a bad run, say) becomes a coefficient all the same. A tau above 1 says that a
token of another language is worth more than one of the language itself.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math

import numpy as np

from codelaw.laws import results
from codelaw.laws import synergy
from codelaw.reports.papers import published

PAIR_TOKENS = 64e9  # Of each language in a bilingual run of 128B tokens.
# Repeats of unique tokens are worth R* (1 - exp(-R / R*)) of them; R* for
# tokens by arXiv:2305.16264, section 6.
_REPEATS_SCALE = 15.387756
SECOND_EPOCH = _REPEATS_SCALE * (1 - math.exp(-1 / _REPEATS_SCALE))

# (target, auxiliary) -> tau; infinite where it has no value.
Coefficients = dict[tuple[str, str], float]


def size_of_loss(law: results.Fit, loss: float, num_tokens: float) -> float:
  """N at which a law has a loss; infinite where no size has."""
  e = law.estimates
  left = loss - e['E'] - e['B'] / num_tokens ** e['beta']
  return float((e['A'] / left) ** (1 / e['alpha'])) if left > 0 else math.inf


def implied_sizes(
  laws: Mapping[str, results.Fit], losses: Mapping[tuple[str, str], float]
) -> dict[str, float]:
  """N of the bilingual runs that each language's loss with itself implies."""
  tokens = PAIR_TOKENS * (1 + SECOND_EPOCH)
  return {
    name: size_of_loss(law, losses[name, name], tokens)
    for name, law in laws.items()
  }


def coefficients(
  laws: Mapping[str, results.Fit],
  entries: Sequence[synergy.Synergy],
  num_params: float,
) -> Coefficients:
  """The tau of all pairs, by the equation of this module.

  Args:
    laws: language -> law.
    entries: of Table 1.
    num_params: N of the bilingual runs.
  """
  found = {}
  for entry in entries:
    if entry.target == entry.auxiliary:
      continue
    e = laws[entry.target].estimates
    floor = e['E'] + e['A'] / num_params ** e['alpha']
    alone = PAIR_TOKENS * (1 + SECOND_EPOCH)
    left = (1 - entry.gain) * (floor + e['B'] / alone ** e['beta']) - floor
    found[entry.target, entry.auxiliary] = (
      float((e['B'] / left) ** (1 / e['beta']) / PAIR_TOKENS - 1)
      if left > 0
      else math.inf
    )
  return found


def laws_with_transfer(
  laws: Mapping[str, results.Fit],
  tau: Coefficients,
  strength: float,
) -> list[results.Fit]:
  """Laws `transfer` with coefficients strength * min(max(tau, 0), 1).

  The ceiling of 1: data of another language is no better than its own. The
  bootstrap estimates carry the uncertainty of the laws, not that of tau.
  """
  fits = []
  for name, law in laws.items():
    own = {
      f'tau/{other}': strength * min(max(tau[name, other], 0.0), 1.0)
      for other in laws
      if other != name
    }
    count = len(next(iter(law.bootstrap_estimates.values()), ()))
    extra = {key: (value,) * count for key, value in own.items()}
    fits.append(
      dataclasses.replace(
        law,
        law='transfer',
        target=f'loss/{name}',
        group='',
        estimates={**law.estimates, **own},
        bootstrap_estimates={**law.bootstrap_estimates, **extra}
        if count
        else {},
      )
    )
  return fits


def median_size(sizes: Mapping[str, float]) -> float:
  """The middle of the implied sizes."""
  return float(np.median(list(sizes.values())))


def in_words(sizes: Mapping[str, float]) -> str:
  """`0.11B (0.08B to 0.18B by language)`."""
  low, high = min(sizes.values()), max(sizes.values())
  return (
    f'{median_size(sizes) / published.BILLION:.2f}B'
    f' ({low / published.BILLION:.2f}B to {high / published.BILLION:.2f}B by'
    ' language)'
  )
