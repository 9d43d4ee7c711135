"""The train step of a run, compiled for a TPU slice that is not there.

`compile_step` runs the real TPU compiler on the step that `codelaw train`
would run, on abstract arrays: no shards, no parameters, no chips. `report`
says what it needs and how long it takes at the least; `nearest_fit` looks for
the smallest change of a run that does not fit.

Definitions owned here:
  HBM per chip: arguments (parameters, optimizer state, batch, each by its
    sharding, and what tiles add to them), results that do not take over an
    argument's place, temporaries (activations, gradients, gathered
    parameters: what is alive at the worst moment), and the program.
  chip-hours: chips x steps of the run x seconds of a step. Compilation,
    input, evaluation and checkpoints are not in it.
"""

from collections.abc import Callable
from collections.abc import Iterator
import dataclasses
import functools
import math
import re
import time
from typing import Any

import jax
import numpy as np

from codelaw import accounting
from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import records
from codelaw.train import compiled_program
from codelaw.train import mesh as mesh_lib
from codelaw.train import program_text
from codelaw.train import roofline as roofline_lib
from codelaw.train import step as step_lib
from codelaw.train import topology as topology_lib

HBM_BYTES = accounting.CHIPS[topology_lib.DEVICE_KIND].hbm_bytes
_USED = re.compile(r'Used ([\d.]+)([KMGT]) of')
_UNITS = {'K': 2**10, 'M': 2**20, 'G': 2**30, 'T': 2**40}


@dataclasses.dataclass(frozen=True)
class Memory:
  """Bytes of HBM on each chip, by kind; see the module."""

  parameters: int
  optimizer_state: int
  batch: int
  tile_padding: int
  results: int
  temporaries: int
  program: int

  @property
  def total(self) -> int:
    """All of it."""
    return sum(dataclasses.astuple(self))


@dataclasses.dataclass(frozen=True)
class Report:
  """Of one compiled step.

  Attributes:
    topology: the slice.
    num_chips: of the slice.
    execution: as asked for.
    attention: the implementation that was taken.
    compute_dtype: that was taken.
    mesh: devices along each axis.
    params_by_group: of `accounting.params_by_group`.
    tokens_per_step: token slots of a global batch.
    num_steps: of the run.
    num_tokens: of the run: steps x tokens of a step.
    flops_per_step: of all chips, by `accounting`.
    fits: whether the compiler placed it and it is at most the chip's HBM.
    message: what the compiler said, where it does not fit.
    used_bytes: HBM per chip; what the compiler asked for where it gave up.
    memory: HBM by kind; None where the compiler gave up.
    roofline: times of a step; None where the compiler gave up.
    counts: of the program; None where the compiler gave up.
    compile_seconds: what compiling took here.
  """

  topology: str
  num_chips: int
  execution: execution_lib.Execution
  attention: str
  compute_dtype: str
  mesh: dict[str, int]
  params_by_group: dict[str, int]
  tokens_per_step: int
  num_steps: int
  num_tokens: int
  flops_per_step: float
  fits: bool
  message: str
  used_bytes: float
  memory: Memory | None
  roofline: roofline_lib.Roofline | None
  counts: compiled_program.Counts | None
  compile_seconds: float

  def chip_hours(self, step_seconds: float) -> float:
    """Of the whole run, with steps of that length."""
    return self.num_chips * self.num_steps * step_seconds / 3600


def compile_step(
  plan: records.RunPlan,
  execution: execution_lib.Execution,
  topology: str,
) -> Report:
  """Compiles the run's train step for a slice and measures the program.

  `topology.prepare` must have been called before JAX was used.

  Raises:
    UserError: when mesh, batch or attention do not suit the slice.
  """
  mesh = mesh_lib.make(execution.mesh, topology_lib.devices(topology))
  mesh_lib.check_batch(mesh, plan.batch_size, execution.microbatches)
  module = step_lib.model(plan.model, execution, mesh)
  state = step_lib.abstract_state(plan.model, plan.optimizer, mesh)
  batch = step_lib.abstract_batch(plan.batch_size, plan.sequence_length, mesh)
  step: Any = step_lib.train_step(plan.model, plan.optimizer, execution, mesh)
  rate = jax.ShapeDtypeStruct((), np.float32)
  flops = plan.tokens_per_step * accounting.train_flops_per_token(
    plan.model, plan.sequence_length
  )
  start = time.monotonic()
  report = functools.partial(
    Report,
    topology=topology,
    num_chips=mesh.size,
    execution=execution,
    attention=module.attention,
    compute_dtype=np.dtype(module.dtype).name,
    mesh=dict(mesh.shape),
    params_by_group=accounting.params_by_group(plan.model),
    tokens_per_step=plan.tokens_per_step,
    num_steps=plan.num_steps,
    num_tokens=plan.num_steps * plan.tokens_per_step,
    flops_per_step=flops,
  )
  try:
    compiled = step.lower(state, batch, rate).compile()
  except jax.errors.JaxRuntimeError as error:
    if 'RESOURCE_EXHAUSTED' not in str(error):
      raise
    return report(
      fits=False,
      message=_first_sentences(str(error)),
      used_bytes=_used_bytes(str(error)),
      memory=None,
      roofline=None,
      counts=None,
      compile_seconds=time.monotonic() - start,
    )
  seconds = time.monotonic() - start
  counts = compiled_program.count(program_text.read(compiled.as_text()))
  memory = _memory(compiled.memory_analysis(), state, batch)
  kernel_flops = roofline_lib.kernel_flops(
    counts.kernels,
    plan.model,
    plan.sequence_length,
    plan.tokens_per_step / execution.microbatches / mesh.size,
  )
  return report(
    fits=memory.total <= HBM_BYTES,
    message='',
    used_bytes=memory.total,
    memory=memory,
    roofline=roofline_lib.estimate(
      counts,
      flops / mesh.size,
      kernel_flops,
      mesh,
      topology_lib.grid(topology),
    ),
    counts=counts,
    compile_seconds=seconds,
  )


def nearest_fit(
  plan: records.RunPlan,
  execution: execution_lib.Execution,
  topology: str,
  say: Callable[[str], None],
) -> tuple[str, Report] | None:
  """The first of `changes` with which the step fits, by compiling each.

  Args:
    plan: of the run.
    execution: with which it does not fit.
    topology: on which it does not fit.
    say: is told what is tried.

  Returns:
    The change in words and its report; None when none fits.
  """
  for words, changed, slice_name in changes(plan, execution, topology):
    say(f'trying {words} (up to a minute or two)')
    try:
      report = compile_step(plan, changed, slice_name)
    except errors.UserError:
      continue  # heads or rows that this mesh does not divide
    if report.fits:
      return words, report
  return None


def changes(
  plan: records.RunPlan,
  execution: execution_lib.Execution,
  topology: str,
) -> Iterator[tuple[str, execution_lib.Execution, str]]:
  """Changes that save memory, the nearest first: (words, execution, slice).

  More of the activations computed again, then twice as many microbatches
  until each has one sequence a chip, then twice the tensor axis, then larger
  slices. What is changed stays changed, but a larger slice starts from what
  was asked for. Where parameters and optimizer state alone do not fit, only
  larger slices are left.
  """
  chips = topology_lib.num_chips(topology)
  state_bytes = 12 * accounting.num_params(plan.model) / chips
  if state_bytes < HBM_BYTES:
    yield from _changes_on_slice(plan, execution, topology)
  changed = execution
  while (found := topology_lib.larger(topology)) is not None:
    topology = found
    changed = dataclasses.replace(
      execution, mesh=dataclasses.replace(execution.mesh, fsdp=-1, data=1)
    )
    yield f'--topology={topology}', changed, topology
    if execution.remat != 'full':
      full = dataclasses.replace(changed, remat='full')
      yield f"--topology={topology}, Execution.remat = 'full'", full, topology


def _changes_on_slice(plan, execution, topology):
  words = []
  policies = execution_lib.REMAT_POLICIES
  for remat in policies[policies.index(execution.remat) + 1 :]:
    execution = dataclasses.replace(execution, remat=remat)
    words = [f"Execution.remat = '{remat}'"]
    yield words[0], execution, topology
  chips = topology_lib.num_chips(topology)
  data, fsdp, tensor = execution.mesh.sizes(chips)
  rows = plan.batch_size // (data * fsdp * execution.microbatches)
  for parts in _doublings(rows):
    changed = dataclasses.replace(
      execution, microbatches=parts * execution.microbatches
    )
    added = f'Execution.microbatches = {changed.microbatches}'
    yield ', '.join([*words, added]), changed, topology
  while plan.model.kv_heads % (2 * tensor) == 0 and tensor < chips:
    tensor *= 2
    mesh = execution_lib.MeshShape(data=1, fsdp=-1, tensor=tensor)
    changed = dataclasses.replace(execution, mesh=mesh)
    added = f'MeshShape.tensor = {tensor}'
    yield ', '.join([*words, added]), changed, topology


def _doublings(limit: int) -> Iterator[int]:
  parts = 2
  while limit % parts == 0:
    yield parts
    parts *= 2


def _memory(analysis, state, batch) -> Memory:
  parameters = _bytes(state.params)
  optimizer_state = _bytes(state.optimizer_state)
  batch_bytes = _bytes(batch)
  named = parameters + optimizer_state + batch_bytes
  return Memory(
    parameters=parameters,
    optimizer_state=optimizer_state,
    batch=batch_bytes,
    tile_padding=analysis.argument_size_in_bytes - named,
    results=analysis.output_size_in_bytes - analysis.alias_size_in_bytes,
    temporaries=analysis.temp_size_in_bytes,
    program=analysis.generated_code_size_in_bytes,
  )


def _bytes(tree) -> int:
  """Of what one device holds of these abstract arrays."""
  return sum(
    math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(tree)
  )


def _used_bytes(message: str) -> float:
  found = _USED.search(message)
  return float(found[1]) * _UNITS[found[2]] if found else math.inf


def _first_sentences(message: str) -> str:
  return ' '.join(message.split('\n')[0].split())
