"""The best rates for a run, and the best split of a budget of FLOPs.

Owns `Allocation`, the answer: rates with their uncertainty, predicted losses,
the predicted gain over uniform and over natural rates, and in words everything
that should keep a reader from trusting it more than it deserves. How it is
found is in `codelaw.planning.choosing`.
"""

from collections.abc import Mapping
import dataclasses

from codelaw import errors
from codelaw import records
from codelaw.planning import space as space_lib


@dataclasses.dataclass(frozen=True)
class AllocationSettings:
  """What an allocation is free to choose; bound in gin by a study.

  Attributes:
    objective: `mean` (the weighted mean), `worst` (the greatest loss),
      `worst_excess` (the greatest loss above a run of the same cost on the
      target's own source alone), `target:SOURCE`, or `score` (the weighted
      mean of task scores); see `codelaw.planning.objective`.
    weights: source -> weight of its loss, or column of scores -> weight of the
      score; only proportions count, those not named weigh nothing; empty
      weighs all the same.
    floors: source -> least rate.
    ceilings: source -> greatest rate.
    stages: with rates of their own; empty for one mixture throughout.
    max_epochs: how often a source may be repeated when its supply is known.
    natural: source -> share in the data as it is found, which the answer is
      compared with; empty takes the shares of the supply, if that is known of
      every source.
    prior: source -> rate the answer is drawn to; empty means equal rates.
    prior_strength: of that pull, nats per token (or mean score) per squared
      distance.
    num_bootstraps: bootstrap fits that carry the uncertainty, at most.
    seed: of the random starting points.
  """

  objective: str = 'mean'
  weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
  floors: Mapping[str, float] = dataclasses.field(default_factory=dict)
  ceilings: Mapping[str, float] = dataclasses.field(default_factory=dict)
  stages: tuple[space_lib.StageLimits, ...] = ()
  max_epochs: float = 4.0
  natural: Mapping[str, float] = dataclasses.field(default_factory=dict)
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
    natural_rate: its natural share, moved into the limits; None when the
      natural shares are not known.
  """

  rate: float
  low: float | None
  high: float | None
  uniform_rate: float
  floor: float
  ceiling: float
  num_tokens: float
  epochs: float | None
  natural_rate: float | None = None


@dataclasses.dataclass(frozen=True)
class TargetLoss:
  """What the laws predict for one target.

  Attributes:
    law: that predicts it.
    weight: in the objective; weights sum to 1. A maximum only asks whether it
      is positive.
    loss: at the allocated rates, nats per token.
    low: lower end of its interval; None without bootstrap fits.
    high: upper end.
    uniform_loss: at the uniform rates.
    multiplier: weight with which a weighted mean has the same optimum; 0 for
      a target that a maximum does not depend on.
    single_loss: of a run of the same cost on the target's own source alone,
      which `worst_excess` counts from; None for other objectives.
  """

  law: str
  weight: float
  loss: float
  low: float | None
  high: float | None
  uniform_loss: float
  multiplier: float | None = None
  single_loss: float | None = None


@dataclasses.dataclass(frozen=True)
class TaskScore:
  """What a law of a score predicts behind the laws of losses.

  Attributes:
    weight: in the objective; weights sum to 1.
    score: at the allocated rates, in the unit of its metric.
    low: lower end of its interval; None without bootstrap fits.
    high: upper end.
    uniform_score: at the uniform rates.
    scale: greatest value of the metric.
    losses: that it is predicted from -> weight.
  """

  weight: float
  score: float
  low: float | None
  high: float | None
  uniform_score: float
  scale: float
  losses: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class StageShare:
  """What one stage of the run gets.

  Attributes:
    token_share: of the run's tokens.
    recency: what a token of it counts; see `space.StageLimits`.
    rates: source -> rate.
    low: source -> lower end of the band of its best rate; empty without one.
    high: source -> upper end.
    floors: source -> least rate that was allowed in the stage.
    ceilings: source -> greatest.
  """

  token_share: float
  recency: float
  rates: Mapping[str, float]
  low: Mapping[str, float]
  high: Mapping[str, float]
  floors: Mapping[str, float]
  ceilings: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Allocation:
  """The best rates for one size and one number of tokens.

  Attributes:
    num_params: of the model (N).
    num_tokens: of the run (D).
    flop_budget: that N and D were chosen for; None when they were given.
    sources: source -> what it gets.
    targets: target column -> what is predicted.
    objective: what was minimised, at the rates, nats per token, without the
      pull of a prior; for `score` what was maximised: the mean score, a share
      of the whole scale.
    uniform_objective: the same at uniform rates, moved into the limits.
    gain: uniform_objective - objective; for `score` the other way round, so
      that more is better.
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
    objective_name: `mean`, `worst`, `worst_excess` or `score`.
    natural_objective: the objective at natural rates, moved into the limits;
      None when they are not known.
    natural_gain: as `gain`, over natural rates.
    natural_gain_low: lower end of its interval.
    natural_gain_high: upper end.
    num_params_low: lower end of the band of the best N; None where N was
      given or without bootstrap fits.
    num_params_high: upper end.
    num_tokens_low: the same of D.
    num_tokens_high: upper end.
    flops_convention: how FLOPs were counted; empty without a budget.
    stages: name -> what it gets, in order; empty for one mixture throughout.
    scores: column of scores -> what is predicted; empty unless they were the
      objective.
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
  objective_name: str = 'mean'
  natural_objective: float | None = None
  natural_gain: float | None = None
  natural_gain_low: float | None = None
  natural_gain_high: float | None = None
  num_params_low: float | None = None
  num_params_high: float | None = None
  num_tokens_low: float | None = None
  num_tokens_high: float | None = None
  flops_convention: str = ''
  stages: Mapping[str, StageShare] = dataclasses.field(default_factory=dict)
  scores: Mapping[str, TaskScore] = dataclasses.field(default_factory=dict)

  @property
  def unit(self) -> str:
    """Of the objective and its gain, in words."""
    return 'of the full score' if self.scores else 'nats per token'

  @property
  def rates(self) -> dict[str, float]:
    """Source -> rate; they sum to 1 up to rounding of the last bit."""
    return {source: share.rate for source, share in self.sources.items()}

  @property
  def uniform_rates(self) -> dict[str, float]:
    """Source -> rate of the mixture the gain is counted from."""
    return {name: share.uniform_rate for name, share in self.sources.items()}

  def score(self, losses: Mapping[str, float]) -> float:
    """The objective of measured losses: target -> nats per token.

    Raises:
      UserError: when it is no function of losses alone.
    """
    if self.scores:
      raise errors.UserError(
        'The objective score is measured by evaluating tasks, not by losses;'
        ' studies confirm allocations of losses.'
      )
    terms = [
      (target.weight, losses[name], target.single_loss or 0.0)
      for name, target in self.targets.items()
    ]
    if self.objective_name == 'mean':
      return sum(weight * loss for weight, loss, _ in terms)
    return max(loss - single for weight, loss, single in terms if weight > 0)


def to_json(allocation: Allocation) -> dict:
  """The content of `allocation.json`."""
  return records.to_json(allocation)


def from_json(content: object) -> Allocation:
  """Reads what `to_json` returned; `UserError` for anything else."""
  return records.from_json(content, Allocation)
