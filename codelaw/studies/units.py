"""What a study has to have done: runs to train, and checkpoints to evaluate.

Definitions owned here:
  unit of work: the training of one run, or the study's tasks at its last
    checkpoint; what one job does, and what is tried again as a whole. Either
    goes on with what is missing.
  standing: how far a unit is, by what it keeps on disk alone: a training by its
    `run.json`, an evaluation by the tasks that are kept beside the checkpoint
    (`kept_tasks`) with the settings that the study has now.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import os

from codelaw import accounting
from codelaw import errors
from codelaw import gin_text
from codelaw import records
from codelaw import storage
from codelaw.evaluation import kept_tasks
from codelaw.evaluation import task as task_lib
from codelaw.launch import job as job_lib
from codelaw.studies import attempts
from codelaw.studies import experiments
from codelaw.studies import sweep

GIN_FOLDER = 'jobs'  # in the study's folder


@dataclasses.dataclass(frozen=True)
class Unit:
  """One unit of work.

  Attributes:
    run: that is trained or evaluated.
    folder: of the run directories, below the study's.
    tasks: that the run's last checkpoint is given; none where it is trained.
  """

  run: experiments.PlannedRun
  folder: str
  tasks: tuple[task_lib.Task, ...] = ()

  @property
  def name(self) -> str:
    """Unique in a study."""
    return f'{self.run.run_id}_tasks' if self.tasks else self.run.run_id

  @property
  def behind(self) -> str | None:
    """Name of the unit that must be finished before; None for none."""
    if self.tasks:
      return self.run.run_id
    return sweep.earlier_run_id(self.run.plan)

  @property
  def size(self) -> int:
    """Updates of the run, or tasks."""
    return len(self.tasks) or self.run.plan.num_steps


def of_runs(
  study: sweep.StudyPlan,
  runs: Sequence[experiments.PlannedRun],
  folder: str,
) -> tuple[Unit, ...]:
  """What is to be done for the runs in one folder, each behind what it needs.

  Args:
    study: that they belong to; its tasks are given to runs that are compared.
    runs: in order.
    folder: below the study's.
  """
  compared = [run for run in runs if study.tasks and run.is_result]
  return (
    *(Unit(run, folder) for run in runs),
    *(Unit(run, folder, tuple(study.tasks)) for run in compared),
  )


def standing_of(study: sweep.StudyPlan, unit: Unit) -> attempts.Standing:
  """How far a unit is.

  Raises:
    TransientError: when the storage cannot be read now.
    UserError: when it cannot be read from here, or what is there is damaged.
  """
  model_dir = study.root / unit.folder / unit.run.run_id
  with _reading(model_dir):
    if unit.tasks:
      last = unit.run.plan.num_steps
      done = kept_tasks.num_done(model_dir, last, unit.tasks)
      status = 'running' if done else 'absent'
      if done == unit.size:
        status = 'finished'
      return attempts.Standing(status, done)
    if not (model_dir / 'run.json').exists():
      return attempts.Standing()
    record = records.read_run_record(model_dir)
  chips = record.hardware.get('device_count', '')
  kind = record.hardware.get('device_kind', '')
  return attempts.Standing(
    record.status,
    record.step,
    record.wall_seconds,
    where=f'{chips} {kind}',
    message=record.message,
  )


@contextlib.contextmanager
def _reading(model_dir: storage.PathLike) -> Iterator[None]:
  """Says what could not be read of a run, and whether it may be later."""
  try:
    yield
  except (ImportError, NotImplementedError) as error:
    raise errors.UserError(
      f'{os.fspath(model_dir)} cannot be read here: {error}. Mount the bucket'
      ' at the folder that the hosts have it at (gcsfuse), or install gcsfs.'
    ) from error
  except OSError as error:
    raise job_lib.TransientError(
      f'{os.fspath(model_dir)} cannot be read now: {error}.'
    ) from error


def job_name(study: sweep.StudyPlan, unit: Unit) -> str:
  """The name of a unit's job, from the place of its run on the hosts."""
  return job_lib.name_of(
    storage.path(study.study_dir) / unit.folder / unit.name
  )


def job_of(study: sweep.StudyPlan, unit: Unit) -> tuple[job_lib.Job, str]:
  """The job that does a unit of a study, and the text of its gin file.

  The file belongs at `study.root / GIN_FOLDER / f'{unit.name}.gin'`.

  Raises:
    UserError: when the study names no slice for the run's model, or the
      engine's hosts do not see its folders.
  """
  plan = unit.run.plan
  on = sweep.slice_of(study, plan)
  if on is None:
    size = accounting.num_params(plan.model)
    raise errors.UserError(
      f'The study names no slice for {unit.run.run_id} ({size:,} parameters);'
      ' add @Slice() with its model and topology to StudyPlan.slices, or take'
      ' the engine away: StudyPlan.engine = None trains it here.'
    )
  root = storage.path(study.study_dir)
  model_dir = os.fspath(root / unit.folder / unit.run.run_id)
  file = os.fspath(root / GIN_FOLDER / f'{unit.name}.gin')
  verb: tuple[str, ...] = ('train',)
  if unit.tasks:
    verb = ('evaluate', f'--model_dir={model_dir}')
    text = gin_text.bindings(task_lib.Evaluation(unit.tasks, on.execution))
  else:
    text = gin_text.train_settings(plan, model_dir, on.execution)
  command = ('codelaw', *verb, f'--gin_file={file}')
  job = job_lib.Job(
    name=job_name(study, unit),
    command=command,
    topology=on.topology,
    extras=('eval',) if unit.tasks else (),
  )
  header = gin_text.comment(
    f'Submitted with the study {study.name}:\n  {" ".join(command)}'
  )
  return job, f'{header}\n{text}'
