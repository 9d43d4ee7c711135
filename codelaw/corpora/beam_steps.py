"""The steps of a corpus on Apache Beam, from readers to files and counts.

Every document is known by its place (reader, part, place in the part), and of
two copies the one at the earlier place is the original.

  parts -> read, filter -> key, place, signature of each document
  by content key: the first document of those with the same text
  by band of the signature: documents that share one
  of these by band, with signatures: pairs of near-copies
  by group: documents that belong together
  components of these pairs -> split of each component
  places of what is kept -> the parts are read again, and written

Texts are never grouped. A text that occurs a million times, or a million
documents with a band in common, move as places, keys and signatures; what is
kept is read a second time by the worker that writes it. One worker alone
holds all pairs of copies (0.2 kB for each document that has one), and one
worker the signatures of one band (0.7 kB a document).

What a pipeline counts leaves it as a file, among what is staged:
`read_numbers`.
"""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
import dataclasses
import hashlib
import itertools
from typing import Any
from typing import NamedTuple
import uuid

import numpy as np

from codelaw import errors
from codelaw import storage
from codelaw.corpora import build as build_lib
from codelaw.corpora import clusters as clusters_lib
from codelaw.corpora import damage
from codelaw.corpora import deduplication
from codelaw.corpora import documents
from codelaw.corpora import reading
from codelaw.corpora import staging

_NUMBERS_NAME = 'numbers.json'
_KEY_BYTES = 16  # of a content key, enough to tell all texts apart
# Signatures compared at once: see `copies`.
_COMPARED_AT_ONCE = 256

# What was counted: (what, source, more about it) -> number.
Numbers = dict[tuple[Any, ...], Any]
_Tagged = tuple[str, Any]
_PartPlace = tuple[int, int]  # reader and part


class _Found(NamedTuple):
  """What is known of a document besides its text; ordered by its place.

  Attributes:
    place: of the reader, of the part, and in the part.
    source: typed stream that it belongs to.
    num_bytes: of the UTF-8 text.
    split_place: see `clusters.place`.
    signature: uint32 as bytes, empty without words or near-duplicates.
  """

  place: tuple[int, int, int]
  source: str
  num_bytes: int
  split_place: int
  signature: bytes


def add_steps(beam: Any, root: Any, plan: build_lib.CorpusPlan) -> None:
  """All steps from readers to files and the numbers of the index."""
  parts = (
    root
    | 'Readers' >> beam.Create(range(len(plan.readers)))
    | 'Parts' >> beam.FlatMap(_parts, plan)
    | 'Spread parts' >> beam.Reshuffle()
  )
  examined = parts | 'Examine' >> beam.FlatMap(_examine, plan)
  found = _only(
    beam, examined, 'found'
  ) | 'First of equal texts' >> beam.CombinePerKey(min)
  # Most documents share no band, so that bands are compared without
  # signatures first.
  shared = (
    found
    | 'Bands' >> beam.FlatMap(_by_band, plan.deduplication)
    | 'By band' >> beam.GroupByKey()
    | 'Shared bands' >> beam.FlatMap(_of_several)
  )
  compared = (
    {'found': found, 'band': shared}
    | 'Join signatures' >> beam.CoGroupByKey()
    | 'With signature' >> beam.FlatMap(_with_signature)
    | 'By shared band' >> beam.GroupByKey()
    | 'Compare' >> beam.FlatMap(_compare, plan.deduplication)
  )
  grouped = (
    _only(beam, examined, 'group')
    | 'By group' >> beam.GroupByKey()
    | 'Join groups' >> beam.FlatMap(_join_group)
  )
  roots = (
    (_only(beam, compared, 'pair'), grouped)
    | 'All pairs' >> beam.Flatten()
    | 'To one worker' >> beam.Map(_under_none)
    | 'Pairs' >> beam.GroupByKey()
    | 'Components' >> beam.FlatMap(_components)
  )
  decided = (
    {'found': found, 'near': _only(beam, compared, 'near'), 'root': roots}
    | 'By key' >> beam.CoGroupByKey()
    | 'Clusters' >> beam.Map(_in_cluster)
    | 'By cluster' >> beam.GroupByKey()
    | 'Decide' >> beam.FlatMap(_decide, plan)
  )
  kept = _only(beam, decided, 'kept')
  files = (
    _only(beam, decided, 'size')
    | 'Size of parts' >> beam.CombinePerKey(sum)
    | 'Sizes to one worker' >> beam.Map(_under_none)
    | 'Sizes' >> beam.GroupByKey()
    | 'Divide into files' >> beam.FlatMap(_divide)
  )
  written = (
    {'part': parts, 'kept': kept, 'file': files}
    | 'By part' >> beam.CoGroupByKey()
    | 'Parts to write' >> beam.FlatMap(_to_write)
    | 'By file' >> beam.GroupByKey()
    | 'Write' >> beam.FlatMap(_write, plan)
  )
  numbers = []
  for kind, combine in (('sum', sum), ('largest', max), ('files', _joined)):
    collected = [
      _only(beam, collection, kind)
      for collection in (examined, decided, written)
    ]
    numbers.append(
      collected
      | f'All {kind}' >> beam.Flatten()
      | f'Combine {kind}' >> beam.CombinePerKey(combine)
      | f'{kind} to one worker' >> beam.Map(_under_none)
    )
  damaged = (
    _only(beam, examined, 'damaged')
    | 'First damaged' >> beam.combiners.Top.Smallest(damage.MOST_NAMED)
    | 'Damaged to one worker' >> beam.Map(_named_damage)
  )
  _ = (
    (*numbers, damaged)
    | 'All numbers' >> beam.Flatten()
    | 'Numbers' >> beam.GroupByKey()
    | 'Save' >> beam.Map(_save, plan.output_dir)
  )


def _only(beam: Any, collection: Any, tag: str) -> Any:
  """The values of a collection that have a tag."""
  name = f'{tag} of {collection.producer.full_label}'
  return collection | name >> beam.FlatMap(_with_tag, tag)


def _with_tag(item: _Tagged, tag: str) -> Iterator[Any]:
  if item[0] == tag:
    yield item[1]


def _under_none(item: Any) -> tuple[None, Any]:
  return None, item


def _named_damage(items: list[Any]) -> tuple[None, Any]:
  return None, (('named',), items)


def _joined(collected: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
  return tuple(sorted(name for names in collected for name in names))


def _parts(
  number: int, plan: build_lib.CorpusPlan
) -> Iterator[tuple[_PartPlace, Any]]:
  found = plan.readers[number].parts(plan.max_bytes_per_source)
  for place, part in enumerate(found):
    yield (number, place), part


def _read(
  place: _PartPlace, part: Any, plan: build_lib.CorpusPlan
) -> Iterator[tuple[reading.Item, int]]:
  """What a part holds, each with the bytes of its text."""
  reader = plan.readers[place[0]]
  with build_lib.reading_from(reader):
    yield from map(build_lib.measured, reader.read(part, lambda source: False))


def _examine(
  item: tuple[_PartPlace, Any], plan: build_lib.CorpusPlan
) -> Iterator[_Tagged]:
  """Reads one part and yields what decides about its documents."""
  place, part = item
  sums: Counter[tuple[Any, ...]] = Counter()
  largest: Counter[str] = Counter()
  for number, (raw, size) in enumerate(_read(place, part, plan)):
    source = raw.source
    if isinstance(raw, reading.Skipped):
      sums['damaged' if raw.damaged else 'skipped', source, raw.reason] += 1
      if raw.damaged:
        sums['damaged of', source, place[0]] += 1
        named = dataclasses.astuple(damage.named(raw))
        yield 'damaged', ((*place, number), named)
      continue
    sums['documents of', source, place[0]] += 1
    reason = build_lib.drop_reason(plan, raw)
    if reason is not None:
      sums['dropped', source, reason] += 1
      sums['dropped bytes', source, reason] += size
      continue
    sums['passed', source] += 1
    sums['passed bytes', source] += size
    largest[source] = max(size, largest[source])
    key = deduplication.content_key(raw.text)
    signature = None
    if plan.deduplication.near_threshold:
      signature = deduplication.signature(raw.text, plan.deduplication)
    yield (
      'found',
      (
        _digest(key),
        _Found(
          place=(*place, number),
          source=source,
          num_bytes=size,
          split_place=clusters_lib.place(raw.group or key),
          signature=b'' if signature is None else signature.tobytes(),
        ),
      ),
    )
    if raw.group:
      group = hashlib.sha256(raw.group.encode('utf-8')).digest()
      yield 'group', (group[:_KEY_BYTES], _digest(key))
  for name, value in sums.items():
    yield 'sum', (name, value)
  for source, size in largest.items():
    yield 'largest', (('document', source), size)


def _digest(key: str) -> bytes:
  return bytes.fromhex(key)[:_KEY_BYTES]


def _by_band(
  item: tuple[bytes, _Found], settings: deduplication.Deduplication
) -> Iterator[tuple[bytes, bytes]]:
  """Yields (band, key) for every band of a document's signature."""
  key, found = item
  if found.signature:
    signature = np.frombuffer(found.signature, np.uint32)
    for band in deduplication.band_keys(signature, settings):
      yield band.tobytes(), key


def _of_several(
  item: tuple[bytes, Iterable[bytes]],
) -> Iterator[tuple[bytes, bytes]]:
  """Yields (key, band) for the documents of a band with more than one."""
  band, keys = item
  if len(list(itertools.islice(keys, 2))) > 1:
    for key in keys:
      yield key, band


def _with_signature(
  item: tuple[bytes, Any],
) -> Iterator[tuple[bytes, tuple[Any, bytes, bytes]]]:
  """Yields (band, (place, key, signature)) of one document."""
  key, joined = item
  (found,) = joined['found']
  for band in joined['band']:
    yield band, (found.place, key, found.signature)


def _compare(
  item: tuple[bytes, Iterable[tuple[Any, bytes, bytes]]],
  settings: deduplication.Deduplication,
) -> Iterator[_Tagged]:
  """Pairs of near-copies in a band, and which have an earlier one.

  Of the pairs only those that join clusters are needed.
  """
  members = sorted(item[1])
  if len(members) < 2:
    return
  signatures = np.stack([np.frombuffer(m[2], np.uint32) for m in members])
  clusters = clusters_lib.Clusters()
  for node, (_, key, _) in enumerate(members):
    clusters.add()
    has_near = False
    for start in range(0, node, _COMPARED_AT_ONCE):
      others = np.arange(start, min(node, start + _COMPARED_AT_ONCE))
      others = others[clusters.roots(others) != clusters.root(node)]
      similar = deduplication.are_similar(
        signatures[others], signatures[node], settings
      )
      for other in others[similar].tolist():
        if clusters.root(other) != clusters.root(node):
          clusters.join(other, node)
          yield 'pair', (members[other][1], key)
        has_near = True
    if has_near:
      yield 'near', (key, None)


def _join_group(
  item: tuple[bytes, Iterable[bytes]],
) -> Iterator[tuple[bytes, bytes]]:
  """Joins every document of a group with one of them."""
  first = min(item[1])
  for other in item[1]:
    if other != first:
      yield first, other


def _components(
  item: tuple[None, Iterable[tuple[bytes, bytes]]],
) -> Iterator[tuple[bytes, bytes]]:
  """Yields (key, key that stands for its component) of all in `pairs`."""
  nodes: dict[bytes, int] = {}
  clusters = clusters_lib.Clusters()
  for pair in item[1]:
    for key in pair:
      if key not in nodes:
        nodes[key] = clusters.add()
    clusters.join(*map(nodes.__getitem__, pair))
  keys = list(nodes)
  for key, root in zip(keys, clusters.roots().tolist(), strict=True):
    yield key, keys[root]


def _in_cluster(item: tuple[bytes, Any]) -> tuple[bytes, Any]:
  """(key that stands for the cluster, what decides about the document)."""
  key, joined = item
  (found,) = joined['found']
  root = next(iter(joined['root']), key)
  is_near = any(True for _ in joined['near'])
  return root, (found._replace(signature=b''), is_near, key)


def _decide(
  item: tuple[bytes, Iterable[tuple[_Found, bool, bytes]]],
  plan: build_lib.CorpusPlan,
) -> Iterator[_Tagged]:
  """Keeps or drops the documents of one cluster, and splits it."""
  members = item[1]
  first = min(found for found, _, _ in members)
  is_held_out = clusters_lib.held_out(
    first.split_place, plan.validation_fraction
  )
  split = 'validation' if is_held_out else 'train'
  kept: Counter[str] = Counter()
  sums: Counter[tuple[str, ...]] = Counter()
  for found, is_near, key in members:
    *part, number = found.place
    source = found.source
    if is_near and plan.deduplication.drop_near:
      sums['dropped', source, 'near_duplicate'] += 1
      sums['dropped bytes', source, 'near_duplicate'] += found.num_bytes
      continue
    kept[source] += 1
    sums['copies kept', source] += is_near
    yield 'kept', (tuple(part), (number, split, key))
    yield 'size', (tuple(part), found.num_bytes)
  for source, count in kept.items():
    yield 'largest', (('cluster', source), count)
  for name, value in sums.items():
    if value:
      yield 'sum', (name, value)


def _divide(
  item: tuple[None, Iterable[tuple[_PartPlace, int]]],
) -> Iterator[tuple[_PartPlace, int]]:
  """Numbers files: consecutive parts that fill one together share it."""
  file = num_bytes = 0
  for place, size in sorted(item[1]):
    if num_bytes and num_bytes + size > documents.FILE_BYTES:
      file, num_bytes = file + 1, 0
    num_bytes += size
    yield place, file


def _to_write(item: tuple[_PartPlace, Any]) -> Iterator[tuple[int, Any]]:
  """(number of the file, what to read again and what of it to keep)."""
  place, joined = item
  for file in joined['file']:
    (part,) = joined['part']
    yield file, (place, part, list(joined['kept']))


def _write(
  item: tuple[int, Iterable[Any]], plan: build_lib.CorpusPlan
) -> Iterator[_Tagged]:
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
      sums['identities',] += documents.identity(
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
  place: _PartPlace,
  part: Any,
  kept: list[tuple[int, str, bytes]],
  plan: build_lib.CorpusPlan,
) -> Iterator[documents.Document]:
  """The documents of a part that are kept.

  Raises:
    UserError: when the part does not hold what it held at first.
  """
  left = {number: (split, key) for number, split, key in kept}
  for number, (raw, _) in enumerate(_read(place, part, plan)):
    if number not in left or isinstance(raw, reading.Skipped):
      continue
    split, key = left[number]
    if _digest(deduplication.content_key(raw.text)) != key:
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


def _save(item: tuple[None, Iterable[Any]], output_dir: str) -> None:
  """Hands what was counted to whoever started the workers."""
  storage.write_json(
    storage.path(output_dir) / staging.FOLDER / _NUMBERS_NAME,
    [[list(name), value] for name, value in item[1]],
  )


def read_numbers(plan: build_lib.CorpusPlan) -> Numbers:
  """What the pipeline of a plan counted."""
  numbers = storage.read_json(
    storage.path(plan.output_dir) / staging.FOLDER / _NUMBERS_NAME
  )
  return {tuple(name): value for name, value in numbers}
