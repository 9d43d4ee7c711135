"""What tasks ask of a model, whatever computes it.

Definitions owned here:
  context and continuation: texts; the tokens of a continuation are those of
    the joint text after the tokens of the context alone.
  greedy: every token of the continuation is the most likely one at its place.
"""

from collections.abc import Sequence
import dataclasses
from typing import Protocol

from codelaw import errors


@dataclasses.dataclass(frozen=True)
class Likelihood:
  """What a model says of a continuation.

  Attributes:
    nats: log-probability, the sum over its tokens.
    num_tokens: of the continuation.
    is_greedy: as defined above.
  """

  nats: float
  num_tokens: int
  is_greedy: bool


@dataclasses.dataclass(frozen=True)
class Sampling:
  """How texts are generated.

  Attributes:
    max_new_tokens: at most so many are generated.
    temperature: 0 takes the most likely token always.
    top_p: the smallest set of tokens with so much probability is drawn from.
    stop: strings that end a text; they are not part of it.
    seed: of the draws; the same prompts, settings and seed give the same texts.
  """

  max_new_tokens: int = 256
  temperature: float = 0.0
  top_p: float = 1.0
  stop: tuple[str, ...] = ()
  seed: int = 0

  def __post_init__(self):
    if self.max_new_tokens < 1:
      raise errors.UserError(
        'Sampling.max_new_tokens must be at least 1, got'
        f' {self.max_new_tokens!r}.'
      )
    if not self.temperature >= 0:
      raise errors.UserError(
        f'Sampling.temperature must be at least 0, got {self.temperature!r}.'
      )
    if not 0 < self.top_p <= 1:
      raise errors.UserError(
        f'Sampling.top_p must be above 0 and at most 1, got {self.top_p!r}.'
      )
    if isinstance(self.stop, str) or '' in self.stop:
      raise errors.UserError(
        'Sampling.stop must be a list of strings that are not empty, got'
        f' {self.stop!r}.'
      )
    object.__setattr__(self, 'stop', tuple(self.stop))


class LanguageModel(Protocol):
  """A model that reads and writes text."""

  @property
  def name(self) -> str:
    """Of the run and checkpoint, for reports."""

  @property
  def context_length(self) -> int:
    """Tokens that it can see at once."""

  def likelihoods(
    self, requests: Sequence[tuple[str, str]]
  ) -> list[Likelihood]:
    """Of every (context, continuation), in order.

    A context that is too long loses its first tokens. An empty context stands
    for the beginning of a document.

    Raises:
      UserError: when a continuation alone is longer than `context_length`.
    """

  def rolling_likelihoods(self, texts: Sequence[str]) -> list[Likelihood]:
    """Of whole documents of any length, every token counted once.

    A document longer than `context_length` is cut into windows that do not
    overlap in the tokens they count; each begins with the last token of the
    one before.
    """

  def generate(self, prompts: Sequence[str], sampling: Sampling) -> list[str]:
    """Continuations, in order, that end before the first stop string.

    A prompt that leaves no room for `max_new_tokens` loses its first tokens.
    The draws of a prompt depend on its place in `prompts`.
    """
