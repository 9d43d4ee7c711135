"""Tokens per second of training, beside PyTorch's and plain Flax's.

On one machine and the same cores, in float32, for models of one shape:

  codelaw      the train step of `codelaw train`, called as its loop does
  plain flax   Flax and optax as one writes them first (peers/plain_flax.py)
  pytorch      transformers' Llama, SDPA attention, fused AdamW, clipping

Each trainer is a process of its own, that sleeps while another has its turn.
They take turns in each round; a ratio is of the turns of one round, and given
as least, median, greatest over the rounds. `cpu` is tokens per second of
processor time. Where other programs keep the cores busy, compare that, with
--threads=1: threads that wait for each other count as busy, and those of
PyTorch (OpenMP) then wait for most of the time.

Before any speed is given: all have the same number of parameters, see the
same tokens, and their losses fall.

PyTorch is no part of codelaw's environment. Give an interpreter that has it:

  python3 -m venv .venv-torch
  .venv-torch/bin/pip install torch transformers
  tools/bench train --torch_python=.venv-torch/bin/python
"""

import argparse
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from codelaw import accounting
from codelaw import errors

_PEERS = pathlib.Path(__file__).parent / 'peers'
# Shape, sequences per update, tokens of one: the ladder's with the batches of
# the quickstart and of larger runs, and one with a vocabulary that weighs.
_CASES = {
  '108k': ((512, 48, 3, 3, 16, 128), 2, 128),
  '1m': ((512, 128, 5, 4, 32, 344), 8, 256),
  '4m': ((4096, 256, 4, 8, 32, 688), 16, 256),
}
_LEARNING_RATE = 0.001
_TORCH_NEEDED = (
  'pytorch: skipped, because {python} cannot import torch and transformers;'
  ' see `tools/bench train --help` for how to give it one that can.'
)


@dataclasses.dataclass
class Trainer:
  """A process that trains in turns, and what its turns gave."""

  name: str
  process: subprocess.Popen[str]
  losses: list[float] = dataclasses.field(default_factory=list)
  num_params: int = 0
  speeds: list[float] = dataclasses.field(default_factory=list)
  cpu_speeds: list[float] = dataclasses.field(default_factory=list)

  def begin(self) -> None:
    """Waits until its step is compiled and warm."""
    answer = self._answer()
    self.num_params = answer['num_params']
    self.losses += answer['losses']

  def turn(self, seconds: float, steps: int, tokens_per_step: int) -> None:
    """Lets it train for that long, at least that many steps."""
    assert self.process.stdin is not None
    self.process.stdin.write(f'{seconds} {steps}\n')
    self.process.stdin.flush()
    answer = self._answer()
    tokens = answer['steps'] * tokens_per_step
    self.speeds.append(tokens / answer['seconds'])
    self.cpu_speeds.append(tokens / max(answer['cpu_seconds'], 1e-9))
    self.losses += answer['losses']

  def _answer(self) -> dict[str, Any]:
    assert self.process.stdout is not None
    line = self.process.stdout.readline()
    if not line:
      raise errors.UserError(
        f'The trainer {self.name} ended with exit code'
        f' {self.process.wait()}; what it wrote stands above.'
      )
    return json.loads(line)


def main(arguments: list[str]) -> None:
  """Parses the flags, measures, prints."""
  parser = argparse.ArgumentParser(
    prog='tools/bench train',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--cases', default=','.join(_CASES))
  parser.add_argument('--rounds', type=int, default=7)
  parser.add_argument('--seconds', type=float, default=3.0, help='of a turn')
  parser.add_argument('--min_steps', type=int, default=2, help='of a turn')
  parser.add_argument('--threads', type=int, default=len(_cores()))
  parser.add_argument(
    '--torch_python',
    default=sys.executable,
    help='an interpreter with torch and transformers',
  )
  args = parser.parse_args(arguments)
  unknown = [name for name in args.cases.split(',') if name not in _CASES]
  if unknown:
    raise errors.UserError(
      f'--cases={args.cases}: there is no case {unknown[0]!r}; the cases are'
      f' {", ".join(_CASES)}.'
    )
  scripts = {
    'codelaw': (sys.executable, 'codelaw_step.py'),
    'plain flax': (sys.executable, 'plain_flax.py'),
  }
  if _can_import_torch(args.torch_python):
    scripts['pytorch'] = (args.torch_python, 'torch_llama.py')
  else:
    print(_TORCH_NEEDED.format(python=args.torch_python), file=sys.stderr)
  for name in args.cases.split(','):
    _compare(name, scripts, args)


def _compare(name, scripts, args) -> None:
  sizes, batch_size, length = _CASES[name]
  shape = accounting.ModelShape(*sizes)
  fields = (
    *('vocab_size', 'width', 'num_layers', 'num_heads', 'head_dim'),
    'mlp_width',
  )
  job = {
    'shape': {field: getattr(shape, field) for field in fields},
    'batch_size': batch_size,
    'length': length,
    'learning_rate': _LEARNING_RATE,
    'threads': args.threads,
  }
  trainers: list[Trainer] = []
  try:
    for peer, (python, script) in scripts.items():
      trainers.append(Trainer(peer, _start(python, script, job)))
      trainers[-1].begin()
    for _ in range(args.rounds):
      for trainer in trainers:
        trainer.turn(args.seconds, args.min_steps, batch_size * length)
  finally:
    for trainer in trainers:
      trainer.process.kill()
      trainer.process.wait()
  _check(shape, trainers)
  print(
    f'{accounting.num_params(shape):,} parameters, vocabulary'
    f' {shape.vocab_size:,}, {batch_size} x {length} tokens,'
    f' {args.threads} threads, {args.rounds} rounds'
  )
  print(
    f'  {"":10} {"tokens/s":>9} {"ratio of codelaw":>17}   {"cpu":>9}'
    f' {"ratio of codelaw":>17}'
  )
  for trainer in trainers:
    print(
      f'  {trainer.name:10}'
      f' {_row(trainers[0].speeds, trainer.speeds)}  '
      f' {_row(trainers[0].cpu_speeds, trainer.cpu_speeds)}',
      flush=True,
    )


def _row(ours: list[float], theirs: list[float]) -> str:
  """Median speed; least, median and greatest ratio of the rounds."""
  ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
  around = (min(ratios), statistics.median(ratios), max(ratios))
  return f'{statistics.median(theirs):9,.0f} ' + ' '.join(
    f'{ratio:5.2f}' for ratio in around
  )


def _check(shape: accounting.ModelShape, trainers: list[Trainer]) -> None:
  """Refuses to compare what is not the same training."""
  for trainer in trainers:
    if trainer.num_params != accounting.num_params(shape):
      raise errors.UserError(
        f'{trainer.name} trains {trainer.num_params:,} parameters, codelaw'
        f' {accounting.num_params(shape):,}: not the same model.'
      )
    first, last = trainer.losses[0], trainer.losses[-1]
    if not last < first:
      raise errors.UserError(
        f'The loss of {trainer.name} went from {first:.3f} to {last:.3f}: it'
        ' does not learn.'
      )


def _start(python: str, script: str, job: dict) -> subprocess.Popen[str]:
  environment = {
    **os.environ,
    'JAX_PLATFORMS': 'cpu',
    'OMP_NUM_THREADS': str(job['threads']),
  }
  cores = _cores()[: job['threads']]
  return subprocess.Popen(
    [python, os.fspath(_PEERS / script), json.dumps(job)],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
    env=environment,
    # XLA makes as many threads as there are cores that it may use.
    preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
  )


def _cores() -> list[int]:
  return sorted(os.sched_getaffinity(0))


def _can_import_torch(python: str) -> bool:
  with tempfile.TemporaryDirectory() as folder:
    done = subprocess.run(
      [python, '-c', 'import torch, transformers'],
      cwd=folder,
      capture_output=True,
    )
  return done.returncode == 0


if __name__ == '__main__':
  try:
    main(sys.argv[1:])
  except errors.UserError as error:
    sys.exit(f'tools/bench train: {error}')
