"""Fits a Chinchilla law with codelaw from given starts, in a fresh process.

Usage: codelaw_fit.py TABLE.npz NUM_BOOTSTRAPS

TABLE.npz as for scipy_fit.py. Solves twice, prints the parts of the first solve
and of the second, and the seconds of the bootstraps, as one line of JSON.
"""

import time

_BEGAN = time.perf_counter()

import json
import sys

import jax
import numpy as np

from codelaw import compilation_cache
from codelaw.laws import forms
from codelaw.laws import search
from codelaw.laws import solver

DELTA = 1e-3
_PARTS = {
  '/jax/core/compile/jaxpr_trace_duration': 'trace',
  '/jax/core/compile/jaxpr_to_mlir_module_duration': 'trace',
  '/jax/core/compile/backend_compile_duration': 'compile',
}


def main(path: str, num_bootstraps: str) -> None:
  """Solves and prints."""
  parts = {'imports': time.perf_counter() - _BEGAN, 'trace': 0, 'compile': 0}

  def heard(event: str, seconds: float, **_) -> None:
    if event in _PARTS:
      parts[_PARTS[event]] += seconds

  jax.monitoring.register_event_duration_secs_listener(heard)
  compilation_cache.enable()
  table = np.load(path)
  law = forms.law('chinchilla')
  columns = np.stack([table['num_params'], table['num_tokens']])
  task = solver.problem(law, columns, table['loss'])
  starts = _coordinates(task, table['starts'])
  times = []
  for _ in range(2):
    wall = time.perf_counter()
    found = search.from_starts(task, 'log_huber', DELTA, starts)
    times.append(time.perf_counter() - wall)
  print(
    json.dumps(
      {
        **parts,
        'first': times[0],
        'second': times[1],
        'cpu': time.process_time(),
        'objective': found.objective,
        'followed': found.num_followed,
        'reached': found.num_reached,
        'bootstraps': _bootstraps(task, found, int(num_bootstraps)),
      }
    )
  )


def _coordinates(task: solver.Problem, starts: np.ndarray) -> np.ndarray:
  """Starts in raw units, as the solver's coordinates, inside its bounds."""
  a, b, e, alpha, beta = starts.T
  scales = {name: np.log(scale) for name, scale in task.scales.items()}
  low, high = solver.bounds(task.law)
  logarithms = np.log(np.maximum(starts[:, 3:], np.exp(low[3:])))
  return np.clip(
    np.stack(
      [
        e - scales['loss'],
        a - scales['loss'] - alpha * scales['num_params'],
        b - scales['loss'] - beta * scales['num_tokens'],
        *logarithms.T,
      ],
      axis=1,
    ),
    low,
    high,
  )


def _bootstraps(
  task: solver.Problem, found: search.Found, count: int
) -> list[float]:
  """Seconds of each of two bootstraps, or none."""
  from codelaw.laws import uncertainty

  times = []
  for seed in range(2 if count else 0):
    wall = time.perf_counter()
    uncertainty.bootstrap(
      task,
      found.coordinates,
      np.arange(task.num_points),
      method='noise',
      num_resamples=count,
      num_further_starts=1,
      objective='log_huber',
      delta=DELTA,
      seed=seed,
    )
    times.append(time.perf_counter() - wall)
  return times


if __name__ == '__main__':
  main(*sys.argv[1:])
