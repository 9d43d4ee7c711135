"""The set of rates an allocation may choose from: limits on the simplex.

Owns the order of the sources in arrays of rates, and feasibility: rates are
non-negative, sum to one, and lie between a floor and a ceiling per source;
the ceiling also keeps a source from being repeated more than it may be.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math

import numpy as np

from codelaw import errors

# A run rounds its tokens to whole batches, and each source to whole
# sequences; the last percent of a supply is kept for that.
SUPPLY_USED = 0.99
_TOLERANCE = 1e-9


@dataclasses.dataclass(frozen=True)
class Limits:
  """Floors and ceilings of the rates, in the order of `sources`.

  Attributes:
    sources: names, sorted.
    lower: least rates, float64 [S].
    upper: greatest rates, float64 [S].
    supply_bound: sources whose ceiling is set by their supply.
  """

  sources: tuple[str, ...]
  lower: np.ndarray
  upper: np.ndarray
  supply_bound: frozenset[str]

  def project(self, rates: np.ndarray) -> np.ndarray:
    """The nearest feasible rates [S] (Euclidean) to any point [S].

    clip(rates - shift, lower, upper), with the shift for which they sum to 1
    found by bisection: the sum falls as the shift grows.
    """
    low = float(np.min(rates - self.upper))
    high = float(np.max(rates - self.lower))
    for _ in range(100):  # halves to the last bit of a float64
      shift = (low + high) / 2
      if np.clip(rates - shift, self.lower, self.upper).sum() > 1:
        low = shift
      else:
        high = shift
    return np.clip(rates - (low + high) / 2, self.lower, self.upper)

  def uniform(self) -> np.ndarray:
    """The feasible rates [S] nearest to equal rates."""
    count = len(self.sources)
    return self.project(np.full(count, 1 / count))


def build(
  sources: Sequence[str],
  *,
  num_tokens: float,
  floors: Mapping[str, float],
  ceilings: Mapping[str, float],
  supply: Mapping[str, float],
  max_epochs: float,
) -> Limits:
  """Turns limits by name into arrays and checks that rates exist.

  Args:
    sources: all sources of the mixture.
    num_tokens: of the run the rates are for.
    floors: source -> least rate; 0 where absent.
    ceilings: source -> greatest rate; 1 where absent.
    supply: source -> tokens there are; unlimited where absent.
    max_epochs: how often a source may be repeated.

  Raises:
    UserError: for an unknown source, a value out of range, or limits that
      leave no rates.
  """
  names = tuple(sorted(sources))
  _check('floor', floors, names, 1.0)
  _check('ceiling', ceilings, names, 1.0)
  _check('supply', supply, names, math.inf)
  if not max_epochs > 0:
    raise errors.UserError(
      f'max_epochs must be a positive number, got {max_epochs!r}.'
    )
  if not num_tokens > 0:
    raise errors.UserError(
      f'num_tokens must be a positive number, got {num_tokens!r}.'
    )
  lower = np.array([floors.get(name, 0.0) for name in names], float)
  asked = np.array([ceilings.get(name, 1.0) for name in names], float)
  stocked = (
    np.array([supply.get(name, math.inf) for name in names], float)
    * (max_epochs * SUPPLY_USED)
    / num_tokens
  )
  upper = np.minimum(asked, stocked)
  for name, least, most, by_supply in zip(
    names, lower, upper, stocked < asked, strict=True
  ):
    if least > most:
      reason = (
        f'its supply of {supply[name]:,.0f} tokens, at most'
        f' {max_epochs:g} times, allows'
        if by_supply
        else 'its ceiling is'
      )
      raise errors.UserError(
        f'The floor of {name} is {least:g} but {reason} {most:.4g}; lower the'
        ' floor, ask for fewer tokens or raise the limit.'
      )
  if lower.sum() > 1 + _TOLERANCE:
    raise errors.UserError(
      f'The floors sum to {lower.sum():.4g}, which is more than 1; lower them.'
    )
  if upper.sum() < 1 - _TOLERANCE:
    raise errors.UserError(
      f'The ceilings and the supply of the sources ({", ".join(names)}) allow'
      f' rates that sum to {upper.sum():.4g} at the most at'
      f' {num_tokens:,.0f} tokens, expected at least 1; ask for fewer tokens,'
      ' or raise the ceilings, the supply or max_epochs.'
    )
  return Limits(
    sources=names,
    lower=lower,
    upper=upper,
    supply_bound=frozenset(
      name
      for name, by_supply in zip(names, stocked < asked, strict=True)
      if by_supply
    ),
  )


def _check(
  kind: str, values: Mapping[str, float], names: Sequence[str], most: float
) -> None:
  for name, value in values.items():
    if name not in names:
      raise errors.UserError(
        f'A {kind} names the source {name!r}, which the laws do not know;'
        f' they know {", ".join(names)}.'
      )
    if not 0 <= value <= most:
      span = 'at least 0' if most == math.inf else 'between 0 and 1'
      raise errors.UserError(
        f'The {kind} of {name} must be a number {span}, got {value!r}.'
      )
