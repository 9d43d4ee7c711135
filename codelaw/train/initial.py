"""What a run has before its first update: nothing, or an earlier run's work.

`RunPlan.initial` names a checkpoint of an earlier run. What it is worth is
found out once, at the first start of the run, and is then in its `run.json`;
as soon as the run has a checkpoint of its own, the earlier run may be deleted.

Definitions owned here:
  first step: where a run begins in its own schedule; 0, or with
    `InitialCheckpoint.schedule` the step of the initial checkpoint.
  own tokens, FLOPs: from the first step on. What the parameters have seen and
    cost at a step is what they inherited and what is the run's own.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
from typing import Any

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib
from codelaw.train import checkpoint
from codelaw.train import optimizer as optimizer_lib
from codelaw.train import step as step_lib


@dataclasses.dataclass(frozen=True)
class Inheritance:
  """What the first parameters of a run have behind them.

  Attributes:
    step: of the initial checkpoint; None for random parameters.
    first_step: as defined above.
    tokens: source -> tokens that the parameters have seen.
    sequences: source -> sequences of the same shards that were drawn before
      step 0 of the run's schedule.
    train_flops: that the parameters have cost.
    notes: sentences about what could not be taken over.
    supply_tokens: source -> different tokens that earlier runs could draw, as
      far as that is known.
    drawn_apart: sources that the run draws, and that earlier runs have drawn
      in another order or from other shards: which of their tokens come again is
      not known.
  """

  step: int | None = None
  first_step: int = 0
  tokens: Mapping[str, int] = dataclasses.field(default_factory=dict)
  sequences: Mapping[str, int] = dataclasses.field(default_factory=dict)
  train_flops: float = 0.0
  notes: tuple[str, ...] = ()
  supply_tokens: Mapping[str, int] = dataclasses.field(default_factory=dict)
  drawn_apart: frozenset[str] = frozenset()

  def with_supply(self, own: Mapping[str, int]) -> dict[str, int]:
    """Source -> different tokens that all of them may draw, where known.

    Args:
      own: source -> those of the run itself.
    """
    both = {**self.supply_tokens, **own}
    return {s: n for s, n in both.items() if s not in self.drawn_apart}


def of_record(record: records.RunRecord) -> Inheritance:
  """What a run that has been started says that it inherited."""
  return Inheritance(
    step=record.initial_step,
    first_step=record.first_step,
    tokens=record.inherited_tokens,
    sequences=record.inherited_sequences,
    train_flops=record.inherited_flops,
  )


def of_plan(
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
  planned: records.RunRecord | None = None,
) -> Inheritance:
  """What a run that starts now inherits.

  Args:
    plan: of the run.
    manifest: of its shards.
    planned: record that the earlier run will have; None reads the one it has.

  Raises:
    UserError: when there is no such run or checkpoint, it is of another model
      or tokenizer, or `schedule` is set and it did not make this plan's first
      steps.
  """
  if plan.initial is None:
    return Inheritance()
  earlier = planned or _read(plan.initial)
  _check_equal(
    plan.initial,
    'Its parameters cannot be taken over',
    [
      (
        'tokenizer',
        earlier.tokenizer_fingerprint,
        manifest.tokenizer_fingerprint,
      ),
      *_fields('model', earlier.plan.model, plan.model),
    ],
  )
  step = (
    _planned_step(plan.initial, planned)
    if planned
    else _saved_step(plan.initial)
  )
  return _inherit(plan, plan.initial, manifest, earlier, step)


def restore(
  initial: records.InitialCheckpoint, step: int, fresh: step_lib.TrainState
) -> step_lib.TrainState:
  """The first state of a run.

  Args:
    initial: whose checkpoint.
    step: of the checkpoint.
    fresh: state with random parameters, as it lies on the mesh; its optimizer
      state is kept where the earlier one's is not asked for.
  """
  folder = _checkpoints(initial)
  if initial.optimizer_state:
    return checkpoint.restore(folder, step, fresh)
  params = checkpoint.restore_params(folder, step, fresh.params)
  return step_lib.TrainState(params, fresh.optimizer_state)


def _inherit(
  plan: records.RunPlan,
  initial: records.InitialCheckpoint,
  manifest: manifest_lib.Manifest,
  earlier: records.RunRecord,
  step: int,
) -> Inheritance:
  notes: tuple[str, ...] = ()
  sequences: dict[str, int] = {}
  if initial.schedule:
    _check_settings(plan, initial, manifest, earlier, step)
  if earlier.manifest_fingerprint == manifest.fingerprint:
    before = _schedule(earlier, plan.shards_dir, manifest)
    own = before.tokens_between(earlier.first_step, step)
    if initial.schedule:
      _check_first_steps(plan, initial, manifest, earlier, before, step)
      sequences = dict(earlier.inherited_sequences)
    else:
      drawn = _sum(earlier.inherited_sequences, before.sequences_until(step))
      here = schedule_lib.uncapped(plan, manifest)
      sequences, notes = _goes_on(plan, initial, earlier, drawn, here, before)
  else:
    own = dict(_own_tokens(earlier, step))
    notes = (_starts_again(initial, 'its shards are others'),)
  per_token = accounting.train_flops_per_token(
    earlier.plan.model, earlier.plan.sequence_length
  )
  tokens = _sum(earlier.inherited_tokens, own)
  return Inheritance(
    step=step,
    first_step=step if initial.schedule else 0,
    tokens=tokens,
    sequences=sequences,
    train_flops=earlier.inherited_flops + per_token * sum(own.values()),
    notes=notes,
    supply_tokens=earlier.supply_tokens,
    drawn_apart=frozenset(
      source
      for source in plan.schedule.sources
      if tokens.get(source)
      and (
        source not in earlier.supply_tokens
        or not (initial.schedule or source in sequences)
      )
    ),
  )


def _schedule(
  earlier: records.RunRecord, folder: str, manifest: manifest_lib.Manifest
) -> schedule_lib.MixtureSchedule:
  """The earlier run's schedule, on its shards wherever they lie."""
  return schedule_lib.uncapped(
    dataclasses.replace(earlier.plan, shards_dir=folder),
    manifest,
    earlier.inherited_sequences,
  )


def _own_tokens(earlier: records.RunRecord, step: int) -> Mapping[str, int]:
  """Of a run on other shards: from its record, or counted in its shards."""
  if earlier.step == step:
    return earlier.realised_tokens
  folder = earlier.plan.shards_dir
  manifest = manifest_lib.read(folder)
  if earlier.manifest_fingerprint != manifest.fingerprint:
    raise errors.UserError(
      f'How many tokens {earlier.run_id} had seen at step {step:,} follows from'
      f' its shards, but those in {folder} have changed since; start from step'
      f' {earlier.step:,}, whose tokens its run.json holds.'
    )
  return _schedule(earlier, folder, manifest).tokens_between(
    earlier.first_step, step
  )


def _goes_on(
  plan: records.RunPlan,
  initial: records.InitialCheckpoint,
  earlier: records.RunRecord,
  drawn: Mapping[str, int],
  here: schedule_lib.MixtureSchedule,
  before: schedule_lib.MixtureSchedule,
) -> tuple[dict[str, int], tuple[str, ...]]:
  """What was drawn of the sources whose order is the same, and notes."""
  if earlier.plan.seed != plan.seed:
    why = f'its seed is {earlier.plan.seed}, not {plan.seed}'
    return {}, (_starts_again(initial, why),)
  ours, theirs = _supplies(here), _supplies(before)
  others = [s for s in ours if s in theirs and ours[s] != theirs[s]]
  notes = tuple(
    f'{source} has a supply of {ours[source]:,} sequences here, of'
    f' {theirs[source]:,} in {initial.model_dir} (RunPlan.target_tokens): it'
    ' starts from its first sequence, and some may come again.'
    for source in others
  )
  return {s: n for s, n in drawn.items() if s not in others}, notes


def _starts_again(initial: records.InitialCheckpoint, why: str) -> str:
  return (
    f'The run in {initial.model_dir} drew its sequences in another order'
    f' ({why}): each source starts from its first sequence, and some may come'
    ' again.'
  )


_NOT_THE_FIRST_STEPS = (
  'It has not made the first steps of this schedule'
  ' (InitialCheckpoint.schedule)'
)


def _check_settings(
  plan: records.RunPlan,
  initial: records.InitialCheckpoint,
  manifest: manifest_lib.Manifest,
  earlier: records.RunRecord,
  step: int,
) -> None:
  """Raises when a run of other settings cannot be the start of this one."""
  names = ('seed', 'batch_size', 'sequence_length')
  _check_equal(
    initial,
    _NOT_THE_FIRST_STEPS,
    [
      *((n, getattr(earlier.plan, n), getattr(plan, n)) for n in names),
      ('shards', earlier.manifest_fingerprint, manifest.fingerprint),
      *_fields('optimizer', earlier.plan.optimizer, plan.optimizer),
    ],
  )
  if step >= plan.num_steps:
    raise errors.UserError(
      f'The run in {initial.model_dir} has made {step:,} steps, but the'
      f' schedule of which this run is the rest has {plan.num_steps:,};'
      ' RunPlan.num_tokens counts all of its steps.'
    )


def _check_first_steps(
  plan: records.RunPlan,
  initial: records.InitialCheckpoint,
  manifest: manifest_lib.Manifest,
  earlier: records.RunRecord,
  before: schedule_lib.MixtureSchedule,
  step: int,
) -> None:
  """Raises when the earlier run had other tokens or learning rates."""
  here = schedule_lib.uncapped(plan, manifest, earlier.inherited_sequences)
  ours, theirs = here.tokens_until(step), before.tokens_until(step)
  sizes, their_sizes = _supplies(here), _supplies(before)
  _check_equal(
    initial,
    _NOT_THE_FIRST_STEPS,
    [
      *(
        (
          f'tokens of {source} by step {step:,}',
          theirs.get(source, 0),
          ours.get(source, 0),
        )
        for source in sorted({*ours, *theirs})
      ),
      *(
        (f'supply of {source}', their_sizes[source], sizes[source])
        for source, tokens in ours.items()
        if tokens
      ),
      *_first_other_rate(plan, earlier.plan, step),
    ],
  )


def _first_other_rate(
  plan: records.RunPlan, earlier: records.RunPlan, step: int
) -> Iterator[tuple[str, float, float]]:
  ranges = [optimizer_lib.constant_steps(p) for p in (plan, earlier)]
  start = max(r.start for r in ranges)
  end = min(step, *(r.stop for r in ranges))
  # From the start of what is constant in both to its end, one step tells all.
  for done in (*range(min(start + 1, step)), *range(max(start + 1, end), step)):
    there, here = (
      optimizer_lib.learning_rate(p, done) for p in (earlier, plan)
    )
    if there != here:
      yield f'learning rate of step {done:,}', there, here
      return


def _read(initial: records.InitialCheckpoint) -> records.RunRecord:
  if not (storage.path(initial.model_dir) / 'run.json').exists():
    raise errors.UserError(
      f'InitialCheckpoint.model_dir is {initial.model_dir}, which holds no run'
      ' (no run.json); train that run first, or correct the folder.'
    )
  return records.read_run_record(initial.model_dir)


def _checkpoints(initial: records.InitialCheckpoint) -> storage.PathLike:
  return storage.path(initial.model_dir) / 'checkpoints'


def _saved_step(initial: records.InitialCheckpoint) -> int:
  steps = checkpoint.steps(_checkpoints(initial))
  if not steps or (initial.step is not None and initial.step not in steps):
    wanted = '' if initial.step is None else f' of step {initial.step:,}'
    there = ', '.join(f'{step:,}' for step in steps) or 'none'
    raise errors.UserError(
      f'The run in {initial.model_dir} has no checkpoint{wanted}; those there'
      f' are of steps: {there}. RunPlan.checkpoint_steps_kept names those that'
      ' a run keeps beside its last ones.'
    )
  return max(steps) if initial.step is None else initial.step


def _planned_step(
  initial: records.InitialCheckpoint, earlier: records.RunRecord
) -> int:
  last = earlier.plan.num_steps
  kept = {*earlier.plan.checkpoint_steps_kept, last}
  step = last if initial.step is None else initial.step
  if step not in kept or step > last:
    raise errors.UserError(
      f'InitialCheckpoint.step is {step:,}, but the run in {initial.model_dir},'
      f' of {last:,} steps, will not keep that checkpoint; add it to its'
      ' RunPlan.checkpoint_steps_kept.'
    )
  return step


def _check_equal(
  initial: records.InitialCheckpoint,
  what: str,
  pairs: Iterable[tuple[str, Any, Any]],
) -> None:
  """Raises for the first of (name, there, here) whose values differ."""
  for name, there, here in pairs:
    if there != here:
      raise errors.UserError(
        f'{what}: {name} is {there!r} in {initial.model_dir}, {here!r} in this'
        ' plan; make them equal, or start from another run.'
      )


def _fields(name: str, there: Any, here: Any) -> Iterator[tuple[str, Any, Any]]:
  for field in dataclasses.fields(here):
    yield (
      f'{name}.{field.name}',
      getattr(there, field.name),
      getattr(here, field.name),
    )


def _supplies(schedule: schedule_lib.MixtureSchedule) -> dict[str, int]:
  return {supply.source: supply.sequences for supply in schedule.supplies}


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
  names = sorted({*one, *other})
  sums = {name: one.get(name, 0) + other.get(name, 0) for name in names}
  return {name: number for name, number in sums.items() if number}
