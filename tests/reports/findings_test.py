"""The answer in words follows the evidence."""

import dataclasses

import pytest

from codelaw.planning import confirmation
from codelaw.reports import contents
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
  assert answer.title == '5 laws, without a warning.'
  assert 'off by 0.2% on average' in answer.sentences[0]
  assert 'miss those by 0.6% on average' in answer.sentences[1]
  assert 'No rates were chosen yet' in answer.sentences[2]
  assert answer.rates == ()


def test_laws_that_lost_a_comparison_do_not_speak(found):
  def compared(fit, error, warning):
    noted = {'held_out_mean_relative_error': error, 'warnings': [warning]}
    noted = {**fit.diagnostics, 'mean_relative_error': error, **noted}
    return dataclasses.replace(fit, diagnostics=noted)

  lost = compared(found.fits[0], 0.2, 'it is far off')
  won = compared(found.mixture_fits[0], 0.01, 'it is not bad')
  assert lost.target == won.target
  study = dataclasses.replace(
    found,
    fits=(lost,),
    mixture_fits=(won,),
    allocation=None,
    confirmation=None,
  )
  said = ' '.join(findings.warnings(study))
  assert 'it is not bad' in said
  assert 'it is far off' not in said
  assert 'off by 1.0% on average' in findings.answer(study).sentences[0]
  sections = contents.of_study(study).sections
  drawn = {picture.name for s in sections for picture in s.pictures}
  assert 'loss_curves' not in drawn
  assert 'mixture_residuals' in drawn


def test_doubts_are_collected(found):
  fit = dataclasses.replace(
    found.fits[0],
    converged=False,
    termination='iteration limit',
    diagnostics={**found.fits[0].diagnostics, 'warnings': ['E is doubtful.']},
  )
  run, other, third, *rest = found.run_records
  failed = dataclasses.replace(run, status='failed', message='loss is NaN')
  running = dataclasses.replace(third, status='running')
  short = dataclasses.replace(other, realised_tokens={'code/python': 1})
  unsure = dataclasses.replace(
    found.synergy[0], standard_error=None, p_value=None, noise_from='unknown'
  )
  doubted = dataclasses.replace(
    found,
    fits=(fit,),
    run_records=(failed, short, running, *rest),
    synergy=(unsure, *found.synergy[1:]),
  )
  words = ' '.join(findings.warnings(doubted))
  for part in (
    'extrapolates',
    'did not converge: iteration limit',
    'E is doubtful.',
    'is failed: loss is NaN',
    f'Run {third.run_id} is running.',
    'other token counts than planned',
    'have no interval: no run was repeated',
  ):
    assert part in words


@pytest.mark.parametrize(
  ('predicted', 'said'),
  [((-0.5, -0.4), True), ((0.4, 0.5), True), ((-0.1, 0.1), False)],
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
  assert 'laws of code/a, code/b: beta of one kind' in found[0]
  assert 'law of code/c: beta of another' in found[1]


def test_warnings_that_differ_in_numbers_come_once_most_targets_first(make_fit):
  estimates = {'E': 1.0, 'A': 9.0, 'B': 9.0, 'alpha': 0.3, 'beta': 0.3}
  texts = {
    'a': ['E is at its bound', 'beta is 1.4 with it, 0.857 without'],
    'b': ['beta is 1.2 with it, 1e-3 without'],
    'c': ['alpha is 2 of 3', 'alpha is 4 of 5'],
  }
  fits = [
    dataclasses.replace(
      make_fit(f'loss/code/{name}', estimates, law='chinchilla'),
      diagnostics={'warnings': warnings},
    )
    for name, warnings in texts.items()
  ]
  assert list(findings._of_fits(fits)) == [
    'The chinchilla laws of code/a, code/b: beta is 1.4 with it, 0.857 without'
    ' (code/a; the others alike).',
    'The chinchilla law of code/c: alpha is 2 of 3 (and 1 more like it).',
    'The chinchilla law of code/a: E is at its bound.',
  ]


def test_a_budget_names_its_size_with_bands(found):
  changed = _with(
    found,
    flop_budget=1e18,
    num_params_low=2e5,
    num_params_high=9e5,
    natural_gain=0.0123,
    natural_gain_low=0.01,
    natural_gain_high=0.02,
    objective_name='worst',
  )
  words = ' '.join(findings.answer(changed).sentences)
  assert 'budget of 1e+18 FLOPs is best spent on 500,000 parameters' in words
  assert '(200k to 900k)' in words
  assert 'greatest loss of a target of' in words
  assert 'Over natural shares the gain is 0.0123' in words


def test_gains_alone_are_the_answer_of_a_study_of_pairs(found):
  pairs = dataclasses.replace(
    found, allocation=None, confirmation=None, fits=(), mixture_fits=()
  )
  answer = findings.answer(pairs)
  known = [e for e in found.synergy if e.significant is not None]
  helping = [e for e in known if e.significant and e.gain > 0]
  harming = [e for e in known if e.significant and e.gain < 0]
  assert answer.title == (
    f'Of {len(known)} gains between sources, {len(helping)} are positive and'
    f' {len(harming)} negative beyond noise.'
  )
  least = min(found.synergy, key=lambda entry: entry.gain)
  assert answer.sentences == (  # nothing helps in the planted study
    f'{least.auxiliary} harms {least.target} most: {least.gain:+.1%} of its'
    ' loss at equal total tokens.',
  )
  turned = tuple(dataclasses.replace(e, gain=-e.gain) for e in found.synergy)
  answer = findings.answer(dataclasses.replace(pairs, synergy=turned))
  assert answer.sentences[0].startswith(
    f'{least.auxiliary} helps {least.target} most: {-least.gain:+.1%}'
  )
  unknown = tuple(
    dataclasses.replace(e, significant=None, gain=-0.1) for e in found.synergy
  )
  answer = findings.answer(dataclasses.replace(pairs, synergy=unknown))
  assert 'of which no error is known' in answer.title
  assert [' harms ' in sentence for sentence in answer.sentences] == [True]


def test_runs_alone_are_counted(found):
  runs = dataclasses.replace(
    found,
    allocation=None,
    confirmation=None,
    fits=(),
    mixture_fits=(),
    synergy=(),
  )
  number = found.table['run_id'].nunique()
  assert findings.answer(runs).title.startswith(f'{number} runs, without laws')
