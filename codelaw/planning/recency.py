"""What a token of the last stage counts: fitted from runs whose stages differ.

Laws take shares of whole runs. With a recency w a token of the last stage
counts w times, so that the share a law sees of source j is

  e_j = (w a r_last,j + (1 - a) r_before,j) / (w a + 1 - a),

with a the last stage's part of a run's tokens. w is identified only by runs
that put the same totals into different stages. It is found as a nuisance of the
law: for each w on a grid the law is fitted to the shares that w gives, and w is
where the summed objective is least; its interval holds the w whose objective is
above that by less than the chi-squared quantile allows (profile likelihood), in
units of the residual variance.
"""

from collections.abc import Sequence
import dataclasses

import numpy as np
import pandas as pd
from scipy import interpolate
from scipy import stats

from codelaw import errors
from codelaw.laws import fitting
from codelaw.laws import forms

PREFIX = 'stage_share/'
"""Column `stage_share/<stage>/<source>`: share of the source in the tokens of
that stage; `stage_tokens/<stage>` its tokens."""
_TOKENS = 'stage_tokens/'
_GRID = (0.125, 32.0, 17)  # least, greatest, points of w: factors of 1.41
_FINE = 2001
_LEAST_VARIATION = 0.02  # in shares, between stages of one run


@dataclasses.dataclass(frozen=True)
class Recency:
  """The recency of a stage.

  Attributes:
    stage: it belongs to.
    value: w.
    low: lower end of its interval; None when the grid ends before it.
    high: upper end; None likewise.
    interval_level: of the interval.
    num_runs: behind it.
  """

  stage: str
  value: float
  low: float | None
  high: float | None
  interval_level: float
  num_runs: int

  def __str__(self) -> str:
    low = 'open' if self.low is None else f'{self.low:.2f}'
    high = 'open' if self.high is None else f'{self.high:.2f}'
    return (
      f'{self.stage}: {self.value:.2f} ({self.interval_level:.0%} interval'
      f' {low} to {high}, {self.num_runs} runs)'
    )


def fit(
  table: pd.DataFrame,
  stage: str,
  targets: Sequence[str],
  *,
  law: str = 'transfer',
  settings: fitting.FitSettings | None = None,
) -> Recency:
  """The recency of `stage` that explains the losses of all targets best.

  Args:
    table: final rows of a run table with `stage_share/<stage>/<source>` and
      `stage_tokens/<stage>` for every stage, beside what the law needs.
    stage: whose recency is wanted; all others count 1.
    targets: columns of losses.
    law: a mixture law.
    settings: of the fits; their squared log residuals are compared.

  Raises:
    UserError: when columns are missing, or no run has stages that differ.
  """
  settings = dataclasses.replace(
    settings or fitting.FitSettings(), num_bootstraps=0
  )
  tokens, shares, sources = _stages(table, stage)
  others = [name for name in tokens if name != stage]
  apart = max(
    float((shares[stage] - shares[name]).abs().to_numpy().max())
    for name in others
  )
  if apart < _LEAST_VARIATION:
    raise errors.UserError(
      f'The recency of {stage} needs runs whose stages differ in their shares;'
      f' the {len(table)} runs have the same ones throughout (they differ by'
      f' {apart:.3f} at most).'
    )
  grid = np.geomspace(*_GRID)
  sums = np.zeros(grid.size)
  free = 0
  for target in targets:
    form = forms.law(law, target, sources)
    free += len(table) - len(form.parameters)
    for place, recency in enumerate(grid):
      rows = effective(table, stage, float(recency))
      found = fitting.fit(form, rows, target, settings)
      scale = found.diagnostics['residual_log_sd'] ** 2
      sums[place] += scale * (len(table) - len(form.parameters))
  if free < 2:
    raise errors.UserError(
      f'{len(table)} runs are too few for the recency of {stage}.'
    )
  # A smooth curve through the grid, finer than the interval may be.
  fine = np.geomspace(*_GRID[:2], _FINE)
  logs = interpolate.CubicSpline(np.log(grid), np.log(sums))(np.log(fine))
  best = int(np.argmin(logs))
  level = settings.interval_level
  # -2 log likelihood with the variance profiled out is n log(sum of squares).
  above = len(table) * len(targets) * (logs - logs[best])
  inside = np.flatnonzero(above <= stats.chi2.ppf(level, 1))
  return Recency(
    stage=stage,
    value=float(fine[best]),
    low=float(fine[inside[0]]) if inside[0] > 0 else None,
    high=float(fine[inside[-1]]) if inside[-1] < fine.size - 1 else None,
    interval_level=level,
    num_runs=len(table),
  )


def _stages(
  table: pd.DataFrame, stage: str
) -> tuple[dict[str, pd.Series], dict[str, pd.DataFrame], list[str]]:
  """Tokens and shares [run, source] by stage, and the sources."""
  names = [
    str(name).removeprefix(_TOKENS)
    for name in table
    if str(name).startswith(_TOKENS)
  ]
  sources = sorted(
    str(name).removeprefix('share/')
    for name in table
    if str(name).startswith('share/')
  )
  missing = [
    f'{PREFIX}{name}/{source}'
    for name in names
    for source in sources
    if f'{PREFIX}{name}/{source}' not in table
  ]
  if stage not in names or len(names) < 2 or missing:
    raise errors.UserError(
      f'The recency of {stage} needs the columns {_TOKENS}<stage> and'
      f' {PREFIX}<stage>/<source> for {stage} and another stage; got the stages'
      f' {", ".join(names) or "(none)"}'
      + (f' without {", ".join(missing)}.' if missing else '.')
    )
  shares = {
    name: table[[f'{PREFIX}{name}/{source}' for source in sources]].set_axis(
      sources, axis='columns'
    )
    for name in names
  }
  return {name: table[_TOKENS + name] for name in names}, shares, sources


def effective(table: pd.DataFrame, stage: str, recency: float) -> pd.DataFrame:
  """The table with the shares that a recency gives.

  Args:
    table: as for `fit`.
    stage: whose recency it is.
    recency: w.

  Raises:
    UserError: when columns are missing.
  """
  tokens, shares, _ = _stages(table, stage)
  weights = {
    name: count * (recency if name == stage else 1.0)
    for name, count in tokens.items()
  }
  total = sum(weights.values())
  rows = table.copy()
  for source in next(iter(shares.values())):
    rows[f'share/{source}'] = (
      sum(weights[name] * shares[name][source] for name in weights) / total
    )
  return rows
