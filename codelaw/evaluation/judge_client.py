"""Requests to a judge, sent again within a policy of retries and rates."""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import json
import random
import threading
import time
from typing import Any

from codelaw import errors
from codelaw.evaluation import judge_http


@dataclasses.dataclass(frozen=True)
class RequestPolicy:
  """How patient a client is, and how fast.

  The wait before try n + 1 is drawn between half of and all of
  min(max_delay_seconds, first_delay_seconds * 2^(n - 1)). A `Retry-After` of
  the server holds back all requests, and comes on top.

  Attributes:
    timeout_seconds: for a connection, for silence, and for a whole body.
    max_tries: of one request.
    max_retries: of all requests together, after which the work ends.
    first_delay_seconds: before the second try.
    max_delay_seconds: before any.
    max_retry_after_seconds: a server that asks for more ends the work.
    requests_per_minute: sent at most, evenly spread; 0 for no limit.
  """

  timeout_seconds: float = 120.0
  max_tries: int = 6
  max_retries: int = 200
  first_delay_seconds: float = 1.0
  max_delay_seconds: float = 60.0
  max_retry_after_seconds: float = 600.0
  requests_per_minute: float = 0.0

  def __post_init__(self):
    for name, least in (('max_tries', 1), ('max_retries', 0)):
      value = getattr(self, name)
      if not isinstance(value, int) or value < least:
        raise errors.UserError(
          f'RequestPolicy.{name} must be a whole number of at least {least},'
          f' got {value!r}.'
        )
    for name in (
      'first_delay_seconds',
      'max_delay_seconds',
      'max_retry_after_seconds',
      'requests_per_minute',
    ):
      if not 0 <= getattr(self, name) < float('inf'):
        raise errors.UserError(
          f'RequestPolicy.{name} must be at least 0, got'
          f' {getattr(self, name)!r}.'
        )
    if not 0 < self.timeout_seconds < float('inf'):
      raise errors.UserError(
        'RequestPolicy.timeout_seconds must be above 0, got'
        f' {self.timeout_seconds!r}.'
      )


class NoReplyError(Exception):
  """One request had passing faults at every try."""


class StoppedError(Exception):
  """The work was to end while a request waited for its turn."""


class Clock:
  """Time, as far as waiting is concerned; tests have a faster one."""

  def monotonic(self) -> float:
    """Seconds since some moment."""
    return time.monotonic()

  def wait(self, seconds: float, stop: threading.Event) -> None:
    """Returns after `seconds`, or as soon as `stop` is set."""
    stop.wait(seconds)


class Client:
  """Sends requests, from several threads, within one policy."""

  def __init__(
    self,
    endpoint: judge_http.Endpoint,
    api_key: str = '',
    policy: RequestPolicy | None = None,
    clock: Clock | None = None,
    note: Callable[[str], None] = lambda message: None,
  ):
    """Checks the key; nothing is sent.

    Args:
      endpoint: where requests go.
      api_key: sent as a bearer token; empty for none.
      policy: of retries and rates.
      clock: to wait by.
      note: called with every fault that is tried again.

    Raises:
      UserError: for a key that no header can hold.
    """
    self._policy = policy or RequestPolicy()
    self._connection = judge_http.Connection(
      endpoint, api_key, self._policy.timeout_seconds
    )
    self._where = endpoint.shown
    self._clock = clock or Clock()
    self._note = note
    self._lock = threading.Lock()
    self._not_before = float('-inf')
    self._retries = 0

  @property
  def num_retries(self) -> int:
    """Requests that were sent again, so far."""
    return self._retries

  def send(
    self, body: Mapping[str, Any], stop: threading.Event
  ) -> judge_http.Reply:
    """Sends one request until it is answered.

    Args:
      body: of a chat completion.
      stop: when set, nothing is sent any more.

    Raises:
      NoReplyError: after `max_tries` passing faults.
      StoppedError: when `stop` was set before it was answered.
      UserError: for a fault that will not pass, or too many retries in all.
    """
    content = json.dumps(body).encode()
    policy = self._policy
    for attempt in range(1, policy.max_tries + 1):
      self._take_turn(stop)
      try:
        return self._connection.post(content)
      except judge_http.PassingError as fault:
        reason, retry_after = str(fault), fault.retry_after or 0.0
      self._hold(retry_after, reason)
      if attempt == policy.max_tries:
        break
      self._count_retry(reason)
      delay = policy.first_delay_seconds * 2 ** (attempt - 1)
      delay = min(delay, policy.max_delay_seconds) * random.uniform(0.5, 1.0)
      self._note(f'{reason}; tries again in {retry_after + delay:.1f} s')
      self._clock.wait(retry_after + delay, stop)
    raise NoReplyError(f'{reason}, {policy.max_tries} times')

  def _take_turn(self, stop: threading.Event) -> None:
    """Returns when a request may be sent."""
    rate = self._policy.requests_per_minute
    while not stop.is_set():
      with self._lock:
        now = self._clock.monotonic()
        seconds = self._not_before - now
        if seconds <= 0:
          self._not_before = now + (60 / rate if rate else 0)
          return
      self._clock.wait(seconds, stop)
    raise StoppedError

  def _hold(self, seconds: float, reason: str) -> None:
    """Lets no request be sent for so long."""
    if seconds > self._policy.max_retry_after_seconds:
      raise errors.UserError(
        f'{self._where} asks for a wait of {seconds:.0f} s ({reason}), more'
        f' than {self._policy.max_retry_after_seconds:.0f} s; start again then:'
        ' what was answered is kept.'
      )
    with self._lock:
      until = self._clock.monotonic() + seconds
      self._not_before = max(self._not_before, until)

  def _count_retry(self, reason: str) -> None:
    with self._lock:
      self._retries += 1
      if self._retries > self._policy.max_retries:
        raise errors.UserError(
          f'{self._where} failed more than'
          f' {self._policy.max_retries} times, the last with: {reason}; start'
          ' again when it works: what was answered is kept.'
        )
