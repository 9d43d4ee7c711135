"""Tokens per second of batches beside SeqIO's, and the first batch on resuming.

On one machine, in one process, on the documents of one corpus:

  codelaw        batches from packed shards, as `codelaw train` reads them
  seqio          SeqIO as its users train language models with it: tokenised
                 documents cached in TFRecords, a mixture with the same rates,
                 shuffled, packed by DecoderFeatureConverter, as NumPy arrays
  seqio shards   codelaw's shards, read through its SeqIO tasks

Each SeqIO reader runs with TensorFlow's own choice of threads and with one
thread; codelaw reads in the calling thread. Readers take turns, each after a
warm-up; figures are medians of the turns, with their ranges. Tokens are counted
without padding.

In SeqIO's favour: documents are cut to the sequence length before they are
cached, so that it reads no token that it would then trim away; there are 16
files per task, as many as it reads at once; it keeps tasks of less than 10,000
examples in memory; its threads may read ahead during the others' turns. To its
disadvantage: its faster packing needs custom TensorFlow operations that no
released package has, so nobody who installs it gets them.
"""

import argparse
from collections.abc import Callable
from collections.abc import Iterator
import dataclasses
import functools
import json
import os
import pathlib
import statistics
import sys
import time
from typing import Any

import numpy as np

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw.cli import main as command_line
from codelaw.data import manifest as manifest_lib
from codelaw.data import packing
from codelaw.data import pipeline
from codelaw.data import seqio_tasks
from codelaw.data import sequence_files
from codelaw.data import shards

_FILES_PER_TASK = 16  # SeqIO interleaves that many cached files.
_RESUME_STEP = 1_000_000
_Batches = Iterator[dict[str, np.ndarray]]


@dataclasses.dataclass
class Reader:
  """One way to read, and what its turns gave.

  Attributes:
    name: in the table.
    start: begins to read from the first batch.
    tokens_per_second: of each turn.
    first_batch_seconds: of the first turn.
  """

  name: str
  start: Callable[[], _Batches]
  tokens_per_second: list[float] = dataclasses.field(default_factory=list)
  first_batch_seconds: float = 0.0
  _batches: _Batches | None = None

  def turn(self, warm_up: float, seconds: float) -> None:
    """Reads on for a while, and notes the speed after the warm-up."""
    if self._batches is None:
      began = time.perf_counter()
      self._batches = self.start()
      next(self._batches)
      self.first_batch_seconds = time.perf_counter() - began
    self._read_for(warm_up)
    tokens, took = self._read_for(seconds)
    self.tokens_per_second.append(tokens / took)

  @property
  def median(self) -> float:
    """Tokens per second."""
    return statistics.median(self.tokens_per_second)

  def _read_for(self, seconds: float) -> tuple[int, float]:
    """(tokens read, seconds they took)."""
    assert self._batches is not None
    tokens, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds or not tokens:
      batch = next(self._batches)
      tokens += int(np.count_nonzero(batch['decoder_target_tokens']))
    return tokens, took


def main(arguments: list[str]) -> None:
  """Parses the flags, measures, prints."""
  parser = argparse.ArgumentParser(
    prog='tools/bench data',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--dir', default='results/bench/data', help='for files')
  parser.add_argument(
    '--gin_file', default='corpora/quickstart.gin', help='of the corpus'
  )
  parser.add_argument('--vocab_size', type=int, default=8192)
  parser.add_argument('--lengths', default='128,1024,8192')
  parser.add_argument('--batch_size', type=int, default=16)
  parser.add_argument('--seconds', type=float, default=6.0, help='per turn')
  parser.add_argument('--warm_up', type=float, default=2.0, help='per turn')
  parser.add_argument('--turns', type=int, default=3)
  parser.add_argument('--resume_step', type=int, default=_RESUME_STEP)
  args = parser.parse_args(arguments)
  folder = pathlib.Path(args.dir)
  corpus = _build_corpus(folder / 'corpus', args.gin_file)
  print(
    f'{os.cpu_count()} cores, vocabulary {args.vocab_size:,}, batches of'
    f' {args.batch_size}; {args.turns} turns of {args.seconds:g} s, each after'
    f' {args.warm_up:g} s of warm-up'
  )
  for length in map(int, args.lengths.split(',')):
    _compare(_plan(folder, corpus, length, args), folder, args)


def _build_corpus(folder: pathlib.Path, gin_file: str) -> str:
  """Builds the corpus, unless it is there."""
  code = command_line.main(
    ['corpus', 'build', f'--gin_file={gin_file}', f'--out={folder}']
  )
  if code:
    sys.exit(code)
  return str(folder)


def _plan(
  folder: pathlib.Path, corpus: str, length: int, args: argparse.Namespace
) -> records.RunPlan:
  """Writes the shards; a run on all their sources, in unequal shares."""
  cache = shards.CachePlan(
    corpus_dir=corpus,
    shards_dir=str(folder / f'shards_{length}'),
    vocab_size=args.vocab_size,
    sequence_length=length,
  )
  manifest = shards.write(cache)
  rates = {s: 1.0 + i for i, s in enumerate(sorted(manifest.sources))}
  stage = records.Stage('main', records.MixtureRates(rates))
  steps = args.resume_step + 1000
  return records.RunPlan(
    model=accounting.ModelShape(args.vocab_size, 8, 1, 1, 8, 8),
    schedule=records.Schedule((stage,)),
    optimizer=records.OptimizerSettings(1e-3),
    shards_dir=cache.shards_dir,
    num_tokens=steps * length * args.batch_size,
    sequence_length=length,
    batch_size=args.batch_size,
    max_epochs=1e12,  # The corpus is small and the run long, on purpose.
  )


def _compare(
  plan: records.RunPlan, folder: pathlib.Path, args: argparse.Namespace
) -> None:
  """Measures and prints one sequence length."""
  manifest = manifest_lib.read(plan.shards_dir)
  readers = [
    Reader('codelaw', lambda: _forever(plan, manifest)),
    *_seqio_readers(plan, manifest, folder / f'seqio_{plan.sequence_length}'),
  ]
  for _ in range(args.turns):
    for reader in readers:
      reader.turn(args.warm_up, args.seconds)
  ours, *others = readers
  print(f'\nsequence length {plan.sequence_length:,}')
  print(f'  {"reader":<30} {"tokens/s":>13} {"range of the turns":>29}  ratio')
  for reader in readers:
    low, high = min(reader.tokens_per_second), max(reader.tokens_per_second)
    print(
      f'  {reader.name:<30} {reader.median:>13,.0f}'
      f' {low:>13,.0f} to {high:>12,.0f}'
      f' {ours.median / reader.median:>6.1f}'
    )
  best = max(
    (r for r in others if r.name.startswith('seqio,')), key=lambda r: r.median
  )
  turns = [
    a / b
    for a, b in zip(ours.tokens_per_second, best.tokens_per_second, strict=True)
  ]
  print(
    f'  ratio: codelaw / faster seqio = {ours.median / best.median:.1f}'
    f' (turn by turn {min(turns):.1f} to {max(turns):.1f})'
  )
  _resume(plan, manifest, best, args.resume_step)


def _resume(
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
  seqio_reader: Reader,
  step: int,
) -> None:
  """First batch of a run that goes on at `step`, in this process."""
  took = []
  for seed in range(5):  # Nothing of one run can be reused for the next.
    fresh = dataclasses.replace(plan, seed=1000 + seed)
    began = time.perf_counter()
    next(pipeline.train_batches(fresh, manifest, step))
    took.append(time.perf_counter() - began)
  tokens = plan.tokens_per_step * step
  print(
    f'  first batch on resuming at step {step:,}: codelaw'
    f' {statistics.median(took):.3f} s (worst of {len(took)}:'
    f' {max(took):.3f} s); seqio must read and pack all before it: first batch'
    f' {seqio_reader.first_batch_seconds:.1f} s after the start, then'
    f' {tokens / seqio_reader.median / 3600:,.1f} h at the speed above'
    ' (extrapolated)',
    flush=True,
  )


def _forever(
  plan: records.RunPlan, manifest: manifest_lib.Manifest
) -> _Batches:
  while True:
    yield from pipeline.train_batches(plan, manifest)


def _seqio_readers(
  plan: records.RunPlan, manifest: manifest_lib.Manifest, cache: pathlib.Path
) -> list[Reader]:
  import seqio

  (stage,) = plan.schedule.stages
  length = plan.sequence_length
  name = f'bench_{length}'
  seqio.add_global_cache_dirs([str(cache)])
  rates = {}
  for number, (source, share) in enumerate(stage.mixture.shares().items()):
    task = _cached_task(plan, manifest, source, f'{name}_{number}', cache)
    stats = seqio.TaskRegistry.get(task).get_cached_stats('train')
    rates[task] = share * stats['examples'] / stats['targets_tokens']
  seqio.MixtureRegistry.add(f'{name}_cached', list(rates.items()))
  registered = seqio_tasks.register(plan.shards_dir, name)
  ways = {
    'seqio': (
      f'{name}_cached',
      seqio.DecoderFeatureConverter(pack=True),
      True,
    ),
    'seqio shards': (
      seqio_tasks.mixture(f'{name}_shards', stage.mixture, registered),
      seqio.PrePackedLMFeatureConverter(),
      False,
    ),
  }
  return [
    Reader(
      f'{way}, {"one thread" if threads else "default threads"}',
      functools.partial(_seqio_batches, plan, *settings, threads),
    )
    for way, settings in ways.items()
    for threads in (0, 1)
  ]


def _seqio_batches(
  plan: records.RunPlan,
  mixture: str,
  converter: Any,
  use_cached: bool,
  threads: int,
) -> _Batches:
  """Batches as T5X takes them; 0 threads leave the number to TensorFlow."""
  import seqio
  import tensorflow as tf

  dataset = seqio.get_dataset(
    mixture,
    {'targets': plan.sequence_length},
    converter,
    dataset_split='train',
    use_cached=use_cached,
    shuffle=True,
    num_epochs=None,
    seed=0,
    verbose=False,
  )
  dataset = dataset.batch(plan.batch_size, drop_remainder=True)
  dataset = dataset.prefetch(tf.data.AUTOTUNE)
  if threads:
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    options.threading.max_intra_op_parallelism = threads
    dataset = dataset.with_options(options)
  return dataset.as_numpy_iterator()


def _cached_task(
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
  source: str,
  name: str,
  cache: pathlib.Path,
) -> str:
  """A task whose training split is cached as SeqIO's caching job leaves it."""
  import seqio

  folder = cache / name
  if not (folder / 'COMPLETED').exists():
    _write_cache(plan, manifest, source, folder)
  vocabulary = seqio.PassThroughVocabulary(manifest.vocab_size, packing.EOS_ID)
  seqio.TaskRegistry.add(
    name,
    source=seqio.FunctionDataSource(_not_cached, splits=('train',)),
    preprocessors=[seqio.CacheDatasetPlaceholder(required=True)],
    output_features={'targets': seqio.Feature(vocabulary, add_eos=False)},
  )
  return name


def _not_cached(split: str, shuffle_files: bool) -> Any:
  raise errors.UserError(f'The {split} split is only to be read from its cache')


def _write_cache(
  plan: records.RunPlan,
  manifest: manifest_lib.Manifest,
  source: str,
  folder: pathlib.Path,
) -> None:
  """TFRecords of tokenised documents, with the two JSON files beside them."""
  import seqio
  import tensorflow as tf

  folder.mkdir(parents=True, exist_ok=True)
  writers = [
    tf.io.TFRecordWriter(
      str(folder / f'train.tfrecord-{n:05d}-of-{_FILES_PER_TASK:05d}')
    )
    for n in range(_FILES_PER_TASK)
  ]
  lengths = []
  for piece in _pieces(plan, manifest, source):
    example = seqio.dict_to_tfexample({'targets': piece.astype(np.int32)})
    writers[len(lengths) % _FILES_PER_TASK].write(example.SerializeToString())
    # SeqIO counts tokens without the end token.
    lengths.append(int(np.count_nonzero(piece != packing.EOS_ID)))
  for writer in writers:
    writer.close()
  info = {
    'num_shards': _FILES_PER_TASK,
    'features': {'targets': {'shape': [None], 'dtype': 'int32'}},
    'seqio_version': seqio.__version__,
  }
  stats = {
    'examples': len(lengths),
    'targets_tokens': sum(lengths),
    'targets_max_tokens': max(lengths),
  }
  (folder / 'info.train.json').write_text(json.dumps(info))
  (folder / 'stats.train.json').write_text(json.dumps(stats))
  (folder / 'COMPLETED').touch()


def _pieces(
  plan: records.RunPlan, manifest: manifest_lib.Manifest, source: str
) -> Iterator[np.ndarray]:
  """The tokens of the shards' documents, in pieces of at most the length."""
  reader = sequence_files.SequenceReader(
    plan.shards_dir, manifest, source, 'train'
  )
  stream = reader.read(np.arange(len(reader))).reshape(-1)
  stream = stream[stream != packing.PAD_ID]
  ends = np.flatnonzero(stream == packing.EOS_ID) + 1
  for document in np.split(stream, ends[:-1]):
    for start in range(0, len(document), plan.sequence_length):
      yield document[start : start + plan.sequence_length]


if __name__ == '__main__':
  main(sys.argv[1:])
