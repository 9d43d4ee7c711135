import math

import pytest

from codelaw import errors
from codelaw.evaluation import judge_cost
from codelaw.evaluation import judge_http

BODY = {'messages': [{'content': 'x' * 30}, {'content': 'é' * 3}]}


def test_the_estimate_by_hand():
  prices = judge_cost.Prices(2.0, 10.0)
  found = judge_cost.estimate([BODY, BODY], 5, 100, prices)
  # 30 bytes and 6 bytes, a third each, and 4 for each message.
  assert found == judge_cost.Estimate(
    num_questions=5,
    num_requests=2,
    prompt_tokens=2 * (10 + 4 + 2 + 4),
    completion_tokens=200,
    cost=(40 * 2 + 200 * 10) / 1e6,
  )
  assert judge_cost.estimate([], 5, 100, judge_cost.Prices()).cost is None
  assert judge_cost.tokens(judge_cost.text_of(17, 'x')) == 17


def test_an_estimate_above_the_limit_is_refused():
  for limit, refused in ((0.00208, False), (0.00207, True)):
    prices = judge_cost.Prices(2.0, 10.0, limit)
    found = judge_cost.estimate([BODY, BODY], 5, 100, prices)
    if refused:
      with pytest.raises(errors.UserError, match='nothing was sent'):
        judge_cost.check(found, prices)
    else:
      judge_cost.check(found, prices)


def test_spending_counts_what_the_server_counts_or_estimates_it():
  spending = judge_cost.Spending(judge_cost.Prices(1e6, 1e6, 50.0))
  spending.add(BODY, judge_http.Reply('abc', 9, 5))
  assert spending.cost == 14
  spending.add(BODY, judge_http.Reply('abcd', None, None))
  assert (spending.prompt_tokens, spending.completion_tokens) == (29, 7)
  with pytest.raises(errors.UserError, match='3 requests have cost 54'):
    spending.add(BODY, judge_http.Reply('', 18, 0))
  free = judge_cost.Spending(judge_cost.Prices())
  free.add(BODY, judge_http.Reply('', 10**9, 0))
  assert free.cost is None


@pytest.mark.parametrize(
  ('prices', 'said'),
  [
    ((1.0, None), 'both'),
    ((None, 1.0), 'both'),
    ((-1.0, 1.0), '--price_in'),
    ((1.0, math.nan), '--price_out'),
    ((None, None, 3.0), '--max_cost needs'),
    ((1.0, 1.0, -3.0), '--max_cost'),
    ((1.0, 1.0, math.nan), '--max_cost'),
  ],
)
def test_prices_that_make_no_sense(prices, said):
  with pytest.raises(errors.UserError, match=said):
    judge_cost.Prices(*prices)
