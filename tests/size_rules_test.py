import math

import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import size_rules

# 24 x (4 x 1024^2 + 3 x 1024 x 2816) weights in matrices, 49 norms.
SHAPE = accounting.ModelShape(
  vocab_size=8,
  width=1024,
  num_layers=24,
  num_heads=16,
  head_dim=64,
  mlp_width=2816,
)
N = 24 * (4 * 1024**2 + 3 * 1024 * 2816) + 49 * 1024
D = 20e9


def test_step_law_by_hand():
  assert size_rules.step_law_learning_rate(SHAPE, D) == pytest.approx(
    math.exp(math.log(1.79) - 0.713 * math.log(N) + 0.307 * math.log(D))
  )
  tokens = math.exp(math.log(0.58) + 0.571 * math.log(D))
  assert size_rules.step_law_batch_size(D, 2048) == round(tokens / 2048)


def test_deepseek_by_hand():
  # Attention: 2 x 2 x 1024 x 2048 multiply-adds a layer and token, times 3.
  compute = (6 * N + 24 * 12 * 1024 * 2048) * D
  assert size_rules.deepseek_learning_rate(SHAPE, D, 2048) == pytest.approx(
    0.3118 * math.exp(-0.125 * math.log(compute))
  )
  tokens = 0.2920 * math.exp(0.3271 * math.log(compute))
  assert size_rules.deepseek_batch_size(SHAPE, D, 2048) == round(tokens / 2048)


def test_the_vocabulary_does_not_count():
  other = accounting.ModelShape(
    **{**vars(SHAPE), 'vocab_size': 256_000, 'tie_embeddings': False}
  )
  for rule in (
    lambda shape: size_rules.step_law_learning_rate(shape, D),
    lambda shape: size_rules.deepseek_learning_rate(shape, D, 2048),
  ):
    assert rule(SHAPE) == rule(other)


@pytest.mark.parametrize('multiple', [1, 8, 64, 1000])
def test_batches_are_multiples_and_at_least_one(multiple):
  for tokens in (1e3, 1e9, 1e12):
    batch = size_rules.step_law_batch_size(tokens, 2048, multiple)
    assert batch % multiple == 0
    assert batch >= multiple


@pytest.mark.parametrize('tokens', [0, -1, math.nan])
def test_a_rule_needs_tokens(tokens):
  with pytest.raises(errors.UserError, match='positive number of tokens'):
    size_rules.step_law_batch_size(tokens, 2048)
