"""Throughput of every step from source files to shards, on one core.

Each step runs alone on the same documents, the Python files below --folder,
pinned to one core; seconds are CPU seconds of this process and of those it
starts. MB are UTF-8 text, 10^6 bytes, whatever the step itself reads or writes,
so that steps add up. The two readers at the end read what others do not: the
history of a repository, and programs written on the spot.

The last columns say how long the text of --tokens tokens takes on so many
cores, with the bytes per token that the tokenizer trained here has, if work
divides evenly; the moving of data between machines comes on top.
"""

import argparse
from collections.abc import Callable
import dataclasses
import os
import pathlib
import resource
import sys
import sysconfig
import tempfile
import time
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from codelaw import errors
from codelaw.corpora import copies
from codelaw.corpora import deduplication
from codelaw.corpora import documents
from codelaw.corpora import filters
from codelaw.corpora import git_history
from codelaw.corpora import reading
from codelaw.corpora import source_trees
from codelaw.corpora import tables
from codelaw.corpora.synthetic import reader as synthetic
from codelaw.data import packing
from codelaw.data import sequence_files
from codelaw.data import tokenizer as tokenizer_lib

_SOURCE = 'code/python'


@dataclasses.dataclass(frozen=True)
class Step:
  """What one step took.

  Attributes:
    name: in the table.
    documents: that went through.
    num_bytes: of their UTF-8 text.
    seconds: of one core.
  """

  name: str
  documents: int
  num_bytes: int
  seconds: float


def main(arguments: list[str]) -> None:
  """Parses the flags, measures, prints."""
  parser = argparse.ArgumentParser(
    prog='tools/bench corpus',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument(
    '--folder', default=sysconfig.get_path('stdlib'), help='of Python files'
  )
  parser.add_argument('--megabytes', type=float, default=20, help='of text')
  parser.add_argument(
    '--repository', default='.', help='a git repository; left out if none'
  )
  parser.add_argument('--commit_bytes', type=int, default=5_000_000)
  parser.add_argument('--problems', type=int, default=500, help='synthetic')
  parser.add_argument('--vocab_size', type=int, default=32_768)
  parser.add_argument('--sequence_length', type=int, default=2048)
  parser.add_argument('--tokens', type=float, default=1e12)
  parser.add_argument('--cores', default='1,64,1024')
  args = parser.parse_args(arguments)
  _use_one_core()
  with tempfile.TemporaryDirectory() as folder:
    steps, bytes_per_token = _measure(args, pathlib.Path(folder))
  _print(steps, bytes_per_token, args)


def _use_one_core() -> None:
  if hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
  os.environ['RAYON_NUM_THREADS'] = '1'
  pa.set_cpu_count(1)
  pa.set_io_thread_count(1)


def _measure(
  args: argparse.Namespace, folder: pathlib.Path
) -> tuple[list[Step], float]:
  """(steps in the order of the work, bytes per token)."""
  tree = source_trees.SourceTree([args.folder], {_SOURCE: ['python']})
  found, seconds = _timed(lambda: _some(tree, int(args.megabytes * 1e6)))
  if not found:
    sys.exit(f'tools/bench corpus: no Python files below {args.folder}')
  steps = [_step('read source files', found, seconds)]

  def add(name: str, work: Callable[[], Any]) -> Any:
    result, seconds = _timed(work)
    steps.append(_step(name, found, seconds))
    return result

  table = _write_table(folder, found)
  add('read a Parquet table', lambda: _some(table))
  add(
    f'filter, all {len(filters.FILTERS)} of them',
    lambda: [[drop(raw) for drop in filters.FILTERS.values()] for raw in found],
  )
  _deduplicate(found, add)
  kept = [documents.document(raw, 'train') for raw in found]
  add('write the corpus', lambda: _write_corpus(folder, found))
  texts = [document.text for document in kept]
  tokenizer = tokenizer_lib.train(texts, args.vocab_size)
  tokens = add(
    f'tokenise, {args.vocab_size:,} tokens',
    lambda: list(tokenizer_lib.encode(tokenizer, texts)),
  )
  tokens = [ids.astype(np.uint32) for ids in tokens]
  for kind in packing.PACKINGS[:2]:
    sequences = add(
      f'pack ({kind})',
      lambda kind=kind: list(packing.pack(tokens, args.sequence_length, kind)),
    )
  add(
    'write shards',
    lambda: sequence_files.write(folder, 'train', sequences, 1_000_000),
  )
  steps += _other_readers(args)
  num_tokens = sum(len(ids) + 1 for ids in tokens)
  return steps, steps[0].num_bytes / num_tokens


def _deduplicate(
  found: list[documents.RawDocument],
  add: Callable[[str, Callable[[], Any]], Any],
) -> None:
  """Keys and signatures alone, and then with the search for copies."""
  settings = deduplication.Deduplication()
  add(
    'deduplicate: content keys',
    lambda: [deduplication.content_key(raw.text) for raw in found],
  )
  add(
    'deduplicate: signatures',
    lambda: [deduplication.signature(raw.text, settings) for raw in found],
  )
  index = copies.Index(settings)
  add(
    'deduplicate and split, all',
    lambda: [index.add(raw) for raw in found],
  )


def _write_table(
  folder: pathlib.Path, found: list[documents.RawDocument]
) -> reading.Reader:
  """A reader of the same documents, as a table."""
  file = folder / 'table.parquet'
  columns = {
    'content': [raw.text for raw in found],
    'lang': [raw.language for raw in found],
  }
  parquet.write_table(pa.table(columns), file, compression='zstd')
  return tables.Tables(
    [str(file)], {_SOURCE: ['python']}, text='content', label='lang'
  )


def _write_corpus(
  folder: pathlib.Path, found: list[documents.RawDocument]
) -> None:
  writer = documents.SourceWriter(folder, _SOURCE)
  for raw in found:
    writer.write(documents.document(raw, 'train'))
  writer.close()


def _other_readers(args: argparse.Namespace) -> list[Step]:
  """Readers of what the other steps do not see."""
  programs = synthetic.SyntheticPrograms(args.problems)
  made, seconds = _timed(lambda: _some(programs))
  steps = [_step('write synthetic programs', made, seconds)]
  history = git_history.GitHistory([args.repository])
  try:
    commits, seconds = _timed(lambda: _some(history, args.commit_bytes))
  except errors.UserError as error:
    print(f'without a git history: {error}', file=sys.stderr)
  else:
    steps.append(_step('read a git history', commits, seconds))
  return steps


def _step(
  name: str, found: list[documents.RawDocument], seconds: float
) -> Step:
  size = sum(len(raw.text.encode('utf-8')) for raw in found)
  return Step(name, len(found), size, seconds)


def _some(
  reader: reading.Reader, limit: int = 2**60
) -> list[documents.RawDocument]:
  """The first documents of a reader, up to a number of characters."""
  found: list[documents.RawDocument] = []
  sizes: list[int] = [0]
  for part in reader.parts(limit):
    for item in reader.read(part, lambda source: sizes[0] >= limit):
      if isinstance(item, documents.RawDocument) and sizes[0] < limit:
        found.append(item)
        sizes[0] += len(item.text)
    if sizes[0] >= limit:
      break
  return found


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
  """(what the work returns, CPU seconds of this process and its children)."""
  before = _cpu_seconds()
  result = work()
  return result, _cpu_seconds() - before


def _cpu_seconds() -> float:
  children = resource.getrusage(resource.RUSAGE_CHILDREN)
  return time.process_time() + children.ru_utime + children.ru_stime


def _print(
  steps: list[Step], bytes_per_token: float, args: argparse.Namespace
) -> None:
  cores = [int(number) for number in args.cores.split(',')]
  total = args.tokens * bytes_per_token
  print(
    f'{steps[0].documents:,} documents, {steps[0].num_bytes / 1e6:.1f} MB;'
    f' {bytes_per_token:.2f} bytes per token, so {args.tokens:.3g} tokens are'
    f' {total / 1e12:.3g} TB of text'
  )
  columns = ''.join(f'{f"h, {number:,}":>12}' for number in cores)
  print(f'{"step, on one core":<32}{"docs/s":>10}{"MB/s":>9}{columns}')
  for step in steps:
    hours = step.seconds / step.num_bytes * total / 3600
    print(
      f'{step.name:<32}{step.documents / step.seconds:>10,.0f}'
      f'{step.num_bytes / step.seconds / 1e6:>9.1f}'
      + ''.join(f'{hours / number:>12,.2f}' for number in cores)
    )


if __name__ == '__main__':
  main(sys.argv[1:])
