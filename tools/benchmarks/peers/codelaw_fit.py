"""Fits a Chinchilla law with codelaw from given starts, in a fresh process.

Usage: codelaw_fit.py TABLE.npz NUM_BOOTSTRAPS

TABLE.npz as for scipy_fit.py. Prints what a solve took as one line of JSON;
with bootstraps, also what a second solve and the second of two bootstraps took.
"""

# ruff: noqa: E402, the clock starts before the imports
import time

_BEGAN = time.perf_counter()

from collections.abc import Callable
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
  wall = time.perf_counter()
  found = search.from_starts(task, 'log_huber', DELTA, starts)
  result = {
    **parts,
    'solve': time.perf_counter() - wall - parts['trace'] - parts['compile'],
    'objective': found.objective,
    'followed': found.num_followed,
    'reached': found.num_reached,
  }
  if int(num_bootstraps):
    result['again'] = _timed(
      lambda: search.from_starts(task, 'log_huber', DELTA, starts)
    )
    _bootstrap(task, found, int(num_bootstraps))
    result['bootstraps'] = _timed(
      lambda: _bootstrap(task, found, int(num_bootstraps))
    )
  print(json.dumps(result))


def _timed(work: Callable[[], object]) -> tuple[float, float]:
  """Seconds, and seconds of processor time."""
  wall, cpu = time.perf_counter(), time.process_time()
  work()
  return time.perf_counter() - wall, time.process_time() - cpu


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


def _bootstrap(task: solver.Problem, found: search.Found, count: int) -> None:
  from codelaw.laws import uncertainty  # It imports SciPy, a fit does not.

  uncertainty.bootstrap(
    task,
    found.coordinates,
    np.arange(task.num_points),
    method='noise',
    num_resamples=count,
    others=np.empty((0, found.coordinates.size)),
    objective='log_huber',
    delta=DELTA,
    seed=0,
  )


if __name__ == '__main__':
  main(*sys.argv[1:])
