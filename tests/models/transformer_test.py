import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from codelaw import accounting
from codelaw import execution
from codelaw.models import transformer

SEQUENTIAL = accounting.ModelShape(
  vocab_size=32,
  width=8,
  num_layers=2,
  num_heads=4,
  head_dim=4,
  mlp_width=12,
  num_kv_heads=2,
)
PARALLEL = dataclasses.replace(
  SEQUENTIAL, family='parallel', tie_embeddings=False, num_kv_heads=0
)
TOKENS = np.array([[0, 5, 6, 7, 0, 9, 10, 11]], np.int32)
SEGMENTS = np.array([[1, 1, 1, 1, 2, 2, 2, 0]], np.int32)
POSITIONS = np.array([[0, 1, 2, 3, 0, 1, 2, 0]], np.int32)


def _init(model):
  return model.init(jax.random.key(0), TOKENS, SEGMENTS, POSITIONS)


@functools.cache
def _variables(shape):
  return jax.jit(lambda: _init(transformer.Transformer(shape)))()


def _logits(model, variables, *inputs):
  return jax.jit(model.apply)(variables, *inputs)


def _built_params(shape):
  """(all parameters, all but the vocabulary tables) of the built tree."""
  tree = jax.eval_shape(lambda: _init(transformer.Transformer(shape)))['params']
  sizes = {name: 0 for name in tree}
  for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
    sizes[path[0].key] += leaf.size
  total = sum(sizes.values())
  return total, total - sizes['embedding'] - sizes.get('output', 0)


@pytest.mark.parametrize('shape', [SEQUENTIAL, PARALLEL])
@pytest.mark.parametrize(
  ('attention', 'remat'),
  [
    *(('xla', remat) for remat in execution.REMAT_POLICIES),
    ('splash', 'none'),
    pytest.param('splash', 'dots', marks=pytest.mark.slow),
    pytest.param('splash', 'full', marks=pytest.mark.slow),
  ],
)
def test_only_earlier_tokens_of_the_same_document_count(
  shape, attention, remat
):
  model = transformer.Transformer(shape, attention=attention, remat=remat)
  params = _variables(shape)['params']
  places = np.arange(8, dtype=np.int32)[None]  # token i is row i of the table

  def hidden(rows):
    embedding = params['embedding'].at[:8].set(rows)
    return model.apply(
      {'params': params | {'embedding': embedding}},
      places,
      SEGMENTS,
      POSITIONS,
      method='hidden',
    )[0]

  jacobian = jax.jit(jax.jacrev(hidden))(params['embedding'][TOKENS[0]])
  depends = np.any(np.asarray(jacobian) != 0, axis=(1, 3))  # [to, from]
  earlier = np.tril(np.ones((8, 8), bool))
  together = SEGMENTS[0][:, None] == SEGMENTS[0][None, :]
  np.testing.assert_array_equal(depends, earlier & together)


def test_a_document_reads_the_same_wherever_it_is_packed():
  model = transformer.Transformer(SEQUENTIAL)
  variables = _variables(SEQUENTIAL)
  packed = _logits(model, variables, TOKENS, SEGMENTS, POSITIONS)[0, 4:7]
  alone = _logits(
    model,
    variables,
    TOKENS[:, 4:7],
    np.ones((1, 3), np.int32),
    POSITIONS[:, 4:7],
  )[0]
  # Sums over 8 keys instead of 3 may round differently.
  np.testing.assert_allclose(packed, alone, atol=1e-6)


def test_rotation_depends_on_the_distance_only():
  def score(query_place, key_place):
    places = jnp.array([[query_place, key_place]])
    cosine, sine = transformer.rotary_angles(places, 4, 100.0)
    pair = jnp.array([[[[1.0, 2.0, 3.0, 4.0]], [[0.5, -1.0, 2.0, 1.0]]]])
    turned = transformer.rotate(pair, cosine, sine)[0, :, 0]
    return float(turned[0] @ turned[1])

  assert score(0, 0) == pytest.approx(8.5)  # 0.5 - 2 + 6 + 4, unturned
  assert score(7, 4) == pytest.approx(score(3, 0), abs=1e-5)
  assert score(7, 4) != pytest.approx(score(4, 4), abs=1e-2)


def test_the_first_pair_turns_by_one_radian_per_place():
  cosine, sine = transformer.rotary_angles(jnp.array([[1]]), 4, 100.0)
  unit = jnp.array([[[[1.0, 0.0, 0.0, 0.0]]]])
  turned = transformer.rotate(unit, cosine, sine)[0, 0, 0]
  np.testing.assert_allclose(
    turned, [np.cos(1.0), 0.0, np.sin(1.0), 0.0], atol=1e-6
  )


@pytest.mark.parametrize('family', accounting.FAMILIES)
@pytest.mark.parametrize('kv_heads', [0, 1, 2])
@pytest.mark.parametrize('tied', [False, True])
def test_counts_equal_the_built_tree(family, kv_heads, tied):
  shape = dataclasses.replace(
    SEQUENTIAL, family=family, num_kv_heads=kv_heads, tie_embeddings=tied
  )
  assert _built_params(shape) == (
    accounting.num_params(shape),
    accounting.num_params_no_embed(shape),
  )


def test_layers_in_one_loop_or_unrolled_are_the_same_model():
  looped = transformer.Transformer(SEQUENTIAL)
  unrolled = transformer.Transformer(SEQUENTIAL, unroll=2)
  arguments = (_variables(SEQUENTIAL), TOKENS, SEGMENTS, POSITIONS)
  # Their fusions may round differently.
  np.testing.assert_allclose(
    _logits(looped, *arguments), _logits(unrolled, *arguments), atol=1e-6
  )


def test_bfloat16_keeps_parameters_and_logits_in_float32():
  model = transformer.Transformer(SEQUENTIAL, dtype=jnp.bfloat16)
  variables = _variables(SEQUENTIAL)
  assert jax.eval_shape(lambda: _init(model)) == jax.eval_shape(
    lambda: variables
  )
  arguments = (variables, TOKENS, SEGMENTS, POSITIONS)
  logits = _logits(model, *arguments)
  assert logits.dtype == jnp.float32
  exact = _logits(transformer.Transformer(SEQUENTIAL), *arguments)
  # bfloat16 keeps 8 bits; the logits are of order 1.
  np.testing.assert_allclose(logits, exact, atol=0.05)


@pytest.mark.parametrize(
  ('shape', 'subtracts'), [(SEQUENTIAL, False), (PARALLEL, True)]
)
def test_norms_of_the_families(shape, subtracts):
  # One layer without effect: what is left is the final norm of the embedding.
  params = jax.tree.map(np.array, _variables(shape)['params'])
  for name in ('attention', 'mlp'):
    params['layers'][name]['output' if name == 'attention' else 'down'][
      'kernel'
    ][:] = 0
  scale = np.linspace(0.5, 2.0, shape.width, dtype=np.float32)
  params['final_norm']['scale'] = scale
  rows = params['embedding'][TOKENS] + 0.25
  params['embedding'] += 0.25
  if subtracts:
    rows = rows - rows.mean(axis=-1, keepdims=True)
  expected = rows / np.sqrt(np.mean(rows**2, axis=-1, keepdims=True) + 1e-6)
  hidden = transformer.Transformer(shape).apply(
    {'params': params}, TOKENS, SEGMENTS, POSITIONS, method='hidden'
  )
  # Variances by one pass over the values lose a few of 24 bits.
  np.testing.assert_allclose(
    hidden, expected * scale * shape.width**-0.5, rtol=1e-5, atol=1e-6
  )


@pytest.mark.parametrize('shape', [SEQUENTIAL, PARALLEL])
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_tokens_after_a_cache_read_as_in_one_pass(shape, dtype):
  model = transformer.Transformer(shape, dtype=jnp.dtype(dtype))
  variables = _variables(shape)
  tokens = np.array([[0, 5, 6, 7, 8, 9], [0, 21, 3, 4, 30, 2]], np.int32)
  positions = np.broadcast_to(np.arange(6, dtype=np.int32), tokens.shape)

  @functools.partial(jax.jit, static_argnames=('method', 'mutable'))
  def apply(variables, *inputs, method, mutable=()):
    return model.apply(variables, *inputs, method=method, mutable=mutable)

  whole = _logits(model, variables, tokens, np.ones_like(tokens), positions)
  # Prompts of 3 and 2 tokens, padded to 4 places, and 2 places for more.
  lengths = np.array([[3], [2]], np.int32)
  inside = (np.arange(4) < lengths).astype(np.int32)
  prompt = apply(
    variables,
    tokens[:, :4] * inside,
    inside,
    positions[:, :4] * inside,
    method='hidden',
    mutable=('new',),
  )
  cache = jax.tree.map(
    lambda x: np.pad(np.asarray(x), ((0, 0), (0, 0), (0, 2), (0, 0), (0, 0))),
    prompt[1]['new'],
  )
  in_cache = cache['layers']['attention']['keys']
  assert in_cache.shape == (2, 2, 6, shape.kv_heads, shape.head_dim)
  assert in_cache.dtype == model.dtype
  # Sums over keys in another order; of order 1 in 24 or 8 bits.
  tolerance = {'float32': 1e-5, 'bfloat16': 0.05}[dtype]
  for row, length in enumerate(lengths[:, 0]):
    np.testing.assert_allclose(
      apply(variables, prompt[0], method='logits')[0][row, :length],
      whole[row, :length],
      atol=tolerance,
    )
  visible = np.arange(6) < lengths
  for number in range(2):
    places = lengths + number
    hidden, more = apply(
      variables | {'cache': cache},
      np.take_along_axis(tokens, places, axis=1),
      None,
      places,
      visible,
      method='hidden',
      mutable=('new',),
    )
    logits, _ = apply(variables, hidden, method='logits')
    np.testing.assert_allclose(
      logits,
      np.take_along_axis(np.asarray(whole), places[..., None], axis=1),
      atol=tolerance,
    )
    for name, new in more['new']['layers']['attention'].items():
      cache['layers']['attention'][name][:, :, 4 + number] = new[:, :, 0]
    visible = visible | (np.arange(6) == 4 + number)


def test_training_keeps_no_cache():
  model = transformer.Transformer(SEQUENTIAL)
  assert set(jax.eval_shape(lambda: _init(model))) == {'params'}
  _, kept = jax.eval_shape(
    lambda variables: model.apply(
      variables, TOKENS, SEGMENTS, POSITIONS, mutable=['batch_stats']
    ),
    _variables(SEQUENTIAL),
  )
  assert not kept
