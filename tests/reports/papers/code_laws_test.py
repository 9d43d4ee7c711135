"""Paper A's laws and what they show: every check, with and without defect."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from codelaw.laws import fitting
from codelaw.reports.papers import checks
from codelaw.reports.papers import code_figures
from codelaw.reports.papers import code_law_checks
from codelaw.reports.papers import code_laws
from codelaw.reports.papers import code_tables
from codelaw.reports.papers import published

PRINTED = published.table('law_parameters')


@pytest.fixture(scope='module')
def study():
  settings = fitting.FitSettings(num_starts=32, num_bootstraps=0)
  return code_laws.fit(
    published.runs(), (2e9, 4e9), settings, objectives=('least_squares',)
  )


def _ruled(runs, exponent=0.3, beta=0.8):
  """The published points, moved onto one known law for all languages."""
  n, d = runs['num_params'] / 1e9, runs['num_tokens'] / 1e9
  return runs.assign(loss=0.3 + 0.1 * n**-exponent + 1.5 * d**-beta)


def test_least_squares_gives_the_drawn_surfaces_to_three_digits(study):
  table = PRINTED.set_index('language')
  columns = ['surface_a', 'surface_b', 'surface_alpha_n', 'surface_alpha_d']
  for name, law in study.as_drawn.items():
    ours = code_laws.in_billions(law)
    np.testing.assert_allclose(
      [ours[key] for key in ('A', 'B', 'alpha', 'beta', 'E')],
      table.loc[name, [*columns, 'surface_l_inf']].astype(float),
      rtol=5e-4,  # Half a unit of the third digit, at least ...
      atol=5e-5,  # ... and the file's rounding to four decimals.
    )
    assert law.diagnostics['rmse'] == pytest.approx(
      table.loc[name, 'surface_rmse'], abs=5e-5
    )
    assert law.diagnostics['r2'] == pytest.approx(
      table.loc[name, 'surface_r2'], abs=5e-5
    )


def test_without_the_smallest_budget_the_exponents_fall(study):
  """The notes of the paper give these to three digits."""
  expected = {
    'Python': (0.254, 0.831, 0.322),
    'Java': (0.279, 0.914, 0.349),
    'JavaScript': (0.367, 0.836, 0.304),
    'TypeScript': (0.345, 0.802, 0.287),
    'C#': (0.242, 0.857, 0.145),
    'Go': (0.627, 0.769, 0.253),
    'Rust': (0.397, 0.799, 0.221),
  }
  for name, law in study.laws['least_squares', 4e9].items():
    ours = [law.estimates[key] for key in ('alpha', 'beta', 'E')]
    assert ours == pytest.approx(expected[name], abs=6e-4)


def test_the_best_laws_are_those_that_predict_the_largest_budget(study):
  assert study.best_way == ('least_squares', 4e9)
  assert study.held_out[study.best_way] < 0.05
  assert study.held_out['least_squares', 2e9] > 0.1
  assert study.best is study.laws['least_squares', 4e9]


def test_python_is_not_the_fastest():
  found = code_law_checks.python_learns_fastest(PRINTED)
  assert found.outcome == checks.FAILS
  assert 'rank 7' in found.verdict
  assert 'rank 5' in found.verdict
  better = PRINTED.assign(
    printed_alpha_n=PRINTED['language'].eq('Python') * 1.0,
    printed_alpha_d=PRINTED['language'].eq('Python') * 1.0,
  )
  found = code_law_checks.python_learns_fastest(better)
  assert found.outcome == checks.HOLDS


def test_six_limits_exceed_a_loss():
  runs = published.runs()
  found = code_law_checks.limits_below_losses(runs, PRINTED)
  assert found.outcome == checks.FAILS
  assert '6 of 7 languages' in found.verdict
  assert 'Java,' not in found.verdict
  lower = PRINTED.assign(printed_l_inf=PRINTED['printed_l_inf'] - 0.2)
  found = code_law_checks.limits_below_losses(runs, lower)
  assert found.outcome == checks.HOLDS


def test_labels_do_not_fit_but_surfaces_do(study):
  found = code_law_checks.labels_fit_points(study, PRINTED)
  assert found.outcome == checks.FAILS
  assert '7 of 7 languages' in found.verdict
  drawn = PRINTED.assign(
    printed_alpha_n=PRINTED['surface_alpha_n'],
    printed_alpha_d=PRINTED['surface_alpha_d'],
    printed_l_inf=PRINTED['surface_l_inf'],
  )
  found = code_law_checks.labels_fit_points(study, drawn)
  assert found.outcome == checks.HOLDS
  found = code_law_checks.surfaces_are_least_squares(study, PRINTED)
  assert found.outcome == checks.HOLDS
  moved = PRINTED.assign(surface_l_inf=PRINTED['surface_l_inf'] * 1.01)
  found = code_law_checks.surfaces_are_least_squares(study, moved)
  assert found.outcome == checks.FAILS
  assert 'Java E 0.5996 against 0.6056' in found.verdict


def test_the_smallest_budget_sets_the_exponents(study):
  found = code_law_checks.exponents_are_stable(study)
  assert found.outcome == checks.FAILS
  assert '7 of 7 languages, from 1.21–1.40 to 0.77–0.91' in found.verdict


def test_points_of_one_law_are_stable():
  generator = np.random.default_rng(0)
  runs = _ruled(published.runs())
  runs['loss'] *= np.exp(0.01 * generator.standard_normal(len(runs)))
  settings = fitting.FitSettings(num_starts=32, num_bootstraps=0)
  study = code_laws.fit(
    runs[runs['language'].isin(['Go', 'Rust'])],
    (2e9, 4e9),
    settings,
    objectives=('least_squares',),
  )
  found = code_law_checks.exponents_are_stable(study)
  assert found.outcome == checks.HOLDS


def test_constants_of_the_optimum_are_no_averages():
  stated = published.table('code_law_optimum')
  found = code_law_checks.optimum_is_a_mean(PRINTED, stated)
  assert found.outcome == checks.FAILS
  assert found.verdict.startswith('alpha_n, alpha_d, l_inf of Eq. 8')
  inside = stated.assign(printed=[0.4, 1.2, 0.4])
  found = code_law_checks.optimum_is_a_mean(PRINTED, inside)
  assert found.outcome == checks.HOLDS


def test_two_constants_of_the_translation_law_are_swapped():
  laws = published.table('translation_laws')
  losses = published.table('pairing_unseen_loss')
  found = code_law_checks.translation_law_is_finite(laws, losses)
  assert found.outcome == checks.FAILS
  assert "each other's place" in found.verdict
  assert dict(found.numbers)['at 0.2B, B and a swapped'] == (
    f'at least {0.0508 * 0.2**-0.793 + 0.1006:.3f} nats'
  )
  swapped = laws.rename(
    columns={'printed_b': 'printed_alpha', 'printed_alpha': 'printed_b'}
  )
  found = code_law_checks.translation_law_is_finite(swapped, losses)
  assert found.outcome == checks.HOLDS


def test_noise_comes_from_the_scatter_over_sizes():
  runs = _ruled(published.runs())
  generator = np.random.default_rng(1)
  runs['loss'] *= np.exp(0.02 * generator.standard_normal(len(runs)))
  found = code_laws.noise_at_most_tokens(runs)
  values = [noise.log_sd for noise in found.values()]
  assert {noise.degrees_of_freedom for noise in found.values()} == {7}
  # Seven estimates with seven degrees of freedom each: 10% of error.
  assert np.sqrt(np.mean(np.square(values))) == pytest.approx(0.02, rel=0.25)


def test_a_section_lists_all_checks():
  found = [
    checks.Check('a', 'b', (('c', '1'),), checks.HOLDS, 'd.'),
    checks.Check('e', 'f', (('g', '2'),), checks.FAILS, 'h.'),
  ]
  section = checks.section(found)
  failing, holding = section.tables
  assert failing.rows == (('e\ndoes not hold', 'Stated: f Found: h.\ng: 2'),)
  assert isinstance(holding.data, pd.DataFrame)
  assert checks.warnings(found) == ('e: h.',)
  assert checks.summary(found).startswith('Of 2 statements')
  assert checks.verdict(found, 'a') == 'd.'
  assert dataclasses.is_dataclass(checks.Check)


def test_the_figure_shows_printed_and_fitted_values(study):
  figure = code_figures.printed_and_fitted(study, PRINTED, list(study.laws))
  limits = {
    line.get_label(): list(map(float, line.get_xdata()))
    for line in figure.axes[2].lines
  }
  assert limits['printed'] == list(PRINTED['printed_l_inf'])
  assert limits['least squares, D >= 2B'] == [
    law.estimates['E'] for law in study.as_drawn.values()
  ]
  lowest = published.runs().groupby('language')['loss'].min()
  assert limits['lowest observed loss'] == list(lowest[list(study.languages)])


def test_tables_show_drawn_and_printed_parameters(study):
  row = code_tables.laws(study, PRINTED).rows[0]
  assert row[0] == 'Python'
  assert row[3] == '0.2209\ndrawn 0.2209, printed 0.221'
  rows = {row[0]: row for row in code_tables.ways(study).rows}
  assert rows['least squares, D >= 4B'][2] == '0.77 to 0.91'
