"""The table of what runs where, for `codelaw study --status`."""

import collections
from collections.abc import Sequence
import time

import rich.console

from codelaw.cli import terminal
from codelaw.studies import study as study_lib
from codelaw.studies import sweep
from codelaw.studies import whereabouts

_MESSAGE = 100  # characters of a message that a line shows


def show(study: sweep.StudyPlan) -> None:
  """Prints where every run of a study is, and changes nothing."""
  console = terminal.wide_console()
  groups = study_lib.groups(study)
  places, trouble = whereabouts.of_study(study, groups, time.time())
  console.print(_table(study, places))
  counts = collections.Counter(place.state for place in places)
  text = ', '.join(f'{number} {state}' for state, number in counts.items())
  console.print(f'{len(places)} runs: {text}')
  for place in places:
    if place.message and place.state != 'finished':
      line = f'  {place.run.run_id}: {_one_line(place.message)}'
      console.print(line, markup=False, soft_wrap=True)
  if trouble:
    console.print(
      f'The engine could not be asked: {trouble}', markup=False, soft_wrap=True
    )


def _table(
  study: sweep.StudyPlan, places: Sequence[whereabouts.Whereabouts]
) -> rich.console.RenderableType:
  submitted = study.engine is not None
  names = ['run', 'job', 'where'] if submitted else ['run', 'where']
  numbers = (
    ['state', 'step', 'slice', 'tries'] if submitted else ['state', 'step']
  )
  rows = terminal.table(f'Runs of {study.name}', names, numbers)
  for place in places:
    plan = place.run.plan
    step = f'{place.step:,} of {plan.num_steps:,}'
    if submitted:
      rows.add_row(
        place.run.run_id,
        place.history.job,
        place.where,
        *(place.state, step, place.topology, _tries(place)),
      )
    else:
      rows.add_row(place.run.run_id, place.where, place.state, step)
  return terminal.titled(rows)


def _tries(place: whereabouts.Whereabouts) -> str:
  history = place.history
  preempted = history.count('preempted')
  text = str(len(history.attempts))
  return f'{text}, {preempted} preempted' if preempted else text


def _one_line(message: str) -> str:
  line = ' '.join(message.split())
  return line if len(line) <= _MESSAGE else line[: _MESSAGE - 3] + '...'
