import dataclasses
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import codelaw
from codelaw import errors
from codelaw.laws import fitting
from codelaw.laws import forms
from tests.laws import simulated

FEW = fitting.FitSettings(num_starts=64, num_bootstraps=0)
REFERENCE = pathlib.Path(codelaw.__file__).parent / 'reference'


@pytest.mark.parametrize(
  ('name', 'objective'),
  [
    *((name, 'log_huber') for name in forms.NAMES),
    *((name, 'least_squares') for name in ('chinchilla', 'transfer')),
  ],
)
def test_recovers_a_law_without_noise_to_six_digits(name, objective):
  law, table = simulated.runs(name, 6, 6)
  settings = dataclasses.replace(
    FEW,
    objective=objective,
    num_starts=128,
    profile_intervals=False,
    influence=False,
  )
  fit = fitting.fit(law, table, simulated.TARGET, settings)
  for parameter, truth in simulated.ESTIMATES[name].items():
    assert fit.estimates[parameter] == pytest.approx(truth, rel=1e-6)
  assert fit.converged
  assert fit.num_starts_at_optimum > 10
  assert fit.diagnostics['rmse'] < 1e-9


def _scipy_optimum(table, loss, **options):
  """The best of 4 starts of SciPy's solver, on coordinates of its own."""
  rng = np.random.default_rng(3)
  size = np.log(table['num_params'] / 1e6)
  data = np.log(table['num_tokens'] / 1e7)

  def residuals(x):
    e, a, b = np.exp(x[:3])
    predicted = e + a * np.exp(-x[3] * size) + b * np.exp(-x[4] * data)
    if loss == 'huber':
      return np.log(predicted / table[simulated.TARGET])
    return predicted - table[simulated.TARGET]

  return min(
    (
      optimize.least_squares(
        residuals,
        np.append(rng.normal(-1, 1, 3), rng.uniform(0.1, 1, 2)),
        loss=loss,
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
        max_nfev=300,
        **options,
      )
      for _ in range(4)
    ),
    key=lambda found: found.cost,
  )


@pytest.mark.parametrize('seed', [0, 1])
def test_agrees_with_scipy(seed):
  law, table = simulated.runs('chinchilla', 4, 4, noise=0.02, seed=seed)
  settings = dataclasses.replace(FEW, objective='least_squares')
  fit = fitting.fit(law, table, simulated.TARGET, settings)
  other = _scipy_optimum(table, 'linear')
  scale = np.exp(np.mean(np.log(table[simulated.TARGET])))
  assert fit.objective * scale**2 == pytest.approx(other.cost, rel=1e-9)
  found = [fit.estimates[name] for name in ('E', 'alpha', 'beta')]
  expected = [np.exp(other.x[0]), other.x[3], other.x[4]]
  np.testing.assert_allclose(found, expected, rtol=1e-5)

  fit = fitting.fit(law, table, simulated.TARGET, FEW)
  other = _scipy_optimum(table, 'huber', f_scale=1e-3)
  # SciPy stops early on this objective; it must never be below ours.
  assert fit.objective <= other.cost * (1 + 1e-9)
  assert fit.objective == pytest.approx(other.cost, rel=1e-2)


def test_order_of_rows_is_irrelevant_to_the_last_bit():
  law, table = simulated.runs('transfer', noise=0.01)
  settings = dataclasses.replace(FEW, num_bootstraps=20)
  fit = fitting.fit(law, table, simulated.TARGET, settings)
  mixed = table.sample(frac=1, random_state=1).reset_index(drop=True)
  assert fitting.fit(law, mixed, simulated.TARGET, settings) == fit


def test_units_are_irrelevant():
  law, table = simulated.runs('chinchilla', noise=0.01)
  in_millions = table.assign(
    num_params=table['num_params'] / 1e6, num_tokens=table['num_tokens'] / 1e6
  )
  raw = fitting.fit(law, table, simulated.TARGET, FEW)
  scaled = fitting.fit(law, in_millions, simulated.TARGET, FEW)
  for name in ('E', 'alpha', 'beta'):
    assert scaled.estimates[name] == pytest.approx(
      raw.estimates[name], rel=1e-6
    )
  assert scaled.estimates['A'] * 1e6 ** raw.estimates['alpha'] == pytest.approx(
    raw.estimates['A'], rel=1e-5
  )


def test_noisy_recovery_within_three_standard_errors():
  law, table = simulated.runs('chinchilla', 8, 8, noise=0.01, seed=5)
  settings = dataclasses.replace(FEW, objective='least_squares')
  fit = fitting.fit(law, table, simulated.TARGET, settings)
  for name, truth in simulated.CHINCHILLA.items():
    error = fit.diagnostics['standard_errors'][name]
    assert abs(fit.estimates[name] - truth) < 3 * error


def test_seed_reproduces_and_precision_of_the_process_stays():
  law, table = simulated.runs('chinchilla', noise=0.01)
  settings = dataclasses.replace(FEW, num_bootstraps=20, seed=7)
  first = fitting.fit(law, table, simulated.TARGET, settings)
  assert fitting.fit(law, table, simulated.TARGET, settings) == first
  assert not jax.config.jax_enable_x64
  assert jnp.ones(1).dtype == jnp.float32
  other = dataclasses.replace(settings, seed=8)
  assert fitting.fit(law, table, simulated.TARGET, other) != first


def test_reproduces_the_drawn_surfaces_of_the_paper():
  """arXiv:2512.13472, figures: plain least squares, N and D in billions."""
  table = pd.read_csv(REFERENCE / 'code_law_runs.csv').rename(
    columns={
      'params_billions': 'num_params',
      'tokens_billions': 'num_tokens',
      'loss_nats_per_token': 'loss',
    }
  )
  drawn = pd.read_csv(REFERENCE / 'law_parameters.csv').set_index('language')
  settings = dataclasses.replace(FEW, objective='least_squares')
  assert len(drawn) == 7
  for language, surface in drawn.iterrows():
    rows = table[table['language'] == language]
    fit = fitting.fit(forms.law('chinchilla'), rows, 'loss', settings)
    for name, column in (
      ('A', 'surface_a'),
      ('B', 'surface_b'),
      ('alpha', 'surface_alpha_n'),
      ('beta', 'surface_alpha_d'),
      ('E', 'surface_l_inf'),
    ):
      # Four decimals were read from the figures.
      assert fit.estimates[name] == pytest.approx(
        surface[column], rel=1e-3, abs=2e-4
      )
    assert fit.diagnostics['rmse'] == pytest.approx(
      surface['surface_rmse'], abs=6e-5
    )
    assert fit.diagnostics['r2'] == pytest.approx(
      surface['surface_r2'], abs=6e-5
    )


def test_too_few_points_is_an_error():
  law, table = simulated.runs('chinchilla')
  with pytest.raises(errors.UserError, match='at least 6 points; got 5'):
    fitting.fit(law, table.head(5), simulated.TARGET, FEW)


@pytest.mark.parametrize('column', ['num_params', 'num_tokens'])
@pytest.mark.parametrize('values', [1, 2])
def test_degenerate_sizes_are_an_error(column, values):
  law, table = simulated.runs('chinchilla', 8, 8)
  kept = sorted(table[column].unique())[:values]
  with pytest.raises(errors.UserError, match=f'{column} .*have {values}'):
    fitting.fit(law, table[table[column].isin(kept)], simulated.TARGET, FEW)


def test_shares_that_never_vary_are_an_error():
  law, table = simulated.runs('transfer')
  with pytest.raises(errors.UserError, match='different share/markup'):
    fitting.fit(law, table.assign(**{'share/markup': 0.2}), simulated.TARGET)


def test_losses_that_never_vary_are_an_error():
  law, table = simulated.runs('chinchilla')
  with pytest.raises(errors.UserError, match='is 2 in all 25 points'):
    fitting.fit(law, table.assign(**{simulated.TARGET: 2.0}), simulated.TARGET)


def test_collinear_shares_are_an_error():
  law, table = simulated.runs('transfer', noise=0.01)
  halves = (1 - table['share/code/java']) / 2
  collinear = table.assign(**{'share/code/go': halves, 'share/markup': halves})
  with pytest.raises(
    errors.UserError, match='cannot tell share/code/go and share/markup apart'
  ):
    fitting.fit(law, collinear, simulated.TARGET, FEW)


@pytest.mark.parametrize('name', ['chinchilla', 'kaplan', 'transfer'])
@pytest.mark.parametrize(
  ('power', 'words'),
  [(1, 'tokens per parameter are the same'), (-1, r'num_params\^-1 ')],
)
def test_sizes_and_tokens_on_one_line_are_an_error(name, power, words):
  law, table = simulated.runs(name, 6, 6, noise=0.01)
  rounding = 1 + 0.01 * np.sin(np.arange(len(table)))
  line = table.assign(
    num_tokens=1e13 ** (power < 0) * 20 * table['num_params'] ** power
  )
  line['num_tokens'] *= rounding
  with pytest.raises(errors.UserError, match=words):
    fitting.fit(law, line, simulated.TARGET, FEW)


@pytest.mark.parametrize('name', forms.NAMES)
def test_as_many_parameters_as_points_are_an_error(name):
  law, table = simulated.runs(name)
  few = table.head(len(law.parameters))
  with pytest.raises(errors.UserError, match='Add runs, or choose a smaller'):
    fitting.fit(law, few, simulated.TARGET, FEW)


@pytest.mark.parametrize(
  'name',
  # One share alone cannot be tied to others.
  [name for name in forms.MIXTURE_LAWS if name != 'bimix'],
)
def test_equal_or_tied_shares_are_an_error(name):
  law, table = simulated.runs(name, 6, 6, noise=0.01)
  shares = [c for c in law.columns if c.startswith('share/')]
  with pytest.raises(errors.UserError, match='different share/'):
    fitting.fit(
      law, table.assign(**dict.fromkeys(shares, 0.3)), simulated.TARGET
    )
  # Two mixtures in any number of runs: all shares on one line.
  first = table['share/code/java'] > 0.4
  two = table.assign(
    **{
      'share/code/java': np.where(first, 0.8, 0.2),
      'share/code/go': np.where(first, 0.1, 0.5),
      'share/markup': np.where(first, 0.1, 0.3),
    }
  )
  with pytest.raises(errors.UserError, match='apart: .* Add runs on mixtures'):
    fitting.fit(law, two, simulated.TARGET, FEW)


@pytest.mark.parametrize('value', [0.0, -1.0, np.nan, np.inf])
def test_impossible_values_name_the_run(value):
  law, table = simulated.runs('chinchilla')
  table.loc[3, simulated.TARGET] = value
  with pytest.raises(errors.UserError, match='run run-003'):
    fitting.fit(law, table, simulated.TARGET, FEW)


def test_missing_column_and_text_are_named():
  law, table = simulated.runs('chinchilla')
  with pytest.raises(errors.UserError, match='column num_tokens'):
    fitting.fit(law, table.drop(columns='num_tokens'), simulated.TARGET)
  with pytest.raises(errors.UserError, match='num_tokens must hold numbers'):
    fitting.fit(law, table.assign(num_tokens='many'), simulated.TARGET)


@pytest.mark.parametrize(
  ('field', 'value'),
  [
    ('objective', 'l1'),
    ('bootstrap', 'jackknife'),
    ('num_starts', 0),
    ('num_bootstraps', 2.5),
    ('interval_level', 1.0),
    ('huber_delta', 0.0),
  ],
)
def test_settings_refuse(field, value):
  with pytest.raises(errors.UserError, match=field):
    fitting.FitSettings(**{field: value})
