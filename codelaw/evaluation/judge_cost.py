"""What judging costs: estimated before it starts, counted while it goes on.

Definitions owned here:
  estimated tokens: of a text, its UTF-8 bytes / 3, rounded up, and 4 for what
    frames a message; of a reply that is still to come, the limit on its
    tokens. An assumption on the safe side: English has four to five bytes per
    token of a large vocabulary, code three to four.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import math
import threading
from typing import Any

from codelaw import errors
from codelaw.evaluation import judge_http

_BYTES_PER_TOKEN = 3
_TOKENS_PER_MESSAGE = 4


@dataclasses.dataclass(frozen=True)
class Prices:
  """Dollars, or any other currency, per million tokens.

  Attributes:
    of_input: of what is sent; None when unknown.
    of_output: of what comes back; None when unknown.
    limit: on the cost of one evaluation; infinite for none.
  """

  of_input: float | None = None
  of_output: float | None = None
  limit: float = math.inf

  def __post_init__(self):
    for flag, value in (
      ('--price_in', self.of_input),
      ('--price_out', self.of_output),
    ):
      if value is not None and not 0 <= value < math.inf:
        raise errors.UserError(
          f'{flag} must be at least 0, per million tokens; got {value!r}.'
        )
    if not self.limit >= 0:
      raise errors.UserError(
        f'--max_cost must be at least 0, got {self.limit!r}.'
      )
    if (self.of_input is None) != (self.of_output is None):
      raise errors.UserError(
        'A cost needs both --price_in and --price_out, got one of them; give 0'
        ' for what is free.'
      )
    if self.limit < math.inf and self.of_input is None:
      raise errors.UserError(
        '--max_cost needs --price_in and --price_out, per million tokens.'
      )

  def cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
    """(tokens in x price in + tokens out x price out) / 10^6.

    >>> Prices(2.0, 10.0).cost(500_000, 30_000)
    1.3
    """
    if self.of_input is None or self.of_output is None:
      return None
    return (
      prompt_tokens * self.of_input + completion_tokens * self.of_output
    ) / 1e6


@dataclasses.dataclass(frozen=True)
class Estimate:
  """What is still to be sent, before any question is asked twice.

  Attributes:
    num_questions: that differ.
    num_requests: of questions without a verdict in the cache.
    prompt_tokens: estimated, of these requests.
    completion_tokens: of their replies at most.
    cost: of both; None without prices.
  """

  num_questions: int
  num_requests: int
  prompt_tokens: int
  completion_tokens: int
  cost: float | None


def prompt_tokens(body: Mapping[str, Any]) -> int:
  """Estimated tokens of a request's messages."""
  return sum(
    tokens(message['content']) + _TOKENS_PER_MESSAGE
    for message in body['messages']
  )


def tokens(text: str) -> int:
  """Estimated tokens of a text.

  >>> tokens('def f(x):'), tokens('')
  (3, 0)
  """
  return math.ceil(len(text.encode('utf-8', 'replace')) / _BYTES_PER_TOKEN)


def money(cost: float) -> str:
  """A cost with two decimals, or two digits of what is less than one.

  >>> money(1234.5), money(0.002784), money(0.0)
  ('1,234.50', '0.0028', '0')
  """
  return f'{cost:,.2f}' if cost >= 1 else f'{cost:.2g}'


def text_of(num_tokens: int, letter: str) -> str:
  """A text of so many estimated tokens, all of one letter."""
  return letter * (_BYTES_PER_TOKEN * num_tokens)


def estimate(
  bodies: Iterable[Mapping[str, Any]],
  num_questions: int,
  max_tokens: int,
  prices: Prices,
) -> Estimate:
  """What requests will cost at most, but for what is asked again.

  Args:
    bodies: of the requests to send.
    num_questions: that differ, cached ones too.
    max_tokens: of one reply.
    prices: per million tokens.
  """
  counts = [prompt_tokens(body) for body in bodies]
  sent, back = sum(counts), max_tokens * len(counts)
  return Estimate(
    num_questions, len(counts), sent, back, prices.cost(sent, back)
  )


def check(found: Estimate, prices: Prices) -> None:
  """Raises `UserError` when an estimate is above the limit."""
  if found.cost is not None and found.cost > prices.limit:
    raise errors.UserError(
      f'{found.num_requests:,} requests may cost {money(found.cost)}, more than'
      f' --max_cost={prices.limit:g}; nothing was sent. Raise it, or judge'
      ' fewer prompts with --num_prompts.'
    )


class Spending:
  """Tokens and cost of what was sent, from several threads."""

  def __init__(self, prices: Prices):
    self._prices = prices
    self._lock = threading.Lock()
    self.num_requests = 0
    self.prompt_tokens = 0
    self.completion_tokens = 0

  @property
  def cost(self) -> float | None:
    """So far; None without prices."""
    return self._prices.cost(self.prompt_tokens, self.completion_tokens)

  def add(self, body: Mapping[str, Any], reply: judge_http.Reply) -> None:
    """Counts a reply; tokens that its server did not count are estimated.

    Raises:
      UserError: when all replies together cost more than the limit.
    """
    sent, back = reply.prompt_tokens, reply.completion_tokens
    with self._lock:
      self.num_requests += 1
      self.prompt_tokens += prompt_tokens(body) if sent is None else sent
      self.completion_tokens += tokens(reply.text) if back is None else back
      cost = self.cost
    if cost is not None and cost > self._prices.limit:
      raise errors.UserError(
        f'{self.num_requests:,} requests have cost {money(cost)}, more than'
        f' --max_cost={self._prices.limit:g}; what was answered is kept.'
      )
