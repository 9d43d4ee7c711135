"""Ctrl-C and SIGTERM (preemption) as a wish that the loop looks at."""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import signal
import threading
from types import FrameType


class StopAtOnce(KeyboardInterrupt):
  """A second signal: the work since the last checkpoint is given up."""


@contextlib.contextmanager
def wish_to_stop() -> Iterator[Callable[[], bool]]:
  """Gives a function that says whether a signal has asked to stop.

  A second one stops at once, without waiting for a checkpoint. Outside the main
  thread, where Python allows no signal handlers, the function always says no.
  """
  asked = threading.Event()
  if threading.current_thread() is not threading.main_thread():
    yield asked.is_set
    return

  def on_signal(number: int, frame: FrameType | None) -> None:
    if asked.is_set():
      raise StopAtOnce
    asked.set()

  numbers = (signal.SIGINT, signal.SIGTERM)
  previous = [signal.signal(number, on_signal) for number in numbers]
  try:
    yield asked.is_set
  finally:
    for number, handler in zip(numbers, previous, strict=True):
      signal.signal(number, handler)
