"""Draws of next tokens: their distribution and what it depends on."""

import jax
import numpy as np
import pytest

from codelaw.evaluation import language_model
from codelaw.evaluation import sampling

PROBABILITIES = np.array([0.1, 0.4, 0.05, 0.25, 0.2])
NUM_DRAWS = 20_000
DRAW = jax.jit(sampling.draw, static_argnums=0)


def draws(num_rows, seed=0, temperature=1.0, top_p=1.0):
  return sampling.Draws(
    np.uint32(seed),
    np.arange(num_rows, dtype=np.uint32),
    np.float32(temperature),
    np.float32(top_p),
  )


def frequencies(kind, **settings):
  """Of each token, drawn once for each of many prompts."""
  # A constant changes nothing.
  logits = np.log(PROBABILITIES).astype(np.float32) + 3
  tokens = DRAW(
    kind,
    np.broadcast_to(logits, (NUM_DRAWS, 5)),
    draws(NUM_DRAWS, **settings),
    np.int32(7),
  )
  return np.bincount(tokens, minlength=5) / NUM_DRAWS


def check(found, expected):
  # Five standard errors of a frequency; seldom exceeded by chance.
  expected = np.array(expected) / np.sum(expected)
  margin = 5 * np.sqrt(expected * (1 - expected) / NUM_DRAWS)
  assert np.all(np.abs(found - expected) <= margin), (found, expected)


def test_draws_follow_the_probabilities():
  check(frequencies('temperature'), PROBABILITIES)


@pytest.mark.parametrize('temperature', [0.5, 2.0])
def test_temperature_is_a_power_of_the_probabilities(temperature):
  check(
    frequencies('temperature', temperature=temperature),
    PROBABILITIES ** (1 / temperature),
  )


@pytest.mark.parametrize(
  ('top_p', 'expected'),
  [
    (0.01, [0, 0.4, 0, 0, 0]),
    (0.39, [0, 0.4, 0, 0, 0]),
    (0.41, [0, 0.4, 0, 0.25, 0]),
    (0.64, [0, 0.4, 0, 0.25, 0]),
    (0.7, [0, 0.4, 0, 0.25, 0.2]),
    (0.96, PROBABILITIES),
  ],
)
def test_a_nucleus_is_the_smallest_set_of_enough_probability(top_p, expected):
  check(frequencies('nucleus', top_p=top_p), expected)


def test_a_nucleus_is_of_the_probabilities_at_the_temperature():
  # At temperature 0.5: 0.59 and 0.23 of the two most likely tokens.
  check(frequencies('nucleus', top_p=0.58, temperature=0.5), [0, 1, 0, 0, 0])
  assert frequencies('nucleus', top_p=0.6, temperature=0.5)[3] > 0


def test_the_most_likely_token_is_greedy():
  logits = np.array([[0.0, 2.0, 1.0], [3.0, -1.0, 2.9]], np.float32)
  found = DRAW('greedy', logits, draws(2), np.int32(0))
  np.testing.assert_array_equal(found, [1, 0])


def test_what_must_not_be_drawn_is_not():
  logits = np.array([[-np.inf, 0.0, -np.inf, 0.0]] * 500, np.float32)
  for kind in ('temperature', 'nucleus'):
    found = DRAW(
      kind, logits, draws(500, temperature=50, top_p=0.99), np.int32(0)
    )
    assert set(np.asarray(found).tolist()) == {1, 3}


@pytest.mark.parametrize('kind', ['temperature', 'nucleus'])
def test_a_draw_depends_on_seed_place_and_number_alone(kind):
  logits = np.zeros((64, 1000), np.float32)

  def drawn(given, number=3, rows=slice(None)):
    given = given._replace(places=given.places[rows])
    return np.asarray(
      DRAW(kind, logits[: len(given.places)], given, np.int32(number))
    )

  first = drawn(draws(64, top_p=0.999))
  few = [40, 2, 63]
  np.testing.assert_array_equal(
    drawn(draws(64, top_p=0.999), rows=few), first[few]
  )
  for other in (
    drawn(draws(64, seed=1, top_p=0.999)),
    drawn(draws(64, top_p=0.999), number=4),
    first[::-1],
  ):
    # Of 1,000 equal tokens, 64 rows have few in common.
    assert np.mean(first == other) < 0.1


def test_kinds():
  def kind(**settings):
    return sampling.kind(language_model.Sampling(**settings))

  assert kind() == kind(top_p=0.5) == 'greedy'
  assert kind(temperature=1.0) == 'temperature'
  assert kind(temperature=1.0, top_p=0.5) == 'nucleus'
