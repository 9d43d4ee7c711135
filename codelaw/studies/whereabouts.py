"""Where every run of a study is: a snapshot that changes nothing.

Definitions owned here:
  state of a run, in the order in which the first that applies counts:
    finished   its run.json says so
    running, waiting   its job does, at the engine
    ended      its job has, and is to be removed
    unclear    its job should be there, and is not, or has ended too early
    given up   it was tried as often as the study allows
    blocked    it starts from a run that is given up or blocked
    behind     it starts from a run that is not finished yet
    later      it failed, and is tried again in a while
    due        it can be handed in
  and where no engine trains the runs:
    started    its run.json says so; whether a process trains it now, only the
               age of that file tells
    failed     its run.json says so
    behind, due   as above
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import os

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.launch import job as job_lib
from codelaw.studies import attempts as attempts_lib
from codelaw.studies import experiments
from codelaw.studies import sweep

ACTIVE = ('running', 'waiting')
STUCK = ('given up', 'blocked')
ABSENT = job_lib.Found('absent', '')


@dataclasses.dataclass(frozen=True)
class Whereabouts:
  """Where one run is.

  Attributes:
    run: which.
    state: see the module.
    step: updates done, by its last record.
    topology: slice that it is trained on; '' on this machine.
    history: its jobs.
    where: zone or cluster of its job, or the hardware of its last start.
    message: what was said last about it.
    holds_slice: whether its job does, or may.
  """

  run: experiments.PlannedRun
  state: str
  step: int = 0
  topology: str = ''
  history: attempts_lib.History = attempts_lib.History('')
  where: str = ''
  message: str = ''
  holds_slice: bool = False


def record_of(
  folder: storage.PathLike, run_id: str
) -> records.RunRecord | None:
  """The record of `folder/run_id`; None where the run has not begun.

  Raises:
    TransientError: when the storage cannot be read now.
    UserError: when it cannot be read from here, or the record is damaged.
  """
  model_dir = storage.path(folder) / run_id
  try:
    if not (model_dir / 'run.json').exists():
      return None
    return records.read_run_record(model_dir)
  except (ImportError, NotImplementedError) as error:
    raise errors.UserError(
      f'{os.fspath(model_dir)} cannot be read here: {error}. Mount the bucket'
      ' at the folder that the hosts have it at (gcsfuse), or install gcsfs.'
    ) from error
  except OSError as error:
    raise job_lib.TransientError(
      f'{os.fspath(model_dir)} cannot be read now: {error}.'
    ) from error


def submitted(
  study: sweep.StudyPlan,
  runs: Sequence[experiments.PlannedRun],
  seen: Mapping[str, records.RunRecord | None],
  histories: Mapping[str, attempts_lib.History],
  found: Mapping[str, job_lib.Found],
  now: float,
) -> list[Whereabouts]:
  """Where runs are that an engine trains.

  Args:
    study: that they belong to.
    runs: in the order of `sweep.planned_runs`.
    seen: run id -> record.
    histories: run id -> its jobs.
    found: name of a job -> where the engine has it.
    now: seconds since 1970.
  """
  places: dict[str, Whereabouts] = {}
  for run in runs:
    history = histories[run.run_id]
    job = found.get(history.job, ABSENT)
    record = seen[run.run_id]
    earlier = places.get(sweep.earlier_run_id(run.plan) or '')
    state, message = _submitted(
      study.retries, history, job, record, earlier, now
    )
    on = sweep.slice_of(study, run.plan)
    places[run.run_id] = Whereabouts(
      run=run,
      state=state,
      step=record.step if record else 0,
      topology=on.topology if on else '',
      history=history,
      where=job.where,
      message=message or job.message or history.message,
      # What was handed in and is not listed yet may hold one too.
      holds_slice=state == 'unclear'
      or not (job.state in ('absent', 'finished') or job.is_leaving),
    )
  return list(places.values())


def _submitted(
  policy: attempts_lib.RetryPolicy,
  history: attempts_lib.History,
  job: job_lib.Found,
  record: records.RunRecord | None,
  earlier: Whereabouts | None,
  now: float,
) -> tuple[str, str]:
  """(state, message if there is one to say before the engine's)."""
  if record is not None and record.status == 'finished':
    return 'finished', ''
  if job.state in ACTIVE:
    return job.state, ''
  if history.open is not None:
    return 'unclear', ''
  reason = attempts_lib.given_up(history, policy)
  if reason:
    return 'given up', reason
  if job.state != 'absent':
    return 'ended', ''
  if earlier is not None and earlier.state in STUCK:
    return 'blocked', f'{earlier.run.run_id} is {earlier.state}'
  if earlier is not None and earlier.state != 'finished':
    return 'behind', ''
  if attempts_lib.due_at(history, policy) > now:
    return 'later', ''
  return 'due', ''


def local(
  runs: Sequence[experiments.PlannedRun],
  seen: Mapping[str, records.RunRecord | None],
) -> list[Whereabouts]:
  """Where runs are that this machine trains, by their records alone."""
  places: dict[str, Whereabouts] = {}
  for run in runs:
    record = seen[run.run_id]
    earlier = places.get(sweep.earlier_run_id(run.plan) or '')
    if record is not None:
      state = {'running': 'started'}.get(record.status, record.status)
      chips = record.hardware.get('device_count', '')
      kind = record.hardware.get('device_kind', '')
      places[run.run_id] = Whereabouts(
        run, state, record.step, where=f'{chips} {kind}', message=record.message
      )
    else:
      behind = earlier is not None and earlier.state != 'finished'
      places[run.run_id] = Whereabouts(run, 'behind' if behind else 'due')
  return list(places.values())


def of_study(
  study: sweep.StudyPlan,
  groups: Mapping[str, Sequence[experiments.PlannedRun]],
  now: float,
) -> tuple[list[Whereabouts], str]:
  """Where all runs of a study are, and what could not be asked.

  Args:
    study: which.
    groups: folder below the study's -> runs that it holds.
    now: seconds since 1970.

  Returns:
    (whereabouts, sentence); the sentence is empty where all was told.
  """
  runs = [run for group in groups.values() for run in group]
  seen = {
    run.run_id: record_of(study.root / folder, run.run_id)
    for folder, group in groups.items()
    for run in group
  }
  if study.engine is None:
    return local(runs, seen), ''
  trouble = ''
  found: Mapping[str, job_lib.Found] = {}
  try:
    found = study.engine.jobs()
  except errors.UserError as error:
    trouble = str(error)
  kept = attempts_lib.read(study.root / attempts_lib.FILE)
  histories = {
    run.run_id: kept.get(
      run.run_id,
      attempts_lib.History(
        job_lib.name_of(storage.path(study.study_dir) / folder / run.run_id)
      ),
    )
    for folder, group in groups.items()
    for run in group
  }
  return submitted(study, runs, seen, histories, found, now), trouble
