"""Model FLOPs utilisation (MFU) of paper B's models on this accelerator.

The train step of `codelaw train`, on random tokens in documents that fill
their sequences, over all devices of JAX's default platform. The batch is the
largest power of two that fits, unless given. After a warm-up each step is
timed to its end on the device; the speed is that of the median step.

MFU is the FLOPs that `accounting` counts for these tokens, divided by the time
and by the published dense bf16 peak of the devices. What rematerialisation
computes again is not counted. Beside it stand the shares that the paper's TPU
figures imply: 17% for 470M and 34% for 2.8B.
"""

import argparse
import contextlib
import dataclasses
import statistics
import sys
import time
from typing import Any

import jax
import numpy as np

from codelaw import accounting
from codelaw import compilation_cache
from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import records
from codelaw.cli import gin_config
from codelaw.train import mesh as mesh_lib
from codelaw.train import step as step_lib

_SETTINGS = records.OptimizerSettings(peak_learning_rate=1.0)
_LEARNING_RATE = np.float32(1e-4)
_LARGEST_BATCH = 256
_USABLE = 0.92  # of a device's memory: the rest is fragments and programs.


@dataclasses.dataclass(frozen=True)
class DeviceModel:
  """What is taken from a model's gin file."""

  shape: accounting.ModelShape


def main(arguments: list[str]) -> None:
  """Parses the flags, measures, prints."""
  parser = argparse.ArgumentParser(
    prog='tools/bench device',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument(
    '--models',
    default='parallel_470m,parallel_2b8',
    help='files of gin_configs/models/, without .gin',
  )
  parser.add_argument(
    '--batch_size', type=int, default=0, help='sequences; 0: what fits'
  )
  parser.add_argument('--sequence_length', type=int, default=8192)
  parser.add_argument(
    '--remat', default='dots', choices=execution_lib.REMAT_POLICIES
  )
  parser.add_argument('--steps', type=int, default=20, help='timed')
  parser.add_argument('--warm_up', type=int, default=3, help='steps')
  parser.add_argument(
    '--trace_dir', help='for a profile of the last steps, for TensorBoard'
  )
  parser.add_argument(
    '--allow_cpu',
    action='store_true',
    help='to try this program with a small model; says nothing of speed',
  )
  args = parser.parse_args(arguments)
  device = jax.devices()[0]
  if device.platform == 'cpu' and not args.allow_cpu:
    raise errors.UserError(
      'JAX sees no accelerator on this machine; run it where there is a GPU or'
      ' TPU, with the jax for it installed.'
    )
  compilation_cache.enable()
  mesh = mesh_lib.make(execution_lib.MeshShape())
  print(
    f'{mesh.size} x {device.device_kind}, sequences of'
    f' {args.sequence_length:,} tokens, remat {args.remat}'
  )
  for name in args.models.split(','):
    _measure(name, mesh, args)


def _measure(name: str, mesh: jax.sharding.Mesh, args) -> None:
  shape = _shape(name)
  execution = execution_lib.Execution(remat=args.remat)
  batch_size, compiled = _fitting(shape, execution, mesh, args)
  state = step_lib.init_state(shape, _SETTINGS, 0, mesh)
  batch = _batch(shape, batch_size, args.sequence_length, mesh)
  seconds, losses = [], []
  for index in range(args.warm_up + args.steps):
    began = time.perf_counter()
    state, metrics = compiled(state, batch, _LEARNING_RATE)
    losses.append(float(np.sum(jax.device_get(metrics.loss_sums))))
    if index >= args.warm_up:
      seconds.append(time.perf_counter() - began)
  with _trace(args.trace_dir):  # Of steps that are not timed.
    for _ in range(3 if args.trace_dir else 0):
      state, metrics = compiled(state, batch, _LEARNING_RATE)
    jax.block_until_ready(metrics)
  if not losses[-1] < losses[0]:
    raise errors.UserError(
      f'The loss of {name} went from {losses[0]:g} to {losses[-1]:g} on one'
      ' batch: it does not learn, so its speed is of no interest.'
    )
  tokens = batch_size * args.sequence_length
  _report(name, shape, mesh, tokens, args.sequence_length, seconds)


def _report(name, shape, mesh, tokens, length, seconds) -> None:
  median = statistics.median(seconds)
  flops = accounting.train_flops_per_token(shape, length) * tokens / median
  peak = accounting.peak_flops_per_second(mesh.devices.flat[0].device_kind)
  mfu = (
    'no published peak for this device'
    if peak is None
    else f'MFU {flops / mesh.size / peak:.1%}'
  )
  print(
    f'{name}: {accounting.num_params(shape):,} parameters, {tokens:,} tokens a'
    f' step, {median:.4f} s ({min(seconds):.4f} to {max(seconds):.4f}),'
    f' {tokens / median:,.0f} tokens/s,'
    f' {flops / mesh.size / 1e12:.3g} TFLOP/s per device, {mfu}',
    flush=True,
  )


def _shape(name: str) -> accounting.ModelShape:
  args = argparse.Namespace(
    gin_file=[f'models/{name}.gin'],
    gin_search_paths=[],
    gin_bindings=[f'DeviceModel.shape = @{name}/ModelShape()'],
  )
  return gin_config.load(args, DeviceModel, (accounting.ModelShape,)).shape


def _fitting(shape, execution, mesh, args) -> tuple[int, Any]:
  """The batch size and the step compiled for it."""
  if args.batch_size:
    return args.batch_size, _compiled(
      shape, execution, mesh, args.batch_size, args.sequence_length
    )
  batch_size = _LARGEST_BATCH
  while batch_size >= mesh.size:
    with contextlib.suppress(jax.errors.JaxRuntimeError):  # The compiler's.
      compiled = _compiled(
        shape, execution, mesh, batch_size, args.sequence_length
      )
      if _fits(compiled, mesh):
        return batch_size, compiled
    batch_size //= 2
  raise errors.UserError(
    f'Not even one sequence of {args.sequence_length:,} tokens per device fits;'
    ' try --remat=full, or a smaller --sequence_length.'
  )


def _compiled(shape, execution, mesh, batch_size, length):
  return (
    step_lib.train_step(shape, _SETTINGS, execution, mesh)
    .lower(
      step_lib.abstract_state(shape, _SETTINGS, mesh),
      step_lib.abstract_batch(batch_size, length, mesh),
      jax.ShapeDtypeStruct((), np.float32),
    )
    .compile()
  )


def _fits(compiled, mesh) -> bool:
  used = compiled.memory_analysis()
  needed = (
    used.argument_size_in_bytes
    + used.output_size_in_bytes
    + used.temp_size_in_bytes
    - used.alias_size_in_bytes
  )
  stats = mesh.devices.flat[0].memory_stats() or {}
  return needed < _USABLE * stats.get('bytes_limit', np.inf)


def _batch(shape, batch_size, length, mesh):
  tokens = np.random.default_rng(0).integers(
    1, shape.vocab_size, (batch_size, length + 1), dtype=np.int32
  )
  ones = np.ones((batch_size, length), np.int32)
  return jax.device_put(
    {
      'decoder_input_tokens': tokens[:, :-1],
      'decoder_target_tokens': tokens[:, 1:],
      'decoder_loss_weights': ones.astype(np.float32),
      'decoder_segment_ids': ones,
      'decoder_positions': np.cumsum(ones, axis=1, dtype=np.int32) - 1,
    },
    mesh_lib.batch_sharding(mesh),
  )


def _trace(folder: str | None):
  return jax.profiler.trace(folder) if folder else contextlib.nullcontext()


if __name__ == '__main__':
  try:
    main(sys.argv[1:])
  except errors.UserError as error:
    print(f'tools/bench device: {error}', file=sys.stderr)
    sys.exit(2)
