"""Fits laws of scores: weighted least squares in float64, with a bootstrap.

Squares of score minus law are weighted by 1 / v, v = items + run_sd^2: the
variance over items at the law's own score (`item_errors`), and what runs
differ by beyond that, which is found from the residuals (sum r^2 / v = points
- parameters, the estimate of Paule and Mandel 1982,
doi:10.6028/jres.087.022). Where standard errors are not known it is all of v.

Each bootstrap fit is of the law plus normal noise of these variances, one draw
per run; run_sd is drawn with its own uncertainty, so that few runs give wide
intervals. All runs answer the same items: what these items have in common is
counted as noise of every run, which makes intervals too wide, not too narrow.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import zlib

import numpy as np
import pandas as pd
from scipy import optimize

import codelaw
from codelaw import errors
from codelaw import storage
from codelaw.laws import fitting
from codelaw.laws import item_errors
from codelaw.laws import score_cautions
from codelaw.laws import score_law
from codelaw.laws import uncertainty

LEAST_RUNS = 5  # With fewer, no order of scores is surer than 1 in 24.
_MIDPOINTS, _WIDTHS = 25, 10  # of the grid that the search starts from
_STARTS = 3
_BEYOND = 2.0  # spans of the losses that a midpoint may lie outside of them
_WIDEST, _NARROWEST = 5.0, 1 / 200  # widths, in spans of the losses
_ROUNDS = 20  # of run_sd and estimates in turns
_LEAST_SD = 1e-9  # of the scale; keeps weights of exact scores finite


def fit(
  rows: pd.DataFrame,
  target: str,
  losses: Mapping[str, float],
  settings: fitting.FitSettings,
  fixed: Mapping[str, float] | None = None,
) -> score_law.ScoreLaw:
  """Fits the law of one score.

  Args:
    rows: of a run table; see `selection.score_rows`.
    target: column of scores, `score/<task>/<metric>`; standard errors are
      taken from `score_standard_error/<task>/<metric>` where it is there.
    losses: column of losses -> weight; only proportions count.
    settings: number of bootstrap fits, level of the intervals and seed.
    fixed: `floor` or `ceiling` -> value, in the unit of the score.

  Raises:
    UserError: when the score is no share, runs are too few, or the scores do
      not fall with the loss beyond chance, so that no law is identified.
  """
  fixed = dict(fixed or {})
  total = sum(losses.values())
  weights = {name: weight / total for name, weight in losses.items()}
  scale = item_errors.scale_of(target)
  points = _points(rows, target, weights, scale)
  _check_fixed(fixed, scale, target)
  num_runs = int(points.runs.max()) + 1
  needed = max(LEAST_RUNS, len(score_law.PARAMETERS) - len(fixed) + 1)
  if num_runs < needed:
    raise errors.UserError(
      f'The law of {target} has'
      f' {len(score_law.PARAMETERS) - len(fixed)} parameters to find and needs'
      f' at least {needed} runs; got {num_runs}. Add runs, or fix --floor or'
      ' --ceiling.'
    )
  score_cautions.check_identified(
    points.losses, points.scores, points.dispersion, scale, target
  )
  problem = _Problem(points, scale, fixed)
  freedom = max(num_runs - problem.num_free, 1)
  found, run_sd = _solve(problem)
  draws = _bootstrap(problem, found, run_sd, freedom, settings, target)
  named = dict(zip(score_law.PARAMETERS, found.tolist(), strict=True))
  drawn = {
    name: tuple(draws[:, place].tolist())
    for place, name in enumerate(score_law.PARAMETERS)
    if len(draws)
  }
  predicted = score_law.value(found, points.losses)
  residual = points.scores - predicted
  spread = np.sum((points.scores - points.scores.mean()) ** 2)
  intervals = uncertainty.intervals(
    {name: np.array(values) for name, values in drawn.items()},
    settings.interval_level,
  )
  known = points.dispersion[np.isfinite(points.dispersion)]
  return score_law.ScoreLaw(
    target=target,
    losses=weights,
    scale=scale,
    estimates=named,
    fixed=tuple(sorted(fixed)),
    intervals=intervals,
    interval_level=settings.interval_level,
    num_points=points.losses.size,
    num_runs=num_runs,
    run_sd=run_sd,
    dispersion=float(np.median(known)) if known.size else None,
    diagnostics={
      'rmse': float(np.sqrt(np.mean(residual**2))),
      'r2': float(1 - np.sum(residual**2) / spread),
      'degrees_of_freedom': freedom,
      'loss_range': [float(points.losses.min()), float(points.losses.max())],
      'score_range': [float(points.scores.min()), float(points.scores.max())],
      'residual_points': [
        {'run_id': run, 'loss': x, 'observed': seen, 'predicted': law}
        for run, x, seen, law in zip(
          points.run_ids,
          points.losses.tolist(),
          points.scores.tolist(),
          predicted.tolist(),
          strict=True,
        )
      ],
      'warnings': score_cautions.warnings(
        losses=points.losses,
        scores=points.scores,
        dispersion=points.dispersion,
        scale=scale,
        estimates=named,
        fixed=fixed,
        intervals=intervals,
        run_sd=run_sd,
        freedom=freedom,
      ),
    },
    table_fingerprint=storage.fingerprint(
      [target, weights, points.losses.tolist(), points.scores.tolist()]
    ),
    codelaw_version=codelaw.__version__,
    bootstrap_estimates=drawn,
  )


@dataclasses.dataclass(frozen=True)
class _Points:
  """By rising loss: x, scores, their dispersions and their runs, [n] each."""

  losses: np.ndarray
  scores: np.ndarray
  dispersion: np.ndarray
  runs: np.ndarray
  run_ids: tuple[str, ...]


def _points(
  rows: pd.DataFrame, target: str, weights: Mapping[str, float], scale: float
) -> _Points:
  scores = _numbers(rows, target)
  if not item_errors.is_bounded(target):
    raise errors.UserError(
      f'{target} is a loss and no score between 0 and {scale:g}; fit it like'
      ' other losses.'
    )
  if scores.min() < 0 or scores.max() > scale:
    raise errors.UserError(
      f'{target} must lie between 0 and {scale:g}; got {scores.min():g} to'
      f' {scores.max():g}. Scores in percent become shares with'
      f' --columns={target}:{target}*0.01.'
    )
  losses = np.sum(
    [weight * _numbers(rows, name) for name, weight in weights.items()], axis=0
  )
  column = target.replace('score/', 'score_standard_error/', 1)
  known = (
    pd.to_numeric(rows[column], errors='coerce').to_numpy(float)
    if column in rows
    else np.full(scores.size, np.nan)
  )
  ids = rows['run_id'].astype(str).to_numpy()
  order = np.lexsort((ids, scores, losses))
  return _Points(
    losses[order],
    scores[order],
    item_errors.dispersions(scores[order], known[order], scale),
    np.unique(ids[order], return_inverse=True)[1],
    tuple(map(str, ids[order])),
  )


def _numbers(rows: pd.DataFrame, name: str) -> np.ndarray:
  numbers = pd.to_numeric(rows[name], errors='coerce').to_numpy(float)
  if not np.isfinite(numbers).all():
    run = rows['run_id'].iloc[int(np.argmin(np.isfinite(numbers)))]
    raise errors.UserError(
      f'The column {name} must hold finite numbers; that of the run {run} is'
      ' none.'
    )
  return numbers


def _check_fixed(fixed: Mapping[str, float], scale: float, target: str) -> None:
  floor, ceiling = fixed.get('floor', 0.0), fixed.get('ceiling', scale)
  if not 0 <= floor < ceiling <= scale:
    raise errors.UserError(
      f'--floor and --ceiling of {target} must keep 0 <= floor < ceiling <='
      f' {scale:g}; got {floor:g} and {ceiling:g}.'
    )


@dataclasses.dataclass(frozen=True)
class _Problem:
  """Points to fit, and what of the law is given.

  Coordinates are (floor, ceiling, midpoint, log width).
  """

  points: _Points
  scale: float
  fixed: Mapping[str, float]

  @property
  def num_free(self) -> int:
    """Parameters to find."""
    return len(score_law.PARAMETERS) - len(self.fixed)

  @property
  def bounds(self) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest coordinates."""
    x = self.points.losses
    span = float(np.ptp(x))
    low = [0.0, 0.0, x[0] - _BEYOND * span, np.log(_NARROWEST * span)]
    high = [
      self.scale,
      self.scale,
      x[-1] + _BEYOND * span,
      np.log(_WIDEST * span),
    ]
    return np.array(low), np.array(high)

  @property
  def free(self) -> np.ndarray:
    """Which coordinates are free, bool [4]."""
    return np.array([name not in self.fixed for name in score_law.PARAMETERS])

  def item_variances(self, parameters: np.ndarray) -> np.ndarray:
    """Of the points [n] at the law's own scores; 0 where not known."""
    at = score_law.value(parameters, self.points.losses)
    found = item_errors.variances(at, self.points.dispersion, self.scale)
    return np.nan_to_num(found)

  def starts(self, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The best of a grid of midpoints and widths, with the ends solved for."""
    low, high = self.bounds
    grid = np.stack(
      np.meshgrid(
        np.linspace(low[2], high[2], _MIDPOINTS),
        np.linspace(low[3], high[3], _WIDTHS),
        indexing='ij',
      ),
      axis=-1,
    ).reshape(-1, 2)
    unit = np.array([0.0, 1.0])
    shares = score_law.value(
      np.column_stack(
        [np.tile(unit, (len(grid), 1)), grid[:, 0], np.exp(grid[:, 1])]
      )[:, None],
      self.points.losses,
    )
    floor, ceiling = self._ends(shares, scores, weights)
    law = floor[:, None] * (1 - shares) + ceiling[:, None] * shares
    costs = np.sum(weights * (scores - law) ** 2, axis=1)
    best = np.argsort(costs, kind='stable')[:_STARTS]
    return np.column_stack([floor, ceiling, grid])[best]

  def _ends(self, shares, scores, weights) -> tuple[np.ndarray, np.ndarray]:
    """Floors and ceilings of least squares for shares [m, n], in bounds."""
    down = 1 - shares
    aa = np.sum(weights * down**2, axis=1)
    ac = np.sum(weights * down * shares, axis=1)
    cc = np.sum(weights * shares**2, axis=1)
    ya = np.sum(weights * down * scores, axis=1)
    yc = np.sum(weights * shares * scores, axis=1)
    # Where the points see one end alone the other is 0 / 0: any will do.
    tiny = 1e-12 * (aa + cc)
    floors, ceilings = np.empty((2, len(shares)))
    if 'floor' in self.fixed:
      floors[:] = self.fixed['floor']
    elif 'ceiling' in self.fixed:
      free = (ya - ac * self.fixed['ceiling']) / np.maximum(aa, tiny)
      floors[:] = np.clip(free, 0, self.fixed['ceiling'])
    else:
      free = (cc * ya - ac * yc) / np.maximum(aa * cc - ac**2, tiny**2)
      floors[:] = np.clip(free, 0, self.scale)
    if 'ceiling' in self.fixed:
      ceilings[:] = self.fixed['ceiling']
    else:
      free = (yc - ac * floors) / np.maximum(cc, tiny)
      ceilings[:] = np.clip(free, floors, self.scale)
    return floors, ceilings

  def minimise(
    self, scores: np.ndarray, variances: np.ndarray, starts: np.ndarray
  ) -> np.ndarray:
    """Parameters [4] of least squares from the best of several starts."""
    free, (low, high) = self.free, self.bounds
    weights = 1 / np.maximum(variances, (_LEAST_SD * self.scale) ** 2)
    root = np.sqrt(weights)
    x = self.points.losses

    def parameters(point: np.ndarray, full: np.ndarray) -> np.ndarray:
      full = full.copy()
      full[free] = point
      full[3] = np.exp(full[3])
      return full

    def jacobian(point: np.ndarray, full: np.ndarray) -> np.ndarray:
      own = parameters(point, full)
      share = score_law.value(np.array([0.0, 1.0, own[2], own[3]]), x)
      slope = score_law.slope(own, x)
      rows = np.stack([1 - share, share, -slope, slope * (own[2] - x)])
      return (root * rows).T[:, free]

    best, least = starts[0], np.inf
    for start in starts:
      inside = np.clip(start, low + 1e-9 * (high - low), high)
      found = optimize.least_squares(
        lambda point, full=start: (
          root * (score_law.value(parameters(point, full), x) - scores)
        ),
        inside[free],
        lambda point, full=start: jacobian(point, full),
        bounds=(low[free], high[free]),
        x_scale='jac',
        max_nfev=100,
      )
      ends = parameters(found.x, start)
      if found.cost < least and ends[1] >= ends[0]:
        best, least = ends, found.cost
    if np.isfinite(least):
      return best
    return np.append(best[:3], np.exp(best[3]))


def _solve(problem: _Problem) -> tuple[np.ndarray, float]:
  """Parameters [4] and run_sd, in turns until they agree."""
  scores = problem.points.scores
  count = scores.size
  items = np.nan_to_num(
    item_errors.variances(scores, problem.points.dispersion, problem.scale)
  )
  run_sd = 0.0 if items.any() else float(scores.std())
  found: np.ndarray | None = None
  for _ in range(_ROUNDS):
    variances = items + run_sd**2
    weights = 1 / np.maximum(variances, (_LEAST_SD * problem.scale) ** 2)
    starts = problem.starts(scores, weights)
    if found is not None:
      last = np.append(found[:3], np.log(found[3]))
      starts = np.concatenate([last[None], starts[:1]])
    found = problem.minimise(scores, variances, starts)
    residual = scores - score_law.value(found, problem.points.losses)
    items = problem.item_variances(found)
    before = run_sd
    run_sd = excess_sd(residual, items, max(count - problem.num_free, 1))
    if abs(run_sd - before) <= 1e-3 * max(run_sd, before):
      break
  assert found is not None
  return found, run_sd


def excess_sd(
  residuals: np.ndarray, items: np.ndarray, freedom: float
) -> float:
  """The s with sum r^2 / (items + s^2) = degrees of freedom, or 0.

  >>> excess_sd(np.array([3.0, -4.0]), np.zeros(2), 1)
  5.0
  """
  squares = residuals**2
  most = float(squares.sum() / freedom)
  if most == 0 or (items.all() and np.sum(squares / items) <= freedom):
    return 0.0
  if not items.any():
    return float(np.sqrt(most))

  def gap(variance: float) -> float:
    return float(np.sum(squares / (items + variance)) - freedom)

  return float(np.sqrt(optimize.brentq(gap, 1e-12 * most, most)))


def _bootstrap(
  problem: _Problem,
  found: np.ndarray,
  run_sd: float,
  freedom: int,
  settings: fitting.FitSettings,
  target: str,
) -> np.ndarray:
  """Parameters [B, 4] of fits to the law plus noise."""
  points = problem.points
  # Noise of different tasks is independent: each has its own stream.
  own = zlib.crc32(target.encode())
  generator = np.random.default_rng([settings.seed, own])
  predicted = score_law.value(found, points.losses)
  items = problem.item_variances(found)
  variances = items + run_sd**2
  weights = 1 / np.maximum(variances, (_LEAST_SD * problem.scale) ** 2)
  last = np.append(found[:3], np.log(found[3]))
  draws = []
  for _ in range(settings.num_bootstraps):
    factor = freedom / generator.chisquare(freedom)
    spread = np.sqrt(items + run_sd**2 * factor)
    noise = generator.standard_normal(int(points.runs.max()) + 1)
    scores = predicted + spread * noise[points.runs]
    starts = [last, *problem.starts(scores, weights)[:1]]
    draws.append(problem.minimise(scores, variances, np.stack(starts)))
  return np.array(draws).reshape(-1, len(score_law.PARAMETERS))


def parse_losses(
  texts: Sequence[str], known: Sequence[str]
) -> dict[str, float]:
  """`loss/a=0.7,loss/b=0.3` as a mapping; equal weights without numbers.

  Raises:
    UserError: for a column that is not among `known`, and a weight that is no
      positive number.
  """
  found: dict[str, float] = {}
  for text in texts:
    name, sign, number = text.partition('=')
    try:
      weight = float(number) if sign else 1.0
    except ValueError:
      weight = -1.0
    if name not in known or not 0 < weight < np.inf or name in found:
      raise errors.UserError(
        'Expected columns of losses, each once and perhaps with a positive'
        f' weight, like loss/code/python=0.7,loss/code/java=0.3; got {text!r};'
        f' the losses are {", ".join(known) or "(none)"}.'
      )
    found[name] = weight
  return found
