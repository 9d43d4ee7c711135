"""Allocates: which spaces to search for given sizes, or under a budget."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math

import jax
import numpy as np

from codelaw import accounting
from codelaw import errors
from codelaw.laws import results
from codelaw.laws import score_law
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import answer as answer_lib
from codelaw.planning import bands as bands_lib
from codelaw.planning import objective as objective_lib
from codelaw.planning import optimum
from codelaw.planning import space as space_lib

_SIZE_GRID = 17  # sizes from which the best one is looked for
_SINGLE_GRID = 129  # sizes a source's best single run is taken from
_SIX_N = '6 FLOPs per parameter and token'


def allocate(
  fits: Sequence[results.Fit],
  *,
  num_params: float,
  num_tokens: float,
  settings: allocation_lib.AllocationSettings | None = None,
  supply: Mapping[str, float] | None = None,
  ranges: Mapping[str, tuple[float, float]] | None = None,
  scores: Sequence[score_law.ScoreLaw] = (),
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
    scores: laws of scores, for the objective `score`.

  Raises:
    UserError: for names the fits do not know and limits that leave no rates.
  """
  settings = settings or allocation_lib.AllocationSettings()
  with jax.enable_x64(True):
    problem = objective_of(fits, settings, scores)
    work = _Work(problem, settings, supply or {})
    space = work.space(num_params, num_tokens)
    choice = bands_lib.Choice(
      space, work.starts(space), [(num_params, num_tokens)]
    )
    return work.answer([choice], ranges or {})


def allocate_budget(
  fits: Sequence[results.Fit],
  *,
  flop_budget: float,
  settings: allocation_lib.AllocationSettings | None = None,
  supply: Mapping[str, float] | None = None,
  ranges: Mapping[str, tuple[float, float]] | None = None,
  num_params_range: tuple[float, float] = (1e4, 1e13),
  sizes: Mapping[int, float] | None = None,
  scores: Sequence[score_law.ScoreLaw] = (),
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
    scores: as in `allocate`.

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
    problem = objective_of(fits, settings, scores)
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


def objective_of(
  fits: Sequence[results.Fit],
  settings: allocation_lib.AllocationSettings,
  scores: Sequence[score_law.ScoreLaw] = (),
) -> objective_lib.Objective:
  """What `allocate` minimises; inside `jax.enable_x64(True)`."""
  return objective_lib.build(
    fits,
    criterion=settings.objective,
    weights=settings.weights,
    prior=settings.prior,
    prior_strength=settings.prior_strength,
    scores=scores,
  )


def space_of(
  problem: objective_lib.Objective,
  found: allocation_lib.Allocation,
  settings: allocation_lib.AllocationSettings,
  supply: Mapping[str, float],
) -> space_lib.Space:
  """The space that an allocation was found in, from its size on."""
  work = _Work(problem, settings, supply)
  if found.flops_convention != _SIX_N or found.flop_budget is None:
    return work.space(found.num_params, found.num_tokens)
  return work.space(
    found.num_params,
    found.num_tokens,
    flop_budget=found.flop_budget,
    num_params_range=(found.num_params / 1e3, found.num_params * 1e3),
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
      per_token = accounting.FLOPS_PER_PARAMETER_AND_TOKEN
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
    flop_budget: float | None = None,
    convention: str = '',
    sizes: Sequence[float] = (),
  ) -> allocation_lib.Allocation:
    """Takes the best of the choices and describes it."""
    found = [self.solve(c.space, c.starts, c.sizes) for c in choices]
    place = int(np.argmin([solution.objective for solution in found]))
    choice, best = choices[place], found[place]
    z = choice.space.evened(best.z)
    size = choice.space.size(z)
    space = self.space(*size)
    return answer_lib.Answer(
      self.problem,
      self.settings,
      self.supply,
      space,
      z[: space.num_rates],
      choice,
      best,
    ).allocation(
      [
        # Where all starts agreed there is one optimum: one start finds it.
        dataclasses.replace(
          c,
          starts=[solution.z]
          if solution.num_starts_at_optimum == len(c.starts)
          else [solution.z, *c.starts[:2]],
        )
        for c, solution in zip(choices, found, strict=True)
      ],
      ranges,
      flop_budget,
      convention,
      sizes,
    )
