"""A task of one's own: which of two continuations does the model prefer?

Beside it lies a gin file that imports it and binds it; `codelaw evaluate
--gin_file=FILE` and `codelaw train` find it by that.
"""

import dataclasses
import math

import gin

from codelaw import scores
from codelaw.evaluation import task


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Preferences:
  """Accuracy of likelihoods.

  Attributes:
    items: (context, right continuation, wrong continuation).
    name: of the task.
  """

  items: tuple[tuple[str, str, str], ...]
  name: str = 'preferences'

  def evaluate(self, model, report):
    report(f'{len(self.items)} items', None)
    asked = [(item[0], text) for item in self.items for text in item[1:]]
    nats = [found.nats for found in model.likelihoods(asked)]
    right = [a > b for a, b in zip(nats[::2], nats[1::2], strict=True)]
    share = sum(right) / len(right)
    score = scores.Score(
      f'code/{self.name}',
      'accuracy',
      share,
      math.sqrt(share * (1 - share) / len(right)),
      len(right),
      category='code',
    )
    samples = [
      {'item': list(item), 'right': bool(good)}
      for item, good in zip(self.items, right, strict=True)
    ]
    return task.Result([score], samples)
