import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from codelaw import errors
from codelaw.laws import fitting
from codelaw.laws import forms
from codelaw.laws import pooling
from tests.laws import simulated

FEW = fitting.FitSettings(
  num_starts=64,
  num_bootstraps=0,
  objective='least_squares',
  profile_intervals=False,
  influence=False,
)
SOME = dataclasses.replace(FEW, num_bootstraps=60)
SIZE, TOKENS = 1e6, 1e7  # Means of the runs, at which A and B are planted.


def _member(k, *, beta=0.4, alpha=0.33, grid=4, noise=0.0, seed=0, run=None):
  """Runs of group k: E + .6 (N / mean)^-alpha + .8 (D / mean)^-beta."""
  rng = np.random.default_rng([seed, k])
  N, D = (
    axis.ravel()
    for axis in np.meshgrid(
      np.geomspace(1e5, 1e7, grid), np.geomspace(1e6, 1e8, grid)
    )
  )
  loss = 1 + 0.1 * k + 0.6 * (SIZE / N) ** alpha + 0.8 * (TOKENS / D) ** beta
  table = pd.DataFrame(
    {
      'run_id': [f'{run or k}-{i}' for i in range(N.size)],
      'num_params': N,
      'num_tokens': D,
      'loss': loss * np.exp(noise * rng.standard_normal(N.size)),
    }
  )
  return pooling.Member(forms.law('chinchilla'), table, 'loss', f'g{k}')


@functools.cache
def _noisy(shared, partial, noise=0.01):
  """Three groups of nine runs with equal exponents."""
  members = [_member(k, grid=3, noise=noise) for k in range(3)]
  return pooling.fit(members, shared, partial, SOME)


def test_shared_exponents_are_recovered_without_noise():
  members = [_member(k) for k in range(3)]
  fits = pooling.fit(members, ['alpha', 'beta'], [], FEW)
  for k, fit in enumerate(fits):
    assert fit.estimates['alpha'] == pytest.approx(0.33, rel=1e-6)
    assert fit.estimates['beta'] == pytest.approx(0.4, rel=1e-6)
    assert fit.estimates['E'] == pytest.approx(1 + 0.1 * k, rel=1e-6)
    assert fit.estimates['A'] == pytest.approx(0.6 * SIZE**0.33, rel=1e-6)
    assert (fit.group, fit.converged) == (f'g{k}', True)


def test_nothing_in_common_is_the_separate_fits():
  members = [_member(k, noise=0.01) for k in range(2)]
  for fit, member in zip(
    pooling.fit(members, [], [], FEW), members, strict=True
  ):
    alone = fitting.fit(member.law, member.rows, 'loss', FEW)
    for name, value in alone.estimates.items():
      # The solver's own tolerance on least squares.
      assert fit.estimates[name] == pytest.approx(value, rel=1e-4)


def test_agrees_with_scipy_on_one_problem():
  """Least squares of all targets together, written out independently."""
  members = [_member(k, grid=3, noise=0.01) for k in range(3)]
  fits = _noisy(('beta',), ())
  tables = [member.rows for member in members]

  def residuals(x):
    beta, own = x[0], x[1:].reshape(3, 4)
    return np.concatenate(
      [
        np.exp(e)
        + np.exp(a) * (SIZE / table['num_params']) ** alpha
        + np.exp(b) * (TOKENS / table['num_tokens']) ** beta
        - table['loss']
        for (e, a, b, alpha), table in zip(own, tables, strict=True)
      ]
    )

  start = np.append(0.5, np.tile([0.0, -0.5, -0.5, 0.5], 3))
  other = optimize.least_squares(residuals, start, xtol=1e-14, ftol=1e-14)
  beta, own = other.x[0], other.x[1:].reshape(3, 4)
  for fit, (e, _, _, alpha) in zip(fits, own, strict=True):
    assert fit.estimates['beta'] == pytest.approx(beta, rel=1e-5)
    assert fit.estimates['alpha'] == pytest.approx(alpha, rel=1e-5)
    assert fit.estimates['E'] == pytest.approx(np.exp(e), rel=1e-5)


def test_shared_values_are_equal_in_all_fits_and_resamples():
  fits = _noisy(('beta',), ())
  assert len({fit.estimates['beta'] for fit in fits}) == 1
  assert len({fit.intervals['beta'] for fit in fits}) == 1
  assert len({fit.bootstrap_estimates['beta'] for fit in fits}) == 1
  assert len({fit.estimates['alpha'] for fit in fits}) == 3
  assert fits[0].diagnostics['pooling']['shared'] == ['beta']
  assert fits[0].diagnostics['pooling']['targets'] == [
    'loss g0', 'loss g1', 'loss g2'
  ]  # fmt: skip
  assert len(fits[0].bootstrap_estimates['beta']) == 60


def test_what_is_common_narrows_intervals():
  members = [_member(k, grid=3, noise=0.01) for k in range(3)]

  def width(fits):
    return np.mean([np.ptp(np.log(fit.intervals['beta'])) for fit in fits])

  alone = width(
    [fitting.fit(m.law, m.rows, 'loss', SOME, m.group) for m in members]
  )
  shared = width(_noisy(('alpha', 'beta'), ()))
  pooled = width(_noisy((), ('alpha', 'beta')))
  assert shared < pooled < 0.9 * alone


def test_few_runs_are_drawn_together_and_many_stay_free():
  """Betas .36 to .44: noise hides the difference, then it does not."""
  betas = (0.36, 0.40, 0.44)

  def ratio(noise):
    """Spread of the pooled estimates, over that of the separate ones."""
    members = [
      _member(k, beta=beta, grid=3, noise=noise) for k, beta in enumerate(betas)
    ]
    found = [
      fit.estimates['beta'] for fit in pooling.fit(members, [], ['beta'], FEW)
    ]
    alone = [
      fitting.fit(m.law, m.rows, 'loss', FEW).estimates['beta'] for m in members
    ]
    return np.ptp(np.log(found)) / np.ptp(np.log(alone))

  assert ratio(0.03) < 0.8
  assert ratio(0.0005) == pytest.approx(1, abs=0.03)


def test_fewer_runs_than_parameters_where_the_rest_is_pooled():
  members = [_member(k, noise=0.005) for k in range(3)]
  scarce = members[2].rows.iloc[[0, 7, 10, 13]]
  members[2] = dataclasses.replace(members[2], rows=scarce)
  fits = pooling.fit(members, [], ['A', 'B', 'alpha', 'beta'], SOME)
  truth = 1.2 + 0.6 * (SIZE / 1e8) ** 0.33 + 0.8 * (TOKENS / 1e9) ** 0.4
  e = fits[2].estimates
  predicted = e['E'] + e['A'] / 1e8 ** e['alpha'] + e['B'] / 1e9 ** e['beta']
  assert predicted == pytest.approx(truth, rel=0.05)
  width = [np.ptp(fit.intervals['E']) for fit in fits]
  assert width[2] > width[0]


def test_targets_on_one_run_keep_what_their_residuals_share():
  apart = [_member(k, noise=0.01) for k in range(2)]
  together = [
    dataclasses.replace(m, target=f'loss/{k}', group='', rows=rows)
    for k, m in enumerate(apart)
    for rows in [
      m.rows.assign(
        run_id=apart[0].rows['run_id'],
        **{f'loss/{k}': m.rows['loss']},
      )
    ]
  ]
  noise = np.exp(0.02 * np.random.default_rng(9).standard_normal(16))
  common = [
    dataclasses.replace(
      m, rows=m.rows.assign(**{m.target: m.rows[m.target] * noise})
    )
    for m in together
  ]

  def correlation(members):
    [fit, _] = pooling.fit(members, ['beta'], [], FEW)
    return fit.diagnostics['pooling']['noise_correlation']

  assert correlation(apart) == 0
  assert correlation(common) > 0.4 > correlation(together)


def test_sources_and_shares_differ_by_target():
  """`transfer` has each target's own share first."""
  law, table = simulated.runs('transfer', 4, 6, noise=0.002)
  other, second = simulated.runs('transfer', 4, 6, noise=0.002, seed=1)
  java = pooling.Member(law, table, simulated.TARGET)
  go = pooling.Member(
    forms.law('transfer', 'loss/code/go', simulated.SOURCES),
    second.rename(
      columns={
        simulated.TARGET: 'loss/code/go',
        'share/code/go': 'share/code/java',
        'share/code/java': 'share/code/go',
      }
    ),
    'loss/code/go',
  )
  fits = pooling.fit([java, go], ['alpha', 'beta'], [], FEW)
  assert fits[0].estimates['tau/code/go'] == pytest.approx(0.4, rel=0.2)
  assert fits[1].estimates['tau/code/java'] == pytest.approx(0.4, rel=0.2)
  with pytest.raises(errors.UserError, match='no parameter that all'):
    pooling.fit([java, go], ['tau/code/java'], [], FEW)


def _with(law_name):
  member = _member(1)
  return dataclasses.replace(member, law=forms.law(law_name))


@pytest.mark.parametrize(
  ('members', 'shared', 'partial', 'words'),
  [
    (lambda: [_member(0)], ['beta'], [], 'at least two targets'),
    (lambda: [_member(0), _with('kaplan')], ['beta'], [], 'need one law'),
    (
      lambda: [_member(0), _member(1)],
      ['gamma'],
      [],
      '--share names gamma.*E, A, B, alpha, beta',
    ),
    (lambda: [_member(0), _member(1)], [], ['t'], '--pool names t'),
    (
      lambda: [_member(0), _member(1)],
      ['A'],
      [],
      'num_params.alpha: one value .* needs alpha in --share',
    ),
    (
      lambda: [_member(0), _member(1)],
      ['beta'],
      ['beta'],
      'both in --share and',
    ),
    (
      lambda: [
        _member(0),
        dataclasses.replace(_member(1), rows=_member(1).rows.head(3)),
      ],
      ['beta'],
      [],
      'loss g1 has 3 points and 4 parameters of its own',
    ),
  ],
)
def test_mistakes_are_named(members, shared, partial, words):
  with pytest.raises(errors.UserError, match=words):
    pooling.fit(members(), shared, partial, FEW)


def test_an_undetermined_pooled_law_is_refused():
  one_size = [
    dataclasses.replace(m, rows=m.rows.assign(num_params=1e6))
    for m in (_member(0, noise=0.01), _member(1, noise=0.01))
  ]
  with pytest.raises(errors.UserError, match='do not determine the law'):
    pooling.fit(one_size, ['alpha'], [], FEW)
