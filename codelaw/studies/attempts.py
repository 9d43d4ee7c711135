"""What became of the jobs of each unit of work, and how often it is tried.

Definitions owned here:
  attempt: one job for a unit (`units`), from when it is handed in until it has
    ended.
  ending: `finished`; `preempted`, its chips were taken away; `failed`, its job
    ended without finishing the unit, or was silent for too long; `diverged`,
    the run itself says that its loss is not finite.
  silence: of a job that runs, the time in which what its unit keeps on disk did
    not change. A process that hangs, on a disk that does not answer or before
    it could reach the others, ends nothing.

`judged` is all the logic, as a pure function: what a unit keeps on disk is the
truth about the unit, the engine's word that about its job. What it returns is
on disk before anything is done about it, so that a submitter that is killed
goes on where it was and counts nothing twice.
"""

from collections.abc import Mapping
import dataclasses
import os

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.launch import job as job_lib

FILE = 'jobs.json'  # in the study's folder
ENDINGS = ('finished', 'preempted', 'failed', 'diverged')
# Listings and mounted buckets may be behind by this, and machines need as much
# to go by themselves: gcsfuse keeps what it knows of a file for 60 s (https://cloud.google.com/storage/docs/cloud-storage
# -fuse/caching, metadata cache, TTL).
BELATED_SECONDS = 120.0


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
  """How often a unit of work is tried again.

  A preempted run goes on from its last checkpoint, and preemptions say nothing
  about the run: they have a limit of their own.

  A run's record changes every half minute of training (`train.loop`), so that
  its longest silence is that of a start (machines that install codelaw, one
  checkpoint, one compilation) or of a held-out evaluation: minutes. An
  evaluation's changes with each task, of which a long one, with thousands of
  generated programs, takes an hour or two; four hours leave room for both. JAX
  itself ends the processes of one that has died, after 100 s; what hangs on
  rents its slice for this long at the most.

  Attributes:
    max_failures: endings of this kind after which a unit is given up.
    max_preemptions: likewise.
    max_divergences: likewise; the same run diverges again, as a rule.
    max_silent_seconds: of silence after which a job has failed. It must be
      longer than the longest of the study's tasks.
    wait_seconds: before a failed unit is tried again; twice as long after each
      further failure in a row. Also between two passes whose client failed.
    longest_wait_seconds: at the most.
    max_client_failures: passes in a row in which the engine's client failed,
      after which the study stops; it can be started again.
  """

  max_failures: int = 3
  max_preemptions: int = 1000
  max_divergences: int = 1
  max_silent_seconds: float = 4 * 3600.0
  wait_seconds: float = 60.0
  longest_wait_seconds: float = 1800.0
  max_client_failures: int = 20

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      is_count = not field.name.endswith('_seconds')
      kinds = int if is_count else (int, float)
      least = 1 if is_count else 0
      if not isinstance(value, kinds) or isinstance(value, bool):
        value = None
      if value is None or value < least:
        raise errors.UserError(
          f'RetryPolicy.{field.name} must be a number of at least {least},'
          f' got {getattr(self, field.name)!r}.'
        )

  def wait(self, failures: int) -> float:
    """Seconds to wait after so many failures in a row.

    >>> [RetryPolicy().wait(failures) for failures in (0, 1, 2, 3, 9)]
    [0.0, 60.0, 120.0, 240.0, 1800.0]
    """
    if not failures:
      return 0.0
    doubled = self.wait_seconds * 2.0 ** min(failures - 1, 60)
    return min(doubled, self.longest_wait_seconds)


@dataclasses.dataclass(frozen=True)
class Standing:
  """How far a unit of work is, as what it keeps on disk says.

  Attributes:
    status: `absent`, `running`, `finished`, or `failed` where the unit itself
      says so.
    done: updates, or tasks.
    seconds: that it was trained for, over all starts.
    where: hardware of its last start.
    message: why it failed.
  """

  status: str = 'absent'
  done: int = 0
  seconds: float = 0.0
  where: str = ''
  message: str = ''

  @property
  def is_finished(self) -> bool:
    """Whether nothing is left to be done."""
    return self.status == 'finished'

  @property
  def heard(self) -> str:
    """Changes whenever something is done."""
    return f'{self.status} {self.done} {self.seconds}'


@dataclasses.dataclass(frozen=True)
class Attempt:
  """One job for a unit.

  Attributes:
    started: when it was handed in, in seconds since 1970.
    wall_seconds: that the unit's run had been trained for before.
    ended: one of `ENDINGS`; '' while it is under way.
    ended_at: in seconds since 1970.
    message: what the engine or the unit said at its end.
  """

  started: float
  wall_seconds: float
  ended: str = ''
  ended_at: float = 0.0
  message: str = ''


@dataclasses.dataclass(frozen=True)
class History:
  """The jobs of one unit, oldest first.

  Attributes:
    job: their name.
    attempts: the last one may be under way.
    doubted: since when the engine and what is on disk have not agreed, in
      seconds since 1970; None where they do.
    heard: what was last on disk, of a job that runs.
    silent_since: since when that has been seen, in seconds since 1970; None
      where the job does not run.
    is_condemned: whether the last attempt has ended and its job is still to be
      removed.
  """

  job: str
  attempts: tuple[Attempt, ...] = ()
  doubted: float | None = None
  heard: str = ''
  silent_since: float | None = None
  is_condemned: bool = False

  @property
  def open(self) -> Attempt | None:
    """The attempt that is under way."""
    if self.attempts and not self.attempts[-1].ended:
      return self.attempts[-1]
    return None

  @property
  def message(self) -> str:
    """What was said last at an end."""
    said = [attempt.message for attempt in self.attempts if attempt.ended]
    return said[-1] if said else ''

  def count(self, ending: str) -> int:
    """Attempts that ended so."""
    return sum(attempt.ended == ending for attempt in self.attempts)

  def opened(self, attempt: Attempt) -> 'History':
    """With a further attempt."""
    return History(self.job, (*self.attempts, attempt))

  def silent_seconds(self, standing: Standing, now: float) -> float:
    """How long its job has been silent, for one that runs."""
    if self.silent_since is None or self.heard != standing.heard:
      return 0.0
    return now - self.silent_since

  def ended(
    self,
    ending: str,
    now: float,
    message: str = '',
    is_condemned: bool = False,
  ) -> 'History':
    """With the attempt under way at its end."""
    last = dataclasses.replace(
      self.attempts[-1], ended=ending, ended_at=now, message=message
    )
    attempts = (*self.attempts[:-1], last)
    return History(self.job, attempts, is_condemned=is_condemned)


def judged(
  history: History,
  found: job_lib.Found,
  standing: Standing,
  now: float,
  policy: RetryPolicy,
) -> tuple[History, bool]:
  """The history with what is seen now, and whether the job is to be removed.

  Args:
    history: as it was left.
    found: where the engine has the unit's job.
    standing: of the unit.
    now: seconds since 1970.
    policy: of the study.
  """
  is_there = found.state != 'absent'
  is_removable = is_there and not found.is_leaving
  if history.is_condemned:
    if is_there:
      return history, is_removable
    history = dataclasses.replace(history, is_condemned=False)
  is_new = is_removable and found.state in ('waiting', 'running')
  if history.open is None and (
    (is_there and not history.attempts) or (is_new and not standing.is_finished)
  ):  # handed in by another hand, or by one that was stopped just then
    history = history.opened(Attempt(now, standing.seconds))
  if standing.is_finished:
    if history.open is not None:
      history = history.ended('finished', now)
    # A slice that has nothing to do costs as much as one that trains; but most
    # go by themselves, when they have put their logs away.
    is_over = history.attempts and (
      now - history.attempts[-1].ended_at >= BELATED_SECONDS
    )
    stays = found.state == 'finished'
    is_idle = found.state in ('failed', 'preempted') or bool(is_over)
    return history, is_removable and not stays and is_idle
  if history.open is None:
    # Of an attempt that was counted, or of one that had finished all before
    # there was more to do.
    return history, is_removable
  history = _looked(history, found, standing, now)
  over = _ending(history, found, standing, now, policy)
  if over is None:
    return history, False
  ending, message = over
  return history.ended(ending, now, message, is_removable), is_removable


def _looked(
  history: History, found: job_lib.Found, standing: Standing, now: float
) -> History:
  """With doubt and silence as they are now."""
  if found.state == 'waiting':
    return History(history.job, history.attempts)
  if found.state != 'running':
    doubted = now if history.doubted is None else history.doubted
    return dataclasses.replace(history, doubted=doubted)
  is_silent = history.heard == standing.heard
  since = history.silent_since if is_silent else None
  return History(
    history.job,
    history.attempts,
    heard=standing.heard,
    silent_since=now if since is None else since,
  )


def _ending(
  history: History,
  found: job_lib.Found,
  standing: Standing,
  now: float,
  policy: RetryPolicy,
) -> tuple[str, str] | None:
  """(ending, message) of the attempt under way, where it is in vain."""
  assert history.open is not None
  if (
    standing.status == 'failed'
    and standing.seconds > history.open.wall_seconds  # not of one before
  ):
    return 'diverged', standing.message
  if found.state in ('failed', 'preempted'):
    return found.state, found.message or found.state
  if found.state == 'running':
    silent_seconds = history.silent_seconds(standing, now)
    if silent_seconds < policy.max_silent_seconds:
      return None
    return 'failed', (
      'its job runs, but nothing that it keeps on disk has changed for'
      f' {silent_seconds / 3600:.1f} h'
    )
  if history.doubted is None or now - history.doubted < BELATED_SECONDS:
    return None
  if found.state == 'absent':
    return 'failed', 'its job is gone'
  return 'failed', 'its job ended, but what it keeps on disk is not finished'


def given_up(history: History, policy: RetryPolicy) -> str:
  """Why a unit is not tried again; '' where it is.

  What was tried before it was finished once does not count: a study that was
  given more tasks has more to do.
  """
  if history.open is not None:
    return ''
  tried = [attempt.ended for attempt in history.attempts]
  if 'finished' in tried:
    tried = tried[len(tried) - tried[::-1].index('finished') :]
  for ending, limit in (
    ('diverged', policy.max_divergences),
    ('failed', policy.max_failures),
    ('preempted', policy.max_preemptions),
  ):
    count = tried.count(ending)
    if count >= limit:
      times = 'once' if count == 1 else f'{count} times'
      return f'{ending} {times}, lastly: {history.message}'
  return ''


def due_at(history: History, policy: RetryPolicy) -> float:
  """When a run may be tried again, in seconds since 1970."""
  failures = 0
  for attempt in reversed(history.attempts):
    if attempt.ended != 'failed':
      break
    failures += 1
  if not failures:
    return 0.0
  return history.attempts[-1].ended_at + policy.wait(failures)


def read(file: storage.PathLike) -> dict[str, History]:
  """Name of a unit -> history; empty where the file is not there yet.

  Raises:
    UserError: when it is damaged.
  """
  if not storage.path(file).exists():
    return {}
  content = storage.read_json(file)
  try:
    return {
      run_id: records.from_json(history, History)
      for run_id, history in content['runs'].items()
    }
  except (errors.UserError, AttributeError, KeyError, TypeError) as error:
    raise errors.UserError(
      f'{os.fspath(file)} does not hold the jobs of a study ({error}). Delete'
      ' it and start again: jobs that are under way are found, only what was'
      ' tried before is forgotten.'
    ) from error


def write(file: storage.PathLike, histories: Mapping[str, History]) -> None:
  """Writes histories whole or not at all."""
  content = {run_id: records.to_json(h) for run_id, h in histories.items()}
  storage.write_json(file, {'runs': content})
