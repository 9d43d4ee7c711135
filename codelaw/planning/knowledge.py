"""What runs would teach: Gaussian knowledge, and the runs that add most to it.

Owns the choice of runs within a budget: greedy by gain per cost (Leskovec et
al. 2007, doi:10.1145/1281192.1281239), then exchanged one by one while that
helps (Fedorov 1972, "Theory of Optimal Experiments").
"""

import dataclasses

import numpy as np

_POWERS = (0.0, 0.25, 0.5, 1.0)  # of the cost, by which a gain is divided
_PASSES = 8


@dataclasses.dataclass(frozen=True)
class Knowledge:
  """What is known of the quantity in doubt and of the candidates' log losses.

  Attributes:
    covariances: [K, q + C, q + C] per target: first of the quantity (scaled
      so that the regret is the sum of its variances), then of the log losses.
    noise: variance of a run's log loss [K].
    num_quantities: q.
  """

  covariances: np.ndarray
  noise: np.ndarray
  num_quantities: int

  @property
  def regret(self) -> float:
    """Sum of the variances of the quantity, nats per token."""
    own = self.covariances[:, : self.num_quantities, : self.num_quantities]
    return float(np.trace(own, axis1=1, axis2=2).sum())

  def gains(self) -> np.ndarray:
    """By how much one more run of each candidate lowers the regret [C]."""
    q = self.num_quantities
    shared = (self.covariances[:, :q, q:] ** 2).sum(axis=1)
    own = np.diagonal(self.covariances, axis1=1, axis2=2)[:, q:]
    return (shared / (own + self.noise[:, None])).sum(axis=0)

  def after(self, candidate: int, sign: int = 1) -> 'Knowledge':
    """With one more run of a candidate; with sign -1, one fewer."""
    at = self.num_quantities + candidate
    column = self.covariances[:, :, at]
    scale = self.noise + sign * column[:, at]
    change = column[:, :, None] * column[:, None, :] / scale[:, None, None]
    return dataclasses.replace(
      self, covariances=self.covariances - sign * change
    )


def choose(
  knowledge: Knowledge, costs: np.ndarray, budget: float, max_runs: int
) -> tuple[list[int], Knowledge]:
  """Candidates that lower the regret most within a budget.

  Args:
    knowledge: before any of them.
    costs: of the candidates [C].
    budget: for all runs.
    max_runs: at most.

  Returns:
    (indices, repeated where a run is repeated; the knowledge afterwards).
  """
  found = [
    _exchanged(
      *_greedy(knowledge, costs, budget, max_runs, power),
      costs,
      budget,
      max_runs,
    )
    for power in _POWERS
  ]
  return min(found, key=lambda pair: pair[1].regret)


def _exchanged(
  chosen: list[int],
  known: Knowledge,
  costs: np.ndarray,
  budget: float,
  max_runs: int,
) -> tuple[list[int], Knowledge]:
  """Each run in turn gives way to a better one that its cost allows."""
  for _ in range(_PASSES):
    before = known.regret
    for place in range(len(chosen)):
      rest = known.after(chosen[place], sign=-1)
      others = chosen[:place] + chosen[place + 1 :]
      left = budget - costs[others].sum()
      gains = np.where(costs <= left * (1 + 1e-12), rest.gains(), -np.inf)
      best = int(np.argmax(gains))
      if gains[best] > (rest.regret - known.regret) * (1 + 1e-9):
        chosen[place], known = best, rest.after(best)
    left = budget - costs[chosen].sum()
    room = max_runs - len(chosen)
    more, known = _greedy(known, costs, left, room, power=0.0)
    chosen = chosen + more
    if known.regret > before * (1 - 1e-4):
      break
  return chosen, known


def choose_at_random(
  knowledge: Knowledge,
  costs: np.ndarray,
  budget: float,
  max_runs: int,
  seed: int,
) -> tuple[list[int], Knowledge]:
  """Candidates drawn at random while they fit into the budget; as `choose`."""
  chosen: list[int] = []
  left = budget
  for candidate in np.random.default_rng(seed).permutation(len(costs)):
    if costs[candidate] <= left and len(chosen) < max_runs:
      chosen.append(int(candidate))
      knowledge = knowledge.after(int(candidate))
      left -= costs[candidate]
  return chosen, knowledge


def _greedy(
  knowledge: Knowledge,
  costs: np.ndarray,
  budget: float,
  max_runs: int,
  power: float,
) -> tuple[list[int], Knowledge]:
  chosen: list[int] = []
  left = budget
  while len(chosen) < max_runs:
    fits = costs <= left * (1 + 1e-12)
    if not fits.any():
      break
    worth = np.where(fits, knowledge.gains() / costs**power, -np.inf)
    best = int(np.argmax(worth))
    chosen.append(best)
    knowledge = knowledge.after(best)
    left -= costs[best]
  return chosen, knowledge
