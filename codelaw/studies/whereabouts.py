"""Where every unit of work of a study is: a snapshot that changes nothing.

Definitions owned here:
  state of a unit, in the order in which the first that applies counts:
    finished   what it keeps on disk says so
    running, waiting   its job does, at the engine
    ended      its job has, and is to be removed
    unclear    its job should be there, and is not, or has ended too early
    given up   it was tried as often as the study allows
    blocked    the unit that it is behind is given up or blocked
    behind     the unit that it is behind is not finished yet
    later      it failed, and is tried again in a while
    due        it can be handed in
  and where no engine does the work:
    started    what it keeps on disk says so; whether a process is at it now,
               only the age of that tells
    failed     its run.json says so
    behind, due   as above
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

from codelaw import errors
from codelaw.launch import job as job_lib
from codelaw.studies import attempts as attempts_lib
from codelaw.studies import sweep
from codelaw.studies import units as units_lib

ACTIVE = ('running', 'waiting')
STUCK = ('given up', 'blocked')
ABSENT = job_lib.Found('absent', '')


@dataclasses.dataclass(frozen=True)
class Whereabouts:
  """Where one unit is.

  Attributes:
    unit: which.
    state: see the module.
    done: updates or tasks, by what is on disk.
    topology: slice that it is done on; '' on this machine.
    history: its jobs.
    where: zone or cluster of its job, or the hardware of its last start.
    message: what was said last about it.
    holds_slice: whether its job does, or may.
    silent_seconds: of its job, for one that runs.
  """

  unit: units_lib.Unit
  state: str
  done: int = 0
  topology: str = ''
  history: attempts_lib.History = attempts_lib.History('')
  where: str = ''
  message: str = ''
  holds_slice: bool = False
  silent_seconds: float = 0.0


def submitted(
  study: sweep.StudyPlan,
  units: Sequence[units_lib.Unit],
  seen: Mapping[str, attempts_lib.Standing],
  histories: Mapping[str, attempts_lib.History],
  found: Mapping[str, job_lib.Found],
  now: float,
) -> list[Whereabouts]:
  """Where units are that an engine does.

  Args:
    study: that they belong to.
    units: each behind the one that it needs.
    seen: name of a unit -> how far it is.
    histories: name of a unit -> its jobs.
    found: name of a job -> where the engine has it.
    now: seconds since 1970.
  """
  places: dict[str, Whereabouts] = {}
  for unit in units:
    history = histories[unit.name]
    job = found.get(history.job, ABSENT)
    standing = seen[unit.name]
    earlier = places.get(unit.behind or '')
    state, message = _submitted(
      study.retries, history, job, standing, earlier, now
    )
    on = sweep.slice_of(study, unit.run.plan)
    places[unit.name] = Whereabouts(
      unit=unit,
      state=state,
      done=standing.done,
      topology=on.topology if on else '',
      history=history,
      where=job.where,
      message=message or job.message or history.message,
      # What was handed in and is not listed yet may hold one too.
      holds_slice=state == 'unclear'
      or not (job.state in ('absent', 'finished') or job.is_leaving),
      silent_seconds=(
        history.silent_seconds(standing, now) if state == 'running' else 0.0
      ),
    )
  return list(places.values())


def _submitted(
  policy: attempts_lib.RetryPolicy,
  history: attempts_lib.History,
  job: job_lib.Found,
  standing: attempts_lib.Standing,
  earlier: Whereabouts | None,
  now: float,
) -> tuple[str, str]:
  """(state, message if there is one to say before the engine's)."""
  if standing.is_finished:
    return 'finished', ''
  # A job that has ended and goes by itself is listed as waiting.
  if job.state in ACTIVE and not (job.is_leaving and history.open is None):
    return job.state, ''
  if history.open is not None:
    return 'unclear', ''
  reason = attempts_lib.given_up(history, policy)
  if reason:
    return 'given up', reason
  if job.state != 'absent':
    return 'ended', ''
  if earlier is not None and earlier.state in STUCK:
    return 'blocked', f'{earlier.unit.name} is {earlier.state}'
  if earlier is not None and earlier.state != 'finished':
    return 'behind', ''
  if attempts_lib.due_at(history, policy) > now:
    return 'later', ''
  return 'due', ''


def local(
  units: Sequence[units_lib.Unit],
  seen: Mapping[str, attempts_lib.Standing],
) -> list[Whereabouts]:
  """Where units are that this machine does, by what is on disk alone."""
  places: dict[str, Whereabouts] = {}
  for unit in units:
    standing = seen[unit.name]
    earlier = places.get(unit.behind or '')
    state: str = standing.status
    if state == 'running':
      state = 'started'
    if state == 'absent':
      is_behind = earlier is not None and earlier.state != 'finished'
      state = 'behind' if is_behind else 'due'
    places[unit.name] = Whereabouts(
      unit, state, standing.done, where=standing.where, message=standing.message
    )
  return list(places.values())


def of_study(
  study: sweep.StudyPlan, units: Sequence[units_lib.Unit], now: float
) -> tuple[list[Whereabouts], str]:
  """Where all units of a study are, and what could not be asked.

  Args:
    study: which.
    units: of it.
    now: seconds since 1970.

  Returns:
    (whereabouts, sentence); the sentence is empty where all was told.
  """
  seen = {unit.name: units_lib.standing_of(study, unit) for unit in units}
  if study.engine is None:
    return local(units, seen), ''
  trouble = ''
  found: Mapping[str, job_lib.Found] = {}
  try:
    found = study.engine.jobs()
  except errors.UserError as error:
    trouble = str(error)
  kept = attempts_lib.read(study.root / attempts_lib.FILE)
  histories = {
    unit.name: kept.get(
      unit.name, attempts_lib.History(units_lib.job_name(study, unit))
    )
    for unit in units
  }
  return submitted(study, units, seen, histories, found, now), trouble
