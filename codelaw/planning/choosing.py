"""From laws and wishes to an `Allocation`: what to solve, and what it says."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math

import jax
import numpy as np

from codelaw import accounting
from codelaw import errors
from codelaw.laws import results
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import bands as bands_lib
from codelaw.planning import caution
from codelaw.planning import objective as objective_lib
from codelaw.planning import optimum
from codelaw.planning import space as space_lib

_SIZE_GRID = 17  # sizes from which the best one is looked for
_SINGLE_GRID = 129  # sizes a source's best single run is taken from
_ROUNDING = 1e-3  # tokens; the size of a budget is solved as a logarithm
_SIX_N = '6 FLOPs per parameter and token'


def allocate(
  fits: Sequence[results.Fit],
  *,
  num_params: float,
  num_tokens: float,
  settings: allocation_lib.AllocationSettings | None = None,
  supply: Mapping[str, float] | None = None,
  ranges: Mapping[str, tuple[float, float]] | None = None,
) -> allocation_lib.Allocation:
  """The rates that minimise the objective at N and D within the limits.

  SciPy's SLSQP with JAX gradients from uniform, corner and random starts; the
  optimality conditions of the winner are checked and reported. The bands
  come from solving again for bootstrap parameter sets of the fits.

  Args:
    fits: of mixture laws, one per target; see `objective.mixture_fits`.
    num_params: of the model the rates are for.
    num_tokens: of the run.
    settings: objective, limits, stages, prior; the defaults of the class when
      None.
    supply: source -> tokens there are; unlimited where absent.
    ranges: column of the run table -> (least, greatest) value that was
      fitted, for a warning about extrapolation.

  Raises:
    UserError: for names the fits do not know and limits that leave no rates.
  """
  settings = settings or allocation_lib.AllocationSettings()
  with jax.enable_x64(True):
    work = _Work(_problem(fits, settings), settings, supply or {})
    space = work.space(num_params, num_tokens)
    choice = bands_lib.Choice(
      space, work.starts(space), [(num_params, num_tokens)]
    )
    return work.answer([choice], ranges or {}, None, '', ())


def allocate_budget(
  fits: Sequence[results.Fit],
  *,
  flop_budget: float,
  settings: allocation_lib.AllocationSettings | None = None,
  supply: Mapping[str, float] | None = None,
  ranges: Mapping[str, tuple[float, float]] | None = None,
  num_params_range: tuple[float, float] = (1e4, 1e13),
  sizes: Mapping[int, float] | None = None,
) -> allocation_lib.Allocation:
  """The size, tokens and rates that a budget of FLOPs is best spent on.

  minimise over N and r of f(r; N, D = C / (FLOPs per token of N)).

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
  settings = settings or allocation_lib.AllocationSettings()
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
    work = _Work(problem, settings, supply or {})
    if sizes:
      pairs = [(float(n), flop_budget / sizes[n]) for n in sorted(sizes)]
      spaces = work.feasible(pairs)
      choices = [
        bands_lib.Choice(space, work.starts(space), pairs) for space in spaces
      ]
      convention = accounting.FLOPS_CONVENTION
    else:
      choices = [work.open_size(flop_budget, (low, high))]
      convention = _SIX_N
    return work.answer(
      choices,
      ranges or {},
      flop_budget,
      convention,
      sorted(sizes or (low, high)),
    )


def _problem(
  fits: Sequence[results.Fit], settings: allocation_lib.AllocationSettings
) -> objective_lib.Objective:
  return objective_lib.build(
    fits,
    criterion=settings.objective,
    weights=settings.weights,
    prior=settings.prior,
    prior_strength=settings.prior_strength,
  )


@dataclasses.dataclass(frozen=True)
class _Work:
  """An objective and the wishes it is minimised under."""

  problem: objective_lib.Objective
  settings: allocation_lib.AllocationSettings
  supply: Mapping[str, float]

  def space(
    self, num_params: float, num_tokens: float, **budget
  ) -> space_lib.Space:
    """The space of a run at a size, or from there on under a budget."""
    return space_lib.build(
      self.problem.sources,
      num_params=num_params,
      num_tokens=num_tokens,
      floors=self.settings.floors,
      ceilings=self.settings.ceilings,
      supply=self.supply,
      max_epochs=self.settings.max_epochs,
      stages=self.settings.stages,
      **budget,
    )

  def starts(self, space: space_lib.Space) -> list[np.ndarray]:
    """Points of the space to look for its optimum from."""
    rates = optimum.starting_rates(space.total, self.settings.seed)
    return [space.start(own) for own in rates]

  def feasible(
    self, sizes: Sequence[tuple[float, float]]
  ) -> list[space_lib.Space]:
    """The spaces of the sizes (N, D) whose D the supply allows.

    Raises:
      UserError: when no size is, with what the fewest tokens meet.
    """
    spaces: list[space_lib.Space] = []
    refusal: errors.UserError | None = None
    for num_params, num_tokens in sorted(sizes, key=lambda size: -size[1]):
      try:
        space = self.space(num_params, num_tokens)
        space.start(np.full(len(self.problem.sources), 0.0))
        spaces.append(space)
      except errors.UserError as error:
        refusal = error
    if not spaces and refusal is not None:
      raise refusal
    return spaces

  def solve(
    self, space: space_lib.Space, starts, sizes: Sequence[tuple[float, float]]
  ) -> optimum.Solution:
    """The best choice for the fitted laws."""
    estimates = self.problem.estimates
    singles = self.problem.singles(sizes, estimates[None])[0]
    return optimum.solve(self.problem, space, starts, estimates, singles)

  def open_size(
    self, flop_budget: float, num_params_range: tuple[float, float]
  ) -> bands_lib.Choice:
    """The space in which N is free too, from the best size of a grid."""

    def pairs(count: int) -> list[tuple[float, float]]:
      sizes = np.geomspace(*num_params_range, count).tolist()
      per_token = space_lib.FLOPS_PER_PARAMETER_AND_TOKEN
      return [(n, flop_budget / (per_token * n)) for n in sizes]

    singles = pairs(_SINGLE_GRID)
    uniform = np.full(len(self.problem.sources), 1 / len(self.problem.sources))
    spaces = self.feasible(pairs(_SIZE_GRID))
    found = [
      self.solve(space, [space.start(uniform)], singles) for space in spaces
    ]
    values = [solution.objective for solution in found]
    place = int(np.argmin(values))
    space = self.space(
      spaces[place].num_params,
      spaces[place].num_tokens,
      flop_budget=flop_budget,
      num_params_range=num_params_range,
    )
    size = math.log(space.num_params)
    starts = [np.append(found[place].z, size), *self.starts(space)]
    return bands_lib.Choice(space, starts, singles)

  def answer(
    self,
    choices: Sequence[bands_lib.Choice],
    ranges: Mapping[str, tuple[float, float]],
    flop_budget: float | None,
    convention: str,
    sizes: Sequence[float],
  ) -> allocation_lib.Allocation:
    """Solves, compares, and says what a reader must be told."""
    problem = self.problem
    found = [self.solve(c.space, c.starts, c.sizes) for c in choices]
    place = int(np.argmin([solution.objective for solution in found]))
    choice, best = choices[place], found[place]
    z = choice.space.evened(best.z)
    space = choice.space.at_size(z)
    space = self.space(space.num_params, space.num_tokens)
    size = space.num_params, space.num_tokens
    mixtures = self._mixtures(space, z[: space.num_rates])
    points = {
      name: problem.point(space.shares(rates), *size)
      for name, rates in mixtures.items()
    }
    losses = problem.losses_of_each(
      np.stack(list(points.values())), problem.estimates[None]
    )[0]
    singles = problem.singles(choice.sizes, problem.estimates[None])[0]
    scores = dict(
      zip(points, problem.score(losses, singles).tolist(), strict=True)
    )
    again = [
      dataclasses.replace(c, starts=[solution.z, c.starts[0]])
      for c, solution in zip(choices, found, strict=True)
    ]
    bands = bands_lib.bands(
      problem, again, points, self.settings.num_bootstraps
    )
    gains = {
      name: (scores[name] - scores['allocated'], *bands.of(f'gain/{name}'))
      for name in ('uniform', 'natural')
      if name in scores
    }
    natural = gains.get('natural', (None, None, None))
    open_size = flop_budget is not None
    size_bands = [
      bands.of(name) if open_size else (None, None)
      for name in ('num_params', 'num_tokens')
    ]
    allocation = allocation_lib.Allocation(
      num_params=round(size[0]),
      # Down: one token more could be more than the supply.
      num_tokens=math.floor(size[1] + _ROUNDING),
      flop_budget=flop_budget,
      sources=self._sources(space, mixtures, bands),
      targets=self._targets(losses, list(points), bands, best, singles),
      objective=scores['allocated'],
      uniform_objective=scores['uniform'],
      gain=gains['uniform'][0],
      gain_low=gains['uniform'][1],
      gain_high=gains['uniform'][2],
      interval_level=problem.fits[0].interval_level,
      num_bootstraps=bands.count,
      optimality_residual=best.residual,
      num_starts=len(choice.starts),
      num_starts_at_optimum=best.num_starts_at_optimum,
      max_epochs=self.settings.max_epochs,
      prior_strength=self.settings.prior_strength,
      table_fingerprints=tuple(
        sorted({fit.table_fingerprint for fit in problem.fits})
      ),
      codelaw_version=problem.fits[0].codelaw_version,
      warnings=(),
      objective_name=problem.criterion,
      natural_objective=scores.get('natural'),
      natural_gain=natural[0],
      natural_gain_low=natural[1],
      natural_gain_high=natural[2],
      num_params_low=size_bands[0][0],
      num_params_high=size_bands[0][1],
      num_tokens_low=size_bands[1][0],
      num_tokens_high=size_bands[1][1],
      flops_convention=convention,
      stages=self._stages(space, z, bands),
    )
    warnings = caution.warnings(
      allocation,
      supply_bound=space.total.supply_bound,
      curvature=optimum.curvature(problem, size),
      ranges=ranges,
      sizes=sizes,
    )
    return dataclasses.replace(allocation, warnings=tuple(warnings))

  def _mixtures(
    self, space: space_lib.Space, rates: np.ndarray
  ) -> dict[str, np.ndarray]:
    """The allocated rates and those they are compared with, [T * S] each."""
    count = len(self.problem.sources)
    found = {
      'allocated': rates,
      'uniform': space.start(np.full(count, 1 / count)),
    }
    natural = self._natural()
    if natural is not None:
      found['natural'] = space.start(natural)
    return found

  def _natural(self) -> np.ndarray | None:
    sources = self.problem.sources
    if self.settings.natural:
      return objective_lib.proportions(
        'natural', self.settings.natural, sources, 'sources'
      )
    if all(self.supply.get(name, 0) > 0 for name in sources):
      return objective_lib.proportions('natural', self.supply, sources, '')
    return None

  def _sources(
    self,
    space: space_lib.Space,
    mixtures: Mapping[str, np.ndarray],
    bands: bands_lib.Bands,
  ) -> dict[str, allocation_lib.SourceShare]:
    totals = {name: space.totals(rates) for name, rates in mixtures.items()}
    shares = {}
    for place, name in enumerate(self.problem.sources):
      rate, (low, high) = (
        float(totals['allocated'][place]),
        bands.of('rates', place),
      )
      stock = self.supply.get(name)
      shares[name] = allocation_lib.SourceShare(
        rate=rate,
        low=low,
        high=high,
        uniform_rate=float(totals['uniform'][place]),
        floor=float(space.total.lower[place]),
        ceiling=float(min(1.0, space.total.upper[place])),
        num_tokens=rate * space.num_tokens,
        epochs=rate * space.num_tokens / stock if stock else None,
        natural_rate=(
          float(totals['natural'][place]) if 'natural' in totals else None
        ),
      )
    return shares

  def _targets(
    self,
    losses: np.ndarray,
    names: Sequence[str],
    bands: bands_lib.Bands,
    best: optimum.Solution,
    singles: np.ndarray,
  ) -> dict[str, allocation_lib.TargetLoss]:
    targets = {}
    for place, fit in enumerate(self.problem.fits):
      low, high = bands.of('losses', place)
      targets[fit.target] = allocation_lib.TargetLoss(
        law=fit.law,
        weight=float(self.problem.weights[place]),
        loss=float(losses[names.index('allocated'), place]),
        low=low,
        high=high,
        uniform_loss=float(losses[names.index('uniform'), place]),
        multiplier=float(best.multipliers[place]),
        single_loss=(
          float(singles[place])
          if self.problem.criterion == 'worst_excess'
          else None
        ),
      )
    return targets

  def _stages(
    self, space: space_lib.Space, z: np.ndarray, bands: bands_lib.Bands
  ) -> dict[str, allocation_lib.StageShare]:
    if len(space.names) == 1:
      return {}

    def named(values) -> dict[str, float]:
      return dict(
        zip(self.problem.sources, np.asarray(values).tolist(), strict=True)
      )

    found = {}
    for place, stage in enumerate(self.settings.stages):
      ends = [
        bands.of('stages', place, source)
        for source in range(len(self.problem.sources))
      ]
      known = ends[0][0] is not None
      found[stage.name] = allocation_lib.StageShare(
        token_share=float(space.token_shares[place]),
        recency=stage.recency,
        rates=named(space.rates(z)[place]),
        low=named([low for low, _ in ends]) if known else {},
        high=named([high for _, high in ends]) if known else {},
        floors=named(space.lower[place]),
        ceilings=named(np.minimum(1.0, space.upper[place])),
      )
    return found
