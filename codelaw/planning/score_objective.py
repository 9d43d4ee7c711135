"""The mean of task scores as what an allocation maximises.

  mean score = sum_t w_t s_t(x_t) / scale_t, x_t = sum_k m_tk L_k

with s_t the law of score t (`laws.score_law`) behind the laws of losses L_k.
Of one task it has the optimum of its loss, because a sigmoid keeps the order;
of several it weighs losses by how much the scores still hang on them, which
depends on the losses reached: a task that is out of reach, or solved, weighs
nothing.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools

import numpy as np

from codelaw import errors
from codelaw.laws import score_law
from codelaw.planning import proportions

_SIZE = len(score_law.PARAMETERS)


@dataclasses.dataclass(frozen=True)
class ScoreMean:
  """A weighted mean of T task scores of K losses.

  Parameters of all laws form one array [4 T], law after law.

  Attributes:
    laws: of the scores.
    weights: of the scores, float64 [T], with sum 1.
    mix: m_tk, what loss k weighs in x_t, float64 [T, K].
  """

  laws: tuple[score_law.ScoreLaw, ...]
  weights: np.ndarray
  mix: np.ndarray

  @property
  def estimates(self) -> np.ndarray:
    """The fitted parameters [4 T]."""
    return np.concatenate([law.parameters for law in self.laws])

  @functools.cached_property
  def scales(self) -> np.ndarray:
    """Greatest values of the metrics [T]."""
    return np.array([law.scale for law in self.laws])

  def bootstrap(self, count: int) -> np.ndarray:
    """`count` bootstrap parameter sets [count, 4 T].

    A law without bootstrap fits keeps its estimates. Laws have independent
    noise, which is that of no loss, so any set may stand beside any other.
    """
    columns = []
    for law in self.laws:
      draws = law.draws if len(law.draws) else law.parameters[None]
      columns.append(draws[np.arange(count) % len(draws)])
    return np.concatenate(columns, axis=1)

  def scores(self, losses: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Scores [..., T] at losses [..., K] for parameters [..., 4 T]."""
    return score_law.value(self._apart(parameters), losses @ self.mix.T)

  def mean(self, losses: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """The mean score [...], a share of the whole scale."""
    scores = self.scores(losses, parameters)
    return (scores / self.scales) @ self.weights

  def slopes(self, losses: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Fall of the mean score per nat of every loss [K]."""
    slopes = score_law.slope(self._apart(parameters), self.mix @ losses)
    return -(self.weights * slopes / self.scales) @ self.mix

  def _apart(self, parameters: np.ndarray) -> np.ndarray:
    return parameters.reshape(*parameters.shape[:-1], -1, _SIZE)


def build(
  laws: Sequence[score_law.ScoreLaw],
  targets: Sequence[str],
  weights: Mapping[str, float],
) -> ScoreMean:
  """The mean of the scores that have a weight.

  Args:
    laws: of scores.
    targets: columns of losses that there are laws of, in order.
    weights: column of scores -> weight; all the same when empty.

  Raises:
    UserError: without laws, for a weight of an unknown score or that is none,
      and for a law that reads another loss.
  """
  by_name = {law.target: law for law in laws}
  if not by_name:
    raise errors.UserError(
      'The objective score needs laws of scores: give `codelaw allocate` the'
      ' file of `codelaw fit --law=sigmoid` with --score_fit.'
    )
  values = proportions.of('weights', weights, list(by_name), 'laws of scores')
  kept = values > 0
  picked = tuple(
    law for law, own in zip(by_name.values(), kept, strict=True) if own
  )
  mix = np.zeros((len(picked), len(targets)))
  for row, law in enumerate(picked):
    for name, weight in law.losses.items():
      if name not in targets:
        raise errors.UserError(
          f'The law of {law.target} reads {name}, of which there is no mixture'
          f' law; they are of {", ".join(targets)}.'
        )
      mix[row, targets.index(name)] = weight
  return ScoreMean(picked, values[kept], mix)
