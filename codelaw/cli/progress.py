"""Progress of long work: a bar on a terminal, plain lines in a log.

Library code reports `(message, fraction)`; how it looks is decided here. A
`Progress` is that callback: messages are shown as they come, at most a few
a second on a terminal and one every few seconds in a log. What was said last
of work that came to its end, and every `note`, stays as a line in both.
"""

import sys
import time
from types import TracebackType

from rich import console as rich_console
from rich import progress as rich_progress

_LOG_SECONDS = 10.0


def duration(seconds: float) -> str:
  """Seconds as a person says them.

  >>> duration(7), duration(75), duration(7500)
  ('7 s', '1 min 15 s', '2 h 5 min')
  """
  whole = max(0, round(seconds))
  if whole < 60:
    return f'{whole} s'
  if whole < 3600:
    return f'{whole // 60} min {whole % 60} s'
  return f'{whole // 3600} h {whole % 3600 // 60} min'


class Progress:
  """Shows `(message, fraction)` reports of one piece of work.

  Use as a context manager. `fraction` in [0, 1] is the part that is done;
  the time left is extrapolated from it unless the caller knows better.
  """

  def __init__(self, title: str):
    self._title = title
    self._terminal = sys.stderr.isatty()
    self._start = time.monotonic()
    self._last_line = float('-inf')
    self._ending = ''
    self._bar: rich_progress.Progress | None = None
    self._task = rich_progress.TaskID(0)

  def __enter__(self) -> 'Progress':
    self._start = time.monotonic()
    if self._terminal:
      self._bar = rich_progress.Progress(
        rich_progress.TextColumn('{task.description}'),
        rich_progress.BarColumn(bar_width=24),
        rich_progress.TaskProgressColumn(),
        rich_progress.TextColumn('{task.fields[message]}'),
        console=rich_console.Console(stderr=True),
        transient=True,
      )
      self._bar.start()
      self._task = self._bar.add_task(self._title, total=1.0, message='')
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: TracebackType | None,
  ) -> None:
    if kind is None and self._ending:
      self.note(self._ending)
    if self._bar is not None:
      self._bar.stop()

  def __call__(
    self, message: str, fraction: float, seconds_left: float | None = None
  ) -> None:
    """Shows that `fraction` of the work is done and what happens now."""
    now = time.monotonic()
    if seconds_left is None and fraction > 0.01:
      seconds_left = (now - self._start) * (1 - fraction) / fraction
    left = ''
    if seconds_left is not None and fraction < 1:
      left = f', {duration(seconds_left)} left'
    if self._bar is not None:
      self._bar.update(self._task, completed=fraction, message=message + left)
    self._ending = message if fraction >= 1 else ''
    due = self._bar is None and now - self._last_line >= _LOG_SECONDS
    if due and not self._ending:
      self._last_line = now
      self.note(f'{fraction:.0%} {message}{left}')

  def note(self, message: str) -> None:
    """Shows a line that stays."""
    line = f'{self._title}: {message}'
    if self._bar is None:
      print(line, file=sys.stderr, flush=True)
    else:
      self._bar.console.print(
        line, markup=False, highlight=False, soft_wrap=True
      )
