"""The next token of each row, from its logits.

A draw is the maximum of logits / temperature + Gumbel noise, whose
distribution is the softmax (Gumbel, 1954). The noise of a draw follows from
the seed, the place of the prompt and the number of the token, and from nothing
else: what is computed together does not matter. Nucleus sampling (`top_p`) is
that of Holtzman et al. (2020, arXiv:1904.09751, section 3.1).

Shape suffixes: B batch, V vocabulary.
"""

from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp

from codelaw.evaluation import language_model

# A kind is part of the program; the values of `Draws` are not.
KINDS = ('greedy', 'temperature', 'nucleus')


class Draws(NamedTuple):
  """What the draws of a batch depend on.

  Attributes:
    seed: uint32 [].
    places: uint32 [B], of the prompts among all.
    temperature: float32 [], above 0; greedy draws do not read it.
    top_p: float32 [].
  """

  seed: Any
  places: Any
  temperature: Any
  top_p: Any


def kind(sampling: language_model.Sampling) -> str:
  """The one of `KINDS` that these settings ask for."""
  if sampling.temperature == 0:
    return 'greedy'
  return 'temperature' if sampling.top_p == 1 else 'nucleus'


def draw(
  kind: str, logits_BV: jax.Array, draws: Draws, number: jax.Array
) -> jax.Array:
  """Tokens, int32 [B].

  Args:
    kind: of `KINDS`.
    logits_BV: float32; -inf where a token must not be drawn.
    draws: of the batch.
    number: int32 [], of the token in its text.
  """
  if kind == 'greedy':
    return jnp.argmax(logits_BV, axis=-1).astype(jnp.int32)
  highest = jnp.max(logits_BV, axis=-1, keepdims=True)
  scores_BV = (logits_BV - highest) / draws.temperature

  of_seed = jax.random.key(draws.seed)

  def noise_of_row(place):
    key = jax.random.fold_in(jax.random.fold_in(of_seed, place), number)
    return jax.random.gumbel(key, scores_BV.shape[1:])

  noise_BV = jax.vmap(noise_of_row)(draws.places)
  if kind == 'nucleus':
    scores_BV = _nucleus(scores_BV, draws.top_p)
  return jnp.argmax(scores_BV + noise_BV, axis=-1).astype(jnp.int32)


def _nucleus(scores_BV, top_p):
  """-inf outside of the smallest set whose probability is at least `top_p`.

  Tokens as likely as the last one of the set are in it.
  """
  falling_BV = -jnp.sort(-scores_BV, axis=-1)
  shares_BV = jax.nn.softmax(falling_BV, axis=-1)
  before_BV = jnp.cumsum(shares_BV, axis=-1) - shares_BV
  # The first token is kept always: nothing is before it.
  kept_BV = before_BV < top_p
  least = jnp.min(
    jnp.where(kept_BV, falling_BV, jnp.inf), axis=-1, keepdims=True
  )
  return jnp.where(scores_BV >= least, scores_BV, -jnp.inf)
