"""Train steps that were compiled for a slice, so that none is compiled twice.

Compiling takes half a minute to two minutes of two cores, so that what it
finds is kept in a CSV file with a row per step: the one that comes with the
gin configs (`tools/bench compile --write`), and that of a study's folder
(`codelaw study --dry_run --compile`).

Definitions owned here:
  bounds: seconds of a step where everything overlaps and where nothing does,
    see `codelaw.train.roofline`.
  known step: of the same model, sequence length, slice and execution. Where
    several are known, of other batches, the one of the nearest batch counts.
    Who compiled it (the versions of JAX and libtpu) is kept and told, but
    another version's bounds are taken too: they differ far less from one
    version to the next than from each other.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import csv
import dataclasses
from importlib import metadata
import io
import math
import os
from typing import Any

from codelaw import accounting
from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import records
from codelaw import storage
from codelaw.train import topology as topology_lib

Key = tuple[accounting.ModelShape, int, str, execution_lib.Execution]

FILE_NAME = 'compiled_steps.csv'
_SHAPE = [f.name for f in dataclasses.fields(accounting.ModelShape)]
_MESH = [f.name for f in dataclasses.fields(execution_lib.MeshShape)]
_EXECUTION = [
  f.name
  for f in dataclasses.fields(execution_lib.Execution)
  if f.name != 'mesh'
]


@dataclasses.dataclass(frozen=True)
class CompiledStep:
  """One train step on one slice.

  Attributes:
    model: its shape.
    sequence_length: tokens per sequence.
    batch_size: sequences per update, over all chips.
    topology: the slice.
    execution: as it was asked for, with every axis of the mesh as a number.
    best_seconds: of a step, where everything overlaps; None where it does not
      fit the memory of a chip.
    worst_seconds: where nothing overlaps; likewise.
    hbm_gib: memory of a chip that it needs.
    jax: version of JAX.
    libtpu: version of the compiler.
  """

  model: accounting.ModelShape
  sequence_length: int
  batch_size: int
  topology: str
  execution: execution_lib.Execution
  best_seconds: float | None
  worst_seconds: float | None
  hbm_gib: float
  jax: str
  libtpu: str

  @property
  def num_chips(self) -> int:
    """Of the slice."""
    return topology_lib.num_chips(self.topology)

  @property
  def slots(self) -> int:
    """Tokens of a step, padding included."""
    return self.batch_size * self.sequence_length

  @property
  def key(self) -> Key:
    """Of all that it is known by but its batch."""
    return _key(self.model, self.sequence_length, self.topology, self.execution)

  def mfu(self, seconds: float) -> float:
    """Share of the slice's peak FLOPs with steps of so many seconds."""
    flops = accounting.train_flops_per_token(self.model, self.sequence_length)
    chip = accounting.CHIPS[topology_lib.DEVICE_KIND]
    return (
      flops * self.slots / (seconds * self.num_chips * chip.flops_per_second)
    )


def compiled(
  plan: records.RunPlan,
  execution: execution_lib.Execution,
  topology: str,
  bounds: tuple[float, float] | None,
  hbm_bytes: float,
) -> CompiledStep:
  """What the compiler of this environment found.

  Args:
    plan: of a run with this step.
    execution: as it was asked for.
    topology: the slice.
    bounds: seconds of a step; None where it does not fit.
    hbm_bytes: memory of a chip that it needs.
  """
  best, worst = bounds or (None, None)
  return CompiledStep(
    model=plan.model,
    sequence_length=plan.sequence_length,
    batch_size=plan.batch_size,
    topology=topology,
    execution=_resolved(execution, topology),
    best_seconds=best,
    worst_seconds=worst,
    hbm_gib=hbm_bytes / 2**30,
    jax=metadata.version('jax'),
    libtpu=metadata.version('libtpu'),
  )


def key(
  plan: records.RunPlan, execution: execution_lib.Execution, topology: str
) -> Key:
  """What the step of a run is known by, but for its batch."""
  resolved = _resolved(execution, topology)
  return _key(plan.model, plan.sequence_length, topology, resolved)


def find(
  steps: Iterable[CompiledStep],
  plan: records.RunPlan,
  execution: execution_lib.Execution,
  topology: str,
) -> CompiledStep | None:
  """The known step of a run, as defined above; None where none is known."""
  wanted = key(plan, execution, topology)
  return min(
    (step for step in steps if step.key == wanted),
    key=lambda step: abs(math.log(step.batch_size / plan.batch_size)),
    default=None,
  )


def nearest_size(
  steps: Iterable[CompiledStep], model: accounting.ModelShape
) -> tuple[CompiledStep, ...]:
  """Those that fit, of the model whose size is the nearest, on any slice."""
  fitting = [step for step in steps if step.best_seconds]

  def distance(step: CompiledStep) -> float:
    one, other = map(accounting.num_params, (step.model, model))
    return abs(math.log(one / other))

  least = min(map(distance, fitting), default=0.0)
  return tuple(step for step in fitting if distance(step) == least)


def read(file: storage.PathLike) -> tuple[CompiledStep, ...]:
  """The steps of a file; none where there is no file.

  Raises:
    UserError: when it is no such file.
  """
  place = storage.path(file)
  if not place.exists():
    return ()
  rows = csv.DictReader(io.StringIO(place.read_text()))
  try:
    return tuple(_step(row) for row in rows)
  except (KeyError, TypeError, ValueError) as error:
    raise errors.UserError(
      f'{os.fspath(place)} is no table of compiled steps ({error!r}); delete'
      ' it, or write it again with `tools/bench compile --write`.'
    ) from error


def write(file: storage.PathLike, steps: Iterable[CompiledStep]) -> None:
  """Writes a file of steps; of two with one key, the later counts."""
  by_key = {(step.key, step.batch_size): step for step in steps}
  rows = [_row(step) for step in by_key.values()]
  text = io.StringIO()
  writer = csv.DictWriter(text, _COLUMNS, lineterminator='\n')
  writer.writeheader()
  writer.writerows(rows)
  storage.write_text(file, text.getvalue())


def _key(
  model: accounting.ModelShape,
  sequence_length: int,
  topology: str,
  execution: execution_lib.Execution,
) -> Key:
  return (
    dataclasses.replace(model, num_kv_heads=model.kv_heads, rope_base=1.0),
    sequence_length,
    topology,
    execution,
  )


def _resolved(
  execution: execution_lib.Execution, topology: str
) -> execution_lib.Execution:
  sizes = execution.mesh.sizes(topology_lib.num_chips(topology))
  return dataclasses.replace(execution, mesh=execution_lib.MeshShape(*sizes))


_COLUMNS = (
  *_SHAPE,
  'sequence_length',
  'batch_size',
  'topology',
  *_MESH,
  *_EXECUTION,
  'best_seconds',
  'worst_seconds',
  'hbm_gib',
  'jax',
  'libtpu',
)


def _row(step: CompiledStep) -> dict[str, Any]:
  row = {
    **dataclasses.asdict(step.model),
    **dataclasses.asdict(step.execution.mesh),
    **{name: getattr(step.execution, name) for name in _EXECUTION},
    **{name: getattr(step, name) for name in _COLUMNS if hasattr(step, name)},
  }
  for name in ('best_seconds', 'worst_seconds', 'hbm_gib'):
    if row[name] is not None:
      row[name] = f'{row[name]:.6g}'
  return row


def _step(row: Mapping[str, str]) -> CompiledStep:
  def values(kind: type, names: Iterable[str]) -> dict[str, Any]:
    types = {field.name: field.type for field in dataclasses.fields(kind)}
    return {name: _value(types[name], row[name]) for name in names}

  mesh = execution_lib.MeshShape(**values(execution_lib.MeshShape, _MESH))
  own = [f.name for f in dataclasses.fields(CompiledStep)]
  return CompiledStep(
    model=accounting.ModelShape(**values(accounting.ModelShape, _SHAPE)),
    execution=execution_lib.Execution(
      mesh=mesh, **values(execution_lib.Execution, _EXECUTION)
    ),
    **values(CompiledStep, [n for n in own if n not in ('model', 'execution')]),
  )


def _value(kind: Any, text: str) -> Any:
  if kind is bool:
    return {'True': True, 'False': False}[text]
  if kind in (int, float, str):
    return kind(text)
  number = next(k for k in kind.__args__ if k is not type(None))
  return number(text) if text else None
