"""What an allocation may choose: rates of every stage, and perhaps the size.

Definitions owned here, for stages s and sources j:
  token share w_s: of the run's tokens, in stage s.
  total t_j = sum_s w_s r_sj: share of source j in the tokens of the run; what
    floors, ceilings and supply of the run bind.
  recency rho_s: what a token of the stage counts beside one of another stage.
  effective share e_j = sum_s a_s r_sj, a_s = w_s rho_s / sum_s w_s rho_s: what
    the laws take for the share of source j. Laws are fitted to shares of whole
    runs, so with equal recency e = t and nothing tells the stages apart.
  point z of a space: the rates [T * S], stage after stage, and log N where a
    budget of FLOPs leaves the size open (D = C / (6 N)).
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import math

import numpy as np

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw.planning import limits as limits_lib
from codelaw.planning import polytope

# Rates below this are 0: laws with powers of a share have no finite gradient
# at a share of exactly 0, so a solver stays this far off.
LEAST_RATE = 1e-6


@dataclasses.dataclass(frozen=True)
class StageLimits:
  """One stage of the run an allocation is for; bound in gin by its name.

  Attributes:
    name: of the stage, like `cooldown`.
    token_weight: its length relative to the other stages.
    recency: what one of its tokens counts beside one of another stage with
      recency 1, for the losses at the end of the run; see
      `codelaw.planning.recency`.
    floors: source -> least rate in this stage.
    ceilings: source -> greatest rate in this stage.
  """

  name: str
  token_weight: float = 1.0
  recency: float = 1.0
  floors: Mapping[str, float] = dataclasses.field(default_factory=dict)
  ceilings: Mapping[str, float] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    records.check_source_name(self.name)
    for name in ('token_weight', 'recency'):
      value = getattr(self, name)
      if not 0 < value < math.inf:
        raise errors.UserError(
          f'Stage {self.name}: {name} must be a positive number, got {value!r}.'
        )


WHOLE_RUN = (StageLimits('main'),)


@dataclasses.dataclass(frozen=True)
class Space:
  """The set of all choices, in arrays; see the module for the symbols.

  Attributes:
    names: of the stages, in order.
    token_shares: w [T].
    effective: a [T].
    lower: least rates [T, S].
    upper: greatest rates [T, S].
    total: limits of the run as a whole, at `num_tokens`; for one stage of
      known size, all of its limits.
    floors: of the run, as asked for [S].
    ceilings: of the run, as asked for [S].
    stock: tokens that may be drawn from a source, repetition included [S].
    num_params: N, or where to begin.
    num_tokens: D, or where to begin.
    flop_budget: C; None where N and D are given.
    num_params_range: least and greatest N of a budget.
  """

  names: tuple[str, ...]
  token_shares: np.ndarray
  effective: np.ndarray
  lower: np.ndarray
  upper: np.ndarray
  total: limits_lib.Limits
  floors: np.ndarray
  ceilings: np.ndarray
  stock: np.ndarray
  num_params: float
  num_tokens: float
  flop_budget: float | None = None
  num_params_range: tuple[float, float] = (0.0, math.inf)

  @property
  def num_rates(self) -> int:
    """T * S."""
    return self.lower.size

  @property
  def is_simple(self) -> bool:
    """Whether it is one simplex with floors and ceilings."""
    return len(self.names) == 1 and self.flop_budget is None

  def rates(self, z: np.ndarray) -> np.ndarray:
    """Rates of the stages [T, S] at a point."""
    return z[: self.num_rates].reshape(self.lower.shape)

  def size(self, z: np.ndarray) -> tuple[float, float]:
    """(N, D) at a point."""
    if self.flop_budget is None:
      return self.num_params, self.num_tokens
    num_params = math.exp(z[-1])
    per_token = accounting.FLOPS_PER_PARAMETER_AND_TOKEN * num_params
    return num_params, self.flop_budget / per_token

  def totals(self, z: np.ndarray) -> np.ndarray:
    """T [S] at a point."""
    return self.token_shares @ self.rates(z)

  def shares(self, z: np.ndarray) -> np.ndarray:
    """E [S] at a point."""
    return self.effective @ self.rates(z)

  def at_size(self, z: np.ndarray) -> 'Space':
    """The same stages at the size of a point, no longer open."""
    num_params, num_tokens = self.size(z)
    return dataclasses.replace(
      self, num_params=num_params, num_tokens=num_tokens, flop_budget=None
    )

  def pull_back(self, derivative: np.ndarray) -> np.ndarray:
    """Derivative by z [..., n] from one by an objective's point [..., S + 2].

    That point holds e, log N, log D; log D = log (C / 6) - log N.
    """
    by_share = derivative[..., None, :-2] * self.effective[:, None]
    by_rates = by_share.reshape(*derivative.shape[:-1], self.num_rates)
    if self.flop_budget is None:
      return by_rates
    by_size = derivative[..., -2] - derivative[..., -1]
    return np.concatenate([by_rates, by_size[..., None]], axis=-1)

  def bounds(self, off_zero: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest coordinates [n].

    Args:
      off_zero: keep rates at `LEAST_RATE` where the limits leave room.
    """
    lower = self.lower
    if off_zero:
      raised = np.minimum(np.maximum(lower, LEAST_RATE), self.upper)
      lower = np.where(raised.sum(axis=1, keepdims=True) < 1, raised, lower)
    ends = lower.ravel(), self.upper.ravel()
    if self.flop_budget is None:
      return ends
    low, high = np.log(self.num_params_range)
    return np.append(ends[0], low), np.append(ends[1], high)

  @functools.cached_property
  def equalities(self) -> np.ndarray:
    """Rows [T, n] whose products with z are 1: the rates of each stage."""
    count = len(self.names)
    rows = np.kron(np.eye(count), np.ones(self.lower.shape[1]))
    return np.pad(rows, ((0, 0), (0, self.flop_budget is not None)))

  def inequalities(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(c [m], its derivative [m, n]): the run keeps its limits where c >= 0.

    Only what the bounds of the stages do not say already.
    """
    count, totals = len(self.total.sources), self.totals(z)
    unit = np.kron(self.token_shares, np.eye(count))
    values, rows, by_size = [], [], []
    if len(self.names) > 1:
      floored, capped = self.floors > 0, self.ceilings < 1
      values += [(totals - self.floors)[floored]]
      values += [(self.ceilings - totals)[capped]]
      rows += [unit[floored], -unit[capped]]
      by_size += [np.zeros(floored.sum() + capped.sum())]
    if not self.is_simple:
      stocked = np.isfinite(self.stock)
      most = self.stock[stocked] / self.size(z)[1]
      values += [most - totals[stocked]]
      rows += [-unit[stocked]]
      by_size += [most]  # The most grows with N as D falls.
    if not values:
      return np.empty(0), np.empty((0, z.size))
    jacobian = np.concatenate(rows)
    if self.flop_budget is not None:
      jacobian = np.column_stack([jacobian, np.concatenate(by_size)])
    return np.concatenate(values), jacobian

  def polytope(self, z: np.ndarray) -> polytope.Polytope:
    """The space, with its inequalities linear as they are at z."""
    values, jacobian = self.inequalities(z)
    lower, upper = self.bounds()
    identity = np.eye(z.size)
    return polytope.Polytope(
      self.equalities,
      np.ones(len(self.names)),
      np.concatenate([identity, -identity, jacobian]),
      np.concatenate([lower, -upper, jacobian @ z - values]),
    )

  def nearest(
    self, target: np.ndarray, around: np.ndarray | None = None
  ) -> np.ndarray | None:
    """The point of the space nearest to `target` [n]; None in an empty one.

    Args:
      target: any point.
      around: where the inequalities are made linear; `target` when None. Only
        a budget with a supply has some that are not linear.
    """
    if self.is_simple:
      return self.total.project(target)
    if around is None:
      around = target
    found = self.polytope(around).nearest(target)
    return None if found is None else np.clip(found, *self.bounds())

  def start(self, rates: np.ndarray) -> np.ndarray:
    """The point nearest to rates [S] in every stage, at the size to begin."""
    z = np.tile(rates, len(self.names))
    found = dataclasses.replace(self, flop_budget=None).nearest(z)
    if found is None:
      raise errors.UserError(
        'No rates meet the limits of the stages'
        f' ({", ".join(self.names)}), those of the run and the supply together'
        f' at {self.num_tokens:,.0f} tokens; relax one of them.'
      )
    if self.flop_budget is None:
      return found
    return np.append(found, math.log(self.num_params))

  def without(self, z: np.ndarray, least: float) -> 'Space':
    """The part of the space in which what is below `least` at z is 0."""
    rates = self.rates(z)
    upper = np.where(rates <= least, self.lower, self.upper)
    if not self.is_simple:
      return dataclasses.replace(self, upper=upper)
    total = dataclasses.replace(self.total, upper=upper[0])
    return dataclasses.replace(self, upper=upper, total=total)

  def evened(self, z: np.ndarray) -> np.ndarray:
    """The point with the effective shares of z whose stages differ least.

    It minimises sum_s w_s |r_s - t|^2: what the laws cannot tell apart stays
    as alike as the limits allow.
    """
    if len(self.names) == 1:
      return z
    fixed = self.at_size(z)
    rates = z[: self.num_rates]
    held = np.kron(self.effective, np.eye(len(self.total.sources)))
    limits = fixed.polytope(rates)
    limits = dataclasses.replace(
      limits,
      A=np.concatenate([limits.A, held]),
      b=np.append(limits.b, held @ rates),
      h=np.minimum(limits.h, limits.G @ rates),  # z itself stays one of them
    )
    spread = np.eye(len(self.names)) - self.token_shares
    matrix = np.kron(
      np.sqrt(self.token_shares)[:, None] * spread,
      np.eye(len(self.total.sources)),
    )
    found = limits.least_squares(matrix, np.zeros(len(matrix)))
    if found is None:
      return z
    return np.append(np.clip(found, *fixed.bounds()), z[self.num_rates :])


def build(
  sources: Sequence[str],
  *,
  num_params: float,
  num_tokens: float,
  floors: Mapping[str, float],
  ceilings: Mapping[str, float],
  supply: Mapping[str, float],
  max_epochs: float,
  stages: Sequence[StageLimits] = WHOLE_RUN,
  flop_budget: float | None = None,
  num_params_range: tuple[float, float] = (0.0, math.inf),
) -> Space:
  """The space of a run at one size, or under a budget of FLOPs.

  Args:
    sources: all sources of the mixture.
    num_params: N, or where to begin under a budget.
    num_tokens: D, or where to begin under a budget.
    floors: source -> least share of the run's tokens; 0 where absent.
    ceilings: source -> greatest share of them; 1 where absent.
    supply: source -> tokens there are; unlimited where absent.
    max_epochs: how often a source may be repeated over the run.
    stages: of the run; one without limits of its own when there are none.
    flop_budget: C, which leaves N open.
    num_params_range: of N under a budget.

  Raises:
    UserError: for names, values or limits that leave no rates.
  """
  stages = tuple(stages) or WHOLE_RUN
  names = tuple(stage.name for stage in stages)
  if len(set(names)) < len(names):
    raise errors.UserError(
      f'The stages of an allocation must have different names, got {names}.'
    )
  if not 0 < num_params < math.inf:
    raise errors.UserError(
      f'num_params must be a positive number, got {num_params!r}.'
    )
  if len(stages) == 1:
    floors = _merged(max, floors, stages[0].floors)
    ceilings = _merged(min, ceilings, stages[0].ceilings)
  total = limits_lib.build(
    sources,
    num_tokens=num_tokens,
    floors=floors,
    ceilings=ceilings,
    supply=supply,
    max_epochs=max_epochs,
  )
  least = np.array([floors.get(name, 0.0) for name in total.sources])
  most = np.array([ceilings.get(name, 1.0) for name in total.sources])
  weights = np.array([stage.token_weight for stage in stages], float)
  token_shares = weights / weights.sum()
  counted = token_shares * [stage.recency for stage in stages]
  if len(stages) > 1:
    boxes = [
      limits_lib.build(
        sources,
        num_tokens=num_tokens,
        floors=stage.floors,
        ceilings=stage.ceilings,
        supply={},
        max_epochs=max_epochs,
      )
      for stage in stages
    ]
    lower = np.stack([box.lower for box in boxes])
    upper = np.stack([box.upper for box in boxes])
    upper = np.minimum(upper, most / token_shares[:, None])
    total = dataclasses.replace(
      total,
      lower=np.maximum(total.lower, token_shares @ lower),
      upper=np.minimum(total.upper, token_shares @ upper),
    )
  elif flop_budget is None:
    lower, upper = total.lower[None], total.upper[None]
  else:
    lower, upper = least[None], most[None]  # The supply depends on D.
  return Space(
    names=names,
    token_shares=token_shares,
    effective=counted / counted.sum(),
    lower=lower,
    upper=upper,
    total=total,
    floors=least,
    ceilings=most,
    stock=np.array(
      [
        supply.get(name, math.inf) * max_epochs * limits_lib.SUPPLY_USED
        for name in total.sources
      ]
    ),
    num_params=num_params,
    num_tokens=num_tokens,
    flop_budget=flop_budget,
    num_params_range=num_params_range,
  )


def _merged(
  tighter: Callable[[float, float], float],
  first: Mapping[str, float],
  second: Mapping[str, float],
) -> dict[str, float]:
  both = {**second, **first}
  return {
    name: tighter(value, second.get(name, value))
    for name, value in both.items()
  }
