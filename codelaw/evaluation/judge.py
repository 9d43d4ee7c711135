"""Win rates: what a judge's verdicts on pairs of answers add up to.

Every prompt is judged in both orders, because judges favour places.

Definitions owned here:
  model, baseline: the two systems; outcomes are the model's.
  outcome of an order: win, tie or loss, as its verdict says.
  outcome of a prompt: win if both orders say win, loss if both say loss, else
    tie; none if an order has no verdict. Orders that disagree are a tie.
  win rate: wins / prompts with an outcome; ties count as not won. Paper B
    (arXiv:2408.10914) prints win rates beside shares of ties and losses.
  win rate with ties as half: (wins + ties / 2) / prompts with an outcome; 0.5
    for equal systems whatever the share of ties.
  order agreement: share of the prompts with an outcome whose two orders have
    one outcome.
  first place share: of the verdicts that are no tie, those for the answer
    shown first; 0.5 for a judge without a bias to a place.
  interval: percentiles of the rate over resampled prompts (bootstrap). It
    holds what other prompts would change, and nothing of another judge; rates
    of 0 and 1 have an interval without width.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from typing import Literal

import numpy as np

from codelaw import errors
from codelaw import scores as scores_lib
from codelaw.evaluation import judge_instructions

Outcome = Literal['win', 'tie', 'loss']

_MODEL_FIRST: Mapping[str, Outcome] = {'A': 'win', 'B': 'loss', 'tie': 'tie'}
_BASELINE_FIRST: Mapping[str, Outcome] = {'A': 'loss', 'B': 'win', 'tie': 'tie'}
_NUM_RESAMPLES = 4000
# As of the laws (laws/uncertainty.py).
_LEVEL = 0.9
_RATES = ('win_rate', 'win_rate_ties_as_half', 'tie_rate', 'order_agreement')


@dataclasses.dataclass(frozen=True)
class Judgement:
  """Verdicts on one prompt.

  Attributes:
    model_first: where the model's answer was `A`; None for none.
    baseline_first: where the baseline's was.
  """

  model_first: judge_instructions.Verdict | None
  baseline_first: judge_instructions.Verdict | None

  @property
  def outcomes(self) -> tuple[Outcome, Outcome] | None:
    """Of the two orders; None if one has no verdict."""
    if self.model_first is None or self.baseline_first is None:
      return None
    return _MODEL_FIRST[self.model_first], _BASELINE_FIRST[self.baseline_first]

  @property
  def outcome(self) -> Outcome | None:
    """Of the prompt."""
    if self.outcomes is None:
      return None
    one, other = self.outcomes
    return one if one == other else 'tie'


@dataclasses.dataclass(frozen=True)
class Rate:
  """A share of prompts, with its bootstrap interval and standard error."""

  value: float
  low: float
  high: float
  standard_error: float


@dataclasses.dataclass(frozen=True)
class Comparison:
  """A model against a baseline.

  Attributes:
    num_prompts: all of them.
    num_wins: prompts that the model won.
    num_ties: likewise.
    num_losses: likewise.
    num_no_verdict: prompts without an outcome, which no rate counts.
    rates: `win_rate`, `win_rate_ties_as_half`, `tie_rate`, `order_agreement`.
    first_place_share: as defined above; None if all verdicts are ties.
    interval_level: of the rates' intervals.
  """

  num_prompts: int
  num_wins: int
  num_ties: int
  num_losses: int
  num_no_verdict: int
  rates: Mapping[str, Rate]
  first_place_share: float | None
  interval_level: float = _LEVEL


def compare(judgements: Sequence[Judgement], seed: int = 0) -> Comparison:
  """Adds up verdicts.

  Args:
    judgements: of all prompts.
    seed: of the bootstrap.

  Raises:
    UserError: when no prompt has an outcome.
  """
  pairs = [j.outcomes for j in judgements]
  outcomes = [j.outcome for j in judgements if j.outcome is not None]
  if not outcomes:
    raise errors.UserError(
      f'None of {len(judgements)} prompts has a verdict in both orders; look at'
      ' the replies of the judge.'
    )
  wins = np.array([o == 'win' for o in outcomes], float)
  ties = np.array([o == 'tie' for o in outcomes], float)
  agree = np.array([p[0] == p[1] for p in pairs if p is not None], float)
  # prompts x rates
  counted = np.stack([wins, wins + ties / 2, ties, agree], axis=1)
  places = [
    verdict
    for j in judgements
    for verdict in (j.model_first, j.baseline_first)
    if verdict in ('A', 'B')
  ]
  return Comparison(
    num_prompts=len(judgements),
    num_wins=outcomes.count('win'),
    num_ties=outcomes.count('tie'),
    num_losses=outcomes.count('loss'),
    num_no_verdict=len(judgements) - len(outcomes),
    rates=dict(zip(_RATES, _bootstrap(counted, seed), strict=True)),
    first_place_share=places.count('A') / len(places) if places else None,
  )


def _bootstrap(counted: np.ndarray, seed: int) -> list[Rate]:
  """Rates of columns [prompts, rates] over resampled rows."""
  count = len(counted)
  generator = np.random.default_rng(seed)
  # How often each prompt is drawn, [resamples, prompts].
  draws = generator.multinomial(
    count, np.full(count, 1 / count), size=_NUM_RESAMPLES
  )
  resampled = draws @ counted / count
  tail = (1 - _LEVEL) / 2
  low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
  return [
    Rate(*map(float, numbers))
    for numbers in zip(
      counted.mean(axis=0), low, high, resampled.std(axis=0), strict=True
    )
  ]


def scores(comparison: Comparison, baseline: str) -> list[scores_lib.Score]:
  """The comparison's rates as scores `judge/<baseline>/<rate>`."""
  return [
    scores_lib.Score(
      task=f'judge/{baseline}',
      metric=name,
      value=rate.value,
      standard_error=rate.standard_error,
      num_items=comparison.num_prompts - comparison.num_no_verdict,
    )
    for name, rate in comparison.rates.items()
  ]
