"""Whether differences are more than noise, one by one and many at once.

Definitions owned here:
  p-value: two-sided, of a difference with a standard error whose noise was
    estimated with some degrees of freedom (Student's t; normal when they are
    infinite).
  adjusted p-value: Benjamini and Hochberg (1995), which bounds the expected
    share of false findings among all findings. It holds for independent tests
    and for positively dependent ones, as differences to one shared baseline
    are (Benjamini and Yekutieli 2001, doi:10.1214/aos/1013699998).
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def quantile(level: float, degrees_of_freedom: float) -> float:
  """Half width of a two-sided interval, in standard errors.

  >>> round(quantile(0.9, float('inf')), 4)
  1.6449
  """
  return float(stats.t.ppf(0.5 * (1 + level), degrees_of_freedom))


def p_value(
  difference: float, standard_error: float, degrees_of_freedom: float
) -> float:
  """Two-sided p-value of no difference.

  A standard error of 0 leaves no doubt: 0, or 1 for no difference at all.

  >>> round(p_value(1.6449, 1.0, float('inf')), 3)
  0.1
  """
  if standard_error == 0:
    return float(difference == 0)
  statistic = abs(difference) / standard_error
  return float(2 * stats.t.sf(statistic, degrees_of_freedom))


def adjusted(p_values: Sequence[float]) -> list[float]:
  """Benjamini and Hochberg's adjusted p-values, in the order given.

  >>> adjusted([0.01, 0.2, 0.03])
  [0.03, 0.2, 0.045]
  """
  if not p_values:
    return []
  return [float(p) for p in stats.false_discovery_control(p_values)]


def combined_freedom(
  errors: Sequence[float], degrees_of_freedom: Sequence[float]
) -> float:
  """Degrees of freedom of sqrt(sum of errors^2), by Welch and Satterthwaite.

  >>> combined_freedom([1.0, 1.0], [4.0, 4.0])
  8.0
  """
  squares = np.square(errors)
  total = np.sum(squares)
  parts = np.sum(squares**2 / np.asarray(degrees_of_freedom, dtype=float))
  return float(total**2 / parts) if parts > 0 else float('inf')
