import dataclasses

import numpy as np
import pytest

from codelaw.laws import fitting
from codelaw.laws import held_out
from codelaw.laws import refits
from codelaw.laws import solver
from tests.laws import simulated

FEW = fitting.FitSettings(num_starts=64, num_bootstraps=0, influence=False)


def _optimum(law, table, **changes):
  settings = dataclasses.replace(FEW, **changes)
  return fitting.optimise(law, table, simulated.TARGET, settings)


def test_largest_values_stay_together_and_equal_ones_are_kept():
  ten = np.arange(1.0, 11.0)
  assert np.flatnonzero(held_out.largest(ten)).tolist() == [8, 9]
  assert not held_out.largest(np.ones(5)).any()
  # The top level alone, where the next would make it more than a fifth.
  assert held_out.largest(np.repeat([1.0, 2.0, 3.0], [20, 5, 4])).sum() == 4


def test_folds_part_the_points_by_whole_groups():
  groups = np.array([0, 0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 9, 10, 11])
  folds = held_out.folds(groups, seed=0)
  assert len(folds) == 10
  np.testing.assert_array_equal(np.sum(folds, axis=0), np.ones(15))
  for fold in folds:
    inside, outside = set(groups[fold]), set(groups[~fold])
    assert not inside & outside


@pytest.mark.parametrize('column', ['num_params', 'num_tokens', 'compute'])
def test_extrapolation_error_sees_a_law_that_breaks_beyond_the_fit(column):
  law, table = simulated.runs('chinchilla', 6, 6)
  settings = dataclasses.replace(FEW, profile_intervals=False)
  fit = fitting.fit(law, table, simulated.TARGET, settings)
  assert max(fit.diagnostics['extrapolation'].values()) < 1e-6
  values = table['num_params'] * table['num_tokens']
  if column != 'compute':
    values = table[column]
  largest = held_out.largest(values.to_numpy())
  broken = table.copy()
  broken.loc[largest, simulated.TARGET] *= 1.1
  fit = fitting.fit(law, broken, simulated.TARGET, settings)
  # The law without them predicts L; they show 1.1 L.
  error = fit.diagnostics['extrapolation'][column]
  assert error == pytest.approx(1 - 1 / 1.1, rel=1e-3)
  assert any('misses' in w for w in fit.diagnostics['warnings'])
  compute = fit.diagnostics['extrapolation']['compute']
  assert fit.diagnostics['extrapolation_mean_relative_error'] == compute


def test_few_sizes_have_no_test_of_larger_ones():
  law, table = simulated.runs('chinchilla', 3, 6, noise=0.01)
  found = held_out.extrapolation(_optimum(law, table))
  assert found['num_params'] is None  # Two sizes would remain.
  assert found['num_tokens'] is not None
  law, table = simulated.runs('exponential')
  found = held_out.extrapolation(_optimum(law, table))
  assert found == dict.fromkeys(held_out.EXTRAPOLATIONS)


def test_evaluations_of_one_run_are_left_out_together():
  law, table = simulated.runs('chinchilla', 8, 5, noise=0.01)
  own_run = table.assign(run_id=table['num_params'].map('size {}'.format))
  optimum = _optimum(law, own_run)
  data = optimum.data
  assert data.num_runs == 8
  tests = held_out.fold_tests(optimum) + held_out.extrapolation_tests(optimum)
  for test in tests:
    if test.kind == 'num_tokens':
      # Every run reaches the largest D: only their ends can be left out.
      assert test.left_out.sum() == 8
    else:
      shared = set(data.runs[test.left_out]) & set(data.runs[~test.left_out])
      assert not shared
  by_compute = next(t for t in tests if t.kind == 'compute')
  assert by_compute.left_out.sum() > by_compute.scored.sum()


def test_refits_from_few_starts_end_where_many_starts_end():
  law, table = simulated.runs('transfer', 4, 8, noise=0.01)
  optimum = _optimum(law, table)
  tests = held_out.fold_tests(optimum) + held_out.extrapolation_tests(optimum)
  marks = np.stack([test.left_out for test in tests])
  found = refits.without(optimum, marks)
  starts = solver.draw_starts(law, 128, 5)
  for mark, at in zip(marks, found, strict=True):
    weights = optimum.task.weights.copy()
    weights[: mark.size][mark] = 0

    def solved(starts, weights=weights):
      shape = (len(starts), weights.size)
      return optimum.solve(starts, weights=np.broadcast_to(weights, shape))

    best = solved(starts).objectives.min()
    # Near-ties of the Huber objective, as `fitting.OPTIMUM_TOLERANCE`.
    assert solved(at[None]).objectives[0] <= best * (1 + 1e-3)


def test_refit_is_not_tested_where_it_would_keep_what_it_must_not_know():
  law, table = simulated.runs('transfer', 5, 5, noise=0.01)
  optimum = _optimum(law, table)
  go = optimum.data.columns[law.columns.index('share/code/go')]
  able = refits.determined(optimum, np.stack([go == 0, go >= 0]))
  assert able.tolist() == [False, True]


def test_kinds_count_half_for_mixtures_and_half_beyond():
  by_kind = {'mixtures': 0.1, 'num_params': 0.2, 'compute': 0.4}
  assert held_out.overall(by_kind) == pytest.approx(0.5 * 0.1 + 0.25 * 0.6)
  assert held_out.overall({'compute': 0.3}) == pytest.approx(0.3)
  assert held_out.overall({'mixtures': 0.3}) == pytest.approx(0.3)


def test_laws_are_compared_on_the_points_all_were_tested_on():
  nan = np.nan
  tested = {
    'a': {'mixtures': np.array([1.0, 2.0, nan]), 'compute': np.ones(3)},
    'b': {'mixtures': np.array([nan, 3.0, 4.0])},
  }
  found = held_out.in_common(tested)
  assert held_out.means(found['a']) == {'mixtures': 2.0}
  assert held_out.means(found['b']) == {'mixtures': 3.0}


def test_interval_of_a_difference_by_hand():
  first = {'mixtures': np.array([0.1, 0.1, 0.1, 0.1])}
  other = {'mixtures': np.array([0.2, 0.3, 0.2, 0.3])}
  found = held_out.difference(first, other, np.arange(4), 0.9)
  # sd / sqrt(4), widened for 4 refits on three quarters of the points each.
  error = np.sqrt(0.01 / 3) / 2 * np.sqrt(1 + 4 / 3)
  assert found.mean == pytest.approx(0.15)
  assert found.high - found.mean == pytest.approx(2.353363 * error, rel=1e-6)
  assert found.low + found.high == pytest.approx(0.3)
  # Points of one run are one observation.
  paired = held_out.difference(first, other, np.array([0, 0, 1, 1]), 0.9)
  assert paired.high - paired.low < 1e-12
  assert held_out.difference(first, other, np.zeros(4, dtype=int), 0.9) is None
