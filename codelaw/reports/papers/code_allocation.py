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
    closest: strength whose rates are nearest to the published ones.
    distance: half the sum of absolute differences there.
  """

  allocations: Mapping[float, allocation_lib.Allocation]
  paths: pd.DataFrame
  published: Mapping[str, float]
  mixtures: Mapping[float, tuple[MixtureLoss, ...]]
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
  ranges: Mapping[str, tuple[float, float]],
  steps: int = 11,
) -> Comparison:
  """Allocates at the size and tokens of the published allocation.

  Args:
    laws: language -> law.
    tau: of Table 1, see `transfer.coefficients`.
    table: the published allocation.
    num_params: of the model it is for.
    settings: of the allocations; equal weights of the languages.
    ranges: columns -> (least, greatest) fitted value, for warnings.
    steps: strengths of the transfer from 0 to 1 in the path.
  """
  rates = published_rates(table)
  tokens = float(table['optimized_tokens_billions'].sum() * published.BILLION)

  def best(
    strength: float, own: allocation_lib.AllocationSettings
  ) -> allocation_lib.Allocation:
    return allocation_lib.allocate(
      transfer.laws_with_transfer(laws, tau, strength),
      num_params=num_params,
      num_tokens=tokens,
      settings=own,
      ranges=ranges,
    )

  bare = dataclasses.replace(settings, num_bootstraps=0)
  strengths = [float(s) for s in np.linspace(0, 1, steps).round(6)]
  path = {s: best(s, bare).rates for s in strengths}
  distances = {
    s: 0.5 * sum(abs(found[name] - rates[name]) for name in rates)
    for s, found in path.items()
  }
  closest = min(distances, key=lambda s: distances[s])
  allocations = {s: best(s, settings) for s in sorted({0.0, closest})}
  return Comparison(
    allocations=allocations,
    paths=pd.DataFrame([{'strength': s, **found} for s, found in path.items()]),
    published=rates,
    mixtures={
      s: losses(
        transfer.laws_with_transfer(laws, tau, s),
        {'published': rates, 'ours': found.rates},
        num_params,
        tokens,
      )
      for s, found in allocations.items()
    },
    closest=closest,
    distance=distances[closest],
  )


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
