"""One model on the devices of several processes, asked by the first of them.

A batch is computed by all devices together, so that every process must ask the
same. The first alone runs tasks, and with them what a task does besides: read
data, run programs, keep scores. It says each question to the others, which ask
their part of the model the same and forget the answer.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import json
from typing import Any

from codelaw import errors
from codelaw.evaluation import language_model
from codelaw.train import distributed

_END, _STOP, _LOAD = 'end', 'stop', 'load'


@dataclasses.dataclass(frozen=True)
class Leader:
  """The model as the first process asks it, see `language_model`.

  Attributes:
    model: its own part.
  """

  model: language_model.LanguageModel

  @property
  def name(self) -> str:
    """Of the run and checkpoint."""
    return self.model.name

  @property
  def context_length(self) -> int:
    """Tokens that it can see at once."""
    return self.model.context_length

  def likelihoods(
    self, requests: Sequence[tuple[str, str]]
  ) -> list[language_model.Likelihood]:
    """Of every (context, continuation), in order."""
    _say('likelihoods', list(requests))
    return self.model.likelihoods(requests)

  def rolling_likelihoods(
    self, texts: Sequence[str]
  ) -> list[language_model.Likelihood]:
    """Of whole documents of any length."""
    _say('rolling_likelihoods', list(texts))
    return self.model.rolling_likelihoods(texts)

  def generate(
    self, prompts: Sequence[str], sampling: language_model.Sampling
  ) -> list[str]:
    """Continuations, in order."""
    _say('generate', list(prompts), dataclasses.asdict(sampling))
    return self.model.generate(prompts, sampling)


@contextlib.contextmanager
def leading() -> Iterator[None]:
  """Lets the others go on when the questions of the first process have ended.

  Where the first is stopped with KeyboardInterrupt, so are they. Another error
  ends all, see `distributed.ending_together`.
  """
  try:
    yield
  except KeyboardInterrupt:
    _say(_STOP)
    raise
  _say(_END)


def load(
  load_step: Callable[..., language_model.LanguageModel], *arguments: Any
) -> Leader:
  """The model that all processes load, for the first; see `follow`."""
  _say(_LOAD, *arguments)
  return Leader(load_step(*arguments))


def follow(
  model: language_model.LanguageModel | None = None,
  load_step: Callable[..., language_model.LanguageModel] | None = None,
) -> None:
  """Takes part in what the first process asks, until it is `leading` no more.

  Args:
    model: this process's part.
    load_step: how another is loaded where the first process loads one.

  Raises:
    KeyboardInterrupt: where the first process was stopped.
  """
  while True:
    kind, *arguments = json.loads(distributed.receive())
    if kind == _END:
      return
    if kind == _STOP:
      raise KeyboardInterrupt
    if kind == _LOAD:
      assert load_step is not None
      model = None  # before the next one needs its memory
      model = load_step(*arguments)
      continue
    if kind == 'generate':
      arguments[1] = language_model.Sampling(**arguments[1])
    # What a question is refused for, the first process reports.
    with contextlib.suppress(errors.UserError):
      getattr(model, kind)(*arguments)


def _say(kind: str, *arguments: Any) -> None:
  distributed.send(json.dumps([kind, *arguments]))
