"""Fits of planted laws, for the tests of planning, reports and their verbs."""

import numpy as np
import pytest

from codelaw.laws import forms
from codelaw.laws import results


def _make_fit(target, estimates, law='transfer', spread=0.0, count=40, seed=0):
  """A `Fit` with these estimates and log-normal bootstrap estimates."""
  generator = np.random.default_rng(seed)
  bootstrap = {
    name: tuple(
      float(value * np.exp(spread * noise))
      for noise in generator.standard_normal(count if spread else 0)
    )
    for name, value in estimates.items()
  }
  intervals = {
    name: (
      tuple(float(end) for end in np.percentile(values, [5, 95]))
      if values
      else (estimates[name],) * 2
    )
    for name, values in bootstrap.items()
  }
  fit = results.Fit(
    law=law,
    target=target,
    group='',
    estimates=estimates,
    intervals=intervals,
    interval_level=0.9,
    objective=0.001,
    objective_name='log_huber',
    num_points=24,
    num_starts=500,
    num_starts_at_optimum=431,
    converged=True,
    termination='converged',
    diagnostics={
      'rmse': 0.01,
      'r2': 0.995,
      'mean_relative_error': 0.002,
      'extrapolation_mean_relative_error': 0.006,
      'condition_number': 250.0,
      'at_bound': [],
      'warnings': [],
    },
    units={name: '1' for name in estimates},
    table_fingerprint='0123456789abcdef',
    codelaw_version='0.1.0',
    bootstrap_estimates=bootstrap,
  )
  assert set(forms.law_of(fit).parameters) == set(estimates)
  return fit


@pytest.fixture(scope='session')
def make_fit():
  """(target, estimates, law='transfer', spread=0, count=40, seed=0) -> Fit."""
  return _make_fit
