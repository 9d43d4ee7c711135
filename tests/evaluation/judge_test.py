import math

import pytest

from codelaw import errors
from codelaw.evaluation import judge


@pytest.mark.parametrize(
  ('model_first', 'baseline_first', 'outcome'),
  [
    ('A', 'B', 'win'),
    ('B', 'A', 'loss'),
    ('tie', 'tie', 'tie'),
    # The judge likes a place, or is of two minds.
    ('A', 'A', 'tie'),
    ('B', 'B', 'tie'),
    ('A', 'tie', 'tie'),
    ('tie', 'B', 'tie'),
    ('B', 'tie', 'tie'),
    ('tie', 'A', 'tie'),
    (None, 'B', None),
    ('A', None, None),
    (None, None, None),
  ],
)
def test_the_outcome_of_two_orders(model_first, baseline_first, outcome):
  assert judge.Judgement(model_first, baseline_first).outcome == outcome


WIN, LOSS, TIE = (
  judge.Judgement(*v) for v in (('A', 'B'), ('B', 'A'), ('tie', 'tie'))
)
BIASED, NONE = judge.Judgement('A', 'A'), judge.Judgement('A', None)


def test_rates_are_shares_of_the_prompts_with_an_outcome():
  found = judge.compare([*[WIN] * 4, LOSS, TIE, *[BIASED] * 2, *[NONE] * 2])
  assert (found.num_wins, found.num_ties, found.num_losses) == (4, 3, 1)
  assert (found.num_prompts, found.num_no_verdict) == (10, 2)
  values = {name: rate.value for name, rate in found.rates.items()}
  assert values == {
    'win_rate': 4 / 8,
    'win_rate_ties_as_half': 5.5 / 8,
    'tie_rate': 3 / 8,
    'order_agreement': 6 / 8,
  }
  # A of 5 orders won or lost, both of each biased pair, and one of each
  # pair that lacks a verdict, of 16 that are no tie.
  assert found.first_place_share == (5 + 4 + 2) / 16


def test_a_swap_of_model_and_baseline_swaps_wins_and_losses():
  one = judge.compare([WIN] * 5 + [LOSS] * 2 + [TIE, BIASED])
  swapped = judge.compare([LOSS] * 5 + [WIN] * 2 + [TIE, BIASED])
  assert one.num_wins == swapped.num_losses
  half = 'win_rate_ties_as_half'
  assert one.rates[half].value + swapped.rates[half].value == pytest.approx(1)
  assert one.rates['tie_rate'].value == swapped.rates['tie_rate'].value


def test_the_interval_is_that_of_a_binomial():
  found = judge.compare([WIN] * 120 + [LOSS] * 80)
  rate = found.rates['win_rate']
  error = math.sqrt(0.6 * 0.4 / 200)
  # 4,000 resamples know a standard deviation to 1/sqrt(8000), the 5% quantile
  # to about 2.1 sqrt(.05 .95 / 4000) standard deviations; three of each, and
  # the grid of 1/200.
  assert rate.standard_error == pytest.approx(error, rel=0.04)
  width = 3 * 2.1 * math.sqrt(0.05 * 0.95 / 4000) * error + 1 / 200
  assert rate.low == pytest.approx(0.6 - 1.645 * error, abs=width)
  assert rate.high == pytest.approx(0.6 + 1.645 * error, abs=width)


def test_the_bootstrap_has_a_seed():
  judgements = [WIN] * 12 + [LOSS] * 7 + [TIE] * 3
  assert judge.compare(judgements, 5) == judge.compare(judgements, 5)
  assert judge.compare(judgements, 5) != judge.compare(judgements, 6)


def test_all_alike_and_none_at_all():
  found = judge.compare([TIE] * 3)
  assert found.first_place_share is None
  assert found.rates['tie_rate'] == judge.Rate(1.0, 1.0, 1.0, 0.0)
  with pytest.raises(errors.UserError, match='None of 2 prompts'):
    judge.compare([NONE, NONE])


def test_scores_are_named_after_the_baseline():
  found = judge.scores(judge.compare([WIN, WIN, TIE, NONE]), 'text_only')
  by_name = {score.name: score for score in found}
  assert set(by_name) == {
    'judge/text_only/win_rate',
    'judge/text_only/win_rate_ties_as_half',
    'judge/text_only/tie_rate',
    'judge/text_only/order_agreement',
  }
  assert by_name['judge/text_only/win_rate'].value == 2 / 3
  assert by_name['judge/text_only/win_rate'].num_items == 3
