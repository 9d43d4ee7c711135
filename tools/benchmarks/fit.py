"""Seconds of a law's fit from 4,500 starts, beside SciPy's L-BFGS-B.

On one machine, on one simulated table of about 240 runs of equal-compute
sweeps with noise and a few outliers; the Chinchilla law, Huber penalty with
delta 0.001 on the log loss, and the grid of 4,500 starts of arXiv:2203.15556
appendix D.3:

  cold             a fresh Python that imports, traces, compiles and solves
  cold, cached     the same where an earlier process has left its compiled
                   program in the user's cache folder
  warm             the second solve of such a process
  scipy analytic   L-BFGS-B with default tolerances and a lean NumPy gradient
  scipy differences  the same with finite differences, as is often published
  scipy plain      finite differences of scipy.special's logsumexp and huber

All take turns. Each turn of SciPy solves a random choice of the starts, and
its time is scaled to all of them; only its solving is timed, while the cold
figures are of whole processes. SciPy uses one core, codelaw those there are.
Ratios are of the turns of one round: least, median, greatest. Where other
programs keep the cores busy, compare processor time (`CPU s`).

codelaw gives most starts up early: `followed` says how many it did not.
"""

import argparse
import itertools
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

_PEERS = pathlib.Path(__file__).parent / 'peers'
_OPTIMUM = 1e-4  # As in codelaw.laws.search.
# How many starts SciPy solves in a turn: some ten seconds or less.
_SCIPY = {'analytic': 600, 'differences': 150, 'plain': 60}
_KINDS = ('cold', 'cold, cached', 'warm')


def main(arguments: list[str]) -> None:
  """Parses the flags, measures, prints."""
  parser = argparse.ArgumentParser(
    prog='tools/bench fit',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--points', type=int, default=240)
  parser.add_argument('--bootstraps', type=int, default=4000)
  parser.add_argument('--turns', type=int, default=3)
  parser.add_argument('--seed', type=int, default=0)
  args = parser.parse_args(arguments)
  with tempfile.TemporaryDirectory() as folder:
    table = pathlib.Path(folder) / 'table.npz'
    starts = _starts()
    np.savez(table, **simulated(args.points, args.seed), starts=starts)
    print(
      f'{os.cpu_count()} cores, {args.points} points, {len(starts):,} starts,'
      f' {args.turns} turns'
    )
    rounds = [
      _round(table, pathlib.Path(folder), args, turn)
      for turn in range(args.turns)
    ]
  _report(rounds, len(starts), args.bootstraps)


def simulated(num_points: int, seed: int) -> dict[str, np.ndarray]:
  """Runs of equal-compute sweeps: a known law, noise and a few outliers."""
  generator = np.random.default_rng(seed)
  compute = np.exp(generator.uniform(np.log(6e18), np.log(3e21), num_points))
  spread = np.exp(generator.uniform(-1.6, 1.6, num_points))
  num_params = np.clip(np.sqrt(compute / 120) * spread, 4e7, 1.6e10)
  num_tokens = compute / 6 / num_params
  loss = 1.8 + 480 / num_params**0.345 + 2100 / num_tokens**0.365
  loss *= np.exp(0.004 * generator.standard_normal(num_points))
  outliers = generator.choice(num_points, num_points // 40, replace=False)
  loss[outliers] *= np.exp(generator.uniform(0.03, 0.12, outliers.size))
  return {'num_params': num_params, 'num_tokens': num_tokens, 'loss': loss}


def _starts() -> np.ndarray:
  """The starts [K, 5] of arXiv:2203.15556, appendix D.3."""
  amplitudes = np.arange(0.0, 30.0, 5.0)
  limits = np.arange(-1.0, 1.5, 0.5)
  exponents = np.arange(0.0, 2.5, 0.5)
  return np.array(
    list(
      itertools.product(amplitudes, amplitudes, limits, exponents, exponents)
    )
  )


def _round(
  table: pathlib.Path,
  folder: pathlib.Path,
  args: argparse.Namespace,
  turn: int,
) -> dict[str, dict]:
  """Everybody's turn, once."""
  cache = {'XDG_CACHE_HOME': str(folder / f'cache_{turn}')}
  ours = [sys.executable, str(_PEERS / 'codelaw_fit.py'), str(table)]
  found = {'cold': _run([*ours, '0'], cache)}
  for gradient, count in _SCIPY.items():
    found[gradient] = _run(
      [
        *(sys.executable, str(_PEERS / 'scipy_fit.py'), str(table)),
        *(gradient, str(count), str(turn)),
      ],
      {'OMP_NUM_THREADS': '1', 'OPENBLAS_NUM_THREADS': '1'},
    )
  found['cold, cached'] = _run([*ours, '0'], cache)
  found['warm'] = _run([*ours, str(args.bootstraps)], cache)
  return found


def _run(command: list[str], environment: dict[str, str]) -> dict:
  """What a process printed, and its seconds by the clock and of processors."""
  began, before = time.perf_counter(), _children_seconds()
  done = subprocess.run(
    command,
    env={**os.environ, 'JAX_PLATFORMS': 'cpu', **environment},
    stdout=subprocess.PIPE,
    text=True,
    check=True,
  )
  took = time.perf_counter() - began, _children_seconds() - before
  return {**json.loads(done.stdout), 'process': took}


def _children_seconds() -> float:
  usage = resource.getrusage(resource.RUSAGE_CHILDREN)
  return usage.ru_utime + usage.ru_stime


def _report(rounds: list[dict], num_starts: int, bootstraps: int) -> None:
  best = min(turn['warm']['objective'] for turn in rounds)
  scale = {gradient: num_starts / count for gradient, count in _SCIPY.items()}
  # (by the clock, of processors) of each turn.
  seconds = {
    name: [
      np.array(turn[name]['process' if name.startswith('cold') else 'again'])
      * scale.get(name, 1.0)
      for turn in rounds
    ]
    for name in rounds[0]
  }
  print(
    f'\n  {"":<18} {"seconds":>9} {"CPU s":>9} {"lowest objective":>18}'
    '   starts there'
  )
  for name, times in seconds.items():
    if name in _SCIPY:
      ends = np.concatenate([turn[name]['objectives'] for turn in rounds])
      lowest = np.nanmin(ends)
      share = np.mean(ends <= best * (1 + _OPTIMUM))
      there = f'{share:.1%} of {ends.size} solved'
    else:
      last = rounds[-1][name]
      lowest = last['objective']
      there = f'{last["reached"]} of {last["followed"]} followed'
    wall, cpu = np.median(times, axis=0)
    label = f'scipy {name}' if name in _SCIPY else name
    print(f'  {label:<18} {wall:>9.2f} {cpu:>9.2f} {lowest:>18.10g}   {there}')
  print(
    '\n  times faster than scipy: least, median, greatest of the turns;'
    ' of CPU s'
  )
  for kind in _KINDS:
    for gradient in _SCIPY:
      ratios = np.array(seconds[gradient]) / np.array(seconds[kind])
      text = ''.join(
        f'{value:>8.1f}'
        for way in ratios.T
        for value in (way.min(), np.median(way), way.max())
      )
      print(f'  {kind:<13} {gradient:<12}{text}')
  print('\n  where a process spends its seconds, medians')
  for kind in _KINDS[:2]:
    parts = ', '.join(
      f'{part} {statistics.median(turn[kind][part] for turn in rounds):.2f}'
      for part in ('imports', 'trace', 'compile', 'solve')
    )
    print(f'  {kind:<13} {parts}')
  wall, cpu = np.median([turn['warm']['bootstraps'] for turn in rounds], axis=0)
  print(f'\n  {bootstraps:,} bootstraps: {wall:.1f} s, {cpu:.1f} CPU s')


if __name__ == '__main__':
  main(sys.argv[1:])
