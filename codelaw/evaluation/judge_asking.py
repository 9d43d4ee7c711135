"""Asks a judge many questions at once, through the cache.

A question is a prompt and two answers in one order. A reply without a verdict
is answered by a reminder, up to `num_asks` replies; what then has no verdict
counts as none. The next request of a question follows from the replies in the
cache alone: that is what the estimate counts, and where work goes on that was
interrupted.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import queue
import threading
from typing import Any

from codelaw import errors
from codelaw import storage
from codelaw.evaluation import judge_cache
from codelaw.evaluation import judge_client
from codelaw.evaluation import judge_cost
from codelaw.evaluation import judge_instructions


@dataclasses.dataclass(frozen=True)
class JudgeSettings:
  """How a judge is asked.

  Attributes:
    temperature: of its replies; None leaves it to the server.
    max_tokens: of a reply, with all that a model thinks beforehand.
    max_tokens_field: `max_completion_tokens` for servers that want that.
    extra_fields: of the request, for instance {'seed': 1}.
    num_asks: replies to one question, until one has a verdict.
    num_threads: requests under way at once.
    instructions: what it is told.
    policy: of retries and rates.
  """

  temperature: float | None = 0.0
  max_tokens: int = 512
  max_tokens_field: str = 'max_tokens'
  extra_fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  num_asks: int = 3
  num_threads: int = 8
  instructions: judge_instructions.JudgeInstructions = (
    judge_instructions.JudgeInstructions()
  )
  policy: judge_client.RequestPolicy = judge_client.RequestPolicy()

  def __post_init__(self):
    for name in ('max_tokens', 'num_asks', 'num_threads'):
      value = getattr(self, name)
      if not isinstance(value, int) or value < 1:
        raise errors.UserError(
          f'JudgeSettings.{name} must be a whole number of at least 1, got'
          f' {value!r}.'
        )
    if self.temperature is not None and not self.temperature >= 0:
      raise errors.UserError(
        'JudgeSettings.temperature must be at least 0, or None, got'
        f' {self.temperature!r}.'
      )
    taken = {
      'model',
      'messages',
      'temperature',
      self.max_tokens_field,
      'stream',
    }
    if taken & set(self.extra_fields):
      raise errors.UserError(
        'JudgeSettings.extra_fields may not set'
        f' {", ".join(sorted(taken & set(self.extra_fields)))}.'
      )

  def body(
    self, model: str, messages: judge_instructions.Messages
  ) -> dict[str, Any]:
    """A request's body."""
    fields = dict(self.extra_fields)
    if self.temperature is not None:
      fields['temperature'] = self.temperature
    fields[self.max_tokens_field] = self.max_tokens
    return {'model': model, 'messages': list(messages), **fields}


@dataclasses.dataclass(frozen=True)
class Asked:
  """How one question went.

  Attributes:
    verdict: None when there was none.
    replies: of the judge, in order.
    fault: why the last request was not answered; empty if it was.
  """

  verdict: judge_instructions.Verdict | None
  replies: tuple[str, ...]
  fault: str = ''


class Judge:
  """One model behind an endpoint, and what it has said so far."""

  def __init__(
    self, model: str, settings: JudgeSettings, cache: judge_cache.ReplyCache
  ):
    self._model = model
    self._settings = settings
    self._cache = cache

  def next_requests(
    self, questions: Sequence[judge_instructions.Messages]
  ) -> list[Mapping[str, Any]]:
    """What is to be sent for questions that are not settled, each once."""
    steps = (self._step(question)[1] for question in distinct(questions)[0])
    return [body for body in steps if body is not None]

  def ask(
    self,
    questions: Sequence[judge_instructions.Messages],
    client: judge_client.Client,
    spending: judge_cost.Spending,
    report: Callable[[str, float], None],
  ) -> list[Asked]:
    """Asks what is not settled; questions that are alike share a reply.

    After Ctrl-C, or a fault that will not pass, nothing more is sent, and what
    is under way is waited for, because it is paid for; a second Ctrl-C ends at
    once.

    Args:
      questions: conversations that end with a question for a verdict.
      client: to send by.
      spending: to count on.
      report: called with what is going on and the share done.

    Returns:
      How each went, in order.

    Raises:
      UserError: as of `Client.send` and `Spending.add`.
    """
    different, places = distinct(questions)
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Asked | BaseException]] = (
      queue.SimpleQueue()
    )
    for index in range(len(different)):
      waiting.put(index)
    stop = threading.Event()

    def work() -> None:
      while not stop.is_set():
        try:
          index = waiting.get_nowait()
        except queue.Empty:
          return
        try:
          asked = self._ask(different[index], client, spending, stop)
        except BaseException as error:
          done.put((index, error))  # before those that `stop` makes
          stop.set()
          return
        done.put((index, asked))

    # Not a pool of the standard library's: Python waits for those when it
    # ends, also after a second Ctrl-C.
    threads = [
      threading.Thread(target=work, daemon=True)
      for _ in range(min(self._settings.num_threads, len(different)))
    ]
    for thread in threads:
      thread.start()
    found: dict[int, Asked] = {}
    try:
      while len(found) < len(different):
        index, outcome = done.get()
        if isinstance(outcome, BaseException):
          raise outcome
        found[index] = outcome
        report(
          f'{len(found):,} of {len(different):,} questions',
          len(found) / len(different),
        )
    except KeyboardInterrupt:
      report(
        'waits for the requests under way; Ctrl-C again does not',
        len(found) / len(different),
      )
      raise
    finally:
      stop.set()
      for thread in threads:
        thread.join()
    return [found[place] for place in places]

  def _ask(
    self,
    question: judge_instructions.Messages,
    client: judge_client.Client,
    spending: judge_cost.Spending,
    stop: threading.Event,
  ) -> Asked:
    while True:
      asked, body = self._step(question)
      if body is None:
        return asked
      try:
        reply = client.send(body, stop)
      except judge_client.NoReplyError as error:
        return dataclasses.replace(asked, fault=str(error))
      self._cache.put(body, reply)
      spending.add(body, reply)

  def _step(
    self, question: judge_instructions.Messages
  ) -> tuple[Asked, dict[str, Any] | None]:
    """How a question went so far, and what to send next; None for nothing."""
    messages = question
    replies: list[str] = []
    for _ in range(self._settings.num_asks):
      body = self._settings.body(self._model, messages)
      reply = self._cache.get(body)
      if reply is None:
        return Asked(None, tuple(replies)), body
      replies.append(reply.text)
      verdict = judge_instructions.verdict(reply.text)
      if verdict is not None:
        return Asked(verdict, tuple(replies)), None
      messages = self._settings.instructions.again(messages, reply.text)
    return Asked(None, tuple(replies)), None


def distinct(
  questions: Sequence[judge_instructions.Messages],
) -> tuple[list[judge_instructions.Messages], list[int]]:
  """Questions without repeats, and where each of all is among them.

  Two equal answers make the same question in both orders.
  """
  found: dict[str, int] = {}
  kept: list[judge_instructions.Messages] = []
  places = []
  for question in questions:
    key = storage.fingerprint(question)
    if key not in found:
      found[key] = len(kept)
      kept.append(question)
    places.append(found[key])
  return kept, places
