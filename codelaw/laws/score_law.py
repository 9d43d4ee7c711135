"""Laws of scores: how well a task is solved at a held-out loss.

  score = floor + (ceiling - floor) * sigmoid((midpoint - x) / width)

where x = sum_k w_k loss_k is one held-out loss or a weighted mean of several,
in nats per token. Behind a law of losses it predicts scores from size, tokens
and mixture. Source: the second of two steps of arXiv:2412.04403 (loss of a
task to its accuracy, with free ends); arXiv:2407.21783 predicts a benchmark by
such two steps too.

Definitions owned here:
  floor: the score at great loss: chance, or less where the metric allows.
  ceiling: the score at no loss that is worth the name, at most the scale.
  midpoint: the loss half-way between them.
  width: nats in which the odds of the way from floor to ceiling change by e.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from typing import Any

import numpy as np
from scipy import special

from codelaw import errors
from codelaw import records
from codelaw import storage

NAME = 'sigmoid'
FILE = 'score_fit.json'
PARAMETERS = ('floor', 'ceiling', 'midpoint', 'width')


@dataclasses.dataclass(frozen=True)
class ScoreLaw:
  """A fitted law of one score.

  Attributes:
    target: column of the run table, like `score/reasoning/piqa/accuracy`.
    losses: column of losses -> its weight in x; the weights sum to 1.
    scale: greatest value of the metric.
    estimates: parameter -> estimate; floor and ceiling in the unit of the
      score, midpoint and width in nats per token.
    fixed: parameters that the user set.
    intervals: parameter -> (low, high), bootstrap percentiles.
    interval_level: of the intervals.
    num_points: rows that were fitted.
    num_runs: runs behind them.
    run_sd: standard deviation of a run's score about the law beyond the error
      over items; all of it where that error is not known.
    dispersion: of the items, see `item_errors`; None where not known.
    diagnostics: `rmse`, `r2`, `degrees_of_freedom`, `loss_range` (of x),
      `score_range`, `residual_points` and `warnings`, in words.
    table_fingerprint: of the numbers that were fitted.
    codelaw_version: of the software that fitted.
    bootstrap_estimates: parameter -> one estimate per bootstrap fit, in the
      same order for all parameters; empty without a bootstrap.
  """

  target: str
  losses: Mapping[str, float]
  scale: float
  estimates: Mapping[str, float]
  fixed: tuple[str, ...]
  intervals: Mapping[str, tuple[float, float]]
  interval_level: float
  num_points: int
  num_runs: int
  run_sd: float
  dispersion: float | None
  diagnostics: Mapping[str, Any]
  table_fingerprint: str
  codelaw_version: str
  bootstrap_estimates: Mapping[str, tuple[float, ...]]

  @property
  def parameters(self) -> np.ndarray:
    """The estimates [4], in the order of `PARAMETERS`."""
    return np.array([self.estimates[name] for name in PARAMETERS])

  @property
  def draws(self) -> np.ndarray:
    """Those of every bootstrap fit [B, 4]."""
    if not self.bootstrap_estimates:
      return np.empty((0, len(PARAMETERS)))
    return np.stack(
      [self.bootstrap_estimates[name] for name in PARAMETERS], axis=1
    )

  def num_beyond(self, losses: np.ndarray) -> tuple[int, int]:
    """How many x lie (below, above) those that were fitted."""
    low, high = self.diagnostics['loss_range']
    return int(np.sum(losses < low)), int(np.sum(losses > high))


def value(parameters: np.ndarray, losses: np.ndarray) -> np.ndarray:
  """Scores at losses x, which broadcast against parameters [..., 4].

  >>> value(np.array([0.25, 0.75, 2.0, 0.5]), np.array([2.0, 99.0])).tolist()
  [0.5, 0.25]
  """
  floor, ceiling, midpoint, width = np.moveaxis(parameters, -1, 0)
  return floor + (ceiling - floor) * special.expit((midpoint - losses) / width)


def slope(parameters: np.ndarray, losses: np.ndarray) -> np.ndarray:
  """Derivative of `value` by x, at most 0 where the ceiling is on top.

  >>> slope(np.array([0.0, 1.0, 2.0, 0.5]), np.array(2.0)).item()
  -0.5
  """
  floor, ceiling, midpoint, width = np.moveaxis(parameters, -1, 0)
  share = special.expit((midpoint - losses) / width)
  return (floor - ceiling) / width * share * (1 - share)


def write(path: storage.PathLike, laws: Sequence[ScoreLaw]) -> None:
  """Writes `{"score_laws": [...]}`, whole or not at all."""
  content = {'score_laws': [records.to_json(law) for law in laws]}
  storage.write_json(path, content)


def read(path: storage.PathLike) -> list[ScoreLaw]:
  """Reads what `write` wrote.

  Raises:
    UserError: when the file is missing or holds no laws of scores.
  """
  content = storage.read_json(path)
  entries = content.get('score_laws') if isinstance(content, dict) else None
  if not isinstance(entries, list) or not entries:
    raise errors.UserError(
      f'{path} holds no laws of scores under "score_laws"; write it with'
      f' `codelaw fit --law={NAME}`.'
    )
  return [records.from_json(entry, ScoreLaw) for entry in entries]
