"""What a run takes on its slice: chip-hours, from its compiled step.

Definitions owned here:
  chip-hours of a run: token slots of its own steps x seconds per slot x chips
    of its slice. Compilation, input, evaluation, checkpoints and chips that
    wait are not in it.
  basis, where the seconds per slot come from:
    `compiled`: the bounds of the compiled step of the same model, sequence
      length, slice and execution. Its batch may be another one: seconds per
      slot are taken to be the same. A smaller batch gathers and updates
      parameters more often per slot. That moves `to`, not `from`: 94M
      parameters on 16 chips, compiled for a quarter of their batch, have a
      `to` that is 8.3% higher.
    `estimated`: FLOPs at the share of the peak (MFU) that the compiled steps of
      the nearest size have.
    `measured`: a run without slice, FLOPs at the rate of the study's finished
      runs of the nearest size; its hours are those of one worker.
  from, to: where everything overlaps and where nothing does; of a measured
    one, the fastest and the slowest of these runs.
"""

from collections.abc import Sequence
import dataclasses
import math

from codelaw import accounting
from codelaw import records
from codelaw.studies import compiled_steps
from codelaw.studies import sweep
from codelaw.train import topology as topology_lib

_SECONDS = 3600.0  # of an hour
BASES = ('compiled', 'estimated', 'measured')


@dataclasses.dataclass(frozen=True)
class Cost:
  """What one run takes.

  Attributes:
    basis: one of `BASES`.
    num_chips: of its slice; 0 without one.
    hours: chip-hours from, to; hours of a worker without a slice.
    step: that it was taken from, where it is `compiled`.
  """

  basis: str
  num_chips: int
  hours: tuple[float, float]
  step: compiled_steps.CompiledStep | None = None


def of_run(
  plan: records.RunPlan,
  slots: int,
  where: sweep.Slice | None,
  known: Sequence[compiled_steps.CompiledStep],
  finished: Sequence[records.RunRecord],
) -> Cost | None:
  """What a run takes; None where nothing is known of its speed.

  Args:
    plan: of the run.
    slots: token slots of its own steps.
    where: its slice.
    known: steps that were compiled.
    finished: runs of the study that have ended.
  """
  per_slot = accounting.train_flops_per_token(plan.model, plan.sequence_length)
  flops = per_slot * slots
  if where is None:
    return _measured(plan.model, flops, finished)
  chips = topology_lib.num_chips(where.topology)
  step = compiled_steps.find(known, plan, where.execution, where.topology)
  if step is not None:
    if step.best_seconds is None or step.worst_seconds is None:
      return None
    best, worst = (
      chips * seconds * slots / step.slots / _SECONDS
      for seconds in (step.best_seconds, step.worst_seconds)
    )
    return Cost('compiled', chips, (best, worst), step)
  near = compiled_steps.nearest_size(known, plan.model)
  if not near:
    return None
  peak = accounting.CHIPS[topology_lib.DEVICE_KIND].flops_per_second
  best, worst = (
    flops / (peak * chosen(mfu)) / _SECONDS
    for chosen, mfu in (
      (max, [s.mfu(s.best_seconds) for s in near if s.best_seconds]),
      (min, [s.mfu(s.worst_seconds) for s in near if s.worst_seconds]),
    )
  )
  return Cost('estimated', chips, (best, worst))


def _measured(
  model: accounting.ModelShape,
  flops: float,
  finished: Sequence[records.RunRecord],
) -> Cost | None:
  runs = [r for r in finished if r.wall_seconds > 0]
  if not runs:
    return None

  def distance(run: records.RunRecord) -> float:
    return abs(math.log(run.num_params / accounting.num_params(model)))

  least = min(map(distance, runs))
  rates = [
    _slot_flops(run) / run.wall_seconds
    for run in runs
    if distance(run) == least
  ]
  return Cost(
    'measured',
    0,
    (flops / max(rates) / _SECONDS, flops / min(rates) / _SECONDS),
  )


def _slot_flops(run: records.RunRecord) -> float:
  """Of a run's own steps, padding included, which takes as long."""
  plan = run.plan
  slots = (plan.num_steps - run.first_step) * plan.tokens_per_step
  return slots * accounting.train_flops_per_token(
    plan.model, plan.sequence_length
  )
