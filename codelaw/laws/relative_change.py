"""How much a score changes against a baseline, and how surely.

  change = 100 (a / b - 1) percent, of a variant's score a and a baseline's b

Its interval is Fieller's (1954, J. R. Stat. Soc. B 16, 175): the ratios rho
for which a - rho b does not differ from 0. It is exact for normal errors where
the delta method fails: with a baseline that may be 0 it has no upper end.
"""

import math

_NOTHING = 1e-12  # of the square of a baseline; what rounding leaves of 0


def change(variant: float, baseline: float) -> float:
  """Relative change in percent; infinite or none (NaN) over a baseline of 0.

  >>> change(53.9, 49.0)
  10.0
  """
  if baseline == 0:
    return math.inf if variant > 0 else math.nan
  return round(100 * (variant / baseline - 1), 9)


def interval(
  variant: float,
  baseline: float,
  variances: tuple[float, float, float],
  quantile: float,
) -> tuple[float, float]:
  """Ends of the interval of the relative change, in percent.

  Args:
    variant: its score, at least 0.
    baseline: its score, at least 0.
    variances: of the variant, of the baseline, and their covariance.
    quantile: half width of the interval in standard errors.

  Returns:
    (low, high); -100 at least, as scores are not negative; infinite where the
    baseline is too uncertain to set an end.

  >>> [round(end, 1) for end in interval(5.0, 0.4, (1.0, 0.01, 0.0), 2.0)]
  [552.9, 2580.5]
  >>> interval(5.0, 0.4, (1.0, 0.04, 0.0), 2.0)[1]
  inf
  """
  of_variant, of_baseline, covariance = variances
  square = quantile**2
  # rho^2 A - 2 rho B + C <= 0.
  A = baseline**2 - square * of_baseline
  B = variant * baseline - square * covariance
  C = variant**2 - square * of_variant
  root = math.sqrt(max(B**2 - A * C, 0.0))
  if _NOTHING * baseline**2 < A:
    low, high = (B - root) / A, (B + root) / A
  elif A < 0 and B**2 > A * C:
    # All but what lies between the roots; of ratios of at least 0, those from
    # the greater root on.
    low, high = max((B - root) / A, (B + root) / A), math.inf
  else:
    low, high = 0.0, math.inf
  return 100 * (max(low, 0.0) - 1), 100 * (high - 1)
