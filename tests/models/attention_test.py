import dataclasses
import math

import jax
from jax._src.cudnn import fused_attention_stablehlo as cudnn_calls
from jax.extend import core as extend_core
from jax.interpreters import partial_eval
import jax.numpy as jnp
import numpy as np
import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import execution
from codelaw.models import attention
from codelaw.models import transformer
from codelaw.train import mesh as mesh_lib

SHAPE = accounting.ModelShape(
  vocab_size=32,
  width=16,
  num_layers=2,
  num_heads=4,
  head_dim=8,
  mlp_width=16,
  num_kv_heads=2,
)


def _inputs(length, heads=4, kv_heads=2, head_dim=8, batch=2):
  """Queries, keys, values, segment ids: documents of all lengths, padding."""
  generator = np.random.default_rng(0)
  starts = generator.random((batch, length)) < 4 / length
  segment_ids = 1 + np.cumsum(starts, axis=1, dtype=np.int32)
  segment_ids[0, -length // 5 :] = 0

  def normal(num_heads):
    size = (batch, length, num_heads, head_dim)
    return generator.normal(size=size).astype(np.float32)

  return normal(heads), normal(kv_heads), normal(kv_heads), segment_ids


def _reference(q, k, v, segment_ids):
  """The definition, a query head at a time."""
  length, heads = q.shape[1:3]
  places = np.arange(length)
  outputs = []
  for row, ids in enumerate(segment_ids):
    seen = (places[:, None] >= places) & (ids[:, None] == ids)
    for head in range(heads):
      key_head = head * k.shape[2] // heads
      scores = q[row, :, head] @ k[row, :, key_head].T / math.sqrt(q.shape[3])
      weights = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf), axis=-1)
      outputs.append(weights @ v[row, :, key_head])
  stacked = jnp.stack(outputs).reshape(len(q), heads, length, -1)
  return stacked.swapaxes(1, 2)


def results(function, q, k, v, segment_ids):
  """Output, and the gradients of a fixed weighted sum of it."""
  weights = np.random.default_rng(1).normal(size=q.shape).astype(np.float32)

  def value(q, k, v):
    output = function(q, k, v, segment_ids)
    return jnp.sum(output * weights), output

  gradient = jax.jit(jax.grad(value, (0, 1, 2), has_aux=True))
  gradients, output = gradient(q, k, v)
  return jax.device_get((output, *gradients))


def by(implementation, mesh=None):
  """An implementation as a function of segment ids."""

  def function(q, k, v, segment_ids):
    context = attention.context(implementation, segment_ids)
    return attention.attend(implementation, q, k, v, context, mesh)

  return function


def _check(found, expected):
  # float32 has 2^-23 = 1.2e-7; results of order 1 come from some hundred terms
  # in another order.
  for one, other in zip(found, expected, strict=True):
    np.testing.assert_allclose(one, other, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize('kv_heads', [1, 2, 4])
def test_xla_is_the_definition(kv_heads):
  inputs = _inputs(24, kv_heads=kv_heads)
  _check(results(by('xla'), *inputs), results(_reference, *inputs))


@pytest.mark.parametrize(
  ('length', 'kv_heads', 'head_dim'),
  [
    (100, 2, 8),  # padded to one tile
    (128, 4, 16),
    pytest.param(600, 1, 8, marks=pytest.mark.slow),  # two by two tiles
  ],
)
def test_splash_is_the_definition(length, kv_heads, head_dim):
  inputs = _inputs(length, kv_heads=kv_heads, head_dim=head_dim)
  _check(results(by('splash'), *inputs), results(_reference, *inputs))


def test_splash_of_several_tiles(monkeypatch):
  monkeypatch.setattr(attention, '_SPLASH_BLOCK', 128)
  inputs = _inputs(300, heads=2, kv_heads=1)
  _check(results(by('splash'), *inputs), results(_reference, *inputs))


def on_mesh(implementation, inputs, mesh_shape):
  """`results` of an implementation on a mesh."""
  devices = jax.devices()[: math.prod(mesh_shape)]
  mesh = mesh_lib.make(execution.MeshShape(*mesh_shape), devices)
  return results(by(implementation, mesh), *inputs)


def test_splash_on_a_mesh(on_eight_devices):
  inputs = _inputs(20, batch=4)
  found = on_eight_devices(on_mesh, 'splash', inputs, (2, 2, 2))
  _check(found, results(_reference, *inputs))


def test_the_mask_that_cudnn_gets_is_the_definition(monkeypatch):
  # The kernel itself runs on GPUs only: the same call, by JAX's own einsums.
  call = jax.nn.dot_product_attention

  def by_einsums(*arguments, implementation, **settings):
    assert implementation == 'cudnn'
    return call(*arguments, implementation='xla', **settings)

  monkeypatch.setattr(jax.nn, 'dot_product_attention', by_einsums)
  inputs = _inputs(24)
  _check(results(by('cudnn'), *inputs), results(_reference, *inputs))


def test_cudnn_lowers_for_gpus(monkeypatch):
  monkeypatch.setattr(cudnn_calls, 'check_cudnn_version', lambda: 91000)
  q, k, v, segment_ids = _inputs(24)

  def value(q, k, v):
    output = by('cudnn')(q, k, v, segment_ids)
    return jnp.sum(output.astype(jnp.float32) ** 2)

  bfloat16 = [jnp.asarray(x, jnp.bfloat16) for x in (q, k, v)]
  text = (
    jax.jit(jax.grad(value, (0, 1, 2)))
    .trace(*bfloat16)
    .lower(lowering_platforms=('cuda',))
    .as_text()
  )
  assert '__cudnn$fmhaScaleBiasSoftmax' in text
  assert '__cudnn$fmhaScaleBiasSoftmaxBackward' in text


ODD = dataclasses.replace(SHAPE, head_dim=12)
WIDE = dataclasses.replace(SHAPE, head_dim=256)


@pytest.mark.parametrize(
  ('choice', 'shape', 'platform', 'dtype', 'tensor', 'expected'),
  [
    ('auto', SHAPE, 'cpu', 'float32', 1, 'xla'),
    ('auto', SHAPE, 'tpu', 'bfloat16', 1, 'splash'),
    ('auto', SHAPE, 'tpu', 'bfloat16', 2, 'splash'),
    ('auto', SHAPE, 'tpu', 'bfloat16', 4, 'xla'),  # two key heads
    ('auto', SHAPE, 'gpu', 'bfloat16', 1, 'cudnn'),
    ('auto', SHAPE, 'gpu', 'float32', 1, 'xla'),
    ('auto', ODD, 'gpu', 'bfloat16', 1, 'xla'),
    ('auto', WIDE, 'gpu', 'bfloat16', 1, 'xla'),
    ('xla', SHAPE, 'tpu', 'bfloat16', 4, 'xla'),
    ('splash', SHAPE, 'cpu', 'float32', 1, 'splash'),
    ('cudnn', SHAPE, 'gpu', 'bfloat16', 2, 'cudnn'),
  ],
)
def test_the_implementation_that_is_used(
  choice, shape, platform, dtype, tensor, expected
):
  found = attention.resolve(choice, shape, platform, dtype, tensor)
  assert found == expected


@pytest.mark.parametrize(
  ('choice', 'shape', 'platform', 'dtype', 'tensor', 'message'),
  [
    ('splash', SHAPE, 'gpu', 'bfloat16', 1, "'splash' is for TPUs.* gpu"),
    ('splash', SHAPE, 'tpu', 'bfloat16', 4, 'tensor = 4.* 4 query and 2 key'),
    ('cudnn', SHAPE, 'cpu', 'bfloat16', 1, 'NVIDIA GPUs.* cpu devices'),
    ('cudnn', SHAPE, 'gpu', 'float32', 1, 'compute_dtype is float32'),
    ('cudnn', ODD, 'gpu', 'bfloat16', 1, 'head_dim.* has 12; set it'),
    ('cudnn', SHAPE, 'gpu', 'bfloat16', 4, 'tensor = 4'),
  ],
)
def test_choices_that_cannot_work(
  choice, shape, platform, dtype, tensor, message
):
  with pytest.raises(errors.UserError, match=message):
    attention.resolve(choice, shape, platform, dtype, tensor)


def _operations(jaxpr):
  """Names of the operations of a program, those of kernels by their own."""
  names = []
  for equation in jaxpr.eqns:
    if equation.primitive.name == 'pallas_call':
      names.append(equation.params['name'])
      continue
    names.append(equation.primitive.name)
    for inner in extend_core.jaxprs_in_params(equation.params):
      names += _operations(inner)
  return names


def _counts(implementation, operation):
  """How often a gradient does something, by policy."""
  counts = {}
  for remat in execution.REMAT_POLICIES:
    model = transformer.Transformer(
      SHAPE, attention=implementation, remat=remat
    )
    tokens = jax.ShapeDtypeStruct((1, 128), jnp.int32)
    params = jax.eval_shape(model.init, jax.random.key(0), *[tokens] * 3)

    def value(params, *inputs, model=model):
      return jnp.sum(model.apply(params, *inputs, method='hidden'))

    jaxpr = jax.make_jaxpr(jax.grad(value))(params, *[tokens] * 3).jaxpr
    # Without what no result needs, as the compiler leaves it out.
    used, _ = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    counts[remat] = sum(
      name.startswith(operation) for name in _operations(used)
    )
  return counts


def test_results_of_the_kernel_are_kept_under_dots():
  counts = _counts('splash', 'splash_mha_fwd')
  assert counts == {'none': 1, 'dots': 1, 'full': 2}


def test_products_with_weights_are_kept_under_dots():
  counts = _counts('xla', 'dot_general')
  in_attention = 2  # scores and weighted values
  with_weights = 6  # all but the last one, whose result nothing needs
  assert counts['dots'] == counts['none'] + in_attention
  assert counts['full'] == counts['dots'] + with_weights
