"""What the first process asks, the others ask too; real processes are in
tests/train/distributed_test.py."""

import queue
import weakref

import pytest

from codelaw import errors
from codelaw.evaluation import joint_language_model
from codelaw.evaluation import language_model
from codelaw.train import distributed


class _Model:
  """Remembers what it is asked."""

  name = 'run at step 1'
  context_length = 8

  def __init__(self):
    self.asked = []

  def likelihoods(self, requests):
    self.asked.append(('likelihoods', [tuple(pair) for pair in requests]))
    if any('long' in second for _, second in requests):
      raise errors.UserError('too long')
    return [language_model.Likelihood(-1.0, 1, True) for _ in requests]

  def rolling_likelihoods(self, texts):
    self.asked.append(('rolling', list(texts)))
    return [language_model.Likelihood(-2.0, 1, False) for _ in texts]

  def generate(self, prompts, sampling):
    self.asked.append(('generate', list(prompts), sampling))
    return ['x' for _ in prompts]


@pytest.fixture(autouse=True)
def messages(monkeypatch):
  """What `send` says is what `receive` hears, afterwards."""
  said = queue.SimpleQueue()
  monkeypatch.setattr(distributed, 'send', said.put)
  monkeypatch.setattr(distributed, 'receive', said.get_nowait)
  return said


SAMPLING = language_model.Sampling(3, temperature=0.5, stop=('\n', 'é'), seed=2)


def test_the_others_ask_what_the_first_asks():
  first, other = _Model(), _Model()
  leader = joint_language_model.Leader(first)
  with joint_language_model.leading():
    assert leader.likelihoods([('a', 'b\ud7ff')])[0].nats == -1
    assert leader.rolling_likelihoods(['é', ''])[0].nats == -2
    assert leader.generate(('p', 'q'), SAMPLING) == ['x', 'x']
    with pytest.raises(errors.UserError, match='too long'):
      leader.likelihoods([('a', 'long')])
    assert leader.likelihoods([]) == []
  joint_language_model.follow(other)
  assert len(first.asked) == 5
  assert other.asked == first.asked
  assert (leader.name, leader.context_length) == ('run at step 1', 8)


def test_the_others_load_what_the_first_loads():
  models = {('first', 'a', 1): _Model(), ('first', 'b', 2): _Model()}
  models |= {('other', 'a', 1): _Model(), ('other', 'b', 2): _Model()}

  def load_as(who):
    return lambda *which: models[who, *which]

  with joint_language_model.leading():
    for which in (('a', 1), ('b', 2)):
      leader = joint_language_model.load(load_as('first'), *which)
      leader.likelihoods([('', which[0])])
  joint_language_model.follow(load_step=load_as('other'))
  for which in (('a', 1), ('b', 2)):
    asked = [('likelihoods', [('', which[0])])]
    assert models['first', *which].asked == asked
    assert models['other', *which].asked == asked


def test_a_model_is_gone_before_the_next_one_is_loaded():
  """Two of them may not fit the memory of a chip."""
  before = []

  def load(which):
    assert [reference() for reference in before] == [None] * which
    model = _Model()
    before.append(weakref.ref(model))
    return model

  with joint_language_model.leading():
    for which in range(3):
      joint_language_model.load(lambda which: _Model(), which)
  joint_language_model.follow(load_step=load)
  assert len(before) == 3


def test_a_stop_of_the_first_stops_the_others():
  with pytest.raises(KeyboardInterrupt), joint_language_model.leading():
    raise KeyboardInterrupt
  with pytest.raises(KeyboardInterrupt):
    joint_language_model.follow(_Model())


def test_an_error_of_the_first_lets_nobody_go_on(messages):
  with pytest.raises(ValueError, match='full'), joint_language_model.leading():
    raise ValueError('disk full')
  assert messages.empty()  # the others are ended, see `ending_together`
