import dataclasses
import functools
import math
import re

import jax
import numpy as np
import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import records
from codelaw.train import mesh as mesh_lib
from codelaw.train import step as step_lib

# Widths that 8 does not divide, and fewer key and value heads than the
# largest tensor axis: those axes stay whole.
SHAPE = accounting.ModelShape(
  vocab_size=44,
  width=20,
  num_layers=2,
  num_heads=4,
  head_dim=6,
  mlp_width=36,
  num_kv_heads=2,
)
SMALL = dataclasses.replace(SHAPE, num_layers=1)  # compiles faster
SETTINGS = records.OptimizerSettings(0.01, z_loss=1e-3)
MESHES = (
  (1, 2, 1),
  (1, 4, 1),
  (4, 1, 1),
  (1, 1, 4),
  (1, 8, 1),
  (2, 2, 2),
  (1, 4, 2),
  (2, 1, 4),
)
# float32 has 2^-23 = 1.2e-7; devices add up partial sums in another order.
# The greatest difference seen in five updates was 2.4e-7 for a sequence's loss
# and 1.4e-6 for a parameter of about 1.
LOSS_TOLERANCE = 2e-6
PARAMETER_TOLERANCE = 1e-5


def batches(number, batch_size=16, length=12):
  """Random tokens in documents of all lengths, rows padded at random."""
  generator = np.random.default_rng(0)
  size = (batch_size, length)
  for _ in range(number):
    starts = generator.random(size) < 0.2
    starts[:, 0] = True
    places = np.broadcast_to(np.arange(length), size)
    first = np.maximum.accumulate(np.where(starts, places, 0), axis=1)
    used = places < generator.integers(1, length + 1, (batch_size, 1))
    yield {
      'decoder_input_tokens': generator.integers(0, 44, size, np.int32),
      'decoder_target_tokens': generator.integers(0, 44, size, np.int32),
      'decoder_loss_weights': used.astype(np.float32),
      'decoder_segment_ids': np.cumsum(starts, 1, np.int32) * used,
      'decoder_positions': (places - first).astype(np.int32),
    }


def make_mesh(mesh_shape):
  """A mesh of the first devices."""
  devices = jax.devices()[: math.prod(mesh_shape)]
  return mesh_lib.make(execution_lib.MeshShape(*mesh_shape), devices)


def train(shape, mesh_shape=(1, 1, 1), microbatches=1, updates=4):
  """(first parameters, metrics of each update, last parameters)."""
  mesh = make_mesh(mesh_shape)
  execution = execution_lib.Execution(microbatches=microbatches)
  state = step_lib.init_state(shape, SETTINGS, 3, mesh)
  first = jax.device_get(state.params)
  update = step_lib.train_step(shape, SETTINGS, execution, mesh)
  metrics = []
  for batch in batches(updates):
    state, on_device = update(state, batch, np.float32(0.01))
    metrics.append(jax.device_get(on_device))
  return first, metrics, jax.device_get(state.params)


def check_same(some, others):
  """Initial parameters bit for bit, the rest within the tolerances."""
  jax.tree.map(np.testing.assert_array_equal, some[0], others[0])
  for ours, theirs in zip(some[1], others[1], strict=True):
    np.testing.assert_array_equal(ours.num_tokens, theirs.num_tokens)
    for name in ('loss_sums', 'z_loss', 'gradient_norm'):
      np.testing.assert_allclose(
        getattr(ours, name), getattr(theirs, name), rtol=LOSS_TOLERANCE
      )
  jax.tree.map(
    functools.partial(
      np.testing.assert_allclose, rtol=0, atol=PARAMETER_TOLERANCE
    ),
    some[2],
    others[2],
  )


@pytest.fixture(scope='module')
def on_one_device(on_eight_devices):
  return functools.cache(lambda shape: on_eight_devices(train, shape))


@pytest.mark.parametrize(
  ('mesh_shape', 'microbatches'), [((2, 2, 2), 2), ((1, 8, 1), 1)]
)
def test_a_mesh_trains_as_one_device_does(
  on_eight_devices, on_one_device, mesh_shape, microbatches
):
  check_same(
    on_eight_devices(train, SMALL, mesh_shape, microbatches),
    on_one_device(SMALL),
  )


@pytest.mark.slow
@pytest.mark.parametrize('microbatches', [1, 2])
@pytest.mark.parametrize('mesh_shape', MESHES)
@pytest.mark.parametrize('tied', [True, False])
@pytest.mark.parametrize('family', ['sequential', 'parallel'])
def test_every_mesh_trains_as_one_device_does(
  on_eight_devices, on_one_device, family, tied, mesh_shape, microbatches
):
  shape = dataclasses.replace(SHAPE, family=family, tie_embeddings=tied)
  check_same(
    on_eight_devices(train, shape, mesh_shape, microbatches),
    on_one_device(shape),
  )


@pytest.mark.slow
def test_microbatches_train_as_one_batch_does():
  check_same(train(SMALL, microbatches=4), train(SMALL))


def _memory(microbatches):
  shape = dataclasses.replace(SMALL, width=64, mlp_width=256, head_dim=16)
  mesh = make_mesh((1, 1, 1))
  return (
    step_lib.train_step(
      shape,
      SETTINGS,
      execution_lib.Execution(microbatches=microbatches),
      mesh,
    )
    .lower(
      step_lib.abstract_state(shape, SETTINGS, mesh),
      step_lib.abstract_batch(32, 64, mesh),
      np.float32(0),
    )
    .compile()
    .memory_analysis()
    .temp_size_in_bytes
  )


def test_microbatches_take_less_memory():
  # Activations are nearly all of it, and an eighth of them is alive at a time;
  # the sum of the gradients is added.
  assert _memory(8) < 0.25 * _memory(1)


def _where_state_lies():
  mesh = make_mesh((2, 2, 2))
  state = step_lib.init_state(SHAPE, SETTINGS, 0, mesh)
  abstract = step_lib.abstract_state(SHAPE, SETTINGS, mesh)
  return [
    [
      (jax.tree_util.keystr(path), leaf.sharding.spec)
      for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    ]
    for tree in (
      state.params,
      state.optimizer_state[1].mu,
      state.optimizer_state[1].nu,
      state.optimizer_state[1].count,
      abstract.params,
    )
  ]


def test_moments_lie_where_their_parameters_do(on_eight_devices):
  params, mu, nu, count, abstract = on_eight_devices(_where_state_lies)
  assert params == mu == nu == abstract
  assert count == [('', jax.sharding.PartitionSpec())]
  whole = {name for name, spec in params if not any(spec)}
  assert whole == {name for name, _ in params if 'scale' in name}


def _lowered(mesh_shape, microbatches):
  mesh = make_mesh(mesh_shape)
  return (
    step_lib.train_step(
      SMALL, SETTINGS, execution_lib.Execution(microbatches=microbatches), mesh
    )
    .lower(
      step_lib.abstract_state(SMALL, SETTINGS, mesh),
      step_lib.abstract_batch(16, 12, mesh),
      np.float32(0),
    )
    .compile()
    .as_text()
  )


def test_no_row_moves_to_another_device(on_eight_devices):
  text = on_eight_devices(_lowered, (4, 1, 1), 2)
  for operation in ('all-to-all', 'collective-permute'):
    assert operation not in text
  # Losses are gathered, but nothing of the 12 tokens of all rows.
  gathered = re.findall(r'= \w+\[(\S+)\]\S* all-gather\(', text)
  assert '16' in gathered
  assert not {'8,12', '16,12', '2,8,12'} & set(gathered)


@pytest.mark.parametrize(
  ('mesh_shape', 'dims', 'axes', 'spec'),
  [
    ((1, 4, 2), (44, 20), ('vocab', 'embed'), ('tensor', 'fsdp')),
    ((1, 2, 4), (20, 4, 6), ('embed', 'heads', 'head_dim'), ('fsdp', 'tensor')),
    ((1, 2, 4), (20, 2, 6), ('embed', 'kv_heads', 'head_dim'), ('fsdp',)),
    ((1, 8, 1), (20, 36), ('embed', 'mlp'), ()),
    ((8, 1, 1), (2, 20), ('layers', 'norm'), ()),
  ],
)
def test_axes_that_do_not_divide_stay_whole(mesh_shape, dims, axes, spec):
  mesh = jax.sharding.AbstractMesh(mesh_shape, mesh_lib.AXES)
  found = mesh_lib.parameter_sharding(mesh, dims, axes).spec
  assert tuple(found) == spec + (None,) * (len(dims) - len(spec))


@pytest.mark.parametrize(
  ('mesh_shape', 'batch_size', 'microbatches', 'advice'),
  [
    ((1, 8, 1), 2, 1, 'BATCH_SIZE to a multiple of 8, or MeshShape .*= 4'),
    ((1, 2, 1), 4, 4, 'multiple of 8, or Execution.microbatches to fewer.'),
    ((2, 2, 2), 6, 1, 'fsdp = 2 and MeshShape.tensor = 4'),
  ],
)
def test_batches_that_cannot_be_divided_are_refused(
  mesh_shape, batch_size, microbatches, advice
):
  mesh = jax.sharding.AbstractMesh(mesh_shape, mesh_lib.AXES)
  with pytest.raises(errors.UserError, match=advice):
    mesh_lib.check_batch(mesh, batch_size, microbatches)


def test_batches_that_can_be_divided_are_not():
  mesh = jax.sharding.AbstractMesh((2, 2, 2), mesh_lib.AXES)
  mesh_lib.check_batch(mesh, 8, 2)
