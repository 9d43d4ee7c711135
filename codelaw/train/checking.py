"""Whether a plan may be trained, found out before anything is spent."""

from collections.abc import Iterable
import dataclasses
import os

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import schedule as schedule_lib
from codelaw.train import initial
from codelaw.train import rundir


@dataclasses.dataclass(frozen=True)
class Checked:
  """A plan that may be trained.

  Attributes:
    record: that the folder holds, or of a run that starts now.
    manifest: of the shards.
    schedule: of the whole plan.
    notes: about what could not be taken over from an earlier run.
  """

  record: records.RunRecord
  manifest: manifest_lib.Manifest
  schedule: schedule_lib.MixtureSchedule
  notes: tuple[str, ...] = ()


def check(
  plan: records.RunPlan,
  model_dir: storage.PathLike,
  run_id: str | None = None,
  planned: records.RunRecord | None = None,
  capped: bool = True,
) -> Checked:
  """Checks that a plan fits its shards, its folder and its initial checkpoint.

  Args:
    plan: what to do.
    model_dir: folder of the run.
    run_id: its name in run tables; by default the name of the folder.
    planned: record that the run of `plan.initial` will have when it ends, where
      it has not been trained yet.
    capped: whether a source repeated too often is refused.

  Raises:
    UserError: when it does not: missing shards, another sequence length, an
      unknown source, too many epochs, tokens that the model has not, another
      run in the folder, an initial checkpoint that is not there or not of this
      model.
  """
  manifest = manifest_lib.read(plan.shards_dir)
  check_vocabulary(plan, manifest)
  build = schedule_lib.from_plan if capped else schedule_lib.uncapped
  record = rundir.existing_record(model_dir, plan, manifest)
  if record is not None:
    drawn = record.inherited_sequences
    return Checked(
      dataclasses.replace(record, plan=plan),  # the shards may have moved
      manifest,
      build(plan, manifest, drawn),
    )
  inherited = initial.of_plan(plan, manifest, planned)
  schedule = build(plan, manifest, inherited.sequences)
  name = run_id or storage.path(os.path.abspath(model_dir)).name
  record = rundir.new_record(plan, manifest, schedule, name, inherited)
  return Checked(record, manifest, schedule, inherited.notes)


def check_all(
  runs: Iterable[tuple[records.RunPlan, str]], capped: bool = True
) -> list[Checked]:
  """Checks runs before the first of them is trained.

  A run that starts from one before it is checked against what that one will
  be when it ends, if it has not ended yet.

  Args:
    runs: (plan, folder), in the order in which they are trained.
    capped: whether a source repeated too often is refused.

  Raises:
    UserError: as `check`.
  """
  at_end: dict[str, records.RunRecord] = {}
  found = []
  for plan, model_dir in runs:
    earlier = None
    if plan.initial is not None:
      earlier = at_end.get(storage.real_path(plan.initial.model_dir))
    checked = check(plan, model_dir, planned=earlier, capped=capped)
    found.append(checked)
    if checked.record.status != 'finished':
      at_end[storage.real_path(model_dir)] = rundir.at_end(checked.record)
  return found


def check_vocabulary(
  plan: records.RunPlan, manifest: manifest_lib.Manifest
) -> None:
  """Refuses a model that has not all tokens of the shards.

  Raises:
    UserError: when its vocabulary is smaller than the tokenizer's.
  """
  if plan.model.vocab_size < manifest.vocab_size:
    raise errors.UserError(
      f'ModelShape.vocab_size is {plan.model.vocab_size}, but the tokenizer of'
      f' the shards in {plan.shards_dir} has {manifest.vocab_size} tokens;'
      ' choose a model of at least that vocabulary, or write other shards with'
      ' `codelaw cache`.'
    )
