"""A language model and tasks that compute nothing, for tests of the rest."""

from collections.abc import Callable
import dataclasses

from codelaw import scores
from codelaw.evaluation import language_model
from codelaw.evaluation import task


@dataclasses.dataclass(frozen=True)
class Model:
  """Answers every prompt with its name."""

  name: str = 'fake'
  context_length: int = 16

  def likelihoods(self, requests):
    return [language_model.Likelihood(-1.0, 1, True) for _ in requests]

  def rolling_likelihoods(self, texts):
    return [language_model.Likelihood(-1.0, 1, True) for _ in texts]

  def generate(self, prompts, sampling):
    return [self.name for _ in prompts]


@dataclasses.dataclass(frozen=True)
class Task:
  """Its score is `value`, or what `ask` makes of the model.

  Attributes:
    name: of the task.
    value: of its score.
    metric: of its score.
    ask: called with the model and the report; may raise.
    notes: of its result.
  """

  name: str = 'piqa'
  value: float = 0.5
  metric: str = 'accuracy'
  ask: Callable = dataclasses.field(
    default=lambda model, report: None, compare=False
  )
  notes: tuple[str, ...] = ()

  def evaluate(self, model, report):
    report('asks', 0.5)
    answer = self.ask(model, report)
    value = self.value if answer is None else answer
    score = scores.Score(
      f'probe/{self.name}', self.metric, value, 0.1, 25, True, 'probe'
    )
    (text,) = model.generate(['?'], language_model.Sampling())
    sample = {'prompt': '?', 'text': text, 'nats': float('-inf')}
    return task.Result([score], [sample], self.notes)
