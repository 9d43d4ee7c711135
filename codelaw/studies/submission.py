"""Has the runs of a study trained and evaluated by an engine, a job for each.

There is no memory but what is on disk: each pass looks at what every unit of
work keeps there (how far it is), at what the engine says (where its job is) and
at `jobs.json` (what was tried before), removes jobs that have nothing more to
do, and hands in what is due. Job names follow from the runs' folders and an
engine leaves alone what it has, so a submitter may be killed at any moment and
started again, here or on another machine. A job that was preempted is handed in
again as it was: `codelaw train` goes on from the last checkpoint, `codelaw
evaluate` with the tasks that are missing.
"""

import collections
from collections.abc import Sequence
import time

from codelaw import accounting
from codelaw import errors
from codelaw import storage
from codelaw.launch import job as job_lib
from codelaw.launch import programs
from codelaw.studies import attempts as attempts_lib
from codelaw.studies import execution
from codelaw.studies import experiments
from codelaw.studies import sweep
from codelaw.studies import units as units_lib
from codelaw.studies import whereabouts

_SHOWN = 3  # units that one sentence names


def execute(
  study: sweep.StudyPlan,
  runs: Sequence[experiments.PlannedRun],
  folder: str,
  progress: execution.Progress,
  once: bool = False,
) -> bool:
  """Has every run trained into `folder` of the study, and then evaluated.

  Args:
    study: with an engine.
    runs: in the order in which they are handed in; when slices are free, those
      that are compared are given the study's tasks.
    folder: of the run directories, below the study's.
    progress: told of every pass.
    once: whether to return after one pass.

  Returns:
    Whether all is finished and all slices are given back.

  Raises:
    UserError: when all that is left is given up or waits for what is; when the
      engine's client refuses for good, or once too often. Jobs go on, and the
      same command goes on from there.
  """
  submission = Submission(study, units_lib.of_runs(study, runs, folder))
  troubles = 0
  while True:
    places: list[whereabouts.Whereabouts] = []
    try:
      places, trouble = submission.one_pass(time.time())
    except job_lib.TransientError as error:
      trouble = str(error)
    fraction, text = _summary(places)
    if places:
      progress(text, fraction, None)
      if fraction == 1 and not any(place.holds_slice for place in places):
        return True
      if fraction < 1:
        _check_hope(places)
    # Where others train, a quota that is used up is the usual thing.
    waits = any(place.holds_slice for place in places)
    troubles = troubles + 1 if trouble and not waits else 0
    if troubles >= study.retries.max_client_failures or (once and trouble):
      raise errors.UserError(
        f'{trouble} What is handed in goes on; start the study again later.'
      )
    if once:
      return False
    seconds = max(study.poll_seconds, study.retries.wait(troubles))
    if trouble:
      progress(f'again in {seconds:.0f} s: {trouble}', fraction, None)
    time.sleep(seconds)


class Submission:
  """Units of work of a study, on their way through an engine."""

  def __init__(self, study: sweep.StudyPlan, units: Sequence[units_lib.Unit]):
    assert study.engine is not None
    self._engine = study.engine
    self._study = study
    self._units = units
    self._file = study.root / attempts_lib.FILE
    self._jobs = {}
    self._seen: dict[str, attempts_lib.Standing] = {}
    kept = attempts_lib.read(self._file)
    for unit in units:
      job, gin = units_lib.job_of(study, unit)
      self._jobs[unit.name] = job
      file = study.root / units_lib.GIN_FOLDER / f'{unit.name}.gin'
      if not file.exists() or file.read_text() != gin:
        storage.write_text(file, gin)
      kept.setdefault(unit.name, attempts_lib.History(job.name))
    self._histories = kept

  def one_pass(self, now: float) -> tuple[list[whereabouts.Whereabouts], str]:
    """Brings the engine and the records together once.

    Args:
      now: seconds since 1970.

    Returns:
      (places, trouble): where each unit is, before the engine has reacted, and
      why a job was not taken, if one was not.

    Raises:
      TransientError: when the client failed and may not the next time.
      UserError: when it refused for good.
    """
    found = self._engine.jobs()
    before = dict(self._histories)
    over = []
    for unit in self._units:
      job = self._jobs[unit.name]
      if not self._is_finished(unit.name):
        self._seen[unit.name] = units_lib.standing_of(self._study, unit)
      self._histories[unit.name], remove = attempts_lib.judged(
        before[unit.name],
        found.get(job.name, whereabouts.ABSENT),
        self._seen[unit.name],
        now,
        self._study.retries,
      )
      if remove:
        over.append(job.name)
    if self._histories != before:
      self._write()
    for name in over:
      self._remove(name)
    places = whereabouts.submitted(
      self._study, self._units, self._seen, self._histories, found, now
    )
    active = sum(place.holds_slice for place in places)
    due = [place.unit.name for place in places if place.state == 'due']
    room = max(0, self._study.max_jobs - active)
    return places, self._submit(due[:room], now)

  def _submit(self, names: Sequence[str], now: float) -> str:
    """Hands in jobs; slices that were refused once are not asked for again."""
    refused: dict[str, str] = {}  # topology -> why
    for name in names:
      job = self._jobs[name]
      if job.topology in refused:
        continue
      try:
        programs.submit(job, self._engine)
      except job_lib.TransientError as error:
        refused[job.topology] = str(error)
        continue
      # If we are killed here, or the client never heard that it is taken, the
      # next pass finds it.
      attempt = attempts_lib.Attempt(now, self._seen[name].seconds)
      self._histories[name] = self._histories[name].opened(attempt)
      self._write()
    return next(iter(refused.values()), '')

  def _remove(self, name: str) -> None:
    """Removes a job, unless it goes by itself meanwhile."""
    try:
      self._engine.remove(name, wait=False)
    except job_lib.TransientError:
      raise
    except errors.UserError:
      left = self._engine.jobs().get(name)
      if left is not None and not left.is_leaving:
        raise

  def _is_finished(self, name: str) -> bool:
    return name in self._seen and self._seen[name].is_finished

  def _write(self) -> None:
    attempts_lib.write(self._file, self._histories)


def _summary(
  places: Sequence[whereabouts.Whereabouts],
) -> tuple[float, str]:
  """(fraction of the training done, how much is where)."""
  text = []
  for verb, kind in (
    ('runs done', [place for place in places if not place.unit.tasks]),
    ('evaluated', [place for place in places if place.unit.tasks]),
  ):
    counts = collections.Counter(place.state for place in kind)
    done = counts.pop('finished', 0)
    if kind:
      states = ''.join(
        f', {number} {state}' for state, number in counts.items()
      )
      text.append(f'{done} of {len(kind)} {verb}{states}')
  if all(place.state == 'finished' for place in places):
    return (1.0 if places else 0.0), '; '.join(text)
  whole = trained = 0.0
  for place in places:
    if place.unit.tasks:
      continue
    plan = place.unit.run.plan
    per_token = accounting.train_flops_per_token(
      plan.model, plan.sequence_length
    )
    whole += per_token * plan.num_steps * plan.tokens_per_step
    trained += per_token * place.done * plan.tokens_per_step
  return min(trained / whole, 0.999), '; '.join(text)


def _check_hope(places: Sequence[whereabouts.Whereabouts]) -> None:
  """Raises `UserError` when nothing is left that can come to an end."""
  left = [place for place in places if place.state != 'finished']
  if not all(place.state in whereabouts.STUCK for place in left):
    return
  lost = [place for place in left if place.state == 'given up']
  named = '; '.join(
    f'{place.unit.name} ({place.message})' for place in lost[:_SHOWN]
  )
  more = f'; and {len(lost) - _SHOWN} more' if len(lost) > _SHOWN else ''
  blocked = len(left) - len(lost)
  behind = f' {blocked} that are behind them wait.' if blocked else ''
  what = 'runs and evaluations' if places[-1].unit.tasks else 'runs'
  raise errors.UserError(
    f'{len(lost)} of {len(places)} {what} are given up: {named}{more}.{behind}'
    ' All others are finished. Mend the cause and start the study again with'
    ' greater limits (RetryPolicy.max_failures and the like); what is finished'
    ' stays.'
  )
