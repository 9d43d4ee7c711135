"""A task of one's own: which of two continuations does the model prefer?

Beside it lies a gin file that imports it and binds it; `codelaw evaluate
--gin_file=FILE` and `codelaw train` find it by that.
"""

import dataclasses
import math
import pathlib
import time

import gin

from codelaw import errors
from codelaw import scores
from codelaw.evaluation import language_model
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


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Everything:
  """Asks a model all that it can be asked; its samples are the answers.

  Attributes:
    prompts: asked in turn.
    wait_for: file without which it does not begin; leaves one called `waits`.
    name: of the task.
  """

  prompts: tuple[str, ...]
  wait_for: str = ''
  name: str = 'everything'

  def evaluate(self, model, report):
    while self.wait_for and not pathlib.Path(self.wait_for).exists():
      pathlib.Path('waits').touch()
      time.sleep(0.05)
    report('greedy', None)
    greedy = language_model.Sampling(max_new_tokens=4, stop=('\n',))
    drawn = language_model.Sampling(max_new_tokens=4, temperature=1.0, seed=7)
    try:
      model.likelihoods([('', 'too long ' * 100)])
      refused = False
    except errors.UserError:
      refused = True
    samples = [
      {
        'greedy': model.generate(self.prompts, greedy),
        'drawn': model.generate(self.prompts, drawn),
        'rolling': [x.nats for x in model.rolling_likelihoods(self.prompts)],
        'nats': [
          x.nats for x in model.likelihoods([('if ', p) for p in self.prompts])
        ],
        'nothing': model.likelihoods([]),
        'refused': refused,
      }
    ]
    score = scores.Score(f'code/{self.name}', 'number', 1.0, None, 1)
    return task.Result([score], samples)
