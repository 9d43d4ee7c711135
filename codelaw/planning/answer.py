"""What was found, as an `Allocation`: shares, losses, gains and warnings."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import math

import numpy as np

from codelaw.planning import allocation as allocation_lib
from codelaw.planning import bands as bands_lib
from codelaw.planning import caution
from codelaw.planning import objective as objective_lib
from codelaw.planning import optimum
from codelaw.planning import proportions
from codelaw.planning import space as space_lib

_ROUNDING = 1e-9  # to which supplies are kept when the size is open


@dataclasses.dataclass(frozen=True)
class Answer:
  """A choice that was made, and what it was made from.

  Attributes:
    problem: the objective.
    settings: the wishes.
    supply: source -> tokens there are.
    space: at the size that was chosen.
    rates: that were chosen, [T * S].
    choice: among which they were chosen.
    best: where the solver ended.
  """

  problem: objective_lib.Objective
  settings: allocation_lib.AllocationSettings
  supply: Mapping[str, float]
  space: space_lib.Space
  rates: np.ndarray
  choice: bands_lib.Choice
  best: optimum.Solution

  def allocation(
    self,
    again: Sequence[bands_lib.Choice],
    ranges: Mapping[str, tuple[float, float]],
    flop_budget: float | None,
    convention: str,
    sizes: Sequence[float],
  ) -> allocation_lib.Allocation:
    """Compares, and says what a reader must be told.

    Args:
      again: what bootstrap fits may choose from.
      ranges: column of the run table -> (least, greatest) fitted value.
      flop_budget: C; None where the size was given.
      convention: how FLOPs were counted; empty without a budget.
      sizes: that a budget could choose from, least to greatest.
    """
    problem, space = self.problem, self.space
    size = space.num_params, space.num_tokens
    points = {
      name: problem.point(space.shares(rates), *size)
      for name, rates in self.mixtures.items()
    }
    losses = problem.losses_of_each(
      np.stack(list(points.values())), problem.estimates[None]
    )[0]
    singles = problem.singles(self.choice.sizes, problem.estimates[None])[0]
    scores = dict(
      zip(
        points,
        problem.score(losses, singles, problem.estimates).tolist(),
        strict=True,
      )
    )
    # What is maximised is shown as it is.
    sign = 1.0 if problem.scores is None else -1.0
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
      num_tokens=(
        round(size[1])
        if self.choice.space.flop_budget is None
        # One token more could be more than the supply.
        else math.floor(size[1] * (1 - _ROUNDING))
      ),
      flop_budget=flop_budget,
      sources=self._sources(bands),
      targets=self._targets(losses, list(points), bands, singles),
      objective=sign * scores['allocated'],
      uniform_objective=sign * scores['uniform'],
      gain=gains['uniform'][0],
      gain_low=gains['uniform'][1],
      gain_high=gains['uniform'][2],
      interval_level=problem.fits[0].interval_level,
      num_bootstraps=bands.count,
      optimality_residual=self.best.residual,
      num_starts=len(self.choice.starts),
      num_starts_at_optimum=self.best.num_starts_at_optimum,
      max_epochs=self.settings.max_epochs,
      prior_strength=self.settings.prior_strength,
      table_fingerprints=tuple(
        sorted({fit.table_fingerprint for fit in problem.fits})
      ),
      codelaw_version=problem.fits[0].codelaw_version,
      warnings=(),
      objective_name=problem.criterion,
      natural_objective=(
        sign * scores['natural'] if 'natural' in scores else None
      ),
      natural_gain=natural[0],
      natural_gain_low=natural[1],
      natural_gain_high=natural[2],
      num_params_low=size_bands[0][0],
      num_params_high=size_bands[0][1],
      num_tokens_low=size_bands[1][0],
      num_tokens_high=size_bands[1][1],
      flops_convention=convention,
      stages=self._stages(bands),
      scores=self._scores(losses, list(points), bands),
    )
    warnings = caution.warnings(
      allocation,
      supply_bound=space.total.supply_bound,
      curvature=optimum.curvature(problem, size),
      ranges=ranges,
      sizes=sizes,
      beyond_losses=self._beyond(losses[list(points).index('allocated')]),
    )
    return dataclasses.replace(allocation, warnings=tuple(warnings))

  @functools.cached_property
  def mixtures(self) -> dict[str, np.ndarray]:
    """The allocated rates and those they are compared with, [T * S] each."""
    count = len(self.problem.sources)
    found = {
      'allocated': self.rates,
      'uniform': self.space.start(np.full(count, 1 / count)),
    }
    natural = self._natural()
    if natural is not None:
      found['natural'] = self.space.start(natural)
    return found

  def _natural(self) -> np.ndarray | None:
    sources = self.problem.sources
    if self.settings.natural:
      return proportions.of(
        'natural', self.settings.natural, sources, 'sources'
      )
    if all(self.supply.get(name, 0) > 0 for name in sources):
      return proportions.of('natural', self.supply, sources, '')
    return None

  def _sources(
    self, bands: bands_lib.Bands
  ) -> dict[str, allocation_lib.SourceShare]:
    space = self.space
    totals = {
      name: space.totals(rates) for name, rates in self.mixtures.items()
    }
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
        multiplier=float(self.best.multipliers[place]),
        single_loss=(
          float(singles[place])
          if self.problem.criterion == 'worst_excess'
          else None
        ),
      )
    return targets

  def _scores(
    self, losses: np.ndarray, names: Sequence[str], bands: bands_lib.Bands
  ) -> dict[str, allocation_lib.TaskScore]:
    mean = self.problem.scores
    if mean is None:
      return {}
    scores = self.problem.task_scores(losses, self.problem.estimates)
    found = {}
    for place, law in enumerate(mean.laws):
      low, high = bands.of('scores', place)
      found[law.target] = allocation_lib.TaskScore(
        weight=float(mean.weights[place]),
        score=float(scores[names.index('allocated'), place]),
        low=low,
        high=high,
        uniform_score=float(scores[names.index('uniform'), place]),
        scale=law.scale,
        losses=dict(law.losses),
      )
    return found

  def _beyond(self, losses: np.ndarray) -> list[str]:
    """Scores whose predicted loss no run had, with that loss and the range."""
    mean = self.problem.scores
    if mean is None:
      return []
    found = []
    for law, x in zip(mean.laws, (mean.mix @ losses).tolist(), strict=True):
      low, high = law.diagnostics['loss_range']
      if not low <= x <= high:
        found.append(
          f'{law.target} (loss {x:.4g}, runs {low:.4g} to {high:.4g})'
        )
    return found

  def _stages(
    self, bands: bands_lib.Bands
  ) -> dict[str, allocation_lib.StageShare]:
    space = self.space
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
        rates=named(space.rates(self.rates)[place]),
        low=named([low for low, _ in ends]) if known else {},
        high=named([high for _, high in ends]) if known else {},
        floors=named(space.lower[place]),
        ceilings=named(np.minimum(1.0, space.upper[place])),
      )
    return found
