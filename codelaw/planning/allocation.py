"""The best rates for a run, and the best split of a budget of FLOPs.

Owns `Allocation`, the answer: rates with their uncertainty, predicted losses,
the predicted gain over uniform rates, and in words everything that should
keep a reader from trusting it more than it deserves.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math

import jax
import numpy as np
from scipy import optimize

from codelaw import errors
from codelaw import records
from codelaw.laws import results
from codelaw.planning import caution
from codelaw.planning import limits as limits_lib
from codelaw.planning import objective as objective_lib

# Rates below this are 0: laws with powers of a share have no finite gradient
# at a share of exactly 0, so the solver stays this far off and the answer is
# moved onto the bound.
_LEAST_RATE = 1e-6
_NUM_RANDOM_STARTS = 8
_SAME_OPTIMUM = 1e-7  # nats per token between starts that agree
_FLOPS_PER_PARAMETER_AND_TOKEN = 6.0  # arXiv:2001.08361, section 2.1
_SIZE_GRID = 17


@dataclasses.dataclass(frozen=True)
class AllocationSettings:
  """What an allocation is free to choose; bound in gin by a study.

  Attributes:
    weights: source -> weight of its loss; only proportions count, sources
      not named weigh nothing; empty weighs all the same.
    floors: source -> least rate.
    ceilings: source -> greatest rate.
    max_epochs: how often a source may be repeated when its supply is known.
    prior: source -> rate the answer is drawn to; empty means equal rates.
    prior_strength: of that pull, nats per token per squared distance.
    num_bootstraps: bootstrap fits that carry the uncertainty, at most.
    seed: of the random starting points.
  """

  weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
  floors: Mapping[str, float] = dataclasses.field(default_factory=dict)
  ceilings: Mapping[str, float] = dataclasses.field(default_factory=dict)
  max_epochs: float = 4.0
  prior: Mapping[str, float] = dataclasses.field(default_factory=dict)
  prior_strength: float = 0.0
  num_bootstraps: int = 64
  seed: int = 0


@dataclasses.dataclass(frozen=True)
class SourceShare:
  """What one source gets.

  Attributes:
    rate: share of the run's tokens.
    low: lower end of the bootstrap band of the best rate; None without one.
    high: upper end.
    uniform_rate: the rate it is compared with.
    floor: least rate that was allowed.
    ceiling: greatest rate that was allowed, supply included.
    num_tokens: rate times the run's tokens.
    epochs: num_tokens / supply; None when the supply is not known.
  """

  rate: float
  low: float | None
  high: float | None
  uniform_rate: float
  floor: float
  ceiling: float
  num_tokens: float
  epochs: float | None


@dataclasses.dataclass(frozen=True)
class TargetLoss:
  """What the laws predict for one target.

  Attributes:
    law: that predicts it.
    weight: in the objective; weights sum to 1.
    loss: at the allocated rates, nats per token.
    low: lower end of its interval; None without bootstrap fits.
    high: upper end.
    uniform_loss: at the uniform rates.
  """

  law: str
  weight: float
  loss: float
  low: float | None
  high: float | None
  uniform_loss: float


@dataclasses.dataclass(frozen=True)
class Allocation:
  """The best rates for one size and one number of tokens.

  Attributes:
    num_params: of the model (N).
    num_tokens: of the run (D).
    flop_budget: that N and D were chosen for; None when they were given.
    sources: source -> what it gets.
    targets: target column -> what is predicted.
    objective: weighted predicted loss at the rates, nats per token, without
      the pull of a prior.
    uniform_objective: the same at uniform rates, moved into the limits.
    gain: uniform_objective - objective.
    gain_low: lower end of its interval; None without bootstrap fits.
    gain_high: upper end.
    interval_level: of all intervals.
    num_bootstraps: parameter sets behind the intervals.
    optimality_residual: largest violation of the optimality conditions, in
      rates; 0 at an exact optimum. See `optimality_residual`.
    num_starts: starting points.
    num_starts_at_optimum: starts that ended at the best objective.
    max_epochs: that limited the rates where supply is known.
    prior_strength: of the pull to the prior.
    table_fingerprints: of the tables behind the fits.
    codelaw_version: of the software that fitted.
    warnings: in words; empty when there is nothing to say.
  """

  num_params: int
  num_tokens: int
  flop_budget: float | None
  sources: Mapping[str, SourceShare]
  targets: Mapping[str, TargetLoss]
  objective: float
  uniform_objective: float
  gain: float
  gain_low: float | None
  gain_high: float | None
  interval_level: float
  num_bootstraps: int
  optimality_residual: float
  num_starts: int
  num_starts_at_optimum: int
  max_epochs: float
  prior_strength: float
  table_fingerprints: tuple[str, ...]
  codelaw_version: str
  warnings: tuple[str, ...]

  @property
  def rates(self) -> dict[str, float]:
    """source -> rate; they sum to 1 up to rounding of the last bit."""
    return {source: share.rate for source, share in self.sources.items()}

  @property
  def uniform_rates(self) -> dict[str, float]:
    """source -> rate of the mixture the gain is counted from."""
    return {name: share.uniform_rate for name, share in self.sources.items()}


def to_json(allocation: Allocation) -> dict:
  """The content of `allocation.json`."""
  return records.to_json(allocation)


def from_json(content: object) -> Allocation:
  """Reads what `to_json` returned; `UserError` for anything else."""
  return records.from_json(content, Allocation)


def allocate(
  fits: Sequence[results.Fit],
  *,
  num_params: float,
  num_tokens: float,
  settings: AllocationSettings | None = None,
  supply: Mapping[str, float] | None = None,
  ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Allocation:
  """The rates that minimise sum_k w_k L_k(N, D, r) within the limits.

  SciPy's SLSQP with JAX gradients from uniform, corner and random starts; the
  optimality conditions of the winner are checked and reported. The bands
  come from solving again for bootstrap parameter sets of the fits.

  Args:
    fits: of mixture laws, one per target; see `objective.mixture_fits`.
    num_params: of the model the rates are for.
    num_tokens: of the run.
    settings: weights, limits, prior; the defaults of the class when None.
    supply: source -> tokens there are; unlimited where absent.
    ranges: column of the run table -> (least, greatest) value that was
      fitted, for a warning about extrapolation.

  Raises:
    UserError: for names the fits do not know and limits that leave no rates.
  """
  settings = settings or AllocationSettings()
  with jax.enable_x64(True):
    problem = _problem(fits, settings)
    return _allocate(
      problem, num_params, num_tokens, None, settings, supply or {}, ranges, ()
    )


def allocate_budget(
  fits: Sequence[results.Fit],
  *,
  flop_budget: float,
  settings: AllocationSettings | None = None,
  supply: Mapping[str, float] | None = None,
  ranges: Mapping[str, tuple[float, float]] | None = None,
  num_params_range: tuple[float, float] = (1e4, 1e13),
  sizes: Mapping[int, float] | None = None,
) -> Allocation:
  """The size, tokens and rates that a budget of FLOPs is best spent on.

  minimise over N of min_r f(r; N, D = C / (FLOPs per token of N)).

  Args:
    fits: as in `allocate`; their laws must depend on N and D.
    flop_budget: C, training FLOPs.
    settings: as in `allocate`.
    supply: as in `allocate`; it also bounds D, and so N from below.
    ranges: as in `allocate`.
    num_params_range: of the sizes to look at, at 6 N FLOPs per token.
    sizes: num_params -> training FLOPs per token of the models there are (see
      `accounting.train_flops_per_token`); replaces the range.

  Raises:
    UserError: as `allocate`; also when no size is feasible, or when a law
      does not depend on N and D.
  """
  settings = settings or AllocationSettings()
  supply = supply or {}
  if not 0 < flop_budget < math.inf:
    raise errors.UserError(
      f'flop_budget must be a positive number of FLOPs, got {flop_budget!r}.'
    )
  low, high = num_params_range
  if not 0 < low < high:
    raise errors.UserError(
      f'num_params_range must be (least, greatest), got {num_params_range!r}.'
    )
  with jax.enable_x64(True):
    problem = _problem(fits, settings)
    for law in problem.laws:
      if not {'num_params', 'num_tokens'} <= set(law.columns):
        raise errors.UserError(
          f'Law {law.name} does not depend on model size and tokens, so it'
          ' cannot split a budget; fit one that does, like transfer.'
        )

    def tokens_of(size: float) -> float:
      per_token = sizes[int(size)] if sizes else (
        _FLOPS_PER_PARAMETER_AND_TOKEN * size
      )
      return flop_budget / per_token

    def best_loss(size: float) -> float:
      tokens = tokens_of(size)
      try:
        limits = _limits(problem, tokens, settings, supply)
      except errors.UserError:
        return math.inf  # More tokens than the supply allows.
      start = [limits.uniform()]
      solution = _solve(problem, (size, tokens), limits, start)
      return solution.objective

    if sizes:
      candidates = sorted(sizes)
    else:
      candidates = list(np.geomspace(low, high, _SIZE_GRID))
    values = [best_loss(size) for size in candidates]
    place = int(np.argmin(values))
    if not math.isfinite(values[place]):
      # Every size needs too many tokens: let the largest one say which limit.
      _limits(problem, tokens_of(candidates[-1]), settings, supply)
    size = candidates[place]
    notes: list[str] = []
    if not sizes:
      size = _refine(best_loss, candidates, place)
    if len(candidates) > 1 and place in (0, len(candidates) - 1):
      notes.append(
        f'The best size, {size:,.0f} parameters, is at the end of the sizes'
        ' that were looked at; look at a wider range.'
      )
    return _allocate(
      problem,
      size,
      tokens_of(size),
      flop_budget,
      settings,
      supply,
      ranges,
      notes,
    )


def optimality_residual(
  rates: np.ndarray, gradient: np.ndarray, limits: limits_lib.Limits
) -> float:
  """max |r - P(r - g)|, with P the projection on the feasible rates.

  It is 0 exactly where the Karush-Kuhn-Tucker conditions hold: all free rates
  have the same marginal loss, rates at their floor a greater one, rates at
  their ceiling a smaller one.

  Args:
    rates: r, feasible [S].
    gradient: g of the objective [S], nats per token per unit of rate.
    limits: of the rates.
  """
  return float(np.max(np.abs(rates - limits.project(rates - gradient))))


@dataclasses.dataclass(frozen=True)
class _Solution:
  rates: np.ndarray
  objective: float
  residual: float
  num_starts_at_optimum: int


def _problem(
  fits: Sequence[results.Fit], settings: AllocationSettings
) -> objective_lib.Objective:
  return objective_lib.build(
    fits,
    weights=settings.weights,
    prior=settings.prior,
    prior_strength=settings.prior_strength,
  )


def _limits(
  problem: objective_lib.Objective,
  num_tokens: float,
  settings: AllocationSettings,
  supply: Mapping[str, float],
) -> limits_lib.Limits:
  return limits_lib.build(
    problem.sources,
    num_tokens=num_tokens,
    floors=settings.floors,
    ceilings=settings.ceilings,
    supply=supply,
    max_epochs=settings.max_epochs,
  )


def _refine(
  best_loss: Callable[[float], float], grid: Sequence[float], place: int
) -> float:
  """Golden section between the neighbours of the best point of a grid."""
  low = math.log(grid[max(0, place - 1)])
  high = math.log(grid[min(len(grid) - 1, place + 1)])
  ratio = (math.sqrt(5) - 1) / 2
  inner, outer = high - ratio * (high - low), low + ratio * (high - low)
  at_inner, at_outer = best_loss(math.exp(inner)), best_loss(math.exp(outer))
  while high - low > 1e-3:  # a tenth of a percent in N
    if at_inner < at_outer:
      high, outer, at_outer = outer, inner, at_inner
      inner = high - ratio * (high - low)
      at_inner = best_loss(math.exp(inner))
    else:
      # Also where both are infinite: fewer tokens are to the right.
      low, inner, at_inner = inner, outer, at_outer
      outer = low + ratio * (high - low)
      at_outer = best_loss(math.exp(outer))
  return math.exp((low + high) / 2 if math.isfinite(at_inner) else high)


def _solve(
  problem: objective_lib.Objective,
  size: tuple[float, float],
  limits: limits_lib.Limits,
  starts: Sequence[np.ndarray],
  parameters: objective_lib.Parameters | None = None,
) -> _Solution:
  """Best local optimum over the starts."""
  parameters = problem.estimates if parameters is None else parameters
  point = np.asarray(size, float)

  def evaluate(rates: np.ndarray) -> tuple[float, np.ndarray]:
    value, gradient = problem.value_and_gradient(rates, point, parameters)
    return float(value), np.asarray(gradient)

  lower = np.minimum(np.maximum(limits.lower, _LEAST_RATE), limits.upper)
  inside = dataclasses.replace(limits, lower=lower)
  ends, values = [], []
  for start in starts:
    result = optimize.minimize(
      evaluate,
      inside.project(start),
      jac=True,
      method='SLSQP',
      bounds=list(zip(lower, limits.upper, strict=True)),
      constraints={
        'type': 'eq',
        'fun': lambda rates: rates.sum() - 1,
        'jac': np.ones_like,
      },
      options={'ftol': 1e-13, 'maxiter': 200},
    )
    rates = inside.project(np.asarray(result.x))
    ends.append(rates)
    values.append(evaluate(rates)[0])
  best = int(np.nanargmin(values))
  rates = ends[best]
  # Onto the bound the solver was kept off, where that is no worse.
  bare = limits.project(np.where(rates <= 2 * _LEAST_RATE, -1.0, rates))
  if evaluate(bare)[0] <= values[best] + _SAME_OPTIMUM:
    rates = bare
  value, gradient = evaluate(rates)
  return _Solution(
    rates=rates,
    objective=value,
    residual=optimality_residual(rates, gradient, limits),
    num_starts_at_optimum=int(
      np.sum(np.asarray(values) <= values[best] + _SAME_OPTIMUM)
    ),
  )


def _starts(limits: limits_lib.Limits, seed: int) -> list[np.ndarray]:
  count = len(limits.sources)
  generator = np.random.default_rng(seed)
  corners = 0.9 * np.eye(count) + 0.1 / count
  random = generator.dirichlet(np.ones(count), _NUM_RANDOM_STARTS)
  points = [np.full(count, 1 / count), *corners, *random]
  return [limits.project(point) for point in points]


def _allocate(
  problem: objective_lib.Objective,
  num_params: float,
  num_tokens: float,
  flop_budget: float | None,
  settings: AllocationSettings,
  supply: Mapping[str, float],
  ranges: Mapping[str, tuple[float, float]] | None,
  notes: Sequence[str],
) -> Allocation:
  if not num_params > 0:
    raise errors.UserError(
      f'num_params must be a positive number, got {num_params!r}.'
    )
  limits = _limits(problem, num_tokens, settings, supply)
  size = (num_params, num_tokens)
  starts = _starts(limits, settings.seed)
  best = _solve(problem, size, limits, starts)
  uniform = limits.uniform()
  losses = np.asarray(problem.losses(best.rates, size, problem.estimates))
  uniform_losses = np.asarray(problem.losses(uniform, size, problem.estimates))
  gain = float(problem.weights @ (uniform_losses - losses))

  level = problem.fits[0].interval_level
  tails = [50 * (1 - level), 50 * (1 + level)]
  samples = problem.bootstrap(settings.num_bootstraps)
  count = len(samples[0]) if samples else 0
  loss_band = rate_band = gain_band = None
  if count:
    sampled = np.asarray(problem.bootstrap_losses(best.rates, size, samples))
    at_uniform = np.asarray(problem.bootstrap_losses(uniform, size, samples))
    loss_band = np.percentile(sampled, tails, axis=0)
    gain_band = np.percentile((at_uniform - sampled) @ problem.weights, tails)
    rate_band = np.percentile(
      [
        _solve(
          problem,
          size,
          limits,
          [best.rates, uniform],
          tuple(values[index] for values in samples),
        ).rates
        for index in range(count)
      ],
      tails,
      axis=0,
    )

  def ends(band: np.ndarray | None, *place: int) -> dict[str, float | None]:
    low, high = (None, None) if band is None else band[(slice(None), *place)]
    return {
      'low': None if low is None else float(low),
      'high': None if high is None else float(high),
    }

  shares = {
    name: SourceShare(
      rate=float(best.rates[place]),
      **ends(rate_band, place),
      uniform_rate=float(uniform[place]),
      floor=float(limits.lower[place]),
      ceiling=float(min(1.0, limits.upper[place])),
      num_tokens=float(best.rates[place] * num_tokens),
      epochs=(
        float(best.rates[place] * num_tokens / supply[name])
        if supply.get(name)
        else None
      ),
    )
    for place, name in enumerate(limits.sources)
  }
  targets = {
    fit.target: TargetLoss(
      law=fit.law,
      weight=float(problem.weights[place]),
      loss=float(losses[place]),
      **ends(loss_band, place),
      uniform_loss=float(uniform_losses[place]),
    )
    for place, fit in enumerate(problem.fits)
  }
  gain_ends = ends(gain_band)
  allocation = Allocation(
    num_params=round(num_params),
    num_tokens=round(num_tokens),
    flop_budget=flop_budget,
    sources=shares,
    targets=targets,
    objective=float(problem.weights @ losses),
    uniform_objective=float(problem.weights @ uniform_losses),
    gain=gain,
    gain_low=gain_ends['low'],
    gain_high=gain_ends['high'],
    interval_level=level,
    num_bootstraps=count,
    optimality_residual=best.residual,
    num_starts=len(starts),
    num_starts_at_optimum=best.num_starts_at_optimum,
    max_epochs=settings.max_epochs,
    prior_strength=settings.prior_strength,
    table_fingerprints=tuple(
      sorted({fit.table_fingerprint for fit in problem.fits})
    ),
    codelaw_version=problem.fits[0].codelaw_version,
    warnings=(),
  )
  warnings = (
    *notes,
    *caution.warnings(
      allocation,
      supply_bound=limits.supply_bound,
      linear=_is_linear(problem, size, starts),
      ranges=ranges or {},
    ),
  )
  return dataclasses.replace(allocation, warnings=warnings)


def _is_linear(
  problem: objective_lib.Objective,
  size: tuple[float, float],
  points: Sequence[np.ndarray],
) -> bool:
  """Whether the objective is linear in the rates: halfway means halfway."""

  def value(rates: np.ndarray) -> float:
    return float(
      problem.value_and_gradient(rates, np.asarray(size, float),
                                 problem.estimates)[0]
    )

  first, rest = points[0], points[1:]
  ends = [value(first), *map(value, rest)]
  bend = max(
    abs(value((first + point) / 2) - (ends[0] + end) / 2)
    for point, end in zip(rest, ends[1:], strict=True)
  )
  return bend < 1e-9 + 1e-6 * (max(ends) - min(ends))
