"""Allocation for task scores: what it maximises, and how it differs."""

import numpy as np
import pytest

from codelaw import errors
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import choosing
from codelaw.planning import mixture_gin
from tests.laws import planted_scores
from tests.planning import planted

JAVA, PYTHON = 'code/java', 'code/python'
SIZE = planted.SIZE
# Losses are 3.1 at equal rates and 2.7 on the source alone.
IN_REACH = (0.0, 1.0, 2.6, 0.1)
FAR = (0.0, 1.0, 1.6, 0.1)


def _allocate(fits, laws=(), **settings):
  settings = allocation_lib.AllocationSettings(
    **{'num_bootstraps': 4, 'objective': 'score', **settings}
  )
  return choosing.allocate(fits, settings=settings, scores=laws, **SIZE)


@pytest.fixture(scope='module')
def fits(make_fit):
  return planted.separate(
    make_fit, {JAVA: 400.0, PYTHON: 400.0}, spread=0.01, count=16
  )


def _law(source, parameters, **arguments):
  return planted_scores.law(
    parameters,
    {f'loss/{source}': 1.0},
    f'score/code/{source}/pass@1',
    **arguments,
  )


def test_one_task_has_the_optimum_of_its_loss(make_fit):
  fits = [
    make_fit(
      f'loss/{source}',
      planted.estimates(source, {JAVA: 0.2, PYTHON: 0.3}, B=400.0),
    )
    for source in (JAVA, PYTHON)
  ]
  law = planted_scores.law(
    IN_REACH, {f'loss/{JAVA}': 0.3, f'loss/{PYTHON}': 0.7}
  )
  for_score = _allocate(fits, [law])
  for_loss = _allocate(fits, objective='mean', weights={JAVA: 0.3, PYTHON: 0.7})
  assert 0.05 < for_loss.rates[JAVA] < 0.5
  for source, rate in for_loss.rates.items():
    assert for_score.rates[source] == pytest.approx(rate, abs=1e-4)
  assert for_score.optimality_residual < 1e-4
  # The score is that of the mean loss.
  x = for_loss.objective
  assert for_score.objective == pytest.approx(1 / (1 + np.exp((x - 2.6) / 0.1)))
  assert for_score.gain > 0


def test_several_tasks_favour_the_one_within_reach(fits):
  far = [_law(JAVA, IN_REACH), _law(PYTHON, FAR)]
  by_score = _allocate(fits, far)
  by_loss = _allocate(fits, objective='mean')
  # Symmetric losses: half each. Python's task is out of reach whatever is
  # trained on, so its loss is worth nothing.
  assert by_loss.rates[JAVA] == pytest.approx(0.5, abs=1e-3)
  assert by_score.rates[JAVA] > 0.9
  targets = by_score.targets
  assert targets[f'loss/{JAVA}'].multiplier > 0.95
  solved = [_law(JAVA, (0.0, 1.0, 9.0, 0.1)), _law(PYTHON, IN_REACH)]
  assert _allocate(fits, solved).rates[JAVA] < 0.1
  alike = [_law(JAVA, IN_REACH), _law(PYTHON, IN_REACH)]
  rates = _allocate(fits, alike, weights={alike[1].target: 1}).rates
  assert rates[PYTHON] > 0.95


def test_the_optimum_is_the_best_of_a_grid(fits):
  laws = [_law(JAVA, (0.0, 1.0, 2.7, 0.3)), _law(PYTHON, (0.2, 0.8, 2.3, 0.2))]
  found = _allocate(fits, laws)
  best = max(
    _allocate(fits, laws, floors={JAVA: r}, ceilings={JAVA: r}).objective
    for r in np.linspace(0.1, 0.9, 9)
  )
  assert found.objective >= best - 1e-9
  assert found.num_starts_at_optimum >= 1


def test_intervals_hold_what_both_laws_do_not_know(make_fit):
  fits = planted.separate(
    make_fit, {JAVA: 400.0, PYTHON: 400.0}, spread=0.002, count=32
  )
  laws = {
    spread: [
      _law(JAVA, (0.1, 0.9, 2.9, 0.3), spread=spread, seed=1),
      _law(PYTHON, (0.1, 0.9, 2.8, 0.3), spread=spread, seed=2),
    ]
    for spread in (0.0, 0.02)
  }
  least = {'floors': {JAVA: 0.2, PYTHON: 0.2}}  # No loss is infinite.
  least['num_bootstraps'] = 32
  narrow, wide = (_allocate(fits, laws[s], **least) for s in (0.0, 0.02))
  for found in (narrow, wide):
    assert found.gain_low <= found.gain <= found.gain_high
    for task in found.scores.values():
      assert task.low < task.score < task.high
  assert wide.gain_high - wide.gain_low > narrow.gain_high - narrow.gain_low
  name = laws[0.0][0].target
  assert (wide.scores[name].high - wide.scores[name].low) > (
    1.2 * (narrow.scores[name].high - narrow.scores[name].low)
  )
  # The mean of the scores is the objective, and the gain its difference.
  mean = np.mean([task.score for task in wide.scores.values()])
  uniform = np.mean([task.uniform_score for task in wide.scores.values()])
  assert wide.objective == pytest.approx(mean)
  assert wide.gain == pytest.approx(mean - uniform)
  text = mixture_gin.mixture_gin(wide, 'command')
  assert 'of the full score' in text
  assert name in text
  again = allocation_lib.from_json(allocation_lib.to_json(wide))
  assert again == wide


def test_losses_that_no_run_had_are_named(fits):
  law = _law(JAVA, IN_REACH)
  law.diagnostics['loss_range'][:] = [3.0, 4.0]
  found = _allocate(fits, [law])
  assert planted.has(found, 'extrapolate: score/code/code/java/pass@1')


def test_the_prior_pulls_in_the_unit_of_the_score(fits):
  laws = [_law(JAVA, IN_REACH)]
  free = _allocate(fits, laws)
  held = _allocate(fits, laws, prior_strength=100.0)
  assert free.rates[JAVA] > 0.9
  assert held.rates[JAVA] == pytest.approx(0.5, abs=0.01)
  some = _allocate(fits, laws, prior_strength=1.0)
  assert 0.5 < some.rates[JAVA] < free.rates[JAVA]
  assert some.optimality_residual < 1e-4


@pytest.mark.parametrize(
  ('laws', 'settings', 'words'),
  [
    ([], {}, '--score_fit'),
    ([(JAVA, IN_REACH)], {'weights': {'score/x/y': 1.0}}, 'names score/x/y'),
    ([('rust', IN_REACH)], {}, 'reads loss/rust, of which there is no mixture'),
    ([(JAVA, IN_REACH)], {'objective': 'mean'}, 'leave out --score_fit'),
  ],
)
def test_mistakes_are_one_sentence(fits, laws, settings, words):
  laws = [_law(*law) for law in laws]
  with pytest.raises(errors.UserError, match=words):
    _allocate(fits, laws, **settings)
