"""From counts of single translations to scores of directions and averages.

Every metric is a function of sums over items, so that one table of counts
[directions, items, counts] gives its value, the averages over directions and
standard errors.

Definitions owned here:
  nats_per_token: -log p(translation | source program and what stands between)
    over all items, divided by the tokens of all translations; the end of the
    document is not counted.
  bleu: corpus BLEU of sacrebleu, 0 to 100, over the items of a direction.
  execution: share of translations that pass the tests of their problem, by
    running them.
  averages: means over directions, each with the same weight: `seen` over
    those that were trained on, `unseen` over the others, `all` over both.
  standard error: standard deviation over bootstrap samples of items. All
    directions share a sample, because their items are the same programs.
"""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
import dataclasses

import numpy as np

from codelaw import scores as scores_lib

NUM_BOOTSTRAP = 1000  # sacrebleu's own number of samples.
_SEED = 0
CATEGORY = 'translation'


@dataclasses.dataclass(frozen=True)
class Metric:
  """What is counted of a translation, and what follows from the sums.

  Attributes:
    name: of the score.
    num_counts: of one translation.
    value: sums [counts] -> value; NaN where nothing was counted.
    higher_is_better: as of `Score`.
  """

  name: str
  num_counts: int
  value: Callable[[np.ndarray], float]
  higher_is_better: bool = True


def share(sums: np.ndarray) -> float:
  """The first sum over the second; float [2] -> float."""
  return float(sums[0] / sums[1]) if sums[1] else float('nan')


def of(
  metric: Metric,
  directions: Sequence[str],
  counts: Sequence[Sequence[Sequence[float] | None]],
  seen: Collection[str],
) -> list[scores_lib.Score]:
  """Scores of all directions that have items, and the averages.

  Args:
    metric: of the counts.
    directions: their names.
    counts: [directions][items], None where nothing was measured.
    seen: directions that were trained on.
  """
  nothing = (0.0,) * metric.num_counts
  table = np.array(
    [[nothing if one is None else one for one in row] for row in counts], float
  )
  samples = _samples(metric, table)
  values = [metric.value(of_items.sum(axis=0)) for of_items in table]
  numbers = [sum(one is not None for one in row) for row in counts]
  kept = [place for place, number in enumerate(numbers) if number]
  groups = {
    **{directions[place]: [place] for place in kept},
    'seen': [place for place in kept if directions[place] in seen],
    'unseen': [place for place in kept if directions[place] not in seen],
    'all': kept,
  }
  return [
    scores_lib.Score(
      task=f'{CATEGORY}/{name}',
      metric=metric.name,
      value=float(np.mean([values[place] for place in places])),
      standard_error=_standard_error(
        samples[:, places], max(numbers[place] for place in places)
      ),
      num_items=sum(numbers[place] for place in places),
      higher_is_better=metric.higher_is_better,
      category=CATEGORY,
    )
    for name, places in groups.items()
    if places
  ]


def _samples(metric: Metric, table: np.ndarray) -> np.ndarray:
  """Values of bootstrap samples of items: float [samples, directions].

  Args:
    metric: of the counts.
    table: float [directions, items, counts], 0 where nothing was measured.
  """
  num_items = table.shape[1]
  weights = np.random.default_rng(_SEED).multinomial(
    num_items, np.full(num_items, 1 / num_items), size=NUM_BOOTSTRAP
  )
  sums = np.einsum('si,dik->sdk', weights, table)
  return np.array([[metric.value(one) for one in sample] for sample in sums])


def _standard_error(samples: np.ndarray, num_items: int) -> float | None:
  """Of the mean over directions, from float [samples, directions].

  A sample may have no item of a direction that few items have; the mean is
  then over the others.
  """
  if num_items < 2:
    return None
  known = ~np.isnan(samples)
  some = known.any(axis=1)
  means = np.where(known, samples, 0)[some].sum(axis=1)
  return float(np.std(means / known[some].sum(axis=1), ddof=1))
