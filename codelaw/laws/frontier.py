"""Compute-optimal sizes and tokens: where a law is lowest on C = 6 N D.

Owns the frontier: for a budget C of training FLOPs, the N and D = C / (6 N)
of least predicted loss, with a band over the bootstrap fits of the law. It is
found by search, so it serves every law of N and D, whatever its formula.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from codelaw import accounting
from codelaw import errors
from codelaw.laws import forms
from codelaw.laws import predict
from codelaw.laws import results
from codelaw.laws import solver

_GRID = 65  # Sizes looked at in one step of the search.
_STEPS = 6  # Each narrows the range 32 times: from e^40 to a part in 10^7.


@dataclasses.dataclass(frozen=True)
class Frontier:
  """The frontier at K budgets.

  Sizes, tokens and losses are rows of three: the estimate, and the lower and
  upper end of the band. They are not a number where the least loss lies at
  an end of the sizes searched, and bands are none without bootstrap fits.

  Attributes:
    compute: [K], 6 N D in the units of the table's N and D.
    num_params: [3, K].
    num_tokens: [3, K].
    loss: [3, K], nats per token.
    exponent: [3], a of N_opt ~ C^a, between the first and the last budget.
  """

  compute: np.ndarray
  num_params: np.ndarray
  num_tokens: np.ndarray
  loss: np.ndarray
  exponent: np.ndarray


def has_sizes(law: forms.Law) -> bool:
  """Whether the law relates size and tokens, so that it has a frontier."""
  return {'num_params', 'num_tokens'} <= set(law.columns)


def of(
  fit: results.Fit,
  compute: np.ndarray,
  sizes: tuple[float, float],
  others: Mapping[str, float] | None = None,
) -> Frontier:
  """The frontier of a fitted law.

  Args:
    fit: of a law of num_params and num_tokens.
    compute: [K] budgets, 6 N D in the units of the fitted columns.
    sizes: the N to search, from and to.
    others: column -> value, for the law's other columns, like shares.

  Raises:
    UserError: when a column of the law has no value.
  """
  law = forms.law_of(fit)
  others = others or {}
  missing = [
    name
    for name in law.columns
    if name not in ('num_params', 'num_tokens') and name not in others
  ]
  if missing or not has_sizes(law):
    raise errors.UserError(
      f'The law {law.name} of {fit.target} has a compute-optimal frontier only'
      f' with num_params and num_tokens and values of its other columns; it'
      f' needs {", ".join(missing or ("num_params", "num_tokens"))}.'
    )
  with solver.float64():
    logarithms, losses = map(
      np.array,
      _search(
        law.formula,
        law.columns.index('num_params'),
        law.columns.index('num_tokens'),
        predict.parameter_sets(fit, law),
        np.asarray(compute, dtype=np.float64),
        np.array([others.get(name, 1.0) for name in law.columns]),
        math.log(sizes[0]),
        math.log(sizes[1]),
      ),
    )
  margin = 1e-5 * math.log(sizes[1] / sizes[0])
  low, high = math.log(sizes[0]) + margin, math.log(sizes[1]) - margin
  level = fit.interval_level
  # A draw whose optimum lies beyond the sizes searched counts as their end;
  # where so many do that an end of the band is one, the band is open there.
  band = _with_band(logarithms, level)
  band[(band < low) | (band > high)] = np.nan
  inside = (logarithms > low) & (logarithms < high)
  with np.errstate(divide='ignore', invalid='ignore'):  # One budget has none.
    exponents = (logarithms[:, -1] - logarithms[:, 0]) / np.log(
      compute[-1] / compute[0]
    )
  exponents[~(inside[:, 0] & inside[:, -1])] = np.nan
  num_params = np.exp(band)
  num_tokens = compute / (accounting.FLOPS_PER_PARAMETER_AND_TOKEN * num_params)
  loss = _with_band(losses, level)
  loss[np.isnan(band)] = np.nan
  return Frontier(
    compute=np.asarray(compute, dtype=np.float64),
    num_params=num_params,
    num_tokens=num_tokens[[0, 2, 1]],  # The most tokens go with the least size.
    loss=loss,
    exponent=_with_band(exponents, level),
  )


def _with_band(values: np.ndarray, level: float) -> np.ndarray:
  """[3, ...] of values [1 + B, ...]: the first, and percentiles of the rest."""
  if len(values) == 1:
    nothing = np.full_like(values[0], np.nan)
    return np.stack([values[0], nothing, nothing])
  ends = np.percentile(values[1:], (50 * (1 - level), 50 * (1 + level)), axis=0)
  return np.stack([values[0], *ends])


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _search(
  formula: Callable[[jax.Array, jax.Array], jax.Array],
  size_row: int,
  tokens_row: int,
  parameters: jax.Array,
  compute: jax.Array,
  others: jax.Array,
  low: float,
  high: float,
) -> tuple[jax.Array, jax.Array]:
  """Logarithms of the best sizes, and their losses, [B, K]."""

  def losses(values: jax.Array, logs: jax.Array, budget: jax.Array):
    sizes = jnp.exp(logs)
    columns = jnp.broadcast_to(others[:, None], (others.size, logs.size))
    columns = columns.at[size_row].set(sizes)
    columns = columns.at[tokens_row].set(
      budget / (accounting.FLOPS_PER_PARAMETER_AND_TOKEN * sizes)
    )
    return formula(values, columns)

  def best(values: jax.Array, budget: jax.Array):
    def narrow(_, ends):
      logs = jnp.linspace(ends[0], ends[1], _GRID)
      found = logs[jnp.argmin(losses(values, logs, budget))]
      step = logs[1] - logs[0]
      return jnp.maximum(found - step, low), jnp.minimum(found + step, high)

    ends = jax.lax.fori_loop(0, _STEPS, narrow, (low, high))
    middle = jnp.atleast_1d(0.5 * (ends[0] + ends[1]))
    return middle[0], losses(values, middle, budget)[0]

  over_budgets = jax.vmap(best, in_axes=(None, 0))
  return jax.vmap(over_budgets, in_axes=(0, None))(parameters, compute)
