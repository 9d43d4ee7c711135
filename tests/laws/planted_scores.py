"""Run tables with known laws of scores, for tests."""

import numpy as np
import pandas as pd

from codelaw.laws import fitting
from codelaw.laws import score_fitting
from codelaw.laws import score_law

TARGET = 'score/reasoning/boolq/accuracy'
ERROR = 'score_standard_error/reasoning/boolq/accuracy'
LOSS = 'loss/code/python'
TRUE = (0.25, 0.85, 2.0, 0.15)
QUICK = fitting.FitSettings(num_bootstraps=40)


def runs(parameters=TRUE, count=14, num_items=None, seed=0, losses=(1.5, 2.8)):
  """Runs at equal steps of the loss; binomial scores of `num_items` items."""
  rng = np.random.default_rng(seed)
  x = np.linspace(*losses, count)
  score = score_law.value(np.array(parameters), x)
  table = pd.DataFrame(
    {'run_id': [f'run-{i:02}' for i in range(count)], LOSS: x, TARGET: score}
  )
  if num_items:
    share = rng.binomial(num_items, score) / num_items
    table[TARGET] = share
    table[ERROR] = np.sqrt(share * (1 - share) / num_items)
  return table.sample(frac=1, random_state=seed)


def fit(table, settings=QUICK, losses=None, **fixed):
  """Its law, of the loss of Python unless others are given."""
  return score_fitting.fit(
    table, TARGET, losses or {LOSS: 1.0}, settings, fixed
  )


def law(parameters, losses, target=TARGET, spread=0.0, count=40, seed=0):
  """A `ScoreLaw` with these parameters and normal bootstrap estimates."""
  rng = np.random.default_rng(seed)
  names = score_law.PARAMETERS
  draws = {
    name: tuple(value * (1 + spread * rng.standard_normal(count)))
    for name, value in zip(names, parameters, strict=True)
  }
  return score_law.ScoreLaw(
    target=target,
    losses=losses,
    scale=1.0,
    estimates=dict(zip(names, map(float, parameters), strict=True)),
    fixed=(),
    intervals={},
    interval_level=0.9,
    num_points=20,
    num_runs=20,
    run_sd=0.01,
    dispersion=0.001,
    diagnostics={'loss_range': [0.0, 9.0], 'warnings': []},
    table_fingerprint='abc',
    codelaw_version='0',
    bootstrap_estimates={
      name: tuple(map(float, values)) for name, values in draws.items()
    }
    if spread
    else {},
  )
