"""Run tables with known laws, for the tests of this folder."""

import numpy as np
import pandas as pd

from codelaw.laws import forms
from codelaw.laws import solver

SOURCES = ('code/go', 'code/java', 'markup')
TARGET = 'loss/code/java'
CHINCHILLA = {'E': 1.1, 'A': 60.0, 'B': 400.0, 'alpha': 0.33, 'beta': 0.41}
ESTIMATES = {
  'chinchilla': CHINCHILLA,
  'kaplan': {'N_c': 4e7, 'D_c': 3e8, 'alpha': 0.2, 'beta': 0.3},
  'transfer': {**CHINCHILLA, 'tau/code/go': 0.4, 'tau/markup': 0.08},
  'additive': {
    **CHINCHILLA,
    'C/code/go': 1.5,
    'C/code/java': 4.0,
    'C/markup': 0.7,
    'gamma/code/go': 0.5,
    'gamma/code/java': 0.9,
    'gamma/markup': 0.4,
  },
  'exponential': {'c': 1.2, 'k': 1.5, 't/code/go': 1.3, 't/markup': -0.4},
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
  if name == 'exponential':
    params, tokens = np.full_like(params, 1e6), np.full_like(tokens, 1e7)
  law = forms.law(name, TARGET, SOURCES)
  columns = {'num_params': params, 'num_tokens': tokens}
  if name in forms.MIXTURE_LAWS:
    shares = rng.dirichlet(np.full(len(SOURCES), 0.7), params.size)
    shares[: len(SOURCES)] = np.eye(len(SOURCES))
    columns |= {f'share/{s}': shares[:, i] for i, s in enumerate(SOURCES)}
  with solver.float64():
    losses = np.asarray(law.predict(ESTIMATES[name], columns))
  table = pd.DataFrame(columns)
  table.insert(0, 'run_id', [f'run-{i:03}' for i in range(params.size)])
  table[TARGET] = losses * np.exp(noise * rng.standard_normal(params.size))
  return law, table
