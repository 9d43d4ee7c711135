"""Counts of programs whose numbers are known, compiled by the TPU compiler."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from codelaw.train import compiled_program
from codelaw.train import program_text
from codelaw.train import topology

LAYERS = 5
WIDTH = 1024
ROWS = 256
# Bytes in bfloat16.
WEIGHT = 2 * WIDTH * WIDTH
ACTIVATION = 2 * ROWS * WIDTH


@pytest.fixture(scope='module')
def mesh():
  pytest.importorskip('libtpu')
  topology.prepare()
  devices = np.array(topology.devices('v5e:2x2')).reshape(4)
  return jax.sharding.Mesh(devices, 'x')


def counted(mesh, function, *arguments):
  abstract = [
    jax.ShapeDtypeStruct(
      dims,
      jnp.bfloat16,
      sharding=jax.sharding.NamedSharding(
        mesh, jax.sharding.PartitionSpec(*spec)
      ),
    )
    for dims, spec in arguments
  ]
  mapped = jax.shard_map(
    function,
    mesh=mesh,
    in_specs=tuple(jax.sharding.PartitionSpec(*spec) for _, spec in arguments),
    out_specs=jax.sharding.PartitionSpec('x'),
    check_vma=False,
  )
  compiled = jax.jit(mapped).lower(*abstract).compile()
  return compiled_program.count(program_text.read(compiled.as_text()))


@pytest.fixture(scope='module')
def layers(mesh):
  """Five layers whose weights are gathered, then a sum over the chips."""

  def run(x, weights):
    def layer(x, weight):
      whole = jax.lax.all_gather(weight, 'x', axis=0, tiled=True)
      return jnp.tanh(x @ whole), None

    x, _ = jax.lax.scan(layer, x, weights)
    return jax.lax.psum_scatter(x, 'x', scatter_dimension=0, tiled=True)

  return counted(
    mesh,
    run,
    ((4 * ROWS, WIDTH), ('x',)),
    ((LAYERS, WIDTH, WIDTH), (None, 'x')),
  )


def test_flops_of_a_loop(layers):
  assert layers.unknown_loops == ()
  assert layers.matrix_flops == LAYERS * 2 * ROWS * WIDTH * WIDTH


def test_collectives_of_a_loop(layers):
  totals = {}
  for one in layers.collectives:
    totals[one.kind] = totals.get(one.kind, 0) + one.times * one.size
    assert one.group_size == 4
  assert totals['all-gather'] == LAYERS * WEIGHT
  assert sum(totals.values()) - totals['all-gather'] == ACTIVATION


def test_hbm_traffic_of_a_loop(layers):
  # Read: its part of the weights and the input, at least once; the rest fits
  # the chip's scratchpad. Written: the result.
  least = LAYERS * WEIGHT / 4 + ACTIVATION + ACTIVATION / 4
  assert least <= layers.hbm_bytes <= 3 * least + 2 * LAYERS * WEIGHT


def test_a_product_of_matrices_alone(mesh):
  size = 4096
  found = counted(
    mesh,
    lambda x, y: x @ y,
    ((4 * size, size), ('x',)),
    ((size, size), ()),
  )
  assert found.collectives == ()
  assert found.kernels == ()
  assert found.matrix_flops == 2 * size**3
  # Both factors read, the product written, in bfloat16.
  assert found.hbm_bytes == 3 * 2 * size**2
  # The compiler expects 60 to 100% of the peak, 4 x 128 x 128 a cycle.
  cycles = size**3 / (4 * 128 * 128)
  assert cycles < found.cycles < cycles / 0.6


def test_what_a_fused_slice_and_update_move():
  text = """
%fused (stack: f32[16,8,128], k: s32[], new: f32[1,8,128]) -> f32[16,8,128] {
  %stack = f32[16,8,128]{2,1,0} parameter(0)
  %k = s32[] parameter(1)
  %new = f32[1,8,128]{2,1,0} parameter(2)
  %zero = s32[] constant(0)
  %old = f32[1,8,128]{2,1,0} dynamic-slice(%stack, %k, %zero, %zero)
  %sum = f32[1,8,128]{2,1,0} add(%old, %new)
  ROOT %put = f32[16,8,128]{2,1,0} dynamic-update-slice(%stack, %sum, %k)
}

ENTRY %main (a: f32[16,8,128], i: s32[], b: f32[1,8,128]) -> f32[16,8,128] {
  %a = f32[16,8,128]{2,1,0} parameter(0)
  %i = s32[]{:S(2)} parameter(1)
  %b = f32[1,8,128]{2,1,0:S(1)} parameter(2)
  ROOT %f = f32[16,8,128]{2,1,0} fusion(%a, %i, %b), kind=kLoop, calls=%fused
}
"""
  text = text.replace(
    '%new = f32[1,8,128]{2,1,0}', '%new = f32[1,8,128]{2,1,0:S(1)}'
  )
  text = text.replace('%k = s32[] param', '%k = s32[]{:S(2)} param')
  program = program_text.read(text)
  main = program.computations['main']
  moved = compiled_program.hbm_bytes(program, main, main.root)
  assert moved == 2 * 8 * 128 * 4  # one layer read, one written
