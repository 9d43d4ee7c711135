"""What became of each run's jobs, and how often a run is tried again.

Definitions owned here:
  attempt: one job for a run, from when it is handed in until it has ended.
  ending: `finished`; `preempted`, its chips were taken away; `failed`, its job
    ended without finishing the run; `diverged`, the run itself says that its
    loss is not finite.

`judged` is all the logic, as a pure function: the run's own record is the
truth about the run, the engine's word that about its job. What it returns is
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
  """How often a run is tried again.

  A preempted run goes on from its last checkpoint, and preemptions say nothing
  about the run: they have a limit of their own.

  Attributes:
    max_failures: endings of this kind after which a run is given up.
    max_preemptions: likewise.
    max_divergences: likewise; the same run diverges again, as a rule.
    wait_seconds: before a failed run is tried again; twice as long after each
      further failure in a row. Also between two passes whose client failed.
    longest_wait_seconds: at the most.
    max_client_failures: passes in a row in which the engine's client failed,
      after which the study stops; it can be started again.
  """

  max_failures: int = 3
  max_preemptions: int = 1000
  max_divergences: int = 1
  wait_seconds: float = 60.0
  longest_wait_seconds: float = 1800.0
  max_client_failures: int = 20

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      is_count = field.name.startswith('max_')
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
class Attempt:
  """One job for a run.

  Attributes:
    started: when it was handed in, in seconds since 1970.
    wall_seconds: that the run had been trained for before.
    ended: one of `ENDINGS`; '' while it is under way.
    ended_at: in seconds since 1970.
    message: what the engine or the run said at its end.
  """

  started: float
  wall_seconds: float
  ended: str = ''
  ended_at: float = 0.0
  message: str = ''


@dataclasses.dataclass(frozen=True)
class History:
  """The jobs of one run, oldest first.

  Attributes:
    job: their name.
    attempts: the last one may be under way.
    doubted: since when the engine and the run's record have not agreed, in
      seconds since 1970; None where they do.
  """

  job: str
  attempts: tuple[Attempt, ...] = ()
  doubted: float | None = None

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

  def ended(self, ending: str, now: float, message: str = '') -> 'History':
    """With the attempt under way at its end."""
    last = dataclasses.replace(
      self.attempts[-1], ended=ending, ended_at=now, message=message
    )
    return History(self.job, (*self.attempts[:-1], last))


def judged(
  history: History,
  found: job_lib.Found,
  record: records.RunRecord | None,
  now: float,
) -> tuple[History, bool]:
  """The history with what is seen now, and whether the job is to be removed.

  Args:
    history: as it was left.
    found: where the engine has the run's job.
    record: of the run; None where it has not begun.
    now: seconds since 1970.
  """
  is_there = found.state != 'absent'
  is_removable = is_there and not found.is_leaving
  wall_seconds = record.wall_seconds if record else 0.0
  is_finished = record is not None and record.status == 'finished'
  is_new = is_removable and found.state in ('waiting', 'running')
  if history.open is None and (
    (is_there and not history.attempts) or (is_new and not is_finished)
  ):  # handed in by another hand, or by one that was stopped just then
    history = history.opened(Attempt(now, wall_seconds))
  if is_finished:
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
  attempt = history.open
  if attempt is None:
    # It was counted before; perhaps it could not be removed.
    ended = found.state in ('failed', 'preempted', 'finished')
    return history, ended and is_removable
  if (
    record is not None
    and record.status == 'failed'
    and wall_seconds > attempt.wall_seconds  # not of an attempt before
  ):
    return history.ended('diverged', now, record.message), is_removable
  if found.state in ('failed', 'preempted'):
    message = found.message or found.state
    return history.ended(found.state, now, message), is_removable
  if found.state in ('waiting', 'running'):
    return History(history.job, history.attempts), False
  doubted = now if history.doubted is None else history.doubted
  if now - doubted < BELATED_SECONDS:
    return dataclasses.replace(history, doubted=doubted), False
  what = (
    'its job ended, but its run.json does not say that it is finished'
    if is_there
    else 'its job is gone'
  )
  return history.ended('failed', now, what), is_removable


def given_up(history: History, policy: RetryPolicy) -> str:
  """Why a run is not tried again; '' where it is."""
  for ending, limit in (
    ('diverged', policy.max_divergences),
    ('failed', policy.max_failures),
    ('preempted', policy.max_preemptions),
  ):
    count = history.count(ending)
    if history.open is None and count >= limit:
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
  """Run id -> history; empty where the file is not there yet.

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
