"""Run tables with known laws, for the tests of this folder."""

import numpy as np
import pandas as pd

from codelaw.laws import forms
from codelaw.laws import solver

SOURCES = ('code/go', 'code/java', 'markup')
TARGET = 'loss/code/java'
CHINCHILLA = {'E': 1.1, 'A': 60.0, 'B': 400.0, 'alpha': 0.33, 'beta': 0.41}
_MIXTURE = {
  'C/code/go': 1.5,
  'C/code/java': 4.0,
  'C/markup': 0.7,
  'gamma/code/go': 0.5,
  'gamma/code/java': 0.9,
  'gamma/markup': 0.4,
}
ESTIMATES = {
  'chinchilla': CHINCHILLA,
  'kaplan': {'N_c': 4e7, 'D_c': 3e8, 'alpha': 0.2, 'beta': 0.3},
  'data_repeated': {**CHINCHILLA, 'R_D': 12.0},
  'data_constrained': {**CHINCHILLA, 'R_N': 4.0, 'R_D': 12.0},
  'transfer': {**CHINCHILLA, 'tau/code/go': 0.4, 'tau/markup': 0.08},
  'additive': {**CHINCHILLA, **_MIXTURE},
  'joint': {
    **{'E': 1.1, 'alpha': 0.33, 'beta': 0.41, 'q_A': 1.6, 'q_B': -0.7},
    **_MIXTURE,
    **{'A/code/go': 90.0, 'A/code/java': 30.0, 'A/markup': 60.0},
    **{'B/code/go': 900.0, 'B/code/java': 100.0, 'B/markup': 300.0},
  },
  'exponential': {'c': 1.2, 'k': 1.5, 't/code/go': 1.3, 't/markup': -0.4},
  'bimix': {'B': 300.0, 'C': 1.3, 'alpha': 0.07, 'beta': 0.4},
  'paper_a': {
    **{'A': 0.11, 'B': 0.05},
    **{'alpha/code/go': 0.3, 'alpha/code/java': 0.25, 'alpha/markup': 0.35},
    **{'beta/code/go': 0.5, 'beta/code/java': 0.6, 'beta/markup': 0.55},
    **{'E/code/go': 0.6, 'E/code/java': 0.9, 'E/markup': 1.3},
    **{'tau/code/go+code/java': 0.5, 'tau/code/go+markup': 0.1},
    'tau/code/java+markup': -0.3,
  },
}


def runs(name, sizes=5, budgets=5, noise=0.0, seed=0):
  """A table of final runs whose losses follow `ESTIMATES[name]`."""
  rng = np.random.default_rng(seed)
  params, tokens = (
    grid.ravel()
    for grid in np.meshgrid(
      np.geomspace(1e5, 1e7, sizes), np.geomspace(1e6, 1e8, budgets)
    )
  )
  law = forms.law(name, TARGET, SOURCES)
  if 'num_params' in law.constant_columns:
    params = np.full_like(params, 1e6)
  if 'num_tokens' in law.constant_columns:
    tokens = np.full_like(tokens, 1e7)
  columns = {'num_params': params, 'num_tokens': tokens}
  if 'unique_tokens' in law.columns:
    epochs = rng.choice([1, 2, 5, 20, 60], tokens.size)
    columns['unique_tokens'] = tokens / epochs
  if law.shares:
    shares = rng.dirichlet(np.full(len(SOURCES), 0.7), params.size)
    if not law.positive_shares:
      shares[: len(SOURCES)] = np.eye(len(SOURCES))
    columns |= {f'share/{s}': shares[:, i] for i, s in enumerate(SOURCES)}
  with solver.float64():
    losses = np.asarray(law.predict(ESTIMATES[name], columns))
  table = pd.DataFrame(columns)
  table.insert(0, 'run_id', [f'run-{i:03}' for i in range(params.size)])
  table[TARGET] = losses * np.exp(noise * rng.standard_normal(params.size))
  return law, table
