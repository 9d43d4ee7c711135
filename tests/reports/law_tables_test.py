"""Tables of laws: what is known is shown, what is not is left out."""

import dataclasses

import pytest

from codelaw.reports import law_tables

ESTIMATES = {'E': 1.7, 'A': 400.0, 'B': 410.0, 'alpha': 0.34, 'beta': 0.28}


def _fit(make_fit, law='chinchilla', estimates=None, **diagnostics):
  fit = make_fit('loss/code/go', estimates or ESTIMATES, law=law, spread=0.1)
  return dataclasses.replace(
    fit, diagnostics={**fit.diagnostics, **diagnostics}
  )


def test_estimates_have_their_intervals_and_units(make_fit):
  fit = _fit(make_fit, profile_intervals={'alpha': [0.2, None]})
  table = law_tables.estimates([fit])
  assert table.headings == ('target', 'law', 'E', 'A', 'B', 'alpha', 'beta')
  low, high = fit.intervals['alpha']
  assert table.rows[0][5] == f'0.34\n{low:.3g} to {high:.3g}'
  data = table.data.set_index('parameter')
  assert data.loc['alpha', 'low'] == low
  assert data.loc['alpha', 'profile_low'] == 0.2
  assert data['profile_high'].isna().all()


def test_errors_beyond_the_fit_have_a_column_each(make_fit):
  fit = _fit(
    make_fit,
    extrapolation={'compute': 0.01, 'num_params': 0.02, 'num_tokens': None},
    at_bound=['E'],
  )
  old = _fit(make_fit)
  table = law_tables.quality([fit, old])
  beyond = [h for h in table.headings if h.startswith('largest')]
  assert beyond == ['largest left out: compute', 'largest left out: N']
  place = table.headings.index(beyond[0])
  assert table.rows[0][place : place + 2] == ('1.00%', '2.00%')
  assert table.rows[1][place : place + 2] == ('0.60%', '')
  assert table.rows[0][-1] == 'E'
  assert table.data['left_out_error_num_params'].tolist()[0] == 0.02


@pytest.mark.parametrize(
  ('ends', 'verdict'),
  [
    ((-0.001, 0.003), 'not told apart from chinchilla'),
    ((0.001, 0.003), 'worse'),
    ((-0.003, -0.001), 'better'),
    ((None, None), ''),
  ],
)
def test_laws_that_cannot_be_told_apart_are_called_so(make_fit, ends, verdict):
  first = _fit(make_fit, held_out_mean_relative_error=0.011)
  kaplan = {'N_c': 4e7, 'D_c': 3e8, 'alpha': 0.2, 'beta': 0.3}
  second = _fit(
    make_fit,
    'kaplan',
    kaplan,
    held_out_mean_relative_error=0.012,
    held_out={'num_params': 0.02, 'mixtures': None},
    held_out_difference={
      'to': 'chinchilla',
      'mean': 0.001,
      'low': ends[0],
      'high': ends[1],
    },
  )
  alone = _fit(make_fit)
  table = law_tables.comparison([second, alone, first])
  assert table.headings[3:] == ('N', 'more than the first', 'verdict')
  assert len(table.rows) == 2
  assert not law_tables.comparison([first]).rows
  assert table.rows[0][2:] == ('1.10%', '', '', '')
  assert table.rows[1][2:4] == ('1.20%', '2.00%')
  assert table.rows[1][-1] == verdict
  assert table.rows[1][4].startswith('+0.10%')


def test_open_ends_of_profiles_are_dots(make_fit):
  fit = _fit(make_fit, profile_intervals={'E': [None, 1.8], 'beta': [0.2, 0.3]})
  table = law_tables.profiles([fit])
  assert [row[4] for row in table.rows] == ['... to 1.8', '0.2 to 0.3']
  low, high = fit.intervals['E']
  assert table.rows[0][3] == f'{low:.3g} to {high:.3g}'


def test_influence_shows_both_estimates(make_fit):
  entry = {
    'left_out': 'num_tokens = 2e+09',
    'num_points': 10,
    'parameter': 'beta',
    'estimate': 0.5,
    'standard_errors': 3.2,
  }
  little = {**entry, 'standard_errors': -0.9}
  table = law_tables.influence([_fit(make_fit, influence=[entry, little])])
  assert table.rows == (
    (
      'code/go (chinchilla)',
      'num_tokens = 2e+09',
      '10',
      'beta',
      '0.28',
      '0.5',
      '+3.2',
    ),
  )
  assert table.data['with_all'].tolist() == [0.28, 0.28]
  assert table.data['standard_errors'].tolist() == [3.2, -0.9]


def test_tables_without_content_are_left_out(make_fit):
  titles = [table.title for table in law_tables.of([_fit(make_fit)])]
  assert titles == ['Estimates', 'How well the laws fit']


def test_coefficients_by_source_have_a_row_per_target(make_fit):
  fit = make_fit(
    'loss/code/go', {**ESTIMATES, 'tau/code/java': 0.5}, spread=0.1
  )
  other = make_fit('loss/code/java', {**ESTIMATES, 'tau/code/go': 0.25})
  [table] = law_tables.coefficients([fit, other])
  assert table.title == 'tau by source'
  assert table.headings == ('target', 'code/go', 'code/java')
  assert table.rows[0][1] == '–'
  assert table.rows[0][2].startswith('0.5\n')
  assert table.rows[1][1].startswith('0.25')
  assert table.data['estimate'].tolist() == [0.5, 0.25]
