"""Numbers by name that only count in proportion: weights, priors, shares."""

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from codelaw import errors


def of(
  name: str, values: Mapping[str, float], known: Sequence[str], kind: str
) -> np.ndarray:
  """Numbers of at least 0, by name, as shares [len(known)] of their sum.

  Args:
    name: of the setting, for errors.
    values: entry -> number; equal shares when empty.
    known: entries there are; 0 where `values` has none.
    kind: what the entries are, for errors.

  Raises:
    UserError: for an unknown entry or a value that is no such number.
  """
  if not values:
    return np.full(len(known), 1 / len(known))
  unknown = sorted(set(values) - set(known))
  if unknown:
    raise errors.UserError(
      f'{name} names {", ".join(unknown)}, which is not among the {kind} of'
      f' the fits: {", ".join(known)}.'
    )
  numbers = np.array([values.get(entry, 0.0) for entry in known], float)
  if not (np.isfinite(numbers).all() and (numbers >= 0).all()):
    raise errors.UserError(
      f'{name} must be finite numbers of at least 0, got {dict(values)!r}.'
    )
  if not numbers.sum() > 0:
    raise errors.UserError(f'{name} must not all be 0, got {dict(values)!r}.')
  return numbers / numbers.sum()
