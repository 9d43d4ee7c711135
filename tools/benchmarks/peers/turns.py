"""What the trainers of `tools/bench train` share: the data and the turns.

Each trainer is a process of its own, so that no library's threads share the
other's. It is started with a job as JSON, answers one line when its step is
compiled and warm, then takes turns: for each line `SECONDS STEPS` that it is
sent it trains that long, at least that many steps, and answers. Between its
turns it waits for a line and uses no processor. This module needs NumPy only.
"""

from collections.abc import Callable
from collections.abc import Iterator
import json
import sys
import time
from typing import Any

import numpy as np

_NUM_BATCHES = 16
_WARM_UP_STEPS = 3


def batches(job: dict[str, Any]) -> Iterator[np.ndarray]:
  """Token ids, int64 [batch_size, length + 1], the same for every trainer.

  Each token follows from the one before it, but for one in ten, which is
  random: there is something to learn.
  """
  generator = np.random.default_rng(0)
  vocab_size = job['shape']['vocab_size']
  follower = generator.permutation(vocab_size)
  for _ in range(_NUM_BATCHES):
    tokens = generator.integers(
      0, vocab_size, (job['batch_size'], job['length'] + 1)
    )
    kept = generator.random(tokens.shape) < 0.9
    for at in range(1, tokens.shape[1]):
      tokens[:, at] = np.where(
        kept[:, at], follower[tokens[:, at - 1]], tokens[:, at]
      )
    yield tokens


def serve(
  make_step: Callable[
    [dict[str, Any]],
    tuple[int, Callable[[int], float], Callable[[], Any]],
  ],
) -> None:
  """Makes the step of the job in `sys.argv`, and trains when told to.

  Args:
    make_step: a job to the number of parameters, a function that makes the
      update of a numbered batch and returns a loss in nats per token, and one
      that returns when all updates are done: a turn ends with it, so that no
      work is left to the others' turns.
  """
  answers, sys.stdout = sys.stdout, sys.stderr  # Libraries print.
  began = time.perf_counter()
  num_params, step, wait = make_step(json.loads(sys.argv[1]))
  losses = [step(index) for index in range(_WARM_UP_STEPS)]
  wait()
  answer = {
    'num_params': num_params,
    'start_seconds': time.perf_counter() - began,
    'losses': losses,
  }
  while True:
    print(json.dumps(answer), file=answers, flush=True)
    if not (line := sys.stdin.readline()):
      return
    seconds, least = line.split()
    losses = []
    began, cpu_began = time.perf_counter(), time.process_time()
    while time.perf_counter() < began + float(seconds) or len(losses) < int(
      least
    ):
      losses.append(step(len(losses)))
    wait()
    answer = {
      'steps': len(losses),
      'seconds': time.perf_counter() - began,
      'cpu_seconds': time.process_time() - cpu_began,
      'losses': losses,
    }
