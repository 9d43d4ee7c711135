"""What an allocation minimises: the weighted loss that mixture laws predict.

  f(r) = sum_k w_k L_k(N, D, r) + strength * sum_j (r_j - prior_j)^2

The laws come from `laws.forms`, so values and gradients are JAX's own, in
float64; callers stay inside `jax.enable_x64(True)`.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from codelaw import errors
from codelaw.laws import forms
from codelaw.laws import results

_SHARE = 'share/'

# One array [P_k] per target; bootstrap fits stack them as [B, P_k].
Parameters = tuple[np.ndarray, ...]


def mixture_fits(fits: Sequence[results.Fit]) -> tuple[results.Fit, ...]:
  """The fit of every target that an allocation uses: the first with shares.

  `codelaw fit --law=all` writes the laws of a target in order of held-out
  error, so the first law that knows shares is the best one that can choose
  among mixtures.

  Raises:
    UserError: when no fit has shares, when fits belong to several groups, or
      when two columns are about one source.
  """
  chosen: dict[str, results.Fit] = {}
  for fit in fits:
    if _sources(fit):
      chosen.setdefault(fit.target, fit)
  if not chosen:
    raise errors.UserError(
      'An allocation needs a mixture law, one with shares among its columns'
      f' ({", ".join(forms.MIXTURE_LAWS)}); got fits of'
      f' {", ".join(sorted({fit.law for fit in fits})) or "nothing"}. Fit one'
      ' with `codelaw fit --law=transfer` on runs with several sources.'
    )
  picked = tuple(chosen.values())
  groups = {fit.group for fit in picked}
  if len(groups) > 1:
    raise errors.UserError(
      f'The fits belong to {len(groups)} groups ({", ".join(sorted(groups))});'
      ' an allocation needs fits of one group.'
    )
  kinds = {fit.target.partition('/')[0] for fit in picked}
  if len(kinds) > 1:
    raise errors.UserError(
      f'The fits predict different quantities ({", ".join(sorted(kinds))});'
      ' an allocation needs targets of one unit: fit them apart.'
    )
  return picked


def _sources(fit: results.Fit) -> set[str]:
  return {name.removeprefix(_SHARE) for name in forms.law_of(fit).shares}


@dataclasses.dataclass(frozen=True)
class Objective:
  """Predicted losses of all targets and their weighted sum.

  Attributes:
    fits: one per target, as `mixture_fits` returned them.
    sources: names in the order of the rates, sorted.
    weights: of the targets, float64 [K], with sum 1.
    prior: rates the solution is drawn to, float64 [S].
    prior_strength: of that pull, nats per token.
  """

  fits: tuple[results.Fit, ...]
  sources: tuple[str, ...]
  weights: np.ndarray
  prior: np.ndarray
  prior_strength: float

  @functools.cached_property
  def laws(self) -> tuple[forms.Law, ...]:
    """The law of every target."""
    return tuple(forms.law_of(fit) for fit in self.fits)

  @functools.cached_property
  def estimates(self) -> Parameters:
    """The fitted parameters of every target, [P_k] each."""
    return tuple(
      np.array([fit.estimates[name] for name in law.parameters])
      for fit, law in zip(self.fits, self.laws, strict=True)
    )

  def bootstrap(self, count: int) -> Parameters:
    """Up to `count` bootstrap parameter sets of every target, [B, P_k] each.

    Set b takes the b-th bootstrap fit of every target: fits of one table
    that drew the same runs keep what they have in common.
    """
    available = min(
      len(values)
      for fit in self.fits
      for values in (fit.bootstrap_estimates.values() or [()])
    )
    if not available or not count:
      return ()
    picked = np.unique(
      np.linspace(0, available - 1, min(count, available)).astype(int)
    )
    return tuple(
      np.stack(
        [
          np.asarray(fit.bootstrap_estimates[p])[picked] for p in law.parameters
        ],
        axis=1,
      )
      for fit, law in zip(self.fits, self.laws, strict=True)
    )

  def _losses(
    self, rates: jax.Array, size: jax.Array, parameters: Parameters
  ) -> jax.Array:
    values = dict(
      zip(('num_params', 'num_tokens'), size, strict=True),
      **{
        _SHARE + source: rates[place]
        for place, source in enumerate(self.sources)
      },
    )
    return jnp.stack(
      [
        law.formula(
          jnp.asarray(own), jnp.stack([values[c] for c in law.columns])[:, None]
        )[0]
        for law, own in zip(self.laws, parameters, strict=True)
      ]
    )

  def _penalised(
    self, rates: jax.Array, size: jax.Array, parameters: Parameters
  ) -> jax.Array:
    pull = self.prior_strength * jnp.sum((rates - self.prior) ** 2)
    weighted = jnp.dot(self.weights, self._losses(rates, size, parameters))
    return weighted + pull

  @functools.cached_property
  def value_and_gradient(self) -> Any:
    """Compiled (rates [S], [N, D], parameters) -> (f, its gradient [S])."""
    return jax.jit(jax.value_and_grad(self._penalised))

  @functools.cached_property
  def losses(self) -> Any:
    """Compiled (rates [S], [N, D], parameters) -> losses [K]."""
    return jax.jit(self._losses)

  @functools.cached_property
  def bootstrap_losses(self) -> Any:
    """`losses` over bootstrap parameter sets: -> [B, K]."""
    return jax.jit(jax.vmap(self._losses, in_axes=(None, None, 0)))


def build(
  fits: Sequence[results.Fit],
  *,
  weights: Mapping[str, float],
  prior: Mapping[str, float],
  prior_strength: float,
) -> Objective:
  """The objective over the mixture laws among `fits`.

  Args:
    fits: of a `fit.json`; see `mixture_fits`.
    weights: source -> weight of its target; only their proportions count.
      Targets not named weigh nothing; with no weights at all they weigh the
      same.
    prior: source -> rate; equal rates when empty.
    prior_strength: nats per token; 0 ignores the prior.

  Raises:
    UserError: for fits that cannot be used, or names they do not know.
  """
  picked = mixture_fits(fits)
  sources = tuple(sorted(set().union(*(_sources(fit) for fit in picked))))
  targets = [forms.source_of(fit.target) for fit in picked]
  return Objective(
    fits=picked,
    sources=sources,
    weights=_proportions('weights', weights, targets, 'targets'),
    prior=_proportions('prior', prior, sources, 'sources'),
    prior_strength=_strength(prior_strength),
  )


def _strength(value: float) -> float:
  if not 0 <= value < float('inf'):
    raise errors.UserError(
      f'prior_strength must be a number of at least 0, got {value!r}.'
    )
  return float(value)


def _proportions(
  name: str, values: Mapping[str, float], known: Sequence[str], kind: str
) -> np.ndarray:
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
