"""Eq. 6 and 7 of arXiv:2512.13472, taken literally, and their optimum.

  L(N, D; p) = A N^-alpha(p) + B D_x^-beta(p) + E(p),
  D_x = D (1 + gamma sum_{i != j} p_i p_j tau_ij),
with alpha(p), beta(p), E(p) the p-weighted averages of the languages' own.
"""

from collections.abc import Mapping
import dataclasses

import numpy as np
from scipy import optimize

_NUM_RANDOM_STARTS = 8


@dataclasses.dataclass(frozen=True)
class ProportionLaw:
  """Eq. 6 and 7 with their constants; N and D in billions.

  Attributes:
    languages: in the order of all arrays.
    A: one for all languages.
    B: one for all languages.
    alpha: exponents of N [K].
    beta: exponents of D [K].
    E: limits [K].
    tau: synergies [K, K], zero on the diagonal.
    gamma: their weight.
  """

  languages: tuple[str, ...]
  A: float
  B: float
  alpha: np.ndarray
  beta: np.ndarray
  E: np.ndarray
  tau: np.ndarray
  gamma: float

  def loss(self, shares: np.ndarray, params: float, tokens: float) -> float:
    """L at shares p [K], N and D.

    >>> law = ProportionLaw(('a', 'b'), 1.0, 1.0, np.ones(2), np.ones(2),
    ...                     np.array([0.5, 1.5]), np.zeros((2, 2)), 0.0)
    >>> law.loss(np.array([0.5, 0.5]), 2.0, 4.0)
    1.75
    """
    diversity = 1 + self.gamma * shares @ self.tau @ shares
    effective = tokens * max(float(diversity), 1e-9)
    return float(
      self.A * params ** -(self.alpha @ shares)
      + self.B * effective ** -(self.beta @ shares)
      + self.E @ shares
    )


def of_estimates(
  estimates: Mapping[str, Mapping[str, float]],
  tau: np.ndarray,
  gamma: float,
) -> ProportionLaw:
  """The law of the languages' own estimates.

  Eq. 6 needs one A and one B, which the paper does not give: their geometric
  means over languages are taken.

  Args:
    estimates: language -> E, A, B, alpha, beta in billions.
    tau: [K, K].
    gamma: of Eq. 7.
  """

  def values(name: str) -> np.ndarray:
    return np.array([entry[name] for entry in estimates.values()])

  return ProportionLaw(
    tuple(estimates),
    float(np.exp(np.mean(np.log(values('A'))))),
    float(np.exp(np.mean(np.log(values('B'))))),
    values('alpha'),
    values('beta'),
    values('E'),
    tau,
    gamma,
  )


def optimum(law: ProportionLaw, params: float, tokens: float) -> np.ndarray:
  """Shares p [K] of least loss, from equal, single and random starts."""
  count = len(law.languages)
  generator = np.random.default_rng(0)
  starts = [
    np.full(count, 1 / count),
    *(0.94 * np.eye(count) + 0.06 / count),
    *generator.dirichlet(np.ones(count), _NUM_RANDOM_STARTS),
  ]
  found = [
    optimize.minimize(
      law.loss,
      start,
      (params, tokens),
      method='SLSQP',
      bounds=[(0, 1)] * count,
      constraints={'type': 'eq', 'fun': lambda shares: shares.sum() - 1},
      options={'ftol': 1e-12},
    )
    for start in starts
  ]
  shares = np.clip(min(found, key=lambda result: result.fun).x, 0, 1)
  return shares / shares.sum()
