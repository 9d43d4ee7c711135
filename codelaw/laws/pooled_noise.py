"""Noise of the targets of a pooled fit, and its bootstrap.

A member's noise has the variance (sum of r^2 + f_0 s_0^2) / (f + f_0): its own
residuals r with f degrees of freedom, and those of all members, s_0^2, with
the weight of f_0. Own degrees of freedom are its points less the sum of their
leverages, which pooling makes small, so that targets with fewer runs than
parameters have noise too. Losses of several targets on one run share a part
of it, as large as their residuals say on average.
"""

import dataclasses

import numpy as np

from codelaw.laws import pooled_task
from codelaw.laws import solver
from codelaw.laws import uncertainty

# f_0, an assumption: with it, a target of ten runs counts mostly for itself.
_COMMON_FREEDOM = 4.0
_LARGEST_NOISE = 50.0  # Of a log loss.
_LEAST_NOISE = 1e-12  # Of losses that follow the law to rounding errors.


@dataclasses.dataclass(frozen=True)
class Noises:
  """Noise of a pooled fit.

  Attributes:
    common: of all members together.
    members: of each member.
    correlation: of two targets on one run, from 0 to 1.
  """

  common: uncertainty.Noise
  members: tuple[uncertainty.Noise, ...]
  correlation: float


def of(
  pooled: pooled_task.Pooled,
  coordinates: np.ndarray,
  pull: np.ndarray,
  objective: str,
  delta: float,
) -> Noises:
  """Noises at pooled coordinates [P] under a penalty |pull @ x|^2 / 2."""
  arguments = (pooled.task, coordinates, objective)
  residuals = solver.residuals(*arguments)
  jacobian = solver.jacobian(*arguments)
  leverages = np.zeros(residuals.size)
  for _ in range(3):  # Leverages depend on the noise, through the penalty.
    free = max(residuals.size - float(leverages.sum()), 1.0)
    sd = max(float(np.sqrt(np.sum(residuals**2) / free)), _LEAST_NOISE)
    common = uncertainty.noise_of(sd, free, objective, delta)
    slope = common.objective_scale / common.variance
    curvature = slope * jacobian.T @ jacobian + pull.T @ pull
    inverse = np.linalg.pinv(curvature, hermitian=True)
    leverages = slope * np.einsum('ij,jk,ik->i', jacobian, inverse, jacobian)
    leverages = np.clip(leverages, 0.0, 1.0)
  members = []
  for part in pooled.slices:
    freedom = float(np.sum(1 - leverages[part])) + _COMMON_FREEDOM
    squares = np.sum(residuals[part] ** 2) + _COMMON_FREEDOM * common.sd**2
    members.append(
      uncertainty.noise_of(
        float(np.sqrt(squares / freedom)), freedom, objective, delta
      )
    )
  scaled = [
    residuals[part] / noise.sd
    for part, noise in zip(pooled.slices, members, strict=True)
  ]
  return Noises(common, tuple(members), _correlation(pooled, scaled))


def _correlation(pooled: pooled_task.Pooled, scaled: list[np.ndarray]) -> float:
  """Mean product of two targets' scaled residuals on one run, at least 0."""
  runs = [_means(ids, r) for ids, r in zip(_ids(pooled), scaled, strict=True)]
  products = [
    first[run] * second[run]
    for place, first in enumerate(runs)
    for second in runs[place + 1 :]
    for run in first.keys() & second.keys()
  ]
  return float(np.clip(np.mean(products), 0.0, 1.0)) if products else 0.0


def _ids(pooled: pooled_task.Pooled) -> list[list[tuple[str, str]]]:
  """Group and run of each point; groups hold different runs."""
  return [
    [(member.group, run) for run in data.run_ids]
    for member, data in zip(pooled.members, pooled.data, strict=True)
  ]


def _means(ids, values) -> dict[tuple[str, str], float]:
  found: dict[tuple[str, str], list[float]] = {}
  for run, value in zip(ids, values, strict=True):
    found.setdefault(run, []).append(float(value))
  return {run: float(np.mean(several)) for run, several in found.items()}


def bootstrap(
  pooled: pooled_task.Pooled,
  optimum: np.ndarray,
  pull: np.ndarray,
  noises: Noises,
  *,
  method: str,
  num_resamples: int,
  objective: str,
  delta: float,
  seed: int,
) -> np.ndarray:
  """Refits of resamples of all targets, from the optimum.

  Args:
    pooled: the problem.
    optimum: [P] its solution.
    pull: of the penalty.
    noises: there.
    method: one of `uncertainty.METHODS`.
    num_resamples: B.
    objective: one of `solver.OBJECTIVES`.
    delta: of the Huber function.
    seed: of the resamples.

  Returns:
    [B, P] coordinates.
  """
  generator = np.random.default_rng([seed, 1])
  ids = _ids(pooled)
  every = list(dict.fromkeys(run for runs in ids for run in runs))
  index = {run: place for place, run in enumerate(every)}
  runs = [np.array([index[run] for run in own]) for own in ids]
  task = pooled.task
  losses = np.tile(task.losses, (num_resamples, 1))
  weights = np.tile(task.weights, (num_resamples, 1))
  target = np.zeros(len(pull))
  if method == 'noise':
    predicted = solver.predict(task, optimum)
    together = generator.standard_normal((num_resamples, len(every)))
    rho = noises.correlation
    for part, noise, own in zip(
      pooled.slices, noises.members, runs, strict=True
    ):
      free = noise.degrees_of_freedom
      scale = noise.sd * np.sqrt(
        free / generator.chisquare(free, num_resamples)
      )
      apart = generator.standard_normal(together.shape)
      draws = np.sqrt(rho) * together + np.sqrt(1 - rho) * apart
      spread = scale[:, None] * draws[:, own]
      if objective == 'least_squares':
        losses[:, part] = predicted[part] + spread
      else:
        spread = np.clip(spread, -_LARGEST_NOISE, _LARGEST_NOISE)
        losses[:, part] = predicted[part] * np.exp(spread)
    target = pull @ optimum
  else:
    shares = generator.dirichlet(np.ones(len(every)), num_resamples)
    for part, own in zip(pooled.slices, runs, strict=True):
      weights[:, part] = len(every) * shares[:, own]
  # What the population pulls to varies as the population does. Rows of the
  # pull are proportional to a projection, so these draws have its covariance.
  lengths = np.linalg.norm(pull, axis=1, keepdims=True)
  unit = pull / np.where(lengths > 0, lengths, 1.0)
  draws = generator.standard_normal((num_resamples, optimum.size))
  scale = np.sqrt(noises.common.objective_scale)
  count = len(pooled.members)
  targets = target + scale * np.sqrt(1 - 1 / count) * draws @ unit.T
  solutions = solver.solve(
    task,
    np.tile(optimum, (num_resamples, 1)),
    objective,
    delta,
    losses,
    weights,
    penalty=(pull, targets),
  )
  return solutions.coordinates
