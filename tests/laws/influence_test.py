import dataclasses

import numpy as np
import pytest

from codelaw.laws import fitting
from codelaw.laws import influence
from tests.laws import simulated

FEW = fitting.FitSettings(
  num_starts=64,
  num_bootstraps=0,
  profile_intervals=False,
  objective='least_squares',
)


def _changes(law, table, settings=FEW):
  optimum = fitting.optimise(law, table, simulated.TARGET, settings)
  return influence.changes(optimum)


@pytest.mark.parametrize('objective', ['least_squares', 'log_huber'])
def test_changes_are_those_of_fits_without_the_points(objective):
  law, table = simulated.runs('chinchilla', 6, 6, noise=0.01)
  settings = dataclasses.replace(FEW, objective=objective)
  fit = fitting.fit(law, table, simulated.TARGET, settings)
  moved = [c['left_out'] for c in fit.diagnostics['influence']]
  level = next(name for name in moved if name.startswith('num_tokens'))
  run = next(name for name in moved if name.startswith('run '))
  tokens = float(level.partition(' = ')[2])
  for left_out, rest in (
    (level, table[~np.isclose(table['num_tokens'], tokens, rtol=1e-3)]),
    (run, table[table['run_id'] != run.removeprefix('run ')]),
  ):
    again = fitting.fit(law, rest, simulated.TARGET, settings)
    found = [
      c for c in fit.diagnostics['influence'] if c['left_out'] == left_out
    ]
    for change in found:
      name = change['parameter']
      assert change['num_points'] == len(table) - len(rest)
      # Near-ties of the Huber objective lie this far apart.
      tolerance = 1e-4 if objective == 'least_squares' else 0.02
      assert change['estimate'] == pytest.approx(
        again.estimates[name], rel=tolerance
      )
      assert change['standard_errors'] == pytest.approx(
        (change['estimate'] - fit.estimates[name])
        / fit.diagnostics['standard_errors'][name]
      )


def test_largest_change_comes_first_and_is_the_planted_one():
  law, table = simulated.runs('chinchilla', 6, 6, noise=0.003)
  broken = table.copy()
  row = broken['run_id'] == 'run-000'
  broken.loc[row, simulated.TARGET] *= 1.3
  changes = _changes(law, broken)
  sizes = [abs(change.standard_errors) for change in changes]
  assert sizes == sorted(sizes, reverse=True)
  run = next(c for c in changes if c.left_out.startswith('run '))
  assert run.left_out == 'run run-000'
  assert abs(run.standard_errors) > 5 * run.expected


def test_expected_changes_are_those_that_noise_makes():
  ratios = []
  for seed in range(6):
    law, table = simulated.runs('chinchilla', 6, 6, noise=0.003, seed=seed)
    ratios += [
      change.standard_errors / change.expected
      for change in _changes(law, table)
      if change.parameter in ('E', 'alpha', 'beta')
    ]
  # About 200 correlated draws, the largest of each fit kept.
  assert 0.7 < np.sqrt(np.mean(np.square(ratios))) < 1.6


def test_mixtures_are_levels_and_runs_with_many_evaluations_are_one():
  law, table = simulated.runs('transfer', 5, 6, noise=0.01)
  pairs = table.assign(run_id=[f'pair-{i // 2}' for i in range(len(table))])
  names = {change.left_out for change in _changes(law, pairs)}
  by_name = {c.left_out: c.num_points for c in _changes(law, pairs)}
  assert any(name.startswith('num_params = ') for name in names)
  assert by_name['run pair-3'] == 2
  # Mixtures that one run passes through are left out with it.
  assert any(name.startswith('mixture 1 code/') for name in names) or any(
    name.startswith('mixture 0.') for name in names
  )


def test_level_that_the_law_needs_is_not_left_out():
  law, table = simulated.runs('chinchilla', 3, 6, noise=0.01)
  names = {change.left_out for change in _changes(law, table)}
  assert not any(name.startswith('num_params') for name in names)
  assert any(name.startswith('num_tokens') for name in names)


def test_of_many_runs_the_likeliest_are_refitted(monkeypatch):
  law, table = simulated.runs('chinchilla', 6, 6, noise=0.003)
  row = table['run_id'] == 'run-000'
  table.loc[row, simulated.TARGET] *= 1.3
  every = _changes(law, table)
  monkeypatch.setattr(influence, '_MAX_REFITS', 6)
  few = _changes(law, table)
  assert len({change.left_out for change in few}) <= 6
  assert few[0] == every[0]
