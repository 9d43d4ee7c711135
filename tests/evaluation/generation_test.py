"""Cached generation against rows of their own, read anew for every token."""

import functools

import jax
import numpy as np
import pytest

from codelaw.data import packing
from codelaw.evaluation import generation
from codelaw.evaluation import language_model
from codelaw.evaluation import sampling as sampling_lib
from tests.evaluation import models

GREEDY = language_model.Sampling(max_new_tokens=12)
SAMPLED = language_model.Sampling(
  max_new_tokens=12, temperature=3.0, top_p=0.98, seed=5
)
LENGTHS = (3, 0, 17, 1, 28, 9, 17)
_DRAW = jax.jit(sampling_lib.draw, static_argnums=0)


@functools.cache
def prompts():
  generator = np.random.default_rng(0)
  return [generator.integers(2, 270, length) for length in LENGTHS]


def generate(name, sampling, some=None, has_ended=lambda _: False, **settings):
  settings = {'context_length': 40, 'batch_tokens': 256, **settings}
  model = models.language_model(name, **settings)
  return generation.generate(
    model.params,
    prompts() if some is None else some,
    sampling,
    has_ended,
    shape=model.shape,
    execution=model.execution,
    mesh=model.mesh,
    num_tokens=270,
    context_length=model.context_length,
    batch_tokens=model.batch_tokens,
  )


def plain(name, prompt, place, sampling):
  """One prompt, read anew for every token, without a cache or a batch."""
  draws = sampling_lib.Draws(
    np.uint32(sampling.seed),
    np.array([place], np.uint32),
    np.float32(sampling.temperature),
    np.float32(sampling.top_p),
  )
  tokens = []
  for number in range(sampling.max_new_tokens):
    logits = models.log_probabilities(
      models.shape(name), np.concatenate([prompt, tokens]).astype(int)
    )[-1]
    logits[[packing.PAD_ID, 270, 271]] = -np.inf
    (token,) = _DRAW(
      sampling_lib.kind(sampling),
      logits[None].astype(np.float32),
      draws,
      np.int32(number),
    ).tolist()
    if token == packing.EOS_ID:
      break
    tokens.append(token)
  return tokens


# Every choice is an argmax over 270 tokens, whose best two are seldom closer
# than the 1e-5 by which logits may round differently; with these seeds never.
@pytest.mark.parametrize(
  ('name', 'sampling'),
  [
    ('sequential_grouped', GREEDY),
    ('parallel_grouped', SAMPLED),
    pytest.param('sequential_grouped', SAMPLED, marks=pytest.mark.slow),
    pytest.param('sequential', GREEDY, marks=pytest.mark.slow),
    pytest.param('parallel', GREEDY, marks=pytest.mark.slow),
  ],
)
def test_batches_with_a_cache_are_rows_without(name, sampling):
  for place, found in enumerate(generate(name, sampling)):
    assert found == plain(name, prompts()[place], place, sampling), place


def test_texts_do_not_depend_on_what_is_computed_with_them():
  together = generate('parallel_grouped', SAMPLED)
  small = generate('parallel_grouped', SAMPLED, batch_tokens=1)  # row by row
  assert together == small
  some = prompts()[:3] + [np.arange(2, 30)] * 2
  assert generate('parallel_grouped', SAMPLED, some)[:3] == together[:3]


def test_only_tokens_of_texts_are_drawn_and_an_end_token_ends_a_row():
  # Nearly all tokens are equally likely.
  hot = language_model.Sampling(
    max_new_tokens=28, temperature=1e4, top_p=0.9999, seed=1
  )
  found = generate('parallel_grouped', hot, [prompts()[1]] * 24)
  lengths = [len(tokens) for tokens in found]
  # A row ends early with a probability of 1 - (1 - 1/269)**28 = 0.1.
  assert 0 < sum(length < 28 for length in lengths) < 12
  drawn = np.bincount(np.concatenate(found), minlength=272)
  # Each is drawn about twice: those that must not be would come, too.
  assert np.sum(drawn > 0) > 200
  assert not drawn[[packing.PAD_ID, packing.EOS_ID, 270, 271]].any()


STOPPING = language_model.Sampling(max_new_tokens=32, stop=('x',))


def test_the_loop_ends_soon_after_all_rows_have_ended():
  asked = []

  def has_ended(tokens):
    asked.append(len(tokens))
    return len(tokens) >= 17

  some = [prompts()[i] for i in (0, 1, 3)]
  found = generate('sequential_grouped', STOPPING, some, has_ended)
  assert asked == [1, 1, 1, 17, 17, 17]
  assert [len(tokens) for tokens in found] == [17, 17, 17]


def test_a_row_that_has_ended_does_not_change_the_others():
  some = [prompts()[i] for i in (0, 1, 3)]
  free = generate('sequential_grouped', STOPPING, some)
  assert {len(tokens) for tokens in free} == {32}

  def has_ended(tokens):
    return tokens[0] == free[1][0]

  found = generate('sequential_grouped', STOPPING, some, has_ended)
  assert [found[0], found[2]] == [free[0], free[2]]
  assert found[1][0] == free[1][0]
  assert not any(found[1][1:])
