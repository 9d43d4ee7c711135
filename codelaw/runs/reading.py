"""Many event files -> what they hold, in parallel, read on from a cache.

From some hundred megabytes on, processes share the work: it is Python's, and
threads would only wait for each other. They hide the latency of buckets, so
each process reads those with threads.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent import futures
import functools
import multiprocessing
import os

from codelaw import storage
from codelaw.runs import event_cache
from codelaw.runs import events

Progress = Callable[[str, float], None]

THREADS = 16
# A process takes about a second to start, and reads about 50 MB/s.
_WORTH_PROCESSES = 200_000_000
_CHUNKS_PER_WORKER = 8


def quiet(message: str, fraction: float) -> None:
  """A progress that shows nothing."""


def read(
  files: Sequence[events.Found],
  selection: events.Selection,
  *,
  cache: storage.PathLike | None = None,
  workers: int | None = None,
  report: events.Report = events.warn,
  progress: Progress = quiet,
) -> dict[str, events.FileEvents]:
  """Reads event files; the result does not depend on cache and workers.

  Args:
    files: which, in any order.
    selection: of the tags to keep.
    cache: a file that keeps what was read for the next time; None for none.
    workers: processes; None takes one per core where files are large, and
      none where they are small.
    report: called with one sentence when the cache cannot be used.
    progress: called with what is done and the part of the bytes.

  Returns:
    path -> what the file holds.

  Raises:
    UserError: for a file that is corrupt, and a cache that cannot be written.
  """
  known = event_cache.read(cache, selection, report) if cache else {}
  found = {
    file.path: known[file.path]
    for file in files
    if file.path in known and events.is_unchanged(file, known[file.path])
  }
  new = [file for file in files if file.path not in found]
  total = sum(_to_read(file, known) for file in new)
  processes = _processes(workers, total, len(new))
  chunks = _chunks(new, known, max(1, processes) * _CHUNKS_PER_WORKER)
  done = 0
  for chunk, contents in zip(
    chunks, _read_chunks(chunks, selection, known, processes), strict=True
  ):
    for file, content in zip(chunk, contents, strict=True):
      found[file.path] = content
      done += _to_read(file, known)
    progress(f'read {len(found)} of {len(files)} files', done / max(1, total))
  if cache and (new or not known):
    folders = {os.path.dirname(file.path) for file in files}
    others = {
      path: content
      for path, content in known.items()
      if os.path.dirname(path) not in folders
    }
    event_cache.write(cache, selection, {**others, **found})
  return found


def _to_read(file: events.Found, known: Mapping[str, events.FileEvents]) -> int:
  before = known.get(file.path)
  return max(1, file.size - (before.offset if before else 0))


def _processes(workers: int | None, size: int, num_files: int) -> int:
  if workers is None:
    workers = (os.cpu_count() or 1) if size >= _WORTH_PROCESSES else 1
  return 0 if min(workers, num_files) < 2 else min(workers, num_files)


def _chunks(
  files: Sequence[events.Found],
  known: Mapping[str, events.FileEvents],
  number: int,
) -> list[list[events.Found]]:
  """Files in about `number` parts of about the same size, in order."""
  total = sum(_to_read(file, known) for file in files)
  parts: list[list[events.Found]] = []
  size = total
  for file in files:
    if size >= total / number:
      parts.append([])
      size = 0
    parts[-1].append(file)
    size += _to_read(file, known)
  return parts


def _read_chunks(chunks, selection, known, processes):
  read_chunk = functools.partial(_read_chunk, selection=selection)
  tasks = [
    (chunk, [known.get(file.path) for file in chunk]) for chunk in chunks
  ]
  if not processes:
    yield from map(read_chunk, tasks)
    return
  # Threads of JAX and of file systems do not survive a fork.
  context = multiprocessing.get_context('forkserver')
  with futures.ProcessPoolExecutor(processes, mp_context=context) as pool:
    yield from pool.map(read_chunk, tasks)


def _read_chunk(
  task: tuple[Sequence[events.Found], Sequence[events.FileEvents | None]],
  selection: events.Selection,
) -> list[events.FileEvents]:
  files, known = task
  if all(storage.is_local(file.path) for file in files):
    return [
      events.read_file(file, selection, before)
      for file, before in zip(files, known, strict=True)
    ]
  with futures.ThreadPoolExecutor(THREADS) as pool:
    return list(
      pool.map(
        lambda file, before: events.read_file(file, selection, before),
        files,
        known,
      )
    )
