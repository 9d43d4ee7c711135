"""The answer in words follows the evidence."""

import dataclasses

import pytest

from codelaw.planning import confirmation
from codelaw.reports import findings


def _with(found, verdict=None, **gain):
  measured = (
    found.confirmation
    and verdict
    and dataclasses.replace(found.confirmation, verdict=f'{verdict}: words.')
  )
  return dataclasses.replace(
    found,
    confirmation=measured,
    allocation=dataclasses.replace(found.allocation, **gain),
  )


@pytest.mark.parametrize(
  ('changes', 'title'),
  [
    ({'verdict': confirmation.ALLOCATED_BETTER}, 'Train on the allocated'),
    ({'verdict': confirmation.UNIFORM_BETTER}, 'Keep uniform'),
    ({'verdict': confirmation.UNDECIDED}, 'Uniform rates are as good: paired'),
    ({'gain': 0.1, 'gain_low': 0.05}, 'no run has confirmed'),
    ({'gain': 0.1, 'gain_low': -0.05}, 'within noise'),
    ({'gain': 0.1, 'gain_low': None}, 'how surely is not known'),
    ({'gain': 0.0, 'gain_low': 0.0}, 'the laws see no gain'),
  ],
)
def test_the_title_follows_the_evidence(found, changes, title):
  assert title in findings.answer(_with(found, **changes)).title


def test_uniform_rates_are_shown_when_they_won(found):
  answer = findings.answer(_with(found, verdict=confirmation.UNIFORM_BETTER))
  assert dict(answer.rates) == found.allocation.uniform_rates
  answer = findings.answer(_with(found, verdict=confirmation.ALLOCATED_BETTER))
  assert dict(answer.rates) == pytest.approx(found.allocation.rates, abs=1e-4)


def test_the_measured_gain_has_the_sign_of_a_gain(found):
  sentence = findings.answer(found).sentences[1]
  assert f'the gain was {-found.confirmation.difference:.4f}' in sentence
  assert f'{-found.confirmation.high:.4f} to' in sentence


def test_without_an_allocation_it_says_so(found):
  answer = findings.answer(
    dataclasses.replace(found, allocation=None, confirmation=None)
  )
  assert 'no allocation' in answer.title
  assert answer.rates == ()


def test_doubts_are_collected(found):
  fit = dataclasses.replace(
    found.fits[0],
    converged=False,
    termination='iteration limit',
    diagnostics={**found.fits[0].diagnostics, 'warnings': ['E is doubtful.']},
  )
  run, other, *rest = found.run_records
  failed = dataclasses.replace(run, status='failed', message='loss is NaN')
  short = dataclasses.replace(other, realised_tokens={'code/python': 1})
  doubted = dataclasses.replace(
    found, fits=(fit,), run_records=(failed, short, *rest)
  )
  words = ' '.join(findings.warnings(doubted))
  for part in (
    'extrapolates',
    'did not converge: iteration limit',
    'E is doubtful.',
    'is failed: loss is NaN',
    'other token counts than planned',
  ):
    assert part in words


@pytest.mark.parametrize(
  ('predicted', 'said'), [((-0.5, -0.4), True), ((-0.1, 0.1), False)]
)
def test_a_surprise_is_said(found, predicted, said):
  measured = dataclasses.replace(
    found.confirmation,
    low=-0.02,
    high=0.02,
    predicted_low=predicted[0],
    predicted_high=predicted[1],
  )
  words = ' '.join(
    findings.warnings(dataclasses.replace(found, confirmation=measured))
  )
  assert ('disagrees' in words) is said


def test_the_same_warning_about_several_targets_comes_once(make_fit):
  estimates = {'E': 1.0, 'A': 9.0, 'B': 9.0, 'alpha': 0.3, 'beta': 0.3}
  estimates |= {'tau/code/x': 0.1}
  fits = [
    dataclasses.replace(
      make_fit(target, estimates),
      diagnostics={'warnings': [f'beta of {kind} is wide']},
    )
    for target, kind in (
      ('loss/code/a', 'one kind'),
      ('loss/code/b', 'one kind'),
      ('loss/code/c', 'another'),
    )
  ]
  found = list(findings._of_fits(fits))
  assert len(found) == 2
  assert 'laws of loss/code/a, loss/code/b: beta of one kind' in found[0]
  assert 'law of loss/code/c: beta of another' in found[1]
