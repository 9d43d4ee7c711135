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

from codelaw import errors
from codelaw import records
from codelaw.laws import results
from codelaw.planning import caution
from codelaw.planning import limits as limits_lib
from codelaw.planning import objective as objective_lib
from codelaw.planning import optimum

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
      rates; 0 at an exact optimum. See `optimum.optimality_residual`.
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
    """Source -> rate; they sum to 1 up to rounding of the last bit."""
    return {source: share.rate for source, share in self.sources.items()}

  @property
  def uniform_rates(self) -> dict[str, float]:
    """Source -> rate of the mixture the gain is counted from."""
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
      per_token = (
        sizes[int(size)] if sizes else (_FLOPS_PER_PARAMETER_AND_TOKEN * size)
      )
      return flop_budget / per_token

    def best_loss(size: float) -> float:
      tokens = tokens_of(size)
      try:
        limits = _limits(problem, tokens, settings, supply)
      except errors.UserError:
        return math.inf  # More tokens than the supply allows.
      start = [limits.uniform()]
      solution = optimum.solve(problem, (size, tokens), limits, start)
      return solution.objective

    candidates = (
      [float(size) for size in sorted(sizes)]
      if sizes
      else [float(size) for size in np.geomspace(low, high, _SIZE_GRID)]
    )
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
  starts = optimum.starting_points(limits, settings.seed)
  best = optimum.solve(problem, size, limits, starts)
  uniform = limits.uniform()
  losses = np.asarray(problem.losses(best.rates, size, problem.estimates))
  uniform_losses = np.asarray(problem.losses(uniform, size, problem.estimates))
  gain = float(problem.weights @ (uniform_losses - losses))

  bands = optimum.bands(
    problem, size, limits, best.rates, settings.num_bootstraps
  )
  shares = {}
  for place, name in enumerate(limits.sources):
    rate, low, high = float(best.rates[place]), *bands.of('rates', place)
    stock = supply.get(name)
    shares[name] = SourceShare(
      rate=rate,
      low=low,
      high=high,
      uniform_rate=float(uniform[place]),
      floor=float(limits.lower[place]),
      ceiling=float(min(1.0, limits.upper[place])),
      num_tokens=rate * num_tokens,
      epochs=rate * num_tokens / stock if stock else None,
    )
  targets = {}
  for place, fit in enumerate(problem.fits):
    low, high = bands.of('losses', place)
    targets[fit.target] = TargetLoss(
      law=fit.law,
      weight=float(problem.weights[place]),
      loss=float(losses[place]),
      low=low,
      high=high,
      uniform_loss=float(uniform_losses[place]),
    )
  gain_low, gain_high = bands.of('gain', 0)
  allocation = Allocation(
    num_params=round(num_params),
    num_tokens=round(num_tokens),
    flop_budget=flop_budget,
    sources=shares,
    targets=targets,
    objective=float(problem.weights @ losses),
    uniform_objective=float(problem.weights @ uniform_losses),
    gain=gain,
    gain_low=gain_low,
    gain_high=gain_high,
    interval_level=problem.fits[0].interval_level,
    num_bootstraps=bands.count,
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
      linear=optimum.is_linear(problem, size, starts),
      ranges=ranges or {},
    ),
  )
  return dataclasses.replace(allocation, warnings=warnings)
