"""A language model that anyone can compute: letters by the one before."""

import collections
import math
import random

from codelaw.evaluation import language_model

START = '\0'


class BigramModel:
  """p(b | a) = (count of ab + 1) / (count of a + 128) over ASCII."""

  name = 'bigram'
  context_length = 512

  def __init__(self, text):
    self.pairs = collections.Counter(zip(START + text, text, strict=False))
    self.firsts = collections.Counter(START + text[:-1])
    self.asked = []

  def nats(self, last, letter):
    return math.log((self.pairs[last, letter] + 1) / (self.firsts[last] + 128))

  def best(self, last):
    return max(map(chr, range(1, 128)), key=lambda c: (self.nats(last, c), c))

  def _likelihood(self, context, continuation):
    whole = (context or START)[-1] + continuation
    pairs = list(zip(whole, continuation, strict=False))
    return language_model.Likelihood(
      math.fsum(self.nats(*pair) for pair in pairs),
      len(pairs),
      all(self.best(last) == letter for last, letter in pairs),
    )

  def likelihoods(self, requests):
    self.asked.append(list(requests))
    return [self._likelihood(*request) for request in requests]

  def rolling_likelihoods(self, texts):
    self.asked.append(list(texts))
    return [self._likelihood('', text) for text in texts]

  def generate(self, prompts, sampling):
    self.asked.append((list(prompts), sampling))
    return [
      self._continue(prompt, sampling, place)
      for place, prompt in enumerate(prompts)
    ]

  def _continue(self, prompt, sampling, place):
    generator = random.Random(sampling.seed * 1000 + place)
    text = ''
    for _ in range(sampling.max_new_tokens):
      last = (START + prompt + text)[-1]
      if sampling.temperature:
        letters = [chr(i) for i in range(1, 128)]
        weights = [
          math.exp(self.nats(last, c) / sampling.temperature) for c in letters
        ]
        text += generator.choices(letters, weights)[0]
      else:
        text += self.best(last)
      ends = [text.find(stop) for stop in sampling.stop if stop in text]
      if ends:
        return text[: min(ends)]
    return text
