"""Writes what is kept: parts are read again by the worker of their file."""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import pathlib
from typing import Any
import uuid

from codelaw import errors
from codelaw import storage
from codelaw.corpora import beam_reading
from codelaw.corpora import deduplication
from codelaw.corpora import documents
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import reading
from codelaw.corpora import staging


def divide(
  item: tuple[None, Iterable[tuple[beam_reading.PartPlace, int]]],
) -> Iterator[tuple[beam_reading.PartPlace, int]]:
  """Numbers files: consecutive parts that fill one together share it."""
  file = num_bytes = 0
  for place, size in sorted(item[1]):
    if num_bytes and num_bytes + size > documents.FILE_BYTES:
      file, num_bytes = file + 1, 0
    num_bytes += size
    yield place, file


def to_write(
  item: tuple[beam_reading.PartPlace, Any],
) -> Iterator[tuple[int, Any]]:
  """(number of the file, what to read again and what of it to keep)."""
  place, joined = item
  for file in joined['file']:
    (part,) = joined['part']
    yield file, (place, part, list(joined['kept']))


def write(
  item: tuple[int, Iterable[Any]], plan: plan_lib.CorpusPlan
) -> Iterator[beam_reading.Tagged]:
  """Reads parts again and writes what is kept of them, a file per source.

  Whoever writes the same at the same time, because a worker is slow or was
  given up, uses other names until the files are whole.
  """
  number, parts = item
  attempt = uuid.uuid4().hex
  staged = storage.path(plan.output_dir) / staging.FOLDER / attempt
  writers: dict[str, documents.SourceWriter] = {}
  sums: Counter[tuple[str, ...]] = Counter()
  for place, part, kept in sorted(parts, key=lambda entry: entry[0]):
    for document in _kept_documents(place, part, kept, plan):
      source, split = document.source, document.split
      if source not in writers:
        writers[source] = documents.SourceWriter(staged, source)
      with staging.writing(plan.output_dir):
        writers[source].write(document)
      sums['documents', source, split] += 1
      sums['bytes', source, split] += document.bytes
      sums['language', source, document.language] += 1
      sums['license', source, document.license] += 1
      sums['identities', source] += documents.identity(
        source, split, document.content_sha256
      )
  with staging.writing(plan.output_dir):
    for source, writer in writers.items():
      files = tuple(
        _moved(staged, name, plan.output_dir, number) for name in writer.close()
      )
      yield 'files', (('files', source), files)
  for name, value in sums.items():
    yield 'sum', (name, value)


def _kept_documents(
  place: beam_reading.PartPlace,
  part: Any,
  kept: list[tuple[int, str, bytes]],
  plan: plan_lib.CorpusPlan,
) -> Iterator[documents.Document]:
  """The documents of a part that are kept.

  Raises:
    UserError: when the part does not hold what it held at first.
  """
  left = {number: (split, key) for number, split, key in kept}
  for number, (raw, _) in enumerate(beam_reading.read(place, part, plan)):
    if number not in left or isinstance(raw, reading.Skipped):
      continue
    split, key = left[number]
    if beam_reading.digest(deduplication.content_key(raw.text)) != key:
      break
    del left[number]
    yield documents.document(raw, split)
    if not left:
      return
  if left:
    raise errors.UserError(
      f'{type(plan.readers[place[0]]).__name__} gave other documents when it'
      ' read a part again (what it reads changed meanwhile); build again when'
      ' nothing writes there.'
    )


def _moved(staged: Any, name: str, folder: str, number: int) -> str:
  """Gives a staged file its last name: relative to `folder`."""
  last = name.replace('/documents-', f'/documents-{number:05d}-')
  target = storage.path(folder) / last
  target.parent.mkdir(parents=True, exist_ok=True)
  (staged / name).replace(target)
  return last


def remove(folder: str, source: str, names: Iterable[str]) -> None:
  """Removes the files of a source, and its folders that nothing else is in."""
  root = storage.path(folder)
  for name in names:
    (root / name).unlink()
  if '://' in folder:  # Buckets have no folders.
    return
  with contextlib.suppress(OSError, ValueError):  # One is not empty.
    for inside in (source, *map(str, pathlib.PurePosixPath(source).parents)):
      if inside != '.':
        (root / inside).rmdir()
