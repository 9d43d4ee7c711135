"""Laws of scores: planted parameters, intervals, refusals and doubts."""

import dataclasses

import numpy as np
import pytest
from scipy import optimize

from codelaw import errors
from codelaw.laws import item_errors
from codelaw.laws import score_fitting
from codelaw.laws import score_law
from codelaw.laws import selection
from tests.laws import planted_scores as planted

NO_BOOTSTRAP = dataclasses.replace(planted.QUICK, num_bootstraps=0)


@pytest.mark.parametrize(
  'parameters',
  [planted.TRUE, (0.0, 0.6, 1.7, 0.05), (0.1, 1.0, 2.4, 0.3)],
)
def test_exact_scores_give_their_parameters(parameters):
  found = planted.fit(planted.runs(parameters), NO_BOOTSTRAP)
  # Least squares of exact scores: to the solver's tolerance.
  assert found.parameters == pytest.approx(parameters, rel=1e-5, abs=1e-6)
  assert found.diagnostics['r2'] == pytest.approx(1)
  assert not found.intervals


def test_ends_that_are_known_are_kept():
  table = planted.runs(num_items=400)
  found = planted.fit(table, NO_BOOTSTRAP, floor=0.25, ceiling=0.85)
  assert found.estimates['floor'] == 0.25
  assert found.estimates['ceiling'] == 0.85
  assert found.fixed == ('ceiling', 'floor')
  assert found.estimates['midpoint'] == pytest.approx(2.0, abs=0.02)
  # Of the other one it is the best: no floor fits better.
  table = planted.runs(num_items=400, seed=3)
  half = planted.fit(table, NO_BOOTSTRAP, ceiling=0.9)
  rivals = [
    planted.fit(table, NO_BOOTSTRAP, ceiling=0.9, floor=floor)
    for floor in np.linspace(0.2, 0.3, 5)
  ]
  assert half.diagnostics['rmse'] <= min(
    r.diagnostics['rmse'] + 2e-4 for r in rivals
  )


def test_it_is_weighted_least_squares():
  """The same optimum as SciPy's with the weights of the same variances."""
  table = planted.runs(num_items=300, seed=1)
  found = planted.fit(table, NO_BOOTSTRAP)
  x, y = table[planted.LOSS].to_numpy(), table[planted.TARGET].to_numpy()
  share = score_law.value(found.parameters, x)
  sd = np.sqrt(share * (1 - share) / 300 + found.run_sd**2)

  def curve(x, floor, ceiling, midpoint, width):
    return floor + (ceiling - floor) / (1 + np.exp((x - midpoint) / width))

  other, _ = optimize.curve_fit(curve, x, y, p0=planted.TRUE, sigma=sd)
  # The variances are those of the last round but one.
  assert found.parameters == pytest.approx(other, rel=2e-3)


def test_a_weighted_mean_of_losses_is_the_loss():
  table = planted.runs(num_items=500)
  table['loss/other'] = 2 * table[planted.LOSS] + np.sin(table[planted.LOSS])
  table['loss/mixed'] = 0.75 * table[planted.LOSS] + 0.25 * table['loss/other']
  both = planted.fit(
    table, NO_BOOTSTRAP, losses={planted.LOSS: 3.0, 'loss/other': 1.0}
  )
  one = planted.fit(table, NO_BOOTSTRAP, losses={'loss/mixed': 1.0})
  assert both.losses == {planted.LOSS: 0.75, 'loss/other': 0.25}
  assert both.estimates == pytest.approx(one.estimates)


def test_the_order_of_rows_does_not_matter():
  table = planted.runs(num_items=200)
  assert planted.fit(table) == planted.fit(table.iloc[::-1])


def test_intervals_hold_the_truth_and_widen_with_noise():
  many, few = (
    planted.fit(planted.runs(num_items=n, seed=2)) for n in (10_000, 250)
  )
  for name, true in zip(score_law.PARAMETERS, planted.TRUE, strict=True):
    low, high = few.intervals[name]
    assert low <= true <= high
    widths = [np.diff(found.intervals[name])[0] for found in (many, few)]
    assert widths[1] > 2 * widths[0]
  # Noise of runs beyond that of items is found, and widens them too.
  table = planted.runs(count=40, num_items=10_000, seed=2)
  rng = np.random.default_rng(0)
  table[planted.TARGET] += 0.03 * rng.standard_normal(40)
  noisy = planted.fit(table)
  assert noisy.run_sd == pytest.approx(0.03, rel=0.3)
  assert 'beyond the error over items' in noisy.diagnostics['warnings'][-1]


@pytest.mark.slow
@pytest.mark.parametrize('num_items', [500, None])
def test_nine_of_ten_intervals_hold_the_truth(num_items):
  count = 150
  at = np.array([1.6, 1.9, 2.2])
  inside, predicted = np.zeros(4), np.zeros(3)
  for seed in range(count):
    table = planted.runs(num_items=num_items or 500, seed=seed)
    if num_items is None:
      table = table.drop(columns=planted.ERROR)
    found = planted.fit(
      table, dataclasses.replace(planted.QUICK, num_bootstraps=100, seed=seed)
    )
    ends = np.array([found.intervals[n] for n in score_law.PARAMETERS])
    inside += (ends[:, 0] <= planted.TRUE) & (ends[:, 1] >= planted.TRUE)
    draws = score_law.value(found.draws[:, None], at)
    low, high = np.percentile(draws, [5, 95], axis=0)
    true = score_law.value(np.array(planted.TRUE), at)
    predicted += (low <= true) & (true <= high)
  # Three standard errors of 150 studies are 7%.
  assert inside / count == pytest.approx([0.9] * 4, abs=0.075)
  assert predicted / count == pytest.approx([0.9] * 3, abs=0.075)


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('known', [True, False])
def test_scores_at_chance_are_refused(seed, known):
  table = planted.runs((0.25, 0.85, 0.2, 0.1), num_items=500, seed=seed)
  words = 'all 14 scores lie within noise of 0.2'
  if not known:
    table = table.drop(columns=planted.ERROR)
    words = 'does not fall with the loss beyond what chance'
  with pytest.raises(errors.UserError, match=words):
    planted.fit(table, NO_BOOTSTRAP)


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    (lambda t: t.assign(**{planted.TARGET: 0.0}), 'within noise of 0, as at'),
    (lambda t: t.head(4), 'needs at least 5 runs; got 4'),
    (
      lambda t: t.assign(**{planted.TARGET: 100 * t[planted.TARGET]}),
      r'between 0 and 1; got .*--columns=score/.*\*0\.01',
    ),
    (lambda t: t.assign(**{planted.LOSS: 2.0}), 'the loss is 2 in all 14'),
    (
      lambda t: t.assign(**{planted.TARGET: 1 - t[planted.TARGET]}),
      'does not fall with the loss',
    ),
    (
      lambda t: t.assign(**{planted.LOSS: np.inf}),
      'must hold finite numbers; that of the run run-',
    ),
  ],
)
def test_what_identifies_nothing_is_refused(change, words):
  with pytest.raises(errors.UserError, match=words):
    planted.fit(change(planted.runs()), NO_BOOTSTRAP)


def test_other_mistakes_are_one_sentence():
  table = planted.runs()
  with pytest.raises(errors.UserError, match='got 0.9 and 0.5'):
    planted.fit(table, NO_BOOTSTRAP, floor=0.9, ceiling=0.5)
  with pytest.raises(errors.UserError, match='is a loss and no score'):
    score_fitting.fit(
      table.rename(columns={planted.TARGET: 'score/x/nats_per_token'}),
      'score/x/nats_per_token',
      {planted.LOSS: 1.0},
      NO_BOOTSTRAP,
    )
  for text in ('loss/absent', f'{planted.LOSS}=0', f'{planted.LOSS}=x'):
    with pytest.raises(errors.UserError, match=text):
      score_fitting.parse_losses([text], [planted.LOSS])
  with pytest.raises(errors.UserError, match='no column score/absent'):
    selection.score_rows(table, 'score/absent', [planted.LOSS])
  early = table.assign(is_final=False)
  with pytest.raises(errors.UserError, match='No finished run has both'):
    selection.score_rows(early, planted.TARGET, [planted.LOSS])


def test_a_metric_of_a_hundred_keeps_its_scale():
  table = planted.runs(num_items=400)
  bleu = 'score/translation/python-go/bleu'
  table[bleu] = 100 * table[planted.TARGET]
  table[bleu.replace('score/', 'score_standard_error/')] = (
    100 * table[planted.ERROR]
  )
  found = score_fitting.fit(table, bleu, {planted.LOSS: 1.0}, NO_BOOTSTRAP)
  share = planted.fit(table, NO_BOOTSTRAP)
  assert found.scale == 100
  expected = share.parameters * [100, 100, 1, 1]
  assert found.parameters == pytest.approx(expected, rel=1e-4)
  assert found.dispersion == pytest.approx(1 / 400)


def test_scores_without_an_error_at_the_ends_have_one():
  scores, known = [0.0, 0.5, 1.0], [0.0, 0.05, 0.0]
  dispersion = item_errors.dispersions(scores, known, 1.0)
  assert dispersion == pytest.approx([0.01] * 3)
  variances = item_errors.variances(scores, dispersion, 1.0)
  assert variances == pytest.approx([5e-5 * 0.995, 0.0025, 5e-5 * 0.995])
  assert np.isnan(item_errors.dispersions([0.0], [0.0], 1.0)).all()


@pytest.mark.parametrize(
  ('losses', 'parameters', 'words'),
  [
    ((2.1, 2.8), planted.TRUE, 'the ceiling is not seen by these runs'),
    ((1.4, 1.9), planted.TRUE, 'the floor is not seen by these runs'),
    ((1.5, 2.8), (0.25, 0.85, 2.05, 0.002), 'the score jumps between'),
  ],
)
def test_what_the_runs_do_not_show_is_said(losses, parameters, words):
  table = planted.runs(parameters, num_items=2000, losses=losses)
  warnings = planted.fit(table).diagnostics['warnings']
  assert any(words in warning for warning in warnings)


def test_a_clean_fit_has_no_warning_and_a_bent_one_has():
  clean = planted.runs(count=20, num_items=2000, seed=4)
  assert planted.fit(clean).diagnostics['warnings'] == []
  bent = clean.copy()
  best = bent[planted.LOSS] < 1.65
  bent.loc[best, planted.TARGET] -= 0.3
  warnings = planted.fit(bent, NO_BOOTSTRAP).diagnostics['warnings']
  assert 'not monotone in this loss' in warnings[0]
  five = planted.runs(count=5, num_items=5000, losses=(1.6, 2.4))
  warnings = planted.fit(five, NO_BOOTSTRAP).diagnostics['warnings']
  assert any('1 degrees of freedom alone' in w for w in warnings)


def test_laws_are_read_as_written(tmp_path):
  found = planted.fit(planted.runs(num_items=100))
  path = tmp_path / 'score_fit.json'
  score_law.write(path, [found])
  assert score_law.read(path) == [found]
  path.write_text('{"fits": []}')
  with pytest.raises(errors.UserError, match='no laws of scores'):
    score_law.read(path)


def test_the_slope_is_the_derivative():
  parameters, x = np.array(planted.TRUE), np.linspace(1.0, 3.0, 9)
  step = 1e-6
  rise = score_law.value(parameters, x + step) - score_law.value(
    parameters, x - step
  )
  # Central differences: rounding of 1e-16 over 1e-6.
  assert score_law.slope(parameters, x) == pytest.approx(
    rise / (2 * step), abs=1e-8
  )
