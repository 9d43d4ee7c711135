"""Scores of rows of many lengths, and what is compiled for them."""

import jax
import numpy as np

from codelaw import execution as execution_lib
from codelaw.evaluation import scoring
from tests.evaluation import models


def score(model, rows, **execution):
  return scoring.score(
    model.params,
    rows,
    shape=model.shape,
    execution=execution_lib.Execution(**execution),
    mesh=model.mesh,
    context_length=64,
    batch_tokens=512,
  )


def rows_of_all_lengths(number):
  generator = np.random.default_rng(0)
  for _ in range(number):
    first, rest = generator.integers(1, 33, 2)
    yield scoring.Row(
      generator.integers(2, 270, first), generator.integers(2, 270, rest)
    )


def test_few_programs_and_few_logits_for_rows_of_all_lengths(caplog):
  model = models.language_model('parallel')
  rows = list(rows_of_all_lengths(200))
  with jax.log_compiles():
    plain = score(model, rows)
    compiled = [
      record
      for record in caplog.records
      if record.getMessage().startswith('Compiling jit(sums)')
    ]
    # Lengths of 32 and 64, of continuations of at most 32; a last batch.
    assert 2 <= len(compiled) <= 3
    assert score(model, rows[::-1])[::-1] == plain
  assert [x.num_tokens for x in plain] == [len(r.continuation) for r in rows]
  # Logits of blocks of tokens, as for large vocabularies.
  blocked = score(model, rows[:8], loss_block_tokens=5)
  for one, other in zip(blocked, plain[:8], strict=True):
    np.testing.assert_allclose(one.nats, other.nats, rtol=1e-5)
    assert one.is_greedy == other.is_greedy
