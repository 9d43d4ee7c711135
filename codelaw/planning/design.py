"""Which runs to do next, so that the allocation becomes surer.

Owns the criterion: the expected regret of the allocation, E[f(x_hat) - f(x_*)],
of rates (and log N where the size is open) x_hat chosen by laws that are not
known exactly. To second order in their error it is

  1/2 trace(H^+ Cov(g)),

with g the gradient of the objective at the chosen x along the directions in
which bootstrap fits disagree on the best x, and H its Hessian there: a Bayesian
L-optimal design for the linearised laws (Chaloner and Verdinelli 1995,
doi:10.1214/ss/1177009939, section 2.2 and 4). What is known so far is the
bootstrap distribution of the fits: the joint covariance of g and of the log
losses that each candidate run would show. A run adds one measurement of every
target's log loss with the noise of a run, which shrinks that covariance as in
linear Gaussian regression. Targets are fitted apart, so their errors count as
independent. The laws are taken to be right: what they miss of the truth is in
the noise, so repeating one run is never as good as it seems.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import itertools
import math

import jax
import numpy as np
from scipy import linalg

from codelaw import errors
from codelaw.laws import results
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import bands as bands_lib
from codelaw.planning import choosing
from codelaw.planning import knowledge as knowledge_lib
from codelaw.planning import objective as objective_lib
from codelaw.planning import space as space_lib

_NUM_SAMPLES = 400  # bootstrap fits behind the covariance, at most
_NUM_OPTIMA = 48  # of them, of which the best rates are found
_DISAGREE = 1e-3  # in rates or log N, between the best of bootstrap fits
_FLATTEST = 1e-2  # least curvature that counts, relative to the greatest
_KEPT = (2.5, 97.5)  # percentiles that samples are moved into
_FEW_SAMPLES = 50
# Under a Huber function much narrower than the noise a fit is nearly a median,
# whose variance is pi / 2 times that of a mean.
_MEDIAN = math.pi / 2


@dataclasses.dataclass(frozen=True)
class Candidate:
  """A run that might be done.

  Attributes:
    num_params: of its model.
    num_tokens: it trains on.
    rates: source -> share of them.
    flops: training FLOPs, its cost.
  """

  num_params: int
  num_tokens: int
  rates: Mapping[str, float]
  flops: float


@dataclasses.dataclass(frozen=True)
class Design:
  """The runs to do next.

  Attributes:
    runs: chosen candidates, by cost; one may be there several times.
    flops: of all of them.
    flop_budget: they were chosen within.
    regret_now: expected regret of an allocation from the laws so far, nats
      per token; the variance of the predicted objective where nothing is in
      doubt.
    regret_after: expected when the runs are done.
    regret_random: the mean of that over random designs of equal cost.
    free: coordinates in doubt: sources, and `num_params` if the size is open.
    notes: in words.
  """

  runs: tuple[Candidate, ...]
  flops: float
  flop_budget: float
  regret_now: float
  regret_after: float
  regret_random: float
  free: tuple[str, ...]
  notes: tuple[str, ...]


def mixtures(
  sources: Sequence[str],
  best: Mapping[str, float],
  num_random: int = 16,
  seed: int = 0,
) -> list[dict[str, float]]:
  """Mixtures worth a run: corners, pairs, centre, the best rates, and others.

  Args:
    sources: of the laws.
    best: rates so far.
    num_random: flat Dirichlet draws besides.
    seed: of the draws.
  """
  found = [{source: 1.0} for source in sources]
  found += [
    dict.fromkeys(pair, 0.5) for pair in itertools.combinations(sources, 2)
  ]
  if len(sources) > 2:
    found.append(dict.fromkeys(sources, 1 / len(sources)))
  found.append({name: rate for name, rate in best.items() if rate > 0})
  draws = np.random.default_rng(seed).dirichlet(
    np.ones(len(sources)), num_random
  )
  # Whole percents, so that plans stay readable.
  for draw in draws:
    shares = np.round(draw, 2)
    shares[np.argmax(shares)] += 1 - shares.sum()
    found.append(
      {
        name: round(float(share), 2)
        for name, share in zip(sources, shares, strict=True)
        if share > 0
      }
    )
  return found


def candidates(
  sizes: Mapping[int, float],
  token_budgets: Sequence[int],
  rates: Sequence[Mapping[str, float]],
  supply: Mapping[str, float] | None = None,
  max_epochs: float = 4.0,
) -> list[Candidate]:
  """Every size on every number of tokens of every mixture the supply allows.

  Args:
    sizes: num_params -> training FLOPs per token.
    token_budgets: numbers of tokens.
    rates: mixtures.
    supply: source -> tokens there are; unlimited where absent.
    max_epochs: how often a source may be repeated.
  """
  supply = supply or {}
  return [
    Candidate(size, tokens, dict(mixture), per_token * tokens)
    for (size, per_token), tokens, mixture in itertools.product(
      sizes.items(), token_budgets, rates
    )
    if all(
      share * tokens <= max_epochs * supply.get(name, math.inf)
      for name, share in mixture.items()
    )
  ]


def design(
  fits: Sequence[results.Fit],
  found: allocation_lib.Allocation,
  runs: Sequence[Candidate],
  *,
  flop_budget: float,
  settings: allocation_lib.AllocationSettings | None = None,
  supply: Mapping[str, float] | None = None,
  max_runs: int = 32,
  num_random: int = 20,
) -> Design:
  """The runs that lower the expected regret of an allocation most.

  Args:
    fits: as in `choosing.allocate`, with bootstrap estimates.
    found: the allocation from them, which is to become surer.
    runs: candidates.
    flop_budget: for the new runs.
    settings: that `found` was made with; one mixture throughout, and a mean.
    supply: that `found` was made with.
    max_runs: at most.
    num_random: random designs to compare with.

  Raises:
    UserError: for fits without bootstrap estimates or noise, laws that do not
      hold at several sizes, or a budget that no candidate fits into.
  """
  settings = settings or allocation_lib.AllocationSettings()
  with jax.enable_x64(True):
    problem = choosing.objective_of(fits, settings)
    _check(problem, settings, runs, flop_budget)
    space = choosing.space_of(problem, found, settings, supply or {})
    start = space.start(np.array(list(found.rates.values())))
    known, free, notes = _knowledge(problem, space, runs, start)
  costs = np.array([run.flops for run in runs])
  chosen, after = knowledge_lib.choose(known, costs, flop_budget, max_runs)
  at_random = [
    knowledge_lib.choose_at_random(known, costs, flop_budget, max_runs, seed)
    for seed in range(num_random)
  ]
  picked = sorted((runs[index] for index in chosen), key=lambda run: run.flops)
  return Design(
    runs=tuple(picked),
    flops=float(costs[chosen].sum()),
    flop_budget=flop_budget,
    regret_now=known.regret,
    regret_after=after.regret,
    regret_random=float(np.mean([one.regret for _, one in at_random])),
    free=free,
    notes=tuple(notes),
  )


def _check(
  problem: objective_lib.Objective,
  settings: allocation_lib.AllocationSettings,
  runs: Sequence[Candidate],
  flop_budget: float,
) -> None:
  if problem.is_worst or len(settings.stages) > 1:
    raise errors.UserError(
      'A design makes the allocation of a weighted mean or of one target with'
      f' one mixture throughout surer; got the objective {problem.criterion}'
      f' and {len(settings.stages)} stages.'
    )
  for fit, law in zip(problem.fits, problem.laws, strict=True):
    if len(next(iter(fit.bootstrap_estimates.values()), ())) < 2:
      raise errors.UserError(
        f'The fit of {fit.target} has no bootstrap estimates, so nothing says'
        ' how unsure it is; fit again with FitSettings.num_bootstraps.'
      )
    if not fit.diagnostics.get('residual_log_sd', 0) > 0:
      raise errors.UserError(
        f'The fit of {fit.target} does not say how noisy a run is'
        ' (residual_log_sd); fit again.'
      )
    for column in ('num_params', 'num_tokens'):
      values = {getattr(run, column) for run in runs}
      if column not in law.columns and len(values) > 1:
        raise errors.UserError(
          f'Law {law.name} does not depend on {column}, so runs of one only may'
          f' be planned for it; got {len(values)}.'
        )
  least = min((run.flops for run in runs), default=math.inf)
  if not least <= flop_budget < math.inf:
    raise errors.UserError(
      f'The budget for new runs is {flop_budget:.4g} FLOPs; the cheapest of'
      f' {len(runs)} candidates takes {least:.4g}. Raise the budget or offer'
      ' smaller models or fewer tokens.'
    )


def _knowledge(
  problem: objective_lib.Objective,
  space: space_lib.Space,
  runs: Sequence[Candidate],
  start: np.ndarray,
) -> tuple[knowledge_lib.Knowledge, tuple[str, ...], list[str]]:
  """Covariances of quantity and candidates; what is in doubt; notes."""
  notes = []
  samples = problem.bootstrap(_NUM_SAMPLES)
  if len(samples) < _FEW_SAMPLES:
    notes.append(
      f'The fits carry {len(samples)} bootstrap estimates, which tell little'
      ' of how errors go together; fit with 200 or more.'
    )
  choice = bands_lib.Choice(space, [start], [space.size(start)])
  best = [
    z for _, z in bands_lib.optima(problem, [choice], samples[:_NUM_OPTIMA])
  ]
  free = np.ptp(best, axis=0) > _DISAGREE
  names = (*problem.sources, 'num_params')
  directions = linalg.null_space(
    np.concatenate([space.equalities, np.eye(free.size)[~free]])
  )
  middle = np.mean(best, axis=0)
  scaled = _scaled(problem, space, middle, directions, samples)
  if scaled is None:
    notes.append(
      'The bootstrap fits agree on the best choice, or the objective is linear'
      ' in it: the runs are chosen to make the predicted loss surer instead.'
    )
    middle, directions, free = start, directions[:, :0], free & False
    point = problem.point(space.shares(middle), *space.size(middle))
    losses = problem.losses_of_each(point[None], samples)
    quantity = losses.transpose(0, 2, 1) * problem.weights[:, None]
  else:
    point = problem.point(space.shares(middle), *space.size(middle))
    gradients = np.stack(
      [
        space.pull_back(problem.losses_and_jacobian(point, sample)[1])
        for sample in samples
      ]
    )
    quantity = (gradients * problem.weights[:, None]) @ scaled
  points = [
    problem.point(
      np.array([run.rates.get(name, 0.0) for name in problem.sources]),
      run.num_params,
      run.num_tokens,
    )
    for run in runs
  ]
  losses = np.log(problem.losses_of_each(np.stack(points), samples))
  both = np.concatenate([quantity, losses.transpose(0, 2, 1)], axis=2)
  # A few resamples of a law that hardly holds together would count for most.
  both = np.clip(both, *np.percentile(both, _KEPT, axis=0))
  both = (both - both.mean(axis=0)) / math.sqrt(len(both) - 1)
  noise = [
    fit.diagnostics['residual_log_sd'] ** 2
    * (_MEDIAN if fit.objective_name == 'log_huber' else 1.0)
    for fit in problem.fits
  ]
  known = knowledge_lib.Knowledge(
    np.einsum('bki,bkj->kij', both, both), np.array(noise), quantity.shape[2]
  )
  doubtful = itertools.compress(names, free)
  return known, tuple(doubtful), notes


def _scaled(
  problem: objective_lib.Objective,
  space: space_lib.Space,
  z: np.ndarray,
  directions: np.ndarray,
  samples: np.ndarray,
) -> np.ndarray | None:
  """The matrix M [n, q] for which 1/2 g H^+ g = |g M|^2; None for no such H.

  H is the Hessian along the directions [n, q], the mean over samples; where it
  is flat or negative it counts as `_FLATTEST` of the greatest curvature.
  """
  if not directions.size:
    return None
  point = problem.point(space.shares(z), *space.size(z))
  hessian = problem.hessians(point, samples[:_NUM_OPTIMA]).mean(axis=0)
  matrix = space.pull_back(np.eye(point.size)) @ directions
  curvatures, vectors = np.linalg.eigh(matrix.T @ hessian @ matrix)
  if not curvatures[-1] > 0:
    return None
  curvatures = np.maximum(curvatures, _FLATTEST * curvatures[-1])
  return directions @ vectors / np.sqrt(2 * curvatures)
