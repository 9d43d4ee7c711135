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
_SILENT_MINUTES = 5  # that every start and every held-out evaluation may take


def show(study: sweep.StudyPlan) -> None:
  """Prints where every run and evaluation is, and changes nothing."""
  console = terminal.wide_console()
  places, trouble = whereabouts.of_study(
    study, study_lib.units(study), time.time()
  )
  console.print(_table(study, places))
  for what, kind in (
    ('runs', [place for place in places if not place.unit.tasks]),
    ('evaluations', [place for place in places if place.unit.tasks]),
  ):
    counts = collections.Counter(place.state for place in kind)
    text = ', '.join(f'{number} {state}' for state, number in counts.items())
    if kind:
      console.print(f'{len(kind)} {what}: {text}')
  for place in places:
    if place.message and place.state != 'finished':
      line = f'  {place.unit.name}: {_one_line(place.message)}'
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
    ['state', 'done', 'slice', 'tries'] if submitted else ['state', 'done']
  )
  rows = terminal.table(f'Runs of {study.name}', names, numbers)
  for place in places:
    unit = place.unit
    done = f'{place.done:,} of {unit.size:,}' + (' tasks' if unit.tasks else '')
    if submitted:
      rows.add_row(
        unit.name,
        place.history.job,
        place.where,
        *(_state(place), done, place.topology, _tries(place)),
      )
    else:
      rows.add_row(unit.name, place.where, place.state, done)
  return terminal.titled(rows)


def _state(place: whereabouts.Whereabouts) -> str:
  minutes = place.silent_seconds / 60
  if minutes < _SILENT_MINUTES:
    return place.state
  return f'{place.state}, silent {minutes:,.0f} min'


def _tries(place: whereabouts.Whereabouts) -> str:
  history = place.history
  preempted = history.count('preempted')
  text = str(len(history.attempts))
  return f'{text}, {preempted} preempted' if preempted else text


def _one_line(message: str) -> str:
  line = ' '.join(message.split())
  return line if len(line) <= _MESSAGE else line[: _MESSAGE - 3] + '...'
