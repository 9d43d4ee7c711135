"""Terminal views of a judged comparison and of what it costs."""

from collections.abc import Sequence

import rich

from codelaw.cli import terminal
from codelaw.evaluation import judge
from codelaw.evaluation import judge_cost


def print_estimate(found: judge_cost.Estimate, num_prompts: int) -> None:
  """Shows what is still to be sent."""
  cost = (
    'unknown, as --price_in and --price_out are not given'
    if found.cost is None
    else f'at most about {judge_cost.money(found.cost)}'
  )
  print(
    f'{num_prompts:,} prompts in both orders: {found.num_questions:,}'
    f' different questions, {found.num_questions - found.num_requests:,} of'
    f' them settled before; {found.num_requests:,} requests, about'
    f' {found.prompt_tokens:,} tokens to send and at most'
    f' {found.completion_tokens:,} back (estimated), not counting what is'
    f' asked again. Cost: {cost}.'
  )


def print_comparison(
  found: judge.Comparison,
  names: Sequence[str],
  judge_model: str,
  spending: judge_cost.Spending,
  num_retries: int,
) -> None:
  """Shows rates, outcomes, biases and what was spent.

  Args:
    found: the comparison.
    names: of the model and the baseline.
    judge_model: who judged.
    spending: of this evaluation.
    num_retries: requests that were sent again.
  """
  rows = terminal.table(
    f'{names[0]} against {names[1]}, judged by {judge_model}',
    ['of prompts with an outcome'],
    ['share', f'{found.interval_level:.0%} interval'],
  )
  for name, rate in found.rates.items():
    rows.add_row(
      name.replace('_', ' '),
      f'{rate.value:.1%}',
      f'{rate.low:.1%} to {rate.high:.1%}',
    )
  rich.print(terminal.titled(rows))
  first = found.first_place_share
  cost = (
    '' if spending.cost is None else f', cost {judge_cost.money(spending.cost)}'
  )
  for line in (
    f'{found.num_wins} wins, {found.num_ties} ties, {found.num_losses} losses,'
    f' {found.num_no_verdict} of {found.num_prompts} prompts without a verdict'
    ' in both orders.',
    'All verdicts are ties.'
    if first is None
    else f'The answer shown first got {first:.0%} of the verdicts that are no'
    ' tie (50% without a bias).',
    _finding(found, names),
    f'Sent {spending.num_requests:,} requests and {num_retries:,} again;'
    f' {spending.prompt_tokens:,} tokens in, {spending.completion_tokens:,}'
    f' out{cost}.',
  ):
    print(line)


def _finding(found: judge.Comparison, names: Sequence[str]) -> str:
  rate = found.rates['win_rate_ties_as_half']
  if rate.low <= 0.5 <= rate.high:
    return (
      'The two are not told apart: with ties as half, the interval holds 50%.'
    )
  better = names[0 if rate.value > 0.5 else 1]
  return f'{better} is better: with ties as half, the interval excludes 50%.'
