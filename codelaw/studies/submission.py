"""Has the runs of a study trained by an engine, one job per run.

There is no memory but what is on disk: each pass looks at every run's own
record (what has become of the run), at what the engine says (where its job
is) and at `jobs.json` (what was tried before), removes jobs that have nothing
more to do, and hands in what is due. Job names follow from the runs' folders
and an engine leaves alone what it has, so a submitter may be killed at any
moment and started again, here or on another machine. A job that was preempted
is handed in again as it was: `codelaw train` goes on from the last checkpoint.
"""

import collections
from collections.abc import Sequence
import os
import time

from codelaw import accounting
from codelaw import errors
from codelaw import gin_text
from codelaw import records
from codelaw import storage
from codelaw.launch import job as job_lib
from codelaw.launch import programs
from codelaw.studies import attempts as attempts_lib
from codelaw.studies import execution
from codelaw.studies import experiments
from codelaw.studies import sweep
from codelaw.studies import whereabouts

GIN_FOLDER = 'jobs'
_SHOWN = 3  # runs that one sentence names


def execute(
  study: sweep.StudyPlan,
  runs: Sequence[experiments.PlannedRun],
  folder: str,
  progress: execution.Progress,
  once: bool = False,
) -> bool:
  """Has every run trained into `folder` of the study.

  Args:
    study: with an engine.
    runs: in the order in which they are handed in.
    folder: of the run directories, below the study's.
    progress: told of every pass.
    once: whether to return after one pass.

  Returns:
    Whether all runs are finished and all slices given back.

  Raises:
    UserError: when all that is left are runs that are given up or wait for
      one; when the engine's client refuses for good, or once too often. Jobs
      go on, and the same command goes on from there.
  """
  submission = Submission(study, runs, folder)
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
  """The runs of one folder of a study, on their way through an engine."""

  def __init__(
    self,
    study: sweep.StudyPlan,
    runs: Sequence[experiments.PlannedRun],
    folder: str,
  ):
    assert study.engine is not None
    self._engine = study.engine
    self._study = study
    self._runs = runs
    self._file = study.root / attempts_lib.FILE
    self._folder = study.root / folder
    self._jobs = {}
    self._seen: dict[str, records.RunRecord | None] = {}
    kept = attempts_lib.read(self._file)
    for run in runs:
      job, gin = job_of(study, run, folder)
      self._jobs[run.run_id] = job
      file = study.root / GIN_FOLDER / f'{run.run_id}.gin'
      if not file.exists() or file.read_text() != gin:
        storage.write_text(file, gin)
      kept.setdefault(run.run_id, attempts_lib.History(job.name))
    self._histories = kept

  def one_pass(self, now: float) -> tuple[list[whereabouts.Whereabouts], str]:
    """Brings the engine and the records together once.

    Args:
      now: seconds since 1970.

    Returns:
      (places, trouble): where each run is, before the engine has reacted, and
      why a job was not taken, if one was not.

    Raises:
      TransientError: when the client failed and may not the next time.
      UserError: when it refused for good.
    """
    found = self._engine.jobs()
    before = dict(self._histories)
    over = []
    for run in self._runs:
      run_id, job = run.run_id, self._jobs[run.run_id]
      if not self._is_finished(run_id):
        self._seen[run_id] = whereabouts.record_of(self._folder, run_id)
      self._histories[run_id], remove = attempts_lib.judged(
        before[run_id],
        found.get(job.name, whereabouts.ABSENT),
        self._seen[run_id],
        now,
      )
      if remove:
        over.append(job.name)
    if self._histories != before:
      self._write()
    for name in over:
      self._remove(name)
    places = whereabouts.submitted(
      self._study, self._runs, self._seen, self._histories, found, now
    )
    active = sum(place.holds_slice for place in places)
    due = [place.run.run_id for place in places if place.state == 'due']
    room = max(0, self._study.max_jobs - active)
    return places, self._submit(due[:room], now)

  def _submit(self, run_ids: Sequence[str], now: float) -> str:
    """Hands in jobs; slices that were refused once are not asked for again."""
    refused: dict[str, str] = {}  # topology -> why
    for run_id in run_ids:
      job = self._jobs[run_id]
      if job.topology in refused:
        continue
      record = self._seen[run_id]
      seconds = record.wall_seconds if record else 0.0
      try:
        programs.submit(job, self._engine)
      except job_lib.TransientError as error:
        refused[job.topology] = str(error)
        continue
      # If we are killed here, or the client never heard that it is taken, the
      # next pass finds it.
      attempt = attempts_lib.Attempt(now, seconds)
      self._histories[run_id] = self._histories[run_id].opened(attempt)
      self._write()
    return next(iter(refused.values()), '')

  def _remove(self, name: str) -> None:
    """Removes a job, unless it goes by itself meanwhile."""
    try:
      self._engine.remove(name)
    except job_lib.TransientError:
      raise
    except errors.UserError:
      left = self._engine.jobs().get(name)
      if left is not None and not left.is_leaving:
        raise

  def _is_finished(self, run_id: str) -> bool:
    record = self._seen.get(run_id)
    return record is not None and record.status == 'finished'

  def _write(self) -> None:
    attempts_lib.write(self._file, self._histories)


def job_of(
  study: sweep.StudyPlan, run: experiments.PlannedRun, folder: str
) -> tuple[job_lib.Job, str]:
  """The job that trains a run into `folder` of a study, and its gin file.

  Raises:
    UserError: when the study names no slice for the run's model, or the
      engine's hosts do not see its folders.
  """
  on = sweep.slice_of(study, run.plan)
  if on is None:
    size = accounting.num_params(run.plan.model)
    raise errors.UserError(
      f'The study names no slice for {run.run_id} ({size:,} parameters); add'
      ' @Slice() with its model and topology to StudyPlan.slices, or take the'
      ' engine away: StudyPlan.engine = None trains it here.'
    )
  root = storage.path(study.study_dir)
  model_dir = os.fspath(root / folder / run.run_id)
  file = os.fspath(root / GIN_FOLDER / f'{run.run_id}.gin')
  text = (
    gin_text.comment(f'Submitted with the study {study.name}:')
    + gin_text.comment(f'  codelaw train --gin_file={file}')
    + '\n'
    + gin_text.train_settings(run.plan, model_dir, on.execution)
  )
  job = job_lib.Job(
    name=job_lib.name_of(model_dir),
    command=('codelaw', 'train', f'--gin_file={file}'),
    topology=on.topology,
  )
  return job, text


def _summary(
  places: Sequence[whereabouts.Whereabouts],
) -> tuple[float, str]:
  """(fraction of the training done, how many runs are where)."""
  counts = collections.Counter(place.state for place in places)
  done = counts.pop('finished', 0)
  text = ', '.join(f'{number} {state}' for state, number in counts.items())
  text = f'{done} of {len(places)} runs done' + (f'; {text}' if text else '')
  if done == len(places):
    return (1.0 if places else 0.0), text
  whole = trained = 0.0
  for place in places:
    plan = place.run.plan
    per_token = accounting.train_flops_per_token(
      plan.model, plan.sequence_length
    )
    whole += per_token * plan.num_steps * plan.tokens_per_step
    trained += per_token * place.step * plan.tokens_per_step
  return min(trained / whole, 0.999), text


def _check_hope(places: Sequence[whereabouts.Whereabouts]) -> None:
  """Raises `UserError` when nothing is left that can come to an end."""
  left = [place for place in places if place.state != 'finished']
  if not all(place.state in whereabouts.STUCK for place in left):
    return
  lost = [place for place in left if place.state == 'given up']
  named = '; '.join(
    f'{place.run.run_id} ({place.message})' for place in lost[:_SHOWN]
  )
  more = f'; and {len(lost) - _SHOWN} more' if len(lost) > _SHOWN else ''
  blocked = len(left) - len(lost)
  behind = f' {blocked} that start from them wait.' if blocked else ''
  raise errors.UserError(
    f'{len(lost)} of {len(places)} runs are given up: {named}{more}.{behind}'
    ' All others are finished. Mend the cause and start the study again with'
    ' greater limits (RetryPolicy.max_failures and the like); finished runs'
    ' stay.'
  )
