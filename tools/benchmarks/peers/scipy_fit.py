"""Fits a Chinchilla law with SciPy's L-BFGS-B, start by start.

Usage: scipy_fit.py TABLE.npz GRADIENT NUM_STARTS SEED

TABLE.npz holds num_params, num_tokens, loss and starts [K, 5] of log A, log B,
log E, alpha, beta. A random choice of NUM_STARTS is solved and one line of
JSON says what came of it. GRADIENT is

  analytic     written out in NumPy, logarithms of the columns taken once
  differences  SciPy's finite differences of the same function
  plain        finite differences of the objective as one writes it first,
               from scipy.special.logsumexp and scipy.special.huber
"""

import json
import sys
import time
import warnings

import numpy as np
from scipy import optimize
from scipy import special

DELTA = 1e-3


def main(path: str, gradient: str, count: str, seed: str) -> None:
  """Solves and prints."""
  table = np.load(path)
  params, tokens, loss = (
    table[name] for name in ('num_params', 'num_tokens', 'loss')
  )
  generator = np.random.default_rng(int(seed))
  starts = generator.choice(table['starts'], int(count), replace=False)
  plain = gradient == 'plain'
  function = (_plain if plain else _lean)(params, tokens, loss)
  warnings.simplefilter('ignore')  # Overflow far from the optimum.
  objectives, evaluations = [], 0
  wall, cpu = time.perf_counter(), time.process_time()
  for start in starts:
    found = optimize.minimize(
      function if gradient == 'analytic' or plain else _value_of(function),
      start,
      jac=gradient == 'analytic',
      method='L-BFGS-B',
    )
    objectives.append(float(found.fun))
    evaluations += found.nfev
  print(
    json.dumps(
      {
        'again': (time.perf_counter() - wall, time.process_time() - cpu),
        'objectives': objectives,
        'evaluations': evaluations / len(starts),
      }
    )
  )


def _lean(params, tokens, loss):
  """(objective, gradient), with as little work as NumPy allows."""
  log_params, log_tokens = np.log(params), np.log(tokens)
  log_loss = np.log(loss)

  def objective(x):
    a, b, e, alpha, beta = x
    by_size = np.exp(a - alpha * log_params)
    by_data = np.exp(b - beta * log_tokens)
    limit = np.exp(e)
    predicted = by_size + by_data + limit
    r = np.log(predicted) - log_loss
    size = np.abs(r)
    linear = np.minimum(size, DELTA)
    slope = np.clip(r, -DELTA, DELTA) / predicted
    by_size *= slope
    by_data *= slope
    gradient = (
      by_size.sum(),
      by_data.sum(),
      limit * slope.sum(),
      -by_size @ log_params,
      -by_data @ log_tokens,
    )
    return linear @ (size - 0.5 * linear), np.array(gradient)

  return objective


def _value_of(function):
  return lambda x: function(x)[0]


def _plain(params, tokens, loss):
  def objective(x):
    a, b, e, alpha, beta = x
    terms = (
      a - alpha * np.log(params),
      b - beta * np.log(tokens),
      np.full(loss.shape, e),
    )
    log_predicted = special.logsumexp(terms, axis=0)
    return special.huber(DELTA, log_predicted - np.log(loss)).sum()

  return objective


if __name__ == '__main__':
  main(*sys.argv[1:])
