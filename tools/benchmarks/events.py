"""Run directories to a run table, beside TensorBoard's EventAccumulator.

Written on the spot, with the same seed each time, and read by both:

  codelaw   runs of `codelaw train`: an event per evaluation, with a loss, bits
            per byte and tokens of each of 20 sources as simple values
  t5x       runs of T5X: a tensor per event; 4 tasks with 12 metrics each, and
            20 metrics while training, most of which nobody asks for
  pytorch   one simple value per event, 10 tags; a histogram of 60 buckets every
            tenth step and an image of 200 kB every thousandth

Each turn adds one evaluation to each run, then reads all of them four times:
EventAccumulator from the beginning; codelaw without a cache; codelaw with the
cache of the turn before, so that it reads what was added; codelaw again, where
nothing was added. The time is that from the folders to the numbers: for codelaw
`collect.collect` with all its checks and the table itself, for EventAccumulator
`Reload` and the losses of the same rows as a dictionary. The losses must be
equal to the last bit in every turn. Both run in one process; seconds are of
its processor time, with all its threads, because other programs may keep the
cores busy; ratios are medians over the turns of ratios within a turn.

A run has fixed costs (folders, run.json, columns of the table), so the ratio is
smallest where runs log little.

In favour of EventAccumulator: only scalars and tensors are kept whole
(size_guidance 0), of all else one; it reads with TensorFlow's record reader
where TensorFlow is installed, whose import is not counted; codelaw reads and
verifies every byte as well, and finds the event files by itself, while those
of EventAccumulator are told.
"""

import argparse
from collections.abc import Callable
from collections.abc import Iterable
import dataclasses
import pathlib
import shutil
import statistics
import struct
import sys
import time

import numpy as np
import pandas as pd
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.compat.proto import event_pb2
from tensorboard.util import tensor_util

from codelaw import accounting
from codelaw import records
from codelaw.runs import collect
from codelaw.runs import folders
from codelaw.runs import tfrecords

_SOURCES = [f'code/language{number}' for number in range(20)]
_TASKS = [f'task{number}' for number in range(4)]
_TAGS = ('val/loss', 'train/loss', *(f'weights/norm{n}' for n in range(8)))
_PER_SLOT = 'cross_ent_loss_per_all_target_tokens'
_SHARE = 'non_padding_fraction/loss_weights'
_METRICS = (
  'loss',
  'loss_per_nonpadding_target_token',
  _PER_SLOT,
  _SHARE,
  *(f'timing/metric{number}' for number in range(8)),
)
_LAST = 10**7  # More updates than any turn reaches.
_FACTS = {'num_params': 10**6, 'tokens_per_step': 1000, 'num_steps': _LAST}
_SIZE_GUIDANCE = {
  event_accumulator.SCALARS: 0,
  event_accumulator.TENSORS: 0,
  event_accumulator.IMAGES: 1,
  event_accumulator.HISTOGRAMS: 1,
  event_accumulator.COMPRESSED_HISTOGRAMS: 1,
}
# (run id, step, column) -> loss.
_Losses = dict[tuple[str, int, str], float]


@dataclasses.dataclass(frozen=True)
class Kind:
  """One kind of runs.

  Attributes:
    name: in the table.
    add: writes evaluations at steps to a run folder.
    losses: of a run, from its folder, by EventAccumulator.
  """

  name: str
  add: Callable[[pathlib.Path, Iterable[int]], None]
  losses: Callable[[pathlib.Path], dict[tuple[int, str], float]]


def main(arguments: list[str]) -> None:
  """Parses the flags, measures, prints."""
  parser = argparse.ArgumentParser(
    prog='tools/bench events',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--dir', default='results/bench/events', help='for files')
  parser.add_argument('--runs', type=int, default=8, help='of each kind')
  parser.add_argument(
    '--evaluations', type=int, default=200, help='of each run'
  )
  parser.add_argument('--turns', type=int, default=5)
  args = parser.parse_args(arguments)
  root = pathlib.Path(args.dir)
  shutil.rmtree(root, ignore_errors=True)
  _warm_up(root / 'warm_up')
  kinds = (
    Kind('codelaw', _add_codelaw, _codelaw_losses),
    Kind('t5x', _add_t5x, _t5x_losses),
    Kind('pytorch', _add_pytorch, _pytorch_losses),
  )
  print(
    f'{"processor seconds":<18}{"MB":>7}{"events":>10}{"TensorBoard":>13}'
    f'{"codelaw":>9}{"ratio":>7}{"added":>8}{"ratio":>7}{"same":>8}{"ratio":>7}'
  )
  for kind in kinds:
    _measure(kind, root / kind.name, args)


def _warm_up(folder: pathlib.Path) -> None:
  """Imports TensorFlow, where there is one, and compiles expressions."""
  _add_codelaw(folder / 'run0', [100])
  _codelaw_losses(folder / 'run0')
  _table(folder, None)


def _measure(
  kind: Kind, folder: pathlib.Path, args: argparse.Namespace
) -> None:
  names = [f'run{number}' for number in range(args.runs)]
  for name in names:
    kind.add(folder / name, range(100, 100 * args.evaluations, 100))
  cache = folder.parent / f'{kind.name}.cache'
  _table(folder, cache)
  seconds = []
  for turn in range(args.turns):
    step = 100 * (args.evaluations + turn)
    for name in names:
      kind.add(folder / name, [step])
    turn_seconds = []
    theirs, took = _timed(lambda: _accumulated(kind, folder, names))
    turn_seconds.append(took)
    for known in (None, cache, cache):
      table, took = _timed(lambda known=known: _table(folder, known))
      turn_seconds.append(took)
      _check(table, theirs)
    seconds.append(turn_seconds)
  files = [*folder.rglob('*tfevents*')]
  size = sum(file.stat().st_size for file in files) / 1e6
  events = sum(map(_num_events, files))
  medians = [statistics.median(column) for column in zip(*seconds, strict=True)]
  ratios = [
    statistics.median(turn[0] / turn[way] for turn in seconds)
    for way in (1, 2, 3)
  ]
  print(
    f'{kind.name:<18}{size:>7.1f}{events:>10,}{medians[0]:>13.2f}'
    + ''.join(
      f'{took:>{width}.3f}{ratio:>6.0f}x'
      for took, ratio, width in zip(medians[1:], ratios, (9, 8, 8), strict=True)
    ),
    flush=True,
  )


def _timed(work: Callable):
  """(what the work returns, processor seconds of all threads)."""
  began = time.process_time()
  result = work()
  return result, time.process_time() - began


def _table(folder: pathlib.Path, cache: pathlib.Path | None) -> pd.DataFrame:
  found = folders.find([str(folder)])
  return collect.collect(
    found,
    lambda note: None,
    facts={run_id: _FACTS for run_id in found.values()},
    cache=cache,
    workers=1,
  )


def _accumulated(
  kind: Kind, folder: pathlib.Path, names: Iterable[str]
) -> _Losses:
  return {
    (name, *key): value
    for name in names
    for key, value in kind.losses(folder / name).items()
  }


def _check(table: pd.DataFrame, expected: _Losses) -> None:
  """Ends the program unless the losses are the same to the last bit."""
  columns = [name for name in table if name.startswith('loss/')]
  found = {
    (run_id, step, column): value
    for column in columns
    for run_id, step, value in zip(
      table['run_id'], table['step'], table[column], strict=True
    )
  }
  if found != expected:
    sys.exit('tools/bench events: the losses are not those of EventAccumulator')


def _num_events(file: pathlib.Path) -> int:
  with file.open('rb') as stream:
    return sum(
      len(b.starts)
      for b in tfrecords.blocks(stream, str(file), 0, file.stat().st_size)
    )


def _accumulator(
  folder: pathlib.Path,
) -> event_accumulator.EventAccumulator:
  found = event_accumulator.EventAccumulator(str(folder), _SIZE_GUIDANCE)
  return found.Reload()


def _codelaw_losses(folder: pathlib.Path) -> dict[tuple[int, str], float]:
  found = _accumulator(folder / 'eval')
  return {
    (event.step, f'loss/{source}'): event.value
    for source in _SOURCES
    for event in found.Scalars(f'eval/{source}/loss_nats_per_token')
  }


def _t5x_losses(folder: pathlib.Path) -> dict[tuple[int, str], float]:
  _accumulator(folder / 'train')
  losses = {}
  for task in _TASKS:
    found = _accumulator(folder / 'training_eval' / task)
    shares = {
      event.step: _number(event.tensor_proto) for event in found.Tensors(_SHARE)
    }
    for event in found.Tensors(_PER_SLOT):
      value = _number(event.tensor_proto) / shares[event.step]
      losses[event.step, f'loss/{task}'] = value
  return losses


def _pytorch_losses(folder: pathlib.Path) -> dict[tuple[int, str], float]:
  found = _accumulator(folder)
  return {
    (event.step, 'loss/val'): event.value for event in found.Scalars('val/loss')
  }


def _number(tensor) -> float:
  return float(tensor_util.make_ndarray(tensor))


def _append(folder: pathlib.Path, events: Iterable[event_pb2.Event]) -> None:
  folder.mkdir(parents=True, exist_ok=True)
  file = folder / 'events.out.tfevents.1700000000.host'
  new = not file.exists()
  with file.open('ab') as stream:
    for event in (
      *([event_pb2.Event(file_version='brain.Event:2')] if new else []),
      *events,
    ):
      payload = event.SerializeToString()
      head = struct.pack('<Q', len(payload))
      for part in (head, payload):
        checksum = struct.pack('<I', tfrecords.masked_crc32c(part))
        stream.write(part + checksum)


def _event(step: int) -> event_pb2.Event:
  return event_pb2.Event(step=step, wall_time=1.7e9 + step / 7)


def _add_codelaw(folder: pathlib.Path, steps: Iterable[int]) -> None:
  if not (folder / 'run.json').exists():
    records.write_run_record(folder, _record(folder.name))
  random = np.random.default_rng(0)
  events = []
  for step in steps:
    event = _event(step)
    for source in _SOURCES:
      for tag, value in (
        (f'eval/{source}/loss_nats_per_token', random.random()),
        (f'eval/{source}/bits_per_byte', random.random()),
        (f'tokens/{source}', step * 1000),
      ):
        event.summary.value.add(tag=tag, simple_value=value)
    events.append(event)
  _append(folder / 'eval', events)


def _add_t5x(folder: pathlib.Path, steps: Iterable[int]) -> None:
  random = np.random.default_rng(0)
  steps = list(steps)
  metrics = [f'metric{number}' for number in range(20)]
  training = [at for step in steps for at in range(step - 90, step + 1, 10)]
  for place, tags, at in (
    *((f'training_eval/{task}', _METRICS, steps) for task in _TASKS),
    ('train', metrics, training),
  ):
    events = []
    for step in at:
      for tag in tags:
        event = _event(step)
        value = event.summary.value.add(tag=tag)
        value.tensor.CopyFrom(
          tensor_util.make_tensor_proto(np.float32(random.uniform(0.1, 1)))
        )
        value.metadata.plugin_data.plugin_name = 'scalars'
        events.append(event)
    _append(folder / place, events)


def _add_pytorch(folder: pathlib.Path, steps: Iterable[int]) -> None:
  random = np.random.default_rng(0)
  events = []
  for last in steps:
    for step in range(last - 90, last + 1, 10):
      for tag in _TAGS:
        if tag != 'val/loss' or step == last:
          event = _event(step)
          event.summary.value.add(tag=tag, simple_value=random.random())
          events.append(event)
    event = _event(last)
    histogram = event.summary.value.add(tag='weights').histo
    histogram.bucket.extend(random.random(60))
    histogram.bucket_limit.extend(np.arange(60.0))
    events.append(event)
    if last % 10_000 == 0:
      event = _event(last)
      image = event.summary.value.add(tag='sample').image
      image.encoded_image_string = random.bytes(200_000)
      events.append(event)
  _append(folder, events)


def _record(run_id: str) -> records.RunRecord:
  shape = accounting.ModelShape(
    vocab_size=8, width=4, num_layers=1, num_heads=1, head_dim=4, mlp_width=8
  )
  tokens = dict.fromkeys(_SOURCES, 1)
  mixture = records.MixtureRates(tokens)
  plan = records.RunPlan(
    model=shape,
    schedule=records.Schedule((records.Stage('main', mixture),)),
    optimizer=records.OptimizerSettings(peak_learning_rate=1e-3),
    shards_dir='shards',
    num_tokens=32 * _LAST,
    sequence_length=8,
    batch_size=4,
  )
  return records.RunRecord(
    run_id=run_id,
    plan=plan,
    status='running',
    step=0,
    num_params=accounting.num_params(shape),
    num_params_no_embed=accounting.num_params_no_embed(shape),
    params_by_group=accounting.params_by_group(shape),
    train_flops=1e6,
    flops_convention=accounting.FLOPS_CONVENTION,
    planned_tokens=tokens,
    realised_tokens=tokens,
    stage_end_steps={'main': float(_LAST)},
    manifest_fingerprint='m',
    tokenizer_fingerprint='t',
    code_revision='r',
    package_versions={},
    hardware={},
    wall_seconds=1.0,
  )


if __name__ == '__main__':
  main(sys.argv[1:])
