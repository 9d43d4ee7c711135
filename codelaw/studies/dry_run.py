"""What a study would train and cost, before anything is spent on it.

Nothing is trained or written here, and no device is asked for. Runs, their
exact mixtures and their places behind each other come from the very code that
trains them (`sweep.planned_runs`, `supplies`), chip-hours from `costs`.

Definitions owned here:
  own tokens, FLOPs: of the steps that a run makes itself; a branch of a trunk
    has only its cooldown, a later stage of a variant not the earlier ones.
  a variant's whole: its last run with all that it starts from. Variants that
    begin alike share runs: the sum over variants counts these again, the total
    of the study does not.
  confirmation: runs on rates that the study has yet to find. They are counted
    as if on equal rates of all its sources, and not checked against the supply.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.studies import compiled_steps
from codelaw.studies import costs
from codelaw.studies import experiments
from codelaw.studies import supplies
from codelaw.studies import sweep
from codelaw.train import topology as topology_lib


@dataclasses.dataclass(frozen=True)
class Row:
  """One run.

  Attributes:
    drawn: what it draws.
    where: its slice; None for this machine.
    cost: None where nothing is known of its speed.
    step: its compiled step, where one is known.
    variants: names of those that it is a part of.
    purposes: what it is for.
  """

  drawn: supplies.Drawn
  where: sweep.Slice | None
  cost: costs.Cost | None
  step: compiled_steps.CompiledStep | None
  variants: tuple[str, ...]
  purposes: tuple[str, ...]

  @property
  def run(self) -> experiments.PlannedRun:
    """As it is planned."""
    return self.drawn.run

  @property
  def plan(self) -> records.RunPlan:
    """What it is to do."""
    return self.drawn.run.plan

  @property
  def own_tokens(self) -> int:
    """Of its own steps, padding excluded."""
    return sum(self.drawn.record.planned_tokens.values())

  @property
  def train_flops(self) -> float:
    """Of its own steps."""
    return self.drawn.record.train_flops


@dataclasses.dataclass(frozen=True)
class Total:
  """Of some runs.

  Attributes:
    runs: how many.
    tokens: own ones.
    train_flops: own ones.
    chip_hours: from, to; None where a run on a slice has no cost.
    worker_hours: from, to, of the runs without slice; None where one of them
      has no cost.
    estimated: whether the cost of one of them is no more than that.
  """

  runs: int
  tokens: int
  train_flops: float
  chip_hours: tuple[float, float] | None
  worker_hours: tuple[float, float] | None
  estimated: bool


@dataclasses.dataclass(frozen=True)
class Need:
  """What all runs ask of one source.

  Attributes:
    source: its name.
    supply: its training tokens; None where they are not known.
    drawn_tokens: of the run that draws most, with what was drawn before it.
    epochs: the most that a run repeats it; None likewise.
    max_epochs: the least that a run allows.
    needed_tokens: that its shards must have so that no run is refused.
    refused: runs that repeat it too often.
  """

  source: str
  supply: float | None
  drawn_tokens: int
  epochs: float | None
  max_epochs: float
  needed_tokens: float
  refused: int


@dataclasses.dataclass(frozen=True)
class DryRun:
  """What a study would do.

  Attributes:
    study: that it is of.
    supply: what its runs draw from.
    rows: its runs, in order.
    confirmation: its last runs, as defined above.
    finished: runs that have ended.
  """

  study: sweep.StudyPlan
  supply: supplies.Supply
  rows: tuple[Row, ...]
  confirmation: tuple[Row, ...]
  finished: int

  @functools.cached_property
  def total(self) -> Total:
    """Of every run once, the confirmation too."""
    return total([*self.rows, *self.confirmation])

  @functools.cached_property
  def from_scratch_flops(self) -> float:
    """Of the runs that are compared, each trained by itself from nothing."""
    return sum(
      row.train_flops + row.drawn.record.inherited_flops
      for row in [*self.rows, *self.confirmation]
      if row.drawn.run.is_result
    )

  @functools.cached_property
  def by_purpose(self) -> Mapping[str, Total]:
    """A run of two purposes counts in both."""
    groups: dict[str, list[Row]] = {}
    for row in [*self.rows, *self.confirmation]:
      for purpose in row.purposes:
        groups.setdefault(purpose, []).append(row)
    return {name: total(rows) for name, rows in groups.items()}

  @functools.cached_property
  def by_model(self) -> Mapping[accounting.ModelShape, Total]:
    """Every run once, the smallest model first."""
    groups: dict[accounting.ModelShape, list[Row]] = {}
    for row in [*self.rows, *self.confirmation]:
      groups.setdefault(row.plan.model, []).append(row)
    ordered = sorted(groups, key=accounting.num_params)
    return {model: total(groups[model]) for model in ordered}

  @functools.cached_property
  def by_variant(self) -> Mapping[str, Total]:
    """Of a variant's whole, as defined above."""
    groups: dict[str, list[Row]] = {}
    for row in self.rows:
      for variant in row.variants:
        groups.setdefault(variant, []).append(row)
    return {name: total(rows) for name, rows in sorted(groups.items())}

  @functools.cached_property
  def needs(self) -> tuple[Need, ...]:
    """Of every source, by name."""
    drawn: dict[str, list[supplies.Drawn]] = {}
    for row in self.rows:
      for source in row.drawn.schedule.sources:
        drawn.setdefault(source, []).append(row.drawn)
    return tuple(
      _need(source, found, self.supply)
      for source, found in sorted(drawn.items())
    )

  def check(self) -> None:
    """Refuses what cannot be trained.

    Raises:
      UserError: naming every source that the corpus cannot supply, or every
        model that does not fit its slice.
    """
    supplies.check([row.drawn for row in self.rows])
    unfit = {
      f'{accounting.num_params(row.plan.model):,} parameters on'
      f' {row.step.topology} ({row.step.hbm_gib:.1f} GiB a chip)'
      for row in self.rows
      if row.step is not None and row.step.best_seconds is None
    }
    if unfit:
      raise errors.UserError(
        'The compiled step does not fit the memory of a chip for'
        f' {", ".join(sorted(unfit))}; change its Slice.execution or take a'
        ' larger Slice.topology (`codelaw compile` looks for what fits).'
      )


def of_study(
  study: sweep.StudyPlan, known: Sequence[compiled_steps.CompiledStep]
) -> DryRun:
  """Plans a study.

  Args:
    study: as it is planned.
    known: steps that were compiled.

  Raises:
    UserError: for sources that the supply has not, batches that the mesh of a
      slice does not divide, and what `supplies.draw` refuses.
  """
  runs = sweep.planned_runs(study)
  _check_slices(study, runs)
  supply = supplies.of_study(study, runs)
  supplies.check_targets(study, supply)
  finished = _finished(study.root / 'runs', runs)
  variants = _variants(runs)

  def row(drawn: supplies.Drawn) -> Row:
    plan, run = drawn.run.plan, drawn.run
    where = sweep.slice_of(study, plan)
    step = None
    if where is not None:
      step = compiled_steps.find(known, plan, where.execution, where.topology)
    cost = costs.of_run(plan, drawn.own_slots, where, known, finished)
    named = variants.get(run.run_id, ())
    return Row(drawn, where, cost, step, named, run.purposes)

  confirmation = supplies.draw(study, _confirmation(study, runs), supply)
  return DryRun(
    study,
    supply,
    tuple(map(row, supplies.draw(study, runs, supply))),
    tuple(map(row, confirmation)),
    len(finished),
  )


def missing_steps(
  study: sweep.StudyPlan, known: Sequence[compiled_steps.CompiledStep]
) -> list[tuple[records.RunPlan, sweep.Slice]]:
  """One run of every step that is not known, of the largest batch."""
  missing: dict[compiled_steps.Key, tuple[records.RunPlan, sweep.Slice]] = {}
  for run in sweep.planned_runs(study):
    where = sweep.slice_of(study, run.plan)
    if where is None:
      continue
    found = compiled_steps.find(
      known, run.plan, where.execution, where.topology
    )
    key = compiled_steps.key(run.plan, where.execution, where.topology)
    if found is None and (
      key not in missing or missing[key][0].batch_size < run.plan.batch_size
    ):
      missing[key] = (run.plan, where)
  return list(missing.values())


def total(rows: Iterable[Row]) -> Total:
  """Sums of runs, each of which is given once."""
  rows = list(rows)
  return Total(
    len(rows),
    sum(row.own_tokens for row in rows),
    sum(row.train_flops for row in rows),
    _hours([row for row in rows if row.where is not None]),
    _hours([row for row in rows if row.where is None]),
    any(row.cost and row.cost.basis == 'estimated' for row in rows),
  )


def _hours(rows: Sequence[Row]) -> tuple[float, float] | None:
  found = [row.cost.hours for row in rows if row.cost is not None]
  if len(found) < len(rows) or not rows:
    return None
  return sum(low for low, _ in found), sum(high for _, high in found)


def _need(
  source: str, found: Sequence[supplies.Drawn], supply: supplies.Supply
) -> Need:
  known = supply.tokens.get(source)
  return Need(
    source=source,
    supply=known,
    drawn_tokens=max(drawn.drawn_tokens[source] for drawn in found),
    epochs=None
    if known is None
    else max(drawn.epochs[source] for drawn in found),
    max_epochs=min(drawn.max_epochs[source] for drawn in found),
    needed_tokens=max(drawn.needed_tokens[source] for drawn in found),
    refused=sum(source in drawn.over_cap for drawn in found),
  )


def _variants(
  runs: Iterable[experiments.PlannedRun],
) -> dict[str, tuple[str, ...]]:
  """Run id -> variants that it is a part of, sorted."""
  by_id = {run.run_id: run for run in runs}
  found: dict[str, set[str]] = {}
  for run in by_id.values():
    at: str | None = run.run_id
    while run.variants and at in by_id:
      found.setdefault(at, set()).update(run.variants)
      at = sweep.earlier_run_id(by_id[at].plan)
  return {run_id: tuple(sorted(names)) for run_id, names in found.items()}


def _confirmation(
  study: sweep.StudyPlan, runs: Iterable[experiments.PlannedRun]
) -> list[experiments.PlannedRun]:
  if not study.confirmation_seeds:
    return []
  sources = {source for run in runs for source in run.plan.schedule.sources}
  equal = records.MixtureRates(dict.fromkeys(sorted(sources), 1.0))
  arms = sweep.confirmation_runs(study, {'uniform': equal, 'allocated': equal})
  return [run for arm in arms.values() for run in arm]


def _finished(
  folder: storage.PathLike, runs: Iterable[experiments.PlannedRun]
) -> list[records.RunRecord]:
  """Records of the runs that have ended."""
  root = storage.path(folder)
  if not root.exists():
    return []
  there = {place.name for place in root.iterdir()}
  found = [
    records.read_run_record(root / run.run_id)
    for run in runs
    if run.run_id in there and (root / run.run_id / 'run.json').exists()
  ]
  return [record for record in found if record.status == 'finished']


def _check_slices(
  study: sweep.StudyPlan, runs: Iterable[experiments.PlannedRun]
) -> None:
  """Refuses batches that a mesh does not divide, all at once."""
  refused: dict[str, str] = {}
  for run in runs:
    where = sweep.slice_of(study, run.plan)
    if where is None:
      continue
    topology_lib.check(where.topology)
    chips = topology_lib.num_chips(where.topology)
    data, fsdp, _ = where.execution.mesh.sizes(chips)
    parts = data * fsdp * where.execution.microbatches
    if run.plan.batch_size % parts:
      refused[
        f'batches of {run.plan.batch_size} on {where.topology} into {parts}'
      ] = run.run_id
  if refused:
    named = ', '.join(f'{words} ({run})' for words, run in refused.items())
    raise errors.UserError(
      'Mesh and microbatches of a slice must divide the batch, and cannot'
      f' divide {named}; change its Slice.execution, or round the batches with'
      " the sizing's multiple_of."
    )
