"""A language model that answers by rule, and remembers what it was asked."""

from codelaw.evaluation import language_model


class ScriptedModel:
  """Words between blanks are tokens, each of so many nats.

  Attributes:
    asked: (context, continuation) of every likelihood.
    prompts: that were continued.
    samplings: of each call of `generate`.
  """

  name = 'scripted'
  context_length = 10**6

  def __init__(self, answer=lambda prompt: '', nats=lambda text: 1.0):
    self._answer, self._nats = answer, nats
    self.asked, self.prompts, self.samplings = [], [], []

  def likelihoods(self, requests):
    self.asked += requests
    found = []
    for _, continuation in requests:
      count = len(continuation.split())
      nats = -count * self._nats(continuation)
      found.append(language_model.Likelihood(nats, count, False))
    return found

  def rolling_likelihoods(self, texts):
    return self.likelihoods([('', text) for text in texts])

  def generate(self, prompts, sampling):
    self.prompts += prompts
    self.samplings.append(sampling)
    return list(map(self._answer, prompts))
