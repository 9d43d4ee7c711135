"""What is around the harness while it works, and is as it was afterwards.

The harness and the packages under it (`datasets`, `huggingface_hub`) log, draw
progress bars, keep prepared data in the user's home, draw from the global
random generators and, when an environment variable says so, run generated
programs. In here they do none of that.
"""

from collections.abc import Iterator
import contextlib
import logging
import os
import pathlib
import random
import tempfile
from typing import Any

import numpy as np

_LOUD = ('lm_eval', 'datasets', 'huggingface_hub', 'evaluate', 'httpx')
_RUNS_PROGRAMS = 'HF_ALLOW_CODE_EVAL'


def _replace(
  stack: contextlib.ExitStack, of: Any, name: str, value: Any
) -> None:
  stack.callback(setattr, of, name, getattr(of, name))
  setattr(of, name, value)


def _forbid_programs(stack: contextlib.ExitStack) -> None:
  before = os.environ.get(_RUNS_PROGRAMS)
  if before is None:
    stack.callback(os.environ.pop, _RUNS_PROGRAMS, None)
  else:
    stack.callback(os.environ.__setitem__, _RUNS_PROGRAMS, before)
  os.environ[_RUNS_PROGRAMS] = '0'


def _without_bar(items: Any, **settings: Any) -> Any:
  """In place of `tqdm.tqdm`."""
  del settings
  return items


@contextlib.contextmanager
def quiet(cache_dir: str = '') -> Iterator[pathlib.Path]:
  """Around every call of the harness.

  Args:
    cache_dir: where data sets are prepared; empty for the temporary folder.

  Yields:
    A temporary folder.
  """
  import datasets
  from lm_eval.api import task as harness_task

  with contextlib.ExitStack() as stack:
    folder = pathlib.Path(
      stack.enter_context(
        tempfile.TemporaryDirectory(prefix='codelaw_harness_')
      )
    )
    stack.callback(random.setstate, random.getstate())
    stack.callback(np.random.set_state, np.random.get_state())
    for name in _LOUD:
      logger = logging.getLogger(name)
      stack.callback(logger.setLevel, logger.level)
      logger.setLevel(logging.ERROR)
    if not datasets.are_progress_bars_disabled():
      stack.callback(datasets.enable_progress_bars)
      datasets.disable_progress_bars()
    _forbid_programs(stack)
    prepared = pathlib.Path(cache_dir) if cache_dir else folder / 'data'
    _replace(stack, datasets.config, 'HF_DATASETS_CACHE', prepared)
    _replace(stack, harness_task, 'tqdm', _without_bar)
    yield folder
