"""Our allocation of paper A's tokens, beside the published one.

The objective is the mean over languages of L_k(N, D_k,eff), each with its own
law from the 420 points. The published allocation rests on transfer between
languages whose size the paper does not give, so ours is shown over its whole
range, from none to all that Table 1 implies.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools

import jax
import numpy as np
import pandas as pd

from codelaw.laws import forms
from codelaw.laws import results
from codelaw.laws import solver
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import choosing
from codelaw.reports.papers import published
from codelaw.reports.papers import transfer


@dataclasses.dataclass(frozen=True)
class MixtureLoss:
  """Mean predicted loss of one mixture against equal shares.

  Attributes:
    name: of the mixture.
    loss: mean over languages, nats per token.
    gain: over equal shares.
    low: lower end of the gain's interval; None without bootstrap fits.
    high: upper end.
  """

  name: str
  loss: float
  gain: float
  low: float | None
  high: float | None


@dataclasses.dataclass(frozen=True)
class Comparison:
  """Allocations of one run, ours by strength of transfer and the paper's.

  Attributes:
    allocations: strength -> ours, with bands; without transfer, and at the
      strength whose rates are nearest to the published ones.
    paths: strengths [S] and, per language, our rates [S], without bands.
    published: language -> published rate.
    mixtures: strength -> equal shares, published and our mixture by the laws
      of that strength.
    extrapolated: name of a mixture -> language -> D_k,eff / greatest number of
      tokens that was fitted, where that is above 1.
    closest: strength whose rates are nearest to the published ones.
    distance: half the sum of absolute differences there.
  """

  allocations: Mapping[float, allocation_lib.Allocation]
  paths: pd.DataFrame
  published: Mapping[str, float]
  mixtures: Mapping[float, tuple[MixtureLoss, ...]]
  extrapolated: Mapping[str, Mapping[str, float]]
  closest: float
  distance: float


def published_rates(table: pd.DataFrame) -> dict[str, float]:
  """Language -> share of the tokens in the published allocation."""
  tokens = table.set_index('language')['optimized_tokens_billions']
  return {str(n): float(v) for n, v in (tokens / tokens.sum()).items()}


def compare(
  laws: Mapping[str, results.Fit],
  tau: transfer.Coefficients,
  table: pd.DataFrame,
  *,
  num_params: float,
  settings: allocation_lib.AllocationSettings,
  strengths: Sequence[float],
) -> Comparison:
  """Allocates at the size and tokens of the published allocation.

  Args:
    laws: language -> law.
    tau: of Table 1, see `transfer.coefficients`.
    table: the published allocation.
    num_params: of the model it is for.
    settings: of the allocations; equal weights of the languages.
    strengths: of the transfer in the path; 1 is all of it.
  """
  rates = published_rates(table)
  tokens = float(table['optimized_tokens_billions'].sum() * published.BILLION)

  size = num_params, tokens
  bare = dataclasses.replace(settings, num_bootstraps=0)
  most_fitted = min(
    law.diagnostics['ranges']['num_tokens'][1] for law in laws.values()
  )
  fits = {
    s: transfer.laws_with_transfer(laws, tau, s) for s in {0.0, *strengths}
  }
  path = {s: best(fits[s], size, bare).rates for s in sorted(fits)}
  distances = {
    s: 0.5 * sum(abs(found[name] - rates[name]) for name in rates)
    for s, found in path.items()
  }
  closest = min(distances, key=lambda s: distances[s])
  allocations = {
    s: best(fits[s], size, settings) for s in sorted({0.0, closest})
  }
  return Comparison(
    allocations=allocations,
    paths=pd.DataFrame([{'strength': s, **found} for s, found in path.items()]),
    published=rates,
    mixtures={
      s: losses(
        fits[s],
        {'published': rates, 'ours': found.rates},
        num_params,
        tokens,
      )
      for s, found in allocations.items()
    },
    extrapolated={
      name: {
        language: tokens / most_fitted
        for language, tokens in effective_tokens(
          fits[s], shares, tokens
        ).items()
        if tokens > most_fitted
      }
      for name, s, shares in (
        ('The published allocation without transfer', 0.0, rates),
        *(
          (f'Ours with {strength_name(s)}', s, found.rates)
          for s, found in allocations.items()
        ),
      )
    },
    closest=closest,
    distance=distances[closest],
  )


def strength_name(strength: float) -> str:
  """`no transfer`, or the share of Table 1's transfer that is taken.

  >>> strength_name(0.1)
  "10% of Table 1's transfer"
  """
  return f"{strength:.0%} of Table 1's transfer" if strength else 'no transfer'


def best(
  fits: Sequence[results.Fit],
  size: tuple[float, float],
  settings: allocation_lib.AllocationSettings,
) -> allocation_lib.Allocation:
  """The best rates at a size (N, D)."""
  return choosing.allocate(
    fits,
    num_params=size[0],
    num_tokens=size[1],
    settings=settings,
  )


def effective_tokens(
  fits: Sequence[results.Fit], rates: Mapping[str, float], num_tokens: float
) -> dict[str, float]:
  """D_k,eff of every language: its tokens and what the others are worth.

  Args:
    fits: of `transfer.laws_with_transfer`.
    rates: language -> share of the tokens.
    num_tokens: D.
  """
  found = {}
  for fit in fits:
    name = forms.source_of(fit.target)
    found[name] = num_tokens * (
      rates[name]
      + sum(
        fit.estimates[f'tau/{other}'] * rate
        for other, rate in rates.items()
        if other != name
      )
    )
  return found


def losses(
  fits: Sequence[results.Fit],
  mixtures: Mapping[str, Mapping[str, float]],
  num_params: float,
  num_tokens: float,
) -> tuple[MixtureLoss, ...]:
  """Mean losses of mixtures, and their gains over equal shares."""
  names = [forms.source_of(fit.target) for fit in fits]
  equal = dict.fromkeys(names, 1 / len(names))
  points = pd.DataFrame(
    [
      {
        'num_params': num_params,
        'num_tokens': num_tokens,
        **{f'share/{name}': rates.get(name, 0.0) for name in names},
      }
      for rates in (equal, *mixtures.values())
    ]
  )
  means, resampled = _means(fits, points)
  found = [MixtureLoss('equal shares', float(means[0]), 0.0, None, None)]
  for place, name in enumerate(mixtures, start=1):
    low = high = None
    if resampled.size:
      level = fits[0].interval_level
      tails = [50 * (1 - level), 50 * (1 + level)]
      gains = resampled[:, 0] - resampled[:, place]
      low, high = (float(end) for end in np.percentile(gains, tails))
    gain = float(means[0] - means[place])
    found.append(MixtureLoss(name, float(means[place]), gain, low, high))
  return tuple(found)


def _means(
  fits: Sequence[results.Fit], points: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
  """Mean over fits of the losses: [n] and, per bootstrap fit, [B, n]."""
  estimates, resampled = [], []
  for fit in fits:
    law = forms.law_of(fit)
    columns = {name: points[name].to_numpy(float) for name in law.columns}
    predicted = functools.partial(law.predict, columns=columns)
    with solver.float64():
      estimates.append(np.asarray(predicted(fit.estimates)))
      sets = {n: np.asarray(v) for n, v in fit.bootstrap_estimates.items()}
      if sets:
        resampled.append(np.asarray(jax.vmap(predicted)(sets)))
  return (
    np.mean(estimates, axis=0),
    np.mean(resampled, axis=0) if resampled else np.empty((0, len(points))),
  )
