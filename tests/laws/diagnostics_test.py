import numpy as np
import pytest

from codelaw.laws import diagnostics
from codelaw.laws import fitting
from tests.laws import simulated

FEW = fitting.FitSettings(num_starts=64, num_bootstraps=0)


def test_errors_of_literal_losses():
  found = diagnostics.errors_of(
    np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.3])
  )
  assert found['rmse'] == pytest.approx(np.sqrt(0.03))
  assert found['r2'] == pytest.approx(1 - 0.09 / 2)
  assert found['mean_relative_error'] == pytest.approx(0.1 / 3)


def test_residual_points_are_the_runs_and_the_law():
  law, table = simulated.runs('transfer', 4, 5, noise=0.01)
  fit = fitting.fit(law, table, simulated.TARGET, FEW)
  points = {p['run_id']: p for p in fit.diagnostics['residual_points']}
  assert len(points) == len(table)
  for row in table.to_dict('records'):
    point = points[row['run_id']]
    assert point['observed'] == row[simulated.TARGET]
    assert [point[c] for c in law.columns] == [row[c] for c in law.columns]
    effective = row['num_tokens'] * (
      row['share/code/java']
      + fit.estimates['tau/code/go'] * row['share/code/go']
      + fit.estimates['tau/markup'] * row['share/markup']
    )
    assert point['predicted'] == pytest.approx(
      fit.estimates['E']
      + fit.estimates['A'] / row['num_params'] ** fit.estimates['alpha']
      + fit.estimates['B'] / effective ** fit.estimates['beta']
    )


def test_residual_points_of_large_tables_are_an_even_selection(monkeypatch):
  monkeypatch.setattr(diagnostics, '_MAX_RESIDUAL_POINTS', 7)
  law, table = simulated.runs('chinchilla', 5, 5, noise=0.01)
  fit = fitting.fit(law, table, simulated.TARGET, FEW)
  sizes = [p['num_params'] for p in fit.diagnostics['residual_points']]
  assert len(sizes) == 7
  assert len(set(sizes)) == 5


def test_parameter_without_effect_is_at_its_bound_and_said():
  law, table = simulated.runs('chinchilla', 6, 6)
  power = table.assign(
    **{
      simulated.TARGET: 60 * table['num_params'] ** -0.33
      + 400 * table['num_tokens'] ** -0.41
    }
  )
  fit = fitting.fit(law, power, simulated.TARGET, FEW)
  assert fit.diagnostics['at_bound'] == ['E']
  assert any('E ended at a bound' in w for w in fit.diagnostics['warnings'])
