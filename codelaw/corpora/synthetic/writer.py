"""What the writers of pages, commits and threads share.

A writer holds one document's problem, its language and the choices that make
it differ from the next document.
"""

from collections.abc import Sequence
import random
from typing import Any

from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import notation


class Writer:
  """One document's problem, language and choices.

  Attributes:
    solved: the problem, with inputs and what they give.
    problem: of `solved`.
    function: that solves it.
    renderers: language -> its renderer, of all that code may be shown in.
    language: that this document is about.
    spoken: how people write the language's name.
    renderer: of that language.
    name: of the function, as that language spells it.
    rng: makes the choices.
  """

  def __init__(
    self,
    solved: execution.Solved,
    renderers: notation.Renderers,
    language: str,
    rng: random.Random,
  ):
    self.solved = solved
    self.problem = solved.problem
    self.function = solved.problem.solution
    self.renderers = renderers
    self.language = language
    self.spoken = notation.shown_language(language)
    self.renderer = renderers[language]
    self.name = notation.function_name(self.renderer, self.function.name)
    self.rng = rng

  def say(self, *options: str) -> str:
    """One of several ways to say a thing."""
    return self.rng.choice(options)

  def call(self, arguments: Sequence[Any]) -> str:
    """A call of the function."""
    return notation.call(self.renderer, self.problem, arguments)

  def literal(self, value: Any) -> str:
    """A plain value as the language writes it."""
    return self.renderer.literal(value)
