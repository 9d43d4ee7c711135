import dataclasses
import math
import pathlib

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import codelaw
from codelaw import errors
from codelaw.laws import fitting
from codelaw.laws import synergy
from codelaw.laws import synergy_patterns as patterns
from tests.laws import simulated

REFERENCE = pathlib.Path(codelaw.__file__).parent / 'reference'


def _run(run_id, shares, losses, params=1e6, tokens=1e7, seed=0):
  sources = ('a', 'b', 'c')
  return {
    'run_id': run_id,
    'num_params': params,
    'num_tokens': tokens,
    'seed': seed,
    'is_final': True,
    **{f'share/{s}': shares.get(s, 0.0) for s in sources},
    **{f'loss/{s}': loss for s, loss in zip(sources, losses, strict=True)},
  }


def _table(*more):
  return pd.DataFrame(
    [
      _run('a', {'a': 1.0}, (2.0, 4.0, 4.0)),
      _run('b', {'b': 1.0}, (4.0, 2.5, 4.0)),
      _run('ab', {'a': 0.502, 'b': 0.498}, (1.8, 3.0, 4.0), tokens=1.0001e7),
      _run('ac', {'a': 0.5, 'c': 0.5}, (2.1, 4.0, 3.0)),
      *more,
    ]
  )


def _entries(table, fits=()):
  found = synergy.matrix(table, fits)
  return {(e.target, e.auxiliary): e for e in found}


def test_reproduces_the_published_gains():
  table = pd.read_csv(REFERENCE / 'synergy_pairs.csv')
  losses = {
    (row.target, row.auxiliary): row.loss_nats_per_token
    for row in table.itertuples()
  }
  gains = {(e.target, e.auxiliary): e.gain for e in synergy.of_losses(losses)}
  published = table.dropna(subset=['published_gain_percent'])
  assert len(published) == 42
  for row in published.itertuples():
    gain = 100 * gains[row.target, row.auxiliary]
    assert gain == pytest.approx(row.published_gain_percent, abs=0.024)


def test_gains_from_literal_runs():
  entries = _entries(_table())
  assert set(entries) == {
    ('a', 'a'), ('a', 'b'), ('a', 'c'), ('b', 'a'), ('b', 'b')
  }  # fmt: skip
  assert entries['a', 'a'].gain == 0
  assert entries['a', 'b'].gain == pytest.approx(0.1)
  assert entries['a', 'c'].gain == pytest.approx(-0.05)
  assert entries['b', 'a'].gain == pytest.approx(-0.2)
  assert entries['a', 'b'].loss == pytest.approx(1.8)
  assert entries['a', 'b'].baseline_loss == pytest.approx(2.0)
  assert entries['a', 'b'].low is None
  assert entries['a', 'b'].noise_from == 'unknown'


def test_runs_of_other_sizes_are_no_pair():
  larger = _run('big', {'b': 0.5, 'c': 0.5}, (1, 1, 1), params=2e6)
  longer = _run('long', {'b': 0.5, 'c': 0.5}, (1, 1, 1), tokens=1.1e7)
  assert ('b', 'c') not in _entries(_table(larger, longer))


def test_intervals_from_repeated_seeds():
  again = _run('ab2', {'a': 0.5, 'b': 0.5}, (1.82, 3.0, 4.0), seed=1)
  entry = _entries(_table(again))['a', 'b']
  assert entry.noise_from == 'seeds'
  noise = abs(math.log(1.82 / 1.8)) / math.sqrt(2)
  width = 6.313751515 * noise * math.sqrt(1 / 2 + 1)  # t(0.95, 1 freedom).
  centre = math.log(math.sqrt(1.8 * 1.82) / 2.0)
  assert entry.gain == pytest.approx(1 - math.exp(centre))
  assert entry.low == pytest.approx(1 - math.exp(centre + width))
  assert entry.high == pytest.approx(1 - math.exp(centre - width))


def test_intervals_from_the_noise_of_fits():
  law, runs = simulated.runs('chinchilla', noise=0.01)
  settings = fitting.FitSettings(num_starts=64, num_bootstraps=0)
  fit = fitting.fit(law, runs, simulated.TARGET, settings)
  fit = dataclasses.replace(fit, target='loss/a')
  entries = _entries(_table(), [fit])
  entry = entries['a', 'b']
  assert entry.noise_from == 'fit residuals'
  assert entry.degrees_of_freedom == 20  # 25 runs, 5 parameters.
  width = 1.724718243 * fit.diagnostics['residual_log_sd'] * math.sqrt(2)
  assert entry.low == pytest.approx(1 - math.exp(math.log(0.9) + width))
  assert entries['b', 'a'].noise_from == 'unknown'
  assert (entries['a', 'a'].low, entries['a', 'a'].high) == (0.0, 0.0)


def test_gains_average_over_cells():
  more = [
    _run('a8', {'a': 1.0}, (1.0, 4.0, 4.0), params=8e6),
    _run('ab8', {'a': 0.5, 'b': 0.5}, (0.8, 4.0, 4.0), params=8e6),
  ]
  entry = _entries(_table(*more))['a', 'b']
  assert entry.num_cells == 2
  assert entry.gain == pytest.approx(1 - math.sqrt(0.9 * 0.8))


def _gains(rows, noise=None):
  """Entries of a matrix with baseline 1: target -> gains by auxiliary."""
  losses = {(t, t): 1.0 for t in rows}
  for target, gains in rows.items():
    losses |= {(target, a): 1 - gain for a, gain in gains.items()}
  return synergy.of_losses(losses, noise)


def test_many_pairs_need_a_smaller_p_value():
  noise = {'a': synergy.Noise(0.01, math.inf, 'seeds')}
  entries = _gains({'a': {'b': 0.05, 'c': 0.025, 'd': 0.0, 'e': 0.0}}, noise)
  by_name = {e.auxiliary: e for e in entries}
  for name, gain in (('b', 0.05), ('c', 0.025)):
    z = -math.log(1 - gain) / (0.01 * math.sqrt(2))
    assert by_name[name].p_value == pytest.approx(math.erfc(z / math.sqrt(2)))
  # Alone, c would count: p = .073 < .1; second of four, it is doubled.
  assert by_name['c'].low > 0
  assert by_name['c'].adjusted_p_value == 2 * by_name['c'].p_value
  assert [by_name[n].significant for n in 'abcd'] == [None, True, False, False]


def test_without_noise_nothing_is_significant():
  (entry,) = [e for e in _gains({'a': {'b': 0.05}}) if e.auxiliary == 'b']
  assert (entry.p_value, entry.significant, entry.low) == (None, None, None)
  (warning,) = patterns.warnings([entry])
  assert 'gains of a have no interval' in warning


def test_asymmetry_and_its_interval():
  noise = {
    'a': synergy.Noise(0.01, 4, 'seeds'),
    'b': synergy.Noise(0.02, 9, 'seeds'),
  }
  entries = _gains({'a': {'b': 0.2}, 'b': {'a': -0.1}}, noise)
  (found,) = patterns.asymmetries(entries)
  assert (found.first, found.second) == ('a', 'b')
  assert found.difference == pytest.approx(0.3)
  errors = [0.01 * math.sqrt(2) * 0.8, 0.02 * math.sqrt(2) * 1.1]
  variances = [e**2 for e in errors]
  free = sum(variances) ** 2 / (variances[0] ** 2 / 4 + variances[1] ** 2 / 9)
  width = stats.t.ppf(0.95, free) * math.hypot(*errors)
  assert found.low == pytest.approx(0.3 - width)
  assert found.high == pytest.approx(0.3 + width)
  assert found.significant
  (unknown,) = patterns.asymmetries(_gains({'a': {'b': 0.2}, 'b': {'a': 0.0}}))
  assert (unknown.low, unknown.significant) == (None, None)


def test_a_row_that_lies_apart_is_named():
  names = 'abcdef'
  rows = {
    t: {a: 0.01 * (1 + place % 3) for a in names if a != t}
    for place, t in enumerate(names)
  }
  assert patterns.odd_rows(_gains(rows)) == []
  rows['d'] = dict.fromkeys('abcef', 0.2)
  (odd,) = patterns.odd_rows(_gains(rows))
  assert odd.target == 'd'
  assert odd.apart
  assert odd.median == pytest.approx(0.2)
  assert odd.others_median == pytest.approx(0.02)
  # Medians .01 .02 .03 .2 .02 .03: centre .025, deviations' median .005.
  assert odd.robust_z == pytest.approx(0.175 / (1.4826 * 0.005))
  assert any('d is an outlier' in w for w in patterns.warnings(_gains(rows)))
  assert patterns.odd_rows(_gains({t: rows[t] for t in 'abcd'})) == []


def test_the_published_rows_of_java_and_python_lie_apart():
  table = pd.read_csv(REFERENCE / 'synergy_pairs.csv')
  losses = table.set_index(['target', 'auxiliary'])['loss_nats_per_token']
  found = patterns.odd_rows(synergy.of_losses(losses.to_dict()))
  assert {odd.target: odd.robust_z > 0 for odd in found} == {
    'Java': True,
    'Python': False,
  }
  assert [odd.target for odd in found if odd.apart] == ['Java']


def test_transfer_coefficients_are_read_from_mixture_fits():
  law, runs = simulated.runs('transfer')
  settings = fitting.FitSettings(num_starts=64, num_bootstraps=0)
  fit = fitting.fit(law, runs, simulated.TARGET, settings)
  fit = dataclasses.replace(
    fit,
    intervals={'tau/markup': (0.05, 0.1)},
    diagnostics={**fit.diagnostics, 'at_bound': ['tau/code/go']},
  )
  go, markup = patterns.transfers([fit, dataclasses.replace(fit)])
  assert (go.target, go.auxiliary) == ('code/java', 'code/go')
  assert go.tau == pytest.approx(0.4, abs=1e-4)  # Noise-free: solver's limit.
  assert (go.low, go.high, go.at_bound) == (None, None, True)
  assert (markup.low, markup.high, markup.at_bound) == (0.05, 0.1, False)


def test_json_and_csv(tmp_path):
  entries = synergy.matrix(_table())
  synergy.write(tmp_path / 'synergy.json', entries)
  assert synergy.read(tmp_path / 'synergy.json') == entries
  synergy.write(tmp_path / 'synergy.csv', entries)
  table = pd.read_csv(tmp_path / 'synergy.csv')
  np.testing.assert_allclose(table['gain'], [e.gain for e in entries])


def test_mistakes_are_named():
  single = _table()[:2]
  with pytest.raises(errors.UserError, match='no pair of runs'):
    synergy.matrix(single)
  with pytest.raises(errors.UserError, match='loss of a with itself'):
    synergy.of_losses({('a', 'b'): 1.0})
