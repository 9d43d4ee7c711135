"""pass@k: the chance that one of k samples of a problem is right.

Of n samples of a problem, c passed its tests. The estimator of Chen et al.
(2021, arXiv:2107.03374, Eq. 1), which is unbiased for every k <= n, is

  pass@k = 1 - C(n - c, k) / C(n, k) = 1 - prod_{i=0}^{k-1} (1 - c / (n - i))

the chance that k of the n, drawn without putting back, hold a right one. The
score of a problem set is its mean over problems.
"""

from collections.abc import Sequence
import math
import statistics

from codelaw import errors


def pass_at_k(num_samples: int, num_passed: int, k: int) -> float:
  """The unbiased estimate for one problem, between 0 and 1.

  The product is taken factor by factor, so that nothing overflows; the
  factors are ratios of whole numbers, and their product is exactly 0 or 1
  where it should be.

  >>> pass_at_k(num_samples=10, num_passed=3, k=1)
  0.3
  >>> pass_at_k(num_samples=5, num_passed=3, k=3)
  1.0

  Args:
    num_samples: n, at least k.
    num_passed: c, between 0 and n.
    k: at least 1.

  Raises:
    UserError: when k samples cannot be drawn from n.
  """
  check(num_samples, k)
  if not 0 <= num_passed <= num_samples:
    raise ValueError(
      f'num_passed must be between 0 and {num_samples}, got {num_passed}'
    )
  if num_passed == 0:
    return 0.0
  if k == 1:
    return num_passed / num_samples
  failed = num_samples - num_passed
  none_passed = 1.0
  for drawn in range(k):
    none_passed *= max(failed - drawn, 0) / (num_samples - drawn)
  return 1.0 - none_passed


def check(num_samples: int, k: int) -> None:
  """Raises `UserError` unless k samples can be drawn from `num_samples`."""
  if k < 1 or k > num_samples:
    raise errors.UserError(
      f'pass@{k} needs at least {max(k, 1)} samples of each problem and k of'
      f' at least 1; num_samples is {num_samples}. Raise num_samples or lower'
      ' k.'
    )


def mean_and_standard_error(
  estimates: Sequence[float],
) -> tuple[float, float | None]:
  """The score of a problem set.

  Args:
    estimates: of each problem, at least one.

  Returns:
    The mean, and its standard error over problems: their standard deviation
    (n - 1 in the denominator) over the square root of their number. That is
    the error for the population that the problems are a sample of; what more
    samples of the same problems would change is part of it. None for a single
    problem.
  """
  mean = math.fsum(estimates) / len(estimates)
  if len(estimates) == 1:
    return mean, None
  return mean, statistics.stdev(estimates) / math.sqrt(len(estimates))
